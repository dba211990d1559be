"""Products of transposed operands, of batches and of integers as OpenCL on processors.

A tile of the result is kept in vector registers.
"""

from __future__ import annotations

from gpucomp import te
from gpucomp.kernels.gemm.epilogue import accumulator, inline_epilogue
from gpucomp.kernels.gemm.layout import operands_of
from gpucomp.kernels.registry import Definition
from gpucomp.target import Target
from gpucomp.te import Schedule

ROWS, LANES, VECTORS = 6, 16, 4


def schedule_product_opencl_cpu(defn: Definition, target: Target) -> Schedule:
    """Schedule a product, and what follows it: a work-group of one work-item computes six rows of 64 columns."""
    operands, out = operands_of(defn), defn.outputs[0]
    rows = ROWS if operands.m is None else min(ROWS, operands.m)
    s = te.create_schedule(out.op)
    acc = accumulator(s, defn)
    inline_epilogue(s, defn)
    stage = s[out]
    *batch, i, j = out.op.axis
    jo, ji = stage.split(j, factor=VECTORS * LANES)
    io, ii = stage.split(i, factor=rows)
    jv, jl = stage.split(ji, factor=LANES)
    stage.reorder(*batch, jo, io, ii, jv, jl)
    stage.bind(stage.fuse(*batch, jo) if batch else jo, te.thread_axis("blockIdx.x"))
    stage.bind(io, te.thread_axis("blockIdx.y"))
    stage.unroll(ii)
    stage.unroll(jv)
    stage.vectorize(jl)
    inner = s[acc]
    inner.compute_at(stage, io)
    *_, ai, aj = acc.op.axis
    av, al = inner.split(aj, factor=LANES)
    inner.reorder(acc.op.reduce_axis[0], ai, av, al)
    inner.unroll(ai)
    inner.unroll(av)
    inner.vectorize(al)
    return s
