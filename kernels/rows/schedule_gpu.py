"""Row-wise kernels on GPUs: one block a row, reductions across its threads."""

from __future__ import annotations

from gpucomp import te
from gpucomp.kernels.registry import Definition, extent
from gpucomp.target import Target
from gpucomp.te import Schedule


def threads_for(columns: int | None, target: Target) -> int:
    """Threads for a row: about eight elements each, whole warps, at most what the target allows."""
    limit = min(256, target.max_num_threads)
    if columns is None:
        return limit
    threads = 32
    while threads < limit and threads * 8 < columns:
        threads *= 2
    return min(threads, limit)


def schedule_softmax(defn: Definition, target: Target) -> Schedule:
    """Schedule softmax over the last axis; the row is read from memory once and from cache afterwards."""
    out = defn.outputs[0]
    maximum, powers, total = defn.intermediates
    s = te.create_schedule(out.op)
    s[powers].compute_inline()
    threads = threads_for(extent(out.shape[1]), target)
    tx = te.thread_axis("threadIdx.x")

    stage = s[out]
    row, column = out.op.axis
    _, column = stage.split(column, factor=threads)
    stage.bind(row, te.thread_axis("blockIdx.x"))
    stage.bind(column, tx)
    for reduction in (maximum, total):
        s[reduction].compute_at(stage, row)
        _, lane = s[reduction].split(reduction.op.reduce_axis[0], factor=threads)
        s[reduction].bind(lane, tx)
    return s
