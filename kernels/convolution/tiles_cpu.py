"""Which part of a convolution's result a processor keeps in registers.

A tile is some channels by some rows by some vectors of neighbouring pixels.  For each tap the inner loop loads the
vectors of pixels once, and broadcasts one weight for each channel.  :func:`cycles` estimates what a tap costs, and
:func:`choose` takes the tile whose taps cost least in all, what tiles compute past the edges of the result included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

REGISTERS: Final = 32
CHANNELS, ROWS, VECTORS = 8, 8, 8  # the largest tiles that are looked at
# In units of a multiply-add of full vectors, one of which starts each cycle (two of half the width):
BROADCAST: Final = 0.7  # loads are two a cycle; more channels are also more streams of weights
UNALIGNED: Final = 1.5  # most vectors of pixels lie across two lines of the cache
LOOP: Final = 0.8
LATENCY: Final = 4.0  # of a multiply-add: so many cycles of independent sums are needed


@dataclass(frozen=True, slots=True)
class Tile:
    """What stays in registers: ``channels`` x ``rows`` x ``vectors`` of ``lanes`` pixels."""

    channels: int
    rows: int
    vectors: int
    lanes: int


def cycles(tile: Tile, widest: int) -> float:
    """Cycles of one tap of a tile on a processor with vectors of ``widest`` lanes."""
    share = max(tile.lanes / widest, 0.5)  # vectors below half the width are no faster
    pixels = tile.rows * tile.vectors
    sums = tile.channels * pixels * share
    return max(sums, pixels * share * UNALIGNED + tile.channels * BROADCAST, LATENCY) + LOOP


def fitting(filters: int, most: int = CHANNELS) -> list[int]:
    """How many channels a tile may have: numbers that leave none over, where there are such above one.

    A check of the last channels in the inner loop costs more than what a larger tile saves.
    """
    upto = range(1, min(most, filters) + 1)
    whole = [count for count in upto if filters % count == 0]
    return whole if len(whole) > 1 or filters == 1 else list(upto)


def choose(filters: int, height: int, width: int, widest: int) -> Tile:
    """The tile for a result of so many channels, rows and columns; the smallest of those that are equally good."""
    best: tuple[float, int, Tile] | None = None
    for lanes in (widest, widest // 2, widest // 4):
        for channels in fitting(filters):
            for rows in range(1, min(ROWS, height) + 1):
                for vectors in range(1, min(VECTORS, -(-width // lanes)) + 1):
                    pixels = rows * vectors
                    if channels * pixels + pixels + 1 > REGISTERS:  # sums, pixels and a weight
                        break
                    tile = Tile(channels, rows, vectors, lanes)
                    count = -(-filters // channels) * -(-height // rows) * -(-width // (vectors * lanes))
                    cost = count * cycles(tile, widest), channels * pixels * lanes, tile
                    if best is None or cost[:2] < best[:2]:
                        best = cost
    assert best is not None  # a tile of one vector always fits
    return best[2]
