"""fp32 matrix products of few tiles on the CUDA cores of NVIDIA's GPUs: the sum over k is split within a block.

Where a product has too few tiles to fill a GPU, a block of one tile is bound by the latency of each step of k.  So
groups of warps of a block take slices of each slab: a slab is as many steps deep as all groups together compute, each
group keeps sums of its own for the whole tile, and they are added up through shared memory, in the order of the groups.
One kernel, and the same bits in every run.  Copies and fragments are those of ``schedule_simt``.
"""

from __future__ import annotations

import math

from gpucomp import te
from gpucomp.kernels.gemm.epilogue import accumulator, add_in_order, inline_epilogue, product_of
from gpucomp.kernels.gemm.layout import operands_of
from gpucomp.kernels.gemm.staging import factors_of_a_word, stage_operands
from gpucomp.kernels.gemm.tiles import SimtTile
from gpucomp.kernels.registry import Definition, extent
from gpucomp.te import Schedule, Tensor, intrinsics


def schedule_sliced(defn: Definition, tile: SimtTile) -> Schedule:
    """Schedule a product, and what follows it elementwise, with ``tile.slices`` groups of warps along k."""
    operands = operands_of(defn)
    product, out = product_of(defn), defn.outputs[0]
    scope = tile.scope(operands.padded)
    s = te.create_schedule(out.op)
    deep = tile.k * tile.slices
    words = factors_of_a_word(defn)
    (k,) = product.op.reduce_axis
    if words > 1:
        k, _ = s[product].split(k, factor=words)
    _, steps = s[product].split(k, factor=deep)
    slice_axis, _ = s[product].split(steps, factor=tile.k)
    partial: Tensor = s.rfactor(product, slice_axis)
    s[partial].set_scope(scope)
    acc = s.cache_write(partial, "local")
    total = accumulator(s, defn)
    inline_epilogue(s, defn)
    staged = stage_operands(s, defn, acc, scope)
    acc, partial = staged.acc, s[partial].op.output(0)

    tx = te.thread_axis("threadIdx.x")
    stage = s[out]
    *batch, i, j = stage.op.axis
    block_i, i = stage.split(i, factor=tile.m)
    block_j, j = stage.split(j, factor=tile.n)
    stage.reorder(*batch, block_i, block_j, i, j)
    block = stage.fuse(*batch, block_i, block_j)
    stage.bind(block, te.thread_axis("blockIdx.x"))
    lanes = math.gcd(extent(out.shape[-1]) or 1, 4, max(1, tile.m * tile.n // tile.threads))  # a share for every thread
    rest, vector = stage.split(stage.fuse(i, j), factor=lanes)
    rest, thread = stage.split(rest, factor=tile.threads)
    stage.bind(thread, tx)
    stage.unroll(rest)
    if lanes > 1:
        stage.vectorize(vector)
    add_in_order(s, total, stage, thread)

    middle = s[partial]
    middle.compute_at(stage, block)
    part, *_, i, j = middle.op.axis
    warp_i, i = middle.split(i, nparts=tile.warps_m)
    warp_j, j = middle.split(j, nparts=tile.warps_n)
    piece_i, i = middle.split(i, nparts=tile.pieces_m)
    piece_j, j = middle.split(j, nparts=tile.pieces_n)
    lane_i, i = middle.split(i, factor=4)
    lane_j, j = middle.split(j, factor=4)
    middle.reorder(piece_i, piece_j, part, warp_i, warp_j, lane_i, lane_j, i, j)
    thread = middle.fuse(part, warp_i, warp_j, lane_i, lane_j)
    middle.bind(piece_i, te.thread_axis("vthread", name="vy"))
    middle.bind(piece_j, te.thread_axis("vthread", name="vx"))
    middle.bind(thread, tx)
    middle.unroll(i)
    middle.vectorize(j)

    inner = s[acc]
    inner.compute_at(middle, thread)
    ko, ki, *dots = inner.op.reduce_axis
    inner.reorder(ko, ki, *inner.op.axis, *dots)
    for axis in dots:
        inner.tensorize(axis, intrinsics.dp4a())
    for axis in (ki, *inner.op.axis):
        inner.unroll(axis)
    inner.pragma(ko, "software_pipeline", tile.stages)
    inner.pragma(ko, "unroll_factor", 1)
    inner.pragma(ki, "software_pipeline", 2)
    staged.fetch(s, inner, ko, ki, tile, tx)
    return s
