"""How convolutions become matrix products: the tile, the slab, in how many parts sums are; and why.

A convolution of P pixels, O filters and K taps times channels is a product of (O, P, K), or (P, O, K) with channels
last, and its time is estimated as that of products (:mod:`gpucomp.kernels.gemm.tiles`): the multiprocessor that has
most blocks works at a rate between that of one block and that of as many as fit, which are figures of a tile.  They are
fitted to the layers of ResNet-18 and ResNet-50's first ones, with 1 and 32 images, timed on an H100 with some 12 tiles
each; and so are what a block takes to fill its pipeline, and what further kernels cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from gpucomp.kernels.convolution.problem import Convolution
from gpucomp.kernels.gemm.tiles import (
    CACHED_BYTES,
    FAR_PARTS_BYTES_PER_US,
    LEAST_DEPTH,
    MULTIPROCESSORS,
    PARTS,
    USUAL_MULTIPROCESSORS,
    SimtTile,
)
from gpucomp.kernels.registry import extent
from gpucomp.target import Target

# Filters by pixels.
CHANNELS_FIRST: Final = (
    SimtTile(16, 128, 16, 1, 2, 4, 8, 1, 2, 3, alone=90, full=150, resident=8),  # for groups, and up to 31 filters
    SimtTile(32, 64, 16, 1, 2, 8, 4, 1, 2, 3, alone=99, full=266, resident=11),
    SimtTile(32, 128, 8, 1, 4, 8, 4, 1, 2, 3, alone=143, full=269, resident=5),
    SimtTile(64, 32, 16, 2, 1, 8, 4, 1, 2, 3, alone=115, full=255, resident=11),
    SimtTile(64, 64, 8, 1, 2, 8, 4, 2, 2, 3, alone=122, full=298, resident=8),
    SimtTile(64, 64, 16, 1, 2, 8, 4, 2, 2, 3, alone=143, full=295, resident=8),
    SimtTile(64, 64, 16, 2, 2, 8, 4, 1, 2, 4, alone=203, full=281, resident=5),
    SimtTile(64, 128, 8, 1, 4, 8, 4, 2, 2, 3, alone=215, full=312, resident=4),
    SimtTile(64, 128, 16, 1, 4, 8, 4, 2, 2, 3, alone=247, full=328, resident=4),
    SimtTile(64, 256, 8, 1, 8, 8, 4, 2, 2, 3, alone=275, full=324, resident=2),
    SimtTile(64, 256, 16, 1, 8, 8, 4, 2, 2, 2, alone=285, full=340, resident=2),
    SimtTile(128, 32, 8, 2, 1, 8, 4, 2, 2, 3, alone=124, full=298, resident=8),
    SimtTile(128, 64, 8, 2, 2, 8, 4, 2, 2, 3, alone=206, full=317, resident=4),
    SimtTile(128, 64, 16, 2, 2, 8, 4, 2, 2, 3, alone=247, full=333, resident=4),
    SimtTile(128, 128, 8, 2, 4, 8, 4, 2, 2, 4, alone=275, full=320, resident=2),
    SimtTile(128, 128, 16, 2, 4, 8, 4, 2, 2, 2, alone=285, full=345, resident=2),
    SimtTile(128, 256, 8, 2, 4, 8, 4, 2, 4, 3, alone=298, full=298, resident=1),
    SimtTile(256, 128, 16, 2, 4, 8, 4, 4, 2, 3, alone=314, full=314, resident=1),
)
# For phases of fewer pixels than those have columns; not timed.
FEW_PIXELS: Final = (
    SimtTile(64, 16, 16, 2, 1, 8, 4, 1, 1, 3, alone=50, full=180, resident=8),
    SimtTile(128, 16, 16, 2, 1, 8, 4, 2, 1, 3, alone=70, full=220, resident=8),
)
# Pixels by filters.  Products in the order of the loops were faster here, back and forth in the other layout.
CHANNELS_LAST: Final = (
    SimtTile(128, 16, 16, 2, 1, 8, 4, 2, 1, 3, alone=90, full=185, resident=8, order=0),  # for groups, and few filters
    SimtTile(32, 64, 16, 1, 2, 8, 4, 1, 2, 3, alone=111, full=282, resident=11, order=0),
    SimtTile(32, 128, 8, 1, 4, 8, 4, 1, 2, 3, alone=170, full=301, resident=5, order=0),
    SimtTile(64, 32, 16, 2, 1, 8, 4, 1, 2, 3, alone=92, full=244, resident=11, order=0),
    SimtTile(64, 64, 8, 1, 2, 8, 4, 2, 2, 3, alone=116, full=292, resident=8, order=0),
    SimtTile(64, 64, 16, 1, 2, 8, 4, 2, 2, 3, alone=139, full=309, resident=8, order=0),
    SimtTile(64, 64, 16, 2, 2, 8, 4, 1, 2, 4, alone=200, full=295, resident=5, order=0),
    SimtTile(64, 128, 8, 1, 4, 8, 4, 2, 2, 3, alone=227, full=307, resident=4, order=0),
    SimtTile(64, 128, 16, 1, 4, 8, 4, 2, 2, 3, alone=282, full=340, resident=4, order=0),
    SimtTile(128, 32, 8, 2, 1, 8, 4, 2, 2, 3, alone=107, full=254, resident=8, order=0),
    SimtTile(128, 64, 8, 2, 2, 8, 4, 2, 2, 3, alone=209, full=298, resident=4, order=0),
    SimtTile(128, 64, 16, 2, 2, 8, 4, 2, 2, 3, alone=249, full=330, resident=4, order=0),
    SimtTile(128, 128, 8, 2, 4, 8, 4, 2, 2, 4, alone=275, full=303, resident=2, order=0),
    SimtTile(128, 128, 16, 2, 4, 8, 4, 2, 2, 2, alone=285, full=358, resident=2, order=0),
    SimtTile(128, 256, 8, 2, 4, 8, 4, 2, 4, 3, alone=333, full=333, resident=1, order=0),
    SimtTile(256, 64, 8, 4, 2, 8, 4, 2, 2, 3, alone=256, full=272, resident=2, order=0),
    SimtTile(256, 64, 16, 4, 2, 8, 4, 2, 2, 2, alone=275, full=318, resident=2, order=0),
    SimtTile(256, 128, 16, 2, 4, 8, 4, 4, 2, 3, alone=329, full=329, resident=1, order=0),
)
# Where slabs are a row of taps of few channels; the depth follows from those.  Both layouts are much alike.
FEW_CHANNELS: Final = (
    SimtTile(32, 64, 16, 1, 2, 8, 4, 1, 2, 3, alone=90, full=285, resident=8),
    SimtTile(64, 32, 16, 2, 1, 8, 4, 1, 2, 3, alone=90, full=272, resident=8),
    SimtTile(32, 128, 16, 1, 4, 8, 4, 1, 2, 3, alone=99, full=300, resident=5),
    SimtTile(128, 32, 16, 2, 1, 8, 4, 2, 2, 3, alone=60, full=295, resident=5),
    SimtTile(64, 64, 16, 1, 2, 8, 4, 2, 2, 3, alone=58, full=354, resident=6),
    SimtTile(64, 128, 16, 1, 4, 8, 4, 2, 2, 3, alone=243, full=338, resident=4),
    SimtTile(128, 64, 16, 2, 2, 8, 4, 2, 2, 3, alone=232, full=336, resident=4),
)
FILL: Final = 16  # depth that a block takes as long for as to fill its pipeline and to store its tile
START_US: Final = 3.5
SPLIT_GAIN: Final = 0.97  # of the time: a smaller gain is within what the model does not know
SECOND_US: Final = 2.0  # what a kernel more adds at least
PARTS_BYTES_PER_US: Final = 5.7e6  # parts are written to the L2 cache and read from it
INTERLEAVED_BYTES_PER_US: Final = 0.6e6  # of a result that is stored phase by phase: parts of it are in one piece
SCATTERED_BYTES_PER_US: Final = 0.6e6  # the same of rows that no vector fits: a store is of parts of sectors
REPACK_BYTES_PER_US: Final = 1.5e6  # filters are read and written
MEMORY_BYTES_PER_US: Final = 2.6e6
# How much longer slabs of one tap take where pixels are copied element by element, and read far apart: those of 16
# channels (of any taps, where the channels that are last are no whole vectors); with channels first, where filters are
# copied so too, those and tiles that reuse little of them.
FAR_APART: Final = 1.12
FAR_APART_FIRST: Final = 1.3
LITTLE_REUSE: Final = 1.8
# How much longer tiles of two warps take where images are odd: slabs of 8 channels of which each is a copy, or results
# whose rows no vector fits.
TWO_WARPS_ODD: Final = 1.12


@dataclass(frozen=True)
class Plan:
    """How a convolution is computed.

    Attributes:
        tile: of filters and pixels; rows are filters where the image has its channels first, else pixels.
        channels: input channels of a slab.
        taps_inside: the taps of the last spatial dimension are in a slab too.
        repacked: a kernel brings the filters into the order of slabs first.
        vector_pixels: four neighbouring pixels of the result are four neighbours of the image, and are copied at once.
        parts, depth: in how many parts the sum is, and of how many input channels each is.
        by_taps: a part is of one index of the first spatial dimension of windows, and of all channels.
        microseconds: what the model says.
        reason: why, in words.
        sliced: by :mod:`gpucomp.kernels.convolution.schedule_sliced`.
    """

    tile: SimtTile
    channels: int
    taps_inside: bool = False
    repacked: bool = False
    vector_pixels: bool = False
    parts: int = 1
    depth: int = 0
    by_taps: bool = False
    microseconds: float = 0.0
    reason: str = ""
    sliced: bool = False


@dataclass(frozen=True)
class Sizes:
    """A convolution of known extents."""

    batch: int
    channels: int  # of a group
    filters: int  # of a group
    size: tuple[int, ...]
    out_size: tuple[int, ...]  # of a phase
    taps: int

    @property
    def pixels(self) -> int:
        return self.batch * math.prod(self.out_size)


def sizes_of(conv: Convolution) -> Sizes | None:
    values = [extent(x) for x in (conv.batch, conv.group_channels, conv.filters, *conv.size, *conv.phase_size)]
    known = [x for x in values if x is not None]
    if len(known) != len(values):
        return None
    batch, channels, filters, *place = known
    size, out_size = tuple(place[: conv.ndim]), tuple(place[conv.ndim :])
    return Sizes(batch, channels, filters // conv.groups, size, out_size, math.prod(conv.phase_taps))


def takes(dtype: str, target: Target) -> bool:
    """Whether there are plans for inputs of a type on a target."""
    return dtype == "float32" and str(target.kind) == "cuda" and "cp_async" in target.features


def plans(conv: Convolution, target: Target) -> list[Plan]:
    """All plans for a convolution: each tile that is no larger than the product, its sums in one part or several."""
    return [plan for tile in tiles_for(conv) for plan in plans_of(conv, tile, target)]


def tiles_for(conv: Convolution) -> tuple[SimtTile, ...]:
    """The tiles that were timed for convolutions of this kind."""
    channels = extent(conv.group_channels)
    if channels is not None and slab_of(channels, conv, 16)[1] > 1:
        return FEW_CHANNELS
    sizes = sizes_of(conv)
    if conv.has_phases and sizes is not None and sizes.pixels < min([tile.n for tile in CHANNELS_FIRST]):
        return FEW_PIXELS
    return CHANNELS_LAST if conv.channels_last else CHANNELS_FIRST


def plans_of(conv: Convolution, tile: SimtTile, target: Target) -> list[Plan]:
    """The plans with a tile, in one part or several; none where it does not fit."""
    sizes = sizes_of(conv)
    if sizes is None:
        return []
    slab = slab_of(sizes.channels, conv, tile.k)
    tile = replace(tile, k=slab[0] * slab[1])
    rows, columns = (sizes.pixels, sizes.filters) if conv.channels_last else (sizes.filters, sizes.pixels)
    dynamic = target.limits.get("max_dynamic_shared_memory_per_block", 0)
    room = max(dynamic, target.max_shared_memory_per_block)
    # Nor may one reach over the end of a group, where it would need the channels of the next one too.
    if conv.groups > 1 and sizes.filters % (tile.n if conv.channels_last else tile.m):
        return []
    # A tile larger than the product would have idle threads, which is not how loops are split.
    if tile.m > rows or tile.n > columns or tile.shared_bytes() > room or tile.threads > target.max_num_threads:
        return []
    made: list[Plan] = []
    for parts in PARTS:
        depth = -(-sizes.channels // parts // slab[0]) * slab[0]
        if parts == 1:
            depth = sizes.channels
        elif depth * parts != sizes.channels or depth * sizes.taps < LEAST_DEPTH:
            continue
        made.append(_plan(conv, sizes, tile, target, (parts, depth), slab))
    rows_of_taps = conv.phase_taps[0]
    deep = sizes.channels * sizes.taps // rows_of_taps >= LEAST_DEPTH and (conv.ndim > 1 or slab[1] == 1)
    if 1 < rows_of_taps <= PARTS[-1] and deep:
        made.append(_plan(conv, sizes, tile, target, (rows_of_taps, sizes.channels), slab, by_taps=True))
    return made


def slab_of(channels: int, conv: Convolution, depth: int) -> tuple[int, int]:
    """Channels and taps of a slab: one tap of many channels, or a row of taps of few."""
    if channels % depth == 0 or channels > 3 * depth:
        return depth, 1
    if channels < 8:
        return channels, conv.phase_taps[-1]
    return 8, 1


def _plan(
    conv: Convolution,
    sizes: Sizes,
    tile: SimtTile,
    target: Target,
    split: tuple[int, int],
    slab: tuple[int, int],
    *,
    by_taps: bool = False,
) -> Plan:
    parts, depth = split
    repacked = not conv.channels_last and sizes.taps > 1
    vector = (
        not conv.channels_last
        and sizes.taps == 1
        and math.prod(sizes.size) % 4 == 0
        and set(conv.stride) == {1}
        and set(conv.padding) == {0}
        and not conv.transposed
    )
    taps = sizes.taps // conv.phase_taps[0] if by_taps else sizes.taps
    slabs = -(-depth // slab[0]) * (taps // slab[1])
    work = 2e-3 * tile.m * tile.n * (tile.k * slabs + FILL)  # of a block, in units that GFLOP/s take a microsecond for
    odd = conv.channels_last and sizes.channels % 4 != 0
    if (sizes.taps == 1 and not vector) or odd:
        work *= _far_apart(tile, slab[0], conv.channels_last)
    uneven = not conv.channels_last and sizes.taps > 1 and parts == 1 and math.prod(sizes.out_size) % 4 != 0
    if ((odd and slab[0] == 8) or (uneven and slab[1] == 1)) and tile.threads == 64:
        work *= TWO_WARPS_ODD
    if odd or (conv.channels_last and sizes.filters % 4):
        tile = replace(tile, order=1)
    rows, columns = (sizes.pixels, sizes.filters) if conv.channels_last else (sizes.filters, sizes.pixels)
    times = conv.groups * math.prod(conv.phases)
    blocks = -(-rows // tile.m) * -(-columns // tile.n) * parts * times
    count = MULTIPROCESSORS.get(target.arch, USUAL_MULTIPROCESSORS)
    most = -(-blocks // count)
    results, filters = 4 * rows * columns * times, 4 * sizes.filters * sizes.channels * sizes.taps * times
    image = 4 * sizes.batch * sizes.channels * math.prod(sizes.size) * conv.groups
    time = max(_rounds(tile, most, work), (image + filters + results) / MEMORY_BYTES_PER_US) + START_US
    summed = "taps" if by_taps else "channels"
    reason = (
        f"{tile.m}x{tile.n}x{tile.k}, {tile.stages} stages, {tile.threads} threads: {blocks} blocks"
        f"{f' in {parts} parts of the {summed}' if parts > 1 else ''}, at most {most} a multiprocessor "
        f"({blocks / (most * count):.0%} of them full)"
    )
    if repacked:
        time += SECOND_US + 2 * filters / REPACK_BYTES_PER_US
        reason += "; filters are brought into the order of slabs before"
    if parts == 1 and conv.has_phases:
        time += results / INTERLEAVED_BYTES_PER_US
    elif parts == 1 and _scattered(conv, sizes, tile):
        time += results / SCATTERED_BYTES_PER_US
    if parts > 1:
        rate = PARTS_BYTES_PER_US if results * parts < CACHED_BYTES else FAR_PARTS_BYTES_PER_US
        time += SECOND_US + results * (2 * parts + 1) / rate
    reason += f"; about {time:.0f} us"
    return Plan(tile, slab[0], slab[1] > 1, repacked, vector, parts, depth, by_taps, time, reason)


def _scattered(conv: Convolution, sizes: Sizes, tile: SimtTile) -> bool:
    """Whether threads store elements that are not next to each other one by one."""
    if conv.channels_last or conv.groups > 1:
        return conv.groups == 1 and sizes.filters % 4 != 0
    return math.prod(sizes.out_size) % 4 != 0 and sizes.filters % tile.m != 0


def _far_apart(tile: SimtTile, channels: int, channels_last: bool) -> float:
    if channels_last:
        return FAR_APART if channels > 8 else 1.0
    reuse = LITTLE_REUSE if min(tile.m, tile.n) < 64 else 1.0
    return reuse * (FAR_APART_FIRST if channels > 8 else 1.0)


def _rounds(tile: SimtTile, most: int, work: float) -> float:
    """Time of a multiprocessor that computes ``most`` blocks, ``resident`` of them at once."""
    rounds, rest = divmod(most, tile.resident)
    time = rounds * tile.resident * work / tile.full
    if rest:
        share = (1 / rest - 1 / tile.resident) / (1 - 1 / tile.resident)
        time += rest * work / (tile.full - (tile.full - tile.alone) * share)
    return time
