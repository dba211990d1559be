"""Scans on GPUs: a block for each row, a thread for each run of elements."""

from __future__ import annotations

from typing import Final

from gpucomp import te
from gpucomp.kernels.registry import Definition, extent, row_lanes
from gpucomp.kernels.scans.compute import RUN
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor
from gpucomp.tir.expr import IterVar

THREADS: Final = 256


def schedule_scan(defn: Definition, target: Target) -> Schedule:
    """Sums of runs and of groups meet in shared memory; elements are read twice, the second time from the cache."""
    (out,) = defn.outputs
    x, runs, whole, earlier, inside, within = defn.intermediates
    s = te.create_schedule(out.op)
    n = extent(out.shape[1])
    threads = min(THREADS, target.max_num_threads)
    if n is not None:
        threads = min(threads, -(-n // (RUN * RUN)) * RUN)
    lanes = row_lanes(n, defn.inputs[0].dtype.nbytes)
    tx = te.thread_axis("threadIdx.x")
    first, second = s.cache_read(x, "local", [runs]), s.cache_read(x, "local", [within])
    s[x].compute_inline()

    stage = s[out]
    row, j = out.op.axis
    run, lane = stage.split(j, factor=RUN)
    _, thread = stage.split(run, factor=threads)
    stage.bind(row, te.thread_axis("blockIdx.x"))
    stage.bind(thread, tx)
    outer, lane = stage.split(lane, factor=lanes)
    stage.unroll(outer)
    stage.vectorize(lane)
    for tensor in (inside, within):
        s[tensor].compute_at(stage, thread)
        s[tensor].set_scope("local")
    s[within].unroll(within.op.axis[3])
    s[within].unroll(s[within].op.reduce_axis[0])
    _load(s, second, stage, thread, lanes)

    for tensor in (runs, whole, earlier):
        own = s[tensor]
        own.compute_at(stage, row)
        own.set_scope("shared")
        _, thread = own.split(own.fuse(*tensor.op.axis[1:]), factor=threads)
        own.bind(thread, tx)
        if tensor is runs:
            _load(s, first, own, thread, lanes)
            own.unroll(own.op.reduce_axis[0])
    return s


def _load(s: Schedule, tensor: Tensor, stage: te.Stage, at: IterVar, lanes: int) -> None:
    own = s[tensor]
    own.compute_at(stage, at)
    own.set_scope("local")
    outer, lane = own.split(tensor.op.axis[3], factor=lanes)
    own.unroll(outer)
    own.vectorize(lane)
