"""Rolling buffers: windows over a tensor that keep what they share with the one before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gpucomp.arith import Analyzer
from gpucomp.te.buffer_bind import BufferBind
from gpucomp.te.errors import schedule_error
from gpucomp.te.extern import ExternOp
from gpucomp.te.tensor import Tensor
from gpucomp.tir import operators
from gpucomp.tir.expr import EQ, GE, Expr, IntImm, Or, ProducerLoad, Range
from gpucomp.tir.functor import Mutator, free_vars, substitute
from gpucomp.tir.stmt import AttrStmt, For, ForKind, IfThenElse, ProducerRealize, ProducerStore, Stmt

if TYPE_CHECKING:
    from gpucomp.te.stage import Stage
    from gpucomp.te.state import Schedule

KEY: Final = "rolling_buffer_scope"


@dataclass(slots=True)
class _Ring:
    """The memory of one tensor, lifted around the loop along which it rolls."""

    realize: ProducerRealize
    bounds: tuple[Range, ...]
    attributes: list[AttrStmt] = field(default_factory=list)

    def wrap(self, body: Stmt) -> Stmt:
        done: Stmt = self.realize.replace(bounds=self.bounds, body=body)
        for attribute in reversed(self.attributes):
            done = attribute.replace(body=done)
        return done


def inject_rolling_buffers(schedule: Schedule, stmt: Stmt, external: Collection[Tensor] = ()) -> Stmt:
    """Make rings of the realised boxes that are marked.

    Raises:
        ScheduleError: GC118 no loop around moves the box by a constant that is less than its extent.
    """
    rolling = {t: stage for stage in schedule.stages if stage.rolls for t in stage.op.outputs}
    if not rolling:
        return stmt
    for tensor, stage in rolling.items():
        if stage.is_output or tensor in external:
            raise refused(stage, f"{tensor.name} is memory of the caller, which holds all of it")
        if stage.double_buffered:
            raise refused(stage, "double_buffer takes another copy in each iteration, which lacks what the ring kept")
    return _Roller(rolling).stmt(stmt)


def refused(stage: Stage, why: str) -> Exception:
    """The error for a stage that cannot roll."""
    return schedule_error(
        "GC118",
        f"rolling_buffer of stage {stage.name}: {why}",
        stage=stage,
        where=stage.rolls_span,
        hint=f"s[{stage.name}].compute_at(s[consumer], axis), at a serial loop whose iterations read overlapping parts",
    )


class _Roller(Mutator):
    def __init__(self, rolling: dict[Tensor, Stage]) -> None:
        super().__init__()
        self.rolling = rolling
        self.analyzer = Analyzer()
        self.loops: list[For] = []
        self.rings: dict[For, list[_Ring]] = {}

    def expr(self, node: Expr) -> Expr:
        return node

    def visit_for(self, node: For) -> Stmt:
        self.loops.append(node)
        body = self.stmt(node.body)
        self.loops.pop()
        done: Stmt = node if body is node.body else node.replace(body=body)
        for ring in self.rings.pop(node, ()):
            done = ring.wrap(done)
        return done

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        if node.attr_key != KEY:
            return super().visit_attr_stmt(node)
        attributes: list[AttrStmt] = []
        inner = node.body
        while isinstance(inner, AttrStmt):
            attributes.append(inner)
            inner = inner.body
        assert isinstance(inner, ProducerRealize)
        tensor: Tensor = inner.producer
        loop, axis, step = self._window(self.rolling[tensor], inner)
        box = inner.bounds[axis]
        bounds = tuple([Range(0, box.extent) if k == axis else b for k, b in enumerate(inner.bounds)])
        self.rings.setdefault(loop, []).append(_Ring(inner, bounds, attributes))
        known = operators.subtract(box.extent, step)  # rows that the window before had, too
        new_from = self.analyzer.simplify(operators.add(box.min, known))
        first = operators.compare(EQ, loop.loop_var, loop.min)
        in_ring = _InRing(self.rolling[tensor], tensor, axis, box.extent, first, new_from)
        return self.stmt(in_ring.stmt(inner.body))

    def _window(self, stage: Stage, realize: ProducerRealize) -> tuple[For, int, int]:
        """The innermost loop that moves the box, the dimension along which it does, and by how much."""
        for loop in reversed(self.loops):
            moving = [k for k, b in enumerate(realize.bounds) if loop.loop_var in free_vars(b.min)]
            if not moving:
                continue
            if len(moving) > 1:
                raise refused(stage, f"loop {loop.loop_var.name!r} moves its window along several dimensions at once")
            if loop.kind not in (ForKind.SERIAL, ForKind.UNROLLED):
                raise refused(stage, f"the iterations of loop {loop.loop_var.name!r} run in no order")
            box = realize.bounds[moving[0]]
            later = substitute(box.min, {loop.loop_var: operators.add(loop.loop_var, 1)})
            step, extent = self.analyzer.simplify(operators.subtract(later, box.min)), box.extent
            if not isinstance(step, IntImm) or not isinstance(extent, IntImm):
                raise refused(stage, f"its window of {extent} moves by {step} with {loop.loop_var.name!r}, no numbers")
            if not 0 < step.value < extent.value:
                raise refused(
                    stage,
                    f"loop {loop.loop_var.name!r} moves its window of {extent} elements by {step}, and keeps none",
                )
            return loop, moving[0], step.value
        raise refused(stage, "no loop around it moves its window")


class _InRing(Mutator):
    """Accesses to one tensor modulo the size of its ring; what is there already is not stored again."""

    def __init__(
        self, stage: Stage, tensor: Tensor, axis: int, size: Expr, first: Expr, new_from: Expr
    ) -> None:  # fmt: skip
        super().__init__()
        self.stage = stage
        self.tensor, self.axis, self.size, self.first, self.new_from = tensor, axis, size, first, new_from

    def _place(self, indices: tuple[Expr, ...]) -> tuple[Expr, ...]:
        return tuple([operators.floormod(x, self.size) if k == self.axis else x for k, x in enumerate(indices)])

    def visit_producer_load(self, node: ProducerLoad) -> Expr:
        indices = tuple([self.visit(i) for i in node.indices])
        return ProducerLoad(node.producer, self._place(indices) if node.producer is self.tensor else indices)

    def visit_producer_store(self, node: ProducerStore) -> Stmt:
        value, indices = self.expr(node.value), self.exprs(node.indices)
        if node.producer is not self.tensor:
            return ProducerStore(node.producer, value, indices, node.span)
        new = operators.compare(GE, indices[self.axis], self.new_from)
        store = ProducerStore(node.producer, value, self._place(indices), node.span)
        return IfThenElse(operators.logical(Or, self.first, new), store, None, node.span)

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        whole = ""
        if isinstance(node.node, BufferBind) and node.node.tensor is self.tensor:
            whole = node.node.intrin
        elif isinstance(node.node, ExternOp) and self.tensor in (*node.node.input_tensors, *node.node.outputs):
            whole = node.node.name
        if whole:
            why = f"{whole} sees a part of {self.tensor.name} in one piece, which a ring cuts in two"
            raise refused(self.stage, why)
        return super().visit_attr_stmt(node)
