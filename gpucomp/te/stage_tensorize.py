"""The primitive that replaces loops by a tensor intrinsic."""

from __future__ import annotations

from gpucomp.support.diagnostics import caller_span
from gpucomp.te.errors import schedule_error
from gpucomp.te.stage_base import StageBase
from gpucomp.te.tensor_intrin import TensorIntrin
from gpucomp.tir.expr import IterVar


class TensorizePrimitives(StageBase):
    """Tensor intrinsics in place of loops."""

    def tensorize(self, var: IterVar, tensor_intrin: object) -> None:
        """Let a tensor intrinsic compute loop ``var`` and all loops inside of it.

        >>> show(s)
        for i in T.serial(6):
            for j in T.serial(8):
                C[i, j] = A[i, j] + 1.0
        >>> jo, ji = s[C].split(j, factor=4)
        >>> s[C].tensorize(ji, add_one_4)
        >>> show(s)
        for i in T.serial(6):
            for j_outer in T.serial(2):
                C[i, T.Ramp(j_outer * 4, 1, 4)] = A[i, T.Ramp(j_outer * 4, 1, 4)] + T.Broadcast(1.0, 4)

        The loops are compared with the declaration of the intrinsic when the schedule is lowered; see
        ``te.decl_tensor_intrin``.  A later mark of the same axis takes the intrinsic away.

        Args:
            var: a leaf axis.
            tensor_intrin: what ``te.decl_tensor_intrin`` returned.

        Raises:
            ScheduleError: GC102, GC103 not a leaf; GC104 no tensor intrinsic; GC106 bound already, or another axis
                of the stage is tensorized.
        """
        self.require_compute("tensorize")
        self.leaf_index(var, "tensorize")
        if not isinstance(tensor_intrin, TensorIntrin):
            raise schedule_error(
                "GC104",
                f"tensorize: the second argument is no tensor intrinsic: {tensor_intrin!r:.40}",
                stage=self,
                where=caller_span(),
                hint="te.decl_tensor_intrin(op, fcompute)",
            )
        attr = self.attr(var)
        others = [iv for iv, a in self.iter_var_attrs.items() if a.tensor_intrin is not None and iv is not var]
        mark = f"bound to {attr.bind_thread.thread_tag}" if attr.bind_thread is not None else ""
        if others or mark:
            problem = f"axis {var.name!r} of stage {self.name} is {mark} already"
            if others:
                problem = f"stage {self.name} is tensorized at axis {others[0].name!r} already"
            raise schedule_error(
                "GC106",
                f"tensorize: {problem}",
                stage=self,
                where=caller_span(),
                hint="split the axis, and tensorize the inner part" if mark else "one intrinsic to a stage",
            )
        attr.kind, attr.tensor_intrin = "tensorize", tensor_intrin
        attr.kind_span = self._record("tensorize", (var, tensor_intrin), {}, ())
