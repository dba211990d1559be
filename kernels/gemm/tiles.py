"""Tiles of fp32 matrix products on NVIDIA's GPUs, and the model that chooses among them.

The model is analytic but for three figures a tile: how fast a multiprocessor runs one block of it, and as many as fit,
and how much of a round a rest of blocks takes.  They and the costs beside them are fitted to all legal tiles and splits
of 26 products on an H100, and some of four batched ones (docs/benchmarks/tiles), those near the best of a product
counting most; rates of other layouts were set from single products.  Products whose rows of the result allow no 16-byte
stores have tiles and costs of their own, fitted to 38 in all layouts.  Time is that of the multiprocessor that has most
blocks: whole rounds of resident blocks, and a rest that runs at a rate between the two, linear in the reciprocal of the
number of blocks.  What a tile computes past the edges of the result counts as work like any other.  Splitting the sum
over k into parts multiplies the blocks and divides their work; writing the parts, and adding them up in a second
kernel, costs time of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from gpucomp.target import Target

STATIC_SHARED: Final = 49152
MULTIPROCESSORS: Final = {"sm_80": 108, "sm_86": 84, "sm_89": 128}
USUAL_MULTIPROCESSORS: Final = 132
PARTS: Final = (1, 2, 3, 4, 6, 8, 12, 16)
DEEP: Final = 2500  # of a part: blocks run out of step by then, and others multiply while one stores bit by bit
LEAST_DEPTH: Final = 64  # of a part: fewer products do not pay for filling the pipeline
START_US: Final = 3.5
FAR_PARTS_BYTES_PER_US: Final = 2.5e6  # parts that are more than the L2 cache holds
CACHED_BYTES: Final = 30e6


@dataclass(frozen=True)
class Costs:
    """What a product takes beside its multiplications.

    Attributes:
        start: microseconds of a kernel's start, of its first tiles and of its last stores.
        second: what a second kernel adds at least.
        near, far: bytes a microsecond of parts that the L2 cache holds, and of others.
        stored: bytes of the result a microsecond.
        split_gain: of the time; what a split gains beyond it is more than the model does not know.
    """

    start: float = START_US
    second: float = 4.0
    near: float = 5e6
    far: float = FAR_PARTS_BYTES_PER_US
    stored: float = math.inf
    split_gain: float = 0.92


FLOATS: Final = Costs(4.5, 0.9, 4.25e6, 4.25e6, 4.4e6, 0.98)  # fitted, as the rates of the tiles
RAGGED: Final = Costs(5.4, 1.2, 3.8e6, 3.8e6, 3.9e6, 0.98)  # of RAGGED_TILES, fitted to 38 products
WORDS: Final = Costs()
RAGGED_UNEVEN: Final = 0.6


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
        uneven: how near the blocks past the last whole round come to taking a whole round on some multiprocessor: where
            blocks that ran side by side end together, several new ones follow where one each would be fair.
        unaligned: by how much its rate changes where rows of the result allow no 16-byte copies (of bytes).
        layouts: by how much its rate changes where none, one or both of the operands are stored along k.
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
    uneven: float = 0.0
    unaligned: float = 1.0
    layouts: tuple[float, float, float] = (1.0, 1.0, 0.95)

    def __post_init__(self) -> None:
        rows = self.warps_m * self.lanes_m * self.pieces_m * 4
        columns = self.warps_n * self.lanes_n * self.pieces_n * 4
        if (rows, columns, self.lanes_m * self.lanes_n) != (self.m, self.n, 32):
            raise ValueError(f"threads of {self} cover {rows}x{columns}")

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return 32 * self.warps_m * self.warps_n * self.slices

    def shared_bytes(self, padded: int = 1, *, gathered: bool = False) -> int:
        """Shared memory of a block, with four floats of padding a row of as many operands' slabs.

        A result that is gathered there takes the place of a slab, where that is more than what is declared.
        """
        slabs = 4 * self.stages * self.k * self.slices * (self.m + self.n + 4 * padded)
        if self.slices > 1:
            return slabs + 4 * self.slices * self.m * self.n
        if not gathered:
            return slabs
        result = 4 * self.m * (self.n + 4)
        slab = 4 * self.stages * self.k * max(self.m, self.n)
        return slabs + result if slabs + result <= STATIC_SHARED else slabs + max(result - slab, 0)

    def scope(self, padded: int = 1, *, gathered: bool = False) -> str:
        """Where slabs are: memory above what a kernel may declare is asked for at the launch."""
        apart = 4 * self.m * (self.n + 4) if gathered else 0
        return "shared" if self.shared_bytes(padded) + apart <= STATIC_SHARED else "shared.dyn"


TILES: Final = (
    SimtTile(
        128, 256, 8, 2, 4, 8, 4, 2, 4, 3,
        alone=395, full=395, predicated=True, layouts=(1.0, 1.0, 0.975),
    ),
    SimtTile(
        128, 128, 8, 2, 2, 8, 4, 2, 4, 4,
        alone=370, full=383, resident=2, predicated=True, uneven=1.0, layouts=(1.07, 1.0, 0.985),
    ),
    SimtTile(64, 128, 8, 1, 2, 8, 4, 2, 4, 4, alone=188, full=381, resident=4, predicated=True, uneven=1.0),
    SimtTile(128, 128, 16, 2, 4, 8, 4, 2, 2, 3, alone=341, full=359, resident=2, predicated=True, uneven=0.18),
    SimtTile(
        64, 128, 8, 1, 4, 8, 4, 2, 2, 4,
        alone=352, full=375, resident=4, order=2, predicated=True, interleaved=True, uneven=0.52,
        layouts=(0.99, 1.0, 0.9),
    ),
    SimtTile(
        64, 64, 8, 1, 2, 8, 4, 2, 2, 4,
        alone=139, full=339, resident=2, order=2, predicated=True, interleaved=True, layouts=(0.94, 1.0, 0.9),
    ),
    SimtTile(
        64, 64, 16, 2, 2, 8, 4, 1, 2, 4,
        alone=262, full=309, resident=4, order=0, predicated=True, interleaved=True, layouts=(1.07, 1.0, 1.015),
    ),
    SimtTile(
        32, 64, 16, 1, 4, 8, 4, 1, 1, 4,
        alone=247, full=306, resident=4, predicated=True, interleaved=True, uneven=0.17, layouts=(0.96, 1.0, 0.92),
    ),
    SimtTile(
        32, 32, 16, 1, 2, 8, 4, 1, 1, 4,
        alone=133, full=250, resident=4, predicated=True, interleaved=True, layouts=(1.02, 1.0, 0.97),
    ),
    SimtTile(32, 32, 8, 1, 2, 8, 4, 1, 1, 3, alone=171, full=204, resident=4, slices=4),
    SimtTile(32, 16, 8, 1, 1, 8, 4, 1, 1, 3, alone=160, full=155, resident=2, slices=8),
)  # fmt: skip
# Of products whose rows of the result allow no 16-byte copies, a block gathers its result in shared memory, and the
# second operand of some is copied 4 or 8 bytes at a time: rates of their own, and tiles whose sides are less like
# powers of two; those of TILES are missing that were never among the best.
RAGGED_TILES: Final = (
    *[
        replace(TILES[i], alone=alone, full=full, uneven=RAGGED_UNEVEN, layouts=layouts)
        for i, alone, full, layouts in (
            (1, 370, 374, (1.024, 0.991, 0.951)),
            (4, 324, 361, (0.992, 0.957, 0.919)),
            (5, 160, 320, (1.073, 1.015, 0.929)),
            (6, 264, 311, (1.008, 0.982, 0.931)),
            (7, 232, 260, (1.007, 0.936, 0.878)),
            (8, 133, 229, (0.998, 0.935, 0.925)),
            (9, 171, 204, (1.0, 1.0, 0.95)),
            (10, 162, 155, (1.0, 1.017, 0.95)),
        )
    ],
    SimtTile(
        128, 64, 8, 2, 2, 8, 4, 2, 2, 4,
        alone=342, full=349, resident=4, order=2, predicated=True, interleaved=True, uneven=RAGGED_UNEVEN,
        layouts=(0.984, 1.0, 0.95),
    ),
    SimtTile(
        96, 128, 8, 1, 4, 8, 4, 3, 2, 4,
        alone=352, full=370, resident=3, predicated=True, uneven=RAGGED_UNEVEN, layouts=(0.984, 0.975, 0.955),
    ),
    SimtTile(
        128, 128, 8, 2, 4, 8, 4, 2, 2, 4,
        alone=358, full=366, resident=2, order=2, predicated=True, interleaved=True, uneven=RAGGED_UNEVEN,
        layouts=(0.984, 0.962, 0.957),
    ),
)  # fmt: skip
# Of products whose rows of the result allow no 16-byte stores, but of operands along rows that allow copies of 8 or 16
# bytes: by how much faster RAGGED_TILES were so, of 14 products.
WHOLE_TILES: Final = (
    *[
        replace(RAGGED_TILES[i], alone=RAGGED_TILES[i].alone * gain, full=RAGGED_TILES[i].full * gain)
        for i, gain in ((0, 1.03), (1, 1.05), (2, 1.1), (8, 1.08), (9, 1.06))
    ],
    TILES[0],
)
# The same tiles for dot products of four bytes, of which a multiprocessor does half as many as multiplications in
# float32 (64 a cycle, 253 in the units of the rates); what holds those back is then mostly hidden.
DOT_RATES: Final = (
    (230, 230), (217, 231), (113, 230), (219, 231), (196, 226), (100, 225), (154, 215), (140, 160), (75, 147),
    (119, 142), (90, 117),
)  # fmt: skip
DOT_UNALIGNED: Final = (0.95, 0.89, 0.88, 1.04)
DOT_TILES: Final = tuple([
    replace(tile, alone=alone, full=full, resident=4 if (tile.m, tile.n) == (64, 64) else tile.resident,
            interleaved=False, uneven=0.0, unaligned=DOT_UNALIGNED[i] if i < len(DOT_UNALIGNED) else 0.95)
    for i, (tile, (alone, full)) in enumerate(zip(TILES, DOT_RATES, strict=True))
])  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """A tile, into how many parts the sum over k is split, how long the model says it takes, and why.

    ``depth`` is the extent of a part: all of k where it is not split, else a multiple of the slab.  A ``gathered``
    result is stored by rows, from shared memory.
    """

    tile: SimtTile
    parts: int
    depth: int
    microseconds: float
    reason: str
    gathered: bool = False


def estimate(
    tile: SimtTile,
    shape: tuple[int, int, int],
    multiprocessors: int,
    parts: int = 1,
    batch: int = 1,
    padded: int = 1,
    costs: Costs = WORDS,
) -> Choice:
    """What the model says of one tile for a product of shape (M, N, K), ``padded`` operands of it stored along k."""
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
    work /= tile.layouts[padded]
    rounds, rest = divmod(most, tile.resident)
    whole = tile.resident * work / tile.full
    time = costs.start + rounds * whole + 4 * batch * m * n / costs.stored
    if rest:
        share = (1 / rest - 1 / tile.resident) / (1 - 1 / tile.resident)
        last = rest * work / (tile.full - (tile.full - tile.alone) * share)
        time += last + (whole - last) * (tile.uneven if rounds else 0)
    if parts > 1:
        nbytes = 4 * batch * m * n * (2 * parts + 1)
        time += costs.second + nbytes / (costs.near if nbytes < CACHED_BYTES else costs.far)
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
    shape: tuple[int, int, int],
    target: Target,
    padded: int = 1,
    tiles: Sequence[SimtTile] = TILES,
    *,
    gathered: bool = False,
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
        and t.shared_bytes(padded, gathered=gathered) <= room
        and t.threads <= target.max_num_threads
    ]


def candidates(
    shape: tuple[int, int, int], target: Target, batch: int = 1, padded: int = 1, words: int = 1, *, whole: bool = False
) -> list[Choice]:
    """All legal tiles and splits, with what the model says of them; arguments as for :func:`choose`."""
    m, n, k = shape
    shape = (m, n, k // words)
    count = multiprocessors(target)
    ragged = words == 1 and n % 4 != 0
    tiles, costs = (DOT_TILES, WORDS) if words > 1 else (RAGGED_TILES, RAGGED) if ragged else (TILES, FLOATS)
    if ragged and whole:
        tiles = WHOLE_TILES
    layout = padded if words == 1 else 1  # bytes are stored along k always: their rates say so
    found = [
        estimate(tile, shape, count, parts, batch, layout, costs)
        for tile in legal_tiles(shape, target, padded, tiles, gathered=ragged)
        for parts in PARTS
        if parts == 1 or (tile.slices == 1 and shape[2] >= parts * LEAST_DEPTH)
    ]
    return [replace(c, depth=c.depth * words, gathered=ragged and c.tile.slices == 1 and c.depth < DEEP) for c in found]


def multiprocessors(target: Target) -> int:
    """Of the device that an architecture is best known for."""
    return MULTIPROCESSORS.get(target.arch, USUAL_MULTIPROCESSORS)


def choose(
    shape: tuple[int, int, int], target: Target, batch: int = 1, padded: int = 1, words: int = 1, *, whole: bool = False
) -> Choice | None:
    """The fastest tile by the model, split where that is faster; None where every tile is larger than the product.

    Args:
        shape: M, N and K of each product.
        target: whose limits bound the tiles.
        batch: number of products.
        padded: how many operands are stored along k.
        words: how many neighbouring k are one 32-bit word, which is then what the tiles count along k.
        whole: both operands are along rows that allow copies of 8 bytes at least, whatever those of the result allow.
    """
    gain = WORDS.split_gain if words > 1 else FLOATS.split_gain
    found = candidates(shape, target, batch, padded, words, whole=whole)
    return min(found, key=lambda c: c.microseconds * (gain if c.parts == 1 else 1.0), default=None)
