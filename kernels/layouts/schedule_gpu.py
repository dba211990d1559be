"""Transposes on GPUs: tiles go through shared memory, so that both sides move whole lines.

Where rows are no multiple of a vector, vectors are counted from where memory is aligned: reads take whole vectors, of
which the elements inside the tile are kept, and blocks share rows of the result at ends of sectors, because a sector
that two blocks write in part is read from memory before it is written back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gpucomp import te
from gpucomp.kernels.registry import Definition, extent, row_lanes
from gpucomp.target import Target
from gpucomp.te import Schedule

SIDE: Final = 64
THREADS: Final = 256
MANY_HALVES: Final = 1 << 25  # elements of a matrix of halves from which on larger tiles are enough
FEW_TILES: Final = 132 * 8  # blocks that the largest GPU runs at once
SECTOR: Final = 32  # bytes that memory is written in


@dataclass(frozen=True, slots=True)
class Tile:
    """How a block transposes.

    Attributes:
        columns, rows: extents along the columns and the rows of the input.
        threads: of a block.
        loads, stores: elements of a vector on either side.
        aligned_loads, aligned_stores: vectors are counted from where memory is aligned.
        why: what led to it.
    """

    columns: int
    rows: int
    threads: int
    loads: int
    stores: int
    aligned_loads: bool = False
    aligned_stores: bool = False
    why: str = ""


def choose_tile(rows: int | None, columns: int | None, nbytes: int, target: Target) -> Tile:
    """The tile for matrices of ``rows`` rows of ``columns`` elements of ``nbytes`` bytes."""
    threads = min(THREADS, target.max_num_threads)
    loads, stores = row_lanes(columns, nbytes), row_lanes(rows, nbytes)
    if nbytes > 4 or rows is None or columns is None:
        side = SIDE // 2
        return Tile(side, side, threads, loads, stores, why=f"{side}x{side}: little is known, or elements are wide")
    if nbytes > 1 and "readable_granules" in target.features and min(rows, columns) >= 2 * SIDE:
        lanes = 16 // nbytes
        ragged = loads < lanes, stores < lanes
        if any(ragged):
            columns_of_tile = 2 * SIDE if nbytes >= 4 or (ragged[0] and rows * columns >= MANY_HALVES) else SIDE
            if nbytes < 4 and ragged[0]:  # a block reads more rows beside its own: few threads, of more blocks
                threads = min(threads, THREADS // 2)
            sides = " and ".join([what for what, yes in zip(("reads", "writes"), ragged, strict=True) if yes])
            why = f"{columns_of_tile}x{SIDE}: rows start anywhere in a vector; {sides} are counted from aligned memory"
            return Tile(columns_of_tile, SIDE, threads, lanes, lanes, *ragged, why=why)
    if stores * nbytes < 16:
        # Both ends of what a block writes in a row share a line with another block: rows of the result are long.
        side = SIDE if nbytes < 4 else SIDE // 2
        return Tile(side, 2 * SIDE, threads, loads, stores, why=f"{side}x{2 * SIDE}: rows of the result are cut less")
    if nbytes == 4 and rows * columns < FEW_TILES * SIDE * SIDE:
        return Tile(SIDE // 2, SIDE, threads, loads, stores, why=f"{SIDE // 2}x{SIDE}: larger tiles are too few")
    return Tile(SIDE, SIDE, threads, loads, stores, why=f"{SIDE}x{SIDE}: whole lines on either side")


def tile_of(defn: Definition, target: Target) -> Tile:
    """The tile for an operator that exchanges the last two axes."""
    a = defn.inputs[0]
    return choose_tile(extent(a.shape[-2]), extent(a.shape[-1]), a.dtype.nbytes, target)


def why(defn: Definition, target: Target) -> str:
    """What led to the tile."""
    return tile_of(defn, target).why


def schedule_transpose(defn: Definition, target: Target) -> Schedule:
    """Exchange the last two axes.

    Rows of a tile in shared memory are two 16-bit elements (or one wider one) longer than the tile: the eight or four
    elements of a column that a thread picks up then lie in banks of which at most two threads of a warp use the same.
    """
    (a,), (out,) = defn.inputs, defn.outputs
    nbytes = a.dtype.nbytes
    tile = tile_of(defn, target)
    s = te.create_schedule(out.op)
    shared = s.cache_read(a, "shared", [out])
    vectors = s.cache_read(a, "local", [shared]) if tile.aligned_loads else None
    stage = s[out]
    *outer, i, j = out.op.axis
    if tile.aligned_stores:
        j = stage.align(j, SECTOR // nbytes)
    block_i, i = stage.split(i, factor=tile.columns)
    block_j, j = stage.split(j, factor=tile.rows)
    group, lane = stage.split(j, factor=tile.stores)
    stage.reorder(*outer, block_i, block_j, i, group, lane)
    turn, thread = stage.split(stage.fuse(i, group), factor=tile.threads)
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
    fetch.storage_align(row, tile.columns, max(1, 4 // nbytes))
    if tile.aligned_loads:
        column = fetch.align(column, tile.loads)
    group, lane = fetch.split(column, factor=tile.loads)
    turn, thread = fetch.split(fetch.fuse(row, group), factor=tile.threads)
    fetch.unroll(turn)
    fetch.bind(thread, te.thread_axis("threadIdx.x"))
    if vectors is None:
        fetch.vectorize(lane)
        return s
    fetch.reorder(thread, turn, lane)
    fetch.unroll(lane)
    fetch.pragma(turn, "loads_first")
    s[vectors].compute_at(fetch, turn)
    s[vectors].vectorize(vectors.op.axis[-1])
    return s
