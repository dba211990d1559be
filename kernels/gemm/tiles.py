"""Tiles of fp32 matrix products on NVIDIA's GPUs, and the model that chooses among them.

The model is analytic but for two figures a tile: how fast a multiprocessor runs one block of it, and as many as fit.
They are fitted to products of 256 to 8192 rows timed on an H100, or set from like tiles where one of the two was
not timed; what a split costs is an estimate, not a measurement.  Time is then that of the multiprocessor that has most
blocks: whole rounds of resident blocks, and a rest that runs at a rate between the two, linear in the reciprocal of the
number of blocks.  What a tile computes past the edges of the result counts as work like any other.  Splitting the sum
over k into parts multiplies the blocks and divides their work; writing the parts, and adding them up in a second
kernel, costs time of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from gpucomp.target import Target

STATIC_SHARED: Final = 49152
MULTIPROCESSORS: Final = {"sm_80": 108, "sm_86": 84, "sm_89": 128}
USUAL_MULTIPROCESSORS: Final = 132
PARTS: Final = (1, 2, 3, 4, 6, 8, 12, 16)
LEAST_DEPTH: Final = 64  # of a part: fewer products do not pay for filling the pipeline
START_US: Final = 3.5  # a kernel's start, and the latency of its first tiles and of its last stores
SECOND_US: Final = 4.0  # what a second kernel adds at least
PARTS_BYTES_PER_US: Final = 5e6  # parts are written to the L2 cache and read from it
FAR_PARTS_BYTES_PER_US: Final = 2.5e6  # or to memory, where they are more than the cache holds
CACHED_BYTES: Final = 30e6
SPLIT_GAIN: Final = 0.92  # of the time: a smaller gain is within what the model does not know


@dataclass(frozen=True)
class SimtTile:
    """A tile of a block, and how its threads share it.

    Attributes:
        m, n, k: extents of the tile; k of one slab.
        warps_m, warps_n: warps along rows and columns.
        lanes_m, lanes_n: threads of a warp along rows and columns.
        pieces_m, pieces_n: 4x4 pieces of a thread, a whole row or column of warps and lanes apart.
        stages: slabs in shared memory.
        alone, full: GFLOP/s of a multiprocessor with one block, and with ``resident`` of them.
        resident: blocks that its registers and shared memory hold at once.
        order: of the products of a step: as the loops are (0), back and forth (1), or row by row (2).
        predicated: copies ahead have predicates, not branches. Which of these the device compiler makes most of was
            measured.
        interleaved: neighbouring lanes share rows and columns in turns (measured as well).
        slices: groups of warps that each take ``k`` steps of a slab, which is that many times as deep.
        unaligned: by how much its rate changes where rows of the result allow no 16-byte copies.
    """

    m: int
    n: int
    k: int
    warps_m: int
    warps_n: int
    lanes_m: int
    lanes_n: int
    pieces_m: int
    pieces_n: int
    stages: int
    alone: float = 1.0
    full: float = 1.0
    resident: int = 1
    order: int = 1
    predicated: bool = False
    interleaved: bool = False
    slices: int = 1
    unaligned: float = 0.95

    def __post_init__(self) -> None:
        rows = self.warps_m * self.lanes_m * self.pieces_m * 4
        columns = self.warps_n * self.lanes_n * self.pieces_n * 4
        if (rows, columns, self.lanes_m * self.lanes_n) != (self.m, self.n, 32):
            raise ValueError(f"threads of {self} cover {rows}x{columns}")

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return 32 * self.warps_m * self.warps_n * self.slices

    def shared_bytes(self, padded: int = 1) -> int:
        """Shared memory of a block, with four floats of padding a row of as many operands' slabs."""
        slabs = 4 * self.stages * self.k * self.slices * (self.m + self.n + 4 * padded)
        return slabs if self.slices == 1 else slabs + 4 * self.slices * self.m * self.n

    def scope(self, padded: int = 1) -> str:
        """Where slabs are: memory above what a kernel may declare is asked for at the launch."""
        return "shared" if self.shared_bytes(padded) <= STATIC_SHARED else "shared.dyn"


