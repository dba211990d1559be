"""Convolutions with channels last on processors: vectors along the filters, which are neighbours in memory.

As in a matrix product, the inner loop keeps some pixels by some vectors of filters in registers, loads the weights of
one tap and channel as vectors, and broadcasts the pixels.  It reads a copy of the image with its border; weights are
read where they are, unless vectors do not divide their number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gpucomp import te
from gpucomp.kernels.convolution.compute import ConvolutionDefinition
from gpucomp.kernels.convolution.tiles_cpu import LATENCY, LOOP, REGISTERS
from gpucomp.kernels.gemm.epilogue import accumulator
from gpucomp.kernels.registry import extent
from gpucomp.te import Schedule, Stage
from gpucomp.tir.expr import IterVar

PIXELS, VECTORS = 14, 4  # at most
Share = Callable[[Stage, IterVar], None]  # a loop among threads
LOAD: Final = 0.5  # of a multiply-add: loads of vectors and broadcasts are two a cycle


def takes_channels_last(defn: ConvolutionDefinition) -> bool:
    """True for a convolution in one group, of known size, whose filters fill half a vector at least."""
    conv = defn.problem
    known = None not in [extent(x) for x in (*defn.outputs[0].shape, conv.channels)]
    return conv.channels_last and conv.groups == 1 and known and (extent(conv.filters) or 0) >= 8


def _tile(width: int, filters: int, lanes: int) -> tuple[int, int]:
    """How many pixels by how many vectors: the tile whose taps take the least time in all."""
    best: tuple[float, int, int] | None = None
    for vectors in range(1, min(VECTORS, -(-filters // lanes)) + 1):
        for pixels in range(1, min(PIXELS, width) + 1):
            if (pixels + 1) * vectors > REGISTERS:  # sums and weights; pixels are broadcast from memory
                break
            count = -(-width // pixels) * -(-filters // (vectors * lanes))
            taps = max(pixels * vectors, (pixels + vectors) * LOAD, LATENCY) + LOOP
            best = min(best or (count * taps, pixels, vectors), (count * taps, pixels, vectors))
    assert best is not None  # one pixel by one vector always fits
    return best[1], best[2]


def schedule_channels_last(defn: ConvolutionDefinition, lanes: int, share: Share) -> Schedule:
    """Rows of pixels, for one group of filters after the other, in parallel; a tile in registers."""
    out = defn.outputs[0]
    *_, width, filters = [extent(x) or 0 for x in out.shape]
    pixels, vectors = _tile(width, filters, lanes)
    s = te.create_schedule(out.op)
    acc = accumulator(s, defn)
    whole = width % pixels == 0
    if defn.padded is not None:
        _copy(s[defn.padded], lanes, share)
    elif not whole:
        _copy(s[s.cache_read(defn.inputs[0], "global", [acc])], lanes, share)
    if filters % (vectors * lanes):
        _copy(s[s.cache_read(defn.inputs[1], "global", [acc])], lanes, share)
    acc = s[acc].op.output(0)

    stage = s[out]
    n, *rows, x, o = out.op.axis
    group, inside = stage.split(o, factor=vectors * lanes)
    vector, lane = stage.split(inside, factor=lanes)
    run, pixel = stage.split(x, factor=pixels)
    stage.reorder(group, n, *rows, run, pixel, vector, lane)
    share(stage, stage.fuse(group, n, *rows))
    stage.unroll(pixel)
    stage.unroll(vector)
    stage.vectorize(lane)
    stage.pragma(pixel, "whole_tiles")
    stage.pragma(lane, "whole_tiles")

    inner = s[acc]
    inner.compute_at(stage, run)
    channel, *taps = inner.op.reduce_axis
    *around, ax, ao = inner.op.axis
    vector, lane = inner.split(ao, factor=lanes)
    inner.reorder(*around, *taps, channel, ax, vector, lane)
    inner.unroll(ax)
    inner.unroll(vector)
    inner.vectorize(lane)
    return s


def _copy(stage: Stage, lanes: int, share: Share) -> None:
    """In vectors, all but the last two dimensions in parallel."""
    *outer, _, last = stage.op.axis
    _, lane = stage.split(last, factor=lanes)
    stage.vectorize(lane)
    stage.pragma(lane, "whole_tiles")
    share(stage, stage.fuse(*outer))
