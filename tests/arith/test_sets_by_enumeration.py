"""Interval sets, linear forms, clip bounds and deduced bounds against enumeration, or isl where it is exact."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Mapping
from typing import Any  # values of columns

import pytest

from gpucomp.arith import (
    NEG_INF,
    POS_INF,
    IntervalSet,
    IntSet,
    deduce_bound,
    detect_clip_bound,
    detect_linear_equation,
    eval_set,
    intersect,
    poly,
    union,
)
from gpucomp.arith.int_set import is_infinite
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IntImm, Range, Var
from gpucomp.tir.functor import free_vars
from tests.arith.points import Points
from tests.arith.random_cases import Draw

X, J, K, P, Q = (Var(n) for n in "xjkpq")
_FAR = 10**6


def grid(values: Mapping[Var, Iterable[int]]) -> Points:
    """All combinations of the values."""
    rows = list(itertools.product(*values.values()))
    return Points({v: [row[i] for row in rows] for i, v in enumerate(values)}, len(rows))


def ends(found: IntSet, points: Points) -> list[tuple[Any, Any]]:
    """Both ends at each point; infinite ones far away, None where there is a division by zero."""
    low = [-_FAR] * points.count if is_infinite(found.min_value) else points.of(found.min_value)
    high = [_FAR] * points.count if is_infinite(found.max_value) else points.of(found.max_value)
    return list(zip(low, high, strict=True))


def drawn(rng: random.Random, leaves: list[Var], depth: int) -> Expr:
    """A random integer expression."""
    draw = Draw(str(rng.random()))
    draw.leaves = list(leaves)
    return draw.integer(depth)


def affine(rng: random.Random, leaves: list[Var]) -> Expr:
    """A random affine expression."""
    total: Expr = IntImm("int32", rng.randint(-9, 9))
    for v in leaves:
        total = total + v * rng.choice((-5, -2, -1, 0, 1, 1, 2, 3, 8))
    return total


def end(rng: random.Random) -> Expr:
    """A finite end of a set with parameters."""
    return rng.choice(
        [P + rng.randint(-4, 4), Q * 2 - rng.randint(0, 3), P - Q, IntImm("int32", rng.randint(-6, 6)), P // 2 + Q]
    )


@pytest.mark.parametrize("seed", range(60))
def test_the_interval_of_an_expression_contains_its_values(seed: int) -> None:
    rng = random.Random(seed)
    low, extent, span = rng.randint(-3, 3), rng.choice((1, 3, 4, 8)), rng.choice((0, 2, 5))
    domains = {J: IntSet.from_range(Range(low, low + extent)), K: IntervalSet(P - 1, P + span)}
    linear = seed % 3 == 0
    node = affine(rng, [J, K, P, X]) if linear else drawn(rng, [J, K, P, X], 3)
    found = eval_set(node, domains)
    parameters = grid({P: (-5, -1, 0, 2, 7), X: (-4, 0, 3, 9)})
    for i, (first, last) in enumerate(ends(found, parameters)):
        p, x = parameters.columns[P][i], parameters.columns[X][i]
        inside = grid({J: range(low, low + extent), K: range(p - 1, p + span + 1), P: [p], X: [x]})
        values = [v for v in inside.of(node) if v is not None]
        if values and first is not None and last is not None:  # a division by zero may leave none
            assert first <= min(values), (node, found, p, x)
            assert max(values) <= last, (node, found, p, x)
        assert not linear or (first, last) == (min(values), max(values)), (node, found)
    assert {J, K}.isdisjoint(free_vars(found.min_value) | free_vars(found.max_value))


@pytest.mark.parametrize("seed", range(40))
def test_unions_contain_and_intersections_are_exact(seed: int) -> None:
    rng = random.Random(seed)
    sets = [
        IntervalSet(
            NEG_INF if rng.random() < 0.15 else end(rng),
            POS_INF if rng.random() < 0.15 else end(rng),
        )
        for _ in range(rng.randint(1, 4))
    ]
    sets += [IntSet.nothing()] * (rng.random() < 0.1)
    both, every = union(sets), intersect(sets)
    points = grid({P: range(-6, 7, 3), Q: range(-5, 6, 2)})
    parts = [ends(s, points) for s in sets if not s.is_nothing()]
    empty = len(parts) < len(sets)
    for i in range(points.count):
        intervals = [part[i] for part in parts]
        low, high = ends(both, points)[i] if not both.is_nothing() else (_FAR, -_FAR)
        for first, last in intervals:
            assert first > last or (low <= first and last <= high), (sets, both)
        if intervals and all([first <= last for first, last in intervals]):
            assert (low, high) == (min([a for a, _ in intervals]), max([z for _, z in intervals])), (sets, both)
        shared = (max([a for a, _ in intervals]), min([z for _, z in intervals])) if intervals else (1, 0)
        if every.is_nothing() or empty:
            assert empty or shared[0] > shared[1], (sets, every)
            assert every.is_nothing()
        else:
            assert ends(every, points)[i] == shared, (sets, every)


@pytest.mark.parametrize("stride", [-3, -1, 0, 1, 4, P, P - 2], ids=str)
def test_the_set_of_a_vector_reaches_from_its_least_lane_to_its_largest(stride: int | Expr) -> None:
    node = e.Ramp(X * 2 + 1, operators.convert(stride), 5)
    points = grid({X: range(-3, 4), P: range(-3, 5)})
    for lanes, found in zip(points.of(node), ends(IntSet.vector(node), points), strict=True):
        assert found == (min(lanes), max(lanes))
    found = eval_set(node, {X: Range(0, 3)})
    for i, (low, high) in enumerate(ends(found, grid({P: range(-3, 5)}))):
        values = [x for lanes in grid({X: range(3), P: [i - 3]}).of(node) for x in lanes]
        assert (low, high) == (min(values), max(values))
    assert IntSet.vector(e.Broadcast(X + 1, 4)).is_single_point()
    assert IntSet.single_point(X + 1).min_value is X + 1


@pytest.mark.parametrize("seed", range(60))
def test_a_linear_form_is_the_expression(seed: int) -> None:
    rng = random.Random(seed)
    if seed % 2:
        node = drawn(rng, [X, J, P], 3)
    else:
        node = affine(rng, [X, J, P]) + drawn(rng, [P, Q], 2) * rng.choice((X, J, IntImm("int32", 1)))
        node = node - (X + J * P) * rng.choice((0, 3))
    parts = detect_linear_equation(node, [X, J])
    if not parts:
        assert seed % 2, node  # the others are linear by the way they are made
        return
    a, b, base = parts
    assert {X, J}.isdisjoint(free_vars(a) | free_vars(b) | free_vars(base))
    points = grid(dict.fromkeys((X, J, P, Q), (-7, -2, 0, 1, 5)))
    for want, got in zip(points.of(node), points.of(a * X + b * J + base), strict=True):
        assert want is None or want == got, (node, parts)


def comparison(rng: random.Random, left: Expr, right: Expr) -> Expr:
    """One of the conditions that are solved for a variable."""
    kind = rng.choice((e.LT, e.LE, e.GT, e.GE, e.EQ))
    return kind(left, right) if rng.random() < 0.7 else kind(right, left)


@pytest.mark.parametrize("seed", range(40))
def test_clip_bounds_are_the_condition(seed: int) -> None:
    rng = random.Random(seed)
    items: list[Expr] = []
    for _ in range(rng.randint(1, 4)):
        v = rng.choice((X, J))
        left = rng.choice((v + rng.randint(-3, 3), v * rng.choice((-3, -1, 2, 4)) + P, (v * 2 + 1) // 3))
        items.append(comparison(rng, left, end(rng)))
    condition = items[0]
    for item in items[1:]:
        condition = e.And(condition, item)
    bounds = detect_clip_bound(condition, [X, J])
    points = grid({X: range(-14, 15, 2), J: range(-13, 14, 3), P: (-5, 0, 3), Q: (-2, 1, 4)})
    if not bounds:  # what is plainly false has none
        assert not any(points.of(condition)), condition
        return
    columns = [None if b is None else points.of(b) for b in bounds]
    for i, wanted in enumerate(points.of(condition)):
        x, j = points.columns[X][i], points.columns[J][i]
        low, high, first, last = (None if c is None else c[i] for c in columns)
        got = (low is None or low <= x) and (high is None or x <= high)
        got = got and (first is None or first <= j) and (last is None or j <= last)
        assert got == wanted, (condition, bounds)


@pytest.mark.parametrize("seed", range(50))
def test_deduced_bounds_are_what_isl_finds(seed: int) -> None:
    pytest.importorskip("islpy")
    rng = random.Random(seed)
    relaxed, hints = {J: Range(rng.randint(-2, 2), rng.randint(3, 9))}, {K: IntSet.from_range(Range(0, 6))}
    inner = X * rng.choice((-4, -1, 1, 2, 8)) + J * rng.choice((-3, 0, 1, 1, 2)) + K * rng.choice((0, 1))
    left = rng.choice((inner, inner // 4, (inner + 3) // 2 - P))
    condition = comparison(rng, left, rng.choice((P, P * 2 + K, IntImm("int32", 7), operators.minimum(P, K + 3))))
    found = deduce_bound(X, condition, hints, relaxed)
    assert J not in free_vars(found.min_value) | free_vars(found.max_value)
    ranges = {J: relaxed[J], K: Range(0, 6)}
    fails = poly.integer_set([X, J, K, P], [e.Not(condition)], ranges).project([X, K, P])
    every = poly.integer_set([X, K, P], [], {K: Range(0, 6)})
    if found.is_nothing():
        inside = poly.integer_set([X, K, P], [IntImm("int32", 0) > 0])
    else:
        limits = [] if is_infinite(found.min_value) else [X >= found.min_value]
        limits += [] if is_infinite(found.max_value) else [X <= found.max_value]
        inside = poly.integer_set([X, K, P], limits, {K: Range(0, 6)})
    assert (inside & fails).is_empty(), (condition, found)  # sound
    single = isinstance(condition, e.EQ) and J in free_vars(condition)
    if not single and not found.is_nothing():
        assert inside.same(every - fails), (condition, found)  # and nothing is left out
