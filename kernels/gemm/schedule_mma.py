"""16-bit matrix products on the tensor cores of NVIDIA's GPUs since sm_80, by ``mma.sync``.

Slabs of both operands are copied ahead into shared memory by cp.async, 16 bytes at a time, as they are stored: their
rows are permuted (``storage_swizzle``) so that ``ldmatrix``, which transposes where that is needed, reads them without
bank conflicts.  A warp holds a part of the tile in registers, reads tiles of 16x16 one step of k ahead, and multiplies
them by ``mma.sync.aligned.m16n8k16``.  Each thread computes what follows the product of the sums that it holds, and
stores two neighbours at a time, four threads of a row side by side: 32 bytes of float32.
Source: A. Kerr, "Developing CUDA kernels to push Tensor Cores to the absolute limit on NVIDIA A100", GTC 2020.
"""

from __future__ import annotations

import math

from gpucomp import te
from gpucomp.kernels.gemm.epilogue import accumulator, inline_epilogue, product_of
from gpucomp.kernels.gemm.layout import Operands, operands_of
from gpucomp.kernels.gemm.tiles_mma import MmaChoice, MmaTile, choose_mma
from gpucomp.kernels.registry import Definition, extent
from gpucomp.target import Target
from gpucomp.te import Schedule, Stage, Tensor, mma
from gpucomp.tir.expr import IterVar
from gpucomp.tir.fragments import SUMS, TILE, WARP

GROUP = 8  # rows of tiles that blocks next to each other share columns of tiles in, for the L2 cache
COPY = 8  # elements of 16 bytes
SCOPE = "shared.dyn"


def choice_of(defn: Definition, target: Target) -> MmaChoice | None:
    """The model's choice for a definition; None where this schedule is not for it.

    It is for 16-bit operands of known extents whose rows are whole pieces of 16 bytes, on CUDA devices since sm_80.
    """
    a, b = defn.inputs[:2]
    if str(target.kind) != "cuda" or not {"mma", "cp_async"} <= target.features:
        return None
    product = product_of(defn)
    if a.dtype is not b.dtype or str(product.dtype) not in SUMS.get(str(a.dtype), ()):
        return None
    operands = operands_of(defn)
    m, n, k, batch = operands.m, operands.n, operands.k, operands.batch
    if m is None or n is None or k is None or batch is None:
        return None
    rows = [extent(x.shape[-1]) or 1 for x in (a, b)]
    if any([x % COPY for x in rows]):
        return None
    return choose_mma((m, n, k), target, batch)


def schedule_mma(defn: Definition, choice: MmaChoice) -> Schedule:
    """Schedule a product, and what follows it elementwise, as ``choice`` says."""
    operands, tile, out = operands_of(defn), choice.tile, defn.outputs[0]
    s = te.create_schedule(out.op)
    sums = accumulator(s, defn, "mma.frag.c")
    inline_epilogue(s, defn)
    a, b = defn.inputs[:2]
    shared = s.cache_read(a, SCOPE, [sums]), s.cache_read(b, SCOPE, [sums])
    held = s.cache_read(shared[0], "mma.frag.a", [sums]), s.cache_read(shared[1], "mma.frag.b", [sums])
    sums = s[sums].op.output(0)

    threads = tuple([te.thread_axis(f"threadIdx.{dim}") for dim in "xyz"])
    home = s[out]
    warp = _store(home, threads, tile, operands)
    inner = s[sums]
    inner.compute_at(home, warp)
    slabs, steps = _multiply(inner, sums, operands, tile)
    loads = (
        mma.ldmatrix_a(a.dtype, transposed=operands.transpose_a, scope=SCOPE),
        mma.ldmatrix_b(b.dtype, transposed=operands.transpose_b, scope=SCOPE),
    )
    for memory, registers, load in zip(shared, held, loads, strict=True):
        s[memory].compute_at(inner, slabs)
        _copy(s[memory], memory, threads, tile)
        stage = s[registers]
        stage.compute_at(inner, steps)
        *_, rows, columns = registers.op.axis
        outer, whole = _tiles(stage, rows, columns)
        for axis in outer:
            stage.unroll(axis)
        stage.tensorize(whole, load)
    return s


