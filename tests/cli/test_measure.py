"""Errors and times of a workload."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from gpucomp.cli.measure import Measurement, measure_workload, relative_error
from gpucomp.cli.numpy_side import NumpySide
from gpucomp.cli.workload import make_workload
from gpucomp.kernels.arrays import Array, Shape
from gpucomp.runtime.device import Device, cpu, opencl
from gpucomp.target.target import Target
from tests.tiers import tiered


def test_errors_are_relative_to_the_element_or_to_the_root_mean_square() -> None:
    want = np.array([0.0, 3.0, 4.0, 100.0])
    size = math.sqrt((9 + 16 + 10000) / 4)
    assert relative_error(want, want) == 0.0
    assert relative_error(want + np.eye(4)[3], want) == pytest.approx(1 / 100)
    assert relative_error(want + np.eye(4)[0] / 2, want) == pytest.approx(0.5 / size)
    assert relative_error(np.full(4, 1e-6), np.zeros(4), least=1.0) == pytest.approx(1e-6)


def test_what_is_not_a_number_is_no_small_error() -> None:
    want = np.array([1.0, 2.0])
    assert relative_error(np.array([1.0, np.nan]), want) == math.inf
    assert relative_error(np.array([1.0, np.inf]), want) == math.inf
    assert relative_error(np.array([1.0]), want) == math.inf
    assert relative_error(np.array([0.0, 0.0]), np.array([0.0, 0.0])) == 0.0


def test_integers_are_compared_as_numbers() -> None:
    assert relative_error(np.array([5, 7], np.int32), np.array([5.0, 7.0])) == 0.0
    assert relative_error(np.array([5, 8], np.int32), np.array([5.0, 7.0])) > 0.1


SHAPES = {"add": (1000,), "matmul": (17, 33, 9), "softmax": (5, 77), "conv2d": (1, 3, 9, 4, 3, 2)}


@pytest.fixture(scope="module")
def numpy_side() -> Iterator[NumpySide]:
    with NumpySide() as side:
        yield side


def measured(name: str, device: Device, side: NumpySide, dtype: str = "float32") -> Measurement:
    workload = make_workload(name, SHAPES[name], dtype, Target.from_device(device))
    return measure_workload(workload, device, side, seed=1, repeat=2)


@pytest.mark.parametrize("name", list(SHAPES))
def test_every_operator_is_right_on_the_cpu(name: str, numpy_side: NumpySide) -> None:
    result = measured(name, cpu(), numpy_side)
    assert result.correct, result.max_rel_err
    assert result.max_rel_err is not None
    assert 0 < result.fastest <= result.seconds <= result.slowest
    assert result.numpy_seconds is not None
    assert result.numpy_seconds > 0


@pytest.mark.opencl
@pytest.mark.parametrize("name", tiered(SHAPES, ("softmax",)))
def test_every_operator_is_right_on_opencl(name: str, numpy_side: NumpySide) -> None:
    result = measured(name, opencl(), numpy_side)
    assert result.correct, result.max_rel_err


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("name", list(SHAPES))
def test_other_element_types_are_right_on_the_cpu(name: str, dtype: str, numpy_side: NumpySide) -> None:
    result = measured(name, cpu(), numpy_side, dtype)
    assert result.correct, result.max_rel_err


def test_a_wrong_operator_is_noticed(numpy_side: NumpySide) -> None:
    workload = make_workload("add", (100,), "float32", Target("llvm"))
    assert workload.operator is not None

    def wrong(inputs: Sequence[Array], shape: Shape) -> list[Array]:
        return [np.zeros(100)]

    broken = dataclasses.replace(workload, operator=dataclasses.replace(workload.operator, reference=wrong))
    result = measure_workload(broken, cpu(), numpy_side, seed=0, repeat=1)
    assert not result.correct
    assert result.max_rel_err is not None
    assert result.max_rel_err > 0.1


def test_the_record_has_the_agreed_keys_first(numpy_side: NumpySide) -> None:
    record = measured("matmul", cpu(), numpy_side).record()
    assert list(record)[:10] == [
        "op", "shape", "dtype", "backend", "device", "seconds", "gflops", "gbps", "vs_numpy", "max_rel_err",
    ]  # fmt: skip
    assert record["op"] == "matmul"
    assert record["shape"] == [17, 33, 9]
    assert record["dtype"] == "float32"
    assert record["backend"] == "llvm"
    assert record["device"] == "cpu:0"
    seconds = record["seconds"]
    assert isinstance(seconds, float)
    assert record["gflops"] == pytest.approx(2 * 17 * 33 * 9 / seconds / 1e9, rel=1e-4)
    assert record["seed"] == 1
