"""Winograd convolutions on NVIDIA's GPUs since sm_80: four kernels.

Data and filters are transformed, a tile a thread; a batch of matrix products, one for each point, runs as those of
``gpucomp.kernels.gemm.schedule_simt`` do (slabs copied ahead by cp.async, fragments read one step of the sum ahead);
the inverse transform, and what follows it elementwise, are computed where a thread stores its pixels.

With channels first, tiles are the columns of the products and both operands have the sum's index outermost: 16-byte
copies for both.  With channels last, tiles are the rows, and their slab is transposed as it is copied.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from gpucomp import te
from gpucomp.kernels.convolution.winograd import WinogradDefinition, product_shape
from gpucomp.kernels.gemm.schedule_simt import pipeline_slabs, tile_axes
from gpucomp.kernels.gemm.tiles import SimtTile
from gpucomp.kernels.registry import extent
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.te import Schedule, Stage, Tensor
from gpucomp.tir.expr import IterVar

THREADS: Final = 128  # of a block of a transform
FILTERS: Final = 32  # whose taps a block transforms together


@dataclass(frozen=True, slots=True)
class _Products:
    """The stage that stores the products while it is scheduled, and its threads."""

    tile: SimtTile
    tx: IterVar


def schedule_winograd(defn: WinogradDefinition, tile: SimtTile | None = None) -> Schedule:
    """Schedule a convolution by Winograd's filtering: transforms, products by ``tile``, inverse transform."""
    tile = tile or defn.tile
    rows, columns = product_shape(defn.problem, defn.m)
    if tile is None or tile.m > rows or tile.n > columns:
        raise ArgumentError(
            f"winograd: tile {tile.m if tile else None} x {tile.n if tile else None} of products {rows} x {columns}",
            code="GC640",
            hint="a tile no larger than the products: winograd_model.plans",
        )
    s = te.create_schedule(defn.outputs[0].op)
    schedule_data(s, defn)
    schedule_kernel(s, defn)
    schedule_products(s, defn, tile)
    schedule_result(s, defn)
    return s


def schedule_data(s: Schedule, defn: WinogradDefinition) -> None:
    """A thread loads the pixels of a tile of one channel and transforms them in registers."""
    data, rows, padded = defn.data, defn.rows_data, defn.padded
    assert padded is not None  # a definition of ``winograd`` always has it
    stage = s[data]
    k, *place = data.op.axis
    stage.reorder(*place, k)
    thread = _bind(stage, stage.fuse(*place), THREADS)
    _points(stage, k, defn.m + 2)
    _in_registers(s, rows, stage, thread, 2)
    s[padded].set_scope("local")
    s[padded].compute_at(stage, thread)
    for axis in padded.op.axis:
        s[padded].unroll(axis)


