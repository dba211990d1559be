"""The numerics contract for integers: division, wrapping of data, indices, shifts, conversions, bool."""

from __future__ import annotations

from typing import Any  # arrays of any element type

import numpy as np
import pytest

import gpucomp as gc
from gpucomp import te
from gpucomp.driver.build import compile_function
from gpucomp.target import Target
from gpucomp.tir import operators as op
from tests.numerics.backends import BACKENDS, FORMS, apply

Array = np.ndarray[Any, Any]
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")


def numbers(dtype: str, seed: int = 0) -> tuple[Array, Array]:
    """Pairs of numbers: every pair of the ends of the type, zero and one, and random bits."""
    kind = np.dtype(dtype)
    info = np.iinfo(kind)
    ends = np.array([info.min, info.min + 1, info.max, info.max - 1, 0, 1, 2, info.max // 2 + 1], kind)
    a, b = [x.reshape(-1) for x in np.meshgrid(ends, ends)]
    rng = np.random.default_rng(seed)
    more = [np.frombuffer(rng.bytes(64 * kind.itemsize), kind) for _ in range(2)]
    return np.concatenate([a, more[0]]), np.concatenate([b, more[1]])


def same(got: list[Array], want: list[Array]) -> None:
    for number, (mine, exact) in enumerate(zip(got, want, strict=True)):
        np.testing.assert_array_equal(mine, exact, f"result {number}")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", SIGNED)
@pytest.mark.parametrize("backend", BACKENDS)
def test_both_families_of_division_take_operands_of_any_sign(backend: str, dtype: str, form: str) -> None:
    a, b = numbers(dtype)
    b = np.where(b == 0, -1, b).astype(dtype)  # the smallest number over -1 is among them
    with np.errstate(all="ignore"):
        floor, rest = np.floor_divide(a, b), np.mod(a, b)
        inexact_negative = (rest != 0) & ((a < 0) != (b < 0))
        trunc = (floor + inexact_negative).astype(dtype)
        want = [floor, rest, trunc, (a - trunc * b).astype(dtype)]
    divisions = [op.floordiv, op.floormod, op.truncdiv, op.truncmod]
    same(apply(backend, lambda x, y: [f(x, y) for f in divisions], a, b, form=form), want)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_division_by_a_literal_is_division_by_the_same_number_from_memory(backend: str, dtype: str) -> None:
    a, _ = numbers(dtype)
    literals = (3, -3, 8, -8, -1, 127)
    divisions = [op.floordiv, op.floormod, op.truncdiv, op.truncmod]
    got = apply(backend, lambda x: [f(x, n) for n in literals for f in divisions], a)
    for number, n in enumerate(literals):
        b = np.full_like(a, n)
        want = apply("interp", lambda x, y: [f(x, y) for f in divisions], a, b)
        same(got[4 * number : 4 * number + 4], want)


@pytest.mark.parametrize("dtype", UNSIGNED)
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_families_of_division_agree_for_unsigned_numbers(backend: str, dtype: str) -> None:
    a, b = numbers(dtype)
    b = np.maximum(b, 1).astype(dtype)
    divisions = [op.floordiv, op.truncdiv, op.floormod, op.truncmod]
    same(apply(backend, lambda x, y: [f(x, y) for f in divisions], a, b), [a // b, a // b, a % b, a % b])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", SIGNED + UNSIGNED)
@pytest.mark.parametrize("backend", BACKENDS)
def test_arithmetic_on_data_wraps(backend: str, dtype: str, form: str) -> None:
    a, b = numbers(dtype)
    with np.errstate(all="ignore"):
        want = [a + b, a - b, a * b, (a + b) * a - b, a * a * a, np.negative(a), np.abs(a)]
    got = apply(
        backend,
        lambda x, y: [x + y, x - y, x * y, (x + y) * x - y, op.power(x, 3), -x, op.absolute(x)],
        a,
        b,
        form=form,
    )
    same(got, want)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint32", "int64"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_is_concluded_from_the_absence_of_overflow(backend: str, dtype: str, form: str) -> None:
    a, b = numbers(dtype)
    info = np.iinfo(dtype)
    one, top, two = (np.array(n, dtype) for n in (1, info.max, 2))
    with np.errstate(all="ignore"):
        want = [a + one > a, a + b < b, (a + top) + one, (a - top) - top, (a * two) // two, np.maximum(a + one, a)]

    def expressions(x: Any, y: Any) -> list[Any]:
        wrapped = (x + info.max) + 1, (x - info.max) - info.max
        return [x + 1 > x, x + y < y, *wrapped, op.floordiv(x * 2, 2), op.maximum(x + 1, x)]

    same(apply(backend, expressions, a, b, form=form), want)


@pytest.mark.parametrize("target", ["llvm", "cuda", "opencl"])
def test_indices_beyond_32_bits_are_computed_in_64(target: str) -> None:
    for rows, wide in ((30_000, False), (70_000, True)):
        a = te.placeholder((rows, 70_000), "int8", "A")
        b = te.compute(a.shape, lambda i, j, a=a: a[i, j], "B")
        variants = compile_function(te.create_schedule(b.op), [a, b], Target(target)).variants
        assert all([("64-bit indices" if wide else "32-bit indices") in v.note for v in variants])


@pytest.mark.parametrize("target", ["llvm", "cuda", "opencl"])
def test_symbolic_extents_get_a_guarded_32_bit_variant_and_a_64_bit_one(target: str) -> None:
    n = te.var("n")
    a = te.placeholder((n, n), "float32", "A")
    b = te.compute((n, n), lambda i, j: a[i, j] + 1.0, "B")
    narrow, wide = compile_function(te.create_schedule(b.op), [a, b], Target(target)).variants
    assert (narrow.note, wide.note) == ("32-bit indices", "64-bit indices")
    assert narrow.guard is not True
    assert wide.guard is True


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_index_arithmetic_is_signed_and_arithmetic_on_data_is_not(dtype: str) -> None:
    n = te.var("n")
    a, b = (te.placeholder((n, n), dtype, name) for name in "AB")
    c = te.compute((n, n), lambda i, j: a[j, i] + b[i, j], "C")
    text = gc.source(te.create_schedule(c.op), [a, b, c], "cuda")
    [store] = [line for line in text.splitlines() if line.lstrip().startswith("C[")]
    place, _, value = store.partition("] = ")
    assert "unsigned" not in place
    assert "unsigned" in value


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", SIGNED + UNSIGNED)
@pytest.mark.parametrize("backend", BACKENDS)
def test_shifts_drop_bits_and_the_right_one_keeps_the_sign(backend: str, dtype: str, form: str) -> None:
    a, b = numbers(dtype)
    count = (b.astype(object) % np.iinfo(dtype).bits).astype(dtype)  # 0 to the width - 1
    want = [a << count, a >> count, a & b, a | b, a ^ b, ~a]
    same(apply(backend, lambda x, y, n: [x << n, x >> n, x & y, x | y, x ^ y, ~x], a, b, count, form=form), want)


@pytest.mark.parametrize("source", ["int8", "uint8", "int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_conversions_between_integers_keep_the_low_bits_and_extend_by_the_source(backend: str, source: str) -> None:
    a, _ = numbers(source)
    targets = SIGNED + UNSIGNED
    same(apply(backend, lambda x: [op.cast(t, x) for t in targets], a), [a.astype(t) for t in targets])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("signed", "unsigned", "meeting"),
    [
        ("int8", "uint8", "int8"), ("int8", "uint32", "int32"), ("int16", "uint8", "int16"),
        ("int32", "uint32", "int32"), ("int32", "uint64", "int64"), ("int64", "uint16", "int64"),
        ("int64", "uint64", "int64"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("backend", BACKENDS)
def test_signed_and_unsigned_numbers_are_compared_in_the_wider_type_with_a_sign(
    backend: str, signed: str, unsigned: str, meeting: str, form: str
) -> None:
    a, b = [x.reshape(-1) for x in np.meshgrid(numbers(signed)[0][::5], numbers(unsigned)[0][::5])]

    def compare(x: Any, y: Any) -> list[Any]:
        return [x < y, y < x, x <= y, x >= y, te.const(1) < y, y > -1, x == y, op.maximum(x, y)]

    x, y = a.astype(meeting), b.astype(meeting)  # the largest unsigned numbers become negative where they do not fit
    wide = "int64" if unsigned == "uint64" else "int32"  # of literals; -1 fits no unsigned type
    one = b.astype(wide)
    want = [x < y, y < x, x <= y, x >= y, 1 < one, one > -1, x == y, np.maximum(x, y)]
    same(apply(backend, compare, a, b, form=form), want)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_bool_is_one_byte_that_is_0_or_1(backend: str, form: str) -> None:
    a, b = numbers("int32")
    x, y = a > b, a < 0

    def expressions(a: Any, b: Any, x: Any, y: Any) -> list[Any]:
        compared = [a > b, op.cast("bool", a), op.cast("bool", op.cast("float32", b))]
        return [*compared, x & y, x | y, ~x, x != y, op.cast("int8", x), op.cast("int32", x) + op.cast("int32", y)]

    got = apply(backend, expressions, a, b, x, y, form=form)
    counted = x.astype("int32") + y
    same(got, [a > b, a != 0, b != 0, x & y, x | y, ~x, x != y, x.astype("int8"), counted])
    for made in got[:7]:
        assert set(np.unique(made.view(np.uint8))) <= {0, 1}
