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

from gpucomp import arith, te
from gpucomp.kernels.gemm.epilogue import accumulator, product_of
from gpucomp.kernels.registry import Definition, extent, row_lanes
from gpucomp.target import Target
from gpucomp.te import Schedule, Stage, Tensor
from gpucomp.te.operation import ComputeOp
from gpucomp.tir.expr import IterVar, ProducerLoad, Reduce
from gpucomp.tir.functor import expr_post_order, substitute
from gpucomp.tir.operators import const

THREADS: Final = 128
VECTOR_BYTES: Final = 16
MOST_IDLE: Final = 0.8  # of the threads along channels that 64 of them take: how many 32 have to take to be better
MOST_RAGGED_TAPS: Final = 25  # of windows over vectors of less than 16 bytes; larger ones were not timed
MOST_HELD: Final = 160  # weights and pixels of a thread that has vectors of less than 16 bytes: all in registers
MOST_TAPS: Final = 49  # more weights and pixels than of 7x7 windows do not fit the registers of a thread


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
    """Vectors as wide as rows allow, and as many rows as make 16 bytes of them: the more threads, the more loads."""
    image, out = defn.inputs[0], defn.outputs[0]
    nbytes = image.dtype.nbytes
    lanes_in, lanes = row_lanes(extent(image.shape[3]), nbytes), row_lanes(extent(out.shape[3]), nbytes)
    # A row of a larger window is loaded for as many rows of the result as need it.
    wanted = -(-VECTOR_BYTES // (lanes * nbytes)) if _taps(defn) <= 9 else 4
    rows = min(wanted, 4, extent(out.shape[2]) or 4)
    reason = f"{lanes} x {rows} pixels a thread, from vectors of {lanes_in * nbytes} bytes"
    return Tile(lanes_in, lanes, rows, lanes, (1, min(THREADS, target.max_num_threads), 1), reason)


def _tile_nhwc(defn: Definition, target: Target) -> Tile:
    """Vectors of channels; pixels as timed on an H100, fewer for larger windows, whose weights take registers too."""
    image, out = defn.inputs[0], defn.outputs[0]
    nbytes = image.dtype.nbytes
    channels, height = extent(out.shape[3]), extent(out.shape[1])
    lanes = row_lanes(channels, nbytes)
    times = extent(defn.inputs[1].shape[3]) or 1
    lanes_in = lanes // times if lanes % times == 0 else 1
    narrow = nbytes <= 2
    rows, columns = (4, 2)
    # Vectors of less than 16 bytes are better read by twice as many neighbours.
    ragged = nbytes == 4 and lanes < 4 and target.thread_warp_size > 1 and _taps(defn) <= MOST_RAGGED_TAPS
    ragged = ragged and _held(defn, lanes, 4, 2) <= MOST_HELD
    if _taps(defn) > 9 and not ragged:
        rows, columns = 1, 4  # the rows of a window are held one at a time
    elif narrow and 2 * (height or 1) <= (extent(image.shape[1]) or 1) + 1:
        rows = 1  # strides leave little to share between rows, and eight channels fill registers twice as fast
    elif narrow and height is not None and height % 7 == 0 and target.thread_warp_size > 1:  # else registers may not do
        rows = 7
    down = 2 if narrow else 1
    vectors = (channels or 16 * lanes) // lanes
    most = 16
    if ragged:  # but not where a second block would have a thread or two
        most = 32 if -(-vectors // 32) * 32 < MOST_IDLE * -(-vectors // 64) * 64 else 64
    across = min(most, 1 << (vectors - 1).bit_length(), target.max_num_threads // down)
    along = max(1, min(THREADS // down // max(8, across), target.max_num_threads // down // across))
    reason = f"{lanes} channels x {columns} x {rows} pixels a thread"
    return Tile(lanes_in, lanes, rows, columns, (across, along, down), reason)


def _taps(defn: Definition) -> int:
    shape = defn.inputs[1].shape
    window = shape[2:] if _channels_first(defn) else shape[:2]
    return math.prod([extent(size) or MOST_TAPS + 1 for size in window])


def _held(defn: Definition, lanes: int, rows: int, columns: int) -> int:
    """Weights and pixels that a thread holds for so many results, with channels last."""
    product = product_of(defn)
    assert isinstance(product.op, ComputeOp)
    (reduce,) = product.op.body
    assert isinstance(reduce, Reduce)
    padded = defn.intermediates[0]
    (load,) = [n for n in expr_post_order(reduce.source[0]) if isinstance(n, ProducerLoad) and n.producer is padded]
    analyzer = arith.Analyzer()
    sides: list[int] = []
    for d, count in ((1, rows), (2, columns)):
        tap, place = reduce.axis[d - 1], product.op.axis[d].var
        last = {place: const(count - 1, place.dtype), tap.var: tap.dom.extent - 1 if tap.dom else const(0, place.dtype)}
        first = {place: const(0, place.dtype), tap.var: const(0, place.dtype)}
        reach = analyzer.simplify(substitute(load.indices[d], last) - substitute(load.indices[d], first))
        sides.append((extent(reach) or 0) + 1)
    return (math.prod(sides) + _taps(defn)) * lanes


def schedule_depthwise(defn: Definition, target: Target, tile: Tile | None = None) -> Schedule:
    """Schedule a definition of ``compute.depthwise_conv2d`` (any size, stride, padding, dilation, multiplier)."""
    tile = tile or choose_tile(defn, target)
    out = defn.outputs[0]
    s = te.create_schedule(out.op)
    padded = defn.intermediates[0]
    acc = accumulator(s, Definition(defn.inputs, defn.outputs, defn.intermediates[1:]))
    first = _channels_first(defn)
    by_rows = not first and tile.rows == 1 and _taps(defn) > 9
    thread = (_planes if first else _patches)(s[out], out, tile)
    s[acc].compute_at(s[out], thread)
    if _taps(defn) > MOST_TAPS:
        s[padded].compute_inline()
        return s
    s[padded].set_scope("local")
    if first:
        vectors, lane = _split_rows(s, padded, tile.lanes_in)
    else:
        vectors, lane = s[padded].split(padded.op.axis[3], factor=tile.lanes_in)
        taps = s.cache_read(defn.inputs[1], "local", [acc])
        _, tap_lane = s[taps].split(s[taps].fuse(*taps.op.axis[2:]), factor=tile.lanes)
        for axis in taps.op.axis[:2]:
            s[taps].unroll(axis)
        s[taps].vectorize(tap_lane)
        acc = s[acc].op.output(0)
        _fetch_at(s, taps, acc, by_rows, s[out], thread)
    _fetch_at(s, padded, acc, by_rows, s[out], thread)
    for axis in (*s[padded].op.axis[1:3], vectors):
        if axis in s[padded].leaf_iter_vars:
            s[padded].unroll(axis)
    s[padded].vectorize(lane)
    inner = s[acc]
    leading = acc.op.axis[:1] if by_rows else acc.op.axis[:2]
    inner.reorder(*leading, *acc.op.reduce_axis, *acc.op.axis[len(leading) :])
    rows, *columns = acc.op.reduce_axis
    for axis in (*acc.op.axis[1:], *columns):
        inner.unroll(axis)
    if by_rows and target.thread_warp_size == 1:  # an unknown machine: some compilers then hold all rows, and spill
        inner.pragma(rows, "unroll_factor", 1)
    else:
        inner.unroll(rows)
    return s


def _fetch_at(s: Schedule, tensor: Tensor, acc: Tensor, by_rows: bool, stage: Stage, thread: IterVar) -> None:
    """Load all that a thread needs, or, of larger windows, what a row of the window needs: less is held at a time."""
    if by_rows:
        s[tensor].compute_at(s[acc], acc.op.reduce_axis[0])
    else:
        s[tensor].compute_at(stage, thread)


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
