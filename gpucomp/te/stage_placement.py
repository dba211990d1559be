"""Primitives that say where a stage is computed: compute_at, compute_inline, compute_root."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpucomp.support.diagnostics import caller_span
from gpucomp.te.errors import schedule_error
from gpucomp.te.group import check_same_group
from gpucomp.te.operation import ComputeOp, Operation
from gpucomp.te.stage_base import StageBase
from gpucomp.te.stage_state import AttachType
from gpucomp.te.tensor import Tensor
from gpucomp.tir.expr import IterVar

if TYPE_CHECKING:
    from gpucomp.te.stage import Stage


class PlacePrimitives(StageBase):
    """Placement."""

    def compute_at(self, parent: Stage | Tensor | Operation, scope: IterVar) -> None:
        """Compute this stage inside loop ``scope`` of stage ``parent``, as much as one iteration needs.

        >>> s = te.create_schedule(D.op)
        >>> show(s)
        with T.realize(B[0:8], "float32", "global"):
            for i in T.serial(8):
                B[i] = V[i] * 2.0
            for i_1 in T.serial(8):
                D[i_1] = B[i_1] + 1.0
        >>> s[B].compute_at(s[D], s[D].op.axis[0])
        >>> show(s)
        for i in T.serial(8):
            with T.realize(B[i:i + 1], "float32", "global"):
                B[i] = V[i] * 2.0
                D[i] = B[i] + 1.0

        The last of compute_at, compute_inline and compute_root wins.

        Raises:
            ScheduleError: GC102, GC103 scope is no leaf of parent; GC110 parent is attached inside of this stage;
                GC116 parent is outside of the group of this stage.
        """
        self.require_compute("compute_at")
        if isinstance(parent, (Tensor, Operation)):
            parent = self.schedule[parent]
        self._require_stage(parent)
        parent.leaf_index(scope, "compute_at")
        self._check_attach(parent)
        check_same_group(self, parent)
        self.attach_type, self.attach_stage, self.attach_ivar = AttachType.SCOPE, parent, scope
        self.attach_span = self._record("compute_at", (parent.origin_op, scope), {}, ())

    def _require_stage(self, parent: object) -> None:
        if not isinstance(parent, PlacePrimitives):
            raise schedule_error(
                "GC104",
                f"compute_at needs a stage, got {type(parent).__name__}",
                stage=self,
                where=caller_span(),
                hint=f"s[{self.name}].compute_at(s[consumer], axis)",
            )

    def _check_attach(self, parent: Stage) -> None:
        above: Stage | None = parent
        path = [self.name]
        while above is not None:
            path.append(above.name)
            if above is self:
                loop = " inside ".join(path)
                raise schedule_error(
                    "GC110",
                    f"compute_at: stage {self.name} cannot be computed inside of itself ({loop})",
                    stage=self,
                    where=caller_span(),
                    hint="compute_root() one of them first",
                )
            above = above.attach_stage if above.is_attached else None

    def compute_inline(self) -> None:
        """Put the expression of this stage where it is read, and keep no tensor.

        >>> s = te.create_schedule(D.op)
        >>> show(s)
        with T.realize(B[0:8], "float32", "global"):
            for i in T.serial(8):
                B[i] = V[i] * 2.0
            for i_1 in T.serial(8):
                D[i_1] = B[i_1] + 1.0
        >>> s[B].compute_inline()
        >>> show(s)
        for i in T.serial(8):
            D[i] = V[i] * 2.0 + 1.0

        Raises:
            ScheduleError: GC105 the stage is an output; GC140 it is no ``te.compute``.
        """
        self.require_compute("compute_inline")
        if self.is_output:
            raise schedule_error(
                "GC105",
                f"compute_inline: {self.name!r} is an output of the schedule and must be stored",
                stage=self,
                where=caller_span(),
                hint="inline the stages that it reads instead",
            )
        if not isinstance(self.op, ComputeOp):
            raise schedule_error(
                "GC140",
                f"compute_inline: {self.name!r} is no te.compute: there is no expression to put in its place",
                stage=self,
                where=caller_span(),
                hint=f"s[{self.name}].compute_at(s[consumer], axis) keeps it close to its consumer",
            )
        self._detach(AttachType.INLINE, "compute_inline")

    def compute_root(self) -> None:
        """Compute the whole tensor before its consumers, outside of their loops.

        >>> s = te.create_schedule(D.op)
        >>> show(s)
        with T.realize(B[0:8], "float32", "global"):
            for i in T.serial(8):
                B[i] = V[i] * 2.0
            for i_1 in T.serial(8):
                D[i_1] = B[i_1] + 1.0
        >>> s[B].compute_inline()
        >>> s[B].compute_root()
        >>> show(s)
        with T.realize(B[0:8], "float32", "global"):
            for i in T.serial(8):
                B[i] = V[i] * 2.0
            for i_1 in T.serial(8):
                D[i_1] = B[i_1] + 1.0
        """
        self.require_compute("compute_root")
        self._detach(AttachType.GROUP_ROOT, "compute_root")

    def _detach(self, kind: AttachType, primitive: str) -> None:
        self.attach_type, self.attach_stage, self.attach_ivar = kind, None, None
        self.attach_span = self._record(primitive, (), {}, ())
