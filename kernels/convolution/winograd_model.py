"""When a convolution goes by Winograd's filtering, with which tile, and why.

The time of its kernels is estimated from what they multiply and move: the products as those of
``gpucomp.kernels.gemm.tiles``, with rates fitted to the layers of ResNet-18 timed on an H100 (32 images, both
layouts), the transforms from the bytes they read and write.  Against it stands the direct sum by the model of
``gpucomp.kernels.convolution.choice``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from gpucomp.kernels.convolution import choice, winograd
from gpucomp.kernels.convolution.problem import Convolution, numbers
from gpucomp.kernels.convolution.winograd import TAPS, WinogradDefinition
from gpucomp.kernels.gemm import tiles
from gpucomp.kernels.gemm.tiles import SimtTile
from gpucomp.support.config import config
from gpucomp.target import Target

# Tiles of products (O, tiles) of slabs that are both copied as they lie, and of (tiles, O), the first one transposed.
CHANNELS_FIRST: Final = (
    SimtTile(32, 64, 16, 1, 2, 8, 4, 1, 2, 3, alone=122, full=300, resident=5),
    SimtTile(64, 32, 16, 2, 1, 8, 4, 1, 2, 3, alone=115, full=300, resident=5),
    SimtTile(64, 64, 16, 2, 2, 8, 4, 1, 2, 4, alone=212, full=318, resident=4),
    SimtTile(64, 128, 16, 1, 4, 8, 4, 2, 2, 3, alone=215, full=345, resident=3),
    SimtTile(128, 128, 16, 2, 4, 8, 4, 2, 2, 3, alone=280, full=357, resident=2),
)
CHANNELS_LAST: Final = (
    SimtTile(32, 64, 16, 1, 2, 8, 4, 1, 2, 3, alone=122, full=268, resident=5),
    SimtTile(64, 32, 16, 2, 1, 8, 4, 1, 2, 3, alone=115, full=235, resident=5),
    SimtTile(32, 128, 8, 1, 4, 8, 4, 1, 2, 3, alone=160, full=300, resident=5),
    SimtTile(64, 64, 8, 1, 2, 8, 4, 2, 2, 3, alone=131, full=285, resident=4),
    SimtTile(64, 128, 8, 1, 4, 8, 4, 2, 2, 3, alone=210, full=316, resident=4),
    SimtTile(128, 128, 16, 2, 4, 8, 4, 2, 2, 2, alone=280, full=345, resident=2),
)
SIZES: Final = (4, 2)  # m of F(m x m, 3x3)
BYTES_PER_US: Final = 2.9e6
KERNEL_US: Final = 2.0  # what each kernel but the first costs at least


@dataclass(frozen=True, slots=True)
class Plan:
    """F(m x m, 3x3), the tile of its products, how long it is expected to take, and why."""

    m: int
    tile: SimtTile
    microseconds: float
    reason: str


def plan(conv: Convolution, m: int, tile: SimtTile, target: Target) -> Plan:
    """What the model says of one m and one tile."""
    n, c, o = numbers((conv.batch, conv.channels, conv.filters))
    height, width = numbers(conv.out_size)
    pixels = n * c * numbers(conv.size)[0] * numbers(conv.size)[1]
    points, count = (m + TAPS - 1) ** 2, winograd.rounded(n * -(-height // m) * -(-width // m))
    rows, columns = winograd.product_shape(conv, m)
    data, kernel, products = 4 * points * count * c, 4 * points * o * c, 4 * points * o * count
    multiprocessors = tiles.MULTIPROCESSORS.get(target.arch, tiles.USUAL_MULTIPROCESSORS)
    choice = tiles.estimate(tile, (rows, columns, c), multiprocessors, batch=points)
    product = choice.microseconds - tiles.START_US
    product = max(product, (data + kernel + products) / BYTES_PER_US)
    moved = 4 * pixels + data + 4 * TAPS * TAPS * o * c + kernel + products + 4 * n * o * height * width
    time = product + moved / BYTES_PER_US + tiles.START_US + 3 * KERNEL_US
    saved = (TAPS * m) ** 2 / points * height * width / (-(-height // m) * -(-width // m) * m * m)
    reason = (
        f"F({m}x{m}, 3x3): 1/{saved:.1f} of the products in {points} of {rows}x{columns}x{c} by tiles of "
        f"{tile.m}x{tile.n}, about {product:.0f} us; {moved / 1e6:.0f} MB by transforms, about "
        f"{moved / BYTES_PER_US:.0f} us; {time:.0f} us in all"
    )
    return Plan(m, tile, time, reason)


def plans(conv: Convolution, target: Target) -> list[Plan]:
    """All plans for tiles that are no larger than the products, the fastest first."""
    (channels,) = numbers((conv.channels,))
    found: list[Plan] = []
    for m in SIZES:
        rows, columns = winograd.product_shape(conv, m)
        for tile in CHANNELS_LAST if conv.channels_last else CHANNELS_FIRST:
            if tile.m <= rows and tile.n <= columns and tile.k <= channels and tile.shared_bytes() <= _room(target):
                found.append(plan(conv, m, tile, target))
    return sorted(found, key=lambda p: p.microseconds)


def _room(target: Target) -> int:
    return max(target.limits.get("max_dynamic_shared_memory_per_block", 0), target.max_shared_memory_per_block)


def direct_microseconds(conv: Convolution, target: Target) -> float:
    """What the direct sum takes by its own models; infinite where those have no tile for it."""
    return choice.microseconds(conv, target)


def choose(conv: Convolution, dtype: str, target: Target) -> Plan | None:
    """The fastest plan; None where the direct sum is faster, or Winograd's filtering is not for it.

    It is for float32 images with 3x3 windows, stride and dilation 1 and one group, on CUDA devices since sm_80, unless
    the setting ``winograd`` is off.
    """
    if not config.winograd or dtype != "float32" or not winograd.applies(conv):
        return None
    if str(target.kind) != "cuda" or "cp_async" not in target.features:
        return None
    found = plans(conv, target)
    if not found or found[0].microseconds >= direct_microseconds(conv, target):
        return None
    return found[0]


def define(conv: Convolution, dtype: str, target: Target) -> WinogradDefinition | None:
    """The definition by the chosen plan; None where there is none (see :func:`choose`)."""
    chosen = choose(conv, dtype, target)
    if chosen is None:
        return None
    return replace(winograd.define(conv, dtype, chosen.m), tile=chosen.tile, reason=chosen.reason)