def schedule_kernel(s: Schedule, defn: WinogradDefinition) -> None:
    """A thread transforms the taps of one filter and channel in registers.

    Where filters are outermost a block first copies the taps of 32 filters and four channels to shared memory: they are
    read in the order of memory, and written in the order of filters.
    """
    stage = s[defn.kernel]
    k, ch, f = defn.kernel.op.axis
    if defn.problem.channels_last:
        stage.reorder(ch, f, k)
        thread = _bind(stage, stage.fuse(ch, f), THREADS)
    else:
        taps = s.cache_read(defn.inputs[1], "shared", [defn.rows_kernel])
        block_f, f = stage.split(f, factor=FILTERS)
        block_ch, ch = stage.split(ch, factor=THREADS // FILTERS)
        stage.reorder(block_ch, block_f, ch, f, k)
        thread = stage.fuse(ch, f)
        stage.bind(block_ch, te.thread_axis("blockIdx.y"))
        stage.bind(block_f, te.thread_axis("blockIdx.x"))
        stage.bind(thread, te.thread_axis("threadIdx.x"))
        s[taps].compute_at(stage, block_f)
        turn, tx = s[taps].split(s[taps].fuse(*taps.op.axis), factor=_threads(defn))
        s[taps].unroll(turn)
        s[taps].bind(tx, te.thread_axis("threadIdx.x"))
    _points(stage, k, defn.m + 2)
    _in_registers(s, s[defn.rows_kernel].op.output(0), stage, thread, 2)


def _threads(defn: WinogradDefinition) -> int:
    """Threads of a block that transforms filters: fewer where there are few channels."""
    return min(FILTERS, extent(defn.kernel.shape[2]) or FILTERS) * min(
        THREADS // FILTERS, extent(defn.kernel.shape[1]) or 1
    )


def schedule_result(s: Schedule, defn: WinogradDefinition) -> None:
    """A thread loads the sums of one tile and channel, transforms them in registers and stores its pixels."""
    out, m, conv = defn.outputs[0], defn.m, defn.problem
    if defn.product is not out:
        s[defn.product].compute_inline()
    products = s.cache_read(defn.products, "local", [defn.rows_inverse])
    rows = s[defn.rows_inverse].op.output(0)
    stage = s[out]
    if conv.channels_last:
        b, y, x, f = out.op.axis
    else:
        b, f, y, x = out.op.axis
    down, y = stage.split(y, factor=m)
    across, x = stage.split(x, factor=m)
    order = (b, down, across, f) if conv.channels_last else (f, b, down, across)
    stage.reorder(*order, y, x)
    thread = _bind(stage, stage.fuse(*order), THREADS)
    stage.unroll(y)
    lanes = 1 if conv.channels_last else math.gcd(m, extent(conv.out_size[1]) or 1)
    x, lane = stage.split(x, factor=lanes)
    stage.unroll(x)
    stage.vectorize(lane)
    _in_registers(s, defn.inverse, stage, thread, 2)
    _in_registers(s, rows, stage, thread, 2)
    s[products].compute_at(stage, thread)
    for axis in products.op.axis:
        s[products].unroll(axis)


def _bind(stage: Stage, fused: IterVar, threads: int) -> IterVar:
    block, thread = stage.split(fused, factor=threads)
    stage.bind(block, te.thread_axis("blockIdx.x"))
    stage.bind(thread, te.thread_axis("threadIdx.x"))
    return thread


def _points(stage: Stage, k: IterVar, t: int) -> None:
    """Write a loop over all points out: which row of a matrix it takes is then known."""
    xi, nu = stage.split(k, factor=t)
    for axis in (xi, nu):
        stage.pragma(axis, "unroll_explicit", 1)
        stage.unroll(axis)


def _in_registers(s: Schedule, tensor: Tensor, stage: Stage, thread: IterVar, points: int) -> None:
    """Compute a half of a transform in registers, its first ``points`` loops written out."""
    s[tensor].set_scope("local")
    s[tensor].compute_at(stage, thread)
    for axis in tensor.op.axis[:points]:
        s[tensor].pragma(axis, "unroll_explicit", 1)
        s[tensor].unroll(axis)


def schedule_products(s: Schedule, defn: WinogradDefinition, tile: SimtTile) -> None:
    """The batch of products: blocks along z have a point each."""
    first, second = (defn.data, defn.kernel) if defn.problem.channels_last else (defn.kernel, defn.data)
    products = defn.products
    acc = s.cache_write(products, "local")
    scope = tile.scope(int(defn.problem.channels_last))
    a_shared, b_shared = s.cache_read(first, scope, [acc]), s.cache_read(second, scope, [acc])
    if defn.problem.channels_last:
        s[a_shared].transform_layout(lambda k, i, r: [k, r, i])
        a_shared = s[a_shared].op.output(0)
        acc = s[acc].op.output(0)
    a_local, b_local = s.cache_read(a_shared, "local", [acc]), s.cache_read(b_shared, "local", [acc])
    acc = s[acc].op.output(0)

    stage = s[products]
    k, i, j = stage.op.axis
    block_i, block_j, *within = tile_axes(stage, i, j, tile)
    piece_i, piece_j, warp_i, warp_j, lane_i, lane_j, i, j = within
    stage.reorder(k, block_i, block_j, *within)
    thread = stage.fuse(warp_i, warp_j, lane_i, lane_j)
    tx = te.thread_axis("threadIdx.x")
    stage.bind(k, te.thread_axis("blockIdx.z"))
    stage.bind(block_i, te.thread_axis("blockIdx.y"))
    stage.bind(block_j, te.thread_axis("blockIdx.x"))
    stage.bind(piece_i, te.thread_axis("vthread", name="vy"))
    stage.bind(piece_j, te.thread_axis("vthread", name="vx"))
    stage.bind(thread, tx)
    stage.unroll(i)
    stage.vectorize(j)

    inner = s[acc]
    inner.compute_at(stage, thread)
    outer, step = inner.split(acc.op.reduce_axis[0], factor=tile.k)
    inner.reorder(outer, step, *acc.op.axis)
    pipeline_slabs(inner, outer, step, acc.op.axis, tile)
    if defn.problem.channels_last:
        _fetch_transposed(s[a_shared], a_shared, inner, outer, _Products(tile, tx))
    else:
        _fetch(s[a_shared], a_shared, inner, outer, _Products(tile, tx))
    _fetch(s[b_shared], b_shared, inner, outer, _Products(tile, tx))
    for local in (a_local, b_local):
        s[local].compute_at(inner, step)
        s[local].unroll(local.op.axis[1])
        s[local].vectorize(local.op.axis[2])


def _fetch(stage: Stage, tensor: Tensor, into: Stage, at: IterVar, how: _Products) -> None:
    """Threads copy 16 bytes each, neighbours next to each other."""
    stage.compute_at(into, at)
    fused, vector = stage.split(stage.fuse(*tensor.op.axis), factor=4)
    fused, thread = stage.split(fused, factor=how.tile.threads)
    stage.bind(thread, how.tx)
    stage.unroll(fused)
    stage.vectorize(vector)


def _fetch_transposed(stage: Stage, tensor: Tensor, into: Stage, at: IterVar, how: _Products) -> None:
    """A warp copies eight neighbouring steps of the sum of four rows, element by element."""
    stage.compute_at(into, at)
    _, r, i = tensor.op.axis
    stage.storage_align(r, 32, 4)
    outer, r = stage.split(r, factor=8)
    stage.reorder(outer, i, r)
    fused, thread = stage.split(stage.fuse(outer, i, r), factor=how.tile.threads)
    stage.bind(thread, how.tx)
    stage.unroll(fused)
