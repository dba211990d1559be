"""Depthwise convolutions on GPUs: windows slide over pixels that a thread holds in registers.

A convolution of a few taps is bound by memory: each pixel has to come from it once, as part of a 16-byte load where
rows allow that.  Pixels that several threads need come from the first cache, which has several times the rate that this
takes; shared memory would add a barrier and a second access to each pixel.

NCHW: a thread computes a vector of neighbouring pixels, of several rows; it loads the vectors around the window
whole, and the zeros around the image begin at the end of a vector.  NHWC: a thread computes a vector of channels of a
patch of pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from gpucomp import te
from gpucomp.kernels.gemm.epilogue import accumulator, inline_epilogue, product_of
from gpucomp.kernels.registry import Definition, extent, row_lanes
from gpucomp.target import Target
from gpucomp.te import Schedule, Stage, Tensor
from gpucomp.tir.expr import IterVar

MULTIPROCESSORS: Final = 132
THREADS: Final = 128
WANTED_THREADS: Final = MULTIPROCESSORS * 1024  # half of what the largest GPU holds at once
MOST_ROWS: Final = 8
PATCHES: Final = ((2, 4), (2, 2), (1, 2), (1, 1))
MOST_HELD: Final = 200


@dataclass(frozen=True, slots=True)
class Tile:
    """What a thread computes, and what a block does.

    Attributes:
        lanes_in: elements of a vector of the image (NCHW) or of channels of the image (NHWC).
        lanes: elements of a vector of the result, along x (NCHW) or the channels (NHWC).
        rows, columns: pixels of a thread.
        block: threads of a block along channels, x and y (NHWC); NCHW takes their product, in the order of memory.
        reason: why, in words.
    """

    lanes_in: int
    lanes: int
    rows: int
    columns: int
    block: tuple[int, int, int]
    reason: str = ""

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return math.prod(self.block)


def choose_tile(defn: Definition, target: Target) -> Tile:
    """The tile for a definition of ``compute.depthwise_conv2d``."""
    return _tile_nchw(defn, target) if _channels_first(defn) else _tile_nhwc(defn, target)


def _channels_first(defn: Definition) -> bool:
    return product_of(defn).op.tag == "depthwise_conv2d_nchw"


def _tile_nchw(defn: Definition, target: Target) -> Tile:
    """Vectors as wide as rows allow; as many rows as leave enough threads to fill the device."""
    image, out = defn.inputs[0], defn.outputs[0]
    nbytes = image.dtype.nbytes
    lanes_in, lanes = row_lanes(extent(image.shape[3]), nbytes), row_lanes(extent(out.shape[3]), nbytes)
    sizes = [extent(size) for size in out.shape]
    threads = min(THREADS, target.max_num_threads)
    if None in sizes:
        return Tile(lanes_in, lanes, 2, lanes, (1, threads, 1), "unknown extents: two rows a thread")
    planes, height, width = (sizes[0] or 1) * (sizes[1] or 1), sizes[2] or 1, sizes[3] or 1
    rows = _rows(height, planes * -(-width // lanes))
    reason = f"{lanes} x {rows} pixels a thread, vectors of {lanes_in * nbytes} bytes"
    return Tile(lanes_in, lanes, rows, lanes, (1, threads, 1), reason)


def _rows(height: int, others: int) -> int:
    """Rows of a thread: the most that leave no thread idle and enough threads in flight."""
    fitting = [r for r in range(1, MOST_ROWS + 1) if -(-height // r) * r <= height * 1.15]
    enough = [r for r in fitting if -(-height // r) * others >= WANTED_THREADS]
    return max(enough, default=1)


def _tile_nhwc(defn: Definition, target: Target) -> Tile:
    image, out = defn.inputs[0], defn.outputs[0]
    nbytes = image.dtype.nbytes
    lanes = row_lanes(extent(out.shape[3]), nbytes)
    times = extent(defn.inputs[1].shape[3]) or 1
    lanes_in = lanes // times if lanes % times == 0 else 1
    threads = min(THREADS, target.max_num_threads)
    vectors = (extent(out.shape[3]) or 32) // lanes
    across = 1 << max(0, min(vectors, 32) - 1).bit_length()
    rows, columns = next(((r, c) for r, c in PATCHES if _held(defn, lanes, r, c) <= MOST_HELD), (1, 1))
    reason = f"{lanes} channels x {columns} x {rows} pixels a thread, {_held(defn, lanes, rows, columns)} registers"
    return Tile(lanes_in, lanes, rows, columns, (across, max(1, threads // across), 1), reason)


def _held(defn: Definition, lanes: int, rows: int, columns: int) -> int:
    """Registers for the pixels, the weights and the sums of a thread (NHWC)."""
    taps = [extent(axis.dom.extent) or 1 for axis in product_of(defn).op.reduce_axis]
    pixels = math.prod([(count + k - 1) for count, k in zip((rows, columns), taps, strict=True)])
    return lanes * (pixels + math.prod(taps) + rows * columns)


def schedule_depthwise(defn: Definition, target: Target, tile: Tile | None = None) -> Schedule:
    """Schedule a definition of ``compute.depthwise_conv2d`` (any size, stride, padding, dilation, multiplier)."""
    tile = tile or choose_tile(defn, target)
    out = defn.outputs[0]
    s = te.create_schedule(out.op)
    padded = defn.intermediates[0]
    acc = accumulator(s, Definition(defn.inputs, defn.outputs, defn.intermediates[1:]))
    s[padded].set_scope("local")
    if _channels_first(defn):
        vectors, lane = _split_rows(s, padded, tile.lanes_in)
        thread = _planes(s[out], out, tile)
    else:
        vectors, lane = s[padded].split(padded.op.axis[3], factor=tile.lanes_in)
        thread = _patches(s[out], out, tile)
        taps = s.cache_read(defn.inputs[1], "local", [acc])
        s[taps].compute_at(s[out], thread)
        _, tap_lane = s[taps].split(s[taps].fuse(*taps.op.axis[2:]), factor=tile.lanes)
        for axis in taps.op.axis[:2]:
            s[taps].unroll(axis)
        s[taps].vectorize(tap_lane)
        acc = s[acc].op.output(0)
    s[padded].compute_at(s[out], thread)
    for axis in (*s[padded].op.axis[1:3], vectors):
        if axis in s[padded].leaf_iter_vars:
            s[padded].unroll(axis)
    s[padded].vectorize(lane)
    s[acc].compute_at(s[out], thread)
    inner = s[acc]
    inner.reorder(*acc.op.axis[:2], *acc.op.reduce_axis, *acc.op.axis[2:])
    for axis in (*acc.op.axis[1:], *acc.op.reduce_axis):
        inner.unroll(axis)
    return s


def _split_rows(s: Schedule, padded: Tensor, lanes: int) -> tuple[IterVar, IterVar]:
    """Rows of the padded image as vectors, all of which are in one piece or outside of the image."""
    *_, vectors, lane = s[padded].transform_layout(lambda b, c, y, x: [b, c, y, x // lanes, x % lanes])
    return vectors, lane


def _planes(stage: Stage, out: Tensor, tile: Tile) -> IterVar:
    """Threads follow each other in the order of memory, through planes and images."""
    n, c, y, x = out.op.axis
    x, lane = stage.split(x, factor=tile.lanes)
    x, vectors = stage.split(x, factor=tile.columns // tile.lanes)
    y, row = stage.split(y, factor=tile.rows)
    stage.reorder(n, c, y, x, row, vectors, lane)
    block, thread = stage.split(stage.fuse(n, c, y, x), factor=tile.threads)
    stage.bind(block, te.thread_axis("blockIdx.x"))
    stage.bind(thread, te.thread_axis("threadIdx.x"))
    stage.unroll(row)
    stage.unroll(vectors)
    stage.vectorize(lane)
    return thread


def _patches(stage: Stage, out: Tensor, tile: Tile) -> IterVar:
    """Threads along channels first, then along x and y."""
    n, y, x, c = out.op.axis
    channels, across, down = tile.block
    c, lane = stage.split(c, factor=tile.lanes)
    block_c, c = stage.split(c, factor=channels)
    y, row = stage.split(y, factor=tile.rows)
    x, column = stage.split(x, factor=tile.columns)
    block_y, y = stage.split(y, factor=down)
    block_x, x = stage.split(x, factor=across)
    stage.reorder(n, block_c, block_y, block_x, y, x, c, row, column, lane)
    thread = stage.fuse(y, x, c)
    stage.bind(stage.fuse(n, block_c, block_y, block_x), te.thread_axis("blockIdx.x"))
    stage.bind(thread, te.thread_axis("threadIdx.x"))
    stage.unroll(row)
    stage.unroll(column)
    stage.vectorize(lane)
    return thread
