"""Exact sets through isl: against enumeration, and as the judge of intervals, iterator maps and footprints."""

from __future__ import annotations

import builtins
import itertools
import random
import sys
from typing import Any  # arguments of an import

import pytest

from gpucomp import te
from gpucomp.arith import domain_touched, estimate_region_strict_bound, poly
from gpucomp.support.diagnostics import LowerError
from gpucomp.tir import decl_buffer, operators
from gpucomp.tir import expr as e
from gpucomp.tir import stmt as s
from gpucomp.tir.expr import Expr, IntImm, Range, Var
from tests.arith.evaluate import evaluate
from tests.arith.test_iter_map import TRUE, Iters, points, random_index

X, J, K, N = Var("i"), Var("j"), Var("k"), Var("n")


def test_conditions_mean_what_they_say() -> None:
    rng = random.Random(3)
    for _ in range(80):
        left, right = random_index(rng, [X, J], 3), random_index(rng, [X, J], 2)
        condition = rng.choice([e.LT, e.LE, e.GT, e.GE, e.EQ, e.NE])(left, right)
        if rng.random() < 0.5:
            other = operators.truncdiv(right - 3, 2) < operators.minimum(left, e.Select(X < J, X, J * 2))
            condition = rng.choice([e.And, e.Or])(condition, e.Not(other))
        iters = {X: Range(-3, 6), J: Range(-2, 4)}
        found = poly.integer_set([X, J], [condition], iters)
        wanted = list(points(iters, condition, {}))
        assert found.count() == len(wanted)
        assert all([found.contains(p) for p in wanted])


def test_sets_combine_exactly() -> None:
    box = {X: Range(0, 8), J: Range(0, 8)}
    low, high = poly.integer_set([X, J], [X <= J], box), poly.integer_set([X, J], [X >= J], box)
    assert (low | high).same(poly.integer_set([X, J], [], box))
    assert (low & high).count() == 8
    assert (low - high).count() == 28
    assert low <= (low | high)
    assert not (low | high) <= low
    assert (low & (high - low)).is_empty()
    assert low.project([J]).box() == [(0, 7)]
    strided = poly.integer_set([X], [e.EQ(X % 3, 1)], {X: Range(0, 20)})
    assert (strided.count(), strided.box()) == (7, [(1, 19)])


def test_parameters_stay_symbolic() -> None:
    inside = poly.integer_set([X], [X * 8 + J < N], {X: Range(0, 8), J: Range(0, 8)})
    assert inside.contains({X: 3, J: 2, N: 27})
    assert not inside.contains({X: 3, J: 2, N: 26})
    assert not inside.is_empty()
    assert inside.box() is None or inside.box() == [(0, 7)]
    with pytest.raises(LowerError, match="parameters"):
        inside.count()
    with pytest.raises(LowerError, match="infinitely"):
        poly.integer_set([X], [X > 3]).count()
    with pytest.raises(LowerError, match="dimensions"):
        _ = inside | poly.integer_set([X, J])


def test_parameters_of_two_sets_are_told_apart_by_variable() -> None:
    other = Var("n")  # of the same name
    first = poly.integer_set([X], [X < N, X >= K], {K: Range(0, 4)})
    second = poly.integer_set([X], [K <= X, X < N, K >= 0, K < 4])
    assert first.same(second)
    assert not first.same(poly.integer_set([X], [K <= X, X < other, K >= 0, K < 4]))
    assert (first - second).is_empty()
    both = first & poly.integer_set([X], [X < other])
    assert both.contains({X: 3, N: 9, K: 0, other: 4})
    assert not both.contains({X: 3, N: 9, K: 0, other: 3})


@pytest.mark.parametrize("node", [X * J < 3, X // J < 3, X % N < 2, e.LT(te.exp(e.Cast("float32", X)), 1.0)], ids=str)
def test_what_is_not_affine_is_refused(node: Expr) -> None:
    with pytest.raises(poly.NotAffine):
        poly.integer_set([X, J], [node])


def test_exact_estimates_of_regions_are_what_isl_finds() -> None:
    rng = random.Random(29)
    exact = 0
    for _ in range(60):
        variables = [X, J, K][: rng.randint(1, 3)]
        iters: Iters = {v: Range.from_min_extent(rng.choice([0, 1]), rng.choice([2, 3, 4, 6])) for v in variables}
        index, size = random_index(rng, variables, 2), rng.choice([1, 2, 3])
        bound = estimate_region_strict_bound([Range.from_min_extent(index, size)], iters)
        dim = Var("d")
        swept = poly.integer_set([dim, *variables], [dim >= index, dim < index + size], iters).project([dim])
        box = swept.box()
        assert box is not None
        if bound is not None:
            ends = evaluate(bound[0].min_value, {}), evaluate(bound[0].max_value, {})
            assert ends == box[0]
            assert swept.count() == ends[1] - ends[0] + 1
            exact += 1
    assert exact > 15


A = decl_buffer((40, 40), "float32", "A")
B = decl_buffer((40,), "int32", "B")


def loop(var: Var, low: Expr | int, extent: Expr | int, body: s.Stmt) -> s.Stmt:
    """A serial loop."""
    return s.For(var, low, extent, s.ForKind.SERIAL, body)


def test_footprints_are_exact_where_boxes_are_not() -> None:
    body = s.IfThenElse(J * 2 + X < 30, s.BufferStore(A, e.BufferLoad(A, (X, J)), (X * 2, J * 3)))
    nest = loop(X, 0, 12, loop(J, X, 4, body))
    inside = [(x, j) for x, j in itertools.product(range(12), range(40)) if x <= j < x + 4 and j * 2 + x < 30]
    assert poly.footprint(nest, A, loads=False).count() == len({(x * 2, j * 3) for x, j in inside})
    assert poly.footprint(nest, A, stores=False).count() == len(inside)
    both = {(x * 2, j * 3) for x, j in inside} | set(inside)
    found = poly.footprint(nest, A)
    assert found.count() == len(both)
    box = found.box()
    assert box is not None
    for (low, high), touched in zip(box, domain_touched(nest, A), strict=True):
        start = evaluate(touched.min, {})
        assert start <= low
        assert high < start + evaluate(touched.extent, {})


def test_vectors_and_names_have_footprints() -> None:
    lanes = s.BufferStore(B, e.Broadcast(IntImm("int32", 1), 4), (e.Ramp(X * 8, 2, 4),))
    assert poly.footprint(loop(X, 0, 3, lanes), B).count() == 12
    named = loop(X, 0, 5, s.LetStmt(J, X * 3, s.BufferStore(B, 1, (J + 1,))))
    assert poly.footprint(named, B).box() == [(1, 13)]


def test_coverage_of_a_buffer_by_uneven_tiles() -> None:
    store = s.BufferStore(B, 1, (X * 16 + J,))
    assert poly.covers(loop(X, 0, 3, loop(J, 0, 16, s.IfThenElse(X * 16 + J < 40, store))), B)
    assert not poly.covers(loop(X, 0, 3, loop(J, 0, 16, s.IfThenElse(X * 16 + J < 39, store))), B)
    assert poly.covers(loop(X, 0, 1, loop(J, 0, 16, store)), B, [Range(0, 16)])
    gather = s.BufferStore(B, 1, (e.BufferLoad(B, (X,)),))
    with pytest.raises(poly.NotAffine):
        poly.footprint(gather, B)


def test_without_islpy_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **named: Any) -> Any:
        if name == "islpy":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.delitem(sys.modules, "islpy", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(LowerError, match=r"gpucomp\[poly\]"):
        poly.integer_set([X], [TRUE])
