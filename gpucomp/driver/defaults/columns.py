"""Reductions across memory: threads side by side have columns, so that they read whole lines.

Rows of threads take rows of the matrix in turns and meet in shared memory; where columns are too few for the device,
blocks take parts of the rows, which a second kernel adds up in a fixed order.
"""

from __future__ import annotations

from typing import Final

from gpucomp.driver.defaults.access import extent
from gpucomp.driver.defaults.problem import BLOCKS, MOST_PARTS, THREADS, TURNS, Problem, first_of, in_registers
from gpucomp.te.api import thread_axis
from gpucomp.te.stage import Stage
from gpucomp.te.tensor import Tensor
from gpucomp.tir.expr import IterVar

WIDE: Final = 64  # threads side by side
DEEP: Final = 2 * TURNS  # vectors of a thread in flight, where it has so many rows
LEAST_BYTES: Final = 3 << 20  # of which fewer are read before a second kernel has started
UNROLLED: Final = 32  # parts that a thread of the second kernel loads at once
NARROW: Final = 32  # threads side by side, where columns are not counted


def schedule(problem: Problem, fast: IterVar) -> str | None:
    """Schedule a reduction over rows of a matrix, whose columns are axis ``fast``.

    Returns:
        Why so; None, and nothing is done, where a thread for each column is as good.
    """
    width, length, count = extent(fast), problem.length(), problem.count()
    if width is None or count is None or None in [extent(axis) for axis in problem.op.reduce_axis]:
        return _of_any_size(problem, fast)
    if count * length * problem.nbytes(fast) < LEAST_BYTES:
        return None
    lanes = problem.lanes(fast)
    wide = min(-(-width // lanes), WIDE)
    tall = max(1, problem.threads // wide)
    while tall > 1 and tall * TURNS > length:
        tall //= 2
    blocks = count // width * -(-width // (wide * lanes))
    each = tall * DEEP
    parts = max(1, min(MOST_PARTS, BLOCKS // blocks, length // each))
    if problem.has_init or (tall == 1 and parts < 2):
        return None
    sch = problem.sch
    k = problem.fused(problem.op.reduce_axis)
    partial = stored = problem.total
    if parts > 1:
        size = -(-length // (parts * each)) * each
        part, _ = problem.stage.split(k, factor=size)
        parts = -(-length // size)
        stored = first_of(sch.rfactor(problem.total, part))
        partial = first_of(sch.cache_write(list(sch[stored].op.outputs), "local"))
        [k] = sch[partial].op.reduce_axis
    _, by_row = sch[partial].split(k, factor=tall)
    made = sch.rfactor(partial, by_row)
    rows = made if isinstance(made, list) else [made]
    sums = first_of(sch.cache_write(rows, "local"))
    at = problem.op.axis.index(fast) + (1 if parts > 1 else 0)
    home = sch[stored] if parts > 1 else problem.finish
    block, thread = _finish_block(home, at if parts > 1 else problem.place(fast), wide, lanes, tall)
    sch[partial].compute_at(home, thread)
    sch[partial].unroll(sch[partial].op.reduce_axis[0])
    _rows_of_threads(problem, rows[0], home, block, 1 + at, (wide, lanes))
    _add_up(problem, sums, rows[0], 1 + at, lanes, -(-length // (tall * parts)))
    if parts > 1:
        _add_parts(problem, parts)
    then = f"; {parts} parts, which a second kernel adds up" if parts > 1 else ""
    return f"{width} columns of {length}: {wide} threads side by side, {tall} rows of them, in vectors of {lanes}{then}"


def _of_any_size(problem: Problem, fast: IterVar) -> str:
    """Columns that are not counted: the threads of a column meet at the end."""
    finish, stage = problem.finish, problem.stage
    tall = max(1, min(2 * THREADS, problem.target.max_num_threads) // NARROW)
    axes = list(finish.op.axis)
    axes.append(axes.pop(problem.place(fast)))
    finish.reorder(*axes)
    block, column = finish.split(finish.fuse(*axes), factor=NARROW)
    finish.bind(block, thread_axis("blockIdx.x"))
    finish.bind(column, thread_axis("threadIdx.x"))
    stage.compute_at(finish, column)
    _, row = stage.split(problem.fused(problem.op.reduce_axis), factor=tall)
    stage.bind(row, thread_axis("threadIdx.y"))
    return f"columns of any number and length: {NARROW} threads side by side, {tall} rows of them"


def _finish_block(stage: Stage, place: int, wide: int, lanes: int, tall: int) -> tuple[IterVar, IterVar]:
    """Blocks of columns, each thread some of them; returns the loop of a block and that of a thread."""
    axes = list(stage.op.axis)
    fast = axes.pop(place)
    block, column = stage.split(fast, factor=wide * lanes)
    row, column = stage.split(column, factor=wide)
    if lanes % tall == 0:  # else the first row of threads finishes all columns
        row, again = stage.split(row, nparts=tall)
        stage.bind(row, thread_axis("threadIdx.y"))
        stage.reorder(*axes, block, row, again, column, *stage.op.reduce_axis)
    else:
        stage.reorder(*axes, block, row, column, *stage.op.reduce_axis)
    block = stage.fuse(*axes, block)
    stage.bind(block, thread_axis("blockIdx.x"))
    stage.bind(column, thread_axis("threadIdx.x"))
    return block, column


def _rows_of_threads(
    problem: Problem, rows: Tensor, home: Stage, block: IterVar, place: int, tile: tuple[int, int]
) -> None:
    """What rows of threads have added up, in shared memory."""
    stage = problem.sch[rows]
    stage.compute_at(home, block)
    stage.set_scope("shared")
    row, *rest = stage.op.axis
    vector, lane = stage.split(rest.pop(place - 1), factor=tile[1])
    again, thread = stage.split(vector, factor=tile[0])  # one, of a part of a row too
    stage.reorder(row, *rest, again, thread, lane)
    stage.bind(row, thread_axis("threadIdx.y"))
    stage.bind(thread, thread_axis("threadIdx.x"))


def _add_up(problem: Problem, sums: Tensor, rows: Tensor, place: int, lanes: int, length: int) -> None:
    """A thread's own sums, in registers: some vectors in flight."""
    sch = problem.sch
    column = sch[sums].op.axis[place]
    loads = in_registers(sch, sums, lanes, lambda read: read.step(column) == 1)
    stage, shared = sch[sums], sch[rows]
    stage.compute_at(shared, shared.leaf_iter_vars[-2])
    *others, k = stage.op.reduce_axis
    chunk, turn = stage.split(k, factor=DEEP if length >= 2 * DEEP else min(TURNS, max(1, length)))
    stage.reorder(*others, chunk, turn, *stage.op.axis)
    stage.unroll(turn)
    stage.unroll(stage.op.axis[place])
    for load in loads:
        load.compute_at(stage, turn)


def _add_parts(problem: Problem, parts: int) -> None:
    """The second kernel, of which few bytes are left."""
    finish, stage = problem.finish, problem.stage
    fused = finish.fuse(*finish.op.axis)
    block, thread = finish.split(fused, factor=min(THREADS // 2, problem.target.max_num_threads))
    finish.bind(block, thread_axis("blockIdx.x"))
    finish.bind(thread, thread_axis("threadIdx.x"))
    stage.compute_at(finish, thread)
    _, turn = stage.split(stage.op.reduce_axis[0], factor=min(parts, UNROLLED))
    stage.unroll(turn)
