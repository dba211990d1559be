"""Reductions on GPUs in two kernels: every block reduces a part, then one block the parts.

No atomics: the order of additions is fixed, and so is the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gpucomp import te
from gpucomp.kernels.registry import Definition, extent, row_lanes
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor
from gpucomp.tir.expr import IterVar

THREADS: Final = 256
VECTORS_IN_FLIGHT: Final = 4  # vectors that a thread loads before it adds the first
BLOCKS: Final = 1056  # eight on each of the 132 multiprocessors of the largest GPU that this was measured on
MANY: Final = 512  # threads of a block where blocks take tiles in turns, four blocks on each multiprocessor
IN_TURNS: Final = 528
COLUMN_PARTS: Final = 32  # of the rows: each thread of the second kernel loads as many sums, all at once
MORE_PARTS: Final = 256  # of narrow matrices, for which threads of the second kernel share a column
SHARED_BY: Final = 8  # so many threads
DEEP: Final = 8  # vectors of columns in flight, where a thread has so many rows


@dataclass(frozen=True, slots=True)
class ColumnTile:
    """How the columns of a matrix are reduced.

    Attributes:
        lanes: columns in a vector.
        columns: of a block.
        tall: rows of threads.
        turns: vectors that a thread has in flight.
        each: rows of a part; None where the number of rows is not known.
        parts: of the rows.
    """

    lanes: int
    columns: int
    tall: int
    turns: int
    each: int | None
    parts: int


def why(defn: Definition, target: Target) -> str:
    """What led to the tiles and parts, in one line."""
    x, _ = defn.intermediates
    size = extent(x.shape[0])
    if len(x.shape) == 2:
        of = column_tile(defn, target)
        return (
            f"{of.columns} columns in vectors of {of.lanes} for each block, {of.tall} rows of threads; "
            f"{of.turns} vectors in flight; {of.parts} parts of the rows, which a second kernel adds up"
        )
    threads, lanes = _threads_and_lanes(defn, target)
    tile = threads * lanes * VECTORS_IN_FLIGHT
    loads = f"{threads} threads with {VECTORS_IN_FLIGHT} vectors of {lanes} elements in flight"
    if size is not None and size <= tile:
        return f"{loads}; one block holds all"
    blocks = BLOCKS if size is None else min(IN_TURNS, -(-size // tile))
    return f"{loads}; {blocks} blocks take tiles in turns, and a second kernel adds up what they found"


def _threads_and_lanes(defn: Definition, target: Target) -> tuple[int, int]:
    size = extent(defn.intermediates[0].shape[0])
    threads = min(THREADS if size is None else MANY, target.max_num_threads)
    return threads, 1 if size is None else 16 // defn.inputs[0].dtype.nbytes


def schedule_all(defn: Definition, target: Target) -> Schedule:
    """Reduce a vector to one value."""
    (out,) = defn.outputs
    x, total = defn.intermediates
    s = te.create_schedule(out.op)
    size = extent(x.shape[0])
    threads, lanes = _threads_and_lanes(defn, target)
    tile = threads * lanes * VECTORS_IN_FLIGHT
    (k,) = s[total].op.reduce_axis
    if size is not None and size <= tile:
        stage = s[out]
        stage.bind(out.op.axis[0], te.thread_axis("blockIdx.x"))
        _reduce_in_block(s, total, x, k, threads, lanes)
        s[total].compute_at(stage, out.op.axis[0])
        s[total].set_scope("local")
        return s
    if size is None:
        part, _ = s[total].split(k, nparts=BLOCKS)
        partial = s.rfactor(total, part)
        (k,) = partial.op.reduce_axis
        _reduce_in_block(s, partial, x, k, threads, lanes)
    else:
        partial = _reduce_in_turns(s, total, x, threads, lanes, -(-size // tile))
    s[partial].bind(partial.op.axis[0], te.thread_axis("blockIdx.x"))
    _finish(s, out, total, min(THREADS, threads))
    return s


def _reduce_in_turns(s: Schedule, total: Tensor, x: Tensor, threads: int, lanes: int, tiles: int) -> Tensor:
    """Blocks take tiles in turns, so that at any time all of them read from one part of the memory."""
    (k,) = s[total].op.reduce_axis
    number, _ = s[total].split(k, factor=threads * lanes * VECTORS_IN_FLIGHT)
    _, block = s[total].split(number, factor=min(IN_TURNS, tiles))
    partial = s.rfactor(total, block)
    stage = s[partial]
    turns, inside = partial.op.reduce_axis
    vector, lane = stage.split(inside, factor=lanes)
    turn, thread = stage.split(vector, factor=threads)
    stage.reorder(thread, turns, turn, lane)
    stage.bind(thread, te.thread_axis("threadIdx.x"))
    stage.unroll(turn)
    stage.unroll(lane)
    s[x].compute_at(stage, turn)
    s[x].set_scope("local")
    if lanes > 1:
        s[x].vectorize(x.op.axis[-1])
    return partial


def _reduce_in_block(s: Schedule, tensor: Tensor, x: Tensor, k: IterVar, threads: int, lanes: int) -> None:
    """Threads take vectors in turns, some at a time, and add up across the block at the end."""
    stage = s[tensor]
    rest, lane = stage.split(k, factor=lanes)
    rest, thread = stage.split(rest, factor=threads)
    chunk, turn = stage.split(rest, factor=VECTORS_IN_FLIGHT)
    stage.reorder(thread, chunk, turn, lane)
    stage.bind(thread, te.thread_axis("threadIdx.x"))
    stage.unroll(turn)
    stage.unroll(lane)
    s[x].compute_at(stage, chunk if lanes == 1 else turn)
    s[x].set_scope("local")
    if lanes > 1:
        s[x].vectorize(x.op.axis[-1])


def _finish(s: Schedule, out: Tensor, total: Tensor, threads: int) -> None:
    """The kernel that reduces the parts."""
    stage = s[out]
    stage.bind(out.op.axis[0], te.thread_axis("blockIdx.x"))
    s[total].compute_at(stage, out.op.axis[0])
    s[total].set_scope("local")
    _, thread = s[total].split(s[total].op.reduce_axis[0], factor=threads)
    s[total].bind(thread, te.thread_axis("threadIdx.x"))


def column_tile(defn: Definition, target: Target) -> ColumnTile:
    """The tile for the columns of a matrix: parts are as many as fill the device once, each a few rounds long."""
    x, _ = defn.intermediates
    m, n = extent(x.shape[0]), extent(x.shape[1])
    lanes = row_lanes(n, defn.inputs[0].dtype.nbytes)
    while m is not None and lanes > m:
        lanes //= 2
    columns = min(THREADS, target.max_num_threads, 1 << 30 if n is None else n)
    tall = lanes
    across = 1 if n is None else -(-n // columns)
    if m is None:
        return ColumnTile(lanes, columns, tall, VECTORS_IN_FLIGHT, None, max(1, min(COLUMN_PARTS, BLOCKS // across)))
    most = max(COLUMN_PARTS, min(MORE_PARTS, m // (tall * DEEP)))
    parts = max(1, min(most, IN_TURNS // across))
    turns = DEEP if m >= parts * tall * DEEP else VECTORS_IN_FLIGHT
    each = -(-m // (parts * tall * turns)) * tall * turns
    return ColumnTile(lanes, columns, tall, turns, each, -(-m // each))


def schedule_columns(defn: Definition, target: Target) -> Schedule:
    """Reduce each column: a block takes 256 columns and a part of the rows.

    Each thread adds up a vector of columns in registers; the rows of threads meet in shared memory.
    """
    (out,) = defn.outputs
    x, total = defn.intermediates
    s = te.create_schedule(out.op)
    tile = column_tile(defn, target)
    lanes, columns, tall, parts = tile.lanes, tile.columns, tile.tall, tile.parts
    wide = columns // lanes
    (k,) = s[total].op.reduce_axis
    part, _ = s[total].split(k, nparts=parts) if tile.each is None else s[total].split(k, factor=tile.each)
    partial = s.rfactor(total, part)
    _, by_row = s[partial].split(partial.op.reduce_axis[0], factor=tall)
    by_thread = s.rfactor(partial, by_row)
    sums = s.cache_write(by_thread, "local")
    tx, ty = te.thread_axis("threadIdx.x"), te.thread_axis("threadIdx.y")

    stage = s[partial]
    p, j = partial.op.axis
    block, j = stage.split(j, factor=columns)
    row, column = stage.split(j, factor=wide)
    stage.reorder(p, block, row, column, *s[partial].op.reduce_axis)
    stage.bind(p, te.thread_axis("blockIdx.y"))
    stage.bind(block, te.thread_axis("blockIdx.x"))
    stage.bind(row, ty)
    stage.bind(column, tx)

    stage = s[by_thread]
    stage.compute_at(s[partial], block)
    stage.set_scope("shared")
    row, p, j = by_thread.op.axis
    thread, lane = stage.split(j, factor=lanes)
    stage.reorder(row, thread, p, lane)
    stage.bind(row, ty)
    stage.bind(thread, tx)

    inner = s[sums]
    inner.compute_at(stage, thread)
    inner.set_scope("local")
    chunk, turn = inner.split(inner.op.reduce_axis[0], factor=tile.turns)
    inner.reorder(chunk, turn, *inner.op.axis)
    inner.unroll(turn)
    inner.unroll(inner.op.axis[-1])
    s[x].compute_at(inner, turn)
    s[x].set_scope("local")
    if lanes > 1:
        s[x].vectorize(x.op.axis[1])

    _add_parts(s, out, total, parts)
    return s


def _add_parts(s: Schedule, out: Tensor, total: Tensor, parts: int) -> None:
    """The second kernel of a reduction of columns: few bytes are left."""
    stage, last = s[out], s[total]
    few = parts <= COLUMN_PARTS
    block, column = stage.split(out.op.axis[0], factor=128 if few else 128 // SHARED_BY)
    stage.bind(block, te.thread_axis("blockIdx.x"))
    stage.bind(column, te.thread_axis("threadIdx.x" if few else "threadIdx.y"))
    last.compute_at(stage, column)
    last.set_scope("local")
    (part,) = last.op.reduce_axis
    if not few:
        part, thread = last.split(part, factor=SHARED_BY)
        last.reorder(thread, part)
        last.bind(thread, te.thread_axis("threadIdx.x"))
    _, turn = last.split(part, factor=min(parts, COLUMN_PARTS))
    last.unroll(turn)
