"""Reductions along what lies side by side in memory: threads share a row.

Each thread loads vectors of 16 bytes, some of them before it uses the first; the threads of a row meet by shuffles and,
where they are several warps, in shared memory.  Few long rows go in parts, to as many blocks as keep the device busy;
a second kernel reduces what those left, in a fixed order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gpucomp.driver.defaults.access import Read
from gpucomp.driver.defaults.problem import BLOCKS, MOST_PARTS, THREADS, TURNS, Problem, first_of, in_registers
from gpucomp.te.api import thread_axis
from gpucomp.tir.expr import IterVar

ROW_BYTES: Final = 44  # of a row for each of its threads
BLOCK: Final = 128  # threads of a block of several rows
FEW: Final = 32  # rows of unknown length that go in parts
PART_BYTES: Final = 1 << 16  # of a row at least for each block that reduces a part of it


def schedule(problem: Problem, reduced: Sequence[IterVar]) -> str:
    """Schedule a reduction whose axes ``reduced`` are in the order of memory, the last of them fastest."""
    length, lanes, count = problem.length(), problem.lanes(reduced[-1]), problem.count()
    row_bytes = length * problem.nbytes(reduced[-1])
    parts = 1 if count is None else min(MOST_PARTS, BLOCKS // max(1, count), row_bytes // PART_BYTES)
    if parts > 1 and not problem.has_init:
        return _in_parts(problem, reduced, parts, lanes)
    limit = min(1024, problem.target.max_num_threads)
    threads = 1
    while threads < limit and threads * ROW_BYTES < row_bytes:
        threads *= 2
    per_block = max(1, min(BLOCK, limit) // threads)
    finish = problem.finish
    block, row = finish.split(finish.fuse(*finish.op.axis), factor=per_block)
    finish.bind(block, thread_axis("blockIdx.x"))
    finish.bind(row, thread_axis("threadIdx.y" if threads > 1 else "threadIdx.x"))
    problem.stage.compute_at(finish, row)
    fast = problem.own(reduced)[-1]
    loads = in_registers(problem.sch, problem.total, lanes, lambda read: read.step(fast) == 1)
    at = _spread(problem, problem.fused(reduced), threads, lanes)
    for load in loads:
        load.compute_at(problem.stage, at)
    together = f"{threads} threads share one" if threads > 1 else "each is a thread's"
    many = "" if per_block == 1 else f", {per_block} of them a block"
    return f"{_rows(count)} of {length}: {together}{many}, in vectors of {lanes}"


def _spread(problem: Problem, k: IterVar, threads: int, lanes: int) -> IterVar:
    """Vectors to threads; returns the loop in which they are loaded."""
    stage = problem.stage
    vector, lane = stage.split(k, factor=lanes)
    chunk, thread = stage.split(vector, factor=threads)
    chunk, turn = stage.split(
        chunk, factor=min(2 * TURNS if threads == 1 else TURNS, -(-problem.length() // (threads * lanes)))
    )
    stage.reorder(thread, chunk, turn, lane)
    stage.unroll(turn)
    stage.unroll(lane)
    if threads > 1:
        stage.bind(thread, thread_axis("threadIdx.x"))
    return turn


def _in_parts(problem: Problem, reduced: Sequence[IterVar], parts: int, lanes: int) -> str:
    """Blocks take tiles of a row in turns, so that at any time they read from one part of the memory."""
    sch = problem.sch
    threads = min(2 * THREADS, problem.target.max_num_threads)
    tile = threads * lanes * TURNS
    tiles = -(-problem.length() // tile)
    parts = -(-tiles // -(-tiles // min(parts, tiles)))
    number, _ = problem.stage.split(problem.fused(reduced), factor=tile)
    _, part = problem.stage.split(number, factor=parts)
    partial = first_of(sch.rfactor(problem.total, part))

    def moves(read: Read) -> bool:
        return read.uses(sch[partial].op.reduce_axis[-1])

    loads = in_registers(sch, partial, lanes, moves)
    stage = sch[partial]
    block, *data = stage.op.axis
    turns, inside = stage.op.reduce_axis
    vector, lane = stage.split(inside, factor=lanes)
    turn, thread = stage.split(vector, factor=threads)
    stage.reorder(*data, block, thread, turns, turn, lane)
    stage.bind(stage.fuse(*data, block), thread_axis("blockIdx.x"))
    stage.bind(thread, thread_axis("threadIdx.x"))
    stage.unroll(turn)
    stage.unroll(lane)
    for load in loads:
        load.compute_at(stage, turn)
    _reduce_parts(problem, parts)
    return (
        f"{_rows(problem.count())} of {problem.length()}, too few for the device: {parts} blocks of {threads} threads "
        f"reduce parts of each, in vectors of {lanes}; a second kernel reduces those"
    )


def any_length(problem: Problem, reduced: Sequence[IterVar]) -> str | None:
    """Few rows of unknown length, in parts; None, and nothing is done, where they are many or not counted."""
    count = problem.count()
    if count is None or count > FEW or problem.has_init:
        return None
    sch, parts = problem.sch, BLOCKS // max(1, count)
    part, _ = problem.stage.split(problem.fused(reduced), nparts=parts)
    partial = first_of(sch.rfactor(problem.total, part))
    stage = sch[partial]
    block, *data = stage.op.axis
    stage.reorder(*data, block, *stage.op.reduce_axis)
    _, thread = stage.split(stage.op.reduce_axis[0], factor=problem.threads)
    stage.bind(stage.fuse(*data, block), thread_axis("blockIdx.x"))
    stage.bind(thread, thread_axis("threadIdx.x"))
    _reduce_parts(problem, parts)
    return f"{_rows(count)} of any length: {parts} blocks reduce parts of each, a second kernel those"


def _reduce_parts(problem: Problem, parts: int) -> None:
    """The second kernel: a block for each row."""
    finish, total = problem.finish, problem.stage
    row = finish.fuse(*finish.op.axis)
    finish.bind(row, thread_axis("blockIdx.x"))
    total.compute_at(finish, row)
    few = min(1 << (parts - 1).bit_length(), problem.threads)
    _, thread = total.split(total.op.reduce_axis[0], factor=few)
    total.bind(thread, thread_axis("threadIdx.x"))


def _rows(count: int | None) -> str:
    return "one row" if count == 1 else f"{'any number of' if count is None else count} rows"
