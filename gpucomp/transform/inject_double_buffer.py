"""Double buffering: the loop that fills a buffer and uses it loads the next tile while it uses this one."""

from __future__ import annotations

from dataclasses import dataclass, field

from gpucomp.ir.transform import PassContext
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import LT, BufferLoad, Expr, Ramp, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, free_vars, stmt_post_order, substitute
from gpucomp.tir.stmt import (
    Allocate,
    AllReduce,
    AttrStmt,
    BufferStore,
    For,
    ForKind,
    IfThenElse,
    SeqStmt,
    Stmt,
    seq,
)
from gpucomp.transform.accesses import MovedAccesses, Sources, bodies, own_exprs
from gpucomp.transform.walk import TRUE, int_value

_KEY = "double_buffer_scope"
# A tile waits in registers between its load and its store if it takes at most this much of each thread.
MOST_STAGED_BYTES = 128


def inject_double_buffer(func: PrimFunc) -> PrimFunc:
    """Pipeline the loops around buffers that are marked ``double_buffer_scope``.

    The buffer gets two halves. The statements that fill it run for the first iteration ahead of the loop, then in each
    iteration for the next one (if there is one), into the other half. Shared memory that is copied from elsewhere is
    loaded into registers before the tile in use is consumed, and stored after it, so that the latency of the loads
    is hidden. Where the filling depends on what else the loop writes, or cannot be told apart from the use, the loop
    stays as it is. Marks are removed.

    The option ``tir.InjectDoubleBuffer`` of the pass context, ``{"split_loop": n}`` with an even n that divides the
    number of iterations, writes out n iterations of the loop, so that which half is which is known when compiling.
    """
    if not any([isinstance(n, AttrStmt) and n.attr_key == _KEY for n in stmt_post_order(func.body)]):
        return func
    options = PassContext.current().config.get("tir.InjectDoubleBuffer") or {}
    return func.with_body(Inject(int(options.get("split_loop", 1))).stmt(func.body))


@dataclass(slots=True)
class LoopBody:
    """The body of a loop, taken apart."""

    allocations: list[Allocate] = field(default_factory=list[Allocate])
    marked: dict[Var, None] = field(default_factory=dict[Var, None])
    steps: list[Stmt] = field(default_factory=list[Stmt])

    def take(self, node: Stmt) -> None:
        """Enter a statement of the body."""
        if isinstance(node, Allocate) and node.condition is TRUE and len(node.extents) == 1:
            self.allocations.append(node)
            self.take(node.body)
        elif isinstance(node, AttrStmt) and node.attr_key == _KEY and isinstance(node.node, Buffer):
            self.marked[node.node.data] = None
            self.take(node.body)
        elif isinstance(node, SeqStmt):
            for item in node.seq:
                self.take(item)
        else:
            self.steps.append(node)


@dataclass(slots=True)
class Uses:
    """What one step reads and writes, by pointer."""

    reads: frozenset[Var]
    writes: frozenset[Var]
    opaque: bool


