"""Elementwise kernels on GPUs: 16-byte loads, one vector a thread."""

from __future__ import annotations

from gpucomp import te
from gpucomp.kernels.registry import Definition, extent
from gpucomp.target import Target
from gpucomp.te import Schedule


def schedule_elementwise(defn: Definition, target: Target) -> Schedule:
    """Fuse all axes; each thread computes one vector of 16 bytes, or one element of a symbolic or ragged size."""
    out = defn.outputs[0]
    s = te.create_schedule(out.op)
    for producer in defn.intermediates:
        s[producer].compute_inline()
    stage = s[out]
    fused = stage.fuse(*out.op.axis)
    total = 1
    for size in out.shape:
        total *= extent(size) or 0
    lanes = min(4, max(1, 16 // out.dtype.nbytes))
    if total and total % lanes == 0 and lanes > 1:
        fused, vector = stage.split(fused, factor=lanes)
        stage.vectorize(vector)
    block, thread = stage.split(fused, factor=min(256, target.max_num_threads))
    stage.bind(block, te.thread_axis("blockIdx.x"))
    stage.bind(thread, te.thread_axis("threadIdx.x"))
    return s
