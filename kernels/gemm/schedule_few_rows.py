"""Products of few rows on processors: each element of the second operand is read once, as memory delivers it.

With so few rows the time is that of reading the matrix.  One row is multiplied in parts of the sum, so that every
thread reads memory from one end to the other; several rows keep their sums for a strip of columns in the cache, and
ask for the lines of the next vectors while they work on these.
"""

from __future__ import annotations

from typing import Final

from gpucomp import te
from gpucomp.kernels.gemm.epilogue import accumulator, inline_epilogue, product_of
from gpucomp.kernels.registry import Definition, extent
from gpucomp.te import Schedule

FEW: Final = 16  # rows whose sums fit in registers, one vector each, beside the operands
STRIP_BYTES: Final = 1024  # columns of a task: the sums of 16 rows take half of the first cache
STEPS, AHEAD = 32, 2  # steps of the sum for a vector of columns; how many vectors ahead lines are asked for
ROW_BYTES: Final = 16384  # of a part of one row that stays in the first cache
ROW_STEPS, PARTS = 8, 8


def schedule_few_rows(defn: Definition, lanes: int) -> Schedule:
    """Several rows: strips of columns in parallel, all rows of a vector of columns in registers."""
    a, b, c = defn.inputs[0], defn.inputs[1], defn.outputs[0]
    s = te.create_schedule(c.op)
    acc = accumulator(s, defn)
    inline_epilogue(s, defn)
    stage = s[c]
    i, j = c.op.axis
    strip, inside = stage.split(j, factor=STRIP_BYTES // product_of(defn).dtype.nbytes)
    vector, lane = stage.split(inside, factor=lanes)
    stage.reorder(strip, i, vector, lane)
    stage.parallel(strip)
    stage.vectorize(lane)

    # Neighbours in a column of the first operand lie powers of two apart, where caches have few places for them.
    columns = s.cache_read(a, "global", [acc])
    s[columns].transform_layout(lambda row, step: [step, row])

    inner = s[acc]
    inner.compute_at(stage, strip)
    ai, aj = acc.op.axis
    inner.storage_align(ai, lanes, 0)
    vector, lane = inner.split(aj, factor=lanes)
    outer, step = inner.split(acc.op.reduce_axis[0], factor=STEPS)
    inner.reorder(outer, vector, step, ai, lane)
    inner.prefetch(b, vector, AHEAD)
    inner.unroll(ai)
    inner.vectorize(lane)
    return s


def schedule_one_row(defn: Definition, lanes: int) -> Schedule:
    """One row: parts of the sum in parallel, each over neighbouring rows of the matrix; then the sum of the parts."""
    product, c = product_of(defn), defn.outputs[0]
    s = te.create_schedule(c.op)
    inline_epilogue(s, defn)
    part, _ = s[product].split(product.op.reduce_axis[0], nparts=PARTS)
    sums = s.rfactor(product, part)
    inner = s[sums]
    number, i, j = sums.op.axis
    strip, inside = inner.split(j, factor=ROW_BYTES // product.dtype.nbytes)
    vector, lane = inner.split(inside, factor=lanes)
    outer, step = inner.split(sums.op.reduce_axis[0], factor=ROW_STEPS)
    inner.reorder(number, strip, outer, i, vector, step, lane)
    inner.unroll(step)
    inner.vectorize(lane)
    inner.parallel(inner.fuse(number, strip))

    stage = s[c]
    i, j = c.op.axis
    vector, lane = stage.split(j, factor=lanes)
    stage.vectorize(lane)
    if product is c:
        stage.reorder(i, vector, s[product].op.reduce_axis[0], lane)
    else:
        total = s[product]
        total.compute_at(stage, vector)
        total.set_scope("local")
        total.reorder(s[product].op.reduce_axis[0], total.op.axis[1])
        total.vectorize(total.op.axis[1])
    return s


def takes_few_rows(m: int | None, k: int | None) -> bool:
    """True where one of these schedules is better than tiles."""
    return m is not None and k is not None and (m <= FEW) and k >= PARTS * ROW_STEPS


def schedule(defn: Definition, lanes: int) -> Schedule:
    """The one for the number of rows."""
    one = extent(defn.outputs[0].shape[0]) == 1
    return schedule_one_row(defn, lanes) if one else schedule_few_rows(defn, lanes)
