"""Plans of convolutions whose sums are split within a block, and the model of their time.

Small convolutions have few tiles, and each step of a slab waits for the one before; what a step costs is mostly the
copies, which are of one element each where rows allow no vectors.  So the model counts copies, and the pieces of cache
lines that each of them touches, beside products, and sets against them how long a block alone takes for a slab.  Its
figures are fitted to some 950 kernels of 62 small convolutions, timed on an H100 (docs/benchmarks/convolution).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from gpucomp.kernels.convolution.plans import (
    MEMORY_BYTES_PER_US,
    PARTS_BYTES_PER_US,
    REPACK_BYTES_PER_US,
    Plan,
    Sizes,
    sizes_of,
)
from gpucomp.kernels.convolution.problem import Convolution
from gpucomp.kernels.gemm.tiles import LEAST_DEPTH, MULTIPROCESSORS, PARTS, USUAL_MULTIPROCESSORS, SimtTile
from gpucomp.target import Target

# By what they are of: filters and pixels, or pixels and filters where channels are last.
_BOTH: Final = (
    SimtTile(32, 32, 4, 1, 1, 8, 4, 1, 2, 3, slices=4),
    SimtTile(32, 32, 8, 1, 1, 8, 4, 1, 2, 3, slices=4),
    SimtTile(32, 64, 8, 1, 2, 8, 4, 1, 2, 3, slices=2),
    SimtTile(32, 64, 8, 1, 1, 4, 8, 2, 2, 3, slices=2),
    SimtTile(32, 64, 4, 1, 1, 4, 8, 2, 2, 3, slices=4),
    SimtTile(64, 32, 8, 2, 1, 8, 4, 1, 2, 3, slices=2),
    SimtTile(64, 64, 8, 1, 2, 8, 4, 2, 2, 3, slices=2),
    SimtTile(64, 64, 8, 2, 2, 8, 4, 1, 2, 4),
    SimtTile(64, 64, 16, 2, 2, 8, 4, 1, 2, 3),
    SimtTile(64, 128, 16, 1, 4, 8, 4, 2, 2, 3),
)
FILTERS_BY_PIXELS: Final = (
    *_BOTH,
    SimtTile(16, 32, 4, 1, 1, 4, 8, 1, 1, 3, slices=8),
    SimtTile(16, 64, 4, 1, 1, 4, 8, 1, 2, 3, slices=4),
    SimtTile(48, 32, 4, 1, 1, 4, 8, 3, 1, 3, slices=8),
    SimtTile(32, 64, 8, 1, 2, 8, 4, 1, 2, 3),
    SimtTile(32, 128, 8, 1, 2, 4, 8, 2, 2, 3, slices=2),
    SimtTile(64, 128, 8, 1, 4, 8, 4, 2, 2, 3, slices=2),
)
PIXELS_BY_FILTERS: Final = (
    *_BOTH,
    SimtTile(32, 16, 4, 1, 1, 8, 4, 1, 1, 3, slices=8),
    SimtTile(64, 16, 4, 1, 1, 8, 4, 2, 1, 3, slices=4),
    SimtTile(64, 32, 8, 1, 1, 8, 4, 2, 2, 3, slices=2),
    SimtTile(64, 32, 4, 1, 1, 8, 4, 2, 2, 3, slices=4),
    SimtTile(128, 32, 8, 2, 1, 8, 4, 2, 2, 3, slices=2),
)
REGISTERS: Final = {1: 64, 2: 80, 3: 118, 4: 128}  # of a thread, by its pieces
THREADS, ALL_REGISTERS, SHARED_BYTES = 2048, 65536, 225000  # of a multiprocessor
MOST_BLOCKS: Final = 16  # of a multiprocessor; larger convolutions are none of these
MOST_IDLE: Final = 16  # rows or columns of a tile that lie past the end of the product
CYCLES: Final = 1700.0  # a microsecond
ISSUE: Final = 4  # schedulers of a multiprocessor


@dataclass(frozen=True)
class Costs:
    """Of a block; cycles of a warp where it says nothing else.

    Attributes:
        start: microseconds of a kernel's start and end.
        fill: microseconds until the first slab is there, and from the last one to the end of its stores.
        slab, step: microseconds of a slab, divided by the slabs that are copied ahead, and of a step of four products.
        alone: how much slower one warp's copies are than those of many.
        rate: products and loads of fragments a cycle and scheduler.
        copy: a copy.
        line: more for each piece of a cache line that it touches.
        store: an element of the result.
        second: microseconds of a second kernel, which adds up parts.
        packed: microseconds of a kernel that packs filters before, and of the next one's start.
        narrow: how much longer blocks of two warps take: those have little to do while one of them waits.
        border: more for a copy of pixels that are not next to each other, and may lie in the border.
    """

    start: float = 3.71
    fill: float = 0.72
    slab: float = 0.224
    step: float = 0.0191
    alone: float = 1.35
    rate: float = 0.932
    copy: float = 7.16
    line: float = 1.54
    store: float = 2.79
    second: float = 0.87
    packed: float = 3.8
    narrow: float = 1.04
    border: float = 4.9


COSTS: Final = Costs()


def covers(tile: SimtTile, rows: int, columns: int) -> bool:
    """Whether few rows and columns of a tile lie past the end of a product, and no warp or lane wholly does."""
    sides = (
        (rows, tile.m, tile.warps_m, tile.pieces_m, tile.lanes_m),
        (columns, tile.n, tile.warps_n, tile.pieces_n, tile.lanes_n),
    )
    return all(
        [
            size < n + MOST_IDLE and -(-n // 4) >= lanes and -(-n // (4 * lanes * pieces)) >= warps
            for n, size, warps, pieces, lanes in sides
        ]
    )


def plans(conv: Convolution, target: Target) -> list[Plan]:
    """All plans with sums that are split within blocks; none for groups, phases and large convolutions."""
    sizes = sizes_of(conv)
    if sizes is None or sizes.channels < 8 or conv.groups > 1 or conv.transposed:
        return []
    rows, columns = _matrix(conv, sizes)
    aligned = (columns if conv.channels_last else math.prod(sizes.out_size)) % 4 == 0
    count = MULTIPROCESSORS.get(target.arch, USUAL_MULTIPROCESSORS)
    made: list[Plan] = []
    for tile in PIXELS_BY_FILTERS if conv.channels_last else FILTERS_BY_PIXELS:
        blocks = -(-rows // tile.m) * -(-columns // tile.n)
        deep = tile.k * tile.slices
        room = max(target.limits.get("max_dynamic_shared_memory_per_block", 0), target.max_shared_memory_per_block)
        if not covers(tile, rows, columns) or blocks > MOST_BLOCKS * count or _shared_bytes(tile) > room:
            continue
        # With one slice only stores differ from those of other plans, where no vector fits.
        if (aligned and tile.slices == 1) or -(-sizes.channels // tile.k) < tile.slices:
            continue
        if tile.threads > target.max_num_threads:
            continue
        for parts, depth, by_taps in _parts(conv, sizes, deep):
            plan = Plan(tile, deep, False, False, _vector_pixels(conv, sizes), parts, depth, by_taps, sliced=True)
            found = [plan]
            if sizes.taps > 1 and not (conv.channels_last and sizes.filters % 4 == 0):
                found.append(replace(plan, repacked=True))
            made += [_timed(conv, sizes, p, count) for p in found if _shares(conv, sizes, p)]
    return made


def _shares(conv: Convolution, sizes: Sizes, plan: Plan) -> bool:
    """Whether the threads of a block share out the copies of a slab evenly, as loops are split."""
    tile = plan.tile
    rows = min(tile.m, tile.threads // 8)
    if not conv.channels_last and tile.n > sizes.pixels:
        return False
    if conv.channels_last and tile.n > sizes.filters:
        return False
    if plan.repacked and not conv.channels_last and tile.m > (sizes.filters + 3) // 4 * 4:
        return False
    return (sizes.pixels if conv.channels_last else sizes.filters) >= rows


def _matrix(conv: Convolution, sizes: Sizes) -> tuple[int, int]:
    return (sizes.pixels, sizes.filters) if conv.channels_last else (sizes.filters, sizes.pixels)


def _parts(conv: Convolution, sizes: Sizes, deep: int) -> list[tuple[int, int, bool]]:
    """In how many parts a sum may be, of how many channels each, and whether they are rows of taps."""
    found = [(1, sizes.channels, False)]
    for parts in PARTS[1:]:
        depth = -(-sizes.channels // parts // deep) * deep
        if depth * parts == sizes.channels and depth * sizes.taps >= LEAST_DEPTH:
            found.append((parts, depth, False))
    if 1 < conv.phase_taps[0] <= PARTS[-1] and sizes.channels * sizes.taps // conv.phase_taps[0] >= LEAST_DEPTH:
        found.append((conv.phase_taps[0], sizes.channels, True))
    return found


def _vector_pixels(conv: Convolution, sizes: Sizes) -> bool:
    straight = set(conv.stride) == {1} and set(conv.padding) == {0} and sizes.taps == 1
    return straight and not conv.channels_last and math.prod(sizes.size) % 4 == 0


def _shared_bytes(tile: SimtTile) -> int:
    slabs = 4 * tile.stages * tile.k * tile.slices * (tile.m + tile.n + 8)
    return max(slabs, 4 * tile.slices * tile.m * (tile.n + 8))


def _resident(tile: SimtTile) -> int:
    """Blocks of a multiprocessor at once."""
    registers = REGISTERS[tile.pieces_m * tile.pieces_n] * tile.threads
    room = SHARED_BYTES // (_shared_bytes(tile) + 1024)
    return max(1, min(THREADS // tile.threads, ALL_REGISTERS // registers, room))


def _timed(conv: Convolution, sizes: Sizes, plan: Plan, count: int) -> Plan:
    tile, cost = plan.tile, COSTS
    rows, columns = _matrix(conv, sizes)
    blocks = -(-rows // tile.m) * -(-columns // tile.n) * plan.parts
    taps = sizes.taps // conv.phase_taps[0] if plan.by_taps else sizes.taps
    slabs = -(-plan.depth // plan.channels) * taps
    copies = _copies(conv, sizes, plan)
    pieces = tile.pieces_m * tile.pieces_n
    loads = 4 * (tile.pieces_m + tile.pieces_n)
    products = tile.k * (16 * pieces + loads) * (tile.threads // 32) / cost.rate
    busy = (products + copies) / ISSUE / CYCLES  # of a slab, on the multiprocessor
    alone = cost.slab / (tile.stages - 1) + cost.step * tile.k * (1 + pieces) / 4
    alone += cost.alone * copies / (tile.threads // 32) / CYCLES
    stores = cost.store * tile.m * tile.n * (1 + 0.35 * tile.slices) / 32 / ISSUE / CYCLES
    most, resident = -(-blocks // count), _resident(tile)

    def blocks_at_once(n: int) -> float:
        return slabs * ((busy * n) ** 4 + alone**4) ** 0.25 + cost.fill + n * stores

    rounds, rest = divmod(most, resident)
    time = rounds * blocks_at_once(resident) + (blocks_at_once(rest) if rest else 0)
    time *= cost.narrow if tile.threads <= 64 else 1
    time = cost.start + max(time, _bytes(conv, sizes) / MEMORY_BYTES_PER_US)
    summed = "taps" if plan.by_taps else "channels"
    reason = (
        f"{tile.m}x{tile.n}x{tile.k} in {tile.slices} slices, {tile.stages} stages, {tile.threads} threads: {blocks} "
        f"blocks{f' in {plan.parts} parts of the {summed}' if plan.parts > 1 else ''}, at most {most} a multiprocessor"
    )
    if plan.parts > 1:
        time += cost.second + 4 * rows * columns * (2 * plan.parts + 1) / PARTS_BYTES_PER_US
    if plan.repacked:
        time += cost.packed + 8 * sizes.filters * sizes.channels * sizes.taps / REPACK_BYTES_PER_US
        reason += "; filters are brought into the order of slabs before"
    return replace(plan, microseconds=time, reason=f"{reason}; about {time:.0f} us")


def _bytes(conv: Convolution, sizes: Sizes) -> int:
    """That are read and written; of single taps that are far apart, rows between them are not."""
    rows = conv.stride[0] if conv.kernel[0] == 1 and conv.ndim > 1 else 1
    image = sizes.batch * sizes.channels * math.prod(sizes.size) // rows
    return 4 * (image + sizes.filters * (sizes.channels * sizes.taps + sizes.pixels))


def _copies(conv: Convolution, sizes: Sizes, plan: Plan) -> float:
    """Cycles of the copies of a slab, of all warps."""
    tile, deep, cost = plan.tile, plan.channels, COSTS
    rows = tile.threads // 8  # of a round where eight neighbouring channels are copied

    def rounded(elements: int, of: int) -> int:
        return -(-elements // of) * of

    if conv.channels_last:
        pixels, filters = rounded(tile.m, rows) * deep, tile.n
        each = cost.copy + cost.line * (4 if sizes.channels % 8 == 0 else 6) + (cost.border if sizes.taps > 1 else 0)
    else:
        pixels = rounded(deep * tile.n // (4 if plan.vector_pixels else 1), tile.threads)
        filters = tile.m
        each = cost.copy + cost.line * (4 if plan.vector_pixels else 1 + max(conv.stride))
    if plan.repacked or (conv.channels_last and sizes.filters % 4 == 0):
        number, lines = rounded(deep * filters // 4, tile.threads), 5.0
    elif conv.channels_last:
        number, lines = rounded(deep * filters, tile.threads), 2.0
    else:
        number, lines = rounded(filters, rows) * deep, 4 + 0.875 * sizes.taps
    return (pixels * each + number * (cost.copy + cost.line * lines)) / 32
