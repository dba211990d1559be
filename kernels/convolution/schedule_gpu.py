"""Direct two-dimensional convolution (NCHW) on GPUs.

One block computes a tile of output channels by a patch of pixels of one image.  Input patch (padding included)
and weights of a few input channels lie in shared memory; a thread keeps several channels by several neighbouring
pixels in registers, and reads each input pixel of a row once for all the taps that need it.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpucomp import te
from gpucomp.kernels.registry import Definition, extent
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor
from gpucomp.tir.expr import IterVar


@dataclass(frozen=True)
class ConvTile:
    """Tile sizes.

    Attributes:
        channels, rows, columns: output patch of one block.
        thread_channels, thread_columns: what a thread holds; its channels lie in ``vthreads`` pieces.
        reduce_channels: input channels fetched at a time.
    """

    channels: int
    rows: int
    columns: int
    thread_channels: int
    thread_columns: int
    reduce_channels: int
    vthreads: int = 2


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


def schedule_conv2d(defn: Definition, target: Target, tile: ConvTile | None = None) -> Schedule:
    """Schedule ``conv2d`` (any size, stride and padding)."""
    weight, out = defn.inputs[1], defn.outputs[0]
    taps = (extent(weight.shape[2]) or 3) * (extent(weight.shape[3]) or 3)
    tile = tile or choose_tile(extent(out.shape[1]), extent(out.shape[2]), extent(out.shape[3]), taps, target)
    s = te.create_schedule(out.op)
    acc = s.cache_write(out, "local")
    if defn.intermediates:  # the padded patch is computed straight into shared memory
        data_shared = defn.intermediates[0]
        s[data_shared].set_scope("shared")
    else:
        data_shared = s.cache_read(defn.inputs[0], "shared", [acc])
    weight_shared = s.cache_read(weight, "shared", [acc])
    data_local = s.cache_read(data_shared, "local", [acc])
    weight_local = s.cache_read(weight_shared, "local", [acc])

    stage = s[out]
    n, o, y, x = out.op.axis
    block_o, o = stage.split(o, factor=tile.channels)
    block_y, y = stage.split(y, factor=tile.rows)
    block_x, x = stage.split(x, factor=tile.columns)
    pieces = tile.vthreads if tile.thread_channels % tile.vthreads == 0 else 1
    virtual_o, o = stage.split(o, nparts=pieces)
    thread_o, o = stage.split(o, factor=tile.thread_channels // pieces)
    thread_x, x = stage.split(x, factor=tile.thread_columns)
    stage.reorder(n, block_o, block_y, block_x, virtual_o, thread_o, y, thread_x, o, x)
    pixel_block = stage.fuse(block_y, block_x)
    pixel = stage.fuse(y, thread_x)
    ty, tx = te.thread_axis("threadIdx.y"), te.thread_axis("threadIdx.x")
    stage.bind(n, te.thread_axis("blockIdx.z"))
    stage.bind(block_o, te.thread_axis("blockIdx.y"))
    stage.bind(pixel_block, te.thread_axis("blockIdx.x"))
    stage.bind(virtual_o, te.thread_axis("vthread", name="vo"))
    stage.bind(thread_o, ty)
    stage.bind(pixel, tx)
    stage.unroll(o)
    stage.unroll(x)

    inner = s[acc]
    inner.compute_at(stage, pixel)
    rc, ry, rx = acc.op.reduce_axis
    _, ao, ay, ax = acc.op.axis
    chunk, rc = inner.split(rc, factor=tile.reduce_channels)
    inner.reorder(chunk, rc, ry, rx, ao, ay, ax)
    for axis in (ry, rx, ao, ax):
        inner.unroll(axis)

    counts = (tile.channels // tile.thread_channels, tile.rows * tile.columns // tile.thread_columns)
    for shared in (data_shared, weight_shared):
        s[shared].compute_at(inner, chunk)
        rounds = _fetch(s, shared, (ty, tx), counts)
        if target.thread_warp_size == 1:  # an unknown machine: some compilers unroll these loops, and then spill
            s[shared].pragma(rounds, "unroll_factor", 1)
    for local in (data_local, weight_local):
        s[local].compute_at(inner, ry)
        for axis in local.op.axis:
            s[local].unroll(axis)
    return s


def _fetch(s: Schedule, tensor: Tensor, threads: tuple[IterVar, IterVar], counts: tuple[int, int]) -> IterVar:
    """All threads of a block fetch a slab together, element by element, neighbours next to each other, in rounds."""
    stage = s[tensor]
    fused = stage.fuse(*tensor.op.axis)
    fused, tx = stage.split(fused, factor=counts[1])
    rounds, ty = stage.split(fused, factor=counts[0])
    stage.bind(ty, threads[0])
    stage.bind(tx, threads[1])
    return rounds
