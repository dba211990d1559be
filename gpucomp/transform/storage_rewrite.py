"""Plan memory: lift allocations to where they live once, and let buffers whose lifetimes are apart share one."""

from __future__ import annotations

from dataclasses import dataclass, field

from gpucomp.ir.transform import PassContext
from gpucomp.support.dtype import DType
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Add, BufferLoad, Expr, IterVar, Mul, Ramp, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, expr_post_order, free_vars
from gpucomp.tir.stmt import (
    Allocate,
    AllReduce,
    AttrStmt,
    BufferStore,
    For,
    ForKind,
    LetStmt,
    Stmt,
    While,
)
from gpucomp.transform.accesses import Sources, bodies, own_exprs
from gpucomp.transform.walk import TRUE, int_value

# Sharing shared memory costs a barrier between the two uses; small buffers are not worth one.
LEAST_SHARED_BYTES = 1024
# Variables and short arrays of a thread live in registers, which the device's compiler shares by itself; sharing them
# here would only give one name to two things.
LEAST_LOCAL_BYTES = 1024


def storage_rewrite(func: PrimFunc) -> PrimFunc:
    """Lift and share allocations.

    Allocations move to the start of the threads' code (shared, local, warp), of the parallel iteration, or of the
    function.
    Buffers of one scope, type and size share memory when the last use of one comes before the first use of the
    other; of dynamic shared memory the sizes may differ, and the larger one counts. An elementwise statement may write
    over its operand when both are indexed alike and each element is visited once. Run it before ``thread_sync``, which
    puts barriers between the uses of shared memory. With the option ``tir.disable_storage_rewrite`` of the pass context
    allocations move, but none is shared.
    """
    plan = _Plan(func)
    return func.with_body(_Rewrite(plan).at_root(func.body, None)) if plan.changes else func


@dataclass(eq=False, slots=True)
class _Loop:
    """An interval of statement numbers that runs many times."""

    node: Stmt
    start: int
    end: int = -1


