"""fp32 matrix products on the CUDA cores of NVIDIA's GPUs since sm_80.

Slabs of both operands are copied ahead into shared memory by cp.async; what is stored along k is transposed, so that a
thread reads fragments of both as vectors; fragments are read one step of k ahead, from slab to slab.  Where both are
copied 4 bytes at a time, the copies start in turns: all at once they hold the reads of fragments up.  A warp's threads
stand 8x4, which makes the reads of a warp free of conflicts.  Where there are too few tiles for the multiprocessors the
sum over k is split: blocks write parts, and a second kernel adds them up in order, so that results do not change from
run to run.  A result whose rows allow no 16-byte stores is gathered in shared memory and stored by rows.  What follows
the product elementwise is computed where a thread stores its results.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gpucomp import te
from gpucomp.kernels.gemm.epilogue import accumulator, add_in_order, inline_epilogue, product_of
from gpucomp.kernels.gemm.layout import operands_of
from gpucomp.kernels.gemm.staging import factors_of_a_word, stage_operands
from gpucomp.kernels.gemm.tiles import Choice, SimtTile, choose
from gpucomp.kernels.registry import Definition, extent
from gpucomp.target import Target
from gpucomp.te import Schedule, Stage, Tensor, intrinsics
from gpucomp.tir.expr import IterVar

GROUP = 32  # rows of tiles that blocks next to each other share columns of tiles in, for the L2 cache
NARROW_GROUP = 8  # where both operands are copied 4 bytes at a time, and where there are more rows than GROUP
SUM_THREADS = 128
GATHER_UNROLL = 8  # rows of a tile that a thread stores an element of


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
    return choose((m, n, k), target, batch, operands.padded, words, whole=operands.whole)


def schedule_simt(defn: Definition, choice: Choice, s: Schedule | None = None) -> Schedule:
    """Schedule a product, and what follows it elementwise, as ``choice`` says; in a schedule of more than that."""
    operands = operands_of(defn)
    words = factors_of_a_word(defn)
    product, out, tile = product_of(defn), defn.outputs[0], choice.tile
    scope = tile.scope(operands.padded, gathered=choice.gathered)
    s = te.create_schedule(out.op) if s is None else s
    if choice.parts > 1:
        (k,) = product.op.reduce_axis
        if words > 1:
            k, _ = s[product].split(k, factor=words)
        outer, _ = s[product].split(k, factor=choice.depth // words)
        stored: Tensor = s.rfactor(product, outer)
        acc = s.cache_write(stored, scope if choice.gathered else "local")
        inline_epilogue(s, defn)
        add_parts(s, out, accumulator(s, defn))
    else:
        stored = out
        acc = accumulator(s, defn, scope if choice.gathered else "local")
        inline_epilogue(s, defn)
    gathered = acc
    if choice.gathered:
        acc = s.cache_write(gathered, "local")
    staged = stage_operands(s, defn, acc, scope)
    acc = staged.acc

    group = NARROW_GROUP if staged.narrow else GROUP
    if choice.gathered:
        gathered = s[gathered].op.output(0)
        block = _gather(s, s[stored], gathered, tile, batched=operands.batched, group=group)
    else:
        block = _store(s[stored], tile, batched=operands.batched, group=group)
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
    if staged.narrow and words == 1:
        inner.pragma(ko, "spread_copies")
    staged.fetch(s, inner, ko, ki, tile, block.tx)
    return s


def tile_axes(stage: Stage, i: IterVar, j: IterVar, tile: SimtTile) -> list[IterVar]:
    """Split rows and columns: blocks, pieces, warps, lanes, and 4x4 elements, of each the rows' axis first."""
    block_i, i = stage.split(i, factor=tile.m)
    block_j, j = stage.split(j, factor=tile.n)
    return [block_i, block_j, *piece_axes(stage, i, j, tile)]


def piece_axes(stage: Stage, i: IterVar, j: IterVar, tile: SimtTile) -> list[IterVar]:
    """Split rows and columns of one tile: pieces, warps, lanes, and 4x4 elements, of each the rows' axis first."""
    warp_i, i = stage.split(i, nparts=tile.warps_m)
    warp_j, j = stage.split(j, nparts=tile.warps_n)
    piece_i, i = stage.split(i, nparts=tile.pieces_m)
    piece_j, j = stage.split(j, nparts=tile.pieces_n)
    lane_i, i = stage.split(i, factor=4)
    lane_j, j = stage.split(j, factor=4)
    return [piece_i, piece_j, warp_i, warp_j, lane_i, lane_j, i, j]


def _store(stage: Stage, tile: SimtTile, *, batched: bool, group: int) -> Block:
    """Tiles to blocks, 4x4 pieces to threads, which store their sums themselves."""
    *parts, i, j = stage.op.axis
    batch = [parts.pop()] if batched else []
    n = extent(stage.op.output(0).shape[-1])
    block_i, block_j, *within = tile_axes(stage, i, j, tile)
    stage.reorder(*parts, *batch, block_i, block_j, *within)
    thread, tx = _pieces(stage, within, tile)
    _number_blocks(stage, parts, batch, (block_i, block_j), tile, group)
    if n is not None and n % 4 == 0:
        stage.vectorize(within[-1])
    else:
        stage.unroll(within[-1])
    return Block(stage, thread, tx)


