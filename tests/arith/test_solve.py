"""Linear equations, clip bounds, and bounds deduced from conditions."""

from __future__ import annotations

import itertools
import random

import pytest

from gpucomp.arith import (
    IntSet,
    deduce_bound,
    detect_clip_bound,
    detect_linear_equation,
)
from gpucomp.arith.int_set import is_infinite
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir.expr import Expr, IntImm, IterVar, Range, SizeVar, Var
from tests.arith.evaluate import evaluate

X, J, K, N = Var("i"), Var("j"), Var("k"), Var("n")


def texts(items: list[Expr] | list[Expr | None]) -> list[str]:
    return [str(x) for x in items]


def test_linear_equations_give_coefficients_and_base() -> None:
    assert texts(detect_linear_equation(X * 8 + J * 2 + 5, [X, J])) == ["8", "2", "5"]
    assert texts(detect_linear_equation((X + J) * 4 - X, [X, J])) == ["3", "4", "0"]
    assert texts(detect_linear_equation(X * N + J + K // 2, [X, J])) == ["n", "1", "k // 2"]
    assert texts(detect_linear_equation(X * N + X * 2, [X])) == ["n + 2", "0"]
    assert texts(detect_linear_equation(J + 3, [X])) == ["0", "j + 3"]
    assert texts(detect_linear_equation(J + 3, [])) == ["j + 3"]
    axis = IterVar(Range(0, 4), "axis", IterVar.DataPar)
    assert texts(detect_linear_equation(axis * 2 + 1, [axis])) == ["2", "1"]


@pytest.mark.parametrize("node", [X // 2, X * J, X * X, operators.minimum(X, 3), X % 4 + X], ids=str)
def test_what_is_not_linear_gives_no_coefficients(node: Expr) -> None:
    assert detect_linear_equation(node, [X, J]) == []


def test_clip_bounds_of_conjunctions() -> None:
    assert texts(detect_clip_bound(e.And(X < N, X >= J + 1), [X])) == ["j + 1", "n - 1"]
    assert texts(detect_clip_bound(e.And(X < N, e.And(J >= 2, X < 9)), [X, J])) == [
        "None",
        "T.min(8, n - 1)",
        "2",
        "None",
    ]
    assert texts(detect_clip_bound(intrin.likely(X * 4 < N), [X])) == ["None", "(n + 3) // 4 - 1"]
    assert detect_clip_bound(X < J, [X, J]) == []
    assert detect_clip_bound(e.Or(X < 3, X > 5), [X]) == []
    assert detect_clip_bound(K < 3, [X]) == []


def holds_exactly_on(found: IntSet, condition: Expr, relaxed: dict[Var, range], params: dict[Var, int]) -> bool:
    """True if the set contains i exactly where the condition holds for all relaxed values."""
    low = -10_000 if is_infinite(found.min_value) else evaluate(found.min_value, params)
    high = 10_000 if is_infinite(found.max_value) else evaluate(found.max_value, params)
    names = list(relaxed)
    for i in range(-40, 41):
        holds = all(
            evaluate(condition, {**params, **dict(zip(names, values, strict=True)), X: i})
            for values in itertools.product(*relaxed.values())
        )
        if holds != (low <= i <= high):
            return False
    return True


DEDUCIBLE = [
    X * 8 + J < N,
    X * 8 + J >= K,
    X * 8 - J < N,
    X * -3 + J < N,
    (X * 8 + J) // 4 < N,
    (X - 1) // 4 >= K,
    (X // 3) // 2 <= K + J,
    e.And(X * 8 + J < N, X * 2 + K >= 5),
    e.EQ(X, K + 2),
    N > X + J * 2,
    X + 3 < operators.minimum(N, 10),
    X * 4 + J * 3 - K <= 7,
]


@pytest.mark.parametrize("condition", DEDUCIBLE, ids=str)
def test_deduced_bounds_are_the_whole_solution(condition: Expr) -> None:
    found = deduce_bound(X, condition, {}, {J: Range(1, 8)})
    assert not found.is_nothing()
    rng = random.Random(7)
    for _ in range(6):
        params = {N: rng.randint(-30, 60), K: rng.randint(-9, 9)}
        assert holds_exactly_on(found, condition, {J: range(1, 8)}, params), (found, params)


def test_a_positive_symbolic_coefficient_is_divided_out() -> None:
    size = SizeVar("size")
    found = deduce_bound(X, X * size < N, {size: IntSet(1, 64)}, {})
    for extent, n in itertools.product((1, 3, 8), (-5, 0, 7, 24)):
        params = {size: extent, N: n}
        assert holds_exactly_on(found, X * size < N, {}, params)


@pytest.mark.parametrize("condition", [J < 3, X * X < 4, e.Or(X < 3, X > 8), X * N < 4, e.NE(X, J), X % 4 < 2], ids=str)
def test_what_cannot_be_solved_gives_the_empty_set(condition: Expr) -> None:
    assert deduce_bound(X, condition, {}, {}).is_nothing()


def test_conditions_that_always_or_never_hold() -> None:
    assert deduce_bound(X, e.And(IntImm("bool", 1), X - X < 1), {}, {}).is_everything()
    assert deduce_bound(X, X < X, {}, {}).is_nothing()
    assert deduce_bound(X, e.And(X < 3, X > 5), {}, {}).is_nothing()


def test_an_unbounded_relaxed_variable_leaves_no_solution() -> None:
    assert deduce_bound(X, X + J < N, {}, {J: IntSet.everything()}).is_nothing()
