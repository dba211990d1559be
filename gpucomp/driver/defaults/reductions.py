"""Reductions: along rows by threads that share one, along columns by threads that each have their own.

What decides is the largest tensor that is read once, and which axis goes from one of its elements to the next.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gpucomp.driver.defaults import plain
from gpucomp.driver.defaults.access import VECTOR, Read, extent, known, lanes_of, product, reads_of
from gpucomp.target import Target
from gpucomp.te.api import thread_axis
from gpucomp.te.operation import ComputeOp
from gpucomp.te.stage import Stage
from gpucomp.te.state import Schedule
from gpucomp.te.tensor import Tensor
from gpucomp.tir.expr import IterVar, Reduce

THREADS: Final = 256
ROW_BYTES: Final = 44  # of a row for each of its threads
MOST_TURNS: Final = 4  # vectors that a thread loads before it uses the first
BLOCKS: Final = 528  # four on each of the 132 multiprocessors of the largest GPU that this was measured on
PART_BYTES: Final = 1 << 16  # of a row at least that a block reduces, where rows are divided
MOST_PARTS: Final = 256
UNROLLED: Final = 64
MOST_WIDE: Final = 64  # threads side by side


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A reduction to be scheduled.

    Attributes:
        sch: the schedule.
        total: the stage that reduces, in registers.
        finish: the stage that stores what it gives.
        op: the reduction with what is inlined into it.
        main: what it reads most of.
        target: what for.
    """

    sch: Schedule
    total: Tensor
    finish: Stage
    op: ComputeOp
    main: Read
    target: Target

    @property
    def stage(self) -> Stage:
        return self.sch[self.total]

    def axes(self, chosen: Sequence[IterVar]) -> list[IterVar]:
        """Those of the stage that stand for some of ``op``."""
        own = self.stage.op.root_iter_vars
        return [own[self.op.root_iter_vars.index(axis)] for axis in chosen]


def schedule(sch: Schedule, origin: ComputeOp, op: ComputeOp, finish: ComputeOp | None, target: Target) -> str:
    """Schedule a reduction, and the stage that finishes it; returns why so."""
    main = main_read(op)
    steps = None if main is None else [main.step(axis) for axis in op.root_iter_vars]
    if product(op.root_iter_vars) is None or product(op.root_iter_vars) == 0 or target.max_num_threads < 64:
        if finish is not None:
            plain.schedule(sch, finish, target)
        return plain.schedule(sch, origin, target)
    if finish is None:
        total = sch.cache_write(list(origin.outputs), "local")[0]
        problem = Problem(sch, total, sch[origin], op, main, target)
    else:
        problem = Problem(sch, origin.output(0), sch[finish], op, main, target)
        problem.stage.set_scope("local")
    if main is None or steps is None or None in steps or not streams(op, main):
        return by_thread(problem)
    order = {axis: step for axis, step in zip(op.root_iter_vars, steps, strict=True)}
    long = [axis for axis in op.root_iter_vars if extent(axis) != 1]
    if all([extent(axis) == 1 for axis in op.reduce_axis]):
        return by_thread(problem)
    fast = min(long, key=lambda axis: order[axis] or 1 << 60, default=None)
    if fast is None or order[fast] != 1:
        return by_thread(problem)
    if fast in op.reduce_axis:
        reduced = sorted(op.reduce_axis, key=lambda axis: -(order[axis] or 0))
        return rows(problem, reduced)
    least = min([order[axis] or 0 for axis in op.reduce_axis])
    inner = sorted([a for a in op.axis if 0 < (order[a] or 0) < least], key=lambda axis: -(order[axis] or 0))
    return columns(problem, inner)


def main_read(op: ComputeOp) -> Read | None:
    """What is read at most places; of several the one of the widest elements."""
    found: Read | None = None
    best = (0, 0)
    for read in reads_of(op):
        places = math.prod([extent(axis) or 1 for axis in op.root_iter_vars if read.uses(axis)])
        if (places, read.tensor.dtype.nbytes) > best:
            found, best = read, (places, read.tensor.dtype.nbytes)
    return found


def streams(op: ComputeOp, main: Read) -> bool:
    """Whether each element of the main tensor is used once, so that all there is to do is to read it."""
    used = [axis for axis in op.root_iter_vars if extent(axis) != 1]
    count = product(used)
    return all([main.uses(axis) for axis in used]) and main.elements is not None and (count or 0) <= main.elements


