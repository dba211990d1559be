"""fp32 convolutions as matrix products (implicit GEMM) on the CUDA cores of NVIDIA's GPUs since sm_80.

Pixels of the result, of all images one after the other, and output channels are rows and columns of a product over
taps and input channels.  The matrix of pixels is never in memory: what a slab needs of it is gathered into shared
memory by asynchronous copies, which write zeros for the border of the image.  A slab is of one tap and some channels
(or of a row of taps, where channels are few): which of its pixels lie in the border is then one question a thread, and
its copies go by constant distances.  Filters that have their taps last are first brought into the order of the slabs,
by a kernel of its own.  Fragments, pipelines, split sums and epilogues are as in
:mod:`gpucomp.kernels.gemm.schedule_simt`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from gpucomp import te
from gpucomp.kernels.convolution import phases
from gpucomp.kernels.convolution.compute import ConvolutionDefinition
from gpucomp.kernels.convolution.plans import Plan
from gpucomp.kernels.convolution.problem import Convolution
from gpucomp.kernels.gemm.schedule_simt import Block, add_parts, pipeline_slabs, tile_axes
from gpucomp.kernels.gemm.staging import fetch_rows, read_fragments
from gpucomp.kernels.gemm.tiles import STATIC_SHARED, SimtTile
from gpucomp.kernels.registry import extent
from gpucomp.te import Schedule, Stage, Tensor
from gpucomp.tir.expr import IterVar, Var

REPACK_THREADS = 256
REPACKED = 32  # filters, and about as many taps times channels, that a block of the first kernel turns
REPACKED_ELEMENTS = 8192
# Slabs of more steps are unrolled by a few, or the device's compiler takes long. All of 21 steps at once were 6 to 18%
# faster than 8 on an H100 for images, and no faster for volumes; of 35 and 49, up to 7%.
UNROLLED_STEPS = 24
UNROLLED_STEPS_3D = 16
STEPS_AT_ONCE = 8  # even: neighbouring steps take turns in the registers of fragments


def schedule_implicit(defn: ConvolutionDefinition, plan: Plan) -> Schedule:
    """Schedule a convolution, and what follows it elementwise, as ``plan`` says."""
    conv, tile = defn.problem, plan.tile
    s = te.create_schedule(defn.outputs[0].op)
    stored = split_sum(s, defn, plan)
    matrix_axes(s[stored], defn)
    staged = _staged(s, defn, plan, stored)
    acc: Tensor = s.cache_write(stored if staged is None else staged, "local")
    if stored is defn.product and stored is not defn.outputs[0]:
        s[stored].compute_inline()
        stored = defn.outputs[0]
    pixels, acc = gathered_pixels(s, defn, acc, plan, tile.scope())
    weights, acc = gathered_filters(s, defn, acc, plan, tile.scope())
    operands = (pixels, weights) if conv.channels_last else (weights, pixels)
    fragments = [s.cache_read(t, "local", [acc]) for t in operands]
    acc = s[acc].op.output(0)

    block = _store(s[stored], defn, plan) if staged is None else _store_rows(s, stored, staged, defn, tile)
    inner = s[acc]
    inner.compute_at(block.stage, block.thread)
    rc, *taps = acc.op.reduce_axis
    chunk, rc = inner.split(rc, factor=plan.channels)
    inside = [taps.pop()] if plan.taps_inside else []
    inner.reorder(chunk, *taps, *inside, rc, *acc.op.axis)
    ko = inner.fuse(chunk, *taps)
    ki = inner.fuse(*inside, rc)
    pipeline_slabs(inner, ko, ki, acc.op.axis, tile)
    if tile.k > (UNROLLED_STEPS_3D if conv.ndim == 3 else UNROLLED_STEPS):
        inner.pragma(ki, "unroll_factor", STEPS_AT_ONCE)
    gather(s[pixels], pixels, inner, ko, block.tx, plan, along_channels=conv.channels_last and plan.channels >= 8)
    if plan.repacked or conv.channels_last or defn.packed is not None:
        s[weights].compute_at(inner, ko)
        fetch_rows(s[weights], weights, tile.threads, block.tx)
    else:
        *taps, c, o = weights.op.axis
        s[weights].compute_at(inner, ko)
        if plan.channels >= 8:
            eight_by_eight(s[weights], taps, c, o, tile, block.tx)
        else:
            one_by_one(s[weights], [*taps, c, o], tile, block.tx)
    read_fragments(s, fragments, inner, ki)
    return s


def split_sum(s: Schedule, defn: ConvolutionDefinition, plan: Plan) -> Tensor:
    """The tensor that blocks compute: the sum of products, or parts of it, which another kernel adds up."""
    if plan.parts == 1:
        return defn.product
    rc, first, *_ = s[defn.product].op.reduce_axis
    outer = first if plan.by_taps else s[defn.product].split(rc, factor=plan.depth)[0]
    parts: Tensor = s.rfactor(defn.product, outer)
    _add_parts(s, defn)
    return parts


def matrix_axes(stage: Stage, defn: ConvolutionDefinition) -> tuple[list[IterVar], IterVar, IterVar]:
    """The loops of a stage in the layout of the result as those of a matrix: what is outside, rows and columns.

    Rows are channels, and columns pixels of all images, where the image has its channels first; else the other way
    round.  Parts of a sum and groups stay outside.
    """
    conv = defn.problem
    axes = list(stage.op.axis)
    if conv.has_phases:
        return _matrix_of_phases(stage, conv)
    outside = [axes.pop(0)] if len(axes) > conv.ndim + 2 else []
    channels = axes.pop(conv.channel_axis)
    if conv.groups > 1:
        group, channels = stage.split(channels, nparts=conv.groups)
        outside.append(group)
    rows, columns = (axes, [channels]) if conv.channels_last else ([channels], axes)
    stage.reorder(*outside, *rows, *columns)
    return outside, stage.fuse(*rows), stage.fuse(*columns)


def _matrix_of_phases(stage: Stage, conv: Convolution) -> tuple[list[IterVar], IterVar, IterVar]:
    """The same of the phases of a transposed convolution, which stay outside, or of the result that they make."""
    axes = list(stage.op.axis)
    outside: list[IterVar] = []
    if len(axes) == conv.ndim + 2:
        which, places = phases.split(stage, conv)
    else:
        outside = [axes.pop(0)] if len(axes) > 2 * conv.ndim + 2 else []
        which, places = axes[2 : 2 + conv.ndim], axes[2 + conv.ndim :]
    batch, channels = axes[:2]
    stage.reorder(*outside, *which, channels, batch, *places)
    return [*outside, stage.fuse(*which)], channels, stage.fuse(batch, *places)


def gathered_pixels(
    s: Schedule, defn: ConvolutionDefinition, acc: Tensor, plan: Plan, scope: str
) -> tuple[Tensor, Tensor]:
    """The matrix of pixels in shared memory, by taps, channels and pixels; zeros of the border are computed there."""
    conv = defn.problem
    *outside, rows, columns = acc.op.axis
    groups = outside[-1:] if conv.groups > 1 or conv.has_phases else []
    parts = outside[:1] if plan.parts > 1 else []
    rc, *taps = acc.op.reduce_axis
    source = defn.inputs[0] if defn.padded is None else defn.padded
    place = [*parts, *groups, *taps, rc, rows if conv.channels_last else columns]
    made = s.reindex_cache_read(source, scope, acc, place)
    if defn.padded is not None:
        s[defn.padded].compute_inline()
    return made, s[acc].op.output(0)


def gathered_filters(
    s: Schedule, defn: ConvolutionDefinition, acc: Tensor, plan: Plan, scope: str
) -> tuple[Tensor, Tensor]:
    """The filters in shared memory, by taps, channels and filters."""
    conv = defn.problem
    source = defn.inputs[1]
    if defn.packed is not None:
        source = defn.packed
        _turn(s, defn, source)
    elif plan.repacked and not conv.channels_last:
        source = _repack(s, defn, acc)
        acc = s[acc].op.output(0)
    if conv.has_phases:
        return _weights_of_phases(s, defn, acc, source, scope)
    shared = s.cache_read(source, scope, [acc])
    if defn.packed is None and not plan.repacked and not conv.channels_last:
        s[shared].transform_layout(slab_order(conv))
        shared = s[shared].op.output(0)
    return shared, s[acc].op.output(0)


def _weights_of_phases(
    s: Schedule, defn: ConvolutionDefinition, acc: Tensor, source: Tensor, scope: str
) -> tuple[Tensor, Tensor]:
    """The same of every s-th tap: which those are depends on the phase."""
    source = source if defn.filled is None else defn.filled
    *parts, phase, filters, _ = acc.op.axis
    rc, *taps = acc.op.reduce_axis
    shared = s.reindex_cache_read(source, scope, acc, [*parts, phase, *taps, rc, filters])
    if defn.filled is not None:
        s[defn.filled].compute_inline()
    return shared, s[acc].op.output(0)


def slab_order(conv: Convolution) -> Callable[..., list[Var]]:
    """Where a filter's element goes in the order of slabs: taps, channels, filters."""
    if conv.transposed:
        return lambda c, o, *taps: [*taps, c, o]
    return lambda o, c, *taps: [*taps, c, o]


