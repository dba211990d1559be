"""The schedule that a graph gets when its author made none.

For a GPU every operation needs threads.  The rule: inline what only maps indices, give each output element of an
injective stage a thread, reduce long rows with the threads of one block and short ones inside a thread.  For a
processor: inline likewise, run the outer axis in parallel and the inner one in vectors.
"""

from __future__ import annotations

from typing import Final

from gpucomp.driver.defaults.plan import gpu_defaults
from gpucomp.support.diagnostics import ScheduleError
from gpucomp.support.log import logger
from gpucomp.target import Target
from gpucomp.te.api import thread_axis
from gpucomp.te.extern import ExternOp
from gpucomp.te.join import JoinOp
from gpucomp.te.operation import ComputeOp, Operation, PlaceholderOp
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
    if len(sch.trace) > 0:
        return sch
    fresh = create_schedule(list(sch.trace.outputs))
    outputs = set(sch.trace.outputs)
    opaque = (ExternOp, TensorComputeOp, ScanOp, JoinOp)
    whole = {t.op for op in sch.trace.ops if isinstance(op, opaque) for t in op.input_tensors}
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
        elif op not in outputs and not _reduces(op) and op not in whole:
            fresh[op].compute_inline()
        elif not target.is_gpu:
            _cpu(fresh, op, target)
    if target.is_gpu:
        gpu_defaults(fresh, target)
        logger.info("default GPU schedule applied to %s: it had none", ", ".join([o.name for o in sch.trace.outputs]))
    return fresh


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


def _cpu(sch: Schedule, op: Operation, target: Target) -> None:
    assert isinstance(op, ComputeOp)
    stage = sch[op]
    axes = list(op.axis)
    if not axes:
        return
    if not op.reduce_axis and _is_const(axes[-1], at_least=_VECTOR):
        outer, inner = stage.split(axes[-1], factor=_VECTOR)
        stage.vectorize(inner)
        axes[-1] = outer
    stage.parallel(stage.fuse(*axes) if len(axes) > 1 else axes[0])


def _is_const(axis: IterVar, at_least: int) -> bool:
    extent = _extent([axis])
    return extent is not None and extent >= at_least
