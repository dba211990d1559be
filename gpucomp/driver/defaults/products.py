"""Sums of products, and whatever else uses elements of two tensors many times.

Each thread computes a few rows by a few columns of the result in registers: what it loads of one tensor serves all
that it loads of the other.  Its columns lie apart, so that threads side by side read and write side by side.
"""

from __future__ import annotations

from typing import Final

from gpucomp.driver.defaults.access import extent, reads_of
from gpucomp.driver.defaults.problem import Problem
from gpucomp.te.api import thread_axis
from gpucomp.te.operation import ComputeOp
from gpucomp.tir.expr import IterVar

BLOCK: Final = 128  # threads
WIDE: Final = 32  # threads side by side, at most
SIDES: Final = ((4, 1 << 19), (2, 1 << 17))  # rows and columns of a thread, for so many elements of the result
STEPS: Final = 16  # of the reduction that are written out


def schedule(problem: Problem) -> str | None:
    """Schedule a reduction as a product; None, and nothing is done, where it is none or too small."""
    count = problem.count()
    found = _rows_and_columns(problem.op)
    if count is None or found is None or problem.target.max_num_threads < BLOCK:
        return None
    row, column = found
    side = next((side for side, least in SIDES if count >= least), 1)
    if side == 1 or (extent(row) or 0) < 2 * side or (extent(column) or 0) < 4 * side:
        return None
    wide = min(WIDE, 1 << (-(-(extent(column) or 1) // side) - 1).bit_length())
    tall = BLOCK // wide
    finish, total = problem.finish, problem.stage
    axes = list(finish.op.axis)
    places = problem.place(row), problem.place(column)
    others = [axis for i, axis in enumerate(axes) if i not in places]
    block_i, i = finish.split(axes[places[0]], factor=tall * side)
    i, mine = finish.split(i, factor=side)
    block_j, j = finish.split(axes[places[1]], factor=wide * side)
    again, j = finish.split(j, factor=wide)
    finish.reorder(*others, block_i, block_j, again, i, j, mine)
    finish.bind(finish.fuse(*others, block_i, block_j), thread_axis("blockIdx.x"))
    finish.bind(again, thread_axis("vthread", name="vx"))
    finish.bind(i, thread_axis("threadIdx.y"))
    finish.bind(j, thread_axis("threadIdx.x"))
    finish.unroll(mine)
    total.compute_at(finish, j)
    own = total.op
    assert isinstance(own, ComputeOp)
    *outer, k = own.reduce_axis
    written = extent(k) or 0
    if not outer and not 1 < written <= STEPS:
        rest, k = total.split(k, factor=4)
        outer = [rest]
    total.reorder(*outer, k, *own.axis)
    total.unroll(k)
    for axis in own.axis:
        total.unroll(axis)
    return f"a product: each thread {side} rows and {side} columns in registers, blocks of {tall} by {wide} threads"


def _rows_and_columns(op: ComputeOp) -> tuple[IterVar, IterVar] | None:
    """Two axes of the result, each of which only one of two factors depends on; the second is the fastest."""
    long = [axis for axis in op.axis if extent(axis) != 1]
    if len(long) < 2 or len(op.body) != 1:
        return None
    column, reads = long[-1], reads_of(op)
    with_column = [read for read in reads if read.uses(column)]
    without = [read for read in reads if not read.uses(column)]
    found: IterVar | None = None
    for axis in long[:-1]:
        if any([read.uses(axis) for read in with_column]) or not any([read.uses(axis) for read in without]):
            continue
        if found is None or (extent(axis) or 0) > (extent(found) or 0):
            found = axis
    return None if found is None or not with_column else (found, column)
