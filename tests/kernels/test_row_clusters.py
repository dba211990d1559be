"""Rows that are too long for one block: shared by the blocks of a cluster, and read once."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.kernels.rows.schedule_gpu import tile_of
from gpucomp.kernels.rows.tiles import choose_tile, cluster_tile, shared_tile
from gpucomp.target import Target
from tests.codegen.devices import compile_cuda
from tests.kernels.running import H100, run
from tests.tiers import tiered

OPERATORS = ("softmax", "log_softmax", "layer_norm", "add_layer_norm", "rms_norm", "add_rms_norm", "row_variance")


def assert_near(got: object, want: object, tolerance: float) -> None:
    """Errors relative to the root mean square, as operators count them; a subnormal float16 is right to half a step."""
    given = np.asarray(got)
    have, right = given.astype(np.float64), np.asarray(want, np.float64)
    scale = float(np.sqrt(np.square(right).mean()))
    step = 2.0**-24 if given.dtype == np.float16 else 0.0
    np.testing.assert_allclose(have, right, rtol=tolerance, atol=max(tolerance * scale, 0.51 * step))


@pytest.mark.parametrize(
    ("columns", "nbytes", "cluster", "threads", "values"),
    [
        (32776, 2, 4, 512, 24),
        (65536, 2, 4, 512, 32),
        (131072, 2, 8, 512, 32),
        (262144, 2, 8, 1024, 32),
        (65536, 4, 8, 512, 16),
        (131072, 4, 8, 1024, 16),
        (262144, 4, 8, 1024, 32),
    ],
)
def test_each_thread_holds_some_values(columns: int, nbytes: int, cluster: int, threads: int, values: int) -> None:
    tile = cluster_tile(columns, nbytes, H100)
    assert tile is not None
    assert (tile.cluster, tile.threads, tile.chunks * tile.lanes) == (cluster, threads, values)


@pytest.mark.parametrize(
    ("columns", "matrices", "reductions", "cluster", "threads", "chunks"),
    [
        (65536, 1, 2, 2, 256, 16),
        (65536, 1, 1, 2, 512, 8),
        (262144, 1, 1, 8, 512, 8),
        (40000, 1, 2, 2, 256, 10),
        (65536, 2, 1, 4, 512, 4),
    ],
)
def test_parts_of_rows_of_halves_wait_in_shared_memory(
    columns: int, matrices: int, reductions: int, cluster: int, threads: int, chunks: int
) -> None:
    tile = shared_tile(columns, 2, matrices, reductions, H100)
    assert tile is not None
    assert (tile.cluster, tile.threads, tile.chunks, tile.shared) == (cluster, threads, chunks, True)
    assert "shared memory" in tile.why
    assert shared_tile(1 << 20, 2, 1, 1, H100) is None
    assert shared_tile(65536, 2, 1, 1, Target("cuda -arch=sm_80")) is None


@pytest.mark.parametrize(
    ("columns", "matrices", "cluster", "threads", "chunks", "blocks"),
    [
        (20480, 1, 1, 512, 5, 0),
        (32768, 1, 1, 256, 16, 3),
        (40960, 1, 1, 512, 10, 2),
        (65536, 1, 2, 256, 16, 3),
        (262144, 1, 8, 256, 16, 3),
        (40960, 2, 2, 512, 5, 2),
        (262144, 2, 8, 512, 8, 1),
    ],
)
def test_rows_with_weights_say_how_many_blocks_are_to_fit(
    columns: int, matrices: int, cluster: int, threads: int, chunks: int, blocks: int
) -> None:
    tile = shared_tile(columns, 2, matrices, 1, H100, weights=True)
    assert tile is not None
    assert (tile.cluster, tile.threads, tile.chunks, tile.blocks) == (cluster, threads, chunks, blocks)
    room = H100.limits["max_dynamic_shared_memory_per_block"]
    assert blocks * chunks * threads * 16 * matrices <= room
    assert blocks == 0 or f"{blocks} of which fit a multiprocessor" in tile.why


def test_the_bound_on_registers_reaches_the_kernel() -> None:
    definition = registry.get("rms_norm").define((64, 65536), "bfloat16", H100)
    source = gpucomp.source(registry.get("rms_norm").schedule(definition, H100), definition.args, H100)
    assert "__launch_bounds__(256, 3)" in source


def test_vectors_of_odd_rows_of_halves_are_counted_from_aligned_memory() -> None:
    tile = choose_tile(3875, 8045, 2, H100, weights=1)
    assert (tile.aligned, tile.lanes, tile.threads, tile.chunks) == (True, 4, 256, 8)
    assert "aligned" in tile.why
    tile = choose_tile(5652, 4235, 2, H100)
    assert (tile.aligned, tile.lanes, tile.threads, tile.chunks) == (True, 4, 128, 9)
    tile = choose_tile(3704, 6554, 2, H100)  # pairs of halves
    assert (tile.aligned, tile.lanes, tile.threads, tile.chunks) == (False, 2, 128, 26)
    assert not choose_tile(3875, 8045, 2, Target("opencl"), weights=1).aligned


def test_odd_rows_of_words_and_rows_gone_over_once_are_read_in_aligned_vectors() -> None:
    for columns, nbytes, once, wanted in ((8613, 4, False, (4, 512, 5)), (8045, 2, True, (8, 512, 2))):
        tile = choose_tile(5000, columns, nbytes, H100, once=once)
        assert tile.aligned
        assert (tile.lanes, tile.threads, tile.chunks) == wanted
    assert not choose_tile(5000, 8613, 4, H100, weights=1).aligned
    assert not choose_tile(5000, 8045, 2, H100, weights=1, once=True).aligned  # the vector would start elsewhere


@pytest.mark.parametrize(
    ("columns", "weights", "threads", "early"),
    [(8613, 1, 256, True), (5585, 2, 128, True), (12001, 1, 512, False), (4898, 2, 256, True)],
)
def test_words_that_are_loads_of_their_own_take_few_threads_with_many_of_them(
    columns: int, weights: int, threads: int, early: bool
) -> None:
    tile = choose_tile(5000, columns, 4, H100, weights=weights)
    assert (tile.threads, tile.early, tile.held) == (threads, early, True)


def test_rows_of_halves_that_would_crowd_registers_wait_in_shared_memory() -> None:
    for columns, shared, threads in ((12288, False, 512), (16384, False, 256), (20480, True, 512), (32768, True, 512)):
        tile = tile_of(registry.get("softmax").define((4096, columns), "bfloat16"), H100)
        assert (tile.shared, tile.threads, tile.cluster) == (shared, threads, 1)


@pytest.mark.parametrize(
    ("name", "columns", "dtype"),
    [
        ("row_sum", 1027, "float16"),
        ("row_argmax", 1027, "float16"),
        ("softmax", 1027, "float16"),
        ("rms_norm", 1029, "float16"),
        ("add_layer_norm", 1027, "bfloat16"),
        ("softmax", 517, "float32"),
        ("row_variance", 517, "float32"),
    ],
)
def test_rows_in_aligned_vectors_mean_the_same_without_a_gpu(name: str, columns: int, dtype: str) -> None:
    operator, shape = registry.get(name), (8, columns)  # the last row ends with a vector: nothing is read beyond it
    definition = operator.define(shape, dtype)
    assert tile_of(definition, H100).aligned
    schedule = operator.schedule(definition, H100)
    inputs = operator.make_inputs(shape, dtype, np.random.default_rng(1))
    want = operator.reference(inputs, shape)[0]
    for how in ("llvm", "interp"):
        assert_near(run(schedule, definition, inputs, how), want, operator.tolerance(dtype))


def test_rows_that_no_cluster_holds_and_targets_without_clusters_read_again() -> None:
    assert cluster_tile(262144 + 8, 2, H100) is None
    assert cluster_tile(None, 2, H100) is None
    for target in (Target("cuda -arch=sm_80"), Target("opencl")):
        assert cluster_tile(65536, 2, target) is None
    softmax = registry.get("softmax")
    definition = softmax.define((2, 1 << 21), "float16")
    assert "cluster" not in gpucomp.source(softmax.schedule(definition, H100), definition.args, H100)
    total = registry.get("row_sum").define((2, 65536), "float16")
    assert "cluster" not in gpucomp.source(registry.get("row_sum").schedule(total, H100), total.args, H100)


@pytest.mark.parametrize("name", tiered(OPERATORS, ("softmax", "add_rms_norm")))
@pytest.mark.parametrize(("columns", "dtype"), [(40000, "float16"), (33333, "float32"), (66000, "bfloat16")])
def test_processors_and_the_interpreter_run_the_schedule_of_a_cluster(name: str, columns: int, dtype: str) -> None:
    operator = registry.get(name)
    definition = operator.define((2, columns), dtype)
    schedule = operator.schedule(definition, H100)
    inputs = operator.make_inputs((2, columns), dtype, np.random.default_rng(1))
    want = operator.reference(inputs, (2, columns))[0]
    for how in ("llvm", "interp"):
        assert_near(run(schedule, definition, inputs, how), want, operator.tolerance(dtype))


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize(("columns", "dtype"), [(262144, "float16"), (65536, "bfloat16"), (131072, "float32")])
def test_nothing_is_spilled(name: str, columns: int, dtype: str) -> None:
    operator = registry.get(name)
    definition = operator.define((16, columns), dtype)
    data = compile_function(operator.schedule(definition, H100), definition.args, H100, name)
    image = data.variants[0].image
    assert "__cluster_dims__" in image.source or "extern __shared__" in image.source
    assert all([used.spill_bytes == 0 for used in compile_cuda(image).values()])


@pytest.mark.cuda
@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize(("columns", "dtype"), [(262144, "float16"), (40001, "bfloat16"), (131072, "float32")])
def test_a_gpu_computes_what_the_operators_mean(name: str, columns: int, dtype: str) -> None:
    device = gpucomp.cuda(0)
    operator, shape = registry.get(name), (150, columns)
    definition = operator.define(shape, dtype)
    target = Target.from_device(device)
    inputs = operator.make_inputs(shape, dtype, np.random.default_rng(1))
    got = run(operator.schedule(definition, target), definition, inputs, "cuda", target)
    assert_near(got, operator.reference(inputs, shape)[0], operator.tolerance(dtype))