def by_thread(problem: Problem) -> str:
    """Each element of the result by a thread, in registers."""
    finish = problem.finish
    threads = min(THREADS, problem.target.max_num_threads)
    block, thread = finish.split(finish.fuse(*finish.op.axis), factor=threads)
    finish.bind(block, thread_axis("blockIdx.x"))
    finish.bind(thread, thread_axis("threadIdx.x"))
    problem.stage.compute_at(finish, thread)
    _unroll(problem.stage, problem.stage.op.reduce_axis)
    return f"each element by a thread, in registers; blocks of {threads} threads"


def _unroll(stage: Stage, axes: Sequence[IterVar]) -> None:
    size = 1
    for axis in reversed(axes):
        size *= extent(axis) or UNROLLED + 1
        if size > UNROLLED:
            return
        stage.unroll(axis)


def _loads(problem: Problem, tensor: Tensor, fast: IterVar, lanes: int) -> list[Stage]:
    """Vectors in registers of what ``tensor`` reads along ``fast``; to be placed."""
    sch, made = problem.sch, list[Stage]()
    op = sch[tensor].op
    assert isinstance(op, ComputeOp)
    for source in op.input_tensors:
        reads = [read for read in reads_of(op) if read.tensor is source]
        if len(reads) != 1 or not reads[0].indices or not reads[0].indices[-1].dtype.is_int:
            continue
        [read] = reads
        if read.step(fast) != 1 or any([len(read.tensor.shape) == 0]):
            continue
        copy = sch.cache_read(source, "local", [tensor])
        if lanes > 1 and (known(source.shape[-1]) or 1) % lanes == 0:
            sch[copy].vectorize(copy.op.axis[-1])
        made.append(sch[copy])
    return made


