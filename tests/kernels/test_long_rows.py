"""Rows of halves that the blocks of a cluster share, whose threads reduce their own parts first."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.kernels.rows import schedule_gpu
from gpucomp.kernels.rows.schedule_own import is_own
from gpucomp.kernels.rows.tiles_long import long_tile
from gpucomp.target import Target
from tests.codegen.devices import compile_cuda
from tests.kernels.running import H100, run
from tests.kernels.test_row_clusters import assert_near
from tests.tiers import tiered

OPERATORS = ("softmax", "log_softmax", "layer_norm", "add_layer_norm", "rms_norm")


@pytest.mark.parametrize("columns", [65536, 131072, 262144, 128256, 40968])
@pytest.mark.parametrize(("matrices", "weights"), [(1, 0), (1, 2), (2, 2)])
def test_a_tile_holds_its_row(columns: int, matrices: int, weights: int) -> None:
    tile = long_tile(columns, 2, matrices, weights, H100)
    if columns * matrices > 262144:
        assert tile is None
        return
    assert tile is not None
    assert tile.cluster in (2, 4, 8)
    share = -(-columns // 8 // tile.cluster)
    assert tile.threads * tile.chunks >= share > tile.threads * (tile.chunks - 1)
    part = tile.threads * tile.chunks * 16 * matrices
    assert (part + 2048) * tile.blocks <= 228 << 10
    assert "reduce their own parts first" in tile.why


def test_other_rows_have_no_such_tile() -> None:
    assert long_tile(None, 2, 1, 0, H100) is None
    assert long_tile(16384, 2, 1, 0, H100) is None  # one block
    assert long_tile(65538, 2, 1, 0, H100) is None  # rows start anywhere
    assert long_tile(65536, 4, 1, 0, H100) is None
    assert long_tile(1 << 20, 2, 1, 0, H100) is None
    assert long_tile(65536, 2, 1, 0, Target("cuda -arch=sm_80")) is None
    assert not is_own(registry.get("softmax").define((4, 65536), "float16", Target("llvm")))


def test_the_reason_is_told() -> None:
    definition = registry.get("softmax").define((256, 262144), "bfloat16", H100)
    assert "a copy engine brings at most 65,536 bytes" in schedule_gpu.why(definition, H100)


@pytest.mark.parametrize("name", tiered(OPERATORS, ("softmax", "add_layer_norm")))
@pytest.mark.parametrize("columns", tiered((40968, 65536, 36872), (40968,)))
def test_processors_and_the_interpreter_run_the_schedule(name: str, columns: int) -> None:
    dtype = "bfloat16" if columns == 65536 else "float16"
    operator = registry.get(name)
    definition = operator.define((2, columns), dtype, H100)
    assert is_own(definition) == (name != "rms_norm" or columns % 16384 != 0)
    schedule = operator.schedule(definition, H100)
    inputs = operator.make_inputs((2, columns), dtype, np.random.default_rng(1))
    want = operator.reference(inputs, (2, columns))[0]
    for how in ("llvm", "interp"):
        assert_near(run(schedule, definition, inputs, how), want, operator.tolerance(dtype))


def test_rows_of_infinities_and_of_large_numbers() -> None:
    columns = 36872
    data = np.zeros((4, columns), np.float16)
    data[0] = -np.inf
    data[0, 17] = 3.0  # all but one
    data[1] = 60000.0
    data[2, ::2] = -60000.0
    data[3, 5] = np.nan
    operator = registry.get("softmax")
    definition = operator.define(data.shape, "float16", H100)
    got = run(operator.schedule(definition, H100), definition, [data], "llvm").astype(np.float64)
    np.testing.assert_array_equal(got[0], np.arange(columns) == 17)
    np.testing.assert_allclose(got[1], np.full(columns, np.float16(1 / columns)), rtol=0.05)
    np.testing.assert_allclose(got[2], np.where(np.arange(columns) % 2, np.float16(2 / columns), 0), rtol=0.05)
    assert np.isnan(got[3]).all()


def test_the_mean_of_a_layer_norm_may_be_far_from_zero() -> None:
    rng = np.random.default_rng(2)
    columns = 40968
    data = (rng.standard_normal((2, columns)) + 300).astype(np.float16)
    one, none = np.ones(columns, np.float16), np.zeros(columns, np.float16)
    operator = registry.get("layer_norm")
    definition = operator.define(data.shape, "float16", H100)
    got = run(operator.schedule(definition, H100), definition, [data, one, none], "llvm")
    assert_near(got, operator.reference([data, one, none], data.shape)[0], operator.tolerance("float16"))


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize(("columns", "dtype"), [(120000, "bfloat16"), (128256, "float16")])
def test_the_engine_copies_and_nothing_is_spilled(name: str, columns: int, dtype: str) -> None:
    operator = registry.get(name)
    definition = operator.define((64, columns), dtype, H100)
    data = compile_function(operator.schedule(definition, H100), definition.args, H100, name)
    image = data.variants[0].image
    assert image.source.count("gc_bulk_copy(") == 1 + (name == "add_layer_norm") + 1  # calls, and the function
    assert image.source.count("barrier.cluster.arrive.release") == 1
    assert all([used.spill_bytes == 0 for used in compile_cuda(image).values()])


@pytest.mark.cuda
@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize(("columns", "dtype"), [(131072, "float16"), (70008, "bfloat16"), (128256, "bfloat16")])
def test_a_gpu_computes_what_the_operators_mean(name: str, columns: int, dtype: str) -> None:
    target = Target.from_device(gpucomp.cuda(0))
    operator, shape = registry.get(name), (150, columns)
    definition = operator.define(shape, dtype, target)
    inputs = operator.make_inputs(shape, dtype, np.random.default_rng(1))
    got = run(operator.schedule(definition, target), definition, inputs, "cuda", target)
    assert_near(got, operator.reference(inputs, shape)[0], operator.tolerance(dtype))
