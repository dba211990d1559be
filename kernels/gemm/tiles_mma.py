"""Tiles of 16-bit matrix products on tensor cores, and the model that chooses among them.

A tile runs at a rate that its multiprocessor reaches with as many blocks of it as fit at once; what it computes past
the edges of the result is work like any other, and multiprocessors that have one block less wait for the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gpucomp.kernels.gemm.tiles import multiprocessors
from gpucomp.target import Target

START_US: Final = 4.0  # of a kernel's start, its first slabs and its last stores
STORED_BYTES_PER_US: Final = 3.0e6


@dataclass(frozen=True)
class MmaTile:
    """A tile of a block, and how its warps share it.

    Attributes:
        m, n, k: extents of the tile; k of one slab.
        warp_m, warp_n: extents of a warp's part.
        stages: slabs in shared memory.
        resident: blocks that registers and shared memory of a multiprocessor hold at once.
        alone, full: GFLOP/s of a multiprocessor with one block, and with ``resident`` of them.
        spread: copies ahead start in turns, some in each step of k.
    """

    m: int
    n: int
    k: int
    warp_m: int
    warp_n: int
    stages: int
    resident: int
    alone: float
    full: float
    spread: bool = False

    @property
    def warps(self) -> tuple[int, int]:
        """Warps along rows and columns."""
        return self.m // self.warp_m, self.n // self.warp_n

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return 32 * self.warps[0] * self.warps[1]

    @property
    def shared_bytes(self) -> int:
        """Shared memory of a block."""
        return 2 * self.stages * self.k * (self.m + self.n)


# Rates are of an H100, of products of whole tiles; one block alone is not slower than its share where few of the
# multiprocessors draw power.
TILES: Final = (
    MmaTile(128, 256, 64, 64, 64, 3, 1, 3400, 3400, spread=True),
    MmaTile(256, 128, 64, 64, 64, 3, 1, 3400, 3400, spread=True),
    MmaTile(128, 128, 64, 64, 64, 3, 2, 3400, 3150),
    MmaTile(64, 128, 64, 32, 64, 3, 3, 2700, 2750),
    MmaTile(64, 64, 64, 32, 32, 3, 4, 1650, 2250),
    MmaTile(32, 128, 64, 32, 32, 3, 3, 1620, 2000),
    MmaTile(32, 32, 128, 32, 32, 3, 2, 736, 1420),
    MmaTile(16, 32, 128, 16, 32, 4, 1, 456, 456),
)


@dataclass(frozen=True)
class MmaChoice:
    """A tile, how long the model says it takes, and why."""

    tile: MmaTile
    microseconds: float
    reason: str


def estimate(tile: MmaTile, shape: tuple[int, int, int], count: int, batch: int = 1) -> MmaChoice:
    """What the model says of one tile for a product of shape (M, N, K) on ``count`` multiprocessors."""
    m, n, k = shape
    blocks = -(-m // tile.m) * -(-n // tile.n) * batch
    most = -(-blocks // count)
    slabs = -(-k // tile.k)
    work = 2e-3 * tile.m * tile.n * tile.k * slabs  # of a block, in units that GFLOP/s take a microsecond for
    rounds, rest = divmod(most, tile.resident)
    time = START_US + rounds * tile.resident * work / tile.full
    if rest:
        share = (rest - 1) / max(1, tile.resident - 1)
        time += rest * work / (tile.alone + (tile.full - tile.alone) * share)
    time += 4 * batch * m * n / STORED_BYTES_PER_US / most
    inside = m * n / (-(-m // tile.m) * tile.m * -(-n // tile.n) * tile.n)
    reason = (
        f"tensor cores (mma.sync m16n8k16), {tile.m}x{tile.n}x{tile.k}, {tile.stages} stages, {tile.threads} threads, "
        f"{tile.warp_m}x{tile.warp_n} a warp: {blocks} blocks, at most {most} a multiprocessor "
        f"({blocks / (most * count):.0%} of them full), {inside:.0%} of the tiles inside; about {time:.0f} us"
    )
    return MmaChoice(tile, time, reason)


def choose_mma(
    shape: tuple[int, int, int], target: Target, batch: int = 1, tiles: Sequence[MmaTile] = TILES
) -> MmaChoice | None:
    """The fastest tile by the model; None where a slab of each is deeper than the product, or has more columns.

    Args:
        shape: M, N and K of each product.
        target: whose limits bound the tiles.
        batch: number of products.
        tiles: to choose from.
    """
    room = max(target.limits.get("max_dynamic_shared_memory_per_block", 0), target.max_shared_memory_per_block)
    count = multiprocessors(target)
    m, n, k = shape
    fit = [
        t for t in tiles if (t.warp_m <= m or t.warps[0] == 1) and t.warp_n <= n and t.k <= k and t.shared_bytes <= room
    ]
    return min([estimate(tile, shape, count, batch) for tile in fit], key=lambda c: c.microseconds, default=None)
