"""Products on processors: operands in any layout, batches, and the instructions for sums of few products."""

from __future__ import annotations

import numpy as np
import pytest

from gpucomp.codegen.llvm import emit_cpu
from gpucomp.driver.build import lower_primfunc
from gpucomp.kernels import registry
from gpucomp.kernels.gemm.layout import operands_of
from gpucomp.kernels.gemm.schedule_dots_cpu import schedule_dots, takes_dots
from gpucomp.target import Target
from gpucomp.te import lower_schedule
from tests.kernels.running import CPU, compare, run
from tests.tiers import tiered

PLAIN = Target("llvm -without=avx512vnni,avx512bf16")
DOT = Target({"kind": "llvm", "features": ["avx512f", "avx512vnni", "avx512bf16"]})
SHAPES = [(13, 7, 8), (50, 70, 12), (97, 129, 66), (6, 64, 4), (1, 20, 80), (2, 1, 4), (13, 7, 9)]


@pytest.mark.parametrize("shape", tiered(SHAPES[:3], SHAPES[1:2]))
@pytest.mark.parametrize("name", ["matmul_nt", "matmul_tn", "matmul_tt"])
def test_operands_in_any_layout(name: str, shape: tuple[int, ...]) -> None:
    compare(name, shape, "float32", CPU)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_layouts_of_other_types(dtype: str) -> None:
    compare("matmul_tt", (50, 70, 11), dtype, CPU)


@pytest.mark.parametrize("shape", [(2, 13, 7, 8), (3, 50, 70, 11), (5, 1, 33, 7)])
def test_batches(shape: tuple[int, ...]) -> None:
    compare("batch_matmul", shape, "float32", CPU)


@pytest.mark.parametrize("shape", tiered(SHAPES, SHAPES[:3]))
@pytest.mark.parametrize("target", [CPU, PLAIN], ids=["host", "without"])
def test_sums_of_bytes_are_exact(shape: tuple[int, ...], target: Target) -> None:
    compare("matmul_int8", shape, "int8", target)


@pytest.mark.parametrize("shape", tiered(SHAPES[:3], SHAPES[:1]))
@pytest.mark.parametrize("name", ["matmul", "matmul_nt", "matmul_bias_gelu"])
def test_products_of_bfloat16(name: str, shape: tuple[int, ...]) -> None:
    compare(name, shape, "bfloat16", CPU)


@pytest.mark.parametrize(
    ("name", "dtype", "instruction"),
    [("matmul_int8", "int8", "vpdpbusd"), ("matmul", "bfloat16", "dpbf16ps"), ("matmul_nt", "bfloat16", "dpbf16ps")],
)
def test_the_instruction_is_used_where_the_target_has_it(name: str, dtype: str, instruction: str) -> None:
    operator = registry.get(name)
    defn = operator.define((24, 128, 32), dtype)
    assert takes_dots(defn, operands_of(defn), DOT)
    assert not takes_dots(defn, operands_of(defn), PLAIN)
    for target, there in ((DOT, True), (PLAIN, False)):
        lowered = lower_schedule(operator.schedule(defn, target), defn.args, name)
        assert (instruction in emit_cpu(lower_primfunc(lowered, target)).source) is there


@pytest.mark.parametrize(("name", "dtype"), [("matmul_int8", "int8"), ("matmul", "bfloat16")])
def test_the_same_schedule_without_the_instruction_runs_its_loops(name: str, dtype: str) -> None:
    operator, shape = registry.get(name), (7, 64, 8)
    defn = operator.define(shape, dtype)
    schedule = schedule_dots(defn, operands_of(defn))
    inputs = operator.make_inputs(shape, dtype, np.random.default_rng(2))
    (want,) = operator.reference(inputs, shape)
    for how in ("llvm", "interp"):
        assert np.allclose(run(schedule, defn, inputs, how, PLAIN), want, rtol=1e-5, atol=1e-5)
