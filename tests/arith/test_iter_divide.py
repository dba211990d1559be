"""Division and inversion of iterator maps, checked by enumeration."""

from __future__ import annotations

import random

from gpucomp.arith import (
    IterMapLevel,
    IterMark,
    IterSumExpr,
    detect_iter_map,
    inverse_affine_iter_map,
    normalize_iter_map_to_expr,
    subspace_divide,
)
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, Range, SizeVar, Var
from gpucomp.tir.functor import free_vars
from tests.arith.evaluate import evaluate
from tests.arith.test_iter_map import TRUE, Iters, points, random_nest

X, J, K = Var("i"), Var("j"), Var("k")
N = SizeVar("n")


def value(mark: IterMark) -> Expr:
    """The expression of a mark of a division."""
    assert isinstance(mark.source, IterSumExpr)
    return normalize_iter_map_to_expr(mark.source)


def verify(
    pairs: list[list[IterMark]],
    bindings: list[Expr],
    iters: Iters,
    inner: list[Var],
    predicate: Expr = TRUE,
    parameters: dict[Var, int] | None = None,
) -> None:
    """Each binding is outer * extent + inner, the inner one within its extent, and the predicate is the conjunction."""
    assert len(pairs) == len(bindings) + 1
    outer_predicate, inner_predicate = [mark.extent for mark in pairs[-1]]
    assert free_vars(outer_predicate).isdisjoint(inner)
    known = parameters or {}
    for high, low in pairs[:-1]:
        assert free_vars(value(high)).isdisjoint(inner)
        assert free_vars(value(low)) & iters.keys() <= set(inner)
    for point in points(iters, TRUE, known):
        allowed = evaluate(outer_predicate, point) and evaluate(inner_predicate, point)
        assert allowed == bool(evaluate(predicate, point))
        if not allowed:
            continue
        for (high, low), binding in zip(pairs, bindings, strict=False):
            x, y, size = [evaluate(v, point) for v in (value(high), value(low), low.extent)]
            assert evaluate(binding, point) == x * size + y


def divide(
    bindings: list[Expr],
    iters: Iters,
    inner: list[Var],
    predicate: Expr = TRUE,
    parameters: dict[Var, int] | None = None,
) -> list[list[IterMark]]:
    """A division that must exist."""
    pairs = subspace_divide(bindings, iters, inner, predicate)
    assert pairs
    verify(pairs, bindings, iters, inner, predicate, parameters)
    return pairs


def test_a_fused_index_divides_at_the_inner_loop() -> None:
    iters = {X: Range(0, 4), J: Range(0, 6), K: Range(0, 8)}
    ((outer, inner), _) = divide([(X * 6 + J) * 8 + K], iters, [K])
    assert (str(value(outer)), str(outer.extent), str(value(inner)), str(inner.extent)) == ("i * 6 + j", "24", "k", "8")
    ((outer, inner), _) = divide([(X * 6 + J) * 8 + K], iters, [J, K])
    assert (str(outer.extent), str(inner.extent)) == ("4", "48")
    pairs = divide([X * 8 + K, J], iters, [K, J])
    assert [str(low.extent) for _, low in pairs[:-1]] == ["8", "6"]
    divide([X * 8 + K + 3, J * 2 + 1], iters, [K])
    divide([(X * 8 + K) // 4, (X * 8 + K) % 4], {X: Range(0, 4), K: Range(0, 8)}, [K])
    divide([(X * 6 + J) // 4, (X * 6 + J) % 4], {X: Range(0, 4), J: Range(0, 6)}, [X, J])


def test_what_the_inner_loops_do_not_own_is_refused() -> None:
    iters = {X: Range(0, 4), J: Range(0, 6), K: Range(0, 8)}
    assert subspace_divide([(X * 6 + J) * 8 + K], iters, [J]) == []
    assert subspace_divide([X * 6 + J], iters, [X]) == []
    assert subspace_divide([(X * 6 + J) // 4], iters, [J]) == []
    assert subspace_divide([X * 12 + J * 2], iters, [J]) == []


def test_a_guard_goes_to_the_side_it_is_about() -> None:
    iters = {X: Range(0, 4), J: Range(0, 6), K: Range(0, 8)}
    pairs = divide([(X * 6 + J) * 8 + K], iters, [K], X * 6 + J < 20)
    assert [str(m.extent) for m in pairs[-1]] == ["i * 6 + j < 20", "True"]
    pairs = divide([X * 8 + K, J], iters, [K, J], e.And(X * 8 + K < 29, J < 5))
    assert str(pairs[-1][0].extent) == "True"
    pairs = divide([X * 8 + K, J], iters, [K, J], e.And(X < 3, J < 5))
    assert [str(m.extent) for m in pairs[-1]] == ["i < 3", "j < 5"]


def test_symbolic_extents_divide() -> None:
    for n in (1, 6, 11):
        iters = {X: Range(0, (N + 3) // 4), J: Range(0, 4)}
        divide([X * 4 + J], iters, [J], X * 4 + J < N, {N: n})
        divide([X * N + J], {X: Range(0, 4), J: Range(0, N)}, [J], TRUE, {N: n})


def test_random_schedules_divide_at_their_innermost_loops() -> None:
    rng = random.Random(9)
    divided = 0
    for _ in range(60):
        bindings, iters, predicate = random_nest(rng)
        inner = [v for v in iters if rng.random() < 0.5]
        pairs = subspace_divide(bindings, iters, inner, predicate)
        if pairs:
            verify(pairs, bindings, iters, inner, predicate)
            divided += 1
    assert divided > 15


def test_the_inverse_gives_the_iterators_back() -> None:
    rng = random.Random(17)
    for _ in range(40):
        indices, iters, predicate = random_nest(rng)
        found = detect_iter_map(indices, iters, predicate, IterMapLevel.Bijective)
        outputs = [Var(f"o{i}") for i in range(len(indices))]
        inverse = inverse_affine_iter_map(found.indices, outputs)
        for point in points(iters, predicate, {}):
            image = {o: evaluate(x, point) for o, x in zip(outputs, indices, strict=True)}
            for var, expression in inverse.items():
                assert evaluate(expression, image) == point[var], (indices, iters, var, expression)
        left_out = [v for v in iters if v not in inverse]
        assert all(str(iters[v].extent) == "1" or predicate is not TRUE for v in left_out)


def test_the_inverse_of_moved_and_scaled_iterators() -> None:
    iters = {X: Range(2, 6), J: Range(0, 8)}
    indices: list[Expr] = [J % 4 * 3 + 5, X * 2 + J // 4 - 1]
    found = detect_iter_map(indices, iters, check_level="bijective")
    x, y = Var("x"), Var("y")
    inverse = inverse_affine_iter_map(found.indices, [x, y])
    for point in points(iters, TRUE, {}):
        image = {x: evaluate(indices[0], point), y: evaluate(indices[1], point)}
        assert {v: evaluate(inverse[v], image) for v in iters} == {v: point[v] for v in iters}
