"""Elementary functions of the CPU backend against double precision: errors in units in the last place."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any  # Any: arrays of several element types

import numpy as np
import pytest
from numpy.typing import NDArray

from gpucomp.codegen.llvm import emit_cpu
from gpucomp.target import Target
from gpucomp.tir import expr as e
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.intrin import call_intrin
from tests.codegen.cpu_run import function, run

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

EXACT: dict[str, Callable[[Doubles], Doubles]] = {
    "exp": np.exp,
    "exp2": np.exp2,
    "exp10": lambda x: np.power(10.0, x),
    "expm1": np.expm1,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": lambda x: np.where(x < 0, np.exp(np.minimum(x, 0)) / (1 + np.exp(-abs(x))), 1 / (1 + np.exp(-abs(x)))),
    "erf": np.vectorize(math.erf, otypes=[np.float64]),
    "rsqrt": lambda x: 1 / np.sqrt(x),
}
LIBRARY = {"sin": np.sin, "cos": np.cos, "tan": np.tan, "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh,
           "asinh": np.arcsinh, "sqrt": np.sqrt, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc,
           "nearbyint": np.rint, "fabs": np.abs, "asin": np.arcsin, "acos": np.arccos, "acosh": np.arccosh,
           "atanh": np.arctanh}  # fmt: skip
SPECIAL = np.array(
    [0.0, -0.0, math.inf, -math.inf, math.nan, 1e-45, -1e-45, 1e-40, -1e-40, 1.17549435e-38, 3.4e38, -3.4e38, 1.0,
     -1.0, 88.7, 88.73, 89.0, -87.0, -88.0, -103.0, -103.9, -104.1, 128.0, 127.99, -149.0, -150.0, 38.5, 38.6,
     -45.0, 0.5, 2.0]
).astype(np.float32)  # fmt: skip


@cache
def unary(name: str, dtype: str, lanes: int, target: Target | None = None) -> PrimFunc:
    """y[i] = name(x[i]), in vectors of ``lanes``; the number of elements must be a multiple of it."""
    size = Var("n", "int32")
    x, y = (decl_buffer((size,), dtype, label) for label in "xy")
    i = Var("i", "int32")
    index = i if lanes == 1 else e.Ramp(i * lanes, e.IntImm("int32", 1), lanes)
    value = e.BufferLoad(x, (index,))
    body = s.BufferStore(y, call_intrin(value.dtype, name, value), (index,))
    return function(s.For(i, 0, size // lanes, s.ForKind.SERIAL, body), x, y, target=target)


def apply(name: str, x: NDArray[Any], lanes: int, target: Target | None = None) -> NDArray[Any]:
    y = np.full_like(x, 77)
    run(unary(name, str(x.dtype), lanes, target), x, y)
    return y


def samples(count: int = 40_000) -> Floats:
    """Floats of all magnitudes, small arguments, and the places where something ends."""
    rng = np.random.default_rng(5)
    bits = rng.integers(0, 2**32, count, dtype=np.uint32).view(np.float32)
    spread = [rng.uniform(-r, r, count).astype(np.float32) for r in (1.0, 4.0, 20.0, 110.0)]
    all_of_them = np.concatenate([bits, *spread, SPECIAL])
    return all_of_them[: len(all_of_them) // 16 * 16]


def ulps(got: Floats, exact: Doubles) -> Doubles:
    """Distance in units in the last place of the exact value, as a float32."""
    with np.errstate(all="ignore"):
        nearest = exact.astype(np.float32)
        unit = np.spacing(np.abs(nearest)).astype(np.float64)
        distance = np.abs(got.astype(np.float64) - exact) / unit
    same = (got == nearest) | (np.isnan(got) & np.isnan(exact))
    return np.where(same, 0.0, distance)


@pytest.mark.parametrize("lanes", [1, 16])
@pytest.mark.parametrize("name", EXACT)
def test_float32_functions_are_within_two_units_in_the_last_place_everywhere(name: str, lanes: int) -> None:
    x = np.concatenate([samples(), np.resize(SPECIAL, 48)])
    with np.errstate(all="ignore"):
        exact = EXACT[name](x.astype(np.float64))
    error = ulps(apply(name, x, lanes), exact)
    worst = int(np.nanargmax(np.where(np.isnan(error), np.inf, error)))
    assert error[worst] <= (2.5 if name in ("tanh", "sigmoid") else 2.0), (
        f"{name}({x[worst]!r}) should be {exact[worst]!r}: {error[worst]:.2f} units off"
    )


@pytest.mark.skipif("avx512f" not in Target("llvm").features, reason="the processor has no such instruction")
@pytest.mark.parametrize("name", ["exp", "exp2", "exp10", "expm1", "sigmoid", "erf"])
def test_the_instruction_that_scales_gives_the_same_bits(name: str) -> None:
    x = np.concatenate([samples(), np.resize(SPECIAL, 48)])
    with_it, without = apply(name, x, 16, Target("llvm")), apply(name, x, 16)
    assert "scalef" in emit_cpu(unary(name, "float32", 16), Target("llvm")).source
    assert "scalef" not in emit_cpu(unary(name, "float32", 16)).source
    assert "scalef" not in emit_cpu(unary(name, "float32", 8), Target("llvm")).source
    assert "scalef" not in emit_cpu(unary(name, "float32", 16), Target("llvm -without=avx512f")).source
    assert np.array_equal(np.isnan(with_it), np.isnan(without))
    there = ~np.isnan(with_it)
    assert np.array_equal(with_it[there].view(np.uint32), without[there].view(np.uint32))


@pytest.mark.parametrize("name", ["expm1", "log1p", "tanh", "erf"])
def test_odd_functions_keep_the_sign_of_zero(name: str) -> None:
    zeros = np.zeros(16, np.float32)
    zeros[::2] = -0.0
    assert np.array_equal(np.signbit(apply(name, zeros, 16)), np.signbit(zeros))


@pytest.mark.parametrize("lanes", [1, 3, 64])
def test_vectors_of_any_width_give_the_same_bits(lanes: int) -> None:
    x = np.resize(samples(500), 64 * 30).astype(np.float32)
    assert np.array_equal(apply("exp", x, lanes).view(np.uint32), apply("exp", x, 16).view(np.uint32))


@pytest.mark.parametrize("dtype", ["float64", "float16"])
@pytest.mark.parametrize("name", [*EXACT, *LIBRARY])
def test_other_float_types_are_right_too(name: str, dtype: str) -> None:
    low, high = (1.01, 3.0) if name == "acosh" else (0.01, 0.99)
    x = np.random.default_rng(1).uniform(low, high, 64).astype(dtype)
    exact = (EXACT | LIBRARY)[name](x.astype(np.float64))
    tolerance = 1e-14 if dtype == "float64" else 2.0**-10
    assert np.allclose(apply(name, x, 8).astype(np.float64), exact, rtol=tolerance, atol=tolerance / 100)


@pytest.mark.parametrize("name", LIBRARY)
def test_functions_of_the_c_library_run_lane_by_lane(name: str) -> None:
    low, high = (1.01, 30.0) if name == "acosh" else (-0.99, 0.99) if name in ("asin", "acos", "atanh") else (0.0, 30.0)
    x = np.random.default_rng(2).uniform(low, high, 240).astype(np.float32)
    exact = LIBRARY[name](x.astype(np.float64))
    assert np.allclose(apply(name, x, 8), exact, rtol=3e-7, atol=1e-7)
