"""How transposes are cut for GPUs, with no trial.

What decides is where rows start.  Memory is read and written in sectors of 32 bytes; a sector that two blocks write in
part is read from memory before it is written back, so blocks share rows of the result at ends of sectors, wherever
rows start.  Where rows of the input are no multiple of a vector, blocks read vectors counted from aligned memory and
keep them whole in shared memory, with no condition on elements: those are picked out when the result is written.
Tiles are a vector narrower then, so that a row is a power of two of vectors.

Panels of eight rows of halves (four of words) lie so far apart in shared memory that the elements of a column that the
threads of a warp pick up at once lie in different banks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gpucomp.kernels.layouts.compute import in_vectors
from gpucomp.kernels.registry import Definition, Extent, extent, row_lanes
from gpucomp.support.dtype import DType
from gpucomp.target import Target

SIDE: Final = 64
THREADS: Final = 256
MANY_HALVES: Final = 1 << 25  # elements of a matrix of halves from which on larger tiles are enough
FEW_TILES: Final = 132 * 8  # blocks that the largest GPU runs at once
ROUNDS: Final = 2  # of blocks of large tiles, below which the last round leaves too much of the device idle
SECTOR: Final = 32  # bytes that memory is written in
VECTOR: Final = 16  # bytes


@dataclass(frozen=True, slots=True)
class Tile:
    """How a block transposes.

    Attributes:
        columns, rows: extents along the columns and the rows of the input.
        threads: of a block.
        loads, stores: elements of a vector on either side.
        aligned_loads, aligned_stores: vectors are counted from where memory is aligned.
        panel: rows of a panel, where whole vectors wait in shared memory (``compute.in_vectors``).
        gap: further elements between panels.
        why: what led to it.
    """

    columns: int
    rows: int
    threads: int
    loads: int
    stores: int
    aligned_loads: bool = False
    aligned_stores: bool = False
    panel: int = 1
    gap: int = 0
    why: str = ""


def form(shape: Sequence[Extent], dtype: str, target: Target) -> Definition | None:
    """The definition by way of vectors, where tiles are made of them."""
    sizes = [extent(size) for size in shape]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        return None
    nbytes = DType(dtype).nbytes
    tile = vector_tile(known[-2], known[-1], nbytes, target, math.prod(known[:-2]))
    return None if tile is None else in_vectors(known, dtype, tile.loads, tile.panel)


def choose_tile(rows: int | None, columns: int | None, nbytes: int, target: Target) -> Tile:
    """The tile for matrices of ``rows`` rows of ``columns`` elements of ``nbytes`` bytes, moved one by one."""
    threads = min(THREADS, target.max_num_threads)
    loads, stores = row_lanes(columns, nbytes), row_lanes(rows, nbytes)
    if nbytes > 4 or rows is None or columns is None:
        side = SIDE // 2
        return Tile(side, side, threads, loads, stores, why=f"{side}x{side}: little is known, or elements are wide")
    if nbytes > 1 and "readable_granules" in target.features and min(rows, columns) >= 2 * SIDE:
        ragged = loads * nbytes < VECTOR, stores * nbytes < VECTOR
        if any(ragged):
            columns_of_tile = 2 * SIDE if nbytes >= 4 or (ragged[0] and rows * columns >= MANY_HALVES) else SIDE
            if nbytes < 4 and ragged[0]:  # a block reads more rows beside its own: few threads, of more blocks
                threads = min(threads, THREADS // 2)
            lanes = VECTOR // nbytes
            sides = " and ".join([what for what, yes in zip(("reads", "writes"), ragged, strict=True) if yes])
            why = f"{columns_of_tile}x{SIDE}: rows start anywhere in a vector; {sides} are counted from aligned memory"
            return Tile(columns_of_tile, SIDE, threads, lanes, lanes, *ragged, why=why)
    if stores * nbytes < VECTOR:
        # Both ends of what a block writes in a row share a line with another block: rows of the result are long.
        side = SIDE if nbytes < 4 else SIDE // 2
        return Tile(side, 2 * SIDE, threads, loads, stores, why=f"{side}x{2 * SIDE}: rows of the result are cut less")
    if nbytes == 4 and rows * columns < FEW_TILES * SIDE * SIDE:
        return Tile(SIDE // 2, SIDE, threads, loads, stores, why=f"{SIDE // 2}x{SIDE}: larger tiles are too few")
    return Tile(SIDE, SIDE, threads, loads, stores, why=f"{SIDE}x{SIDE}: whole lines on either side")


def vector_tile(rows: int, columns: int, nbytes: int, target: Target, count: int) -> Tile | None:
    """A tile of whole vectors in shared memory; None where elements are moved one by one as fast, or faster.

    Args:
        rows, columns: of a matrix.
        nbytes: of an element.
        target: it has to be able to read vectors whose ends lie beside an array.
        count: matrices.
    """
    if nbytes > 8 or "readable_granules" not in target.features or min(rows, columns) < 2 * SIDE:
        return None
    lanes, sector = VECTOR // nbytes, SECTOR // nbytes
    loads, stores = columns % lanes != 0, rows % sector != 0

    def tile(width: int, height: int, threads: int, gap: int, what: str) -> Tile:
        why = f"{width}x{height}: {what}; whole vectors wait in shared memory"
        panel = lanes if gap else 1
        return Tile(width, height, threads, lanes, lanes, loads, stores, panel=panel, gap=gap, why=why)

    def rounds(width: int, height: int, at_once: int) -> bool:
        return count * -(-columns // width) * -(-rows // height) >= ROUNDS * at_once

    if nbytes in (1, 8):
        return _rare_tile(tile, rounds, nbytes, loads, stores)
    at_once = FEW_TILES * 3 // 4  # six blocks of 256 threads, or four of 384, a multiprocessor
    if nbytes == 2 and loads:
        if rounds(15 * lanes, 2 * SIDE, FEW_TILES // 2):
            if stores:
                return tile(15 * lanes, SIDE, 192, 0, "rows start anywhere in a vector, on either side")
            return tile(15 * lanes, 2 * SIDE, 384, 4, "rows start anywhere in a vector")
        return tile(7 * lanes, SIDE, 224, 0, "rows start anywhere in a vector, and larger tiles are too few")
    if nbytes == 2 and stores:
        if rounds(2 * SIDE, SIDE, at_once):
            return tile(2 * SIDE, SIDE, THREADS, 8, "rows of the result start anywhere in a sector")
        return tile(SIDE, SIDE, THREADS, 8, "rows of the result start anywhere in a sector, larger tiles are too few")
    if nbytes == 2:
        if rounds(2 * SIDE, 2 * SIDE, at_once):
            return tile(2 * SIDE, 2 * SIDE, THREADS, 4, "whole lines on either side, no two threads in a bank")
        return tile(SIDE, SIDE, THREADS, 8, "larger tiles are too few, no two threads in a bank")
    if loads:
        if rounds(15 * lanes, 2 * SIDE, FEW_TILES // 2):
            return tile(15 * lanes, 2 * SIDE, 384, 0, "rows start anywhere in a vector")
        return tile(15 * lanes, SIDE // 2, 160, 0, "rows start anywhere in a vector, and larger tiles are too few")
    if stores:
        return tile(2 * SIDE, SIDE, THREADS, 0, "rows of the result start anywhere in a sector")
    if rounds(SIDE, 2 * SIDE, at_once):
        return tile(SIDE, 2 * SIDE, THREADS, 2, "whole lines on either side, no two threads in a bank")
    return None


def _rare_tile(
    tile: Callable[[int, int, int, int, str], Tile],
    rounds: Callable[[int, int, int], bool],
    nbytes: int,
    loads: bool,
    stores: bool,
) -> Tile | None:
    """Of bytes where one side is ragged, and of words of eight bytes where both are, in large matrices.

    Where both sides of bytes are ragged, to pick bytes out one by one takes longer than the memory does.
    """
    if nbytes == 8 and loads and stores and rounds(30, SIDE // 2, FEW_TILES):
        return tile(30, SIDE // 2, 160, 0, "rows start anywhere in a vector")
    width = 112 if loads else 2 * SIDE
    if nbytes == 1 and loads != stores and rounds(width, 2 * SIDE, FEW_TILES // 2):
        side = "rows start anywhere in a vector" if loads else "rows of the result start anywhere in a sector"
        return tile(width, 2 * SIDE, THREADS, 4, side)
    return None
