"""fp32 matrix products on the CUDA cores of NVIDIA's GPUs since sm_80.

Slabs of both operands are copied ahead into shared memory by cp.async; what is stored along k is transposed, so that a
thread reads fragments of both as vectors; fragments are read one step of k ahead, from slab to slab.  A warp's threads
stand 8x4, which makes the reads of a warp free of conflicts.  Where there are too few tiles for the multiprocessors the
sum over k is split: blocks write parts, and a second kernel adds them up in order, so that results do not change from
run to run.  What follows the product elementwise is computed where a thread stores its results.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gpucomp import te
from gpucomp.kernels.gemm.epilogue import accumulator, inline_epilogue, product_of
from gpucomp.kernels.gemm.layout import Operands, operands_of
from gpucomp.kernels.gemm.tiles import Choice, SimtTile, choose
from gpucomp.kernels.registry import Definition, extent
from gpucomp.target import Target
from gpucomp.te import Schedule, Stage, Tensor, intrinsics
from gpucomp.tir.expr import IterVar

GROUP = 8  # rows of tiles that blocks next to each other share columns of tiles in, for the L2 cache
SUM_THREADS = 128


@dataclass(frozen=True)
class Block:
    """Where a tile is computed: the stage that stores it, and its loop over the threads."""

    stage: Stage
    thread: IterVar
    tx: IterVar


def applies(defn: Definition, target: Target) -> Choice | None:
    """The model's choice for a definition; None where this schedule is not for it.

    It is for float32 operands of known extents, no smaller than a tile, on CUDA devices since sm_80; and for int8 where
    rows along k are whole words.
    """
    kind = str(defn.inputs[0].dtype)
    if str(target.kind) != "cuda" or "cp_async" not in target.features or kind not in ("float32", "int8"):
        return None
    operands = operands_of(defn)
    m, n, k, batch = operands.m, operands.n, operands.k, operands.batch
    if m is None or n is None or k is None or batch is None:
        return None
    words = factors_of_a_word(defn)
    if words > 1 and ("dp4a" not in target.features or k % words or operands.padded < 2):
        return None
    return choose((m, n, k), target, batch, operands.padded, words)


def schedule_simt(defn: Definition, choice: Choice) -> Schedule:
    """Schedule a product, and what follows it elementwise, as ``choice`` says."""
    a, b = defn.inputs[:2]
    operands = operands_of(defn)
    words = factors_of_a_word(defn)
    scope = choice.tile.scope(operands.padded)
    product, out, tile = product_of(defn), defn.outputs[0], choice.tile
    s = te.create_schedule(out.op)
    if choice.parts > 1:
        (k,) = product.op.reduce_axis
        if words > 1:
            k, _ = s[product].split(k, factor=words)
        outer, _ = s[product].split(k, factor=choice.depth // words)
        stored: Tensor = s.rfactor(product, outer)
        acc = s.cache_write(stored, "local")
        inline_epilogue(s, defn)
        add_parts(s, out, accumulator(s, defn))
    else:
        stored = out
        acc = accumulator(s, defn)
        inline_epilogue(s, defn)
    a_shared, b_shared = s.cache_read(a, scope, [acc]), s.cache_read(b, scope, [acc])
    a_shared, b_shared = steps_first(s, a_shared, b_shared, operands, words)
    acc = s[acc].op.output(0)
    a_local, b_local = s.cache_read(a_shared, "local", [acc]), s.cache_read(b_shared, "local", [acc])
    acc = s[acc].op.output(0)

    block = _store(s[stored], tile, operands.batched)
    inner = s[acc]
    inner.compute_at(block.stage, block.thread)
    k, *dots = acc.op.reduce_axis
    if words > 1 and not dots:
        k, *dots = inner.split(k, factor=words)
    ko, ki = inner.split(k, factor=tile.k)
    inner.reorder(ko, ki, *acc.op.axis, *dots)
    for axis in dots:
        inner.tensorize(axis, intrinsics.dp4a())
    pipeline_slabs(inner, ko, ki, acc.op.axis, tile)
    for shared, along_k in ((a_shared, operands.a_along_k), (b_shared, operands.b_along_k)):
        s[shared].compute_at(inner, ko)
        fetch_slab(s[shared], shared, tile.threads, block.tx, along_k=along_k, words=words)
    for local in (a_local, b_local):
        s[local].compute_at(inner, ki)
        read_fragment(s[local], local, words)
    return s


def steps_first(s: Schedule, a: Tensor, b: Tensor, operands: Operands, words: int) -> tuple[Tensor, Tensor]:
    """Lay slabs out as (.., K, rows), or as (.., K / words, rows, words)."""
    for slab, along_k in ((a, operands.a_along_k), (b, operands.b_along_k)):
        if words > 1:
            s[slab].transform_layout(lambda *index: [*index[:-2], index[-1] // words, index[-2], index[-1] % words])
        elif along_k:
            s[slab].transform_layout(lambda *index: [*index[:-2], index[-1], index[-2]])
    return s[a].op.output(0), s[b].op.output(0)


def read_fragment(stage: Stage, local: Tensor, words: int) -> None:
    """Load what a thread takes of a step of k as vectors along rows."""
    *_, i, j = local.op.axis
    if words > 1:
        stage.vectorize(stage.fuse(i, j))
        return
    stage.unroll(i)
    stage.vectorize(j)


def factors_of_a_word(defn: Definition) -> int:
    """How many neighbouring k one 32-bit word holds that one instruction multiplies and adds."""
    return 4 if str(defn.inputs[0].dtype) == "int8" else 1


def tile_axes(stage: Stage, i: IterVar, j: IterVar, tile: SimtTile) -> list[IterVar]:
    """Split rows and columns: blocks, pieces, warps, lanes, and 4x4 elements, of each the rows' axis first."""
    block_i, i = stage.split(i, factor=tile.m)
    block_j, j = stage.split(j, factor=tile.n)
    warp_i, i = stage.split(i, nparts=tile.warps_m)
    warp_j, j = stage.split(j, nparts=tile.warps_n)
    piece_i, i = stage.split(i, nparts=tile.pieces_m)
    piece_j, j = stage.split(j, nparts=tile.pieces_n)
    lane_i, i = stage.split(i, factor=4)
    lane_j, j = stage.split(j, factor=4)
    return [block_i, block_j, piece_i, piece_j, warp_i, warp_j, lane_i, lane_j, i, j]


