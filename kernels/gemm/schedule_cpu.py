"""Matrix products on processors: packed panels and a register-blocked inner kernel.

The blocking follows K. Goto and R. van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS
2008, and its BLIS form: a panel of the second operand is copied so that the inner kernel reads it with unit
stride; the inner kernel keeps a tile of the result in vector registers and broadcasts the first operand.
"""

from __future__ import annotations

from gpucomp import te
from gpucomp.kernels.gemm import schedule_dots_cpu, schedule_few_rows, schedule_vector_cpu
from gpucomp.kernels.gemm.epilogue import accumulator, inline_epilogue, product_of
from gpucomp.kernels.gemm.layout import operands_of
from gpucomp.kernels.processor import threads, vector_bytes
from gpucomp.kernels.registry import Definition, extent
from gpucomp.target import Target
from gpucomp.te import Schedule
from gpucomp.tir.expr import IterVar

ROWS, VECTORS, LANES = 6, 4, 16
HIGH_ROWS, HIGH_VECTORS = 8, 3
GAIN = 0.98  # of the work that other tiles have, at most
FEW_ROWS = 48  # so few rows read a panel too seldom for a copy of it to pay
TASK_TILES, MOST_TILES, MANY_TASKS = 24, 72, 32
COPY_TILES = 0.5  # tiles, whose products take as long as the copy of a panel
GROUP_TILES = 16  # tiles that a work-group computes
STEP_BLOCK = 64  # rows of a transposed operand that are copied at a time: so many pages are known to the processor


