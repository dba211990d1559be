"""Software pipelining: a loop loads what later iterations use while it computes this one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final  # Any: attributes of functions are untyped

from gpucomp.tir import intrin, operators
from gpucomp.tir.expr import EQ, LT, Expr, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, free_vars, stmt_post_order, substitute
from gpucomp.tir.stmt import Allocate, AttrStmt, BufferStore, Evaluate, For, ForKind, IfThenElse, SeqStmt, Stmt, seq
from gpucomp.transform.async_copy import ASYNC_BYTES, ASYNC_COPY, PREDICATED, READ_ANYWAY, async_source
from gpucomp.transform.inject_double_buffer import (
    Copies,
    Inject,
    LoopBody,
    Plan,
    enlarged,
    moved_step,
    statements,
    wrapped,
)
from gpucomp.transform.walk import int_value

KEY: Final = "pragma_software_pipeline"
PREDICATE_COPIES: Final = "pragma_predicate_copies"
SPREAD_COPIES: Final = "pragma_spread_copies"
KEYS: Final = (KEY, PREDICATE_COPIES, SPREAD_COPIES)
UNROLL_FACTOR: Final = "pragma_unroll_factor"


def inject_software_pipeline(func: PrimFunc) -> PrimFunc:
    """Pipeline the loops under ``pragma_software_pipeline``, whose value is the number of stages.

    The memory that lives for one iteration of such a loop, is filled by its first statements and used by the rest
    gets a copy for each stage: its shared memory, or, where there is none, its local memory. With ``s`` stages the
    first ``s - 1`` tiles are loaded ahead of the loop, and iteration ``i`` starts the loads of tile ``i + s - 1``
    before it uses tile ``i``::

        load 0; commit; load 1; commit                  # s = 3; tiles past the end are left out
        for i in range(n):
            wait for all groups but s - 2; barrier      # tile i is there, and nobody uses tile i - 1 any more
            if i + s - 1 < n: start the loads of tile i + s - 1
            commit
            use tile i

    A pipeline of two stages over local memory inside of such a loop goes on from tile to tile: its last step loads what
    the first step of the next tile uses, so that no tile begins with loads that everything waits for::

        load 0; commit; load 1; commit; wait; barrier; fragment 0 of tile 0
        for i in range(n):
            if i + s - 1 < n: start the loads of tile i + s - 1
            commit
            for k in range(steps - 1): fragment k + 1 of tile i; step k
            wait for all groups but s - 2; barrier      # tile i + 1 is there, and nobody uses tile i any more
            if i + 1 < n: fragment 0 of tile i + 1
            step steps - 1

    On targets with asynchronous copies (feature ``cp_async``) the loads are such copies; what is no plain copy waits
    in registers while the tile is used. Elsewhere, and for local memory, there are two stages, as with
    ``inject_double_buffer``, whatever the number. Where what fills the memory depends on what else the loop writes,
    or cannot be told apart from its use, the loop stays as it is. The pragmas are removed, ``predicate_copies`` too,
    under which the condition of copies that may not happen stands in the attribute ``predicated``. Under
    ``spread_copies`` the last form starts the copies in turns, some in each of its steps but the last, for where they
    are so many that the fragments of the first steps would wait for them.
    """
    if not any([isinstance(n, AttrStmt) and n.attr_key in KEYS for n in stmt_post_order(func.body)]):
        return func
    target: Any = func.attrs.get("target")
    features: frozenset[str] = frozenset() if target is None else target.features
    return func.with_body(_Pipelines("cp_async" in features).stmt(func.body))


class _Pipelines(Inject):
    """Treats inner loops first."""

    def __init__(self, asynchronous: bool) -> None:
        super().__init__(1)
        self.asynchronous = asynchronous
        self.stages: dict[Var, int] = {}
        self.predicated: dict[Var, None] = {}
        self.spread: dict[Var, None] = {}
        self.inner: dict[Stmt, _Fragments] = {}

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        if node.attr_key == UNROLL_FACTOR:  # a pipelined loop does not stay the only statement under the pragma
            node = node.replace(body=_noted(node.body, int_value(node.value) or 1))
        if node.attr_key not in KEYS:
            return Mutator.visit_attr_stmt(self, node)
        loop: Stmt = node.body
        while isinstance(loop, AttrStmt):
            loop = loop.body
        if isinstance(loop, For) and node.attr_key == KEY:
            self.stages[loop.loop_var] = int_value(node.value) or 1
        elif isinstance(loop, For):
            kind = self.predicated if node.attr_key == PREDICATE_COPIES else self.spread
            kind[loop.loop_var] = None
        return self.stmt(node.body)

    def visit_for(self, node: For) -> Stmt:
        stages = self.stages.pop(node.loop_var, 1)
        if stages < 2 or node.kind not in (ForKind.SERIAL, ForKind.UNROLLED) or int_value(node.extent) == 1:
            return Mutator.visit_for(self, node)
        parts = LoopBody()
        parts.take(node.body)
        parts.steps = [self.stmt(s) for s in parts.steps]
        for memory in parts.allocations:
            self.sizes[memory.buffer_var] = memory.extents[0]
        parts.marked.update(dict.fromkeys(self._filled(parts)))
        if not parts.marked:
            return node.replace(body=wrapped(parts.allocations, seq(*parts.steps)))
        if self.asynchronous:
            done = self._asynchronous(node, parts, stages)
            if done is not None:
                return done
        plan = self.plan(node, parts)
        if plan is None:
            return node.replace(body=wrapped(parts.allocations, seq(*parts.steps)))
        done = self.written_out(node, parts, plan)
        self.inner[done] = _Fragments(node, parts.allocations, plan)
        return done

    def _filled(self, parts: LoopBody) -> list[Var]:
        """Memory of one iteration that is filled from elsewhere: all that is shared, or else what is local."""
        own = [m.buffer_var for m in parts.allocations]
        shared = [v for v in own if v.storage_scope.startswith("shared")]
        if shared:
            return shared
        uses = [self.uses_of(s) for s in parts.steps]
        written = frozenset[Var]().union(*[u.writes for u in uses])
        mixed = [u for u in uses if not u.reads.isdisjoint(written)]
        return [v for v in own if v in written and not any([v in u.writes for u in mixed])]

    def _asynchronous(self, node: For, parts: LoopBody, stages: int) -> Stmt | None:
        """The loop with asynchronous copies; None where there are none to make."""
        sizes = {m.buffer_var: m.extents[0] for m in parts.allocations if m.buffer_var in parts.marked}
        ahead = self.filling(parts, [self.uses_of(s) for s in parts.steps])
        free = any([node.loop_var in free_vars(m.extents[0]) for m in parts.allocations])
        if ahead is None or free or len(sizes) != len(parts.marked):
            return None
        fill = [s for s, a in zip(parts.steps, ahead, strict=True) if a]
        rest = [s for s, a in zip(parts.steps, ahead, strict=True) if not a]
        started = [_started(s) for s in fill]
        if not any([s is not None for s in started]):
            return None
        copies = Copies(sizes, stages)
        early, late, registers = self._ahead(fill, started, copies)
        first = [s if a is None else a for s, a in zip(fill, started, strict=True)]
        fragments = self.inner.get(rest[0]) if len(rest) == 1 and not late else None
        if fragments is not None and self._goes_on(fragments, copies):
            memory = [enlarged(m, copies) for m in parts.allocations]
            how = _Way(node.loop_var in self.predicated, node.loop_var in self.spread)
            return wrapped(memory, _rotated(node, copies, early, first, fragments, how))
        body = self._body(node, copies, early, rest, late)
        memory = [enlarged(m, copies) for m in [*parts.allocations, *registers]]
        return wrapped(memory, seq(*_prologue(node, copies, first), node.replace(body=body)))

    def _ahead(
        self, fill: list[Stmt], started: list[Stmt | None], copies: Copies
    ) -> tuple[list[Stmt], list[Stmt], list[Allocate]]:
        """What is done for a later tile before this one is used, and after; the registers in between."""
        early: list[Stmt] = []
        late: list[Stmt] = []
        registers: list[Allocate] = []
        for step, copy in zip(fill, started, strict=True):
            if copy is not None:
                early.append(copy)
                continue
            before, after, memory = self.split_fill([step], copies)
            early += before
            late += after
            registers += memory
        return early, late, registers

    def _goes_on(self, fragments: _Fragments, copies: Copies) -> bool:
        """Whether the first fragment of a tile can be loaded while the tile before is computed."""
        steps = int_value(fragments.loop.extent)
        own = {m.buffer_var for m in fragments.memory}
        if (
            steps is None
            or steps % 2
            or int_value(fragments.loop.min) != 0
            or not own.issuperset(fragments.halves.sizes)
        ):
            return False
        reads = frozenset[Var]().union(*[self.uses_of(step).reads for step in fragments.fill])
        return reads <= copies.sizes.keys() | own

    def _body(self, node: For, copies: Copies, early: list[Stmt], rest: list[Stmt], late: list[Stmt]) -> Stmt:
        var, distance = node.loop_var, copies.count - 1
        turn = operators.subtract(var, node.min)
        here, there = [operators.floormod(operators.add(turn, k), copies.count) for k in (0, distance)]
        more = operators.compare(LT, operators.add(var, distance), operators.add(node.min, node.extent))
        used = [copies.at(s, here) for s in rest]
        coming = _next_tile(node, copies, early, there, more, var in self.predicated)
        return seq(*_arrived(copies), coming, _commit(), *used, _next_tile(node, copies, late, there, more))


def _noted(body: Stmt, factor: int) -> Stmt:
    """What stands under ``pragma_unroll_factor``, with the factor as a note of its loop, if that is to be unrolled."""
    if isinstance(body, AttrStmt):
        return body.replace(body=_noted(body.body, factor))
    if not isinstance(body, For) or body.kind is not ForKind.UNROLLED:
        return body
    return body.replace(annotations={**(body.annotations or {}), "unroll_factor": factor})


@dataclass(frozen=True, slots=True)
class _Fragments:
    """A loop over the steps of a tile, pipelined in two stages over local memory."""

    loop: For
    memory: list[Allocate]
    plan: Plan

    @property
    def fill(self) -> list[Stmt]:
        return self.plan.fill

    @property
    def halves(self) -> Copies:
        return self.plan.halves

    def load(self, step: Expr) -> list[Stmt]:
        """What loads the fragments of a step."""
        half = operators.floormod(step, 2)
        return [moved_step(s, self.loop.loop_var, step, self.halves, half) for s in self.fill]

    def use(self, step: Expr) -> list[Stmt]:
        """What computes with them."""
        half = operators.floormod(step, 2)
        return [moved_step(s, self.loop.loop_var, step, self.halves, half) for s in self.plan.rest]


@dataclass(frozen=True, slots=True)
class _Way:
    """Whether copies have predicates, and whether they start in turns."""

    predicated: bool
    spread: bool


def _rotated(node: For, copies: Copies, early: list[Stmt], first: list[Stmt], fragments: _Fragments, how: _Way) -> Stmt:
    """The loop over tiles, whose last step loads the first fragments of the next tile."""
    loop = fragments.loop
    var, step = node.loop_var, loop.loop_var
    turn = operators.subtract(var, node.min)
    here, there, after = [operators.floormod(operators.add(turn, k), copies.count) for k in (0, copies.count - 1, 1)]
    end = operators.add(node.min, node.extent)
    more, one_more = [operators.compare(LT, operators.add(var, k), end) for k in (copies.count - 1, 1)]
    zero, last = operators.const(0, step.dtype), operators.subtract(loop.extent, 1)
    steps = [copies.at(s, here) for s in (*fragments.load(operators.add(step, 1)), *fragments.use(step))]
    ahead = [moved_step(s, var, operators.add(var, 1), copies, after) for s in fragments.load(zero)]
    guarded = IfThenElse(one_more, seq(*ahead))
    coming: list[Stmt | None] = [_next_tile(node, copies, early, there, more, how.predicated)]
    if how.spread:
        turns = _turns(early, int_value(last) or 0)
        parts = [_next_tile(node, copies, turn, there, more, how.predicated) for turn in turns]
        steps = [*[_only_at(step, number, part) for number, part in enumerate(parts) if part is not None], *steps]
        coming = []
    computed = loop.replace(extent=last, body=seq(*steps))
    # Of as many tiles as copies the place of the next one is its number wherever there is one: past the last copy in
    # the last turn, where it must not be read.
    body = seq(
        *coming,
        *([computed, _commit()] if how.spread else [_commit(), computed]),
        *_arrived(copies),
        guarded if int_value(node.extent) == copies.count else AttrStmt(None, READ_ANYWAY, 1, guarded),
        *[copies.at(s, here) for s in fragments.use(last)],
    )
    start = seq(*[moved_step(s, var, node.min, copies, operators.const(0, var.dtype)) for s in fragments.load(zero)])
    if int_value(node.extent) is None:
        start = IfThenElse(operators.compare(LT, operators.const(0, node.extent.dtype), node.extent), start)
    memory = [enlarged(m, fragments.halves) for m in fragments.memory]
    return wrapped(memory, seq(*_prologue(node, copies, first), *_arrived(copies), start, node.replace(body=body)))


def _turns(steps: list[Stmt], count: int) -> list[list[Stmt]]:
    """The copies of some steps, one by one, dealt out evenly."""
    singles = [single for step in steps for single in _singles(step)]
    turns: list[list[Stmt]] = [[] for _ in range(count)]
    for number, single in enumerate(singles):
        turns[number * count // len(singles)].append(single)
    return turns


def _singles(step: Stmt) -> list[Stmt]:
    """A step with its unrolled loops written out."""
    if isinstance(step, SeqStmt):
        return [single for item in step.seq for single in _singles(item)]
    extent = int_value(step.extent) if isinstance(step, For) and step.kind is ForKind.UNROLLED else None
    if not isinstance(step, For) or extent is None:
        return [step]
    places = [operators.add(step.min, operators.const(k, step.loop_var.dtype)) for k in range(extent)]
    return [single for place in places for single in _singles(substitute(step.body, {step.loop_var: place}))]


def _only_at(step: Var, number: int, body: Stmt) -> Stmt:
    return IfThenElse(operators.compare(EQ, step, operators.const(number, step.dtype)), body)


def _next_tile(
    node: For, copies: Copies, steps: list[Stmt], there: Expr, more: Expr, predicated: bool = False
) -> Stmt | None:
    """The steps for the tile as many iterations ahead as there are stages to fill, if there is one."""
    coming = operators.add(node.loop_var, copies.count - 1)
    moved = [moved_step(s, node.loop_var, coming, copies, there) for s in steps]
    if not moved:
        return None
    steps_if_any = IfThenElse(more, seq(*moved))
    return AttrStmt(None, PREDICATED, 1, steps_if_any) if predicated else steps_if_any


def _arrived(copies: Copies) -> list[Stmt]:
    """What other threads copied is there for this one after their waits and a barrier."""
    return [_wait(copies.count - 2), Evaluate(intrin.barrier("shared"))]


def _prologue(node: For, copies: Copies, steps: list[Stmt]) -> list[Stmt]:
    """The first tiles, each a group; one that does not exist is an empty group."""
    out: list[Stmt] = []
    var = node.loop_var
    for k in range(copies.count - 1):
        number = operators.const(k, var.dtype)
        there = operators.compare(LT, number, node.extent)
        tile = seq(*[moved_step(s, var, operators.add(node.min, number), copies, number) for s in steps])
        exists = int_value(there)
        if exists is None:
            out.append(IfThenElse(there, tile))
        elif exists:
            out.append(tile)
        out.append(_commit())
    return out


def _commit() -> Stmt:
    return Evaluate(intrin.call_intrin("int32", "ptx_commit_group"))


def _wait(count: int) -> Stmt:
    return Evaluate(intrin.call_intrin("int32", "ptx_wait_group", count))


def _started(step: Stmt) -> Stmt | None:
    """The step with its stores started only; None if it has one that is no copy to shared memory."""
    for item in statements(step):
        if isinstance(item, BufferStore) and not _is_copy(item):
            return None
    return _Started().stmt(step)


def _is_copy(store: BufferStore) -> bool:
    source = async_source(store)
    return source is not None and (
        source[1].dtype.element.nbytes in ASYNC_BYTES or source[1].dtype.nbytes in ASYNC_BYTES
    )


class _Started(Mutator):
    """Marks stores as asynchronous."""

    def expr(self, node: Expr) -> Expr:
        return node

    def visit_buffer_store(self, node: BufferStore) -> Stmt:
        return AttrStmt(node.buffer, ASYNC_COPY, 1, node, node.span)
