"""Element types, conversions and arithmetic of the CPU backend against numpy, scalar and in vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from gpucomp.codegen.llvm import emit_cpu
from gpucomp.support.diagnostics import LowerError
from gpucomp.tir import expr as e
from gpucomp.tir import intrin
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.function import PrimFunc
from tests.codegen.cpu_run import function, run
from tests.tiers import tiered

Array = NDArray[Any]  # Any: tests compute with arrays of every type
LANES = 8
INTS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS = ["float16", "float32", "float64", "bfloat16"]
NUMPY = {"bfloat16": np.dtype(ml_dtypes.bfloat16)}


def numpy_type(dtype: str) -> np.dtype[Any]:
    return NUMPY.get(dtype) or np.dtype(dtype)


def pointwise(meaning: Callable[..., Expr], result: str, *dtypes: str, vectors: bool) -> PrimFunc:
    """out[i] = meaning(inputs[i]...), scalar or in vectors of 8."""
    size = Var("n", "int32")
    inputs = [decl_buffer((size,), dtype, f"x{i}") for i, dtype in enumerate(dtypes)]
    out = decl_buffer((size,), result, "out")
    i = Var("i", "int32")
    index: Expr = e.Ramp(i * LANES, e.IntImm("int32", 1), LANES) if vectors else i
    body = s.BufferStore(out, meaning(*[e.BufferLoad(x, (index,)) for x in inputs]), (index,))
    extent = size // LANES if vectors else size
    return function(s.For(i, 0, extent, s.ForKind.SERIAL, body), *inputs, out)


def compute(meaning: Callable[..., Expr], result: str, *inputs: Array, vectors: bool) -> Array:
    out = np.full(inputs[0].shape, 85, numpy_type(result))
    run(pointwise(meaning, result, *[str(x.dtype) for x in inputs], vectors=vectors), *inputs, out)
    return out


def whole_range(dtype: str, count: int = 64, seed: int = 0) -> Array:
    """Random numbers over the whole type, with its ends."""
    kind = numpy_type(dtype)
    rng = np.random.default_rng(seed)
    if dtype in FLOATS:
        return (rng.standard_normal(count) * 10.0 ** rng.integers(-3, 3, count)).astype(kind)
    info = np.iinfo(dtype)
    values = rng.integers(info.min, info.max, count, dtype=kind, endpoint=True)
    values[:4] = [info.min, info.max, 0, 1]
    return values


both = pytest.mark.parametrize("vectors", [False, True])


@both
@pytest.mark.parametrize("dtype", INTS + FLOATS)
def test_sums_differences_and_products_round_or_wrap_as_numpys_do(dtype: str, vectors: bool) -> None:
    x, y = whole_range(dtype, seed=1), whole_range(dtype, seed=2)
    with np.errstate(all="ignore"):
        expected = (x * y - y) + x
    got = compute(lambda a, b: (a * b - b) + a, dtype, x, y, vectors=vectors)
    if dtype in ("float32", "float64"):  # a product may be fused with the sum that takes it
        assert np.allclose(got, expected, rtol=1e-5 if dtype == "float32" else 1e-12, atol=1e-6)
    else:
        assert np.array_equal(got, expected)


@both
def test_bool_is_a_byte_in_memory_and_a_bit_in_logic(vectors: bool) -> None:
    rng = np.random.default_rng(3)
    x, y = rng.integers(0, 2, (2, 64)).astype(bool)
    got = compute(lambda a, b: e.Or(e.And(a, e.Not(b)), e.And(e.Not(a), b)), "bool", x, y, vectors=vectors)
    assert np.array_equal(got, x ^ y)
    assert set(got.view(np.uint8).tolist()) == {0, 1}


QUICK = ("bool", "int8", "uint32", "int64", "float16", "float32")


@both
@pytest.mark.parametrize("source", ["bool", *INTS, *FLOATS])
@pytest.mark.parametrize("target", tiered(["bool", *INTS, *FLOATS], QUICK))
def test_every_conversion_equals_numpys(source: str, target: str, vectors: bool) -> None:
    if source == "bool":
        x: Array = np.random.default_rng(4).integers(0, 2, 64).astype(bool)
    elif source in FLOATS and target in INTS:
        top = min(np.iinfo(target).max, 2.0**40, 60000.0 if source == "float16" else np.inf)
        low = -top if target.startswith("int") else 0.0
        x = np.random.default_rng(4).uniform(low * 0.99, top * 0.99, 64).astype(numpy_type(source))
    else:
        x = whole_range(source)
    with np.errstate(all="ignore"):
        expected = x.astype(numpy_type(target))
    assert np.array_equal(
        compute(lambda a: a.astype(f"{target}x{LANES}" if vectors else target), target, x, vectors=vectors), expected
    )


@both
def test_bfloat16_is_rounded_to_nearest_even_with_denormals_infinities_and_nans(vectors: bool) -> None:
    rng = np.random.default_rng(5)
    x = rng.integers(0, 2**32, 4096, dtype=np.uint32)
    x[:6] = [0x3F808000, 0x3F818000, 0x7F7FFFFF, 0x7F800001, 0x00008000, 0x80018000]
    numbers = x.view(np.float32)
    kind = f"bfloat16x{LANES}" if vectors else "bfloat16"
    got = compute(lambda a: a.astype(kind), "bfloat16", numbers, vectors=vectors)
    with np.errstate(all="ignore"):
        expected = numbers.astype(ml_dtypes.bfloat16)
    nan = np.isnan(numbers)
    assert np.array_equal(np.isnan(got.astype(np.float32)), nan)
    assert np.array_equal(got.view(np.uint16)[~nan], expected.view(np.uint16)[~nan])


def test_float16_values_at_the_ends_of_the_type_survive_a_copy() -> None:
    x = np.arange(2**16, dtype=np.uint32).astype(np.uint16).view(np.float16)
    got = compute(lambda a: a, "float16", x, vectors=True)
    nan = np.isnan(x)
    assert np.array_equal(got.view(np.uint16)[~nan], x.view(np.uint16)[~nan])
    assert np.isnan(got[nan]).all()


DIVISIONS: dict[str, tuple[type[e.BinaryOp], Callable[[Array, Array], Array]]] = {
    "floordiv": (e.FloorDiv, np.floor_divide),
    "floormod": (e.FloorMod, np.mod),
    "truncdiv": (e.Div, lambda x, y: (x - np.fmod(x, y)) // y),
    "truncmod": (e.Mod, np.fmod),
}


@both
@pytest.mark.parametrize("dtype", INTS)
@pytest.mark.parametrize("name", DIVISIONS)
def test_division_by_a_variable_follows_its_family_for_all_signs(name: str, dtype: str, vectors: bool) -> None:
    cls, meaning = DIVISIONS[name]
    x, y = whole_range(dtype, 256, seed=6), whole_range(dtype, 256, seed=7)
    y[y == 0] = 3
    y[4:9] = 7
    if dtype.startswith("int"):
        x[0], y[0] = np.iinfo(dtype).min, -1  # wraps; the processor would trap
    with np.errstate(all="ignore"):
        expected = meaning(x, y)
    if name == "truncdiv" and dtype.startswith("int"):
        expected[0] = np.iinfo(dtype).min
    assert np.array_equal(compute(cls, dtype, x, y, vectors=vectors), expected)


@both
@pytest.mark.parametrize("divisor", [1, 2, 7, 64, -1, -2, -7])
@pytest.mark.parametrize("name", DIVISIONS)
def test_division_by_a_literal_follows_its_family_for_all_signs(name: str, divisor: int, vectors: bool) -> None:
    cls, meaning = DIVISIONS[name]
    x = np.arange(-100, 100, dtype=np.int32)
    y = np.full_like(x, divisor)
    literal = e.IntImm("int32", divisor)
    other = e.Broadcast(literal, LANES) if vectors else literal
    assert np.array_equal(compute(lambda a: cls(a, other), "int32", x, vectors=vectors), meaning(x, y))


@both
@pytest.mark.parametrize("name", DIVISIONS)
def test_division_by_zero_on_the_side_not_taken_does_not_trap(name: str, vectors: bool) -> None:
    cls, _ = DIVISIONS[name]
    x = np.arange(64, dtype=np.int32)
    y = np.zeros(64, np.int32)
    zero: Expr = e.IntImm("int32", 0)
    zero = e.Broadcast(zero, LANES) if vectors else zero
    got = compute(lambda a, b: e.Select(e.NE(b, zero), cls(a, b), a), "int32", x, y, vectors=vectors)
    assert np.array_equal(got, x)


@both
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
def test_floor_division_of_floats_rounds_down(dtype: str, vectors: bool) -> None:
    x = np.array([-7.5, 7.5, -8.0, 3.25] * 16, numpy_type(dtype))
    y = np.array([2.0, -2.0, 2.0, 1.5] * 16, numpy_type(dtype))
    assert np.array_equal(compute(e.FloorDiv, dtype, x, y, vectors=vectors), np.floor_divide(x, y))
    assert np.array_equal(compute(e.FloorMod, dtype, x, y, vectors=vectors), np.mod(x, y))


@both
@pytest.mark.parametrize("dtype", tiered([*INTS, *FLOATS], QUICK))
def test_comparisons_minimum_and_maximum_know_signed_from_unsigned(dtype: str, vectors: bool) -> None:
    x, y = whole_range(dtype, seed=8), whole_range(dtype, seed=9)
    y[::5] = x[::5]
    for cls, meaning in ((e.LT, np.less), (e.LE, np.less_equal), (e.GT, np.greater), (e.GE, np.greater_equal),
                         (e.EQ, np.equal), (e.NE, np.not_equal)):  # fmt: skip
        assert np.array_equal(compute(cls, "bool", x, y, vectors=vectors), meaning(x, y)), cls.__name__
    for cls, meaning in ((e.Min, np.minimum), (e.Max, np.maximum)):
        assert np.array_equal(compute(cls, dtype, x, y, vectors=vectors), meaning(x, y)), cls.__name__


@both
def test_comparisons_with_nan_are_false_except_not_equal(vectors: bool) -> None:
    x = np.full(8, np.nan, np.float32)
    y = np.ones(8, np.float32)
    for cls in (e.LT, e.LE, e.GT, e.GE, e.EQ):
        assert not compute(cls, "bool", x, y, vectors=vectors).any()
    assert compute(e.NE, "bool", x, y, vectors=vectors).all()


@both
def test_infinite_masks_survive_arithmetic(vectors: bool) -> None:
    x = np.array([1.0, -np.inf, np.inf, -np.inf] * 4, np.float32)
    floor = e.FloatImm("float32", -np.inf)
    low: Expr = e.Broadcast(floor, LANES) if vectors else floor
    got = compute(lambda a: intrin.exp(e.Max(a, low) - e.Max(a, low)), "float32", x, vectors=vectors)
    assert np.array_equal(np.isnan(got), np.isinf(x))
    assert (got[::4] == 1.0).all()


def test_data_wraps_and_only_index_arithmetic_promises_not_to_overflow() -> None:
    n = Var("n", "int32")
    x, y = (decl_buffer((n,), "int32", label) for label in "xy")
    i = Var("i", "int32")
    body = s.BufferStore(y, x[i * 3 + 1] * 1_000_003 + 17, (i * 3 + 1,))
    func = function(s.For(i, 0, n // 3, s.ForKind.SERIAL, body), x, y)
    lines = emit_cpu(func).source.splitlines()
    assert any("mul nsw i32" in line and " 3" in line for line in lines)
    assert any("= mul i32" in line and "1000003" in line for line in lines)
    data = np.arange(0, 3000, dtype=np.int32) * 70_001
    out = np.zeros_like(data)
    run(func, data, out)
    assert np.array_equal(out[1::3], data[1::3] * np.int32(1_000_003) + np.int32(17))


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "int4"])
def test_a_type_that_the_cpu_lacks_is_named_with_the_mend(dtype: str) -> None:
    with pytest.raises(LowerError, match=f"no {dtype}") as caught:
        emit_cpu(pointwise(lambda a: a, dtype, dtype, vectors=False))
    assert "cast to float32" in (caught.value.hint or "")


@pytest.mark.parametrize("dtype", ["bool", *INTS, *FLOATS])
def test_scalar_arguments_of_every_type_arrive(dtype: str) -> None:
    out = decl_buffer((e.IntImm("int32", 1),), dtype, "out")
    scalar = Var("scalar", dtype)
    zero = e.IntImm("int32", 0)
    value = 1 if dtype == "bool" else 101
    result = np.zeros(1, numpy_type(dtype))
    run(function(s.BufferStore(out, scalar, (zero,)), out, scalar), result, value)
    assert result[0] == value