def tile_of(m: int | None, n: int | None, lanes: int) -> tuple[int, int]:
    """Rows and vectors of a tile: six by four, or eight by three where less of those lies past the result's edges.

    Of few rows so many that leave none over.
    """
    if m is not None and m <= FEW_ROWS:
        rows = max([d for d in range(1, ROWS + 1) if m % d == 0 and 2 * d >= min(m, ROWS)], default=ROWS)
        return rows, VECTORS if rows > 1 else 2 * VECTORS
    if m is None or n is None:
        return ROWS, VECTORS

    def area(tile: tuple[int, int]) -> int:
        rows, columns = tile[0], tile[1] * lanes
        return -(-m // rows) * rows * -(-n // columns) * columns

    wide, high = (ROWS, VECTORS), (HIGH_ROWS, HIGH_VECTORS)
    return high if area(high) < GAIN * area(wide) else wide


def tiles_of_task(m: int | None, rows: int, panels: int) -> int:
    """How many tiles of rows a task takes: those that keep the busiest thread for the shortest time.

    ``panels``: groups of columns, each of which has such tasks.
    """
    if m is None:
        return MOST_TILES
    count = -(-m // rows)
    most = max(1, count // TASK_TILES)
    sizes = [-(-count // parts) for parts in range(-(-count // MOST_TILES), most + 1)] or [-(-count // most)]
    return min(sizes, key=lambda each: -(-panels * -(-count // each) // threads()) * (each + COPY_TILES))


def schedule_matmul(defn: Definition, target: Target) -> Schedule:
    """Schedule a product of operands in any layout, or of each pair of a batch, and what follows it.

    A 6x64 or 8x48 tile is kept in 24 registers of 16 floats.  8-bit integers and bfloat16 take the processor's
    instructions for sums of few products: see ``schedule_dots_cpu``.
    """
    b, c = defn.inputs[1], defn.outputs[0]
    operands = operands_of(defn)
    m, n = operands.m, operands.n
    lanes = vector_bytes(target) // product_of(defn).dtype.nbytes
    rows, vectors = tile_of(m, n, lanes)
    if schedule_vector_cpu.takes_vector(operands):
        return schedule_vector_cpu.schedule_vector(defn, operands, lanes)
    plain = not (operands.batched or operands.transpose_a or operands.transpose_b)
    dots = schedule_dots_cpu.takes_dots(defn, operands, target)
    if plain and schedule_few_rows.takes_few_rows(m, n, operands.k, dots):
        return schedule_few_rows.schedule_few_rows(defn, lanes)
    if dots:
        return schedule_dots_cpu.schedule_dots(defn, operands)
    columns = lanes * vectors
    s = te.create_schedule(c.op)
    acc = accumulator(s, defn)
    inline_epilogue(s, defn)
    whole = m is not None and n is not None and m % rows == 0 and n % lanes == 0
    copied = m is None or m > FEW_ROWS or not (whole or m == 1)  # a copy is whole: the inner kernel needs no checks
    if n is not None and n <= columns and n % lanes == 0:  # it is a panel already
        copied = False
    panel = s.cache_read(b, "global", [acc]) if copied or operands.transpose_b else None
    if panel is not None and operands.transpose_b:
        s[panel].transform_layout(lambda *index: [*index[:-2], index[-1], index[-2]])
    if operands.transpose_a:
        _pack_rows(s, s.cache_read(defn.inputs[0], "global", [acc]), rows)
    acc = s[acc].op.output(0)

    stage = s[c]
    *batch, i, j = c.op.axis
    jo, ji = stage.split(j, factor=columns)
    io, ii = stage.split(i, factor=rows)
    # Where there are few panels of columns, parts of one are tasks of their own.
    panels = (operands.batch or 1) * -(-(n or columns) // columns)
    split = n is None or n < MANY_TASKS * columns
    part, io = stage.split(io, factor=tiles_of_task(m, rows, panels)) if split else (None, io)
    jv, jl = stage.split(ji, factor=lanes)
    outer = [*batch, jo] if part is None else [*batch, jo, part]
    stage.reorder(*outer, io, ii, jv, jl)
    task = stage.fuse(*outer)
    stage.parallel(task)
    stage.unroll(ii)
    stage.unroll(jv)
    stage.vectorize(jl)

    if panel is not None:
        stage.pragma(jl, "whole_tiles")
        s[panel].compute_at(stage, task)
        axes = s[panel].op.axis
        if operands.transpose_b:
            _exchange(s[panel], axes[-2], axes[-1], lanes)
        else:
            _, lane = s[panel].split(axes[-1], factor=lanes)
            s[panel].vectorize(lane)

    inner = s[acc]
    inner.compute_at(stage, io)
    *first, ai, aj = acc.op.axis
    inner.storage_align(ai, lanes, 0)
    av, al = inner.split(aj, factor=lanes)
    inner.reorder(*first, acc.op.reduce_axis[0], ai, av, al)
    inner.unroll(ai)
    inner.unroll(av)
    inner.vectorize(al)
    return s


def _pack_rows(s: Schedule, copy: te.Tensor, rows: int) -> None:
    """What a tile reads of a transposed first operand as neighbours; a block of steps after the other."""
    axes = s[copy].transform_layout(lambda *index: [*index[:-2], index[-1] // rows, index[-2], index[-1] % rows])
    *batch, group, step, row = axes
    block, inner = s[copy].split(step, factor=STEP_BLOCK)
    s[copy].reorder(*batch, block, group, inner, row)
    s[copy].unroll(row)
    s[copy].parallel(s[copy].fuse(*batch, block))


def _exchange(stage: te.Stage, step: IterVar, column: IterVar, lanes: int) -> None:
    """Copy with rows and columns exchanged, a square after the other, so that a line of the cache is read once."""
    steps, inner_step = stage.split(step, factor=lanes)
    columns, inner_column = stage.split(column, factor=lanes)
    stage.reorder(steps, columns, inner_step, inner_column)
    stage.vectorize(inner_column)


def schedule_matmul_opencl_cpu(defn: Definition, target: Target) -> Schedule:
    """The same tile on processors through OpenCL: work-groups of one work-item, no barriers, explicit vectors.

    A kernel copies the second operand to panels of a tile's columns; a work-group of the next one computes a column of
    tiles.  Loops over registers are written out: what is indexed by a loop does not stay in them.
    """
    b, c = defn.inputs[1], defn.outputs[0]
    m = extent(c.shape[0])
    rows = min(ROWS, m) if m is not None else ROWS
    columns = 4 * LANES
    s = te.create_schedule(c.op)
    acc = accumulator(s, defn)
    inline_epilogue(s, defn)
    if m is None or m > FEW_ROWS:
        panel = s.cache_read(b, "global", [acc])
        block, step, column = s[panel].transform_layout(lambda k, j: [j // columns, k, j % columns])
        _, lane = s[panel].split(column, factor=LANES)
        s[panel].vectorize(lane)
        s[panel].bind(block, te.thread_axis("blockIdx.y"))
        s[panel].bind(step, te.thread_axis("blockIdx.x"))
        acc = s[acc].op.output(0)
    stage = s[c]
    i, j = c.op.axis
    jo, ji = stage.split(j, factor=columns)
    io, ii = stage.split(i, factor=rows)
    group, io = stage.split(io, factor=GROUP_TILES)
    jv, jl = stage.split(ji, factor=LANES)
    stage.reorder(jo, group, io, ii, jv, jl)
    stage.bind(jo, te.thread_axis("blockIdx.y"))
    stage.bind(group, te.thread_axis("blockIdx.x"))
    stage.pragma(jo, "unroll_explicit", 1)
    stage.unroll(ii)
    stage.unroll(jv)
    stage.vectorize(jl)
    inner = s[acc]
    inner.compute_at(stage, io)
    ai, aj = acc.op.axis
    av, al = inner.split(aj, factor=LANES)
    inner.reorder(acc.op.reduce_axis[0], ai, av, al)
    inner.unroll(ai)
    inner.unroll(av)
    inner.vectorize(al)
    return s
