"""How convolutions become matrix products: the tile, the slab, in how many parts sums are; and why.

The model is that of matrix products (:mod:`gpucomp.kernels.gemm.tiles`): a convolution of P pixels, O filters and K
taps times channels costs what such a product costs, as long as gathering pixels is hidden behind arithmetic; and what
bringing its filters into another order costs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from gpucomp.kernels.convolution.compute import ConvolutionDefinition
from gpucomp.kernels.convolution.problem import Convolution
from gpucomp.kernels.gemm.tiles import (
    LEAST_DEPTH,
    MULTIPROCESSORS,
    PARTS,
    SPLIT_GAIN,
    TILES,
    USUAL_MULTIPROCESSORS,
    SimtTile,
    estimate,
)
from gpucomp.kernels.registry import extent
from gpucomp.target import Target

# Filters and pixels are seldom alike in number: tiles for few filters, beside those of matrix products.
NARROW: Final = (
    SimtTile(128, 64, 8, 2, 2, 8, 4, 2, 2, 3, alone=210, full=318, resident=4),
    SimtTile(256, 64, 8, 4, 2, 8, 4, 2, 2, 3, alone=270, full=330, resident=2),
    SimtTile(64, 256, 8, 1, 8, 8, 4, 2, 2, 3, alone=270, full=330, resident=2),
)
REPACK_US: Final = 2.5  # a kernel more, at least
REPACK_BYTES_PER_US: Final = 0.4e6  # filters are read element by element, far apart


@dataclass(frozen=True)
class Plan:
    """How a convolution is computed.

    Attributes:
        tile: of filters and pixels; rows are filters where the image has its channels first, else pixels.
        channels: input channels of a slab.
        taps_inside: the taps of the last spatial dimension are in a slab too.
        repacked: a kernel brings the filters into the order of slabs first.
        vector_pixels: four neighbouring pixels of the result are four neighbours of the image, and are copied at once.
        parts, depth: in how many parts the sum over input channels is, and of how many channels each is.
        microseconds: what the model says.
        reason: why, in words.
    """

    tile: SimtTile
    channels: int
    taps_inside: bool = False
    repacked: bool = False
    vector_pixels: bool = False
    parts: int = 1
    depth: int = 0
    microseconds: float = 0.0
    reason: str = ""


def product_shape(conv: Convolution) -> tuple[int, int, int] | None:
    """Rows, columns and depth of the product for one group; None where an extent is symbolic."""
    sizes = [extent(x) for x in (conv.batch, conv.group_channels, conv.filters, *conv.out_size)]
    known = [x for x in sizes if x is not None]
    if len(known) != len(sizes):
        return None
    batch, channels, filters, *place = known
    pixels, filters = batch * math.prod(place), filters // conv.groups
    depth = channels * math.prod(conv.kernel)
    return (pixels, filters, depth) if conv.channels_last else (filters, pixels, depth)


def choose_plan(defn: ConvolutionDefinition, target: Target) -> Plan | None:
    """The fastest plan by the model; None where implicit GEMM is not for the convolution.

    It is for float32 of known extents, on CUDA devices since sm_80, where a tile is not mostly empty.
    """
    conv = defn.problem
    shape = product_shape(conv)
    if shape is None or conv.transposed or str(defn.inputs[0].dtype) != "float32":
        return None
    if str(target.kind) != "cuda" or "cp_async" not in target.features:
        return None
    found = [p for tile in (*TILES, *NARROW) for p in plans_of(conv, tile, target)]
    return min(found, key=lambda p: p.microseconds * (SPLIT_GAIN if p.parts == 1 else 1.0), default=None)


def plans_of(conv: Convolution, tile: SimtTile, target: Target) -> list[Plan]:
    """The plans with a tile: in one part or several."""
    shape = product_shape(conv)
    if shape is None:
        return []
    depth = extent(conv.group_channels) or 1
    slab = slab_of(conv, tile)
    tile = replace(tile, k=slab[0] * slab[1])
    dynamic = target.limits.get("max_dynamic_shared_memory_per_block", 0)
    room = max(dynamic, target.max_shared_memory_per_block)
    # A tile larger than the product would have idle threads, which is not how loops are split.
    if tile.m > shape[0] or tile.n > shape[1] or tile.shared_bytes > room or tile.threads > target.max_num_threads:
        return []
    made: list[Plan] = []
    for parts in PARTS:
        each = -(-depth // parts // slab[0]) * slab[0]
        if parts > 1 and (depth % each or depth // each != parts or each * math.prod(conv.kernel) < LEAST_DEPTH):
            continue
        made.append(_plan(conv, tile, shape, target, parts, each if parts > 1 else depth, slab))
    return made


def slab_of(conv: Convolution, tile: SimtTile) -> tuple[int, int]:
    """Channels and taps of a slab: one tap of many channels, or a row of taps of few."""
    channels = extent(conv.group_channels) or 1
    if channels % tile.k == 0 or channels > 3 * tile.k:
        return tile.k, 1
    if channels % 8 == 0:
        return 8, 1
    if channels < 8:
        return channels, conv.kernel[-1]
    return min(tile.k, 8), 1


def _plan(
    conv: Convolution,
    tile: SimtTile,
    shape: tuple[int, int, int],
    target: Target,
    parts: int,
    depth: int,
    slab: tuple[int, int],
) -> Plan:
    count = MULTIPROCESSORS.get(target.arch, USUAL_MULTIPROCESSORS)
    choice = estimate(tile, shape, max(1, count // conv.groups), parts)
    taps = math.prod(conv.kernel)
    repacked = not conv.channels_last and taps > 1
    time, reason = choice.microseconds, choice.reason
    if repacked:
        weights = 4 * taps * (extent(conv.group_channels) or 1) * (extent(conv.filters) or 1)
        time += REPACK_US + weights / REPACK_BYTES_PER_US / 8
        reason += ", filters brought into the order of slabs before"
    size = math.prod([extent(x) or 1 for x in conv.size])
    vector = (
        taps == 1 and not conv.channels_last and size % 4 == 0 and set(conv.stride) == {1} and set(conv.padding) == {0}
    )
    return Plan(tile, slab[0], slab[1] > 1, repacked, vector, parts, depth, time, reason)


def sizes(found: Sequence[Plan]) -> list[str]:
    """Plans in a few words, for tables."""
    return [f"{p.tile.m}x{p.tile.n}x{p.tile.k}s{p.tile.stages}p{p.parts}" for p in found]
