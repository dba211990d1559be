"""Products of few rows on processors: each element of the second operand is read once, as memory delivers it.

One row is a vector: see ``schedule_vector_cpu``.  Several rows keep their sums for a strip of columns in the cache and
take a block of the sum's steps at a time: all rows of one vector of columns in registers, then the next vector.  Each
step asks for the line that it will need some vectors later.  A wide strip is few pages to look up for many lines, and
few vectors at its end that nobody asked for; a high block is few sums to load and store, but its lines, a power of two
apart, have to find places in the caches until they are used.
"""

from __future__ import annotations

from typing import Final

from gpucomp import te
from gpucomp.kernels.gemm.epilogue import accumulator, inline_epilogue, product_of
from gpucomp.kernels.processor import threads
from gpucomp.kernels.registry import Definition, extent
from gpucomp.te import Schedule

FEW: Final = 24  # rows whose sums are in registers, one vector each; of more, two blocks read the matrix
ALWAYS, MOST = 16, 36  # rows: of more, tiles and a packed panel are as fast
LARGE: Final = 1 << 21  # elements of the second operand
STRIP_BYTES: Final = 8192  # columns of a task, at most: the sums of 24 rows take a fifth of the second cache
LEAST_STRIP: Final = 1024
FEWER: Final = 8  # rows, upto which memory is slower than the arithmetic
COPY_STEPS: Final = 64  # steps whose rows of the first operand are copied at a time
LEAST_STEPS: Final = 32


def _strip(n: int | None, element: int) -> int:
    """Columns of a task: as many as leave one for each thread, but for the narrowest strips."""
    size = STRIP_BYTES
    while size > LEAST_STRIP and (n is None or n * element < size * threads()):
        size //= 2
    return size // element


def _block(m: int) -> tuple[int, int]:
    """Steps of the sum for a vector of columns, and how many vectors ahead lines are asked for."""
    return (16, 4) if m <= FEWER else (32, 2)


def schedule_few_rows(defn: Definition, lanes: int) -> Schedule:
    """Several rows: strips of columns in parallel, all rows, or half of them, of a vector of columns in registers."""
    a, b, c = defn.inputs[0], defn.inputs[1], defn.outputs[0]
    s = te.create_schedule(c.op)
    acc = accumulator(s, defn)
    inline_epilogue(s, defn)
    stage = s[c]
    m = extent(c.shape[0]) or FEW
    rows = -(-m // -(-m // FEW))
    i, j = c.op.axis
    block, row = stage.split(i, factor=rows)
    strip, inside = stage.split(j, factor=_strip(extent(c.shape[1]), product_of(defn).dtype.nbytes))
    vector, lane = stage.split(inside, factor=lanes)
    stage.reorder(strip, block, row, vector, lane)
    task = stage.fuse(strip, block)
    stage.parallel(task)
    stage.pragma(row, "whole_tiles")
    stage.vectorize(lane)

    # Neighbours in a column of the first operand lie powers of two apart, where caches have few places for them.
    columns = s.cache_read(a, "global", [acc])
    step, row = s[columns].transform_layout(lambda row, step: [step, row])
    steps, step = s[columns].split(step, factor=COPY_STEPS)
    s[columns].reorder(steps, row, step)
    s[columns].parallel(steps)

    inner = s[acc]
    inner.compute_at(stage, task)
    ai, aj = acc.op.axis
    inner.storage_align(ai, lanes, 0)
    vector, lane = inner.split(aj, factor=lanes)
    steps, ahead = _block(rows)
    outer, step = inner.split(acc.op.reduce_axis[0], factor=steps)
    inner.reorder(outer, vector, step, ai, lane)
    inner.prefetch(b, vector, ahead)
    inner.unroll(ai)
    inner.vectorize(lane)
    return s


def takes_few_rows(m: int | None, n: int | None, k: int | None, dots: bool) -> bool:
    """True where this schedule is better than tiles of more columns.

    More rows read each element of a panel of the second operand more often, which pays where no cache holds it.
    ``dots``: the processor has an instruction for sums of few products, and so less use for it.
    """
    if m is None or k is None or k < LEAST_STEPS:
        return False
    large = n is not None and n * k >= LARGE
    return m <= ALWAYS or (m <= MOST and large and not dots)
