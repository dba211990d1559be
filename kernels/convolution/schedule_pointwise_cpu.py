"""Convolutions whose windows are one pixel: products of the weights with a matrix of one column a pixel.

Rows and columns of the result are one axis, which no tile wastes a part of.  The pixels of a task are copied next to
each other; of a stride above one, those that are read are gathered in rows first.
"""

from __future__ import annotations

from typing import Final

from gpucomp import te
from gpucomp.kernels.convolution.compute import ConvolutionDefinition
from gpucomp.kernels.convolution.tiles_cpu import REGISTERS, Tile, fitting
from gpucomp.kernels.gemm.epilogue import accumulator
from gpucomp.kernels.processor import threads
from gpucomp.kernels.registry import extent
from gpucomp.te import Schedule

VECTORS: Final = 4
TASKS: Final = 4  # of a thread, at least, where an image is one
COPY: Final = 8  # filters, whose products take as long as the copy of a group's pixels


def is_pointwise(defn: ConvolutionDefinition) -> bool:
    """True for a window of one pixel over an image without a border, in one group and of known size."""
    problem = defn.problem
    *others, width = [extent(x) for x in defn.outputs[0].shape]
    known = None not in others and width is not None and width > 1
    return (
        problem.ndim == 2
        and known
        and set(problem.kernel) == {1}
        and defn.padded is None
        and not problem.has_phases
        and problem.groups == 1
    )


def schedule_pointwise(defn: ConvolutionDefinition, widest: int) -> Schedule:
    """Images, or groups of pixels, and of channels where there are few of those, in parallel; a tile in registers."""
    out = defn.outputs[0]
    batch, filters, height, width = [extent(x) or 0 for x in out.shape]
    tile = _tile(filters, height * width, widest)
    s = te.create_schedule(out.op)
    acc = accumulator(s, defn)
    rows, panel = _copies(s, defn, acc, width, widest)

    stage = s[out]
    n, o, y, x = out.op.axis
    group, pixel = stage.split(stage.fuse(y, x), factor=tile.vectors * tile.lanes)
    vector, lane = stage.split(pixel, factor=tile.lanes)
    outer, channel = stage.split(o, factor=tile.channels)
    groups = -(-height * width // (tile.vectors * tile.lanes))
    each = batch >= TASKS * threads()  # an image is a task
    # Each part of the channels copies the group's pixels again.
    parts = 1 if each else parts_of_channels(groups, -(-filters // tile.channels), tile.channels)
    part, outer = stage.split(outer, nparts=parts)
    stage.reorder(n, group, part, outer, channel, vector, lane)
    task = stage.fuse(group, part)  # image by image: of one loop over all, a group's place is no longer one
    stage.parallel(n if each else task)
    stage.unroll(channel)
    stage.unroll(vector)
    stage.vectorize(lane)
    stage.pragma(vector, "whole_tiles")
    stage.pragma(lane, "whole_tiles")

    if rows is not None:
        s[rows].compute_at(stage, n)
    copy = s[panel]
    copy.compute_at(stage, task)
    _, lane = copy.split(copy.op.axis[-1], factor=tile.lanes)
    copy.vectorize(lane)

    inner = s[acc]
    inner.compute_at(stage, outer)
    op = inner.op
    vector, lane = inner.split(op.axis[2], factor=tile.lanes)
    inner.reorder(*op.reduce_axis, op.axis[0], op.axis[1], vector, lane)
    inner.unroll(op.axis[1])
    inner.unroll(vector)
    inner.vectorize(lane)
    return s


def parts_of_channels(groups: int, tiles: int, channels: int) -> int:
    """In how many parts the channels are computed: those that keep the busiest thread for the shortest time."""

    def time(parts: int) -> float:
        return -(-groups * parts // threads()) * (-(-tiles // parts) * channels + COPY)

    return min(range(1, min(tiles, TASKS * threads()) + 1), key=time)


def _copies(
    s: Schedule, defn: ConvolutionDefinition, acc: te.Tensor, width: int, lanes: int
) -> tuple[te.Tensor | None, te.Tensor]:
    """Keep sums, and the pixels that the inner loop reads, in the order of the result's memory."""
    image = defn.inputs[0]
    sy, sx = defn.problem.stride
    strided = (sy, sx) != (1, 1)
    rows = s.cache_read(image, "global", [acc]) if strided else image
    panel = s.cache_read(rows, "global", [acc])
    # The sums first: what reads a copy in another order is simplified when the copy takes that order.
    s[acc].transform_layout(lambda n, o, y, x: [n, o, y * width + x])
    if not strided:
        s[panel].transform_layout(lambda n, c, y, x: [n, c, y * width + x])
        return None, panel
    for copy in (rows, panel):
        axes = s[copy].transform_layout(lambda n, c, y, x: [y % sy, x % sx, n, c, y // sy, x // sx])
        if copy is rows:
            _, lane = s[copy].split(axes[-1], factor=lanes)
            s[copy].vectorize(lane)
            s[copy].pragma(lane, "whole_tiles")  # a masked vector where rows are shorter
            s[copy].parallel(s[copy].fuse(*axes[:-2]))
    s[panel].transform_layout(lambda a, b, n, c, y, x: [a, b, n, c, y * width + x])
    return rows, panel


def _tile(filters: int, pixels: int, widest: int) -> Tile:
    """Full vectors, or half ones where those leave fewer lanes idle."""
    sizes = [(7, widest // 2), (VECTORS, widest)]
    columns = [-(-pixels // (vectors * lanes)) * vectors * lanes for vectors, lanes in sizes]
    vectors, lanes = sizes[columns[0] >= columns[1]]
    most = (REGISTERS - 1) // vectors - 1  # sums, pixels and a weight
    return Tile(max(fitting(filters, most)), 1, min(vectors, -(-pixels // lanes)), lanes)
