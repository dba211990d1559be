"""Direct convolution on GPUs: any layout, number of dimensions, groups, dilation, transposed too.

One block computes a tile of output channels by a patch of pixels of one image.  Input patch (padding included)
and weights of a few input channels lie in shared memory; a thread keeps several channels by several neighbouring
pixels in registers, and reads each input pixel of a row once for all the taps that need it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from gpucomp import te
from gpucomp.kernels.convolution import phases
from gpucomp.kernels.convolution.choice import choose_plan
from gpucomp.kernels.convolution.compute import ConvolutionDefinition
from gpucomp.kernels.convolution.problem import Convolution
from gpucomp.kernels.convolution.schedule_few_filters import choose_few_filters, schedule_few_filters
from gpucomp.kernels.convolution.schedule_implicit import schedule_implicit
from gpucomp.kernels.convolution.schedule_sliced import schedule_sliced
from gpucomp.kernels.convolution.winograd import WinogradDefinition
from gpucomp.kernels.convolution.winograd_schedule import schedule_winograd
from gpucomp.kernels.gemm.tiles import MULTIPROCESSORS, USUAL_MULTIPROCESSORS
from gpucomp.kernels.registry import Definition, extent
from gpucomp.target import Target
from gpucomp.te import Schedule, Stage, Tensor
from gpucomp.tir.expr import IterVar

FEW_FILTERS = 4
FEW_THREADS = 128
FEW_TAPS = 4
MANY_CHANNELS = FEW_SLAB = 16
# Of groups whose slabs are copied ahead, as timed on an H100 with 2, 8, 14, 24, 27 and 30 filters a group.
AHEAD_CHANNELS = 4  # of a slab, at most
AHEAD_THREADS = 64  # at least, where that is possible
WARP = 32
# NVRTC gives these kernels too few registers, and spills, unless it hears that few threads share a multiprocessor; but
# small blocks of many results and few taps, which need none more and were slower with more.
AHEAD_RESIDENT = 256
AHEAD_FEW_THREADS, AHEAD_MANY_RESULTS, AHEAD_FEW_TAPS = 112, 36, 9
MOST_THREAD_CHANNELS = 9
MOST_COPIES = 24  # of a thread and a slab: their addresses are kept in registers
MOST_PRODUCTS = 640  # of a thread and an input channel, written out
PATCH_PIXELS = 24  # that a patch takes as long for as for its border
UNROLLED_TAPS = 49  # more in one piece of code take the device compilers long
UNROLLED_HALVES = 36  # the same of 16-bit elements, which are converted


@dataclass(frozen=True)
class ConvTile:
    """Tile sizes.

    Attributes:
        channels, rows, columns: output patch of one block.
        thread_channels, thread_columns: what a thread holds; its channels lie in ``vthreads`` pieces.
        reduce_channels: input channels fetched at a time.
        by_taps: the taps of one index of the first spatial dimension are fetched at a time, not all.
        written_out: all loads of a thread are on their way at once.
        stages: slabs in shared memory, of which all but one are copied ahead.
    """

    channels: int
    rows: int
    columns: int
    thread_channels: int
    thread_columns: int
    reduce_channels: int
    vthreads: int = 2
    by_taps: bool = False
    written_out: bool = False
    stages: int = 1


def choose_tile(channels: int | None, height: int | None, width: int | None, taps: int, target: Target) -> ConvTile:
    """Seven or four pixels a thread, about a hundred pixels and up to 128 channels a block."""
    small = target.max_num_threads < 256
    width = width or 32
    height = height or 32
    columns = 7 if width % 7 == 0 else 4 if width >= 4 else width
    across = max(1, min(4, width // columns))
    budget = 8 if small else 16
    rows = max(1, min(height, budget // across))
    per_thread = 8 if (channels or 128) >= 128 and not small else 4
    wide = min(16 if not small else 8, max(1, (channels or 128) // per_thread))
    reduce_channels = 8 if taps == 1 else 2 if taps <= 9 else 1
    return ConvTile(wide * per_thread, rows, across * columns, per_thread, columns, reduce_channels)


def tile_for(defn: ConvolutionDefinition, target: Target) -> ConvTile:
    """The tile for a definition: channels of one group, and no more shared memory than a block has."""
    conv, weight = defn.problem, defn.inputs[1]
    filters, size = extent(conv.filters), conv.phase_size
    taps = math.prod(conv.phase_taps[-2:])
    height = extent(size[-2]) if conv.ndim > 1 else 1
    tile = choose_tile(filters, height, extent(size[-1]), taps, target)
    few = taps <= FEW_TAPS and (extent(conv.group_channels) or 0) >= MANY_CHANNELS and conv.groups == 1
    if few and filters is not None and filters <= FEW_FILTERS and target.max_num_threads >= 256:
        tile = _few_filters(filters, height, extent(size[-1]))
    if conv.groups > 1:
        per_group = (filters or 1) // conv.groups
        channels = _largest_divisor(per_group, tile.channels)
        tile = replace(tile, channels=channels, thread_channels=_largest_divisor(channels, tile.thread_channels))
        while _threads(tile) > target.max_num_threads:  # a prime number of channels has a thread for each
            tile = _fewer_threads(tile)
        float32 = str(weight.dtype) == "float32"
        if float32 and "cp_async" in target.features and conv.ndim > 1:
            tile = _ahead(tile, conv, target)
    room = target.max_shared_memory_per_block // weight.dtype.nbytes
    while _slab(tile, conv) * tile.stages > room:
        smaller = _smaller(tile)
        if smaller is None:
            break
        tile = smaller
    return tile


def _few_filters(filters: int, height: int | None, width: int | None) -> ConvTile:
    """All filters of a pixel to a thread: a warp reads neighbouring pixels, and weights are the same for all of it."""
    columns = min(32, width or 32)
    rows = max(1, min(height or 32, FEW_THREADS // columns))
    return ConvTile(filters, rows, columns, filters, 1, FEW_SLAB, vthreads=1, written_out=True)


def _ahead(tile: ConvTile, conv: Convolution, target: Target) -> ConvTile:
    """Slabs of a few channels that are copied ahead, and patches that cover images best, for filters of a group."""
    height, width = [extent(x) for x in conv.phase_size[-2:]]
    channels = extent(conv.group_channels)
    if height is None or width is None or channels is None:
        return tile
    step = tile.thread_columns
    images = (extent(conv.batch) or 1) * conv.groups * math.prod([extent(x) or 1 for x in conv.phase_size[:-2]])
    count = MULTIPROCESSORS.get(target.arch, USUAL_MULTIPROCESSORS)

    def cost(patch: tuple[int, int]) -> tuple[int, int]:
        rows, columns = patch
        patches = -(-height // rows) * -(-width // columns)
        return max(0, count - patches * images), patches * (rows * columns + PATCH_PIXELS)

    shapes = [(r, a) for r in (8, 4) for a in (4, 2)]
    if tile.channels <= FEW_FILTERS:
        shapes = [(32, 4), (16, 4), (32, 2), (16, 2), *shapes]
    patches = [(min(r, height), step * min(a, max(1, width // step))) for r, a in shapes]
    enough = [(r, c) for r, c in patches if tile.channels * r * c // step >= AHEAD_THREADS]
    rows, columns = min(enough or patches, key=cost)
    if tile.channels * rows * columns // step < WARP:
        return tile
    tile = replace(tile, rows=rows, columns=columns, vthreads=1, written_out=True, stages=2)
    tile = replace(tile, reduce_channels=_slab_channels(channels, AHEAD_CHANNELS))
    products = step * math.prod(conv.kernel[-2:])
    for most in range(max(1, min(MOST_THREAD_CHANNELS, MOST_PRODUCTS // products)), 0, -1):
        tile = replace(tile, thread_channels=_largest_divisor(tile.channels, most))
        if _threads(tile) >= AHEAD_THREADS:
            break
    while _threads(tile) > target.max_num_threads:
        tile = _fewer_threads(tile)
    while tile.reduce_channels > 1 and _slab(tile, conv) > MOST_COPIES * _threads(tile):
        tile = replace(tile, reduce_channels=_slab_channels(channels, tile.reduce_channels - 1))
    return tile


def _slab_channels(channels: int, most: int) -> int:
    """So many that no slab is a part of one, if those are more than one."""
    whole = _largest_divisor(channels, most)
    return whole if whole > 1 else min(channels, most)


def _largest_divisor(count: int, most: int) -> int:
    return max([d for d in range(1, most + 1) if count % d == 0])


def _threads(tile: ConvTile) -> int:
    return tile.channels // tile.thread_channels * (tile.rows * tile.columns // tile.thread_columns)


def _fewer_threads(tile: ConvTile) -> ConvTile:
    """Fewer rows, then fewer columns, then fewer channels."""
    if tile.rows > 1:
        return replace(tile, rows=tile.rows // 2)
    if tile.columns > tile.thread_columns:
        return replace(tile, columns=tile.thread_columns)
    threads = tile.channels // tile.thread_channels
    return replace(tile, channels=tile.thread_channels * _largest_divisor(threads, threads // 2))


def _slab(tile: ConvTile, conv: Convolution) -> int:
    """Elements in shared memory: a patch and the weights of some input channels."""
    outs = (1, tile.rows, tile.columns)[-conv.ndim :]
    steps = (1,) * conv.ndim if conv.transposed else conv.stride
    kernel = (1, *conv.phase_taps[1:]) if tile.by_taps else conv.phase_taps
    sides = zip(outs, steps, kernel, conv.dilation, strict=True)
    patch = math.prod([(n - 1) * s + (k - 1) * d + 1 for n, s, k, d in sides])
    return tile.reduce_channels * (patch + tile.channels * math.prod(kernel))


def _smaller(tile: ConvTile) -> ConvTile | None:
    if tile.reduce_channels > 1:
        return replace(tile, reduce_channels=tile.reduce_channels // 2)
    if tile.rows > 1:
        return replace(tile, rows=tile.rows // 2)
    if tile.channels > tile.thread_channels:
        threads = tile.channels // tile.thread_channels
        return replace(tile, channels=tile.thread_channels * _largest_divisor(threads, threads // 2))
    if tile.columns > tile.thread_columns:
        return replace(tile, columns=tile.thread_columns)
    return None if tile.by_taps else replace(tile, by_taps=True, stages=1)


def schedule_conv2d(defn: Definition, target: Target, tile: ConvTile | None = None) -> Schedule:
    """Schedule a convolution (any size, stride, padding...), and what follows it elementwise.

    Unless ``tile`` is given, those of many channels and a few filters go to
    :mod:`gpucomp.kernels.convolution.schedule_few_filters`, and float32 ones on CUDA devices since sm_80 that are no
    smaller than a tile to :mod:`gpucomp.kernels.convolution.schedule_implicit`, or, with sums that are split within a
    block, to :mod:`gpucomp.kernels.convolution.schedule_sliced`.
    """
    assert isinstance(defn, ConvolutionDefinition)
    if isinstance(defn, WinogradDefinition):
        return schedule_winograd(defn)
    if tile is not None:
        return schedule_direct(defn, target, tile)
    few = choose_few_filters(defn.problem, target)
    if few is not None:
        return schedule_few_filters(defn, few)
    plan = choose_plan(defn, target)
    if plan is None:
        return schedule_direct(defn, target)
    return schedule_sliced(defn, plan, target) if plan.sliced else schedule_implicit(defn, plan)


def schedule_direct(defn: ConvolutionDefinition, target: Target, tile: ConvTile | None = None) -> Schedule:
    """One block for a patch of pixels and some channels."""
    conv, out = defn.problem, defn.outputs[0]
    tile = tile or tile_for(defn, target)
    s = te.create_schedule(out.op)
    if defn.product is out:
        acc = s.cache_write(out, "local")
    else:
        acc = defn.product
        s[acc].set_scope("local")
    data_shared = _image_in_shared(s, defn, acc)
    weight_shared = _weights_in_shared(s, defn, acc)
    acc = s[acc].op.output(0)
    data_local = s.cache_read(data_shared, "local", [acc])
    weight_local = s.cache_read(weight_shared, "local", [acc])

    stage = s[out]
    pixel, threads = _place_threads(stage, defn, tile)
    inner = s[acc]
    inner.compute_at(stage, pixel)
    acc = inner.op.output(0)
    rc, *taps = acc.op.reduce_axis
    chunk, rc = inner.split(rc, factor=tile.reduce_channels)
    ao = acc.op.axis[conv.channel_axis]
    pixels = list(acc.op.axis[-conv.ndim :]) if conv.has_phases else [acc.op.axis[d] for d in conv.spatial_axes]
    inner.reorder(chunk, rc, *taps, ao, *pixels)
    most = UNROLLED_TAPS if defn.inputs[1].dtype.nbytes >= 4 else UNROLLED_HALVES
    unrolled = taps[-2:] if math.prod(conv.phase_taps[-2:]) <= most else taps[-1:]
    for axis in (*unrolled, ao, pixels[-1]):
        inner.unroll(axis)

    counts = (tile.channels // tile.thread_channels, tile.rows * tile.columns // tile.thread_columns)
    for shared in (data_shared, weight_shared):
        s[shared].compute_at(inner, taps[0] if tile.by_taps else chunk)
        rounds = _fetch(s, shared, threads, counts)
        if tile.written_out:
            s[shared].unroll(rounds)
        if target.thread_warp_size == 1:  # an unknown machine: some compilers unroll these loops, and then spill
            s[shared].pragma(rounds, "unroll_factor", 1)
    _hint(inner, chunk, defn, tile, math.prod(counts))
    for local in (data_local, weight_local):
        s[local].compute_at(inner, taps[-2] if len(taps) > 1 else rc)
        for axis in local.op.axis:
            s[local].unroll(axis)
    return s


def _place_threads(
    stage: Stage, defn: ConvolutionDefinition, tile: ConvTile
) -> tuple[IterVar, tuple[IterVar, IterVar]]:
    """Blocks, threads and the results of a thread; gives the innermost loop over threads, and the threads."""
    conv, axes = defn.problem, defn.outputs[0].op.axis
    n, o = axes[0], axes[conv.channel_axis]
    which, places = phases.split(stage, conv) if conv.has_phases else ([], [axes[d] for d in conv.spatial_axes])
    x = places[-1]
    block_z = [n, *which, *places[:-2]]
    y = places[-2:-1]  # none, or one
    group: list[IterVar] = []
    if conv.groups > 1:
        outer, o = stage.split(o, nparts=conv.groups)
        group = [outer]
    block_o, o = stage.split(o, factor=tile.channels)
    blocks: list[IterVar] = []
    if y:
        block_y, inner_y = stage.split(y[0], factor=tile.rows)
        blocks, y = [block_y], [inner_y]
    block_x, x = stage.split(x, factor=tile.columns)
    blocks.append(block_x)
    pieces = tile.vthreads if tile.thread_channels % tile.vthreads == 0 else 1
    virtual_o, o = stage.split(o, nparts=pieces)
    thread_o, o = stage.split(o, factor=tile.thread_channels // pieces)
    thread_x, x = stage.split(x, factor=tile.thread_columns)
    stage.reorder(*block_z, *group, block_o, *blocks, virtual_o, thread_o, *y, thread_x, o, x)
    pixel_block = stage.fuse(*blocks)
    pixel = stage.fuse(*y, thread_x)
    ty, tx = te.thread_axis("threadIdx.y"), te.thread_axis("threadIdx.x")
    stage.bind(stage.fuse(*block_z), te.thread_axis("blockIdx.z"))
    stage.bind(stage.fuse(*group, block_o), te.thread_axis("blockIdx.y"))
    stage.bind(pixel_block, te.thread_axis("blockIdx.x"))
    stage.bind(virtual_o, te.thread_axis("vthread", name="vo"))
    stage.bind(thread_o, ty)
    stage.bind(pixel, tx)
    stage.unroll(o)
    stage.unroll(x)
    return pixel, (ty, tx)


def _hint(inner: Stage, chunk: IterVar, defn: ConvolutionDefinition, tile: ConvTile, threads: int) -> None:
    """How far ahead slabs are loaded, and how many blocks the compiler leaves registers for."""
    if tile.stages > 1:
        inner.pragma(chunk, "software_pipeline", tile.stages)
        inner.pragma(chunk, "unroll_factor", 1)
        results = tile.thread_channels * tile.thread_columns
        few = threads <= AHEAD_FEW_THREADS and math.prod(defn.problem.kernel[-2:]) <= AHEAD_FEW_TAPS
        if not few or results < AHEAD_MANY_RESULTS:
            inner.pragma(chunk, "min_blocks", max(1, AHEAD_RESIDENT // max(128, threads)))
    nbytes = defn.inputs[1].dtype.nbytes
    if nbytes != 4 and threads > 32:  # left alone, NVRTC takes too few registers, and spills
        inner.pragma(chunk, "min_blocks", 2 if nbytes == 2 else 1)


def _image_in_shared(s: Schedule, defn: ConvolutionDefinition, reader: Tensor) -> Tensor:
    """The patch of a block: a padded image is computed straight into shared memory."""
    if defn.padded is None:
        copied: Tensor = s.cache_read(defn.inputs[0], "shared", [reader])
        return copied
    s[defn.padded].set_scope("shared")
    return defn.padded


def _weights_in_shared(s: Schedule, defn: ConvolutionDefinition, reader: Tensor) -> Tensor:
    """The filters of a block's channels; by phases every s-th tap of them, which ones depends on the phase."""
    conv, weight = defn.problem, defn.inputs[1]
    if not conv.has_phases:
        shared: Tensor = s.cache_read(weight, "shared", [reader])
        return shared
    source = weight if defn.filled is None else defn.filled
    _, filters, *axes = reader.op.axis
    rc, *taps = reader.op.reduce_axis
    shared = s.reindex_cache_read(source, "shared", reader, [*axes[: conv.ndim], rc, filters, *taps])
    if defn.filled is not None:
        s[defn.filled].compute_inline()
    return shared


def _fetch(s: Schedule, tensor: Tensor, threads: tuple[IterVar, IterVar], counts: tuple[int, int]) -> IterVar:
    """All threads of a block fetch a slab together, element by element, neighbours next to each other, in rounds."""
    stage = s[tensor]
    fused = stage.fuse(*tensor.op.axis)
    fused, tx = stage.split(fused, factor=counts[1])
    rounds, ty = stage.split(fused, factor=counts[0])
    stage.bind(ty, threads[0])
    stage.bind(tx, threads[1])
    return rounds