TILES: Final = (
    SimtTile(128, 256, 8, 2, 4, 8, 4, 2, 4, 3, alone=400, full=400, predicated=True, unaligned=0.95),
    SimtTile(128, 128, 8, 2, 2, 8, 4, 2, 4, 4, alone=335, full=380, resident=2, predicated=True, unaligned=0.89),
    SimtTile(64, 128, 8, 1, 2, 8, 4, 2, 4, 4, alone=175, full=376, resident=4, predicated=True, unaligned=0.88),
    SimtTile(128, 128, 16, 2, 4, 8, 4, 2, 2, 3, alone=330, full=360, resident=2, predicated=True, unaligned=1.04),
    SimtTile(
        64, 128, 8, 1, 4, 8, 4, 2, 2, 4, alone=316, full=330, resident=4, order=2, predicated=True, interleaved=True
    ),
    SimtTile(
        64, 64, 8, 1, 2, 8, 4, 2, 2, 4, alone=142, full=304, resident=2, order=2, predicated=True, interleaved=True
    ),
    SimtTile(
        64, 64, 16, 2, 2, 8, 4, 1, 2, 4, alone=222, full=275, resident=4, order=0, predicated=True, interleaved=True
    ),
    SimtTile(32, 64, 16, 1, 4, 8, 4, 1, 1, 4, alone=172, full=230, resident=4, predicated=True, interleaved=True),
    SimtTile(32, 32, 16, 1, 2, 8, 4, 1, 1, 4, alone=89, full=200, resident=4, predicated=True, interleaved=True),
    SimtTile(32, 32, 8, 1, 2, 8, 4, 1, 1, 3, alone=118, full=190, resident=4, slices=4),
    SimtTile(32, 16, 8, 1, 1, 8, 4, 1, 1, 3, alone=84, full=120, resident=2, slices=8),
)
# The same tiles for dot products of four bytes, of which a multiprocessor does half as many as multiplications in
# float32 (64 a cycle, 253 in the units of the rates); what holds those back is then mostly hidden.
DOT_RATES: Final = (
    (230, 230), (217, 231), (113, 230), (219, 231), (196, 226), (100, 225), (154, 215), (140, 160), (75, 147),
    (119, 142), (90, 117),
)  # fmt: skip
DOT_TILES: Final = tuple([
    replace(tile, alone=alone, full=full, resident=4 if (tile.m, tile.n) == (64, 64) else tile.resident,
            interleaved=False)
    for tile, (alone, full) in zip(TILES, DOT_RATES, strict=True)
])  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """A tile, into how many parts the sum over k is split, how long the model says it takes, and why.

    ``depth`` is the extent of a part: all of k where it is not split, else a multiple of the slab.
    """

    tile: SimtTile
    parts: int
    depth: int
    microseconds: float
    reason: str


def estimate(
    tile: SimtTile, shape: tuple[int, int, int], multiprocessors: int, parts: int = 1, batch: int = 1
) -> Choice:
    """What the model says of one tile for a product of shape (M, N, K)."""
    m, n, k = shape
    deep = tile.k * tile.slices
    slabs = -(-k // deep)
    each = -(-slabs // parts)
    parts = -(-slabs // each)
    blocks = -(-m // tile.m) * -(-n // tile.n) * parts * batch
    most = -(-blocks // multiprocessors)
    work = 2e-3 * tile.m * tile.n * deep * each  # of a block, in units that GFLOP/s take a microsecond for
    if n % 4:
        work /= tile.unaligned
    rounds, rest = divmod(most, tile.resident)
    time = START_US + rounds * tile.resident * work / tile.full
    if rest:
        share = (1 / rest - 1 / tile.resident) / (1 - 1 / tile.resident)
        time += rest * work / (tile.full - (tile.full - tile.alone) * share)
    if parts > 1:
        nbytes = 4 * batch * m * n * (2 * parts + 1)
        time += SECOND_US + nbytes / (PARTS_BYTES_PER_US if nbytes < CACHED_BYTES else FAR_PARTS_BYTES_PER_US)
    inside = m * n / (-(-m // tile.m) * tile.m * -(-n // tile.n) * tile.n)
    filled = blocks / (most * multiprocessors)
    intensity = tile.m * tile.n / (2 * (tile.m + tile.n))
    split = f" in {parts} parts of k" if parts > 1 else ""
    split += f" with {tile.slices} slices of k" if tile.slices > 1 else ""
    reason = (
        f"{tile.m}x{tile.n}x{tile.k}, {tile.stages} stages, {tile.threads} threads: {blocks} blocks"
        f"{split}, at most {most} a multiprocessor ({filled:.0%} of them full), "
        f"{inside:.0%} of the tiles inside, {intensity:.0f} operations a byte of a slab; about {time:.0f} us"
    )
    return Choice(tile, parts, k if parts == 1 else each * deep, time, reason)


def legal_tiles(
    shape: tuple[int, int, int], target: Target, padded: int = 1, tiles: Sequence[SimtTile] = TILES
) -> list[SimtTile]:
    """Tiles that are no larger than the product, half as deep at most, and that a block of the target can hold."""
    m, n, k = shape
    dynamic = target.limits.get("max_dynamic_shared_memory_per_block", 0)
    room = max(dynamic, target.max_shared_memory_per_block)
    return [
        t
        for t in tiles
        if t.m <= m
        and t.n <= n
        and 2 * t.k * t.slices <= k
        and t.shared_bytes(padded) <= room
        and t.threads <= target.max_num_threads
    ]


def choose(
    shape: tuple[int, int, int], target: Target, batch: int = 1, padded: int = 1, words: int = 1
) -> Choice | None:
    """The fastest tile by the model, split where that is faster; None where every tile is larger than the product.

    Args:
        shape: M, N and K of each product.
        target: whose limits bound the tiles.
        batch: number of products.
        padded: how many operands are stored along k.
        words: how many neighbouring k are one 32-bit word, which is then what the tiles count along k.
    """
    m, n, k = shape
    shape = (m, n, k // words)
    count = MULTIPROCESSORS.get(target.arch, USUAL_MULTIPROCESSORS)
    found = [
        estimate(tile, shape, count, parts, batch)
        for tile in legal_tiles(shape, target, padded, TILES if words == 1 else DOT_TILES)
        for parts in PARTS
        if parts == 1 or (tile.slices == 1 and shape[2] >= parts * LEAST_DEPTH)
    ]
    best = min(found, key=lambda c: c.microseconds * (SPLIT_GAIN if c.parts == 1 else 1.0), default=None)
    return best and replace(best, depth=best.depth * words)
