"""Intrinsics of the CPU backend against their meaning in numpy, scalar and in vectors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gpucomp.codegen.llvm import emit_cpu
from gpucomp.ir.types import PointerType, PrimType
from gpucomp.runtime.cpu import device_api
from gpucomp.support.diagnostics import BuildError, LowerError
from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir import intrin
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import Expr, Var
from tests.codegen.cpu_run import function, run
from tests.codegen.test_llvm_types import INTS, LANES, both, compute, whole_range


def typed(dtype: str, vectors: bool) -> str:
    return f"{dtype}x{LANES}" if vectors else dtype


@both
@pytest.mark.parametrize("dtype", INTS)
def test_bitwise_operations(dtype: str, vectors: bool) -> None:
    x, y = whole_range(dtype, seed=1), whole_range(dtype, seed=2)
    kind = typed(dtype, vectors)
    for name, meaning in (
        ("bitwise_and", np.bitwise_and),
        ("bitwise_or", np.bitwise_or),
        ("bitwise_xor", np.bitwise_xor),
    ):
        got = compute(lambda a, b, name=name: intrin.call_intrin(kind, name, a, b), dtype, x, y, vectors=vectors)
        assert np.array_equal(got, meaning(x, y)), name
    got = compute(lambda a: intrin.call_intrin(kind, "bitwise_not", a), dtype, x, vectors=vectors)
    assert np.array_equal(got, ~x)


@both
@pytest.mark.parametrize("dtype", INTS)
def test_shifts_by_the_width_or_more_leave_only_the_sign(dtype: str, vectors: bool) -> None:
    x = whole_range(dtype, seed=3)
    bits = np.iinfo(dtype).bits
    amount = (np.arange(64) % (bits + 3)).astype(dtype)
    kind = typed(dtype, vectors)
    left = compute(lambda a, b: intrin.call_intrin(kind, "shift_left", a, b), dtype, x, amount, vectors=vectors)
    right = compute(lambda a, b: intrin.call_intrin(kind, "shift_right", a, b), dtype, x, amount, vectors=vectors)
    for i in range(64):
        whole, k = int(x[i]), int(amount[i])
        assert int(left[i]) % 2**bits == (whole << k) % 2**bits
        assert int(right[i]) == whole >> k


@both
def test_counts_of_bits(vectors: bool) -> None:
    x = np.random.default_rng(4).integers(1, 2**32, 64, dtype=np.uint32)
    count = compute(lambda a: intrin.call_intrin(a.dtype, "popcount", a), "uint32", x, vectors=vectors)
    zeros = compute(lambda a: intrin.call_intrin(typed("int32", vectors), "clz", a), "int32", x, vectors=vectors)
    assert count.tolist() == [int(v).bit_count() for v in x]
    assert zeros.tolist() == [32 - int(v).bit_length() for v in x]


@both
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_predicates(dtype: str, vectors: bool) -> None:
    import ml_dtypes

    kind = np.dtype(ml_dtypes.bfloat16) if dtype == "bfloat16" else np.dtype(dtype)
    x = np.array([0.0, -0.0, 1.0, math.inf, -math.inf, math.nan, -math.nan, 6e4] * 2).astype(kind)
    for name, meaning in (("isnan", np.isnan), ("isinf", np.isinf), ("isfinite", np.isfinite)):
        got = compute(
            lambda a, name=name: intrin.call_intrin(typed("bool", vectors), name, a), "bool", x, vectors=vectors
        )
        assert np.array_equal(got, meaning(x)), name


@both
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_of_two_numbers(dtype: str, vectors: bool) -> None:
    rng = np.random.default_rng(5)
    x, y = rng.uniform(0.1, 5.0, (2, 64)).astype(dtype)
    x[::2] *= -1
    cases = {
        "atan2": np.arctan2,
        "hypot": np.hypot,
        "fmod": np.fmod,
        "copysign": np.copysign,
        "nextafter": np.nextafter,
    }
    for name, meaning in cases.items():
        got = compute(lambda a, b, name=name: intrin.call_intrin(a.dtype, name, a, b), dtype, x, y, vectors=vectors)
        assert np.allclose(got, meaning(x, y), rtol=1e-6 if dtype == "float32" else 1e-14), name
    got = compute(lambda a, b: intrin.call_intrin(a.dtype, "pow", a, b), dtype, abs(x), y, vectors=vectors)
    assert np.allclose(got, abs(x) ** y, rtol=2e-6 if dtype == "float32" else 1e-14)
    got = compute(lambda a, b: intrin.call_intrin(a.dtype, "ldexp", a, b), dtype, x, np.trunc(y), vectors=vectors)
    assert np.array_equal(got, np.ldexp(x, np.trunc(y).astype(np.int32)))


@both
def test_round_goes_away_from_zero_at_ties_and_nearbyint_to_even(vectors: bool) -> None:
    x = np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999997, 8388609.0], np.float32)
    away = compute(lambda a: intrin.call_intrin(a.dtype, "round", a), "float32", x, vectors=vectors)
    even = compute(lambda a: intrin.call_intrin(a.dtype, "nearbyint", a), "float32", x, vectors=vectors)
    assert away.tolist() == [1, 2, 3, -1, -2, -3, 0, 8388609]
    assert even.tolist() == [0, 2, 2, 0, -2, -2, 0, 8388609]


@both
def test_fma_rounds_once(vectors: bool) -> None:
    x = np.full(8, 1 + 2.0**-12, np.float32)
    y = -(x * x)
    got = compute(lambda a, b: intrin.call_intrin(a.dtype, "fma", a, a, b), "float32", x, y, vectors=vectors)
    exact = x.astype(np.float64) ** 2 + y
    assert exact.all()
    assert np.array_equal(got, exact.astype(np.float32))


@both
@pytest.mark.parametrize(
    ("source", "target"),
    [("float32", "int32"), ("uint64", "float64"), ("float16", "int16"), ("bfloat16", "uint16"), ("int32", "float32")],
)
def test_reinterpret_keeps_the_bits(source: str, target: str, vectors: bool) -> None:
    x = whole_range(source)
    if target.startswith("float"):
        x = np.abs(x) % 1000 + 0x3F800000 if target == "float32" else x % 1000 + 0x3FF0000000000000
        x = x.astype(source)
    got = compute(lambda a: intrin.reinterpret(typed(target, vectors), a), target, x, vectors=vectors)
    assert np.array_equal(got.view(np.uint8), x.view(np.uint8))


def test_lanes_of_one_vector_may_be_read_as_another_number_of_lanes() -> None:
    x, y = decl_buffer((4,), "int16", "x"), decl_buffer((2,), "int32", "y")
    one = e.IntImm("int32", 1)
    value = intrin.reinterpret("int32x2", e.BufferLoad(x, (e.Ramp(e.IntImm("int32", 0), one, 4),)))
    data, out = np.array([1, 2, 3, -4], np.int16), np.zeros(2, np.int32)
    run(function(s.BufferStore(y, value, (e.Ramp(e.IntImm("int32", 0), one, 2),)), x, y), data, out)
    assert np.array_equal(out, data.view(np.int32))


@pytest.mark.parametrize("dtype", ["int32", "float32", "uint64", "float64"])
def test_atomic_additions_of_parallel_tasks_lose_nothing(dtype: str) -> None:
    total, i = decl_buffer((1,), dtype, "total"), Var("i", "int32")
    add = intrin.call_intrin(
        dtype, "atomic_add", intrin.call_intrin("handle", "address_of", total[0]), e.Cast(dtype, i)
    )
    out = np.zeros(1, dtype)
    run(function(s.For(i, 0, 1000, s.ForKind.PARALLEL, s.Evaluate(add)), total), out)
    assert out[0] == 499_500


def test_external_functions_are_called_by_name() -> None:
    x, y = (decl_buffer((4,), "float64", name) for name in "xy")
    i = Var("i", "int32")
    value = intrin.call_pure_extern("float64", "cbrt", x[i])
    data, out = np.array([8.0, 27.0, 1.0, -8.0]), np.zeros(4)
    run(function(s.For(i, 0, 4, s.ForKind.SERIAL, s.BufferStore(y, value, (i,))), x, y), data, out)
    assert np.allclose(out, [2, 3, 1, -2])


def test_an_external_function_that_nobody_defines_is_an_error_with_its_name() -> None:
    y = decl_buffer((1,), "float32", "y")
    func = function(s.BufferStore(y, intrin.call_extern("float32", "no_such_function"), (0,)), y)
    with pytest.raises(BuildError, match="no_such_function"):
        device_api().load(0, emit_cpu(func))


def test_prefetch_assume_and_likely_change_nothing() -> None:
    x, y, i = decl_buffer((8,), "float32", "x"), decl_buffer((8,), "float32", "y"), Var("i", "int32")
    pointer = intrin.call_intrin("handle", "address_of", x[i])
    body = s.seq(
        s.Evaluate(intrin.call_intrin("int32", "prefetch", pointer)),
        s.Evaluate(intrin.call_intrin("bool", "assume", i >= 0)),
        s.IfThenElse(intrin.likely(i < 5), s.BufferStore(y, x[i], (i,))),
    )
    data, out = np.arange(8, dtype=np.float32), np.full(8, 77, np.float32)
    run(function(s.For(i, 0, 8, s.ForKind.SERIAL, body), x, y), data, out)
    assert out.tolist() == [0, 1, 2, 3, 4, 77, 77, 77]


@pytest.mark.parametrize(
    "call",
    [
        lambda y: intrin.call_intrin("float32", "call_packed", "f"),
        lambda y: intrin.call_extern("float32", "f", e.Broadcast(y[0], 4)),
        lambda y: e.Call("float32", e.GlobalVar("other"), ()),
        lambda y: e.Cast("float32", intrin.call_intrin("int32", "exp", e.Cast("int32", y[0]))),
    ],
    ids=["packed", "vector-argument", "other-function", "integer-exp"],
)
def test_calls_that_cpu_code_cannot_make_are_refused(call: object) -> None:
    y = decl_buffer((1,), "float32", "y", data=Var("y", PointerType(PrimType(DType("float32")))))
    assert callable(call)
    value = call(y)
    assert isinstance(value, Expr)
    with pytest.raises(LowerError):
        emit_cpu(function(s.BufferStore(y, value, (0,)), y))
