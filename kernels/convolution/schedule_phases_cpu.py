"""Transposed convolutions on processors, by phases: vectors along the places of one phase, which pixels follow.

As in a dense convolution, the inner loop keeps a tile of one phase's places in vector registers, some channels by some
rows by some vectors, loads pixels as vectors and broadcasts weights.  A task takes all phases of its channels one after
the other: the taps of a filter lie in one line of memory, and those of a phase are some of each line.
"""

from __future__ import annotations

from gpucomp import te
from gpucomp.kernels.convolution.compute import ConvolutionDefinition
from gpucomp.kernels.convolution.schedule_channels_last_cpu import Share
from gpucomp.kernels.convolution.schedule_cpu import accumulate, copy_image
from gpucomp.kernels.convolution.tiles_cpu import Tile, choose
from gpucomp.kernels.gemm.epilogue import accumulator
from gpucomp.kernels.registry import extent
from gpucomp.te import Schedule

CHANNELS = 4


def _tile(defn: ConvolutionDefinition, widest: int) -> Tile:
    height, width = ([1, *map(extent, defn.problem.phase_size)])[-2:]
    filters = extent(defn.problem.filters)
    if height is None or width is None or filters is None:
        return Tile(CHANNELS, 2, 2, widest)
    return choose(filters, height, width, widest)


def schedule_phases(defn: ConvolutionDefinition, widest: int, share: Share) -> Schedule:
    """Groups of channels of each image in parallel; a tile of channels by places of a phase in registers."""
    out, conv = defn.outputs[0], defn.problem
    tile = _tile(defn, widest)
    s = te.create_schedule(out.op)
    acc = accumulator(s, defn)
    copy_image(s, defn, acc, widest, share)
    if defn.filled is not None:
        share(s[defn.filled], s[defn.filled].fuse(*s[defn.filled].op.axis[:2]))
    acc = s[acc].op.output(0)
    stage = s[out]
    n, o, *places = out.op.axis
    pairs = [stage.split(axis, factor=step) for axis, step in zip(places, conv.phases, strict=True)]
    phases, places = [phase for _, phase in pairs], [place for place, _ in pairs]
    oo, oi = stage.split(o, factor=tile.channels)
    xv, xl = stage.split(places.pop(), factor=tile.lanes)
    xo, xi = stage.split(xv, factor=tile.vectors)
    y = [stage.split(places.pop(), factor=tile.rows)] if places else []
    around = [*places, *[yo for yo, _ in y], xo]
    registers = [oi, *[yi for _, yi in y], xi]
    stage.reorder(n, oo, *phases, *around, *registers, xl)
    share(stage, stage.fuse(n, oo))
    for axis in registers:
        stage.unroll(axis)
    if tile.lanes > 1:
        stage.vectorize(xl)
    stage.pragma(xl, "whole_tiles")
    accumulate(s, acc, stage, around[-1], tile.lanes, len(phases))
    return s
