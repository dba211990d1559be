"""Convolutions of many channels into a few on GPUs: images and their gradients at the ends of networks.

A thread computes all filters of a pixel, of a transposed convolution all phases of them: what it reads of a channel
serves all of these.  There is little to compute, and what takes long is to wait for the image; so the channels are
shared out among the warps of a block, each of which has its loads on their way, and the block adds up their parts from
shared memory, in the order of the result: its stores are of whole rows, through the phases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from gpucomp import te
from gpucomp.kernels.convolution import phases
from gpucomp.kernels.convolution.compute import ConvolutionDefinition
from gpucomp.kernels.convolution.problem import Convolution
from gpucomp.kernels.gemm.tiles import MULTIPROCESSORS, USUAL_MULTIPROCESSORS
from gpucomp.kernels.registry import extent
from gpucomp.target import Target
from gpucomp.te import Schedule, Stage, Tensor
from gpucomp.tir.expr import IterVar

MOST_SUMS = 16  # of a thread: filters times phases
MOST_THREAD_SUMS = 24  # the same with several rows of pixels
MOST_WEIGHTS = 100  # of a channel
MANY_CHANNELS = 16
LEAST_THREADS = 256
WARP = 32
LEAST_OF_A_PART = 4
MOST_PARTS = 16
RESIDENT_THREADS = 1024  # of a multiprocessor: 64 registers each
RESIDENT_HELD = 512  # 128 registers each, where a thread holds more than this, or this by phases
MOST_HELD, MOST_HELD_BY_PHASES = 60, 84


@dataclass(frozen=True)
class FewTile:
    """What a block does.

    Attributes:
        rows, columns: its threads for each part (of a transposed convolution: for the places of all phases).
        parts: in how many parts the sum over the channels is.
        channels: of a part.
        thread_rows: pixels of a thread, one above the other.
    """

    rows: int
    columns: int
    parts: int
    channels: int
    thread_rows: int = 1


def choose_few_filters(conv: Convolution, target: Target) -> FewTile | None:
    """The tile for a convolution; None where this schedule is not for it."""
    filters, channels = extent(conv.filters), extent(conv.channels)
    size = [extent(x) for x in conv.phase_size]
    known = [x for x in size if x is not None]
    if filters is None or channels is None or len(known) < len(size) or conv.channels_last:
        return None
    if conv.groups > 1 or channels < MANY_CHANNELS or target.max_num_threads < LEAST_THREADS:
        return None
    if filters * math.prod(conv.phases) > MOST_SUMS or _weights(conv) > MOST_WEIGHTS:
        return None
    columns = min(WARP, known[-1])
    rows = 1 if conv.ndim == 1 else min(known[-2], max(1, WARP // columns))
    cuda = str(target.kind) == "cuda"
    place = FewTile(rows, columns, 1, channels)
    if not cuda and _held(conv, place) > _most_held(conv):
        return None  # AMD's compilers keep weights in scalar registers, and run out of those
    sums = filters * math.prod(conv.phases)
    count = MULTIPROCESSORS.get(target.arch, USUAL_MULTIPROCESSORS)
    for taller in (2, 4):
        higher = replace(place, thread_rows=taller)
        if cuda and conv.ndim > 1 and sums * taller <= MOST_THREAD_SUMS and rows * taller <= known[-2]:
            place = higher if _blocks(conv, higher) >= taller // 2 * count else place
    few = _blocks(conv, place) <= 2 * count
    room = target.max_shared_memory_per_block // (4 * sums * rows * columns * place.thread_rows)
    most = min(
        MOST_PARTS if few else MOST_PARTS // 2,
        target.max_num_threads // (rows * columns),
        channels // LEAST_OF_A_PART,
        room,
    )
    each = -(-channels // (1 << (max(1, most).bit_length() - 1)))
    return replace(place, parts=-(-channels // each), channels=each)


def _weights(conv: Convolution) -> int:
    """Of a channel, with the zeros behind those of some phases."""
    return (extent(conv.filters) or 1) * math.prod(conv.phases) * math.prod(conv.phase_taps)


def _held(conv: Convolution, tile: FewTile) -> int:
    """Weights, pixels and sums of a channel that a thread holds."""
    steps = (1,) * conv.ndim if conv.transposed else conv.stride
    rows = (*(1,) * (conv.ndim - 2), tile.thread_rows, 1)[-conv.ndim :]
    sides = zip(rows, steps, conv.phase_taps, conv.dilation, conv.phases, strict=True)
    pixels = math.prod([(r - 1) * s + (k - 1) * d + (2 if p > 1 else 1) for r, s, k, d, p in sides])
    sums = (extent(conv.filters) or 1) * math.prod(conv.phases) * tile.thread_rows
    return _weights(conv) + pixels + sums


def _most_held(conv: Convolution) -> int:
    return MOST_HELD_BY_PHASES if conv.has_phases else MOST_HELD


def _blocks(conv: Convolution, tile: FewTile) -> int:
    """How many there are; 0 for an unknown number of images."""
    *outer, width = [extent(x) or 0 for x in conv.phase_size]
    down = -(-outer.pop() // (tile.rows * tile.thread_rows)) if outer else 1
    return (extent(conv.batch) or 0) * math.prod(outer) * down * -(-width // tile.columns)


def schedule_few_filters(defn: ConvolutionDefinition, tile: FewTile) -> Schedule:
    """Schedule a convolution with channels first, and what follows it elementwise."""
    out = defn.outputs[0]
    s = te.create_schedule(out.op)
    rc = s[defn.product].op.reduce_axis[0]
    part, _ = s[defn.product].split(rc, factor=tile.channels)
    parts: Tensor = s.rfactor(defn.product, part)
    if defn.product is out:
        total: Tensor = s.cache_write(out, "local")
    else:
        total = defn.product
        s[total].set_scope("local")
    acc: Tensor = s.cache_write(parts, "local")
    if defn.padded is None:
        pixels: Tensor = s.cache_read(defn.inputs[0], "local", [acc])
        acc = s[acc].op.output(0)
    else:
        pixels = defn.padded
        s[pixels].set_scope("local")
    source = defn.inputs[1] if defn.filled is None else defn.filled
    weights: Tensor = s.cache_read(source, "local", [acc])
    acc = s[acc].op.output(0)
    if defn.filled is not None:
        s[defn.filled].compute_inline()

    ty, tx = te.thread_axis("threadIdx.y"), te.thread_axis("threadIdx.x")
    block, thread = _store(s[out], out, defn.problem, tile, (ty, tx))
    s[total].compute_at(s[out], thread)
    s[total].unroll(s[total].op.reduce_axis[0])

    stage = s[parts]
    stage.compute_at(s[out], block)
    stage.set_scope("shared")
    number, b, f, *places = s[parts].op.axis
    which = places[: defn.problem.ndim] if defn.problem.has_phases else []
    places = places[len(which) :]
    own: list[IterVar] = []
    if tile.thread_rows > 1:
        places[-2], row = stage.split(places[-2], factor=tile.thread_rows)
        own = [row]
    stage.reorder(number, b, *places, f, *which, *own)
    stage.bind(number, ty)
    pixel = stage.fuse(b, *places)
    stage.bind(pixel, tx)
    for axis in (f, *which, *own):
        stage.unroll(axis)

    inner = s[acc]
    inner.compute_at(stage, pixel)
    channel, *taps = s[acc].op.reduce_axis
    inner.reorder(channel, *taps, *s[acc].op.axis)
    for axis in (*taps, *s[acc].op.axis):
        inner.unroll(axis)
    # Left alone, NVRTC takes as few registers as let most threads in, and spills.
    conv = defn.problem
    threads = RESIDENT_THREADS if _held(conv, tile) <= _most_held(conv) else RESIDENT_HELD
    inner.pragma(channel, "min_blocks", max(1, threads // (tile.rows * tile.columns * tile.parts)))
    s[pixels].compute_at(inner, channel)
    for axis in s[pixels].op.axis:
        s[pixels].unroll(axis)
    s[weights].compute_at(inner, channel)
    _load_filters(s[weights], weights, defn)
    return s


def _load_filters(stage: Stage, weights: Tensor, defn: ConvolutionDefinition) -> None:
    """All taps of a channel, as vectors where they are whole ones."""
    conv = defn.problem
    first = 0 if conv.transposed else 2  # filters of a channel follow each other where channels are outermost
    near = [extent(x) or 1 for x in weights.shape[max(first, 1) :]]
    lanes = 4 if defn.filled is None and math.prod(near) % 4 == 0 else 1
    for axis in weights.op.axis[:first]:
        stage.unroll(axis)
    fused, lane = stage.split(stage.fuse(*weights.op.axis[first:]), factor=lanes)
    stage.unroll(fused)
    stage.vectorize(lane)


def _store(
    stage: Stage, out: Tensor, conv: Convolution, tile: FewTile, threads: tuple[IterVar, IterVar]
) -> tuple[IterVar, IterVar]:
    """Tiles of the result to blocks, and of each its elements in the order of memory to threads."""
    b, f, *_ = out.op.axis
    which, places = phases.split(stage, conv) if conv.has_phases else ([], [out.op.axis[d] for d in conv.spatial_axes])
    *outer, x = places
    blocks: list[IterVar] = []
    inside: list[IterVar] = []
    if outer:
        block_y, y = stage.split(outer.pop(), factor=tile.rows * tile.thread_rows)
        blocks.append(block_y)
        inside.append(y)
    block_x, x = stage.split(x, factor=tile.columns)
    inside.append(x)
    inner = [axis for d, axis in enumerate(inside) for axis in (axis, *which[len(outer) + d : len(outer) + d + 1])]
    stage.reorder(b, *outer, *blocks, block_x, f, *which[: len(outer)], *inner)
    block = stage.fuse(b, *outer, *blocks, block_x)
    stage.bind(block, te.thread_axis("blockIdx.x"))
    elements = stage.fuse(f, *which[: len(outer)], *inner)
    turn, tx = stage.split(elements, factor=tile.rows * tile.columns)
    stage.bind(tx, threads[1])
    if extent(conv.filters) != 1:  # else more threads than elements would reach over the end of the tile
        turn, ty = stage.split(turn, factor=tile.parts)
        stage.bind(ty, threads[0])
    stage.unroll(turn)
    return block, tx
