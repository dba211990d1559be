"""Constant bounds and congruences, exact on the cases that lowering meets."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from gpucomp.arith import Analyzer, ConstIntBound, ModularSet
from gpucomp.arith import bounds as b
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import Expr, IntImm, Range, Select, SizeVar, Var

POS, NEG = ConstIntBound.POS_INF, ConstIntBound.NEG_INF
X, Y = Var("x"), Var("y")
WIDE = Var("wide", "int64")
BYTE, UNSIGNED = Var("byte", "int8"), Var("unsigned", "uint8")
A = decl_buffer((4,), "int8", "A")


def literal(value: int) -> IntImm:
    return IntImm("int32", value)


@pytest.fixture
def analyzer() -> Analyzer:
    made = Analyzer()
    made.bind(X, Range.from_min_extent(-3, 9))  # -3 .. 5
    made.bind(Y, Range(2, 8))  # 2 .. 7
    return made


BOUNDS = [
    (X + Y, -1, 12),
    (X - Y, -10, 3),
    (X * Y, -21, 35),
    (X * X, 0, 25),
    (X // 2, -2, 2),
    (X % 4, 0, 3),
    (Y % 8, 2, 7),
    ((Y + 8) % 8, 2, 7),
    (X * 4 % 8, 0, 4),
    (e.FloorDiv(X, Y), -2, 2),
    (e.FloorMod(X, Y), 0, 6),
    (e.Div(X, literal(2)), -1, 2),
    (e.Mod(X, literal(2)), -1, 1),
    (e.Mod(X, literal(-4)), -3, 3),
    (operators.minimum(X, Y), -3, 5),
    (operators.maximum(X, Y), 2, 7),
    (Select(X < Y, X, Y + 10), -3, 17),
    (X < Y, 0, 1),
    (X.astype("int64"), -3, 5),
    (X.astype("uint8"), 0, 255),
    (e.Ramp(Y, literal(2), 4), 2, 13),
    (e.Ramp(Y, literal(-1), 4), -1, 7),
    (e.Broadcast(Y, 4), 2, 7),
    (intrin.likely(X < Y), 0, 1),
    (intrin.if_then_else(X < 0, Y, Y + 1), 2, 8),
    (X & 3, 0, 3),
    (Y >> 1, 1, 3),
    (Y << 2, 8, 28),
    (WIDE, NEG, POS),
    (WIDE // 4, -(2**61), 2**61 - 1),
    (BYTE, -128, 127),
    (BYTE + BYTE, -128, 127),
    (UNSIGNED, 0, 255),
    (A[0] + A[0], -128, 127),
    (SizeVar("n"), 0, 2**31 - 1),
    (e.FloorDiv(literal(8), SizeVar("n")), -(2**31), 2**31 - 1),
]


@pytest.mark.parametrize(("node", "low", "high"), BOUNDS, ids=lambda x: str(x)[:40])
def test_bounds_of_expressions(analyzer: Analyzer, node: Expr, low: int, high: int) -> None:
    assert analyzer.const_int_bound(node) == ConstIntBound(low, high)


MODULAR = [
    (X * 4, 4, 0),
    (X * 4 + 3, 4, 3),
    (X * 4 + Y * 6, 2, 0),
    (X * 4 - 1, 4, 3),
    ((X * 4) * (Y * 6), 24, 0),
    (X * 8 // 4, 2, 0),
    (X * 8 % 4, 0, 0),
    (X * 6 % 4, 2, 0),
    (literal(7), 0, 7),
    (operators.minimum(X * 4 + 1, Y * 6 + 3), 2, 1),
    (Select(X < Y, X * 4, literal(6)), 2, 0),
    ((X * 16).astype("int64"), 16, 0),
    (UNSIGNED * 3, 1, 0),
    (UNSIGNED * 8, 8, 0),
    (e.Broadcast(X * 4, 2), 4, 0),
    (e.Ramp(X * 8, literal(4), 2), 4, 0),
    (X << 3, 8, 0),
    (X & -4, 4, 0),
    (X, 1, 0),
]


@pytest.mark.parametrize(("node", "coeff", "base"), MODULAR, ids=lambda x: str(x)[:40])
def test_congruences_of_expressions(analyzer: Analyzer, node: Expr, coeff: int, base: int) -> None:
    assert analyzer.modular_set(node) == ModularSet(coeff, base)


def test_what_is_known_of_a_variable_enters_its_expressions() -> None:
    analyzer = Analyzer()
    n = Var("n")
    analyzer.update(n, ModularSet(16, 0))
    analyzer.update(n, ConstIntBound(1, POS))
    assert analyzer.modular_set(n * 2 + 8) == ModularSet(32, 8)
    assert str(analyzer.simplify(n % 16)) == "0"
    assert str(analyzer.simplify((n + 5) % 8)) == "5"
    assert analyzer.can_prove(n + 1 != X * 2)
    assert analyzer.const_int_bound(n).min_value == 1


_INTERVALS = [(lo, hi) for lo, hi in itertools.product(range(-4, 5), repeat=2) if lo <= hi]


def _trunc(a: int, c: int) -> int:
    quotient = abs(a) // abs(c)
    return quotient if (a < 0) == (c < 0) else -quotient


@pytest.mark.parametrize(
    ("operation", "scalar"),
    [
        (b.floordiv, lambda p, q: p // q),
        (b.floormod, lambda p, q: p % q),
        (b.truncdiv, _trunc),
        (b.truncmod, lambda p, q: p - q * _trunc(p, q)),
        (b.multiply, lambda p, q: p * q),
    ],
    ids=["floordiv", "floormod", "truncdiv", "truncmod", "multiply"],
)
def test_interval_operations_contain_all_results(
    operation: Callable[[b.Interval, b.Interval], b.Interval], scalar: Callable[[int, int], int]
) -> None:
    for x, y in itertools.product(_INTERVALS, repeat=2):
        if operation is not b.multiply and y[0] <= 0 <= y[1]:
            continue
        low, high = operation(x, y)
        values = [scalar(p, q) for p in range(x[0], x[1] + 1) for q in range(y[0], y[1] + 1)]
        assert low <= min(values)
        assert max(values) <= high


@pytest.mark.parametrize("operation", [b.floordiv, b.floormod, b.truncdiv, b.truncmod])
def test_division_by_an_interval_with_zero_says_nothing(
    operation: Callable[[b.Interval, b.Interval], b.Interval],
) -> None:
    assert operation((1, 5), (-1, 3)) == b.EVERYTHING
    assert operation((1, 5), (0, 3)) == b.EVERYTHING


def test_unbounded_intervals_divide() -> None:
    assert b.floordiv(b.EVERYTHING, (4, 4)) == b.EVERYTHING
    assert b.floordiv((0, b.INF), (4, b.INF)) == (0, b.INF)
    assert b.floordiv((-8, b.INF), (2, b.INF)) == (-4, b.INF)
    assert b.floormod(b.EVERYTHING, (4, 4)) == (0, 3)
    assert b.floormod((0, b.INF), (1, b.INF)) == (0, b.INF)
    assert b.truncdiv(b.EVERYTHING, (-2, -2)) == b.EVERYTHING
    assert b.multiply((0, b.INF), (0, 0)) == (0, 0)


def test_congruence_operations_are_exact_on_small_ones() -> None:
    def members(c: b.Congruence) -> set[int]:
        return {v for v in range(-40, 41) if ((v - c[1]) % c[0] == 0 if c[0] else v == c[1])}

    for x, y in itertools.product([(0, 3), (1, 0), (2, 1), (4, 3), (6, 2)], repeat=2):
        total, product, union = b.add_congruence(x, y), b.multiply_congruence(x, y), b.union_congruence(x, y)
        for p, q in itertools.product(members(x), members(y)):
            assert (p + q - total[1]) % total[0] == 0 if total[0] else p + q == total[1]
            assert (p * q - product[1]) % product[0] == 0 if product[0] else p * q == product[1]
        assert members(x) | members(y) <= members(union)
        both = members(x) & members(y)
        if both:
            assert both <= members(b.intersect_congruence(x, y))


def test_infinite_ends_have_public_sentinels() -> None:
    assert ConstIntBound.from_interval(b.EVERYTHING) == ConstIntBound(NEG, POS)
    assert ConstIntBound(NEG, 4).interval() == (-b.INF, 4)
    assert ConstIntBound.from_interval((-(2**80), 5)) == ConstIntBound(NEG, 5)
