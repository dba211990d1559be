"""Products of few rows on the CUDA cores of NVIDIA's GPUs: the second operand is read once, at the speed of memory.

There is too little to compute for tiles in shared memory: a thread holds all rows of the result for its columns.

* B stored (K, N): the lanes of a warp read neighbouring columns, the warps of a block take slices of k, whose sums are
  added up through shared memory, in the order of the slices.  Where its rows are no whole vectors,
  ``schedule_strips`` does that, in parts of k.
* B stored (N, K): the lanes of a warp read neighbouring k of a few columns, 16 bytes each, and add up by shuffles.

Rows of the first operand come through the first-level cache.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from gpucomp import te
from gpucomp.kernels.gemm.epilogue import accumulator, add_in_order, inline_epilogue, product_of
from gpucomp.kernels.gemm.layout import Operands, operands_of
from gpucomp.kernels.gemm.schedule_strips import plan_of_strips, schedule_strips, share_strips, takes_strips
from gpucomp.kernels.gemm.tiles import STATIC_SHARED
from gpucomp.kernels.registry import Definition, extent
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor

MOST_ROWS: Final = 16
WARP: Final = 32
ONE_EACH: Final = 132  # blocks: one on each multiprocessor of the GPU that was measured


@dataclass(frozen=True)
class SkinnyPlan:
    """How a product of few rows is shared.

    Attributes:
        unroll: rounds of loads that stand after each other.
        slices: of k in a block, where lanes go along columns.
        steps: of k that a thread loads at once, where lanes go along columns.
        vector: columns of a thread, where lanes go along columns.
        in_turns: slices take ``steps`` of k in turns, instead of a part of k each.
        columns, warps: columns of a warp, and warps of a block, where lanes go along k.
        threads: that share a column, where lanes go along k: a warp, or the several warps of a block.
        rows: of a warp at most, where lanes go along k; more rows are shared out among warps of a block.
        hint: to the caches, for the second operand; ``gpucomp.te.pragmas`` has the words.
        blocks: that are to fit a multiprocessor, where lanes go along k; 0 leaves the registers to the compiler.
        deep: steps of k whose part of the second operand is asked for at once, where lanes go along k.
    """

    unroll: int
    slices: int = 32
    steps: int = 4
    vector: int = 1
    in_turns: bool = False
    columns: int = 1
    warps: int = 4
    threads: int = WARP
    rows: int = MOST_ROWS
    deep: int = 1
    hint: str = ""
    blocks: int = 0


def is_skinny(defn: Definition, target: Target) -> bool:
    """True for float32 products of at most 16 rows, 32 columns or more, known extents and A stored (M, K), on CUDA."""
    operands = operands_of(defn)
    m, n, k = operands.m, operands.n, operands.k
    if str(target.kind) != "cuda" or "shuffle" not in target.features or str(defn.inputs[0].dtype) != "float32":
        return False
    if m is None or n is None or k is None or operands.batched or operands.transpose_a:
        return False
    return m <= MOST_ROWS and n >= WARP and k >= 4 * WARP


def plan_of(operands: Operands) -> SkinnyPlan:
    """The fastest plan for a number of rows, of those that were timed on an H100 at (1..16, 4096, 4096) and others."""
    m, n, k = operands.m or 1, operands.n or 1, operands.k or 1
    return _rows_plan(m, k) if operands.transpose_b else _columns_plan(m, n, k)


def _rows_plan(m: int, k: int) -> SkinnyPlan:
    """Where lanes go along k: a block for each column while its few sums are worth barriers, else a warp."""
    lanes = math.gcd(k, 4)
    threads = 512 if m <= 2 else 256
    while threads * lanes > k:
        threads //= 2
    if threads >= 4 * WARP and (m <= 4 or (m <= 8 and lanes == 1)):
        return SkinnyPlan(unroll=min(8, -(-k // (threads * lanes))), threads=threads, warps=1)
    if m <= 3:
        return SkinnyPlan(unroll=8 if m == 2 else 4)
    rows = -(-m // -(-m // 4))
    if m % rows == 0:
        return SkinnyPlan(unroll=1, columns=4, rows=rows)
    # Left to itself the compiler keeps 7 and 15 rows to 64 registers on sm_80, and spills one.
    return SkinnyPlan(unroll=1, columns=4, rows=rows, deep=2, blocks=1 if m % 4 == 3 else 0)


def _columns_plan(m: int, n: int, k: int) -> SkinnyPlan:
    """Vectors of columns, and as many threads and loads in flight as the registers for ``m`` rows leave.

    Slices that take turns read one part of the memory at a time; a last turn that is not whole costs more.
    """
    in_turns = k >= 2048
    if n % 4:
        return SkinnyPlan(unroll=2, slices=16)
    if m <= 5:
        slices = 128 if n <= ONE_EACH * WARP else 64
        steps = 8 if m < 5 and k % (slices * 8) == 0 else 4
        return SkinnyPlan(unroll=2 if 2 < m < 5 else 1, slices=slices, steps=steps, vector=4, in_turns=in_turns)
    if m <= 8 and k % 4 == 0:
        return SkinnyPlan(unroll=1, slices=64, steps=8, vector=2, in_turns=True)
    if m < 13 or (m in (13, 16) and k % 512 == 0):
        return SkinnyPlan(unroll=1, slices=64, steps=8, vector=4, in_turns=True, hint="no_allocate")
    steps = 4 if k % 4 == 0 else 2  # more do not fit
    return SkinnyPlan(unroll=1, slices=64, steps=steps, vector=4, in_turns=k % 256 > 0)


def schedule_skinny(defn: Definition, target: Target, plan: SkinnyPlan | None = None) -> Schedule:
    """Schedule a product of few rows, and what follows it elementwise."""
    operands = operands_of(defn)
    strips = plan_of_strips(operands, target) if plan is None and takes_strips(operands) else None
    if strips is not None:
        return schedule_strips(defn, strips)
    plan = plan or plan_of(operands)
    return _along_k(defn, plan) if operands.transpose_b else _along_columns(defn, operands, target, plan)


def _along_columns(defn: Definition, operands: Operands, target: Target, plan: SkinnyPlan) -> Schedule:
    product, out = product_of(defn), defn.outputs[0]
    lanes = WARP // plan.vector
    slices = min(plan.slices, max(1, (operands.k or 1) // 16), target.max_num_threads // lanes)
    slice_bytes = 4 * (operands.m or 1) * WARP
    room = max(target.limits.get("max_dynamic_shared_memory_per_block", 0), target.max_shared_memory_per_block)
    slices = max(1, min(slices, room // slice_bytes))
    s = te.create_schedule(out.op)
    (k,) = s[product].op.reduce_axis
    if plan.in_turns:
        _, k = s[product].split(k, factor=slices * plan.steps)
        slice_axis, _ = s[product].split(k, factor=plan.steps)
    else:
        slice_axis, k = s[product].split(k, nparts=slices)
        s[product].split(k, factor=plan.steps)
    partial: Tensor = s.rfactor(product, slice_axis)
    s[partial].set_scope("shared.dyn" if slices * slice_bytes > STATIC_SHARED else "shared")
    acc = s.cache_write(partial, "local")
    total = accumulator(s, defn)
    inline_epilogue(s, defn)
    fragments = [s.cache_read(x, "local", [acc]) for x in defn.inputs[:2]]

    tx = te.thread_axis("threadIdx.x")
    stage = s[out]
    block, thread = share_strips(stage, WARP, lanes * slices, tx)
    add_in_order(s, total, stage, thread)

    middle = s[partial]
    middle.compute_at(stage, block)
    part, i, j = middle.op.axis
    j, vector = middle.split(j, factor=plan.vector)
    middle.reorder(part, j, i, vector)
    thread = middle.fuse(part, j)
    middle.bind(thread, tx)
    middle.unroll(i)
    if plan.vector > 1:
        middle.vectorize(vector)

    inner = s[acc]
    inner.compute_at(middle, thread)
    ko, ki = inner.op.reduce_axis
    inner.reorder(ko, ki, *inner.op.axis)
    for axis in (ki, *inner.op.axis):
        inner.unroll(axis)
    inner.pragma(ko, "unroll_factor", plan.unroll)
    for local in fragments:
        s[local].compute_at(inner, ko)
        s[local].unroll(local.op.axis[0])
        if local is fragments[0] and (operands.k or 1) % 4 == 0:
            turn, vector = s[local].split(local.op.axis[1], factor=4)
            s[local].unroll(turn)
            s[local].vectorize(vector)
        elif local is fragments[1] and plan.vector > 1:
            s[local].vectorize(local.op.axis[1])
    if plan.hint:
        s[fragments[1]].pragma(fragments[1].op.axis[0], "cache_hint", plan.hint)
    return s


def _along_k(defn: Definition, plan: SkinnyPlan) -> Schedule:
    product, out = product_of(defn), defn.outputs[0]
    depth = extent(defn.inputs[1].shape[1]) or 1
    lanes = math.gcd(depth, 4)
    s = te.create_schedule(out.op)
    _, steps = s[product].split(s[product].op.reduce_axis[0], factor=plan.threads * lanes)
    lane, _ = s[product].split(steps, factor=lanes)
    partial: Tensor = s.rfactor(product, lane)
    total = product
    if product is not out:
        s[product].set_scope("local")
    inline_epilogue(s, defn)
    fragments = [s.cache_read(x, "local", [partial]) for x in defn.inputs[:2]]
    if plan.deep > 1:
        s[fragments[1]].transform_layout(lambda j, k: [j, k // (plan.threads * lanes), k % (plan.threads * lanes)])
        fragments[1] = s[fragments[1]].op.output(0)
        partial = s[partial].op.output(0)

    tx, ty = te.thread_axis("threadIdx.x"), te.thread_axis("threadIdx.y")
    stage = s[out]
    i, j = stage.op.axis
    block, j = stage.split(j, factor=plan.warps * plan.columns)
    warp, j = stage.split(j, factor=plan.columns)
    part, i = stage.split(i, factor=min(plan.rows, extent(out.shape[0]) or 1))
    stage.reorder(block, warp, part, i, j)
    stage.bind(block, te.thread_axis("blockIdx.x"))
    if plan.blocks:
        stage.pragma(block, "min_blocks", plan.blocks)
    warp = stage.fuse(warp, part)
    stage.bind(warp, ty)
    stage.unroll(i)
    stage.unroll(j)
    stage.set_store_predicate(tx.var.equal(0))
    summed = s[total]
    if product is not out:
        summed.compute_at(stage, j)
    (across,) = summed.op.reduce_axis
    summed.bind(across, tx)

    inner = s[partial]
    inner.compute_at(stage, warp)
    lane, i, j = inner.op.axis
    ko, ki = inner.op.reduce_axis
    ko, step = inner.split(ko, factor=plan.deep)
    inner.reorder(lane, ko, step, i, ki, j)
    for axis in (step, i, ki, j):
        inner.unroll(axis)
    inner.pragma(ko, "unroll_factor", plan.unroll)
    for local in fragments:
        s[local].compute_at(inner, i if local is fragments[0] else ko)
        for axis in local.op.axis[:-1]:
            s[local].unroll(axis)
        if lanes > 1:
            s[local].vectorize(local.op.axis[-1])
    if plan.hint:
        s[fragments[1]].pragma(fragments[1].op.axis[0], "cache_hint", plan.hint)
    return s
