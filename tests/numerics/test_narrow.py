"""The numerics contract for float16 and bfloat16: 16 bits in memory, every operation rounded to them."""

from __future__ import annotations

from typing import Any  # arrays of any element type

import numpy as np
import pytest

from gpucomp import te
from gpucomp.support.dtype import DType
from gpucomp.tir import intrin
from gpucomp.tir import operators as op
from tests.numerics.backends import BACKENDS, FORMS, apply, bits, by_default, call

Array = np.ndarray[Any, Any]
NARROW = ("float16", "bfloat16")


def rounded(x: Array, dtype: str) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(x, np.float32).astype(DType(dtype).numpy)


def numbers(dtype: str, count: int = 512, seed: int = 0) -> Array:
    """Normal and denormal numbers of both signs, and the ends of the type."""
    rng = np.random.default_rng(seed)
    any_bits = rng.integers(0, 1 << 16, count, dtype=np.uint16).view(DType(dtype).numpy)
    finite = any_bits[np.isfinite(any_bits.astype(np.float32))]
    return np.concatenate([finite, rounded(rng.standard_normal(count), dtype)])[:count]


def same(got: Array, want: Array, what: str) -> None:
    both = np.isnan(got.astype(np.float32)) & np.isnan(want.astype(np.float32))
    np.testing.assert_array_equal(np.where(both, 0, bits(got)), np.where(both, 0, bits(want)), what)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_operation_is_rounded_to_the_narrow_type(backend: str, dtype: str, form: str) -> None:
    a, b, c = (numbers(dtype, seed=s) for s in range(3))

    def wide(x: Array) -> Array:
        return x.astype(np.float32)

    def keep(x: Array) -> Array:
        return wide(rounded(x, dtype))

    with np.errstate(all="ignore"):
        x, y, z = wide(a), wide(b), wide(c)
        steps = [x + y, x - y, x * y, x / y, np.sqrt(np.abs(x)), keep(x * y) + z, keep(keep(x + y) - z) * keep(x - y)]
        want = [rounded(s, dtype) for s in steps]

    def expressions(x: Any, y: Any, z: Any) -> list[Any]:
        return [x + y, x - y, x * y, x / y, intrin.sqrt(op.absolute(x)), x * y + z, ((x + y) - z) * (x - y)]

    for number, mine in enumerate(apply(backend, expressions, a, b, c, form=form)):
        same(mine, want[number], f"operation {number}")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("backend", BACKENDS)
def test_functions_are_those_of_float32_rounded_once(backend: str, dtype: str, form: str) -> None:
    a = numbers(dtype)
    names = ("exp", "tanh", "floor", "erf", "sin")
    a = np.where(np.abs(a.astype(np.float32)) < 100, a, rounded(np.ones_like(a), dtype))
    got = apply(backend, lambda x: [op.unary(name, x) for name in names], a, form=form)
    want = apply("interp", lambda x: [op.unary(name, x) for name in names], a)
    for name, mine, exact in zip(names, got, want, strict=True):
        # One unit in the last place where float32 functions of two backends fall on both sides of a tie.
        apart = np.abs(bits(mine).astype(int) - bits(exact).astype(int))
        assert apart.max() <= 1, name
        assert (apart != 0).mean() <= 0.01, name


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("backend", BACKENDS)
def test_conversions_round_to_nearest_even_once(backend: str, dtype: str, form: str) -> None:
    ordered = np.sort(numbers(dtype, 300).astype(np.float32))
    above = np.nextafter(rounded(ordered, dtype), rounded(np.array([np.inf]), dtype))
    middle = ((ordered.astype(np.float64) + above) / 2).astype("f4")
    ends = [np.nan, np.inf, -np.inf, 65519.99, 65520.0, 3.4e38, -3.4e38, 2.0**-25, 2.0**-24, 1e-45]
    a = np.concatenate([ordered, middle, np.array(ends, "f4"), np.nextafter(middle, np.float32(0))])
    got, back = apply(backend, lambda x: [op.cast(dtype, x), op.cast("float32", op.cast(dtype, x))], a, form=form)
    same(got, rounded(a, dtype), "to the narrow type")
    np.testing.assert_array_equal(back, rounded(a, dtype).astype("f4"), "and back")


@pytest.mark.parametrize("backend", BACKENDS)
def test_float64_to_float16_is_rounded_once_and_to_bfloat16_by_way_of_float32(backend: str) -> None:
    above_half = 1 + 2.0**-11 + 2.0**-40  # a float32 in between would lose the last term and round to even
    a = np.array([above_half, -above_half, 2.0**-25 * (1 + 2.0**-40), 1e300, -1e-320, 65519.9999999], "f8")
    [half, brain] = apply(backend, lambda x: [op.cast("float16", x), op.cast("bfloat16", x)], a)
    with np.errstate(all="ignore"):
        same(half, a.astype("f2"), "float16")
        same(brain, rounded(a.astype("f4"), "bfloat16"), "bfloat16")


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_sum_in_float32_of_narrow_products_is_exact_before_its_one_rounding(backend: str, dtype: str) -> None:
    k = te.reduce_axis((0, 64), "k")
    a, b = (te.placeholder((8, 64), dtype, name) for name in "AB")
    c = te.compute((8,), lambda i: te.sum(a[i, k].astype("float32") * b[i, k].astype("float32"), axis=k), "C")
    rng = np.random.default_rng(5)
    x, y = (rounded(rng.integers(-64, 64, (8, 64)) / 8, dtype) for _ in range(2))
    got = np.zeros(8, "f4")
    call(backend, by_default(backend, c), [a, b, c], x, y, got)
    np.testing.assert_array_equal(got, (x.astype("f8") * y.astype("f8")).sum(1).astype("f4"))