def _store(stage: Stage, tile: SimtTile, batched: bool) -> Block:
    """Tiles to blocks, 4x4 pieces to threads; an axis of parts of k becomes the grid's z."""
    *parts, i, j = stage.op.axis
    batch = [parts.pop()] if batched else []
    m, n = extent(stage.op.output(0).shape[-2]), extent(stage.op.output(0).shape[-1])
    block_i, block_j, *within = tile_axes(stage, i, j, tile)
    piece_i, piece_j, warp_i, warp_j, lane_i, lane_j, i, j = within
    stage.reorder(*parts, *batch, block_i, block_j, *within)
    thread = stage.fuse(warp_i, warp_j, lane_i, lane_j)
    rows = -(-(m or 1) // tile.m)
    group = math.gcd(rows, GROUP)
    if group > 1:
        outer, block_i = stage.split(block_i, factor=group)
        stage.reorder(outer, block_j, block_i)
        stage.bind(stage.fuse(*batch, outer, block_j, block_i), te.thread_axis("blockIdx.x"))
    else:
        stage.bind(stage.fuse(*batch, block_i, block_j), te.thread_axis("blockIdx.x"))
    for part in parts:
        stage.bind(part, te.thread_axis("blockIdx.z"))
    tx = te.thread_axis("threadIdx.x")
    stage.bind(piece_i, te.thread_axis("vthread", name="vy"))
    stage.bind(piece_j, te.thread_axis("vthread", name="vx"))
    stage.bind(thread, tx)
    stage.unroll(i)
    if n is not None and n % 4 == 0:
        stage.vectorize(j)
    else:
        stage.unroll(j)
    return Block(stage, thread, tx)


def pipeline_slabs(
    stage: Stage, slabs: IterVar, steps: IterVar, axes: Sequence[IterVar], tile: SimtTile, rows: int = 0
) -> None:
    """Slabs, and fragments of their steps, are loaded ahead of the products over ``axes``, which stand in registers.

    The order of the products is asked for at the axis number ``rows``.
    """
    for axis in (steps, *axes):
        stage.unroll(axis)
    stage.pragma(slabs, "software_pipeline", tile.stages)
    stage.pragma(slabs, "unroll_factor", 1)
    stage.pragma(steps, "software_pipeline", 2)
    if tile.predicated:
        stage.pragma(slabs, "predicate_copies")
    if tile.order:
        stage.pragma(axes[rows], "product_order", tile.order)


def fetch_slab(stage: Stage, tensor: Tensor, threads: int, tx: IterVar, *, along_k: bool, words: int = 1) -> None:
    """Copy a slab (.., K, rows) by all threads of a block.

    From memory along rows: up to 16 bytes each, neighbours next to each other. From memory along k: a warp copies eight
    neighbouring k of four rows, element by element.
    """
    if along_k:
        axes = list(tensor.op.axis)
        if words > 1:
            stage.vectorize(axes.pop())
        *batch, k, i = axes
        stage.storage_align(k, 32 * words, 4 * words)
        outer, k = stage.split(k, factor=8)
        stage.reorder(*batch, outer, i, k)
        fused, thread = stage.split(stage.fuse(*batch, outer, i, k), factor=threads)
        stage.bind(thread, tx)
        stage.unroll(fused)
        return
    lanes = math.gcd(extent(tensor.shape[-1]) or 1, 4)  # no vector crosses the end of a row
    fused, vector = stage.split(stage.fuse(*tensor.op.axis), factor=lanes)
    fused, thread = stage.split(fused, factor=threads)
    stage.bind(thread, tx)
    stage.unroll(fused)
    if lanes > 1:
        stage.vectorize(vector)


def add_parts(s: Schedule, out: Tensor, total: Tensor) -> None:
    """The second kernel: a thread adds up the parts of up to four neighbouring elements, in their order."""
    stage = s[out]
    lanes = math.gcd(extent(out.shape[-1]) or 1, 4)
    fused, vector = stage.split(stage.fuse(*stage.op.axis), factor=lanes)
    block, thread = stage.split(fused, factor=SUM_THREADS)
    stage.bind(block, te.thread_axis("blockIdx.x"))
    stage.bind(thread, te.thread_axis("threadIdx.x"))
    summed = s[total]
    summed.compute_at(stage, thread)
    (part,) = summed.op.reduce_axis
    summed.reorder(part, *summed.op.axis)
    summed.unroll(part)
    if lanes > 1:
        stage.vectorize(vector)
        summed.vectorize(summed.op.axis[-1])