class Inject(Mutator):
    """Treats inner loops first."""

    def __init__(self, together: int) -> None:
        super().__init__()
        self.together = together
        self.sources = Sources()
        self.sizes: dict[Var, Expr] = {}
        self.outer: dict[Var, Stmt] = {}
        self.doubled: dict[Var, Expr] = {}

    def expr(self, node: Expr) -> Expr:
        return node

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        return self.stmt(node.body) if node.attr_key == _KEY else super().visit_attr_stmt(node)

    def visit_allocate(self, node: Allocate) -> Stmt:
        self.sizes[node.buffer_var] = node.extents[0]
        self.outer[node.buffer_var] = node.body
        body = self.stmt(node.body)
        size = self.doubled.pop(node.buffer_var, None)
        if size is not None:
            return node.replace(extents=(operators.multiply(size, 2),), body=body)
        return node if body is node.body else node.replace(body=body)

    def visit_for(self, node: For) -> Stmt:
        parts = LoopBody()
        parts.take(node.body)
        if not parts.marked or node.kind not in (ForKind.SERIAL, ForKind.UNROLLED) or int_value(node.extent) == 1:
            return super().visit_for(node)
        parts.steps = [self.stmt(s) for s in parts.steps]
        for memory in parts.allocations:
            self.sizes[memory.buffer_var] = memory.extents[0]
        return self.pipelined(node, parts)

    # -- which steps fill the buffers ----------------------------------------------------------------------------------

    def uses_of(self, node: Stmt) -> Uses:
        """What a step reads and writes."""
        reads: list[frozenset[Var]] = []
        writes: list[Var] = []
        opaque = False
        for item in statements(node):
            writes += [b.data for b in self.sources.written(item)]
            for value in own_exprs(item):
                reads.append(self.sources.loads(value))
                opaque = opaque or self.sources.has_effect(value)
            opaque = opaque or isinstance(item, AllReduce)
        return Uses(frozenset[Var]().union(*reads), frozenset(writes), opaque)

    def filling(self, parts: LoopBody, uses: list[Uses]) -> list[bool] | None:
        """Which steps must run ahead; None when the loop cannot be pipelined."""
        if any([u.opaque for u in uses]):
            return None
        ahead = [not u.writes.isdisjoint(parts.marked) for u in uses]
        private = {m.buffer_var for m in parts.allocations} - parts.marked.keys()
        while True:
            wanted = frozenset[Var]().union(*[u.reads for u, a in zip(uses, ahead, strict=True) if a])
            more = [not a and not u.writes.isdisjoint(wanted) for u, a in zip(uses, ahead, strict=True)]
            if not any(more):
                break
            if any([m and not u.writes <= private for u, m in zip(uses, more, strict=True)]):
                return None  # what fills the buffer depends on something that outlives the iteration
            ahead = [a or m for a, m in zip(ahead, more, strict=True)]
        fills = frozenset[Var]().union(*[u.writes for u, a in zip(uses, ahead, strict=True) if a])
        if not fills <= private | parts.marked.keys():
            return None
        if any([not a and not u.writes.isdisjoint(fills) for u, a in zip(uses, ahead, strict=True)]):
            return None
        staged = fills - parts.marked.keys()
        rest = [u for u, a in zip(uses, ahead, strict=True) if not a]
        if any([not u.reads.isdisjoint(staged) for u in rest]):
            return None
        if not fills or not any([not u.reads.isdisjoint(fills) for u in rest]):
            return None
        last_fill = max([k for k, a in enumerate(ahead) if a])
        first_use = min([k for k, (u, a) in enumerate(zip(uses, ahead, strict=True)) if not a and u.reads & fills])
        return ahead if last_fill < first_use else None

    def touches(self, node: Stmt | None, var: Var) -> int:
        """Number of statements that use a memory."""
        if node is None:
            return -1
        count = 0
        for item in statements(node):
            used = var in [b.data for b in self.sources.written(item)]
            count += used or any([var in self.sources.loads(e) for e in own_exprs(item)])
        return count

    # -- the new loop --------------------------------------------------------------------------------------------------

    def pipelined(self, node: For, parts: LoopBody) -> Stmt:
        """The loop with two copies of the marked buffers, if what fills them can run ahead."""
        plan = self.plan(node, parts)
        if plan is None:
            return node.replace(body=wrapped(parts.allocations, seq(*parts.steps)))
        return self.written_out(node, parts, plan)

    def plan(self, node: For, parts: LoopBody) -> Plan | None:
        """What of a loop runs an iteration ahead; None where it cannot."""
        sizes = [self.sizes.get(v) for v in parts.marked]
        uses = [self.uses_of(s) for s in parts.steps]
        ahead = self.filling(parts, uses)
        own = [m.buffer_var for m in parts.allocations]
        if any([v not in own and self.touches(self.outer.get(v), v) != self.touches(node, v) for v in parts.marked]):
            ahead = None  # it is used outside of the loop as well
        free = any([node.loop_var in free_vars(m.extents[0]) for m in parts.allocations])
        if ahead is None or free or any([size is None for size in sizes]):
            return None
        halves = Copies({v: s for v, s in zip(parts.marked, sizes, strict=True) if s is not None})
        fill = [s for s, a in zip(parts.steps, ahead, strict=True) if a]
        return Plan(fill, [s for s, a in zip(parts.steps, ahead, strict=True) if not a], halves)

    def written_out(self, node: For, parts: LoopBody, plan: Plan) -> Stmt:
        """The loop with two copies of the marked buffers."""
        fill, rest, halves = plan.fill, plan.rest, plan.halves
        early, late, registers = self.split_fill(fill, halves)
        var = node.loop_var
        turn = operators.subtract(var, node.min)
        after = operators.add(var, 1)
        here, there = (operators.floormod(t, 2) for t in (turn, operators.add(turn, 1)))
        more = operators.compare(LT, after, operators.add(node.min, node.extent))

        def next_tile(steps: list[Stmt]) -> Stmt | None:
            moved = [moved_step(s, var, after, halves, there) for s in steps]
            return IfThenElse(more, seq(*moved)) if moved else None

        body = seq(next_tile(early), *[halves.at(s, here) for s in rest], next_tile(late))
        first = seq(*[moved_step(s, var, node.min, halves, operators.const(0, var.dtype)) for s in fill])
        if int_value(node.extent) is None:
            first = IfThenElse(operators.compare(LT, operators.const(0, node.extent.dtype), node.extent), first)
        memory = [*parts.allocations, *registers]
        mine = {m.buffer_var for m in memory}
        self.doubled.update({v: s for v, s in halves.sizes.items() if v not in mine})
        done = seq(first, self._split_loop(node.replace(body=body)))
        return wrapped([enlarged(m, halves) for m in memory], done)

    def _split_loop(self, node: For) -> For:
        """The loop with some of its iterations written out, an even number of them."""
        extent, count = int_value(node.extent), self.together
        if extent is None or count < 2 or count % 2 or extent % count:
            return node
        var, inner = node.loop_var, node.loop_var.with_name(f"{node.loop_var.name}_half")
        value = operators.add(node.min, operators.add(operators.multiply(var, count), inner))
        body = substitute(node.body, {var: value})
        zero = operators.const(0, var.dtype)
        size = operators.const(count, var.dtype)
        halves = For(inner, zero, size, ForKind.UNROLLED, body, None, {"unroll_explicit": True}, node.span)
        return node.replace(min=zero, extent=operators.const(extent // count, var.dtype), body=halves)

    def split_fill(self, fill: list[Stmt], halves: Copies) -> tuple[list[Stmt], list[Stmt], list[Allocate]]:
        """Steps before and after the use of the tile, and the registers in between."""
        early: list[Stmt] = []
        late: list[Stmt] = []
        registers: list[Allocate] = []
        every = [self.uses_of(step) for step in fill]
        # What a later step goes on with, a sum after its zero say, cannot wait in registers.
        unfinished = [v for v in halves.sizes if sum([v in u.writes for u in every]) > 1]
        unfinished += [v for u in every for v in u.reads if v in halves.sizes]
        for step, uses in zip(fill, every, strict=True):
            local = [v for v in uses.reads if v.storage_scope in ("local", "warp")]
            shared = [v for v in uses.writes if v in halves.sizes and v.storage_scope.startswith("shared")]
            if len(shared) != 1 or shared[0] in unfinished:
                early.append(step)
            elif uses.reads and len(local) == len(uses.reads):
                late.append(step)  # it waits in registers already
            else:
                staged = Staged.of(step)
                early.append(step if staged is None else staged.load)
                late += [] if staged is None else [staged.store]
                registers += [] if staged is None else [staged.memory]
        return early, late, registers


def statements(node: Stmt) -> list[Stmt]:
    """A statement and all inside of it."""
    out = [node]
    for item in out:
        out += bodies(item)
    return out


def wrapped(allocations: list[Allocate], body: Stmt) -> Stmt:
    """A statement inside of its allocations."""
    for memory in reversed(allocations):
        body = memory.replace(body=body)
    return body


def enlarged(memory: Allocate, copies: Copies) -> Allocate:
    """The allocation with room for all copies, if it has some."""
    size = copies.sizes.get(memory.buffer_var)
    return memory if size is None else memory.replace(extents=(operators.multiply(size, copies.count),))


def moved_step(node: Stmt, var: Var, value: Expr, halves: Copies, half: Expr) -> Stmt:
    """A step for another iteration, filling the given copy."""
    return halves.at(substitute(node, {var: value}), half)


@dataclass(frozen=True, slots=True)
class Plan:
    """What of a loop fills the marked buffers, an iteration ahead, and what uses them."""

    fill: list[Stmt]
    rest: list[Stmt]
    halves: Copies


class Copies:
    """The copies of each buffer: the two halves of a double buffer, or one for each stage of a pipeline."""

    def __init__(self, sizes: dict[Var, Expr], count: int = 2) -> None:
        self.sizes = sizes
        self.count = count
        self.wide: dict[Buffer, Buffer] = {}

    def at(self, node: Stmt, half: Expr) -> Stmt:
        """The statement with accesses in one copy."""
        return _Shift(self, half).stmt(node)

    def buffer(self, buffer: Buffer) -> Buffer:
        """The buffer with room for all."""
        found = self.wide.get(buffer)
        if found is None:
            size = operators.multiply(self.sizes[buffer.data], self.count)
            found = self.wide[buffer] = buffer.replace(shape=(size,))
        return found


class _Shift(MovedAccesses):
    def __init__(self, halves: Copies, half: Expr) -> None:
        super().__init__()
        self.halves, self.half = halves, half

    def copy_of(self, buffer: Buffer) -> tuple[Buffer, Expr] | None:
        size = self.halves.sizes.get(buffer.data)
        return None if size is None else (self.halves.buffer(buffer), operators.multiply(self.half, size))


@dataclass(frozen=True, slots=True)
class Staged:
    """A copy in two steps, by way of registers."""

    memory: Allocate
    load: Stmt
    store: Stmt

    @staticmethod
    def of(node: Stmt) -> Staged | None:
        """Take a nest of constant loops around one store apart; None for anything else."""
        index: Expr = operators.const(0)
        size = 1
        inner = node
        while not isinstance(inner, BufferStore):
            if isinstance(inner, For):
                extent = int_value(inner.extent)
                if extent is None or inner.kind not in (ForKind.SERIAL, ForKind.UNROLLED):
                    return None
                turn = operators.subtract(inner.loop_var, inner.min)
                index = operators.add(operators.multiply(index, extent), operators.cast("int32", turn))
                size *= extent
            elif not isinstance(inner, IfThenElse) or inner.else_case is not None:
                return None
            inside = bodies(inner)
            inner = inside[0]
        lanes = inner.value.dtype.lanes // inner.buffer.dtype.lanes
        if inner.predicate is not None or size * inner.value.dtype.nbytes > MOST_STAGED_BYTES:
            return None
        name = f"{inner.buffer.name}_next"
        registers = decl_buffer((size * lanes,), inner.buffer.dtype, name, scope="local")
        place = operators.multiply(index, lanes)
        at = place if lanes == 1 else Ramp(place, operators.const(1), lanes)
        memory = Allocate(registers.data, registers.dtype, registers.shape, TRUE, inner)
        load = BufferStore(registers, inner.value, (at,), None, inner.span)
        store = BufferStore(inner.buffer, BufferLoad(registers, (at,)), inner.indices, None, inner.span)
        return Staged(memory, replaced(node, inner, load), replaced(node, inner, store))


def replaced(node: Stmt, old: Stmt, new: Stmt) -> Stmt:
    """The nest around another store, unrolled: its loop variables index registers."""
    if node is old:
        return new
    if isinstance(node, For):
        return node.replace(kind=ForKind.UNROLLED, body=replaced(node.body, old, new))
    assert isinstance(node, IfThenElse)
    return node.replace(then_case=replaced(node.then_case, old, new))
