"""fp32 convolutions of few tiles on the CUDA cores of NVIDIA's GPUs: sums are split within a block.

Where a convolution has few tiles, its blocks wait for each slab and each step in turn.  So groups of warps of a block
take slices of the channels of a slab, each with sums of its own for the whole tile, as in
:mod:`gpucomp.kernels.gemm.schedule_sliced`; they are added up through shared memory, in the order of the groups, by
threads that store rows of the tile: neighbours store neighbours, whatever vectors would fit.  With one slice only that
is left.  Filters are copied as they are, element by element, unless the plan has them packed first: for few pixels a
kernel before costs more.  Pixels are gathered as in :mod:`gpucomp.kernels.convolution.schedule_implicit`.
"""

from __future__ import annotations

import math

from gpucomp import te
from gpucomp.kernels.convolution.compute import ConvolutionDefinition
from gpucomp.kernels.convolution.plans import Plan
from gpucomp.kernels.convolution.problem import Convolution
from gpucomp.kernels.convolution.schedule_implicit import (
    eight_by_eight,
    gather,
    gathered_filters,
    gathered_pixels,
    matrix_axes,
    split_sum,
)
from gpucomp.kernels.gemm.epilogue import add_in_order
from gpucomp.kernels.gemm.schedule_simt import pipeline_slabs
from gpucomp.kernels.gemm.staging import fetch_rows, read_fragments
from gpucomp.kernels.gemm.tiles import SimtTile
from gpucomp.kernels.registry import extent
from gpucomp.target import Target
from gpucomp.te import Schedule, Stage, Tensor
from gpucomp.tir.expr import IterVar

STORE_UNROLL = 8
# Threads of a multiprocessor for which kernels of one spatial dimension in parts get registers, of few pieces and of
# many, those of many before sm_90, and blocks of two warps: left alone, NVRTC takes a few too few for some of these.
RESIDENT, RESIDENT_HELD = 512, 384
FEW_PIECES = 2
SCOPE = "shared.dyn"  # where sums take the place of slabs


