"""Products of a matrix and a vector on processors: the matrix is read once, as fast as memory delivers it.

A task goes through several streams of neighbouring rows side by side, each from one end to the other, and takes some
lines of one before it turns to the next.  The streams lie far apart, so that the processor fetches ahead in each of
them; rows next to each other, one line of each at a time, come at two thirds of the rate.
"""

from __future__ import annotations

from typing import Final

from gpucomp import te
from gpucomp.kernels.gemm.epilogue import inline_epilogue, product_of
from gpucomp.kernels.gemm.layout import Operands
from gpucomp.kernels.registry import Definition, extent
from gpucomp.te import Schedule, Tensor

STREAMS, LINES = 4, 8
PARTS: Final = 8  # of a sum, each over some streams
TASKS: Final = 16  # where rows are summed
ROW_BYTES: Final = 16384  # of a part of one row of sums that stays in the first cache


def takes_vector(operands: Operands) -> bool:
    """True for a product of one row, or of one column, that is long enough for several streams."""
    if operands.batched or operands.k is None or operands.k < PARTS * STREAMS:
        return False
    return operands.m == 1 or (operands.n == 1 and operands.m is not None)


def schedule_vector(defn: Definition, operands: Operands, lanes: int) -> Schedule:
    """Sum along the rows of the matrix where they lie in memory, or add the rows up."""
    row = operands.m == 1
    along = operands.b_along_k if row else operands.a_along_k
    if not along:
        return schedule_sum_of_rows(defn, lanes, 1 if row else 0)
    s = te.create_schedule(defn.outputs[0].op)
    inline_epilogue(s, defn)
    schedule_sums_of_rows(s, product_of(defn), defn.outputs[0], 1 if row else 0, lanes)
    return s


def schedule_sum_of_rows(defn: Definition, lanes: int, axis: int = 1) -> Schedule:
    """The sum of rows of the matrix, each times an element of the vector; ``axis``: of the result, along the rows.

    Parts of the sum in parallel, then the sum of the parts.
    """
    product, c = product_of(defn), defn.outputs[0]
    s = te.create_schedule(c.op)
    inline_epilogue(s, defn)
    part, _ = s[product].split(product.op.reduce_axis[0], nparts=PARTS)
    sums = s.rfactor(product, part)
    inner = s[sums]
    number, *places = sums.op.axis
    j, one = places[axis], places[1 - axis]
    strip, inside = inner.split(j, factor=ROW_BYTES // product.dtype.nbytes)
    block, inside = inner.split(inside, factor=LINES * lanes)
    vector, lane = inner.split(inside, factor=lanes)
    stream, step = inner.split(sums.op.reduce_axis[0], nparts=STREAMS)
    inner.reorder(number, strip, step, one, block, stream, vector, lane)
    inner.unroll(stream)
    inner.unroll(vector)
    inner.vectorize(lane)
    inner.parallel(inner.fuse(number, strip))

    stage = s[c]
    j, one = c.op.axis[axis], c.op.axis[1 - axis]
    vector, lane = stage.split(j, factor=lanes)
    stage.vectorize(lane)
    if product is c:
        stage.reorder(one, vector, s[product].op.reduce_axis[0], lane)
    else:
        total = s[product]
        total.compute_at(stage, vector)
        total.set_scope("local")
        total.reorder(s[product].op.reduce_axis[0], total.op.axis[axis])
        total.vectorize(total.op.axis[axis])
    return s


def schedule_sums_of_rows(s: Schedule, total: Tensor, out: Tensor, axis: int, lanes: int) -> None:
    """A sum along each row of the matrix; ``axis``: of the sums, and of the result, that counts the rows.

    Args:
        s: the schedule, in which nothing but ``total`` is computed for ``out``.
        total: the sums; a reduction.
        out: the result, of the same shape, or ``total``.
        axis: which of its axes; the others have one element.
        lanes: of a vector.
    """
    rows = extent(out.shape[axis])
    stream = 1 if rows is None else -(-rows // (TASKS * STREAMS))
    _, lane = s[total].split(s[total].op.reduce_axis[0], factor=lanes)
    part = s.rfactor(total, lane)
    inner = s[part]
    group, place, *others, lane = inner.transform_layout(
        lambda lane, *at: [at[axis] // stream, at[axis] % stream, *at[:axis], *at[axis + 1 :], lane]
    )
    inner.set_scope("local")
    stage = s[out]
    outer, place_out = stage.split(stage.op.axis[axis], factor=stream)
    task, which = stage.split(outer, factor=STREAMS)
    stage.reorder(task, place_out, which)
    stage.parallel(task)
    if total is not out:
        s[total].set_scope("local")
        s[total].compute_at(stage, which)
    inner.compute_at(stage, place_out)
    block, line = inner.split(inner.op.reduce_axis[0], factor=LINES)
    inner.reorder(place, *others, block, group, line, lane)
    inner.unroll(group)
    inner.unroll(line)
    inner.vectorize(lane)