def _gather(s: Schedule, stage: Stage, sums: Tensor, tile: SimtTile, *, batched: bool, group: int) -> Block:
    """Tiles to blocks, whose threads leave 4x4 pieces in shared memory, and store whole rows from there.

    Where rows of the result allow no 16-byte stores, four stores of a thread's neighbouring elements are each of a few
    bytes in many sectors of memory; stored by rows, neighbours are those of neighbouring threads.
    """
    *parts, i, j = stage.op.axis
    batch = [parts.pop()] if batched else []
    lanes = math.gcd(extent(stage.op.output(0).shape[-1]) or 1, 4)
    block_i, i = stage.split(i, factor=tile.m)
    block_j, j = stage.split(j, factor=tile.n)
    stage.reorder(*parts, *batch, block_i, block_j, i, j)
    block = _number_blocks(stage, parts, batch, (block_i, block_j), tile, group)
    rest, vector = stage.split(stage.fuse(i, j), factor=lanes)
    rest, thread = stage.split(rest, factor=tile.threads)
    tx = te.thread_axis("threadIdx.x")
    stage.bind(thread, tx)
    stage.pragma(rest, "unroll_factor", GATHER_UNROLL)
    if lanes > 1:
        stage.vectorize(vector)

    middle = s[sums]
    middle.compute_at(stage, parts[0] if parts else block)
    *_, i, j = middle.op.axis
    middle.storage_align(i, 8, 4)
    within = piece_axes(middle, i, j, tile)
    middle.reorder(*within)
    thread, _ = _pieces(middle, within, tile, tx)
    middle.vectorize(within[-1])
    return Block(middle, thread, tx)


def _pieces(
    stage: Stage, within: Sequence[IterVar], tile: SimtTile, tx: IterVar | None = None
) -> tuple[IterVar, IterVar]:
    """Bind the axes of ``tile_axes`` within a tile to threads; the fused axis of threads, and what it is bound to."""
    piece_i, piece_j, *_, i, _ = within
    thread = number_threads(stage, within, interleaved=tile.interleaved)
    tx = te.thread_axis("threadIdx.x") if tx is None else tx
    stage.bind(piece_i, te.thread_axis("vthread", name="vy"))
    stage.bind(piece_j, te.thread_axis("vthread", name="vx"))
    stage.bind(thread, tx)
    stage.unroll(i)
    return thread, tx


def _number_blocks(
    stage: Stage,
    parts: Sequence[IterVar],
    batch: Sequence[IterVar],
    blocks: tuple[IterVar, IterVar],
    tile: SimtTile,
    group: int,
) -> IterVar:
    """Bind tiles to blocks, in groups of rows of tiles; an axis of parts of k becomes the grid's z."""
    block_i, block_j = blocks
    rows = -(-(extent(stage.op.output(0).shape[-2]) or 1) // tile.m)
    group = math.gcd(rows, group if rows <= GROUP else NARROW_GROUP)
    if group > 1:
        outer, block_i = stage.split(block_i, factor=group)
        stage.reorder(outer, block_j, block_i)
        block = stage.fuse(*batch, outer, block_j, block_i)
    else:
        block = stage.fuse(*batch, block_i, block_j)
    stage.bind(block, te.thread_axis("blockIdx.x"))
    for part in parts:
        stage.bind(part, te.thread_axis("blockIdx.z"))
    return block


def number_threads(stage: Stage, within: Sequence[IterVar], *, interleaved: bool) -> IterVar:
    """Fuse warps and lanes of ``tile_axes`` into the threads of a block.

    Interleaved, of four neighbouring lanes two share rows and two share columns, as in CUTLASS (A. Kerr and others,
    "CUTLASS: fast linear algebra in CUDA C++", 2017).  Shared memory serves 16-byte reads of half a warp at once only
    where each lane reads the same as its neighbour, or as the next but one; otherwise that holds for one operand only.
    """
    _, _, warp_i, warp_j, lane_i, lane_j, i, j = within
    if not interleaved:
        return stage.fuse(warp_i, warp_j, lane_i, lane_j)
    high_i, low_i = stage.split(lane_i, factor=2)
    high_j, low_j = stage.split(lane_j, factor=2)
    stage.reorder(high_i, high_j, low_i, low_j, i, j)
    return stage.fuse(warp_i, warp_j, high_i, high_j, low_i, low_j)


def pipeline_slabs(stage: Stage, slabs: IterVar, steps: IterVar, axes: Sequence[IterVar], tile: SimtTile) -> None:
    """Slabs, and fragments of their steps, are loaded ahead of the products over ``axes``, which stand in registers.

    The last two of ``axes`` are rows and columns; those before them, of a batch, have one value in a thread.
    """
    for axis in (steps, *axes):
        stage.unroll(axis)
    stage.pragma(slabs, "software_pipeline", tile.stages)
    stage.pragma(slabs, "unroll_factor", 1)
    stage.pragma(steps, "software_pipeline", 2)
    if tile.predicated:
        stage.pragma(slabs, "predicate_copies")
    if tile.order:
        stage.pragma(axes[-2], "product_order", tile.order)


def add_parts(s: Schedule, out: Tensor, total: Tensor) -> None:
    """The second kernel: a thread adds up the parts of up to four neighbouring elements, in their order."""
    stage = s[out]
    lanes = math.gcd(extent(out.shape[-1]) or 1, 4)
    fused, vector = stage.split(stage.fuse(*stage.op.axis), factor=lanes)
    block, thread = stage.split(fused, factor=SUM_THREADS)
    stage.bind(block, te.thread_axis("blockIdx.x"))
    stage.bind(thread, te.thread_axis("threadIdx.x"))
    add_in_order(s, total, stage, thread)
    if lanes > 1:
        stage.vectorize(vector)
        s[total].vectorize(s[total].op.axis[-1])
