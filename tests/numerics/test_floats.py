"""The numerics contract for floats: NaN, infinities, zeros, denormals, rounding, conversions, contraction."""

from __future__ import annotations

from typing import Any  # arrays of any element type

import numpy as np
import pytest

from gpucomp.tir import intrin
from gpucomp.tir import operators as op
from gpucomp.tir.expr import Select
from tests.numerics.backends import BACKENDS, FORMS, apply, bits

Array = np.ndarray[Any, Any]
KINDS = ("float32", "float64")
NAN, INF = float("nan"), float("inf")


def specials(dtype: str) -> tuple[Array, Array]:
    """Every pair of NaN, infinities, zeros, denormal, small, ordinary and largest numbers."""
    info = np.finfo(dtype)
    some = [NAN, INF, 0.0, info.smallest_subnormal, info.smallest_normal, 1.0, 1.5, float(info.max)]
    numbers = np.array([*some, *[-x for x in some[1:]], 3.0], dtype)
    a, b = np.meshgrid(numbers, numbers)
    return a.reshape(-1), b.reshape(-1)


def same(got: Array, want: Array, what: str = "") -> None:
    """Equal bits; any NaN equals any other."""
    both = np.isnan(got) & np.isnan(want)
    np.testing.assert_array_equal(np.where(both, 0, bits(got)), np.where(both, 0, bits(want)), what)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_min_and_max_prefer_a_number_to_nan(backend: str, dtype: str, form: str) -> None:
    a, b = specials(dtype)
    low, high = apply(backend, lambda x, y: [op.minimum(x, y), op.maximum(x, y)], a, b, form=form)
    # Of -0.0 and 0.0 either may come out: compared by value.
    np.testing.assert_array_equal(low, np.fmin(a, b))
    np.testing.assert_array_equal(high, np.fmax(a, b))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_comparisons_with_nan_are_false_but_for_unequal(backend: str, dtype: str, form: str) -> None:
    a, b = specials(dtype)

    def expressions(x: Any, y: Any) -> list[Any]:
        compared = [x < y, x <= y, x > y, x >= y, x == y, x != y]
        return [*compared, op.logical_not(x < y), op.logical_not(x >= y), x == x, Select(x < y, x, y)]

    got = apply(backend, expressions, a, b, form=form)
    want = [a < b, a <= b, a > b, a >= b, a == b, a != b, ~(a < b), ~(a >= b), a == a, np.where(a < b, a, b)]
    for number, (mine, exact) in enumerate(zip(got, want, strict=True)):
        np.testing.assert_array_equal(mine, exact, f"result {number}")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_predicates_know_nan_and_infinities(backend: str, form: str) -> None:
    a, _ = specials("float32")
    got = apply(backend, lambda x: [intrin.isnan(x), intrin.isinf(x), intrin.isfinite(x)], a, form=form)
    for mine, exact in zip(got, [np.isnan(a), np.isinf(a), np.isfinite(a)], strict=True):
        np.testing.assert_array_equal(mine, exact)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_there_is_no_fast_math(backend: str, dtype: str, form: str) -> None:
    a, _ = specials(dtype)
    big = np.finfo(dtype).max
    with np.errstate(all="ignore"):
        want = [a - a, a * 0.0, a / a, (a + big) - big, a + 0.0, a * -1.0, a - 0.0, 0.0 - a, (a * big) / big]

    def expressions(x: Any) -> list[Any]:
        zero = op.const(0.0, dtype)
        return [
            x - x, x * zero, x / x, (x + big) - big, x + zero, -x, x - zero, zero - x, (x * big) / big,
        ]  # fmt: skip

    for number, mine in enumerate(apply(backend, expressions, a, form=form)):
        same(mine, want[number].astype(dtype), f"result {number}")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_each_operation_is_rounded_correctly_and_denormals_are_kept(backend: str, dtype: str, form: str) -> None:
    a, b = specials(dtype)
    rng = np.random.default_rng(7)
    info = np.finfo(dtype)
    tiny = (rng.standard_normal((2, 400)) * info.smallest_normal).astype(dtype)
    wide = rng.standard_normal((2, 400)) * 2.0 ** rng.uniform(-60, 60, (2, 400))
    x, y = (np.concatenate([p, q, r.astype(dtype)]) for p, q, r in zip((a, b), tiny, wide, strict=True))
    with np.errstate(all="ignore"):
        want = [x + y, x - y, x * y, x / y, np.sqrt(np.abs(x)), x * np.asarray(0.5, dtype)]
    got = apply(
        backend, lambda u, v: [u + v, u - v, u * v, u / v, intrin.sqrt(op.absolute(u)), u * 0.5], x, y, form=form
    )
    for number, (mine, exact) in enumerate(zip(got, want, strict=True)):
        same(mine, exact, f"operation {number}")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_functions_that_round_to_whole_numbers_are_exact(backend: str, form: str) -> None:
    halves = np.arange(-8, 9) / 2
    edges = [0.49999997, 8388607.5, 8388609.0, 1e30, INF, -INF, NAN]
    a = np.concatenate([halves, edges, -np.array(edges), [-0.0]]).astype("float32")
    away = np.copysign(np.floor(np.abs(a.astype("f8")) + 0.5), a)
    want = [np.floor(a), np.ceil(a), np.trunc(a), np.rint(a), away.astype("float32"), np.abs(a)]
    functions = [intrin.floor, intrin.ceil, intrin.trunc, intrin.nearbyint, intrin.round, intrin.abs]
    got = apply(backend, lambda x: [f(x) for f in functions], a, form=form)
    for function, mine, exact in zip(functions, got, want, strict=True):
        same(mine, exact, function.__name__)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_families_of_division_of_floats(backend: str) -> None:
    rng = np.random.default_rng(3)
    a, b = (
        (rng.integers(-60, 60, 256) / 4).astype("float32"),
        (rng.choice([-3, -2, 0.5, 4, 2.5], 256)).astype("float32"),
    )
    got = apply(backend, lambda x, y: [op.floordiv(x, y), op.floormod(x, y), op.truncmod(x, y)], a, b)
    floor = np.floor(a.astype("f8") / b)
    for mine, exact in zip(got, [floor, a - floor * b, np.fmod(a, b)], strict=True):
        np.testing.assert_array_equal(mine, exact.astype("float32"))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("target", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_floats_that_fit_convert_to_integers_by_dropping_the_fraction(backend: str, target: str, form: str) -> None:
    info = np.iinfo(target)
    top = float(np.nextafter(np.float32(info.max + 1), np.float32(0)))  # the largest float below the end
    low = max(float(info.min), -top)
    some = [0.0, -0.0, 0.99, -0.99, 1.5, 2.5, 100.75, top, low, top / 2]
    a = np.array([x for x in some if info.min - 1 < x], "float32")
    wide = np.concatenate([a.astype("float64"), [min(info.max, 2**53) - 0.5] * 2])
    [narrow_result] = apply(backend, lambda x: op.cast(target, x), a, form=form)
    np.testing.assert_array_equal(narrow_result, np.trunc(a).astype(target))
    [wide_result] = apply(backend, lambda x: op.cast(target, x), wide, form=form)
    np.testing.assert_array_equal(wide_result, np.trunc(wide).astype(target))


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_float_but_zero_is_true(backend: str) -> None:
    a, _ = specials("float32")
    [got] = apply(backend, lambda x: op.cast("bool", x), a)
    np.testing.assert_array_equal(got, a != 0)


@pytest.mark.parametrize("source", ["int32", "uint32", "int64", "uint64", "float64"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_conversions_to_float_round_to_nearest_even(backend: str, source: str) -> None:
    kind = np.dtype(source)
    rng = np.random.default_rng(1)
    if kind.kind == "f":
        a = np.concatenate([specials("float64")[0], rng.standard_normal(200), [1 + 2.0**-24, 1 + 3 * 2.0**-24, 1e-46]])
    else:
        info = np.iinfo(kind)
        halfway = [(1 << 24) + 1, (1 << 24) + 3, info.max, info.min, info.max - 1]
        a = np.concatenate([np.array(halfway, kind), np.frombuffer(rng.bytes(200 * kind.itemsize), kind)])
    with np.errstate(all="ignore"):
        want = [a.astype("float32"), a.astype("float64")]
    for mine, exact in zip(
        apply(backend, lambda x: [op.cast("float32", x), op.cast("float64", x)], a), want, strict=True
    ):
        same(mine, exact)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_product_and_a_sum_may_be_rounded_once_or_twice(backend: str, form: str) -> None:
    rng = np.random.default_rng(2)
    a, b = (1 + rng.random((2, 512))).astype("float32")
    c = -(a * b)  # what is left of the product is the rounding error, or nothing
    twice = a * b + c
    once = (a.astype("f8") * b + c).astype("float32")
    [sum_of_both, fused] = apply(backend, lambda x, y, z: [x * y + z, intrin.fma(x, y, z)], a, b, c, form=form)
    assert np.all((sum_of_both == twice) | (sum_of_both == once))
    np.testing.assert_array_equal(fused, once)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_whole_numbers_give_the_same_bits_everywhere(backend: str, form: str) -> None:
    rng = np.random.default_rng(4)
    a, b, c = rng.integers(-99, 100, (3, 256)).astype("float32")
    [got] = apply(backend, lambda x, y, z: x * y + z * (x - y), a, b, c, form=form)
    same(got, a * b + c * (a - b))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_functions_keep_infinities_and_nan(backend: str, dtype: str, form: str) -> None:
    a = np.array([-INF, INF, NAN, 0.0, -0.0, 1.0, -1.0, 1000.0, -1000.0, 710.0, 89.0, -104.0], dtype)
    if dtype == "float64":
        a = np.where(np.abs(a) > 80, a * 10, a)  # past the ends of exp
    names = ("exp", "log", "sqrt", "tanh", "erf", "sigmoid", "exp2", "log1p", "expm1")
    got = apply(backend, lambda x: [op.unary(name, x) for name in names], a, form=form)
    want = apply("interp", lambda x: [op.unary(name, x) for name in names], a)
    for name, mine, exact in zip(names, got, want, strict=True):
        ends = ~np.isfinite(exact) | (exact == 0)
        np.testing.assert_array_equal(mine[ends], exact[ends], name)
        np.testing.assert_array_equal(np.isnan(mine), np.isnan(exact), name)
    np.testing.assert_array_equal(got[0][:2], [0.0, INF])