def _store(stage: Stage, threads: tuple[IterVar, ...], tile: MmaTile, operands: Operands) -> IterVar:
    """Tiles to blocks, in groups of rows of tiles, and parts of them to warps, whose threads store what they hold.

    Returns the innermost axis of warps.
    """
    *batch, i, j = stage.op.axis
    block_i, i = stage.split(i, factor=tile.m)
    block_j, j = stage.split(j, factor=tile.n)
    for axis in (i, j):  # a tile may be larger than the result
        stage.pragma(axis, "whole_tiles")
    warp_i, i = stage.split(i, factor=tile.warp_m)
    warp_j, j = stage.split(j, factor=tile.warp_n)
    group = math.gcd(-(-(operands.m or 1) // tile.m), GROUP)
    outer, block_i = stage.split(block_i, factor=group)
    stage.reorder(*batch, outer, block_j, block_i, warp_i, warp_j, i, j)
    for axis in (i, j):
        stage.pragma(axis, "whole_tiles")
    block = stage.fuse(*batch, outer, block_j, block_i)
    stage.bind(block, te.thread_axis("blockIdx.x"))
    stage.bind(warp_i, threads[2])
    stage.bind(warp_j, threads[1])
    lane, pieces, pair = mma.own_elements(stage, i, j)
    stage.bind(lane, threads[0])
    for axis in pieces:
        stage.pragma(axis, "whole_tiles")
        stage.unroll(axis)
    if (operands.n or 1) % 2 == 0:
        stage.vectorize(pair)
    else:
        stage.unroll(pair)
    return warp_j


def _tiles(stage: Stage, i: IterVar, j: IterVar) -> tuple[tuple[IterVar, IterVar], IterVar]:
    """Split rows and columns into tiles of fragments: the axes of tiles, and the first of those inside."""
    tile_i, i = stage.split(i, factor=TILE)
    tile_j, j = stage.split(j, factor=TILE)
    stage.reorder(tile_i, tile_j, i, j)
    return (tile_i, tile_j), i


def _multiply(stage: Stage, sums: Tensor, operands: Operands, tile: MmaTile) -> tuple[IterVar, IterVar]:
    """Slabs, and fragments of their steps, are loaded ahead of the products; the loops over both."""
    *_, i, j = sums.op.axis
    slabs, steps = stage.split(sums.op.reduce_axis[0], factor=tile.k)
    steps, k = stage.split(steps, factor=TILE)
    tile_i, i = stage.split(i, factor=TILE)
    tile_j, j = stage.split(j, factor=TILE)
    stage.reorder(slabs, steps, tile_i, tile_j, i, j, k)
    for axis in (steps, tile_i, tile_j):
        stage.unroll(axis)
    dtype = str(sums.op.input_tensors[0].dtype)
    product = mma.mma_m16n8k16(dtype, transpose_a=operands.transpose_a, transpose_b=operands.transpose_b)
    stage.tensorize(i, product)
    stage.pragma(slabs, "software_pipeline", tile.stages)
    stage.pragma(slabs, "unroll_factor", 1)
    if tile.spread:
        stage.pragma(slabs, "spread_copies")
    stage.pragma(steps, "software_pipeline", 2)
    return slabs, steps


def _copy(stage: Stage, tensor: Tensor, threads: tuple[IterVar, ...], tile: MmaTile) -> None:
    """All threads copy a slab, 16 bytes each, neighbours next to each other."""
    rest, vector = stage.split(stage.fuse(*tensor.op.axis), factor=COPY)
    rest = _share(stage, rest, threads, tile)
    stage.vectorize(vector)
    stage.unroll(rest)
    stage.storage_swizzle(tensor.op.axis[-2], COPY)


def _share(stage: Stage, rest: IterVar, threads: tuple[IterVar, ...], tile: MmaTile) -> IterVar:
    """Deal iterations out to the threads of a block; the axis of the turns."""
    for thread, count in zip(threads, (WARP, tile.warps[1], tile.warps[0]), strict=True):
        rest, axis = stage.split(rest, factor=count)
        stage.bind(axis, thread)
    return rest
