"""Software pipelining: a loop loads what later iterations use while it computes this one."""

from __future__ import annotations

from typing import Any, Final  # Any: attributes of functions are untyped

from gpucomp.tir import intrin, operators
from gpucomp.tir.expr import LT, Expr, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator, free_vars, post_order
from gpucomp.tir.stmt import Allocate, AttrStmt, BufferStore, Evaluate, For, ForKind, IfThenElse, Stmt, seq
from gpucomp.transform.async_copy import ASYNC_BYTES, ASYNC_COPY, async_source
from gpucomp.transform.inject_double_buffer import (
    Copies,
    Inject,
    LoopBody,
    enlarged,
    moved_step,
    statements,
    wrapped,
)
from gpucomp.transform.walk import int_value

KEY: Final = "pragma_software_pipeline"


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

    On targets with asynchronous copies (feature ``cp_async``) the loads are such copies; what is no plain copy waits
    in registers while the tile is used. Elsewhere, and for local memory, there are two stages, as with
    ``inject_double_buffer``, whatever the number. Where what fills the memory depends on what else the loop writes,
    or cannot be told apart from its use, the loop stays as it is. The pragmas are removed.
    """
    if not any([isinstance(n, AttrStmt) and n.attr_key == KEY for n in post_order(func.body)]):
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

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        if node.attr_key != KEY:
            return Mutator.visit_attr_stmt(self, node)
        loop: Stmt = node.body
        while isinstance(loop, AttrStmt):
            loop = loop.body
        if isinstance(loop, For):
            self.stages[loop.loop_var] = int_value(node.value) or 1
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
        return self.pipelined(node, parts)

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

    def _body(self, node: For, copies: Copies, early: list[Stmt], rest: list[Stmt], late: list[Stmt]) -> Stmt:
        var, distance = node.loop_var, copies.count - 1
        turn = operators.subtract(var, node.min)
        here, there = [operators.floormod(operators.add(turn, k), copies.count) for k in (0, distance)]
        coming = operators.add(var, distance)
        more = operators.compare(LT, coming, operators.add(node.min, node.extent))

        def next_tile(steps: list[Stmt]) -> Stmt | None:
            moved = [moved_step(s, var, coming, copies, there) for s in steps]
            return IfThenElse(more, seq(*moved)) if moved else None

        used = [copies.at(s, here) for s in rest]
        # What other threads copied is there for this one after their waits and a barrier.
        arrived = [_wait(copies.count - 2), Evaluate(intrin.barrier("shared"))]
        return seq(*arrived, next_tile(early), _commit(), *used, next_tile(late))


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
