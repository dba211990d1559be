"""The schedule that a graph gets when its author made none.

For a GPU every operation needs threads: what only maps indices is inlined, and each stage that is left goes by the
rules of ``driver/defaults``.  For a processor: inline likewise, run the outer axis in parallel and the inner one in
vectors.
"""

from __future__ import annotations

from typing import Final

from gpucomp.driver.defaults.plan import Plan
from gpucomp.support.diagnostics import ScheduleError
from gpucomp.support.log import logger
from gpucomp.target import Target
from gpucomp.te.api import thread_axis
from gpucomp.te.extern import ExternOp
from gpucomp.te.join import JoinOp
from gpucomp.te.operation import ComputeOp, PlaceholderOp
from gpucomp.te.scan import ScanOp
from gpucomp.te.state import Schedule, create_schedule
from gpucomp.te.tensor_compute import TensorComputeOp
from gpucomp.tir.expr import IntImm, IterVar, Reduce

_THREADS: Final = 256
_VECTOR: Final = 16


def with_default_schedule(sch: Schedule, target: Target) -> Schedule:
    """Return ``sch`` itself when it was touched, else a scheduled copy for ``target``.

    Raises:
        ScheduleError: the graph holds an operation that has no default schedule.
    """
    return explained(sch, target)[0]


def explained(sch: Schedule, target: Target) -> tuple[Schedule, list[str]]:
    """As :func:`with_default_schedule`, with a line for each kernel: what was chosen, and why; none if it was touched.

    Raises:
        ScheduleError: the graph holds an operation that has no default schedule.
    """
    if len(sch.trace) > 0:
        return sch, []
    fresh = create_schedule(list(sch.trace.outputs))
    outputs = set(sch.trace.outputs)
    opaque = (ExternOp, TensorComputeOp, ScanOp, JoinOp)
    whole = {t.op for op in sch.trace.ops if isinstance(op, opaque) for t in op.input_tensors}
    inlined: list[str] = []
    lines: list[str] = []
    for op in sch.trace.ops:
        if isinstance(op, (PlaceholderOp, ExternOp, ScanOp, JoinOp)):
            continue  # an opaque operation does what is in its body, a scan what its stages do, a join nothing
        if not isinstance(op, ComputeOp):
            raise ScheduleError(
                f"operation {op.name!r} has no default schedule",
                code="GC190",
                where=op.span,
                hint="schedule it by hand",
            )
        if isinstance(op, TensorComputeOp):
            _intrinsics(fresh, op, target)
            lines.append(f"{op.name}: the axes outside of its intrinsic in parallel")
        elif op not in outputs and not _reduces(op) and op not in whole:
            fresh[op].compute_inline()
            inlined.append(op.name)
        elif not target.is_gpu:
            lines.append(f"{op.name}: {_cpu(fresh, op)}")
    if target.is_gpu:
        lines += Plan(fresh, target).make()
        logger.info("default GPU schedule applied to %s: it had none", ", ".join([o.name for o in sch.trace.outputs]))
    if inlined:
        lines.append(f"inlined, for they only map elements: {', '.join(inlined)}")
    return fresh, lines


def _reduces(op: ComputeOp) -> bool:
    return any([isinstance(b, Reduce) for b in op.body])


def _extent(axes: list[IterVar]) -> int | None:
    """Product of the extents, None when one is symbolic."""
    total = 1
    for axis in axes:
        if axis.dom is None or not isinstance(axis.dom.extent, IntImm):
            return None
        total *= axis.dom.extent.value
    return total


def _intrinsics(sch: Schedule, op: TensorComputeOp, target: Target) -> None:
    """The axes outside of the intrinsic run in parallel."""
    stage = sch[op]
    axes = list(op.axis[: op.schedulable_ndim])
    if not target.is_gpu:
        if axes:
            stage.parallel(stage.fuse(*axes) if len(axes) > 1 else axes[0])
        return
    outer, inner = stage.split(stage.fuse(*axes), factor=min(_THREADS, target.max_num_threads))
    stage.bind(outer, thread_axis("blockIdx.x"))
    stage.bind(inner, thread_axis("threadIdx.x"))


def _cpu(sch: Schedule, op: ComputeOp) -> str:
    stage = sch[op]
    axes = list(op.axis)
    if not axes:
        return "one loop"
    why = "the outer loops in parallel"
    if not op.reduce_axis and _is_const(axes[-1], at_least=_VECTOR):
        outer, inner = stage.split(axes[-1], factor=_VECTOR)
        stage.vectorize(inner)
        axes[-1] = outer
        why += f", the inner one in vectors of {_VECTOR}"
    stage.parallel(stage.fuse(*axes) if len(axes) > 1 else axes[0])
    return why


def _is_const(axis: IterVar, at_least: int) -> bool:
    extent = _extent([axis])
    return extent is not None and extent >= at_least
