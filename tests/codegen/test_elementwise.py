"""Elementwise kernels of every type and width: compiled for CUDA and AMD, run on PoCL against numpy."""

from __future__ import annotations

from typing import Any  # arrays of any element type

import numpy as np
import pytest

from gpucomp.support.dtype import DType
from gpucomp.tir import operators as op
from tests.codegen.build import OPENCL_FP64, elementwise, images
from tests.codegen.devices import check_everywhere, run_opencl
from tests.tiers import slow, tiered

FLOATS = ("float32", "float16", "bfloat16", "float64")
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
QUICK = ("float32", "bfloat16", "int8", "uint32", "int64")


def draw(dtype: str, count: int, seed: int = 0) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    kind = DType(dtype)
    if kind.is_float:
        return (rng.integers(-64, 64, count) / 8).astype(kind.numpy)
    return np.frombuffer(rng.bytes(count * kind.nbytes), kind.numpy)


def run(func: Any, dtype: str, count: int, lanes: int, *inputs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    forms = images(func, OPENCL_FP64)
    check_everywhere(forms)
    out = np.zeros(count * lanes + 16, DType(dtype).numpy)
    padded = [np.concatenate([a, np.zeros(16, a.dtype)]) for a in inputs]
    grid = (count + 63) // 64
    result = run_opencl(forms["opencl"], "f_kernel", (grid,), (64,), [out, *padded, np.int32(count)])[0]
    assert not result[count * lanes :].any(), "written past the end"
    return result[: count * lanes]


@pytest.mark.opencl
@pytest.mark.parametrize("lanes", [*slow(1), 4])
@pytest.mark.parametrize("dtype", tiered(FLOATS + INTEGERS, QUICK))
def test_multiply_add_is_bitwise_numpys(dtype: str, lanes: int) -> None:
    a, b = draw(dtype, 100 * lanes), draw(dtype, 100 * lanes, 1)
    func = elementwise(lambda x, y: x * y + op.maximum(x, y), [dtype, dtype], dtype, lanes)
    with np.errstate(over="ignore"):
        want = a * b + np.maximum(a, b)
    np.testing.assert_array_equal(run(func, dtype, 100, lanes, a, b), want)
