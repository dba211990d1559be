"""Matrix products on processors: packed panels and a register-blocked inner kernel.

The blocking follows K. Goto and R. van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS
2008, and its BLIS form: a panel of the second operand is copied so that the inner kernel reads it with unit
stride; the inner kernel keeps a tile of the result in vector registers and broadcasts the first operand.
"""

from __future__ import annotations

from gpucomp import te
from gpucomp.kernels.gemm import schedule_few_rows
from gpucomp.kernels.gemm.epilogue import accumulator, inline_epilogue, product_of
from gpucomp.kernels.processor import vector_bytes
from gpucomp.kernels.registry import Definition, extent
from gpucomp.target import Target
from gpucomp.te import Schedule

ROWS, VECTORS, LANES = 6, 4, 16
FEW_ROWS = 48  # so few rows read a panel too seldom for a copy of it to pay
TASK_TILES, MOST_TILES, MANY_TASKS = 24, 72, 32


def _rows(m: int | None) -> int:
    """Rows of a tile: six, or fewer where that leaves none over of few."""
    if m is None or m > FEW_ROWS:
        return ROWS
    return max([d for d in range(1, ROWS + 1) if m % d == 0 and 2 * d >= min(m, ROWS)], default=ROWS)


def _tiles(m: int | None, rows: int) -> int:
    """How many tiles of rows a task takes: so many that tasks are alike, if that is not too few."""
    count = MOST_TILES if m is None else -(-m // rows)
    return max([d for d in range(TASK_TILES, MOST_TILES + 1) if count % d == 0], default=MOST_TILES)


def schedule_matmul(defn: Definition, target: Target) -> Schedule:
    """Schedule ``C = A @ B``, and what follows it, for the cores and vectors of a processor.

    A 6x64 tile is kept in 24 registers of 16 floats.
    """
    b, c = defn.inputs[1], defn.outputs[0]
    m, n = extent(c.shape[0]), extent(c.shape[1])
    rows = _rows(m)
    lanes = vector_bytes(target) // product_of(defn).dtype.nbytes
    if schedule_few_rows.takes_few_rows(m, extent(b.shape[0])):
        return schedule_few_rows.schedule(defn, lanes)
    columns = lanes * (VECTORS if rows > 1 else 2 * VECTORS)
    s = te.create_schedule(c.op)
    acc = accumulator(s, defn)
    inline_epilogue(s, defn)

    stage = s[c]
    i, j = c.op.axis
    jo, ji = stage.split(j, factor=columns)
    io, ii = stage.split(i, factor=rows)
    # Where there are few panels of columns, parts of one are tasks of their own.
    split = n is None or n < MANY_TASKS * columns
    part, io = stage.split(io, factor=_tiles(m, rows)) if split else (None, io)
    jv, jl = stage.split(ji, factor=lanes)
    stage.reorder(jo, *([] if part is None else [part]), io, ii, jv, jl)
    task = jo if part is None else stage.fuse(jo, part)
    stage.parallel(task)
    stage.unroll(ii)
    stage.unroll(jv)
    stage.vectorize(jl)

    whole = m is not None and n is not None and m % rows == 0 and n % lanes == 0
    if m is None or m > FEW_ROWS or not (whole or m == 1):  # a copy is whole: the inner kernel needs no checks
        panel = s.cache_read(b, "global", [acc])
        s[panel].compute_at(stage, task)
        _, lane = s[panel].split(panel.op.axis[1], factor=lanes)
        s[panel].vectorize(lane)

    inner = s[acc]
    inner.compute_at(stage, io)
    ai, aj = acc.op.axis
    inner.storage_align(ai, lanes, 0)
    av, al = inner.split(aj, factor=lanes)
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
    acc = accumulator(s, defn)
    inline_epilogue(s, defn)
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
