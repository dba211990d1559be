"""Which way a reduction goes.

What decides is the largest tensor that it reads: where each of its elements is used once, there is nothing to do but
to read it, along the rows that it is stored in.  Everything else (windows, products) is a loop of one thread, or of a
block where results are few and sums long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gpucomp.driver.defaults import columns, plain, rows
from gpucomp.driver.defaults.access import Read, extent, product
from gpucomp.driver.defaults.problem import Problem, main_read
from gpucomp.target import Target
from gpucomp.te.api import thread_axis
from gpucomp.te.operation import ComputeOp
from gpucomp.te.stage import Stage
from gpucomp.te.state import Schedule
from gpucomp.tir.expr import IterVar

UNROLLED: Final = 16  # steps of a loop that is written out
LONG: Final = 256  # steps of a sum that a block shares
FEW: Final = 1 << 16  # results, of which more are a thread's each
SHARED_BY: Final = 128  # threads of such a block


def schedule(sch: Schedule, origin: ComputeOp, op: ComputeOp, finish: ComputeOp | None, target: Target) -> str:
    """Schedule a reduction, and the stage that finishes it; returns why so.

    Args:
        sch: the schedule.
        origin: the reduction as the schedule knows it.
        op: with what is inlined into it.
        finish: what is computed of each of its elements, and nothing else reads; None stores them as they are.
        target: what for.
    """
    if 0 in [extent(axis) for axis in op.root_iter_vars]:
        if finish is not None:
            plain.schedule(sch, finish, target)
        return plain.schedule(sch, origin, target)
    if finish is None:
        total = sch.cache_write(list(origin.outputs), "local")[0]
        problem = Problem(sch, total, sch[origin], op, main_read(op), target)
    else:
        problem = Problem(sch, origin.output(0), sch[finish], op, main_read(op), target)
        problem.stage.set_scope("local")
    return _streamed(problem) or _by_thread(problem)


def _streamed(problem: Problem) -> str | None:
    """Along the rows of what it reads; None where that is used several times, or not read in rows."""
    op, main = problem.op, problem.main
    long = [axis for axis in op.root_iter_vars if extent(axis) != 1]
    if main is None or not _once(op, main, long) or not any([axis in long for axis in op.reduce_axis]):
        return None
    steps = {axis: main.step(axis) for axis in op.root_iter_vars}
    if None in steps.values() or problem.target.max_num_threads < SHARED_BY:
        return None
    [*_, fast] = sorted(long, key=lambda axis: -(steps[axis] or 0))
    if steps[fast] != 1:
        return None
    if fast not in op.reduce_axis:
        return columns.schedule(problem, fast)
    reduced = sorted(op.reduce_axis, key=lambda axis: -(steps[axis] or 0))
    if product(reduced) is None:
        return rows.any_length(problem, reduced) or _by_block(problem)
    return rows.schedule(problem, reduced)


def _once(op: ComputeOp, main: Read, long: Sequence[IterVar]) -> bool:
    """Whether each element of the main tensor is used once."""
    count = product(op.root_iter_vars)
    small = count is None or main.elements is None or count <= main.elements
    return small and all([main.uses(axis) for axis in long])


def _by_thread(problem: Problem) -> str:
    """Each element of the result by a thread, or by a block where they are few and sums are long."""
    count, length = problem.count(), product(problem.op.reduce_axis)
    if (count is None or count <= FEW) and (length is None or length >= LONG):
        return _by_block(problem)
    finish, threads = problem.finish, problem.threads
    block, thread = finish.split(finish.fuse(*finish.op.axis), factor=threads)
    finish.bind(block, thread_axis("blockIdx.x"))
    finish.bind(thread, thread_axis("threadIdx.x"))
    problem.stage.compute_at(finish, thread)
    _unroll(problem.stage, problem.stage.op.reduce_axis)
    return f"each element by a thread, in a register; blocks of {threads} threads"


def _unroll(stage: Stage, axes: Sequence[IterVar]) -> None:
    size = 1
    for axis in reversed(axes):
        size *= extent(axis) or UNROLLED + 1
        if size > UNROLLED:
            return
        stage.unroll(axis)


def _by_block(problem: Problem) -> str:
    """The threads of a block share each element."""
    finish, stage = problem.finish, problem.stage
    threads = min(SHARED_BY, problem.target.max_num_threads)
    row = finish.fuse(*finish.op.axis)
    finish.bind(row, thread_axis("blockIdx.x"))
    stage.compute_at(finish, row)
    _, thread = stage.split(problem.fused(problem.op.reduce_axis), factor=threads)
    stage.bind(thread, thread_axis("threadIdx.x"))
    return f"each element by a block of {threads} threads"
