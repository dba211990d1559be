"""The model that chooses tiles of fp32 products, against what they took on an H100."""

from __future__ import annotations

import pytest

from gpucomp.kernels.gemm.tiles import TILES, SimtTile, choose, estimate, legal_tiles
from gpucomp.target import Target

H100 = Target("cuda -arch=sm_90a")
# Microseconds, by M, N and K of the product and (m, n, k, slices, threads) of the tile; without sums split over blocks.
MEASURED: dict[tuple[int, int, int], dict[tuple[int, int, int, int, int], float]] = {
    (4096, 4096, 4096): {(128, 256, 8, 1, 256): 2678.1},
    (8192, 8192, 8192): {(128, 256, 8, 1, 256): 21331.2},
    (2048, 2048, 2048): {
        (128, 256, 8, 1, 256): 342.2,
        (128, 128, 8, 1, 128): 348.5,
        (64, 128, 8, 1, 64): 352.8,
    },
    (1024, 1024, 1024): {
        (64, 128, 8, 1, 128): 56.5,
        (64, 64, 8, 1, 64): 58.7,
        (64, 64, 16, 1, 128): 68.4,
        (64, 128, 8, 1, 64): 99.3,
        (128, 128, 8, 1, 128): 104.8,
    },
    (512, 512, 512): {
        (32, 64, 16, 1, 128): 15.7,
        (32, 32, 8, 4, 256): 16.1,
        (32, 32, 16, 1, 64): 16.3,
        (64, 64, 16, 1, 128): 22.4,
        (64, 64, 8, 1, 64): 33.1,
    },
    (256, 256, 256): {(32, 32, 16, 1, 64): 9.4, (32, 64, 16, 1, 128): 10.5, (64, 64, 16, 1, 128): 13.6},
    (4096, 11008, 4096): {(128, 256, 8, 1, 256): 7470.6},
    (4095, 4097, 4099): {
        (128, 128, 16, 1, 256): 2873.2,
        (128, 128, 8, 1, 128): 3095.5,
        (64, 128, 8, 1, 64): 3181.7,
        (128, 256, 8, 1, 256): 3532.6,
    },
    (1000, 37, 513): {(32, 16, 8, 8, 256): 9.8, (32, 32, 8, 4, 256): 12.4, (32, 32, 16, 1, 64): 16.3},
}


def key(tile: SimtTile) -> tuple[int, int, int, int, int]:
    return tile.m, tile.n, tile.k, tile.slices, tile.threads


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
    sliced = choose((1000, 37, 513), H100)
    assert sliced is not None
    assert (sliced.tile.slices, sliced.parts) == (8, 1)
    assert "with 8 slices of k" in sliced.reason
    split = choose((128, 4096, 4096), H100)
    assert split is not None
    assert split.parts > 1
    assert split.depth % split.tile.k == 0
    assert (split.parts - 1) * split.depth < 4096 <= split.parts * split.depth
    assert f"in {split.parts} parts of k" in split.reason
    for shape in ((512, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048), (4096, 4096, 4096)):
        choice = choose(shape, H100)
        assert choice is not None
        assert (choice.parts, choice.depth, choice.tile.slices) == (1, shape[2], 1)
        assert "100% of the tiles inside" in choice.reason


def test_many_products_take_tiles_like_a_large_one() -> None:
    one, many = choose((512, 512, 512), H100), choose((512, 512, 512), H100, batch=64)
    assert one is not None
    assert many is not None
    assert many.tile.m * many.tile.n > one.tile.m * one.tile.n
    assert "512 blocks" in many.reason


def test_products_smaller_than_every_tile_have_none() -> None:
    assert choose((31, 4096, 4096), H100) is None
    assert choose((33, 37, 21), H100) is None
    assert choose((33, 15, 210), H100) is None
    assert choose((4096, 4096, 4), H100) is None


def test_a_tile_needs_room_in_shared_memory_and_threads() -> None:
    shape = (4096, 4096, 4096)
    assert max(tile.shared_bytes() for tile in legal_tiles(shape, H100)) > 49152
    assert all(tile.scope() == "shared" for tile in legal_tiles(shape, Target("cuda -arch=sm_72")))
    assert {tile.threads for tile in legal_tiles(shape, H100.with_options(max_num_threads=64))} == {64}


def test_a_tile_that_its_threads_do_not_cover_is_refused() -> None:
    with pytest.raises(ValueError, match="cover 64x128"):
        SimtTile(128, 128, 8, 1, 4, 8, 4, 2, 2, 3)
