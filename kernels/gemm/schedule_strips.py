"""fp32 products of few rows on NVIDIA's GPUs, the second operand (K, N): strips of columns, parts of the sum over k.

A block computes all rows of the result for a strip of columns, over a part of k.  It keeps its part of the first
operand in shared memory, where lanes that want the same element get it at once, and whole vectors of it whatever the
length of a row; the lanes of a warp read neighbouring columns of the second operand, one word of several pieces of the
strip each, a turn ahead of the products.  The warps of a block take slices of k, whose sums are added up through shared
memory; a second kernel adds up the parts, in order, so that results do not change from run to run.

Strips and parts are as many as give every multiprocessor the same number of blocks at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from gpucomp import te
from gpucomp.kernels.gemm.epilogue import accumulator, add_in_order, inline_epilogue, product_of
from gpucomp.kernels.gemm.layout import Operands, operands_of
from gpucomp.kernels.gemm.schedule_simt import add_parts
from gpucomp.kernels.gemm.tiles import STATIC_SHARED, multiprocessors
from gpucomp.kernels.registry import Definition
from gpucomp.target import Target
from gpucomp.te import Schedule, Stage, Tensor
from gpucomp.tir.expr import IterVar

WARP: Final = 32
PIECES: Final = (4, 2, 1)
SLICES: Final = (8, 16)
MOST_PARTS: Final = 32
MANY_ROWS: Final = 9
TURNS: Final = 2  # of each slice of a part, at least
COPIED_WORDS: Final = (32, 16)  # of the first operand on their way to a thread at once: of two blocks, of more
# Blocks of eight warps that a multiprocessor's registers hold as compiled for it, by a thread's columns, and rows at
# most; told how many are to fit, the compiler spills some.
RESIDENT: Final = {
    4: ((4, 4), (8, 3), (16, 2)),
    2: ((4, 5), (8, 4), (14, 3), (16, 2)),
    1: ((4, 6), (8, 5), (14, 4), (16, 3)),
}
# Of the model: bytes a microsecond of the second operand, of sums of parts, and of the first operand; microseconds of a
# turn that waits for memory, of a round's start and end, and of a second kernel.
FAR: Final = 3e6
NEAR: Final = 2e6
AGAIN: Final = 2e6
TURN_US: Final = 0.5
ROUND_US: Final = 2.0
SECOND_US: Final = 1.2


@dataclass(frozen=True)
class StripPlan:
    """How a product of few rows is shared.

    Attributes:
        pieces: columns of a thread, a warp's width apart.
        parts: of k, a block each.
        slices: warps of a block; each takes ``steps`` of k in turns.
        steps: of k that a thread loads at once.
    """

    pieces: int
    parts: int
    slices: int = 8
    steps: int = 4

    @property
    def columns(self) -> int:
        """Of a strip."""
        return WARP * self.pieces

    def depth(self, k: int) -> int:
        """Steps of a part: whole turns of the block."""
        turn = self.slices * self.steps
        return -(-k // (self.parts * turn)) * turn

    def shared_bytes(self, m: int, k: int) -> int:
        """A part of the first operand, and the sums of all slices, which may take its place."""
        return 4 * m * (self.depth(k) + self.slices * self.columns)


def takes_strips(operands: Operands) -> bool:
    """True where rows of the second operand are no whole vectors, or of many rows of the first; others are as fast."""
    m, n, k = operands.m or 1, operands.n or 1, operands.k or 1
    return not operands.transpose_b and (n % 4 > 0 or (m >= MANY_ROWS and k % 4 > 0))


def resident(plan: StripPlan, m: int) -> int:
    """How many blocks of a plan a multiprocessor holds."""
    blocks = next(blocks for rows, blocks in RESIDENT[plan.pieces] if m <= rows)
    return max(1, blocks * SLICES[0] // plan.slices)


def plan_of_strips(operands: Operands, target: Target) -> StripPlan | None:
    """The fastest plan by the model; None where no block of a part fits the target's shared memory."""
    m, n, k = operands.m or 1, operands.n or 1, operands.k or 1
    room = max(target.limits.get("max_dynamic_shared_memory_per_block", 0), target.max_shared_memory_per_block)
    count = multiprocessors(target)
    plans = [
        StripPlan(pieces, parts, slices)
        for pieces in PIECES
        for slices in (SLICES if -(-n // (WARP * pieces)) * MOST_PARTS < count else SLICES[:1])
        for parts in range(1, min(MOST_PARTS, max(1, k // (4 * slices * TURNS))) + 1)
    ]
    fitting = [p for p in plans if p.shared_bytes(m, k) * resident(p, m) <= room]
    fitting = fitting or [p for p in plans if p.shared_bytes(m, k) <= room]
    return min(fitting, key=lambda p: _microseconds(p, (m, n, k), count), default=None)


def why(operands: Operands, target: Target) -> str:
    """What led to the plan."""
    plan = plan_of_strips(operands, target)
    if plan is None:
        return ""
    m, n, k = operands.m or 1, operands.n or 1, operands.k or 1
    strips, parts, count = -(-n // plan.columns), -(-k // plan.depth(k)), multiprocessors(target)
    return (
        f"few rows: {strips} strips of {plan.columns} columns in {parts} parts of k, {strips * parts} blocks of "
        f"{WARP * plan.slices} threads, {resident(plan, m)} at once on each of {count} multiprocessors; "
        f"about {_microseconds(plan, (m, n, k), count):.0f} us"
    )


def _microseconds(plan: StripPlan, shape: tuple[int, int, int], count: int) -> float:
    """What a plan takes: the rounds of its blocks, each at memory's speed, and what parts and strips cost beside."""
    m, n, k = shape
    depth = plan.depth(k)
    strips, parts = -(-n // plan.columns), -(-k // depth)
    slots = count * resident(plan, m)
    rounds = -(-strips * parts // slots)
    read = rounds * slots * 4 * plan.columns * depth / FAR
    turns = rounds * depth // (plan.slices * plan.steps)
    again = 4 * m * k * strips / AGAIN
    second = SECOND_US + 8 * m * n * parts / NEAR if parts > 1 else 0.0
    return max(read, turns * TURN_US) + rounds * ROUND_US + again + second


def schedule_strips(defn: Definition, plan: StripPlan) -> Schedule:
    """Schedule a product of known extents, and what follows it elementwise."""
    operands = operands_of(defn)
    m, k = operands.m or 1, operands.k or 1
    product, out = product_of(defn), defn.outputs[0]
    s = te.create_schedule(out.op)
    (steps,) = s[product].op.reduce_axis
    stored: Tensor = product
    depth = plan.depth(k)
    if depth < k:
        part, _ = s[product].split(steps, factor=depth)
        stored = s.rfactor(product, part)
        (steps,) = s[stored].op.reduce_axis
    _, turn = s[stored].split(steps, factor=plan.slices * plan.steps)
    slice_axis, _ = s[stored].split(turn, factor=plan.steps)
    partial: Tensor = s.rfactor(stored, slice_axis)
    scope = "shared" if plan.shared_bytes(m, k) <= STATIC_SHARED else "shared.dyn"
    s[partial].set_scope(scope)
    acc = s.cache_write(partial, "local")
    if stored is product:
        total, stored = accumulator(s, defn), out
        inline_epilogue(s, defn)
    else:
        total = s.cache_write(stored, "local")
        inline_epilogue(s, defn)
        add_parts(s, out, accumulator(s, defn))
    shared = s.cache_read(defn.inputs[0], scope, [acc])
    moved = s.cache_read(defn.inputs[0], "local", [shared])
    first, second = s.cache_read(shared, "local", [acc]), s.cache_read(defn.inputs[1], "local", [acc])

    tx = te.thread_axis("threadIdx.x")
    threads = WARP * plan.slices
    stage = s[stored]
    block, thread = share_strips(stage, plan.columns, threads, tx)
    add_in_order(s, total, stage, thread)

    middle = s[partial]
    middle.compute_at(stage, block)
    part, *parts, i, j = middle.op.axis
    piece, j = middle.split(j, factor=WARP)
    middle.reorder(piece, part, *parts, j, i)
    middle.bind(piece, te.thread_axis("vthread", name="vx"))
    thread = middle.fuse(part, *parts, j)
    middle.bind(thread, tx)
    middle.unroll(i)

    inner = s[acc]
    inner.compute_at(middle, thread)
    turns, step = inner.op.reduce_axis
    *_, i, j = inner.op.axis
    inner.reorder(turns, *inner.op.axis[:-1], step, j)
    for axis in (step, *inner.op.axis):
        inner.unroll(axis)
    inner.pragma(turns, "software_pipeline", 2)
    inner.pragma(turns, "unroll_factor", 2)  # of the two buffers in registers, each round then names its own

    s[second].compute_at(inner, turns)
    for axis in second.op.axis:
        s[second].unroll(axis)
    s[first].compute_at(inner, i)
    rest, vector = s[first].split(first.op.axis[1], factor=4)
    s[first].unroll(rest)
    s[first].vectorize(vector)

    copy = s[shared]
    copy.compute_at(stage, block)
    lanes = math.gcd(k, 4)
    words, vector = copy.split(copy.fuse(*shared.op.axis), factor=lanes)
    turn, thread = copy.split(words, factor=threads)
    turns = -(-m * depth // (lanes * threads))
    rounds = -(-turns * lanes // COPIED_WORDS[resident(plan, m) > 2])
    outer, turn = copy.split(turn, factor=-(-turns // rounds))
    copy.bind(thread, tx)
    copy.unroll(turn)
    copy.pragma(outer, "unroll_factor", 1)
    copy.pragma(turn, "loads_first")  # and the second operand's first turn: a branch would make each wait for its store
    s[moved].compute_at(copy, thread)
    if lanes > 1:
        copy.vectorize(vector)
        s[moved].vectorize(moved.op.axis[1])
    return s


def share_strips(stage: Stage, columns: int, threads: int, tx: IterVar) -> tuple[IterVar, IterVar]:
    """Strips of columns to blocks, parts of the sum along their y, and elements of a strip to threads.

    Returns the loop over the blocks, and that over the threads.
    """
    *parts, i, j = stage.op.axis
    block, j = stage.split(j, factor=columns)
    stage.reorder(*parts, block, i, j)
    stage.bind(block, te.thread_axis("blockIdx.x"))
    for part in parts:
        stage.bind(part, te.thread_axis("blockIdx.y"))
    _, thread = stage.split(stage.fuse(i, j), factor=threads)
    stage.bind(thread, tx)
    return block, thread