@dataclass(eq=False, slots=True)
class _Root:
    """A statement at whose start allocations may stand; None for the function itself."""

    node: Stmt | None
    is_kernel: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the walk is."""

    loops: tuple[_Loop, ...]
    root: _Root
    bound: frozenset[Var] = frozenset()  # variables bound below the root


@dataclass(frozen=True, slots=True)
class _Use:
    """A statement that reads or writes a memory."""

    at: int
    loops: tuple[_Loop, ...]
    node: Stmt


@dataclass(eq=False, slots=True)
class _Memory:
    """An allocation and its uses."""

    node: Allocate
    place: _Place
    uses: list[_Use] = field(default_factory=list[_Use])
    home: _Memory | None = None  # whose memory it uses
    first: int = 0
    last: int = 0
    extent: Expr | None = None  # of a home that was given to a larger one

    @property
    def var(self) -> Var:
        """The pointer."""
        return self.node.buffer_var

    @property
    def key(self) -> tuple[_Root, str, DType, Expr | None]:
        """What must agree for two to share."""
        return self.place.root, self.var.storage_scope, self.node.dtype, None if self.grows else self.node.extents[0]

    @property
    def grows(self) -> bool:
        """Whether a larger one may take its place: of dynamic shared memory a kernel asks for as much as it needs."""
        return self.var.storage_scope == "shared.dyn" and int_value(self.node.extents[0]) is not None

    @property
    def size(self) -> int:
        """Elements, those of larger ones in its place included; 0 where that is not known."""
        return int_value(self.node.extents[0] if self.extent is None else self.extent) or 0

    def close(self) -> None:
        """Work out the lifetime: a use in a loop inside of the allocation lasts for the whole loop."""
        depth = len(self.place.loops)
        self.first = min([_span(u, depth)[0] for u in self.uses], default=0)
        self.last = max([_span(u, depth)[1] for u in self.uses], default=0)


def _span(use: _Use, depth: int) -> tuple[int, int]:
    """First and last statement number of a use, seen from inside of ``depth`` loops."""
    if len(use.loops) > depth:
        return use.loops[depth].start, use.loops[depth].end
    return use.at, use.at


class _Plan:
    """Numbers the statements and collects allocations that can move."""

    def __init__(self, func: PrimFunc) -> None:
        self.root = _Root(None)
        self.at = 0
        self.sharing = not PassContext.current().config.get("tir.disable_storage_rewrite", False)
        self.sources = Sources()
        self.memories: dict[Var, _Memory] = {}
        self.roots: dict[Stmt, _Root] = {}
        self.settled: dict[Stmt, None] = {}
        self._settle(func.body)
        self.walk(func.body, _Place((), self.root))
        self._assign()

    @property
    def changes(self) -> bool:
        """Whether any allocation moves, goes or is shared."""
        return any([m.home is not m or not m.uses or m.node not in self.settled for m in self.memories.values()])

    def _settle(self, body: Stmt) -> None:
        """Allocations that stand at a root already."""
        while isinstance(body, Allocate):
            self.settled[body] = None
            body = body.body

    def walk(self, node: Stmt, place: _Place) -> None:
        """Visit a statement."""
        self.at += 1
        self._note(node, place)
        if isinstance(node, (For, While)):
            self._loop(node, place)
            return
        if isinstance(node, AttrStmt) and node.attr_key == "thread_extent" and not place.root.is_kernel:
            self._kernel(node, place)
            return
        inner = place
        if isinstance(node, Allocate):
            self._allocation(node, place)
        elif isinstance(node, LetStmt):
            inner = _Place(place.loops, place.root, place.bound | {node.var})
        elif isinstance(node, AttrStmt) and isinstance(node.node, IterVar):
            inner = _Place(place.loops, place.root, place.bound | {node.node.var})
        for body in bodies(node):
            self.walk(body, inner)

    def _kernel(self, node: AttrStmt, place: _Place) -> None:
        """The code of the threads starts below the attributes that stand together; for memory outside it is a loop."""
        while isinstance(node.body, AttrStmt):
            node = node.body
        root = self.roots[node] = _Root(node, is_kernel=True)
        self._repeated(node, node.body, _Place(place.loops, root))

    def _loop(self, node: For | While, place: _Place) -> None:
        if isinstance(node, While):
            self._repeated(node, node.body, place)
            return
        if node.kind is ForKind.PARALLEL:
            root = self.roots[node] = _Root(node, place.root.is_kernel)
            self._repeated(node, node.body, _Place(place.loops, root))
            return
        self._repeated(node, node.body, _Place(place.loops, place.root, place.bound | {node.loop_var}))

    def _repeated(self, node: Stmt, body: Stmt, place: _Place) -> None:
        loop = _Loop(node, self.at)
        inner = _Place((*place.loops, loop), place.root, place.bound)
        if isinstance(node, While):
            self._note(node, inner)
        if node in self.roots:
            self._settle(body)
        self.walk(body, inner)
        self.at += 1
        loop.end = self.at

    def _allocation(self, node: Allocate, place: _Place) -> None:
        scope = node.buffer_var.storage_scope
        movable = (
            len(node.extents) == 1
            and node.condition is TRUE
            and not node.annotations
            and (scope not in ("", "global") or not place.root.is_kernel)
            and place.bound.isdisjoint(free_vars(node.extents[0]))
            and node.buffer_var not in self.memories
        )
        if movable:
            self.memories[node.buffer_var] = _Memory(node, place)

    def _note(self, node: Stmt, place: _Place) -> None:
        """Record which memory the statement itself uses."""
        used = dict.fromkeys([buffer.data for buffer in self.sources.written(node)])
        for value in own_exprs(node):
            loads = self.sources.loads(value)
            if loads:
                used.update(dict.fromkeys([m for m in self.memories if m in loads]))
        for var in used:
            memory = self.memories.get(var)
            if memory is not None:
                memory.uses.append(_Use(self.at, place.loops, node))

    def _assign(self) -> None:
        """Give each allocation a home, in the order of first uses."""
        for memory in self.memories.values():
            memory.close()
        slots: dict[tuple[_Root, str, DType, Expr | None], list[_Memory]] = {}
        latest: dict[_Memory, _Memory] = {}
        for memory in sorted(self.memories.values(), key=lambda m: m.first):
            homes = slots.setdefault(memory.key, [])
            home = self._free_home(memory, [latest[h] for h in homes]) if self.sharing else None
            if home is None:
                homes.append(memory)
                home = memory
            elif memory.size > home.size:
                home.extent = memory.node.extents[0]
            memory.home = home
            latest[home] = memory

    def _free_home(self, memory: _Memory, latest: list[_Memory]) -> _Memory | None:
        """The home of one of the latest users, if that one is done with it."""
        if not memory.uses or not _worth_sharing(memory.node):
            return None
        free = [user.home for user in latest if user.uses and (user.last < memory.first or _in_place(user, memory))]
        return min([home for home in free if home], key=lambda home: abs(home.size - memory.size), default=None)


def _worth_sharing(node: Allocate) -> bool:
    scope = node.buffer_var.storage_scope
    least = LEAST_LOCAL_BYTES if scope == "local" else LEAST_SHARED_BYTES if scope.startswith("shared") else 0
    size = int_value(node.extents[0])
    return least == 0 or (size is not None and size * node.dtype.nbytes >= least)


def _in_place(old: _Memory, new: _Memory) -> bool:
    """True when one statement reads ``old`` for the last time and writes ``new``, each element once, in its place."""
    if new.var.storage_scope.startswith("shared") or new.place.loops != old.place.loops:
        return False
    depth = len(new.place.loops)
    use = new.uses[0]
    store, end = use.node, _span(use, depth)[1]
    if not isinstance(store, BufferStore) or store.buffer.data is not new.var or old.last > end:
        return False
    nearby = [u for u in old.uses if u.at >= new.first] + [u for u in new.uses if u.at <= end]
    if any([u.node is not store for u in nearby]):
        return False
    index = store.indices[0]
    for item in expr_post_order(store.value, index):
        if not isinstance(item, BufferLoad):
            continue
        if item.buffer.data is new.var or (item.buffer.data is old.var and item.indices[0] is not index):
            return False
    if any([isinstance(n, BufferLoad) and n.buffer.data is old.var for n in expr_post_order(index)]):
        return False
    return _visits_once(index, [loop.node for loop in use.loops[depth:]])


def _visits_once(index: Expr, loops: list[Stmt]) -> bool:
    """True when the index takes each value at most once in the loop nest: strides exceed what the inner loops span."""
    if not all([isinstance(loop, For) for loop in loops]):
        return False
    extents = {loop.loop_var: int_value(loop.extent) for loop in loops if isinstance(loop, For)}
    lanes = 1
    if isinstance(index, Ramp):
        if int_value(index.stride) != 1:
            return False
        lanes, index = index.lanes, index.base
    strides = _strides(index, extents)
    if strides is None or any([v not in strides for v in extents]):
        return False
    span = lanes
    for var, stride in sorted(strides.items(), key=lambda item: item[1]):
        extent = extents[var]
        if extent is None or stride < span:
            return False
        span = stride * (extent - 1) + span
    return True


def _strides(index: Expr, extents: dict[Var, int | None]) -> dict[Var, int] | None:
    """Positive constant coefficient of each loop variable of a sum; None for other expressions."""
    out: dict[Var, int] = {}
    stack: list[tuple[Expr, int]] = [(index, 1)]
    while stack:
        item, factor = stack.pop()
        if isinstance(item, Add):
            stack += [(item.a, factor), (item.b, factor)]
        elif isinstance(item, Mul) and (by := int_value(item.b)) is not None and by > 0:
            stack.append((item.a, factor * by))
        elif isinstance(item, Var) and item in extents:
            if item in out:
                return None
            out[item] = factor
        elif not free_vars(item).isdisjoint(extents):
            return None
    return out


class _Rewrite(Mutator):
    """Removes the allocations that moved and sets them down at their roots."""

    def __init__(self, plan: _Plan) -> None:
        super().__init__()
        self.plan = plan
        self.names: dict[Var, Var] = {}
        self.buffers: dict[Buffer, Buffer] = {}
        for var, memory in plan.memories.items():
            assert memory.home is not None
            if memory.home is not memory:
                self.names[var] = memory.home.node.buffer_var

    def at_root(self, body: Stmt, node: Stmt | None) -> Stmt:
        """The body of a root, rewritten, inside of its allocations."""
        done = self.stmt(body)
        for memory in reversed(self.plan.memories.values()):
            if memory.place.root.node is node and memory.home is memory and memory.uses:
                size = memory.node.extents if memory.extent is None else (memory.extent,)
                done = memory.node.replace(extents=size, body=done)
        return done

    def visit_allocate(self, node: Allocate) -> Stmt:
        memory = self.plan.memories.get(node.buffer_var)
        return self.stmt(node.body) if memory is not None and memory.node is node else super().visit_stmt(node)

    def visit_for(self, node: For) -> Stmt:
        if node not in self.plan.roots:
            return super().visit_for(node)
        return node.replace(min=self.expr(node.min), extent=self.expr(node.extent), body=self.at_root(node.body, node))

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        body = self.at_root(node.body, node) if node in self.plan.roots else self.stmt(node.body)
        subject = self.buffer(node.node) if isinstance(node.node, Buffer) else node.node
        return AttrStmt(subject, node.attr_key, self.expr(node.value), body, node.span)

    def buffer(self, buffer: Buffer) -> Buffer:
        """The buffer in the memory that it was given."""
        home = self.names.get(buffer.data)
        if home is None:
            return buffer
        found = self.buffers.get(buffer)
        if found is None:
            found = self.buffers[buffer] = buffer.replace(data=home)
        return found

    def visit_var(self, node: Var) -> Expr:
        return self.names.get(node, node)

    def visit_buffer_load(self, node: BufferLoad) -> Expr:
        done = super().visit_expr(node)
        assert isinstance(done, BufferLoad)
        buffer = self.buffer(done.buffer)
        return done if buffer is done.buffer else BufferLoad(buffer, done.indices, done.predicate)

    def visit_buffer_store(self, node: BufferStore) -> Stmt:
        done = super().visit_stmt(node)
        assert isinstance(done, BufferStore)
        buffer = self.buffer(done.buffer)
        return done if buffer is done.buffer else done.replace(buffer=buffer)

    def visit_all_reduce(self, node: AllReduce) -> Stmt:
        done = super().visit_all_reduce(node)
        assert isinstance(done, AllReduce)
        return done.replace(results=tuple([self.buffer(b) for b in done.results]))
