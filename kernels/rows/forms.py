"""Other expressions of operators on rows, where a target is better off with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from gpucomp.kernels.registry import Definition, Extent, extent
from gpucomp.kernels.rows import compute, own_parts
from gpucomp.kernels.rows.tiles import Tile
from gpucomp.kernels.rows.tiles_long import long_tile
from gpucomp.support.dtype import DType
from gpucomp.target import Target

WHOLE_SHARES: Final = 8 * 256 * 8  # elements: vectors of so many threads in so many blocks
FEW_ROWS: Final = 32  # of those that clusters share: one block a row would leave most of the device idle


def argmax(shape: Sequence[Extent], dtype: str, target: Target) -> Definition | None:
    """Two reductions on GPUs, where the registers of a block hold a row; None where it would be read twice.

    To compare pairs of values and places takes twelve instructions an element, most of which a multiprocessor issues at
    half the rate of additions: rows of halves waited for those, and not for memory.  Rows that a cluster of blocks
    shares are converted anew by each reduction, which pays only where that makes many blocks of few rows.
    """
    from gpucomp.kernels.rows import schedule_gpu  # schedules are imported when one is asked for

    if "gpu" not in target.keys:
        return None
    twice = compute.row_argmax_in_two(shape, dtype)
    tile, rows = schedule_gpu.tile_of(twice, target), extent(shape[0])
    few = rows is not None and rows <= FEW_ROWS
    alone = tile.cluster == 1 and not tile.shared
    return twice if tile.held and (alone or (few and tile.cluster > 1)) else None


def _own(
    make: Callable[[Sequence[Extent], str, Tile], Definition], matrices: int, weights: int
) -> Callable[[Sequence[Extent], str, Target], Definition | None]:
    """Where rows are long, threads reduce their own parts first (``own_parts``)."""

    def form(shape: Sequence[Extent], dtype: str, target: Target) -> Definition | None:
        if "gpu" not in target.keys:
            return None
        tile = long_tile(extent(shape[1]), DType(dtype).nbytes, matrices, weights, target)
        return None if tile is None else make(shape, dtype, tile)

    return form


def _with_residual(make: Callable[..., Definition]) -> Callable[[Sequence[Extent], str, Tile], Definition]:
    return lambda shape, dtype, tile: make(shape, dtype, tile, residual=True)


softmax = _own(own_parts.softmax, 1, 0)
log_softmax = _own(own_parts.log_softmax, 1, 0)
layer_norm = _own(own_parts.layer_norm, 1, 2)
add_layer_norm = _own(_with_residual(own_parts.layer_norm), 2, 2)


def rms_norm(shape: Sequence[Extent], dtype: str, target: Target) -> Definition | None:
    """Where shares of long rows are not whole; where they are, threads that copy themselves wait less for weights."""
    columns = extent(shape[1])
    whole = columns is None or columns % WHOLE_SHARES == 0
    return None if whole else _own(own_parts.rms_norm, 1, 1)(shape, dtype, target)
