"""Direct two-dimensional convolution (NCHW) on processors: vectors along the rows of an image.

The inner kernel keeps a tile of the result in vector registers, some channels by some pixels, loads pixels as vectors
and broadcasts weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gpucomp import te
from gpucomp.kernels.registry import Definition, Extent, extent
from gpucomp.target import Target
from gpucomp.te import Schedule
from gpucomp.tir.expr import IterVar

CHANNELS, LANES = 4, 16


@dataclass(frozen=True, slots=True)
class Tile:
    """What stays in registers: ``channels`` x ``rows`` x ``vectors`` of ``lanes`` pixels; 8 to 16 sums.

    Attributes:
        rows_first: all channels of a row, then the next row; else all rows of a group of channels.
    """

    channels: int
    rows: int
    vectors: int
    lanes: int
    rows_first: bool


def _tile(defn: Definition) -> Tile:
    """The tile for a shape: few idle lanes, no channels left over, and the smaller of two amounts of traffic."""
    out, weight = defn.outputs[0], defn.inputs[1]
    image = (*defn.intermediates, defn.inputs[0])[0]
    width, height = extent(out.shape[3]), extent(out.shape[2])
    lanes = LANES if width is None else min(LANES, 1 << (width - 1).bit_length())
    count = 2 if width is None else -(-width // lanes)
    if count == 1:
        channels, rows, vectors = 8, 1, 1
    elif count % 2:
        channels, rows, vectors = 4, 1, 3
    elif height is None or height % 2:
        channels, rows, vectors = 8, 1, 2
    else:
        channels, rows, vectors = 4, 2, 2
    outputs = extent(out.shape[1])
    if outputs is not None:
        fitting = max([d for d in range(1, channels + 1) if outputs % d == 0])
        channels = fitting if 2 * fitting >= channels else min(channels, outputs)
    # The image is read again for each group of channels, or the weights for each row.
    pixels, weights = _elements(image.shape[1:]), _elements(weight.shape)
    if height is None or outputs is None or pixels is None or weights is None:
        return Tile(channels, rows, vectors, lanes, rows_first=False)
    by_channels, by_rows = pixels * -(-outputs // channels), weights * -(-height // rows)
    return Tile(channels, rows, vectors, lanes, rows_first=by_rows < by_channels)


def _elements(shape: Sequence[Extent]) -> int | None:
    sizes = [extent(x) for x in shape]
    known = [x for x in sizes if x is not None]
    return math.prod(known) if len(known) == len(sizes) else None


def schedule_conv2d(defn: Definition, target: Target) -> Schedule:
    """Images and rows, or groups of channels, in parallel; a tile of channels by pixels in registers."""
    out = defn.outputs[0]
    tile = _tile(defn)
    s = te.create_schedule(out.op)
    acc = s.cache_write(out, "local")
    for padded in defn.intermediates:
        image = s[padded]
        _, lane = image.split(padded.op.axis[3], factor=LANES)
        image.vectorize(lane)
        image.parallel(image.fuse(*padded.op.axis[:2]))
    stage = s[out]
    n, o, y, x = out.op.axis
    oo, oi = stage.split(o, factor=tile.channels)
    yo, yi = stage.split(y, factor=tile.rows)
    xv, xl = stage.split(x, factor=tile.lanes)
    xo, xi = stage.split(xv, factor=tile.vectors)
    outer = (yo, xo, oo) if tile.rows_first else (oo, yo, xo)
    stage.reorder(n, *outer, oi, yi, xi, xl)
    stage.parallel(stage.fuse(n, outer[0]))
    for axis in (oi, yi, xi):
        stage.unroll(axis)
    if tile.lanes > 1:
        stage.vectorize(xl)
    _accumulate(s, acc, stage, outer[-1], tile.lanes)
    return s


def _lanes(width: int | None) -> int:
    """The longest vector that divides the width, else a full one with a tail."""
    if width is None:
        return LANES
    best = max([d for d in range(1, LANES + 1) if width % d == 0])
    return best if best >= 4 else min(LANES, width)


def schedule_conv2d_opencl_cpu(defn: Definition, target: Target) -> Schedule:
    """One work-group of one work-item for a group of channels and a row of pixels."""
    out = defn.outputs[0]
    s = te.create_schedule(out.op)
    acc = s.cache_write(out, "local")
    for padded in defn.intermediates:
        s[padded].bind(s[padded].fuse(*padded.op.axis[:2]), te.thread_axis("blockIdx.x"))
    stage = s[out]
    n, o, y, x = out.op.axis
    lanes = _lanes(extent(out.shape[3]))
    oo, oi = stage.split(o, factor=CHANNELS)
    xo, xi = stage.split(x, factor=lanes)
    stage.reorder(n, oo, y, xo, oi, xi)
    stage.bind(stage.fuse(n, oo), te.thread_axis("blockIdx.y"))
    stage.bind(y, te.thread_axis("blockIdx.x"))
    stage.unroll(oi)
    if lanes > 1:
        stage.vectorize(xi)
    _accumulate(s, acc, stage, xo, lanes)
    return s


def _accumulate(s: Schedule, acc: te.Tensor, stage: te.Stage, at: IterVar, lanes: int) -> None:
    inner = s[acc]
    inner.compute_at(stage, at)
    _, ao, ay, ax = acc.op.axis
    av, al = inner.split(ax, factor=lanes)
    inner.reorder(*acc.op.reduce_axis, ao, ay, av, al)
    inner.storage_align(ay, lanes, 0)
    for axis in (ao, ay, av):
        inner.unroll(axis)
    if lanes > 1:
        inner.vectorize(al)
