"""Transposes on GPUs: tiles go through shared memory, so that both sides move whole lines.

Where rows are no multiple of a vector, vectors are counted from where memory is aligned: reads take whole vectors, of
which the elements inside the tile are kept, and blocks share rows of the result at ends of sectors, because a sector
that two blocks write in part is read from memory before it is written back.
"""

from __future__ import annotations

import math
from typing import Final

from gpucomp import te
from gpucomp.kernels.layouts.tiles import SECTOR, Tile, choose_tile, vector_tile
from gpucomp.kernels.registry import Definition, extent
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor
from gpucomp.te.stage import Stage
from gpucomp.tir.expr import IterVar

MOST_BLOCKS: Final = 65_535  # along blockIdx.y and blockIdx.z; blockIdx.x takes 2^31 - 1


def tile_of(defn: Definition, target: Target) -> Tile:
    """The tile for an operator that exchanges the last two axes."""
    a = defn.inputs[0]
    *outer, rows, columns = [extent(size) for size in a.shape]
    if defn.intermediates and rows is not None and columns is not None:
        found = vector_tile(rows, columns, a.dtype.nbytes, target, math.prod([size or 1 for size in outer]))
        if found is not None:
            return found
    return choose_tile(rows, columns, a.dtype.nbytes, target)


def why(defn: Definition, target: Target) -> str:
    """What led to the tile."""
    return tile_of(defn, target).why


def schedule_transpose(defn: Definition, target: Target) -> Schedule:
    """Exchange the last two axes."""
    tile = tile_of(defn, target)
    return schedule_vectors(defn, tile) if defn.intermediates else schedule_elements(defn, tile)


def schedule_vectors(defn: Definition, tile: Tile) -> Schedule:
    """The schedule of a definition by way of vectors."""
    s = te.create_schedule(defn.outputs[0].op)
    turn_vectors(s, defn.intermediates[0], defn.outputs[0], tile)
    return s


def schedule_elements(defn: Definition, tile: Tile) -> Schedule:
    """The schedule of a definition without vectors between."""
    s = te.create_schedule(defn.outputs[0].op)
    turn_elements(s, defn.outputs[0], tile)
    return s


def turn_vectors(s: Schedule, vectors: Tensor, out: Tensor, tile: Tile) -> None:
    """Whole vectors of the input in shared memory, in panels; see ``compute.in_vectors`` and ``tiles``.

    All loads of a thread are on their way before the first is stored.  Where none of them has a condition, device
    compilers see to that.
    """
    nbytes = out.dtype.nbytes
    lanes, words = tile.loads, max(1, 4 // nbytes)
    s[vectors].set_scope("shared")
    conditional = tile.aligned_loads or tile.aligned_stores
    loaded = s.cache_write(vectors, "local") if conditional else None
    stage = s[out]
    block = _store(stage, tile, SECTOR // nbytes)
    fetch = s[vectors]
    fetch.compute_at(stage, block)
    *batch, panel, row, vector, lane = fetch.op.axis
    width = tile.columns + (lanes if tile.aligned_loads else 0)
    fetch.storage_align(row, width, words)
    if tile.gap:
        fetch.storage_align(panel, tile.panel * (width + words), tile.gap)
    turn, thread = fetch.split(fetch.fuse(*batch, panel, row, vector), factor=tile.threads)
    fetch.reorder(thread, turn, lane)
    fetch.unroll(turn)
    fetch.bind(thread, te.thread_axis("threadIdx.x"))
    fetch.vectorize(lane)
    if loaded is not None:
        fetch.pragma(turn, "loads_first")
        s[loaded].compute_at(fetch, turn)
        s[loaded].vectorize(s[loaded].op.axis[-1])


def turn_elements(s: Schedule, out: Tensor, tile: Tile) -> None:
    """Elements of the input in shared memory, where the tile's columns are.

    Rows of a tile in shared memory are two 16-bit elements (or one wider one) longer than the tile: the eight or four
    elements of a column that a thread picks up then lie in banks of which at most two threads of a warp use the same.
    """
    (a,) = out.op.input_tensors
    nbytes = a.dtype.nbytes
    shared = s.cache_read(a, "shared", [out])
    vectors = s.cache_read(a, "local", [shared]) if tile.aligned_loads else None
    stage = s[out]
    block = _store(stage, tile, SECTOR // nbytes)

    fetch = s[shared]
    fetch.compute_at(stage, block)
    row, column = shared.op.axis[-2:]
    fetch.storage_align(row, tile.columns, max(1, 4 // nbytes))
    if tile.aligned_loads:
        column = fetch.align(column, tile.loads)
    group, lane = fetch.split(column, factor=tile.loads)
    turn, thread = fetch.split(fetch.fuse(row, group), factor=tile.threads)
    fetch.unroll(turn)
    fetch.bind(thread, te.thread_axis("threadIdx.x"))
    if vectors is None:
        fetch.vectorize(lane)
        return
    fetch.reorder(thread, turn, lane)
    fetch.unroll(lane)
    fetch.pragma(turn, "loads_first")
    s[vectors].compute_at(fetch, turn)
    s[vectors].vectorize(vectors.op.axis[-1])


def _store(stage: Stage, tile: Tile, sector: int) -> IterVar:
    """Tiles to blocks, vectors of the result to threads; the axis below which a block's tile is read."""
    *outer, i, j = stage.op.axis
    across = -(-(extent(stage.op.output(0).shape[-2]) or 0) // tile.columns)
    matrices = math.prod([extent(size) or 0 for size in stage.op.output(0).shape[:-2]])
    if tile.aligned_stores:
        j = stage.align(j, sector)
    block_i, i = stage.split(i, factor=tile.columns)
    block_j, j = stage.split(j, factor=tile.rows)
    group, lane = stage.split(j, factor=tile.stores)
    stage.reorder(*outer, block_i, block_j, i, group, lane)
    turn, thread = stage.split(stage.fuse(i, group), factor=tile.threads)
    stage.unroll(turn)
    # Blocks that follow each other write on in the same lines: what a line gets from two of them meets in the cache.
    if matrices > MOST_BLOCKS:
        block_j, outer = stage.fuse(*outer, block_i, block_j), []
    elif across > MOST_BLOCKS:
        block_j = stage.fuse(block_i, block_j)
    else:
        stage.bind(block_i, te.thread_axis("blockIdx.y"))
    if outer:
        stage.bind(stage.fuse(*outer), te.thread_axis("blockIdx.z"))
    stage.bind(block_j, te.thread_axis("blockIdx.x"))
    stage.bind(thread, te.thread_axis("threadIdx.x"))
    stage.vectorize(lane)
    return block_j
