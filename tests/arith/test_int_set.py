"""Interval sets with symbolic ends."""

from __future__ import annotations

import pytest

from gpucomp.arith import NEG_INF, POS_INF, Analyzer, IntervalSet, IntSet, eval_set, intersect, union
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import Expr, IntImm, IterVar, Range, Select, SizeVar, Var

X, J, K, P = Var("i"), Var("j"), Var("k"), Var("p")
N = SizeVar("n")
A = decl_buffer((16,), "int32", "A")
DOMAINS = {J: Range(0, 8), K: IntervalSet(P, P + 3)}

EVALUATED = [
    (X * 8 + J, "[i * 8, i * 8 + 7]"),
    (X - J, "[i - 7, i]"),
    (J - J, "[0, 0]"),
    (X * 8 + J + K, "[i * 8 + p, i * 8 + p + 10]"),
    ((X * 8 + J) // 8, "[i, i]"),
    ((X * 8 + J) // 4, "[i * 2, i * 2 + 1]"),
    ((X * 8 + J) % 16, "[i % 2 * 8, i % 2 * 8 + 7]"),
    (J // 4 * 4 + J % 4, "[0, 7]"),
    (K // 4, "[p // 4, (p + 3) // 4]"),
    (K % 4, "[0, 3]"),
    (operators.minimum(X * 8 + J, N - 1), "[T.min(i * 8, n - 1), T.min(i * 8 + 7, n - 1)]"),
    (operators.maximum(J, 3), "[3, 7]"),
    (J * N, "[0, n * 7]"),
    (J * X, "[T.min(i, 0) * 7, T.max(i, 0) * 7]"),
    (J * J, "[0, 49]"),
    (Select(J < 3, X, X + J), "[i, i + 7]"),
    (J.astype("int64") * 4, "[T.int64(0), T.int64(28)]"),
    (e.Ramp(J, IntImm("int32", 2), 4), "[0, 13]"),
    (e.Broadcast(J + X, 4), "[i, i + 7]"),
    (J < 3, "[False, True]"),
    (X + 3, "[i + 3, i + 3]"),
    (A[J], "[neg_inf, pos_inf]"),
    (A[J] % 4, "[0, 3]"),
    (operators.minimum(A[J], X), "[neg_inf, i]"),
]


@pytest.mark.parametrize(("node", "text"), EVALUATED, ids=str)
def test_evaluation_over_ranges_and_sets(node: Expr, text: str) -> None:
    assert str(eval_set(node, DOMAINS)) == f"IntervalSet{text}"


def test_axes_and_an_analyzer_may_be_given() -> None:
    axis = IterVar(Range(0, 8), "axis", IterVar.DataPar)
    assert axis.dom is not None
    analyzer = Analyzer()
    analyzer.bind(X, Range(0, 4))
    found = analyzer.int_set(axis + X // 4, {axis: axis.dom})
    assert str(found) == "IntervalSet[0, 7]"
    assert eval_set(axis + 1, {axis: IntSet.single_point(X)}).is_single_point()


def test_a_quotient_by_a_symbolic_extent_needs_a_positive_one() -> None:
    rows = {J: Range.from_min_extent(X * N, N)}
    assert str(eval_set(J // N, rows)) == "IntervalSet[neg_inf, pos_inf]"
    analyzer = Analyzer()
    with analyzer.constraint_scope(N >= 1):
        assert str(eval_set(J // N, rows, analyzer)) == "IntervalSet[i, i]"
        assert str(eval_set(J % N, rows, analyzer)) == "IntervalSet[0, n - 1]"


def test_bounds_of_a_narrower_domain_are_not_mixed_in() -> None:
    analyzer = Analyzer()
    analyzer.bind(J, Range(0, 4))
    found = analyzer.int_set(operators.minimum(A[J], J * 0 + A[J]), {J: Range(0, 8)})
    assert not found.has_upper_bound()


def test_unions_and_intersections() -> None:
    left, right = IntervalSet(X * 8, X * 8 + 7), IntervalSet(X * 8 + 4, X * 8 + 11)
    assert str(union([left, right])) == "IntervalSet[i * 8, i * 8 + 11]"
    assert str(intersect([left, right])) == "IntervalSet[i * 8 + 4, i * 8 + 7]"
    assert str(union([left, IntSet.nothing()])) == "IntervalSet[i * 8, i * 8 + 7]"
    assert str(union([left, IntSet.everything()])) == "IntervalSet[neg_inf, pos_inf]"
    assert str(union([IntervalSet(0, X), IntervalSet(0, J)])) == "IntervalSet[0, T.max(i, j)]"
    assert str(intersect([IntervalSet(0, X), IntervalSet(NEG_INF, J)])) == "IntervalSet[0, T.min(i, j)]"
    assert intersect([IntervalSet(0, 3), IntervalSet(5, 9)]).is_nothing()
    assert intersect([left, IntSet.nothing()]).is_nothing()
    assert union([]).is_nothing()


def test_kinds_of_sets() -> None:
    assert IntSet.everything().is_everything()
    assert not IntSet.everything().has_lower_bound()
    assert IntSet.nothing().is_nothing()
    assert IntervalSet(3, 2).is_nothing()
    assert not IntervalSet(X, J).is_nothing()
    assert IntSet.single_point(X + 1).is_single_point()
    assert IntSet.from_range(Range(0, 1)).is_single_point()
    assert str(eval_set(J, {J: Range(X, X + 4)})) == "IntervalSet[i, i + 3]"
    assert str(IntSet.vector(e.Ramp(X, IntImm("int32", -2), 4))) == "IntervalSet[i + -6, i]"
    assert IntSet.vector(e.Broadcast(X, 4)).is_single_point()
    assert IntSet.vector(A[e.Ramp(X, IntImm("int32", 1), 4)]).is_everything()


def test_the_range_that_covers_a_set() -> None:
    covered = IntervalSet(X * 8, X * 8 + 7).cover_range()
    assert covered is not None
    assert str(covered.extent) == "8"
    fallback = Range(0, 3)
    assert IntervalSet(0, POS_INF).cover_range(fallback) is fallback
    assert IntervalSet(NEG_INF, 4).cover_range() is None
    point = IntSet.single_point(X).cover_range()
    assert point is not None
    assert str(point.extent) == "1"


def test_ends_that_do_not_fit_the_type_are_infinite() -> None:
    wide = Var("wide")
    found = eval_set(J * (2**30), {J: Range(0, 8), wide: Range(0, 2)})
    assert not found.has_upper_bound()
    assert str(found.min_value) == "0"
