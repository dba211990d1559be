"""Ramps, broadcasts and masks."""

from __future__ import annotations

import pytest

from gpucomp.arith import Analyzer
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, IntImm, Range, Var

X, T, P = Var("x"), Var("t"), Var("p", "bool")


def number(value: int) -> IntImm:
    return IntImm("int32", value)


def ramp(base: Expr, stride: int = 1, lanes: int = 4) -> Expr:
    return e.Ramp(base, number(stride), lanes)


def splat(value: Expr, lanes: int = 4) -> Expr:
    return e.Broadcast(value, lanes)


@pytest.fixture
def analyzer() -> Analyzer:
    made = Analyzer()
    made.bind(T, Range(0, 16))
    return made


CASES = [
    (e.Add(ramp(X), splat(T)), "T.Ramp(x + t, 1, 4)"),
    (e.Sub(ramp(X, 3), ramp(T, 2)), "T.Ramp(x - t, 1, 4)"),
    (e.Sub(ramp(X), ramp(T)), "T.Broadcast(x - t, 4)"),
    (e.Mul(splat(number(4)), ramp(X)), "T.Ramp(x * 4, 4, 4)"),
    (e.Add(splat(X + 1), splat(X - 1)), "T.Broadcast(x * 2, 4)"),
    (e.FloorDiv(ramp(X * 4), splat(number(4))), "T.Broadcast(x, 4)"),
    (e.FloorMod(ramp(X * 4), splat(number(4))), "T.Ramp(0, 1, 4)"),
    (e.FloorDiv(ramp(X * 8 + 4), splat(number(8))), "T.Broadcast(x, 4)"),
    (e.FloorDiv(ramp(X, 8), splat(number(4))), "T.Ramp(x // 4, 2, 4)"),
    (e.FloorMod(ramp(X, 8), splat(number(4))), "T.Broadcast(x % 4, 4)"),
    (e.FloorMod(ramp(T * 4), splat(number(64))), "T.Ramp(t * 4, 1, 4)"),
    (e.Div(ramp(T * 4), splat(number(4))), "T.Broadcast(t, 4)"),
    (e.LT(ramp(T * 4), splat(number(64))), "T.Broadcast(True, 4)"),
    (e.GE(ramp(T * 4), splat(number(64))), "T.Broadcast(False, 4)"),
    (e.EQ(ramp(T), splat(number(40))), "T.Broadcast(False, 4)"),
    (e.Min(ramp(T), splat(number(40))), "T.Ramp(t, 1, 4)"),
    (e.And(e.LT(ramp(T), splat(number(40))), e.LT(ramp(X), splat(number(3)))), "T.Ramp(x, 1, 4) < T.Broadcast(3, 4)"),
    (e.Or(splat(P), e.LT(ramp(T), splat(number(40)))), "T.Broadcast(True, 4)"),
    (e.Not(splat(X < 3)), "T.Broadcast(x >= 3, 4)"),
    (e.Select(splat(T < 16), ramp(X), ramp(T)), "T.Ramp(x, 1, 4)"),
    (e.Ramp(X, number(0), 4), "T.Broadcast(x, 4)"),
]


@pytest.mark.parametrize(("node", "text"), CASES, ids=str)
def test_vector_arithmetic_is_arithmetic_on_base_and_stride(analyzer: Analyzer, node: Expr, text: str) -> None:
    assert str(analyzer.simplify(node)) == text


def test_lanes_that_may_cross_a_multiple_are_left_alone(analyzer: Analyzer) -> None:
    for node in (
        e.FloorDiv(ramp(X), splat(number(4))),
        e.FloorMod(ramp(X * 2), splat(number(4))),
        e.LT(ramp(X), splat(T)),
        e.EQ(ramp(T), splat(number(2))),
    ):
        assert analyzer.simplify(node) is node
