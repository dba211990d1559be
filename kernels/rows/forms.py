"""Other expressions of operators on rows, where a target is better off with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gpucomp.kernels.registry import Definition, Extent, extent
from gpucomp.kernels.rows import compute
from gpucomp.target import Target

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
