"""The model that chooses tiles of fp32 products, against what they took on an H100."""

from __future__ import annotations

import pytest

from gpucomp.kernels.gemm.tiles import TILES, SimtTile, choose, estimate, legal_tiles
from gpucomp.target import Target

H100 = Target("cuda -arch=sm_90a")
# Microseconds, by M, N and K of the product and (m, n, k, stages, threads) of the tile; all without split sums.
MEASURED: dict[tuple[int, int, int], dict[tuple[int, int, int, int, int], float]] = {
    (4096, 4096, 4096): {
        (128, 256, 8, 3, 256): 2942.7,
        (256, 128, 16, 3, 256): 3060.4,
        (128, 128, 16, 2, 256): 2971.7,
        (128, 128, 8, 4, 256): 3154.2,
    },
    (2048, 2048, 2048): {
        (128, 256, 8, 3, 256): 391.7,
        (256, 128, 16, 3, 256): 390.0,
        (128, 128, 8, 4, 256): 403.7,
        (64, 128, 8, 3, 128): 426.6,
    },
    (8192, 8192, 8192): {
        (128, 256, 8, 3, 256): 23440.2,
        (256, 128, 16, 3, 256): 24670.8,
        (128, 128, 8, 4, 256): 24878.1,
    },
    (1024, 1024, 1024): {
        (64, 128, 8, 3, 128): 84.5,
        (64, 64, 8, 3, 64): 71.6,
        (64, 64, 16, 4, 128): 73.0,
        (32, 64, 16, 3, 64): 70.0,
    },
    (512, 512, 512): {
        (64, 128, 8, 3, 128): 43.6,
        (64, 64, 8, 3, 64): 35.6,
        (64, 64, 16, 4, 128): 23.4,
        (32, 64, 16, 3, 64): 20.7,
    },
    (4096, 11008, 4096): {(256, 128, 16, 3, 256): 8392.6, (128, 128, 8, 4, 256): 8505.8},
    (4095, 4097, 4099): {(256, 128, 16, 3, 256): 3283.1, (128, 128, 8, 4, 256): 3137.9},
}


def key(tile: SimtTile) -> tuple[int, int, int, int, int]:
    return tile.m, tile.n, tile.k, tile.stages, tile.threads


@pytest.mark.parametrize("shape", MEASURED)
def test_of_the_tiles_that_were_timed_the_model_picks_one_within_five_percent_of_the_best(
    shape: tuple[int, int, int],
) -> None:
    times = MEASURED[shape]
    tiles = [tile for tile in legal_tiles(shape, H100) if key(tile) in times]
    assert len(tiles) == len(times)
    picked = min(tiles, key=lambda tile: estimate(tile, shape, 132).microseconds)
    assert times[key(picked)] <= 1.05 * min(times.values())


@pytest.mark.parametrize("shape", MEASURED)
def test_estimates_are_within_a_sixth_of_what_was_timed(shape: tuple[int, int, int]) -> None:
    for tile in TILES:
        if key(tile) in MEASURED[shape]:
            assert estimate(tile, shape, 132).microseconds == pytest.approx(MEASURED[shape][key(tile)], rel=1 / 6)


def test_few_tiles_are_split_along_k_and_many_are_not() -> None:
    for shape in ((512, 512, 512), (1000, 37, 513)):
        choice = choose(shape, H100)
        assert choice is not None
        assert choice.parts > 1
        assert choice.depth % choice.tile.k == 0
        assert (choice.parts - 1) * choice.depth < shape[2] <= choice.parts * choice.depth
        assert f"in {choice.parts} parts of k" in choice.reason
    for shape in ((2048, 2048, 2048), (4096, 4096, 4096)):
        choice = choose(shape, H100)
        assert choice is not None
        assert (choice.parts, choice.depth) == (1, shape[2])
        assert "100% of the tiles inside" in choice.reason


def test_products_smaller_than_every_tile_have_none() -> None:
    assert choose((31, 4096, 4096), H100) is None
    assert choose((33, 37, 21), H100) is None
    assert choose((4096, 4096, 4), H100) is None


def test_a_tile_needs_room_in_shared_memory_and_threads() -> None:
    shape = (4096, 4096, 4096)
    assert max(tile.shared_bytes() for tile in legal_tiles(shape, H100)) > 49152
    assert all(tile.scope() == "shared" for tile in legal_tiles(shape, Target("cuda -arch=sm_72")))
    assert {tile.threads for tile in legal_tiles(shape, H100.with_options(max_num_threads=64))} == {64}


def test_a_tile_that_its_threads_do_not_cover_is_refused() -> None:
    with pytest.raises(ValueError, match="cover 64x128"):
        SimtTile(128, 128, 8, 1, 4, 8, 4, 2, 2, 3)
