"""Products of transposed operands, batches and integers: plain schedules on processors."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp.kernels import registry
from gpucomp.kernels.gemm.layout import operands_of
from gpucomp.kernels.gemm.schedule_gpu import LARGE, schedule_matmul
from gpucomp.target import Target
from tests.kernels.running import run, whole_inputs, wide

NAMES = ("matmul_nt", "matmul_tn", "matmul_tt", "batch_matmul", "matmul_int8")


def shape_of(name: str, shape: tuple[int, int, int]) -> tuple[int, ...]:
    return (3, *shape) if name == "batch_matmul" else shape


def test_a_layout_is_read_off_the_definition() -> None:
    found = {name: operands_of(registry.get(name).define(shape_of(name, (5, 6, 7)))) for name in NAMES[:4]}
    assert {name: (o.transpose_a, o.transpose_b, o.batch) for name, o in found.items()} == {
        "matmul_nt": (False, True, 1),
        "matmul_tn": (True, False, 1),
        "matmul_tt": (True, True, 1),
        "batch_matmul": (False, False, 3),
    }
    assert all([(o.m, o.n, o.k) == (5, 6, 7) for o in found.values()])


@pytest.mark.parametrize("target", ["llvm", "cuda", "opencl"])
@pytest.mark.parametrize("shape", [(64, 64, 32), (35, 33, 21)], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_plain_schedules_are_exact_on_processors(name: str, shape: tuple[int, int, int], target: str) -> None:
    operator = registry.get(name)
    full = shape_of(name, shape)
    defn = operator.define(full, operator.dtypes[0])
    inputs = whole_inputs(defn)
    got = run(operator.schedule(defn, Target(target)), defn, inputs, "llvm")
    assert np.array_equal(wide(got), operator.reference(inputs, full)[0])


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_largest_tile_is_exact_where_both_operands_lie_along_k(dtype: str) -> None:
    operator, shape = registry.get("matmul_nt"), (130, 129, 37)
    defn = operator.define(shape, dtype)
    inputs = whole_inputs(defn)
    schedule = schedule_matmul(defn, Target("cuda"), LARGE)
    got = run(schedule, defn, inputs, "llvm")
    assert np.array_equal(wide(got), operator.reference(inputs, shape)[0])
    # Steps of fragments that are held at once: registers do not hold four of 16-bit operands beside 64 sums.
    steps = 2 if dtype == "float16" else 4
    assert f"k_inner_inner < {steps};" in gpucomp.source(schedule, defn.args, "cuda")
