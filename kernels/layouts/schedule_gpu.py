"""Transposes on GPUs: tiles go through shared memory, so that both sides move whole lines."""

from __future__ import annotations

from typing import Final

from gpucomp import te
from gpucomp.kernels.registry import Definition, extent, row_lanes
from gpucomp.target import Target
from gpucomp.te import Schedule

TILE: Final = 64
THREADS: Final = 256
FEW_TILES: Final = 132 * 8  # blocks that the largest GPU runs at once


def schedule_transpose(defn: Definition, target: Target) -> Schedule:
    """Exchange the last two axes: 16 bytes a thread on either side where the extents allow it.

    Rows of a tile are two 16-bit elements (or one wider one) longer than the tile: the eight or four elements of a
    column that a thread picks up then lie in banks of which at most two threads of a warp use the same.
    """
    (a,), (out,) = defn.inputs, defn.outputs
    nbytes = a.dtype.nbytes
    rows, columns = extent(a.shape[-2]), extent(a.shape[-1])
    tile_i, tile_j = choose_tile(rows, columns, nbytes)
    threads = min(THREADS, target.max_num_threads)
    s = te.create_schedule(out.op)
    shared = s.cache_read(a, "shared", [out])
    stage = s[out]
    *outer, i, j = out.op.axis
    block_i, i = stage.split(i, factor=tile_i)
    block_j, j = stage.split(j, factor=tile_j)
    lanes = row_lanes(rows, nbytes)
    group, lane = stage.split(j, factor=lanes)
    stage.reorder(*outer, block_i, block_j, i, group, lane)
    turn, thread = stage.split(stage.fuse(i, group), factor=threads)
    stage.unroll(turn)
    if outer:
        stage.bind(stage.fuse(*outer), te.thread_axis("blockIdx.z"))
    # Blocks that follow each other write on in the same lines: what a line gets from two of them meets in the cache.
    stage.bind(block_i, te.thread_axis("blockIdx.y"))
    stage.bind(block_j, te.thread_axis("blockIdx.x"))
    stage.bind(thread, te.thread_axis("threadIdx.x"))
    stage.vectorize(lane)

    fetch = s[shared]
    fetch.compute_at(stage, block_j)
    row, column = shared.op.axis[-2:]
    fetch.storage_align(row, tile_i, max(1, 4 // nbytes))
    lanes = row_lanes(columns, nbytes)
    group, lane = fetch.split(column, factor=lanes)
    turn, thread = fetch.split(fetch.fuse(row, group), factor=threads)
    fetch.unroll(turn)
    fetch.bind(thread, te.thread_axis("threadIdx.x"))
    fetch.vectorize(lane)
    return s


def choose_tile(rows: int | None, columns: int | None, nbytes: int) -> tuple[int, int]:
    """Extents of a tile along the columns and the rows of the input.

    Where the rows of the result start anywhere in a line, the tile is long in their direction: both ends of what a
    block writes in a row share a line with another block.  Tiles that are too few to fill the device are smaller.
    """
    if nbytes > 4 or rows is None or columns is None:
        return TILE // 2, TILE // 2
    if row_lanes(rows, nbytes) * nbytes < 16:
        return (TILE, 2 * TILE) if nbytes < 4 else (TILE // 2, 2 * TILE)
    if nbytes == 4 and rows * columns < FEW_TILES * TILE * TILE:
        return TILE // 2, TILE
    return TILE, TILE
