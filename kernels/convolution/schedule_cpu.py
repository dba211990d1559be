"""Convolutions with channels first on processors, of one to three dimensions: vectors along the rows of an image.

The inner loop keeps a tile of the result in vector registers, some channels by some pixels, loads pixels as vectors
and broadcasts weights.  It reads a copy of the image with its border, in which the pixels that one tap multiplies are
neighbours for a stride above one too (even columns, then odd ones), and which reaches as far as whole tiles do, so
that nothing is checked inside.  Windows of one pixel are matrix products: see ``schedule_pointwise_cpu``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from gpucomp import te
from gpucomp.kernels.convolution.compute import ConvolutionDefinition
from gpucomp.kernels.convolution.schedule_channels_last_cpu import Share
from gpucomp.kernels.convolution.schedule_pointwise_cpu import is_pointwise, schedule_pointwise
from gpucomp.kernels.convolution.tiles_cpu import Tile, choose
from gpucomp.kernels.gemm.epilogue import accumulator
from gpucomp.kernels.processor import vector_bytes
from gpucomp.kernels.registry import Definition, Extent, extent
from gpucomp.target import Target
from gpucomp.te import Schedule, Stage
from gpucomp.tir.expr import IterVar

CHANNELS = 4
FEW_TASKS = 12


def _tile(defn: ConvolutionDefinition, widest: int) -> Tile:
    out = defn.outputs[0]
    height, width = ([1, *map(extent, out.shape[2:])])[-2:]
    filters = extent(out.shape[1])
    if height is None or width is None or filters is None:
        return Tile(CHANNELS, 2, 2, widest)
    return choose(filters // defn.problem.groups, height, width, widest)


def _rows_first(defn: ConvolutionDefinition, tile: Tile) -> bool:
    """All channels of some rows and then the next rows, or all rows of some channels: the lesser traffic.

    The image is read again for each group of channels, or the weights for each group of rows.  Few groups of rows
    would leave threads idle.
    """
    out, weight, image = defn.outputs[0], defn.inputs[1], defn.inputs[0]
    if defn.problem.ndim != 2:
        return False
    pixels, weights = _elements(image.shape[1:]), _elements(weight.shape)
    batch, filters, height, _ = [extent(x) for x in out.shape]
    if batch is None or height is None or filters is None or pixels is None or weights is None:
        return False
    if batch * -(-height // tile.rows) < FEW_TASKS:
        return False
    return weights * -(-height // tile.rows) < pixels * -(-filters // tile.channels)


def _elements(shape: Sequence[Extent]) -> int | None:
    sizes = [extent(x) for x in shape]
    known = [x for x in sizes if x is not None]
    return math.prod(known) if len(known) == len(sizes) else None


def schedule_conv2d(defn: Definition, target: Target) -> Schedule:
    """Images and rows, or groups of channels, in parallel; a tile of channels by pixels in registers."""
    assert isinstance(defn, ConvolutionDefinition)
    widest = vector_bytes(target) // defn.product.dtype.nbytes
    if is_pointwise(defn):
        return schedule_pointwise(defn, widest)
    return _tiles(defn, widest, Stage.parallel, alone=True)


def schedule_conv2d_opencl_cpu(defn: Definition, target: Target) -> Schedule:
    """The same tiles; a work-group of one work-item for a group of channels, or of rows, of an image."""
    assert isinstance(defn, ConvolutionDefinition)
    return _tiles(defn, vector_bytes(target) // defn.product.dtype.nbytes, work_group, alone=False)


def work_group(stage: Stage, axis: IterVar) -> None:
    """Share a loop among work-groups of one work-item."""
    stage.bind(axis, te.thread_axis("blockIdx.x"))
    stage.pragma(axis, "unroll_explicit", 1)  # what is indexed by a loop does not stay in registers


def _tiles(defn: ConvolutionDefinition, widest: int, share: Share, *, alone: bool) -> Schedule:
    """``alone``: one image after the other may be copied and computed."""
    out = defn.outputs[0]
    tile = _tile(defn, widest)
    rows_first = _rows_first(defn, tile)
    s = te.create_schedule(out.op)
    acc = accumulator(s, defn)
    image = copy_image(s, defn, acc, widest, share)
    acc = s[acc].op.output(0)
    stage = s[out]
    n, o, *planes, x = out.op.axis
    oo, oi = stage.split(o, factor=tile.channels)
    y = [stage.split(planes.pop(), factor=tile.rows)] if planes else []
    xv, xl = stage.split(x, factor=tile.lanes)
    xo, xi = stage.split(xv, factor=tile.vectors)
    places = [*planes, *[yo for yo, _ in y], xo]
    outer = [*places, oo] if rows_first else [oo, *places]
    registers = [oi, *[yi for _, yi in y], xi]
    stage.reorder(n, *outer, *registers, xl)
    if alone and _tasks(defn, tile, rows_first) >= FEW_TASKS:  # so its copy stays in a cache
        s[image].compute_at(stage, n)
        share(stage, outer[0])
    else:
        share(stage, stage.fuse(n, outer[0]))
    for axis in registers:
        stage.unroll(axis)
    stage.vectorize(xl)
    stage.pragma(xl, "whole_tiles")
    accumulate(s, acc, stage, outer[-1], tile.lanes)
    return s


def _tasks(defn: ConvolutionDefinition, tile: Tile, rows_first: bool) -> int:
    """How many parts one image makes; 0 where that is not known."""
    size = extent(defn.outputs[0].shape[2 if rows_first else 1])
    return 0 if size is None else -(-size // (tile.rows if rows_first else tile.channels))


def copy_image(s: Schedule, defn: ConvolutionDefinition, acc: te.Tensor, lanes: int, share: Share) -> te.Tensor:
    """The image with its border, or a copy of one that has none, with the pixels of a tap side by side."""
    step = 1 if defn.problem.transposed else defn.problem.stride[-1]
    copy = defn.padded
    if copy is None:
        copy = s.cache_read(defn.inputs[0], "global", [acc])
    image = s[copy]
    axes = list(copy.op.axis)
    if step > 1:
        axes = image.transform_layout(lambda *i: [*i[:-1], i[-1] % step, i[-1] // step])
    _, lane = image.split(axes[-1], factor=lanes)
    image.vectorize(lane)
    image.pragma(lane, "whole_tiles")  # a masked vector where rows are shorter
    share(image, image.fuse(*axes[:2]))
    return copy


def accumulate(s: Schedule, acc: te.Tensor, stage: te.Stage, at: IterVar, lanes: int, phases: int = 0) -> None:
    """Sums of a tile: for each tap some channels by some rows by some vectors; ``phases``: axes of one element each."""
    inner = s[acc]
    inner.compute_at(stage, at)
    _, ao, *rows, ax = acc.op.axis
    which, rows = rows[:phases], rows[phases:]
    av, al = inner.split(ax, factor=lanes)
    inner.reorder(*which, *acc.op.reduce_axis, ao, *rows, av, al)
    inner.storage_align(rows[-1] if rows else ao, lanes, 0)
    for axis in (ao, *rows, av):
        inner.unroll(axis)
    if lanes > 1:
        inner.vectorize(al)