def schedule_sliced(defn: ConvolutionDefinition, plan: Plan, target: Target) -> Schedule:
    """Schedule a convolution, and what follows it elementwise, with ``plan.tile.slices`` groups of warps a block."""
    conv, tile = defn.problem, plan.tile
    s = te.create_schedule(defn.outputs[0].op)
    stored = split_sum(s, defn, plan)
    matrix_axes(s[stored], defn)
    total: Tensor = s.cache_write(stored, "local")
    if stored is defn.product and stored is not defn.outputs[0]:
        s[stored].compute_inline()
        stored = defn.outputs[0]
    # Gathered by the channels of the whole sum: so it shows that zeros follow the last one, and nothing asks for them.
    pixels, total = gathered_pixels(s, defn, total, plan, SCOPE)
    weights, total = gathered_filters(s, defn, total, plan, SCOPE)
    rc, *_ = s[total].op.reduce_axis
    _, steps = s[total].split(rc, factor=plan.channels)
    number, _ = s[total].split(steps, factor=tile.k)
    partial: Tensor = s.rfactor(total, number)
    s[partial].set_scope(SCOPE)
    total = s[total].op.output(0)
    acc: Tensor = s.cache_write(partial, "local")
    partial = s[partial].op.output(0)
    operands = (pixels, weights) if conv.channels_last else (weights, pixels)
    fragments = [s.cache_read(t, "local", [acc]) for t in operands]
    acc = s[acc].op.output(0)

    block, thread, tx = _store_rows(s[stored], defn, plan)
    add_in_order(s, total, s[stored], thread)
    s[partial].compute_at(s[stored], block)
    thread = _pieces(s[partial], partial, tile, tx)

    inner = s[acc]
    inner.compute_at(s[partial], thread)
    chunk, step, *taps = acc.op.reduce_axis
    inner.reorder(chunk, *taps, step, *acc.op.axis)
    ko = inner.fuse(chunk, *taps)
    pipeline_slabs(inner, ko, step, acc.op.axis, tile)
    few = tile.pieces_m * tile.pieces_n <= FEW_PIECES
    narrow = few and tile.threads <= 64
    if (conv.ndim == 1 and plan.by_taps) or narrow or not (few or target.arch.startswith("sm_9")):
        inner.pragma(ko, "min_blocks", max(1, (RESIDENT if few else RESIDENT_HELD) // tile.threads))

    gather(s[pixels], pixels, inner, ko, tx, plan, along_channels=conv.channels_last)
    s[weights].compute_at(inner, ko)
    if conv.channels_last or defn.packed is not None or plan.repacked:
        s[weights].storage_align(weights.op.axis[-2], 4, 0)
        fetch_rows(s[weights], weights, tile.threads, tx)
    else:
        *taps, c, o = weights.op.axis
        eight_by_eight(s[weights], taps, c, o, tile, tx, tile.m)
    read_fragments(s, fragments, inner, step)
    return s


def _store_rows(stage: Stage, defn: ConvolutionDefinition, plan: Plan) -> tuple[IterVar, IterVar, IterVar]:
    """Tiles to blocks, those of the same pixels next to each other, and elements of a tile, row by row, to threads.

    Returns the loop over the blocks, that over the threads, and what that is bound to.
    """
    conv, tile = defn.problem, plan.tile
    outside, i, j = matrix_axes(stage, defn)
    block_i, i = stage.split(i, factor=tile.m)
    block_j, j = stage.split(j, factor=tile.n)
    blocks = (block_i, block_j) if conv.channels_last else (block_j, block_i)
    stage.reorder(*outside, *blocks, i, j)
    block = stage.fuse(*blocks)
    stage.bind(block, te.thread_axis("blockIdx.x"))
    for axis in outside:
        stage.bind(axis, te.thread_axis("blockIdx.y"))
    rest, vector = stage.split(stage.fuse(i, j), factor=_lanes(conv, tile))
    rest, thread = stage.split(rest, factor=tile.threads)
    tx = te.thread_axis("threadIdx.x")
    stage.bind(thread, tx)
    stage.pragma(rest, "unroll_factor", STORE_UNROLL)
    stage.vectorize(vector)
    return block, thread, tx


def _lanes(conv: Convolution, tile: SimtTile) -> int:
    """Elements that a thread stores at once: a vector where rows are whole ones, and each thread has one."""
    row = conv.filters if conv.channels_last else math.prod([extent(x) or 1 for x in conv.out_size])
    return math.gcd(4 if (extent(row) or 1) % 4 == 0 else 1, tile.m * tile.n // tile.threads)


def _pieces(stage: Stage, partial: Tensor, tile: SimtTile, tx: IterVar) -> IterVar:
    """The sums of all slices of a tile in shared memory: 4x4 pieces to threads."""
    number, *outside, i, j = partial.op.axis
    stage.storage_align(i, 8, 4)
    block_i, warp_i, piece_i, lane_i, i = _split(stage, i, tile.warps_m, tile.pieces_m, tile.lanes_m)
    block_j, warp_j, piece_j, lane_j, j = _split(stage, j, tile.warps_n, tile.pieces_n, tile.lanes_n)
    stage.reorder(*outside, block_i, block_j, piece_i, piece_j, number, warp_i, warp_j, lane_i, lane_j, i, j)
    thread = stage.fuse(number, warp_i, warp_j, lane_i, lane_j)
    stage.bind(piece_i, te.thread_axis("vthread", name="vy"))
    stage.bind(piece_j, te.thread_axis("vthread", name="vx"))
    stage.bind(thread, tx)
    stage.unroll(i)
    stage.vectorize(j)
    return thread


def _split(stage: Stage, axis: IterVar, warps: int, pieces: int, lanes: int) -> list[IterVar]:
    """From within: so a tile may be larger than the product, if only blocks, warps and pieces of it are fewer."""
    axis, element = stage.split(axis, factor=4)
    axis, lane = stage.split(axis, factor=lanes)
    axis, piece = stage.split(axis, factor=pieces)
    block, warp = stage.split(axis, factor=warps)
    return [block, warp, piece, lane, element]
