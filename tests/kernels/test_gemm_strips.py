"""fp32 products of few rows in strips of columns and parts of k: odd sizes, epilogues, the model, resources."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.kernels.gemm.layout import operands_of
from gpucomp.kernels.gemm.schedule_gpu import why
from gpucomp.kernels.gemm.schedule_skinny import schedule_skinny
from gpucomp.kernels.gemm.schedule_strips import StripPlan, plan_of_strips, resident, schedule_strips
from gpucomp.target import Target
from tests.codegen.devices import compile_cuda
from tests.kernels.running import error_on_a_gpu, run, whole_inputs, wide

H100 = Target("cuda -arch=sm_90a")
MATMUL = registry.get("matmul")
PLANS = [
    ((3, 37, 131), StripPlan(2, 2, 4)),
    ((5, 70, 301), StripPlan(1, 3, 4)),
    ((16, 129, 514), StripPlan(4, 4, 4, 8)),
    ((7, 133, 300), StripPlan(1, 1)),
    ((2, 33, 1030), StripPlan(1, 16)),
    ((7, 260, 303), StripPlan(2, 2)),
    ((9, 33, 129), StripPlan(4, 1, 16)),
]


@pytest.mark.parametrize("how", ["interp", "llvm", pytest.param("opencl", marks=pytest.mark.opencl)])
@pytest.mark.parametrize(("shape", "plan"), PLANS, ids=str)
def test_every_kind_of_plan_is_exact_past_all_its_edges(shape: tuple[int, int, int], plan: StripPlan, how: str) -> None:
    defn = MATMUL.define(shape)
    inputs = whole_inputs(defn)
    got = run(schedule_strips(defn, plan), defn, inputs, how)
    assert np.array_equal(wide(got), MATMUL.reference(inputs, shape)[0])


def test_what_follows_the_product_is_computed_by_the_kernel_that_adds_up_the_parts() -> None:
    operator, shape = registry.get("matmul_bias_gelu"), (5, 37, 300)
    defn = operator.define(shape)
    schedule = schedule_strips(defn, StripPlan(1, 3))
    first, second = gpucomp.source(schedule, defn.args, H100).split("__global__")[1:]
    assert "tanh" not in first
    assert "erf" in second or "tanh" in second or "exp" in second
    inputs = operator.make_inputs(shape, "float32", np.random.default_rng(3))
    want = operator.reference(inputs, shape)[0]
    np.testing.assert_allclose(wide(run(schedule, defn, inputs, "interp")), wide(want), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(13, 3001, 2050), (7, 4541, 2809), (16, 4097, 1023), (10, 3497, 4066)], ids=str)
def test_the_model_gives_every_multiprocessor_as_many_blocks_as_it_holds(shape: tuple[int, int, int]) -> None:
    m, n, k = shape
    plan = plan_of_strips(operands_of(MATMUL.define(shape)), H100)
    assert plan is not None
    blocks = -(-n // plan.columns) * -(-k // plan.depth(k))
    assert 0.9 <= blocks / (132 * resident(plan, m)) <= 1
    assert f"{blocks} blocks" in why(MATMUL.define(shape), H100)


def test_a_part_fits_the_shared_memory_of_a_block_however_deep_the_product_is() -> None:
    for shape in ((16, 50001, 20000), (16, 33, 100001), (1, 100001, 4096)):
        plan = plan_of_strips(operands_of(MATMUL.define(shape)), H100)
        assert plan is not None
        assert plan.shared_bytes(shape[0], shape[2]) <= 227 << 10


def test_a_product_too_deep_for_a_small_shared_memory_takes_the_schedule_without_it() -> None:
    small = Target("cuda -arch=sm_75")
    defn = MATMUL.define((16, 33, 200001))
    assert plan_of_strips(operands_of(defn), small) is None
    assert gpucomp.source(schedule_skinny(defn, small), defn.args, small).count("__global__") == 1


@pytest.mark.parametrize("arch", ["sm_80", "sm_90a"])
@pytest.mark.parametrize("shape", [(4, 5001, 5001), (6, 2049, 1025), (12, 780, 3333), (16, 4097, 1023)], ids=str)
def test_nothing_is_spilled(shape: tuple[int, int, int], arch: str) -> None:
    target = Target(f"cuda -arch={arch}")
    defn = MATMUL.define(shape)
    image = compile_function(MATMUL.schedule(defn, target), defn.args, target, "strips").general.image
    assert sum([used.spill_bytes for used in compile_cuda(image, arch).values()]) == 0


@pytest.mark.cuda
@pytest.mark.parametrize("shape", [(10, 3497, 4066), (2, 33, 1030), (16, 4999, 602), (5, 20001, 900)], ids=str)
@pytest.mark.parametrize("name", ["matmul", "matmul_bias_gelu"])
def test_a_gpu_computes_them(name: str, shape: tuple[int, int, int]) -> None:
    assert error_on_a_gpu(name, shape) <= 1e-5
