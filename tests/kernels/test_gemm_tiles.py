"""The model that chooses tiles of fp32 products, against what they took on an H100."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpucomp.kernels.gemm.tiles import RAGGED_TILES, SimtTile, candidates, choose, legal_tiles
from gpucomp.target import Target

H100 = Target("cuda -arch=sm_90a")
ORACLE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks" / "tiles" / "2026-11-22-h100.json"
# Microseconds, by M, N and K of the product and (m, n, k, slices, threads) of the tile; without sums split over blocks.
MEASURED: dict[tuple[int, int, int], dict[tuple[int, int, int, int, int], float]] = {
    (256, 256, 256): {
        (32, 16, 8, 8, 256): 6.08,
        (32, 32, 8, 4, 256): 7.424,
        (32, 64, 16, 1, 128): 8.288,
        (32, 32, 16, 1, 64): 8.384,
    },
    (512, 512, 512): {
        (32, 64, 16, 1, 128): 13.408,
        (32, 32, 16, 1, 64): 14.432,
        (32, 32, 8, 4, 256): 15.84,
        (64, 64, 16, 1, 128): 19.456,
        (32, 16, 8, 8, 256): 19.904,
    },
    (1024, 1024, 1024): {
        (64, 128, 8, 1, 128): 55.52,
        (64, 64, 8, 1, 64): 58.848,
        (32, 64, 16, 1, 128): 64.096,
        (64, 64, 16, 1, 128): 65.376,
        (32, 32, 16, 1, 64): 71.712,
    },
    (2048, 2048, 2048): {
        (128, 256, 8, 1, 256): 341.66,
        (64, 128, 8, 1, 64): 351.2,
        (128, 128, 8, 1, 128): 356.42,
        (64, 128, 8, 1, 128): 373.18,
        (64, 64, 8, 1, 64): 389.76,
        (128, 128, 16, 1, 256): 391.3,
    },
    (4096, 4096, 4096): {
        (128, 256, 8, 1, 256): 2679.6,
        (128, 128, 8, 1, 128): 2730.1,
        (64, 128, 8, 1, 64): 2759.3,
        (64, 128, 8, 1, 128): 2898.9,
        (64, 64, 8, 1, 64): 2997.8,
        (128, 128, 16, 1, 256): 3058.6,
    },
    (1000, 37, 513): {
        (32, 16, 8, 8, 256): 8.96,
    },
    (4096, 11008, 4096): {
        (128, 256, 8, 1, 256): 7325.8,
        (128, 128, 8, 1, 128): 7433.7,
    },
    (4095, 4097, 4099): {
        (128, 128, 8, 1, 128): 2799.6,
        (128, 128, 8, 1, 256): 3086.1,
        (128, 64, 8, 1, 128): 3116.3,
        (64, 128, 8, 1, 128): 3141.6,
        (64, 64, 8, 1, 64): 3207.3,
    },
    (3355, 3645, 531): {
        (128, 128, 8, 1, 128): 298.24,
        (96, 128, 8, 1, 128): 305.89,
        (128, 128, 8, 1, 256): 317.98,
        (64, 128, 8, 1, 128): 325.1,
        (64, 64, 8, 1, 64): 331.92,
        (128, 64, 8, 1, 128): 339.01,
    },
    (1400, 357, 324): {
        (64, 64, 16, 1, 128): 15.2,
        (32, 64, 16, 1, 128): 17.25,
    },
}


def key(tile: SimtTile) -> tuple[int, int, int, int, int]:
    return tile.m, tile.n, tile.k, tile.slices, tile.threads


@pytest.mark.parametrize("shape", MEASURED)
def test_of_the_tiles_that_were_timed_the_model_picks_one_within_five_percent_of_the_best(
    shape: tuple[int, int, int],
) -> None:
    times = MEASURED[shape]
    found = [c for c in candidates(shape, H100) if c.parts == 1 and key(c.tile) in times]
    assert len(found) == len(times)
    picked = min(found, key=lambda choice: choice.microseconds)
    assert times[key(picked.tile)] <= 1.05 * min(times.values())


@pytest.mark.parametrize("shape", MEASURED)
def test_estimates_are_within_a_sixth_of_what_was_timed(shape: tuple[int, int, int]) -> None:
    for choice in candidates(shape, H100):
        if choice.parts == 1 and key(choice.tile) in MEASURED[shape]:
            assert choice.microseconds == pytest.approx(MEASURED[shape][key(choice.tile)], rel=1 / 6)


def test_of_all_legal_tiles_and_splits_the_model_picks_one_nearly_as_fast_as_the_best() -> None:
    """Of the products that the model was fitted to; rows of others are copied otherwise since they were timed."""
    ratios: list[float] = []
    for record in json.loads(ORACLE.read_text(encoding="utf-8"))["shapes"]:
        m, n, k = record["shape"]
        choice = choose((m, n, k), H100)
        assert choice is not None
        if n % 4 == 0:
            tile = choice.tile
            name = (f"{tile.m}x{tile.n}x{tile.k}", f"{tile.warps_m}x{tile.warps_n}", tile.slices, choice.parts)
            times = {(x["tile"], x["warps"], x["slices"], x["parts"]): x["us"] for x in record["all"]}
            ratios.append(min(times.values()) / times[name])
    assert len(ratios) == 26
    assert sum(ratio >= 0.9 for ratio in ratios) >= 25
    assert min(ratios) >= 0.84


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


def test_results_of_odd_rows_are_gathered_unless_the_sum_is_deep() -> None:
    for shape, gathered in (((3355, 3645, 531), True), ((3355, 3644, 531), False), ((4095, 4097, 4099), False)):
        choice = choose(shape, H100)
        assert choice is not None
        assert choice.gathered == gathered
    assert not any([c.gathered for c in candidates((1000, 37, 513), H100) if c.tile.slices > 1])


def test_a_gathered_result_needs_room_beside_the_slabs() -> None:
    for tile in RAGGED_TILES:
        if tile.slices == 1:
            slabs, result = tile.shared_bytes(2), 4 * tile.m * (tile.n + 4)
            assert max(slabs, result) < tile.shared_bytes(2, gathered=True) <= slabs + result
            assert (tile.scope(2, gathered=True) == "shared") == (slabs + result <= 49152)
    tight = Target("cuda -arch=sm_80").with_options(max_dynamic_shared_memory_per_block=65536)
    whole, gathered = [legal_tiles((512, 512, 512), tight, gathered=x) for x in (False, True)]
    assert set(gathered) < set(whole)


def test_a_tile_that_its_threads_do_not_cover_is_refused() -> None:
    with pytest.raises(ValueError, match="cover 64x128"):
        SimtTile(128, 128, 8, 1, 4, 8, 4, 2, 2, 3)
