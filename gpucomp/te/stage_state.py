"""The state of a stage: the loop nest of one operation, what is said about it, and explanations of misuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from gpucomp.support.diagnostics import Span, caller_span, did_you_mean
from gpucomp.support.enums import NumberedEnum
from gpucomp.support.expect import expect
from gpucomp.te.errors import needs_schedule, schedule_error
from gpucomp.te.operation import Operation
from gpucomp.te.relation import Align, Fuse, IterVarRelation, Rebase, Singleton, Split, children_of, parents_of
from gpucomp.te.scopes import STORAGE_RANK
from gpucomp.te.tensor import Tensor
from gpucomp.te.tensor_compute import TensorComputeOp
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IterVar

if TYPE_CHECKING:
    from gpucomp.te.group import Group
    from gpucomp.te.stage import Stage
    from gpucomp.te.state import Schedule
    from gpucomp.te.tensor_intrin import TensorIntrin


class AttachType(NumberedEnum):
    """Where a stage is computed."""

    GROUP_ROOT = 1
    INLINE = 2
    INLINED_ALREADY = 3
    SCOPE = 4
    SCAN_UPDATE = 5


class AxisAttr:
    """What is said about one axis of one stage."""

    __slots__ = ("bind_span", "bind_thread", "kind", "kind_span", "pragmas", "prefetches", "tensor_intrin")

    def __init__(self) -> None:
        self.kind: str = ""  # "", "vectorize", "unroll", "parallel", "tensorize"
        self.kind_span: Span | None = None
        self.bind_thread: IterVar | None = None
        self.bind_span: Span | None = None
        self.pragmas: tuple[tuple[str, Expr, Span | None], ...] = ()
        self.tensor_intrin: TensorIntrin | None = None
        self.prefetches: tuple[tuple[Tensor, Expr, Span | None], ...] = ()

    def copy(self) -> AxisAttr:
        """An independent copy."""
        other = AxisAttr()
        other.kind, other.kind_span, other.pragmas = self.kind, self.kind_span, self.pragmas
        other.bind_thread, other.bind_span = self.bind_thread, self.bind_span
        other.tensor_intrin = self.tensor_intrin
        other.prefetches = self.prefetches
        return other


class StageState:
    """What is known about the schedule of one operation.

    Attributes:
        op: the operation that is computed here; primitives such as ``cache_write`` change it.
        origin_op: the operation that the stage was made for.
        all_iter_vars: every axis, consumed ones included.
        leaf_iter_vars: the loop nest, outermost first.
        relations: how axes derive from each other, in order of making.
        iter_var_attrs: annotations by axis.
        env_thread_axes: threads launched around the nest; the first of the leaves.
        attach_type, attach_stage, attach_ivar: where it is computed.
        scope: storage scope, "" when it is to be inferred.
        group: the innermost group that it is a member of.
        is_output: its tensors leave the kernel.
    """

    def __init__(self, schedule: Schedule, op: Operation, is_output: bool = False, span: Span | None = None) -> None:
        if not hasattr(schedule, "stage_map"):
            needs_schedule(schedule, "Stage")
        expect(op, Operation, "Stage", "the stage of a tensor C is s[C]")
        self.schedule = schedule
        self.op = op
        self.origin_op = op
        self.all_iter_vars: list[IterVar] = list(op.root_iter_vars)
        self.leaf_iter_vars: list[IterVar] = list(op.root_iter_vars)
        self.relations: list[IterVarRelation] = []
        self.relation_spans: dict[IterVarRelation, Span | None] = {}
        self.iter_var_attrs: dict[IterVar, AxisAttr] = {}
        self.env_thread_axes: tuple[IterVar, ...] = ()
        self.attach_type = AttachType.GROUP_ROOT
        self.attach_stage: Stage | None = None
        self.attach_ivar: IterVar | None = None
        self.attach_span: Span | None = None
        self.scope = ""
        self.scope_span: Span | None = None
        self.group: Group | None = None
        self.is_output = is_output
        self.double_buffered = False
        self.rolls = False
        self.rolls_span: Span | None = None
        self.store_predicate: Expr | None = None
        self.store_predicate_span: Span | None = None
        self.dim_align: dict[int, tuple[int, int]] = {}
        self.swizzle: tuple[int, int, int] | None = None  # dimension of rows, elements of a chunk, rows of a period
        self.swizzle_span: Span | None = None
        self.moved: dict[IterVar, str] = {}  # axes that left for another stage, with a word on how
        self.span = span
        if isinstance(op, TensorComputeOp):
            inner = self.attr(op.inner_axis[0])
            inner.kind, inner.kind_span, inner.tensor_intrin = "tensorize", op.span, op.intrin

    # -- reading ----------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name of its operation."""
        return self.op.name

    @property
    def is_attached(self) -> bool:
        """True when it is computed inside of a loop of another stage."""
        return self.attach_type in (AttachType.SCOPE, AttachType.SCAN_UPDATE)

    @property
    def is_tensorized(self) -> bool:
        """True when an intrinsic computes a part of its nest."""
        return any([attr.tensor_intrin is not None for attr in self.iter_var_attrs.values()])

    def nest_text(self) -> str:
        """The loop nest on one line, for messages."""
        extents = self.nominal_extents()
        loops = [f"{iv.name}({extents[iv]})" if iv in extents else iv.name for iv in self.leaf_iter_vars]
        return "loop nest " + " > ".join(loops) if loops else "no loops"

    def nominal_extents(self) -> dict[IterVar, Expr]:
        """Extents of all axes as if the whole tensor were computed at once."""
        out: dict[IterVar, Expr] = {iv: iv.dom.extent for iv in self.op.root_iter_vars if iv.dom is not None}
        for rel in self.relations:
            if isinstance(rel, Split) and rel.parent in out:
                whole = out[rel.parent]
                if rel.factor is not None:
                    out[rel.inner], out[rel.outer] = rel.factor, ceil_div(whole, rel.factor)
                elif rel.nparts is not None:
                    out[rel.outer], out[rel.inner] = rel.nparts, ceil_div(whole, rel.nparts)
            elif isinstance(rel, Fuse) and rel.outer in out and rel.inner in out:
                out[rel.fused] = operators.multiply(operators.cast(rel.fused.var.dtype, out[rel.outer]), out[rel.inner])
            elif isinstance(rel, Rebase) and rel.parent in out:
                out[rel.rebased] = out[rel.parent]
            elif isinstance(rel, Align) and rel.parent in out:
                vectors = ceil_div(operators.add(out[rel.parent], rel.lanes - 1), operators.const(rel.lanes))
                out[rel.aligned] = operators.multiply(vectors, rel.lanes)
            elif isinstance(rel, Singleton):
                out[rel.iter] = operators.const(1)
        return out

    def attr(self, axis: IterVar) -> AxisAttr:
        """Annotations of an axis, made on first use."""
        found = self.iter_var_attrs.get(axis)
        if found is None:
            found = self.iter_var_attrs[axis] = AxisAttr()
        return found

    def bound_thread(self, axis: IterVar) -> IterVar | None:
        """The thread axis that an axis is bound to."""
        found = self.iter_var_attrs.get(axis)
        return None if found is None else found.bind_thread

    def copy(self, schedule: Schedule) -> Self:
        """A copy in another schedule; attach_stage still points into this one."""
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.schedule = schedule
        for field in ("all_iter_vars", "leaf_iter_vars", "relations", "relation_spans", "dim_align", "moved"):
            setattr(other, field, getattr(self, field).copy())
        other.iter_var_attrs = {k: v.copy() for k, v in self.iter_var_attrs.items()}
        return other

    def __repr__(self) -> str:
        return f"Stage({self.name}: {self.nest_text()})"

    # -- checks that no later primitive can mend ----------------------------------------------------------------

    def require_compute(self, primitive: str) -> None:
        """Refuse to schedule an input."""
        if not self.op.computes:
            raise schedule_error(
                "GC109",
                f"{primitive}: {self.name!r} is an input (a placeholder), which has no loops",
                where=caller_span(),
                hint=f"to stage it through memory: s.cache_read({self.name}, 'shared', [consumer])",
            )

    def leaf_index(self, axis: object, primitive: str) -> int:
        """Position of a leaf axis; explains why an axis is none."""
        if not isinstance(axis, IterVar):
            given = getattr(axis, "name", None) or repr(axis)[:40]
            raise schedule_error(
                "GC104",
                f"{primitive} needs an axis, got {type(axis).__name__} {given}",
                stage=self,
                where=caller_span(),
                hint=f"one of s[{self.name}].op.axis or op.reduce_axis, or what split and fuse returned",
            )
        for position, leaf in enumerate(self.leaf_iter_vars):
            if leaf is axis:
                return position
        raise self._not_a_leaf(axis, primitive)

    def _not_a_leaf(self, axis: IterVar, primitive: str) -> Exception:
        for rel in self.relations:
            if any(p is axis for p in parents_of(rel)):
                made = " and ".join([repr(c.name) for c in children_of(rel)])
                how = type(rel).__name__.lower()
                place = self.relation_spans.get(rel)
                at = f" at {place.render().split('   ')[0]}" if place is not None else ""
                return schedule_error(
                    "GC102",
                    f"{primitive}: axis {axis.name!r} of stage {self.name} is gone: {how}{at} made {made} of it",
                    stage=self,
                    where=caller_span(),
                    hint=f"use {made} instead",
                )
        if axis in self.moved:
            return schedule_error(
                "GC102",
                f"{primitive}: axis {axis.name!r} left stage {self.name}: {self.moved[axis]}",
                stage=self,
                where=caller_span(),
                hint=f"its operation was made anew: use s[{self.name}].op.axis or s[{self.name}].op.reduce_axis",
            )
        for other in self.schedule.stages:
            if other is not self and any(iv is axis for iv in other.all_iter_vars):
                return schedule_error(
                    "GC103",
                    f"{primitive}: axis {axis.name!r} belongs to stage {other.name}, not to stage {self.name}",
                    stage=self,
                    where=caller_span(),
                    hint=f"s[{other.name}].{primitive}(...), or an axis of {self.name}",
                )
        if axis.iter_type == IterVar.ThreadIndex:
            return schedule_error(
                "GC103",
                f"{primitive}: {axis.thread_tag} is a thread axis, not a loop of stage {self.name}",
                stage=self,
                where=caller_span(),
                hint="bind a loop to it: s[T].bind(loop, thread_axis)",
            )
        close = did_you_mean(axis.name, [iv.name for iv in self.leaf_iter_vars])
        return schedule_error(
            "GC103",
            f"{primitive}: axis {axis.name!r} belongs to no stage of this schedule",
            stage=self,
            where=caller_span(),
            hint=close or f"take it from s[{self.name}].op.axis; tensors made afresh have axes of their own",
        )

    def _require_unbound(self, axis: IterVar, primitive: str) -> None:
        found = self.iter_var_attrs.get(axis)
        if found is None or (found.bind_thread is None and not found.kind):
            return
        what = f"bound to {found.bind_thread.thread_tag}" if found.bind_thread is not None else f"marked {found.kind}"
        raise schedule_error(
            "GC106",
            f"{primitive}: axis {axis.name!r} of stage {self.name} is {what} already, which {primitive} would undo",
            stage=self,
            where=caller_span(),
            hint=f"{primitive} first, then annotate the new axes",
        )


def check_scope(scope: object, primitive: str) -> None:
    """Refuse unknown storage scopes."""
    if not isinstance(scope, str) or scope not in STORAGE_RANK:
        raise schedule_error(
            "GC114",
            f"{primitive}: unknown storage scope {scope!r}",
            where=caller_span(),
            hint=did_you_mean(str(scope), STORAGE_RANK) or f"one of {', '.join(STORAGE_RANK)}",
        )


def ceil_div(a: Expr, b: Expr) -> Expr:
    """Quotient of integers >= 0, rounded up."""
    return operators.floordiv(operators.add(a, operators.subtract(b, 1)), b)
