"""Products of few rows on the CUDA cores of NVIDIA's GPUs: the second operand is read once, at the speed of memory.

There is too little to compute for tiles in shared memory: a thread holds all rows of the result for its columns.

* B stored (K, N): the lanes of a warp read neighbouring columns, the warps of a block take slices of k, whose sums are
  added up through shared memory, in the order of the slices.
* B stored (N, K): the lanes of a warp read neighbouring k of a few columns, 16 bytes each, and add up by shuffles.

Rows of the first operand come through the first-level cache.
"""

from __future__ import annotations

import math
from typing import Final

from gpucomp import te
from gpucomp.kernels.gemm.epilogue import accumulator, inline_epilogue, product_of
from gpucomp.kernels.gemm.layout import Operands, operands_of
from gpucomp.kernels.gemm.tiles import STATIC_SHARED
from gpucomp.kernels.registry import Definition, extent
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor

MOST_ROWS: Final = 16
WARP: Final = 32
SLICES: Final = 32  # warps of a block, where k is deep enough; half of them where rows need more registers
FEW_ROWS: Final = 8
COLUMNS: Final = 4  # of a warp where lanes go along k
WARPS: Final = 8


def is_skinny(defn: Definition, target: Target) -> bool:
    """True for float32 products of at most 16 rows, 32 columns or more, known extents and A stored (M, K), on CUDA."""
    operands = operands_of(defn)
    m, n, k = operands.m, operands.n, operands.k
    if str(target.kind) != "cuda" or "shuffle" not in target.features or str(defn.inputs[0].dtype) != "float32":
        return False
    if m is None or n is None or k is None or operands.batched or operands.transpose_a:
        return False
    return m <= MOST_ROWS and n >= WARP and k >= 4 * WARP


def schedule_skinny(defn: Definition, target: Target) -> Schedule:
    """Schedule a product of few rows, and what follows it elementwise."""
    operands = operands_of(defn)
    return _along_k(defn) if operands.transpose_b else _along_columns(defn, operands, target)


def _along_columns(defn: Definition, operands: Operands, target: Target) -> Schedule:
    product, out = product_of(defn), defn.outputs[0]
    most = SLICES if (operands.m or 1) <= FEW_ROWS else SLICES // 2
    slices = min(most, max(1, (operands.k or 1) // 16), target.max_num_threads // WARP)
    slice_bytes = 4 * (operands.m or 1) * WARP
    room = max(target.limits.get("max_dynamic_shared_memory_per_block", 0), target.max_shared_memory_per_block)
    slices = max(1, min(slices, room // slice_bytes))
    s = te.create_schedule(out.op)
    slice_axis, steps = s[product].split(s[product].op.reduce_axis[0], nparts=slices)
    s[product].split(steps, factor=4)
    partial: Tensor = s.rfactor(product, slice_axis)
    s[partial].set_scope("shared.dyn" if slices * slice_bytes > STATIC_SHARED else "shared")
    acc = s.cache_write(partial, "local")
    total = accumulator(s, defn)
    inline_epilogue(s, defn)
    fragments = [s.cache_read(x, "local", [acc]) for x in defn.inputs[:2]]

    tx = te.thread_axis("threadIdx.x")
    stage = s[out]
    i, j = stage.op.axis
    block, j = stage.split(j, factor=WARP)
    stage.reorder(block, i, j)
    stage.bind(block, te.thread_axis("blockIdx.x"))
    _, thread = stage.split(stage.fuse(i, j), factor=WARP * slices)
    stage.bind(thread, tx)
    s[total].compute_at(stage, thread)
    (part,) = s[total].op.reduce_axis
    s[total].reorder(part, *s[total].op.axis)
    s[total].unroll(part)

    middle = s[partial]
    middle.compute_at(stage, block)
    part, i, j = middle.op.axis
    middle.reorder(part, j, i)
    thread = middle.fuse(part, j)
    middle.bind(thread, tx)
    middle.unroll(i)

    inner = s[acc]
    inner.compute_at(middle, thread)
    ko, ki = inner.op.reduce_axis
    inner.reorder(ko, ki, *inner.op.axis)
    for axis in (ki, *inner.op.axis):
        inner.unroll(axis)
    inner.pragma(ko, "unroll_factor", 2 if (operands.m or 1) > 4 else 4)
    for local in fragments:
        s[local].compute_at(inner, ko)
        s[local].unroll(local.op.axis[0])
        if local is fragments[0] and (operands.k or 1) % 4 == 0:
            s[local].vectorize(local.op.axis[1])
    return s


def _along_k(defn: Definition) -> Schedule:
    product, out = product_of(defn), defn.outputs[0]
    depth = extent(defn.inputs[1].shape[1]) or 1
    lanes = math.gcd(depth, 4)
    s = te.create_schedule(out.op)
    _, steps = s[product].split(s[product].op.reduce_axis[0], factor=WARP * lanes)
    lane, _ = s[product].split(steps, factor=lanes)
    partial: Tensor = s.rfactor(product, lane)
    total = product
    if product is not out:
        s[product].set_scope("local")
    inline_epilogue(s, defn)
    fragments = [s.cache_read(x, "local", [partial]) for x in defn.inputs[:2]]

    tx, ty = te.thread_axis("threadIdx.x"), te.thread_axis("threadIdx.y")
    stage = s[out]
    i, j = stage.op.axis
    block, j = stage.split(j, factor=WARPS * COLUMNS)
    warp, j = stage.split(j, factor=COLUMNS)
    stage.reorder(block, warp, i, j)
    stage.bind(block, te.thread_axis("blockIdx.x"))
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
    inner.reorder(lane, ko, ki, i, j)
    for axis in (ki, i, j):
        inner.unroll(axis)
    inner.pragma(ko, "unroll_factor", 1)
    for local in fragments:
        s[local].compute_at(inner, ko)
        s[local].unroll(local.op.axis[0])
        if lanes > 1:
            s[local].vectorize(local.op.axis[1])
    return s
