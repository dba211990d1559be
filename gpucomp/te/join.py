"""Tensors side by side in one memory: each part is computed where it stands in the whole.

A join has no loops and copies nothing.  Its parts are stages at root, each with a schedule of its own (on a GPU a
kernel of its own), that write into the memory of the whole: one operator may be computed with one tile here and with
another there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gpucomp.support.diagnostics import Span, TensorError, caller_span
from gpucomp.te.api import current_tag
from gpucomp.te.buffer_bind import BufferBind
from gpucomp.te.errors import schedule_error
from gpucomp.te.nest_rules import nest_rule
from gpucomp.te.operation import ComputeOp, Operation
from gpucomp.te.scopes import GLOBAL_RANK, STORAGE_RANK
from gpucomp.te.tensor import Tensor
from gpucomp.te.user_input import is_a, listed
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ProducerLoad, Range
from gpucomp.tir.functor import Mutator
from gpucomp.tir.stmt import NOOP, AttrStmt, ProducerRealize, ProducerStore, Stmt

if TYPE_CHECKING:
    from gpucomp.te.bound import Bounds
    from gpucomp.te.schedule_ops import Builder, Work
    from gpucomp.te.stage import Stage
    from gpucomp.te.state import Schedule


class JoinOp(Operation):
    """Tensors one after the other along an axis.

    Attributes:
        parts: in their order.
        along: the number of the axis.
    """

    __slots__ = ("along", "parts")

    writes_all = True

    def __init__(
        self, name: str, tag: str, parts: tuple[Tensor, ...], along: int, shape: tuple[Expr, ...], span: Span | None
    ) -> None:
        super().__init__(name, tag, None, span)
        self.parts = parts
        self.along = along
        self._outputs = (Tensor(self, 0, shape, parts[0].dtype),)

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        return self.parts

    @property
    def structure(self) -> tuple[object, ...] | None:
        return (self.parts, self.along)

    def replace_inputs(self, mapping: Mapping[Tensor, Tensor]) -> Operation:
        if not any([t in mapping for t in self.parts]):
            return self
        parts = tuple([mapping.get(t, t) for t in self.parts])
        return JoinOp(self.name, self.tag, parts, self.along, self.output(0).shape, self.span)


def join(parts: Sequence[Tensor], axis: int = 0, name: str = "joined") -> Tensor:
    """Tensors one after the other along ``axis``, computed in the memory of the result; nothing is copied.

    Args:
        parts: results of operations, read by nothing else but stages that come later; all extents but those of
            ``axis`` and the element type are the same.  Each is scheduled by itself, and stays at root.
        axis: the number of the axis, from the end where it is negative.
        name: preferred name.

    Raises:
        TensorError: GC234 no parts, an input among them, one of them twice, other extents or types, or no such axis.

    >>> from gpucomp import te
    >>> a = te.placeholder((6,), name="a")
    >>> low = te.compute((4,), lambda i: a[i] + 1, name="low")
    >>> high = te.compute((2,), lambda i: a[i + 4] * 2, name="high")
    >>> te.join([low, high], name="both")
    Tensor(shape=[6], dtype=float32, name=both)
    """
    given = tuple(listed(parts, Tensor))
    if not given:
        raise _refused("join of no tensors", "give at least one")
    for position, x in enumerate(given):
        if not is_a(x, Tensor):
            raise _refused(f"part {position} of join {name!r} is a {type(x).__name__}, not a tensor")
        if not x.op.computes:
            raise _refused(
                f"part {x.name!r} of join {name!r} is an input, whose memory is the caller's",
                "te.compute a copy of it, or topi.concatenate",
            )
        if x in given[:position]:
            raise _refused(f"{x.name!r} is part of join {name!r} twice: it has one place", "te.compute a second one")
    first = given[0]
    if not is_a(axis, int) or not -first.ndim <= axis < first.ndim:
        raise _refused(f"join {name!r} along axis {axis} of tensors of {first.ndim} dimensions")
    along = axis % first.ndim
    for x in given[1:]:
        if x.dtype is not first.dtype or not _alike(first, x, along):
            raise _refused(
                f"join {name!r} along axis {along} of {first.name!r} {_kind(first)} and {x.name!r} {_kind(x)}",
                f"all extents but that of axis {along}, and the element type, have to be the same",
            )
    total = first.shape[along]
    for x in given[1:]:
        total = operators.add(total, x.shape[along])
    shape = (*first.shape[:along], total, *first.shape[along + 1 :])
    return JoinOp(name, current_tag(), given, along, shape, caller_span()).output(0)


def _alike(x: Tensor, y: Tensor, along: int) -> bool:
    if x.ndim != y.ndim:
        return False
    return all([d == along or s is t for d, (s, t) in enumerate(zip(x.shape, y.shape, strict=True))])


def _kind(x: Tensor) -> str:
    return f"({', '.join([str(s) for s in x.shape])}) of {x.dtype}"


def _refused(message: str, hint: str | None = None) -> TensorError:
    return TensorError(message, code="GC234", where=caller_span(), hint=hint)


@nest_rule(JoinOp)
def join_nest(builder: Builder, work: Work) -> Stmt:
    """Nothing: the parts have been computed when the whole is."""
    return NOOP


class _Place(NamedTuple):
    """Where a part stands: its tensor, and how far along which axis."""

    whole: Tensor
    along: int
    first: Expr


def parts_of_joins(schedule: Schedule) -> list[Tensor]:
    """The tensors that stand in memory of others; what is computed past their ends would be in their neighbours."""
    return [t for stage in schedule.stages if isinstance(stage.op, JoinOp) for t in stage.op.parts]


def settle_joins(schedule: Schedule, bounds: Bounds, stmt: Stmt) -> Stmt:
    """Let parts be accessed where they stand in the wholes, in memory that is there from the first part on.

    Raises:
        ScheduleError: GC144 a part has memory of its own, or a layout of its own.
    """
    places: dict[Tensor, _Place] = {}
    for stage in schedule.stages:
        if not isinstance(stage.op, JoinOp):
            continue
        first = operators.const(0, "int32")
        for part in stage.op.parts:
            _check(schedule.stage_map[part.op], stage, part, bounds, places)
            places[part] = _Place(stage.op.output(0), stage.op.along, first)
            first = operators.add(first, part.shape[stage.op.along])
    return _Settle(places).stmt(stmt) if places else stmt


def _check(stage: Stage, join: Stage, part: Tensor, bounds: Bounds, places: Mapping[Tensor, _Place]) -> None:
    why = ""
    if part in places:
        why = f"is part of {places[part].whole.name} already"
    elif stage.is_output:
        why = "is an output, with memory of its own"
    elif bounds.paths[stage]:
        why = f"is computed inside of {bounds.root_of(stage).name}"
    elif STORAGE_RANK[bounds.scopes[stage]] > GLOBAL_RANK:
        why = f"is in {bounds.scopes[stage]} memory"
    elif STORAGE_RANK[bounds.scopes[join]] > GLOBAL_RANK:
        why = f"is in global memory, and {join.name} in {bounds.scopes[join]} memory"
    elif not isinstance(stage.op, (ComputeOp, JoinOp)) or stage.is_tensorized:
        why = "is written in one piece"
    elif stage.dim_align or stage.swizzle is not None or stage.double_buffered or stage.rolls:
        why = "has a layout of its own"
    if why:
        raise schedule_error(
            "GC144",
            f"{part.name} {why}, but it is part of join {join.name}, in whose memory it is computed",
            stage=stage,
            where=stage.attach_span or stage.scope_span or stage.op.span,
            hint="let parts of a join be stages at root, without storage primitives",
        )


class _Settle(Mutator):
    """Accesses of parts become accesses of wholes, whose memory is realised where that of their first part was."""

    def __init__(self, places: Mapping[Tensor, _Place]) -> None:
        super().__init__()
        self.places = places
        self.wholes = {place.whole: None for place in places.values()}
        self.realized: dict[Tensor, None] = {}

    def _whole(self, tensor: Tensor) -> Tensor:
        while tensor in self.places:
            tensor = self.places[tensor].whole
        return tensor

    def _stand(self, tensor: Tensor, indices: tuple[Expr, ...]) -> tuple[Tensor, tuple[Expr, ...]]:
        while tensor in self.places:
            tensor, along, first = self.places[tensor]
            moved = operators.add(indices[along], first)
            indices = (*indices[:along], moved, *indices[along + 1 :])
        return tensor, indices

    def visit_producer_load(self, node: ProducerLoad) -> Expr:
        tensor, indices = self._stand(node.producer, tuple([self.visit(i) for i in node.indices]))
        return ProducerLoad(tensor, indices)

    def visit_producer_store(self, node: ProducerStore) -> Stmt:
        tensor, indices = self._stand(node.producer, self.exprs(node.indices))
        return node.replace(producer=tensor, value=self.expr(node.value), indices=indices)

    def visit_producer_realize(self, node: ProducerRealize) -> Stmt:
        tensor: Tensor = node.producer
        if tensor not in self.places and tensor not in self.wholes:
            return self.visit_stmt(node)
        whole = self._whole(tensor)
        if whole in self.realized:
            return self.stmt(node.body)
        self.realized[whole] = None
        box = tuple([Range.from_min_extent(0, extent) for extent in whole.shape])
        return node.replace(producer=whole, bounds=box, body=self.stmt(node.body))

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        target = node.node
        if isinstance(target, BufferBind) and target.tensor in self.places:
            raise _in_one_piece(target.tensor, target.intrin, node.span)
        if isinstance(target, Operation):
            for tensor in (*target.input_tensors, *target.outputs):
                if tensor in self.places:
                    raise _in_one_piece(tensor, target.name, node.span)
        if isinstance(target, Tensor) and target in self.places:
            return self.stmt(node.body)  # a hint about memory that is not there
        return super().visit_attr_stmt(node)


def _in_one_piece(part: Tensor, who: str, span: Span | None) -> Exception:
    return schedule_error(
        "GC144",
        f"{who} accesses {part.name} in one piece, but it is part of a join, in whose memory its rows stand apart",
        where=span,
        hint=f"te.compute a copy of {part.name} for {who}",
    )
