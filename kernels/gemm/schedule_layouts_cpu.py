"""Products of transposed operands, of batches and of integers on processors.

A tile of the result is kept in vector registers.  A transposed second operand is read along rows of its own storage
for a whole task at once: its panel is copied with rows and columns exchanged, so that the inner loop reads vectors.
"""

from __future__ import annotations

from gpucomp import te
from gpucomp.kernels.gemm.epilogue import accumulator, inline_epilogue
from gpucomp.kernels.gemm.layout import operands_of
from gpucomp.kernels.registry import Definition
from gpucomp.target import Target
from gpucomp.te import Schedule

ROWS, LANES, VECTORS = 6, 16, 4


def schedule_product(defn: Definition, target: Target) -> Schedule:
    """Schedule a product, and what follows it: a task computes six rows of 64 columns after the other."""
    return _schedule(defn, threads=False)


def schedule_product_opencl_cpu(defn: Definition, target: Target) -> Schedule:
    """The same tile as one work-group of one work-item."""
    return _schedule(defn, threads=True)


def _schedule(defn: Definition, *, threads: bool) -> Schedule:
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
    if threads:
        stage.bind(stage.fuse(*batch, jo) if batch else jo, te.thread_axis("blockIdx.x"))
        stage.bind(io, te.thread_axis("blockIdx.y"))
    else:
        task = stage.fuse(*batch, jo) if batch else jo
        stage.parallel(task)
        if operands.transpose_b:
            panel = s.cache_read(defn.inputs[1], "global", [acc])
            s[panel].transform_layout(lambda *index: [*index[:-2], index[-1], index[-2]])
            panel, acc = s[panel].op.output(0), s[acc].op.output(0)
            s[panel].compute_at(stage, task)
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
