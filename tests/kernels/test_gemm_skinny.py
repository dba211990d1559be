"""fp32 products of few rows: both layouts of the second operand, odd sizes, epilogues, resources."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.kernels.gemm.schedule_skinny import is_skinny, schedule_skinny
from gpucomp.target import Target
from tests.codegen.devices import compile_cuda
from tests.kernels.running import error_on_a_gpu, run, whole_inputs, wide

H100 = Target("cuda -arch=sm_90a")
NAMES = ("matmul", "matmul_nt")
ODD = [(1, 64, 256), (3, 37, 131), (16, 70, 200), (5, 33, 130), (13, 35, 772)]
VECTORS = [(1, 68, 1100), (4, 36, 133), (5, 40, 264), (2, 33, 2051), (7, 36, 264), (8, 44, 131), (14, 36, 141)]


@pytest.mark.parametrize("how", ["interp", "llvm"])
@pytest.mark.parametrize("shape", [*ODD, *VECTORS], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_few_rows_are_exact_at_any_size(name: str, shape: tuple[int, int, int], how: str) -> None:
    defn = registry.get(name).define(shape)
    inputs = whole_inputs(defn)
    assert is_skinny(defn, H100)
    got = run(schedule_skinny(defn, H100), defn, inputs, how)
    assert np.array_equal(wide(got), registry.get(name).reference(inputs, shape)[0])


def test_an_epilogue_is_computed_where_the_product_is_stored() -> None:
    operator, shape = registry.get("matmul_bias_gelu"), (5, 37, 131)
    defn = operator.define(shape)
    schedule = operator.schedule(defn, H100)
    assert gpucomp.source(schedule, defn.args, H100).count("__global__") == 1
    inputs = operator.make_inputs(shape, "float32", np.random.default_rng(3))
    want = operator.reference(inputs, shape)[0]
    np.testing.assert_allclose(wide(run(schedule, defn, inputs, "interp")), wide(want), rtol=1e-5, atol=1e-5)


def test_more_rows_other_types_targets_and_layouts_take_other_schedules() -> None:
    matmul = registry.get("matmul")
    assert not is_skinny(matmul.define((17, 64, 256)), H100)
    assert not is_skinny(matmul.define((16, 64, 100)), H100)
    assert not is_skinny(matmul.define((16, 31, 256)), H100)
    assert not is_skinny(matmul.define((16, 64, 256), "float16"), H100)
    assert not is_skinny(matmul.define((16, 64, 256)), Target("opencl"))
    assert not is_skinny(registry.get("matmul_tn").define((16, 64, 256)), H100)
    assert not is_skinny(registry.get("batch_matmul").define((2, 16, 64, 256)), H100)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("m", [1, 4, 7, 8, 15, 16])
def test_the_large_operand_is_read_once_by_wide_accesses_and_nothing_is_spilled(name: str, m: int) -> None:
    for arch in ("sm_80", "sm_90a"):
        target = Target(f"cuda -arch={arch}")
        defn = registry.get(name).define((m, 4096, 4096))
        image = compile_function(registry.get(name).schedule(defn, target), defn.args, target, "skinny").general.image
        (used,) = compile_cuda(image, arch).values()
        assert used.spill_bytes == 0
        assert image.source.count("__syncthreads") <= (2 * m if name == "matmul_nt" and m <= 4 else 1)
        assert "float4" in image.source


@pytest.mark.cuda
@pytest.mark.parametrize("shape", [(1, 4096, 4096), (16, 1001, 2050), (7, 130, 4096)], ids=str)
@pytest.mark.parametrize("name", [*NAMES, "matmul_bias_gelu"])
def test_a_gpu_computes_products_of_few_rows(name: str, shape: tuple[int, int, int]) -> None:
    assert error_on_a_gpu(name, shape) <= 1e-5
