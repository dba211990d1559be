"""Large and deep expressions: time stays linear, nothing hangs or hits the recursion limit."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from gpucomp.arith import Analyzer, IntSet, eval_set
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, Range, Var

_TERMS = 10_000


def _variables(count: int) -> list[Var]:
    return [Var(f"v{i}") for i in range(count)]


def _chain(items: list[Expr], join: Callable[[Expr, Expr], Expr]) -> Expr:
    total = items[0]
    for item in items[1:]:
        total = join(total, item)
    return total


def test_a_sum_of_ten_thousand_terms_is_its_own_simplification() -> None:
    node = _chain(list(_variables(_TERMS)), e.Add)
    start = time.process_time()
    analyzer = Analyzer()
    assert analyzer.simplify(node) is node
    analyzer.const_int_bound(node)
    analyzer.modular_set(node)
    assert time.process_time() - start < 3


def test_terms_of_a_large_sum_cancel() -> None:
    items: list[Expr] = list(_variables(_TERMS))
    node = _chain(items, e.Add) - _chain(items[::-1], e.Add) + 7
    assert str(Analyzer().simplify(node)) == "7"


def test_a_large_sum_takes_time_in_proportion_to_its_length() -> None:
    def seconds(count: int) -> float:
        times: list[float] = []
        for _ in range(3):  # the collector of garbage may go over all that a worker holds in one of them
            node = _chain([v % 4 for v in _variables(count)], e.Add)
            start = time.process_time()
            Analyzer().simplify(node < 100)
            times.append(time.process_time() - start)
        return min(times)

    assert seconds(8000) < 40 * max(seconds(1000), 1e-3)  # quadratic growth would be 64-fold


def test_a_doubled_sum_of_depth_a_thousand_is_visited_once_per_node() -> None:
    x, y = Var("x"), Var("y")
    node: Expr = x
    for _ in range(25):
        node = node + node
    assert str(Analyzer().simplify(node)) == "x * 33554432"
    node = x
    for _ in range(1000):
        node = e.Min(e.Max(node, y), node)
    assert Analyzer().simplify(node) is x


@pytest.mark.parametrize("join", [e.Add, e.Mul, e.Min, e.FloorDiv], ids=lambda c: c.__name__)
def test_chains_of_every_operator_end(join: Callable[[Expr, Expr], Expr]) -> None:
    items: list[Expr] = list(_variables(3000))
    node = _chain(items, join)
    start = time.process_time()
    analyzer = Analyzer()
    analyzer.simplify(node)
    analyzer.const_int_bound(node)
    analyzer.modular_set(node)
    assert time.process_time() - start < 3


def test_a_deep_chain_of_conditions_ends() -> None:
    items = [v < 10 for v in _variables(3000)]
    node = _chain(list(items), e.And)
    assert Analyzer().simplify(e.Or(node, items[0])) is not None
    x = Var("x")
    choice: Expr = x
    for i, condition in enumerate(items):
        choice = e.Select(condition, choice, x + i)
    assert Analyzer().const_int_bound(Analyzer().simplify(choice)).min_value < 0


def test_interval_evaluation_of_a_large_sum_is_exact() -> None:
    variables = _variables(2000)
    node = _chain(list(variables), e.Add)
    found = eval_set(node, {v: Range(0, 2) for v in variables})
    assert isinstance(found, IntSet)
    assert str(found) == "IntervalSet[0, 2000]"


def test_squares_of_squares_stay_small() -> None:
    x = Var("x")
    node: Expr = x + 1
    for _ in range(30):
        node = node * node
    start = time.process_time()
    Analyzer().simplify(node)
    assert time.process_time() - start < 1


def test_sums_simplified_one_after_the_other_do_not_go_quadratic() -> None:
    analyzer = Analyzer()
    total: Expr = Var("start")
    start = time.process_time()
    for v in _variables(3000):
        total = analyzer.simplify(total + v)
    assert time.process_time() - start < 4
