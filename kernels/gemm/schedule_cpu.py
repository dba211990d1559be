"""Matrix products on processors: packed panels and a register-blocked inner kernel.

The blocking follows K. Goto and R. van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS
2008, and its BLIS form: a panel of the second operand is copied so that the inner kernel reads it with unit
stride; the inner kernel keeps a tile of the result in vector registers and broadcasts the first operand.
"""

from __future__ import annotations

from gpucomp import te
from gpucomp.kernels.registry import Definition, extent
from gpucomp.target import Target
from gpucomp.te import Schedule

ROWS, COLUMNS, LANES = 6, 64, 16


def schedule_matmul(defn: Definition, target: Target) -> Schedule:
    """Schedule ``C = A @ B`` for the cores and vectors of a processor: a 6x64 tile in 24 registers of 16 floats."""
    (_, b), c = defn.inputs, defn.outputs[0]
    m = extent(c.shape[0])
    rows = ROWS if m is None or m >= ROWS else m
    s = te.create_schedule(c.op)
    acc = s.cache_write(c, "local")
    panel = s.cache_read(b, "global", [acc])

    stage = s[c]
    i, j = c.op.axis
    jo, ji = stage.split(j, factor=COLUMNS)
    io, ii = stage.split(i, factor=rows)
    jv, jl = stage.split(ji, factor=LANES)
    stage.reorder(jo, io, ii, jv, jl)
    stage.parallel(jo)
    stage.unroll(ii)
    stage.unroll(jv)
    stage.vectorize(jl)

    s[panel].compute_at(stage, jo)
    _, lanes = s[panel].split(panel.op.axis[1], factor=LANES)
    s[panel].vectorize(lanes)

    inner = s[acc]
    inner.compute_at(stage, io)
    ai, aj = acc.op.axis
    av, al = inner.split(aj, factor=LANES)
    inner.reorder(acc.op.reduce_axis[0], ai, av, al)
    inner.unroll(ai)
    inner.unroll(av)
    inner.vectorize(al)
    return s


def schedule_matmul_opencl_cpu(defn: Definition, target: Target) -> Schedule:
    """The same tile as one work-group of one work-item: no barriers, no local memory, explicit vectors."""
    c = defn.outputs[0]
    m = extent(c.shape[0])
    rows = min(ROWS, m) if m is not None else ROWS
    s = te.create_schedule(c.op)
    acc = s.cache_write(c, "local")
    stage = s[c]
    i, j = c.op.axis
    jo, ji = stage.split(j, factor=4 * LANES)
    io, ii = stage.split(i, factor=rows)
    jv, jl = stage.split(ji, factor=LANES)
    stage.reorder(io, jo, ii, jv, jl)
    stage.bind(io, te.thread_axis("blockIdx.y"))
    stage.bind(jo, te.thread_axis("blockIdx.x"))
    stage.unroll(ii)
    stage.unroll(jv)
    stage.vectorize(jl)
    inner = s[acc]
    inner.compute_at(stage, jo)
    ai, aj = acc.op.axis
    av, al = inner.split(aj, factor=LANES)
    inner.reorder(acc.op.reduce_axis[0], ai, av, al)
    inner.unroll(ai)
    inner.unroll(av)
    inner.vectorize(al)
    return s