def _spread(stage: Stage, k: IterVar, threads: int, lanes: int, length: int) -> tuple[IterVar, list[IterVar]]:
    """Vectors of a row to threads; where loads go, and the loops outside of the threads' part, innermost last."""
    rest, lane = stage.split(k, factor=lanes)
    chunk, thread = stage.split(rest, factor=threads)
    turns = min(MOST_TURNS, max(1, -(-length // (threads * lanes))))
    chunk, turn = stage.split(chunk, factor=turns)
    stage.reorder(thread, chunk, turn, lane)
    stage.unroll(turn)
    stage.unroll(lane)
    stage.bind(thread, thread_axis("threadIdx.x"))
    return turn, [chunk]


def rows(problem: Problem, reduced: list[IterVar]) -> str:
    """Threads share a row: vectors, then shuffles."""
    op, target = problem.op, problem.target
    count, length = product(op.axis) or 1, product(reduced) or 1
    nbytes, lanes = _vectors(problem, reduced[-1])
    limit = min(1024, target.max_num_threads)
    threads = 1
    while threads < limit and threads * ROW_BYTES < length * nbytes:
        threads *= 2
    parts = min(MOST_PARTS, BLOCKS // max(1, count), length * nbytes // PART_BYTES)
    body = op.body[0]
    assert isinstance(body, Reduce)
    if parts > 1 and not body.init:
        return _row_parts(problem, reduced, parts, lanes)
    stage, finish = problem.stage, problem.finish
    per_block = max(1, min(2 * THREADS // 4, limit) // threads)
    row = finish.fuse(*finish.op.axis)
    block, row = finish.split(row, factor=per_block)
    finish.bind(block, thread_axis("blockIdx.x"))
    finish.bind(row, thread_axis("threadIdx.y" if threads > 1 else "threadIdx.x"))
    stage.compute_at(finish, row)
    own = problem.axes(reduced)
    fast = own[-1]
    loads = _loads(problem, problem.total, fast, lanes)
    stage = problem.stage
    own = problem.axes(reduced)
    stage.reorder(*own)
    k = stage.fuse(*own) if len(own) > 1 else own[0]
    if threads == 1:
        rest, lane = stage.split(k, factor=lanes)
        stage.unroll(lane)
        stage.unroll(rest)
        at = rest
    else:
        at, _ = _spread(stage, k, threads, lanes, length)
    for load in loads:
        load.compute_at(stage, at)
    return (
        f"{count} rows of {length}: {threads} threads share one, {per_block} rows a block, "
        f"vectors of {lanes} elements"
    )


def _vectors(problem: Problem, fast: IterVar) -> tuple[int, int]:
    """Bytes of the widest element that is read along an axis, and elements of a vector there."""
    wide = [r.tensor.dtype.nbytes for r in reads_of(problem.op) if r.uses(fast)]
    nbytes = max(wide)
    return nbytes, lanes_of(extent(fast), nbytes)


def _row_parts(problem: Problem, reduced: list[IterVar], parts: int, lanes: int) -> str:
    """Few long rows: blocks reduce parts of them in turns, then others the parts, in a fixed order."""
    sch, op = problem.sch, problem.op
    threads = min(2 * THREADS, problem.target.max_num_threads)
    length = product(reduced) or 1
    tile = threads * lanes * MOST_TURNS
    tiles = -(-length // tile)
    parts = -(-tiles // -(-tiles // min(parts, tiles)))
    stage, finish = problem.stage, problem.finish
    own = problem.axes(reduced)
    stage.reorder(*own)
    k = stage.fuse(*own) if len(own) > 1 else own[0]
    number, _ = stage.split(k, factor=tile)
    _, part = stage.split(number, factor=parts)
    partial = _first(sch.rfactor(problem.total, part))
    loads = _part_loads(problem, partial, lanes)
    inner = sch[partial]
    axes, reduce_axes = list(inner.op.axis), list(inner.op.reduce_axis)
    turns, inside = reduce_axes
    vector, lane = inner.split(inside, factor=lanes)
    turn, thread = inner.split(vector, factor=threads)
    inner.reorder(*axes[1:], axes[0], thread, turns, turn, lane)
    inner.bind(inner.fuse(*axes[1:], axes[0]), thread_axis("blockIdx.x"))
    inner.bind(thread, thread_axis("threadIdx.x"))
    inner.unroll(turn)
    inner.unroll(lane)
    for load in loads:
        load.compute_at(inner, turn)
    stage = problem.stage
    row = finish.fuse(*finish.op.axis)
    finish.bind(row, thread_axis("blockIdx.x"))
    stage.compute_at(finish, row)
    few = min(1 << (parts - 1).bit_length(), THREADS, problem.target.max_num_threads)
    _, thread = stage.split(stage.op.reduce_axis[0], factor=few)
    stage.bind(thread, thread_axis("threadIdx.x"))
    return f"few long rows: {tiles} tiles of each, which {parts} blocks reduce in turns; then one block a row"


def _part_loads(problem: Problem, partial: Tensor, lanes: int) -> list[Stage]:
    """As ``_loads``, of a stage of parts: what it reads there is found by the tensors that the whole reads."""
    sch, made = problem.sch, list[Stage]()
    op = sch[partial].op
    assert isinstance(op, ComputeOp)
    inside = op.reduce_axis[-1]
    for source in op.input_tensors:
        reads = [read for read in reads_of(op) if read.tensor is source]
        if len(reads) != 1 or not reads[0].uses(inside):
            continue
        copy = sch.cache_read(source, "local", [partial])
        if lanes > 1 and (known(source.shape[-1]) or 1) % lanes == 0:
            sch[copy].vectorize(copy.op.axis[-1])
        made.append(sch[copy])
    return made


def _first(tensors: Tensor | list[Tensor]) -> Tensor:
    return tensors[0] if isinstance(tensors, list) else tensors


def columns(problem: Problem, inner: list[IterVar]) -> str:
    """Threads have columns, and rows of threads parts of them, which meet in shared memory."""
    op, target = problem.op, problem.target
    fast = inner[-1]
    width, length = extent(fast) or 1, product(op.reduce_axis) or 1
    outer = (product(op.axis) or 1) // width
    _, lanes = _vectors(problem, fast)
    threads = min(THREADS, target.max_num_threads)
    wide = min(width // lanes, MOST_WIDE)
    tall = max(1, threads // wide)
    while tall > 1 and tall * MOST_TURNS > length:
        tall //= 2
    blocks = outer * -(-width // (wide * lanes))
    each = tall * 2 * MOST_TURNS
    parts = min(MOST_PARTS, BLOCKS // blocks, length // each)
    body = op.body[0]
    assert isinstance(body, Reduce)
    if body.init or (tall == 1 and parts < 2):
        return _column_by_thread(problem, lanes, wide)
    own = problem.axes(op.reduce_axis)
    data = problem.axes(op.axis)
    sch, stage, finish = problem.sch, problem.stage, problem.finish
    k = stage.fuse(*own) if len(own) > 1 else own[0]
    lead = 0
    partial = stored = problem.total
    if parts > 1:
        size = -(-length // (parts * each)) * each
        parts = -(-length // size)
        part, _ = stage.split(k, factor=size)
        partial = _first(sch.rfactor(problem.total, part))
        [k] = sch[partial].op.reduce_axis
        stored = partial
        held = sch.cache_write(list(sch[partial].op.outputs), "local")
        partial = held[0]
        [k] = sch[partial].op.reduce_axis
        lead = 1
    _, by_row = sch[partial].split(k, factor=tall)
    by_thread_ = sch.rfactor(partial, by_row)
    group = by_thread_ if isinstance(by_thread_, list) else [by_thread_]
    sums = sch.cache_write(group, "local")[0]
    place = op.axis.index(fast)
    if parts > 1:
        home = sch[stored]
        block = _column_block(home, list(home.op.axis), lead + place, wide, lanes, tall)
        sch[partial].compute_at(home, block[1])
        sch[partial].unroll(sch[partial].op.reduce_axis[0])
        at = block[0]
    else:
        block = _column_block(finish, list(finish.op.axis), _same_axis(finish, problem, place), wide, lanes, tall)
        at, home = block[0], finish
        problem.stage.compute_at(finish, block[1])
        problem.stage.unroll(problem.stage.op.reduce_axis[0])
    inner_stage = sch[group[0]]
    inner_stage.compute_at(home, at)
    inner_stage.set_scope("shared")
    axes = list(inner_stage.op.axis)
    row, rest = axes[0], axes[1:]
    column = rest.pop(lead + place)
    thread, lane = inner_stage.split(column, factor=lanes)
    inner_stage.reorder(row, *rest, thread, lane)
    inner_stage.bind(row, thread_axis("threadIdx.y"))
    inner_stage.bind(thread, thread_axis("threadIdx.x"))
    adds = sch[sums]
    adds.compute_at(inner_stage, thread)
    _add_up(problem, sums, lanes, 1 + lead + place, -(-length // (tall * max(1, parts))))
    if parts > 1:
        _add_parts(problem, parts)
    return (
        f"{width} columns of {length}: {wide} threads, {tall} rows of them, vectors of {lanes} elements"
        + (f"; {parts} parts, added up by a second kernel" if parts > 1 else "")
    )


def _same_axis(finish: Stage, problem: Problem, place: int) -> int:
    """The axis of the finishing stage that stands for one of the reduction: dimensions of 1 may come and go."""
    long = [axis for axis in problem.op.axis if extent(axis) != 1]
    mine = [i for i, axis in enumerate(finish.op.axis) if extent(axis) != 1]
    return mine[long.index(problem.op.axis[place])]


def _column_block(
    stage: Stage, axes: list[IterVar], place: int, wide: int, lanes: int, tall: int
) -> tuple[IterVar, IterVar]:
    """Blocks of columns; returns the loop of a block, and the innermost, of a thread."""
    fast = axes.pop(place)
    block, column = stage.split(fast, factor=wide * lanes)
    row, column = stage.split(column, factor=wide)
    row, again = stage.split(row, nparts=tall)
    stage.reorder(*axes, block, row, again, column, *stage.op.reduce_axis)
    block = stage.fuse(*axes, block)
    stage.bind(block, thread_axis("blockIdx.x"))
    stage.bind(row, thread_axis("threadIdx.y"))
    stage.bind(column, thread_axis("threadIdx.x"))
    return block, column


def _add_up(problem: Problem, sums: Tensor, lanes: int, place: int, length: int) -> None:
    """A thread's own sums: some vectors in flight."""
    sch = problem.sch
    stage = sch[sums]
    column = stage.op.axis[place]
    loads = []
    op = stage.op
    assert isinstance(op, ComputeOp)
    for source in op.input_tensors:
        reads = [read for read in reads_of(op) if read.tensor is source]
        if len(reads) == 1 and reads[0].step(column) == 1:
            copy = sch.cache_read(source, "local", [sums])
            if lanes > 1 and (known(source.shape[-1]) or 1) % lanes == 0:
                sch[copy].vectorize(copy.op.axis[-1])
            loads.append(sch[copy])
    stage = sch[sums]
    *others, k = stage.op.reduce_axis
    turns = 2 * MOST_TURNS if length >= 4 * MOST_TURNS else min(MOST_TURNS, max(1, length))
    chunk, turn = stage.split(k, factor=turns)
    stage.reorder(*others, chunk, turn, *stage.op.axis)
    stage.unroll(turn)
    stage.unroll(stage.op.axis[place])
    for load in loads:
        load.compute_at(stage, turn)


def _add_parts(problem: Problem, parts: int) -> None:
    """The kernel that reduces what blocks left."""
    finish = problem.finish
    block, thread = finish.split(finish.fuse(*finish.op.axis), factor=min(THREADS // 2, problem.target.max_num_threads))
    finish.bind(block, thread_axis("blockIdx.x"))
    finish.bind(thread, thread_axis("threadIdx.x"))
    stage = problem.stage
    stage.compute_at(finish, thread)
    _, turn = stage.split(stage.op.reduce_axis[0], factor=min(parts, 32))
    stage.unroll(turn)


def _column_by_thread(problem: Problem, lanes: int, wide: int) -> str:
    """Short columns: each thread has a vector of them."""
    return by_thread(problem)