def _repack(s: Schedule, defn: ConvolutionDefinition, acc: Tensor) -> Tensor:
    """The filters by taps, channels and filters, in memory: a kernel before the other, which turns squares."""
    packed = s.cache_read(defn.inputs[1], "global", [acc if defn.filled is None else defn.filled])
    s[packed].transform_layout(slab_order(defn.problem))
    return _turn(s, defn, s[packed].op.output(0))


def _turn(s: Schedule, defn: ConvolutionDefinition, packed: Tensor) -> Tensor:
    """Blocks turn squares of filters in shared memory, where filters are not last as they are."""
    weight, taps = defn.inputs[1], math.prod(defn.problem.kernel)
    if defn.problem.channels_last:
        stage = s[packed]
        block, tx = stage.split(stage.fuse(*packed.op.axis), factor=REPACK_THREADS)
        stage.bind(block, te.thread_axis("blockIdx.x"))
        stage.bind(tx, te.thread_axis("threadIdx.x"))
        return packed
    square = s.cache_read(weight, "shared", [packed])
    packed = s[packed].op.output(0)
    stage = s[packed]
    *places, c, o = packed.op.axis
    filters = REPACKED
    while filters > 1 and filters * (taps + 1) > REPACKED_ELEMENTS:
        filters //= 2
    co, c = stage.split(c, factor=-(-REPACKED // taps))
    oo, o = stage.split(o, factor=filters)
    stage.reorder(co, oo, c, *places, o)
    block, tx = stage.fuse(co, oo), te.thread_axis("threadIdx.x")
    stage.bind(block, te.thread_axis("blockIdx.x"))
    stage.bind(stage.split(stage.fuse(c, *places, o), factor=REPACK_THREADS)[1], tx)
    turned = s[square]
    turned.compute_at(stage, block)
    turned.storage_align(square.op.axis[0], 2, 1)
    turned.bind(turned.split(turned.fuse(*square.op.axis), factor=REPACK_THREADS)[1], tx)
    return packed


def _store(stage: Stage, defn: ConvolutionDefinition, plan: Plan) -> Block:
    """Tiles to blocks, those of the same pixels next to each other; 4x4 pieces to threads."""
    conv = defn.problem
    outside, i, j = matrix_axes(stage, defn)
    block_i, block_j, *within = tile_axes(stage, i, j, plan.tile)
    piece_i, piece_j, warp_i, warp_j, lane_i, lane_j, i, j = within
    blocks = (block_i, block_j) if conv.channels_last else (block_j, block_i)
    stage.reorder(*outside, *blocks, *within)
    tx = te.thread_axis("threadIdx.x")
    stage.bind(stage.fuse(*blocks), te.thread_axis("blockIdx.x"))
    for axis, tag in zip(outside, ("blockIdx.y", "blockIdx.z"), strict=False):
        stage.bind(axis, te.thread_axis(tag))
    thread = stage.fuse(warp_i, warp_j, lane_i, lane_j)
    stage.bind(piece_i, te.thread_axis("vthread", name="vy"))
    stage.bind(piece_j, te.thread_axis("vthread", name="vx"))
    stage.bind(thread, tx)
    stage.unroll(i)
    if _aligned(defn, plan):
        stage.vectorize(j)
    else:
        stage.unroll(j)
    return Block(stage, thread, tx)


def _staged(s: Schedule, defn: ConvolutionDefinition, plan: Plan, stored: Tensor) -> Tensor | None:
    """The tile in shared memory, from where whole warps store neighbouring pixels; None where vectors do as well."""
    tile = plan.tile
    conv = defn.problem
    room = tile.shared_bytes() + 4 * tile.m * (tile.n + 4) <= STATIC_SHARED and tile.n % tile.threads == 0
    whole = (extent(conv.filters) or 1) // conv.groups % tile.m == 0  # a condition a row costs what this saves
    if conv.channels_last or plan.parts > 1 or not room or not whole or _aligned(defn, plan):
        return None
    staged: Tensor = s.cache_write(stored, "shared")
    return staged


def _store_rows(s: Schedule, stored: Tensor, staged: Tensor, defn: ConvolutionDefinition, tile: SimtTile) -> Block:
    """4x4 pieces to shared memory by their threads, then rows of the tile by all threads, each along its column."""
    stage = s[stored]
    outside, i, j = matrix_axes(stage, defn)
    block_i, i = stage.split(i, factor=tile.m)
    block_j, j = stage.split(j, factor=tile.n)
    column, j = stage.split(j, factor=tile.threads)
    stage.reorder(*outside, block_j, block_i, column, j, i)
    tx = te.thread_axis("threadIdx.x")
    block = stage.fuse(block_j, block_i)
    stage.bind(block, te.thread_axis("blockIdx.x"))
    for axis, tag in zip(outside, ("blockIdx.y", "blockIdx.z"), strict=False):
        stage.bind(axis, te.thread_axis(tag))
    stage.bind(j, tx)
    stage.unroll(column)
    stage.unroll(i)
    inner = s[staged]
    inner.compute_at(stage, block)
    *_, i, j = staged.op.axis
    inner.storage_align(i, 4, 0)
    first, second, piece_i, piece_j, warp_i, warp_j, lane_i, lane_j, i, j = tile_axes(inner, i, j, tile)
    inner.reorder(first, second, piece_i, piece_j, warp_i, warp_j, lane_i, lane_j, i, j)
    thread = inner.fuse(warp_i, warp_j, lane_i, lane_j)
    inner.bind(piece_i, te.thread_axis("vthread", name="vy"))
    inner.bind(piece_j, te.thread_axis("vthread", name="vx"))
    inner.bind(thread, tx)
    inner.unroll(i)
    inner.vectorize(j)
    return Block(inner, thread, tx)


def _aligned(defn: ConvolutionDefinition, plan: Plan) -> bool:
    """Four neighbours of a row of the product are four neighbours in memory, and the first is aligned."""
    conv = defn.problem
    if conv.has_phases:
        # The result itself takes every s-th place.
        return plan.parts > 1 and math.prod([extent(x) or 1 for x in conv.phase_size]) % 4 == 0
    if conv.channels_last:
        return (extent(conv.filters) or 1) // conv.groups % 4 == 0
    return math.prod([extent(x) or 1 for x in conv.out_size]) % 4 == 0


def gather(
    stage: Stage, tensor: Tensor, into: Stage, at: IterVar, tx: IterVar, plan: Plan, *, along_channels: bool
) -> None:
    """Neighbouring threads copy neighbouring pixels, or eight neighbouring channels of four pixels."""
    stage.compute_at(into, at)
    *outer, rc, pixel = tensor.op.axis
    if along_channels:
        eight_by_eight(stage, outer, rc, pixel, plan.tile, tx, plan.tile.m)
        return
    if plan.vector_pixels:
        pixel, vector = stage.split(pixel, factor=4)
        stage.vectorize(vector)
    one_by_one(stage, [*outer, rc, pixel], plan.tile, tx)


def one_by_one(stage: Stage, axes: list[IterVar], tile: SimtTile, tx: IterVar) -> None:
    """Neighbouring threads copy what is next to each other in the copy."""
    rounds, thread = stage.split(stage.fuse(*axes), factor=tile.threads)
    stage.bind(thread, tx)
    stage.unroll(rounds)


def eight_by_eight(
    stage: Stage, outer: list[IterVar], channel: IterVar, row: IterVar, tile: SimtTile, tx: IterVar, rows: int = 0
) -> None:
    """A warp copies eight neighbouring channels of four rows (pixels or filters), element by element.

    In memory channels are next to each other, in the copy rows are; four floats more a row of it make the warp's stores
    free of conflicts.  Where threads are more than eight channels of ``rows``, some copy the next eight.
    """
    stage.storage_align(channel, 32, 4)
    chunk, channel = stage.split(channel, factor=8)
    together = [row, channel]
    if rows and rows < tile.threads // 8:
        chunk, several = stage.split(chunk, factor=tile.threads // 8 // rows)
        together = [several, *together]
    part, together[-2] = stage.split(row, factor=min(rows or tile.threads, tile.threads // 8))
    stage.reorder(*outer, chunk, part, *together)
    for axis in (*outer, chunk, part):
        stage.unroll(axis)
    stage.bind(stage.fuse(*together), tx)


def _add_parts(s: Schedule, defn: ConvolutionDefinition) -> None:
    """The second kernel adds up the parts, into the product or its copy in registers."""
    out = defn.outputs[0]
    if defn.product is out:
        total = s.cache_write(out, "local")
    else:
        total = defn.product
        s[total].set_scope("local")
    add_parts(s, out, total)
