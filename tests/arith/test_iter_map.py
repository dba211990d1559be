"""Iterator maps: every claim of a detected map is checked by enumeration."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from gpucomp.arith import (
    IterMapLevel,
    IterMapResult,
    IterSumExpr,
    detect_iter_map,
    iter_map_simplify,
    normalize_iter_map_to_expr,
    normalize_to_iter_sum,
)
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, IntImm, IterVar, Range, SizeVar, Var
from tests.arith.evaluate import evaluate

X, J, K, L = Var("i"), Var("j"), Var("k"), Var("l")
N = SizeVar("n")
Iters = dict[Var, Range]
TRUE = IntImm("bool", 1)


def points(iters: Iters, predicate: Expr, parameters: dict[Var, int]) -> Iterator[dict[Var, int]]:
    """The domain of a map."""
    spans: list[range] = []
    for domain in iters.values():
        low, extent = evaluate(domain.min, parameters), evaluate(domain.extent, parameters)
        spans.append(range(low, low + extent))
    for values in itertools.product(*spans):
        point = {**parameters, **dict(zip(iters, values, strict=True))}
        if evaluate(predicate, point):
            yield point


def box(sums: Sequence[IterSumExpr], parameters: dict[Var, int]) -> list[range]:
    """Values of each index that the digits allow."""
    spans: list[range] = []
    for total in sums:
        base = evaluate(total.base, parameters)
        if not total.args:
            spans.append(range(base, base + 1))
            continue
        (digit,) = total.args
        scale, extent = evaluate(digit.scale, parameters), evaluate(digit.extent, parameters)
        spans.append(range(base, base + scale * extent, scale))
    return spans


def verify(
    found: IterMapResult,
    indices: Sequence[Expr],
    iters: Iters,
    predicate: Expr = TRUE,
    level: IterMapLevel = IterMapLevel.Surjective,
    parameters: dict[Var, int] | None = None,
) -> None:
    """Check a map that was found against the enumerated domain."""
    known = parameters or {}
    forms = [normalize_iter_map_to_expr(x) for x in found.indices]
    images: Counter[tuple[int, ...]] = Counter()
    for point in points(iters, predicate, known):
        image = tuple([evaluate(x, point) for x in indices])
        assert image == tuple([evaluate(x, point) for x in forms]), (forms, point)
        assert not evaluate(found.padding_predicate, point)
        images[image] += 1
    whole = set(itertools.product(*box(found.indices, known)))
    assert set(images) <= whole
    if level is IterMapLevel.NoCheck or not images:
        return
    if isinstance(found.padding_predicate, IntImm):
        assert set(images) == whole, (whole - set(images), found)
    else:
        assert level is IterMapLevel.Surjective
    if level is IterMapLevel.Bijective:
        assert set(images.values()) == {1}, images.most_common(3)


def detect(
    indices: Sequence[Expr],
    iters: Iters,
    predicate: Expr = TRUE,
    level: IterMapLevel = IterMapLevel.Bijective,
    parameters: dict[Var, int] | None = None,
) -> IterMapResult:
    """Detect a map that must be one, and verify it."""
    found = detect_iter_map(indices, iters, predicate, level)
    assert found.indices, found.errors
    verify(found, indices, iters, predicate, level, parameters)
    return found


def fails(indices: Sequence[ExprLike], iters: Iters, predicate: Expr = TRUE, level: str = "bijective") -> str:
    """Why a map is none of this level."""
    found = detect_iter_map(indices, iters, predicate, level)
    assert not found.indices
    assert found.errors
    return found.errors[0]


def test_fused_loops_are_one_digit() -> None:
    found = detect([X * 8 + J], {X: Range(0, 8), J: Range(0, 8)})
    (digit,) = found.indices[0].args
    assert (str(digit.extent), str(digit.scale), str(digit.lower_factor)) == ("64", "1", "1")
    detect([(X * 8 + J) // 4, (X * 8 + J) % 4], {X: Range(0, 4), J: Range(0, 8)})
    detect([(X * 6 + J) // 4, (X * 6 + J) % 4], {X: Range(0, 4), J: Range(0, 6)})
    detect([X // 4 * 4 + X % 4], {X: Range(0, 8)})
    detect([J * 3 + K + 7, X * 2 + 1], {X: Range(0, 4), J: Range(2, 5), K: Range(0, 3)})


def test_a_guard_of_an_uneven_split_narrows_the_fused_loop() -> None:
    iters = {X: Range(0, 8), J: Range(0, 8)}
    found = detect([X * 8 + J], iters, X * 8 + J < 60)
    assert str(found.indices[0].args[0].extent) == "60"
    detect([(X * 8 + J) // 5, (X * 8 + J) % 5], iters, X * 8 + J < 60)
    detect([(X * 8 + J) * 3 + K], {**iters, K: Range(0, 3)}, X * 8 + J < 60)
    detect([X * 8 + J], iters, e.And(X * 8 + J < 60, X * 8 + J >= 3))
    detect([X, J], iters, X * 8 + J < 48)
    detect([J * 4 + X - 4], iters, e.And(J < 5, X >= 4))
    nested = {X: Range(0, 3), J: Range(0, 4), K: Range(0, 8)}
    detect([(X * 4 + J) * 8 + K], nested, e.And(X * 4 + J < 10, (X * 4 + J) * 8 + K < 77))
    detect([X * 2 + J - 3], {X: Range(0, 4), J: Range(0, 2)}, e.EQ(X * 2 + J, 5))


def test_symbolic_extents() -> None:
    for n in (1, 5, 8, 13):
        known: dict[Var, int] = {N: n}
        outer = Range(0, (N + 7) // 8)
        detect([X * 8 + J], {X: outer, J: Range(0, 8)}, X * 8 + J < N, parameters=known)
        detect([X * 24 + J * 3 + K], {X: outer, J: Range(0, 8), K: Range(0, 3)}, X * 8 + J < N, parameters=known)
        detect([X * N + J], {X: Range(0, 8), J: Range(0, N)}, parameters=known)
        detect([(X * N + J) // N, (X * N + J) % N], {X: Range(0, 8), J: Range(0, N)}, parameters=known)
        detect([X + N * 2], {X: Range(N, N + 4)}, parameters=known)


def test_what_is_not_bijective_is_refused_with_a_reason() -> None:
    iters = {X: Range(0, 8), J: Range(0, 8)}
    assert "overlap" in fails([X + J], iters, level="surjective")
    assert "overlap" in fails([X, X], {X: Range(0, 8)}, level="surjective")
    assert "j occurs in no index" in fails([X], iters)
    assert "does not divide" in fails([X // 3, X % 3], {X: Range(0, 8)})
    assert "overlap" in fails([X // 4, X // 2], {X: Range(0, 8)}, level="surjective")
    assert "multiplies" in fails([X * J], iters)
    assert "may not be positive" in fails([X // N], {X: Range(0, 8)})
    assert "predicate" in fails([X, J], iters, X * 8 + J < 60, "surjective")
    assert "overlap" in fails([X * 8 + J], iters, X + J < 3, "surjective")
    assert "never true" in fails([X], {X: Range(0, 8)}, X >= 9)
    assert "bound" in fails([X], {X: Range(0, 8)}, e.Or(X < 2, X > 5))
    assert "4 of its 8" in fails([X % 4], {X: Range(0, 8)})
    assert "sum" in fails([operators.minimum(X, 3)], {X: Range(0, 8)})


def test_levels_ask_for_less_and_less() -> None:
    iters = {X: Range(0, 8), J: Range(0, 4)}
    detect([X % 4], iters, level=IterMapLevel.Surjective)
    detect([X // 4, J * 2], iters, level=IterMapLevel.Surjective)
    detect([X, X // 2], iters, level=IterMapLevel.NoCheck)
    assert IterMapLevel.from_str("surjective") is IterMapLevel.Surjective
    with pytest.raises(ValueError):
        IterMapLevel.from_str("injective")


@pytest.mark.parametrize(("low", "high", "factor"), [(0, 10, 4), (2, 10, 4), (6, 10, 8), (3, 17, 5)])
def test_padding_says_which_values_are_not_real(low: int, high: int, factor: int) -> None:
    """The padded iterator reaches every element of the box once, and the predicate is false on the real ones."""
    iters = {X: Range(low, high)}
    indices = [X // factor, X % factor]
    found = detect_iter_map(indices, iters, simplify_trivial_iterators=False)
    assert found.indices, found.errors
    verify(found, indices, iters)
    start, end = low // factor * factor, -(-high // factor) * factor
    images = [tuple([evaluate(x, {X: i}) for x in indices]) for i in range(start, end)]
    assert sorted(images) == sorted(itertools.product(*box(found.indices, {})))
    for i in range(start, end):
        assert evaluate(found.padding_predicate, {X: i}) == (not low <= i < high)
    assert "divide" in fails(indices, iters) or "starts" in fails(indices, iters)


def test_padding_of_two_divisors_is_their_common_multiple() -> None:
    iters = {X: Range(0, 10)}
    found = detect([X // 4 // 3, X // 4 % 3, X % 4], iters, level=IterMapLevel.Surjective)
    assert [r.stop for r in box(found.indices, {})] == [1, 3, 4]


def test_a_trivial_iterator_is_its_value_or_stays() -> None:
    iters = {X: Range(3, 4), J: Range(0, 8)}
    assert len(detect([X, J], iters).indices[0].args) == 0
    kept = detect_iter_map([X, J], iters, True, "bijective", simplify_trivial_iterators=False)
    assert len(kept.indices[0].args) == 1


def test_axes_may_be_iterators() -> None:
    axis = IterVar(Range(0, 8), "axis", IterVar.DataPar)
    found = detect_iter_map([axis.var // 4, axis.var % 4], {axis: Range(0, 8)}, check_level="bijective")
    assert found.indices


def random_nest(rng: random.Random) -> tuple[list[Expr], Iters, Expr]:
    """Indices of tensor axes in terms of the leaves of random splits and fuses, as schedules make them, and guards."""
    count = rng.randint(1, 3)
    extents = [rng.randint(1, 9) for _ in range(count)]
    leaves: list[int] = list(extents)
    values: list[Expr] = []
    guards: list[Expr] = []
    iters: Iters = {}

    def leaf(extent: int) -> Var:
        var = Var(f"v{len(iters)}")
        iters[var] = Range(0, extent)
        return var

    def axis(extent: int, depth: int) -> Expr:
        """An expression that runs over [0, extent) exactly once."""
        if depth == 0 or rng.random() < 0.3:
            return leaf(extent)
        factor = rng.choice([2, 3, 4, 5])
        outer = axis(-(-extent // factor), depth - 1)
        inner = axis(factor, depth - 1)
        value = outer * factor + inner
        if extent % factor:
            guards.append(value < extent)
        return value

    while leaves:
        if len(leaves) >= 2 and rng.random() < 0.5:
            a, b = leaves.pop(), leaves.pop()
            fused = axis(a * b, 2)
            values += [fused // b, fused % b]
        else:
            values.append(axis(leaves.pop(), 2))
    predicate: Expr = TRUE
    for g in guards:
        predicate = g if predicate is TRUE else e.And(predicate, g)
    return values, iters, predicate


def test_axes_of_random_schedules_are_bijective() -> None:
    """Splits with guards and fuses: every such nest is recognised, as bijective."""
    rng = random.Random(5)
    guarded = 0
    for _ in range(80):
        indices, iters, predicate = random_nest(rng)
        detect(indices, iters, predicate)
        guarded += predicate is not TRUE
    assert guarded > 20


def random_index(rng: random.Random, variables: list[Var], depth: int) -> Expr:
    kind = rng.random()
    if depth == 0 or kind < 0.2:
        return rng.choice(variables)
    if kind < 0.5:
        return random_index(rng, variables, depth - 1) * rng.choice([1, 2, 3, 4, 8]) + random_index(
            rng, variables, depth - 1
        )
    if kind < 0.65:
        return random_index(rng, variables, depth - 1) + rng.randint(-3, 5)
    divide = operators.floordiv if kind < 0.83 else operators.floormod
    return divide(random_index(rng, variables, depth - 1), rng.choice([2, 3, 4, 6, 8]))


def test_claims_about_random_indices_hold() -> None:
    """Most of these are no maps; those that are accepted must be what is claimed."""
    rng = random.Random(23)
    accepted: Counter[IterMapLevel] = Counter()
    padded = 0
    for _ in range(1500):
        variables = [X, J, K][: rng.randint(1, 3)]
        iters = {
            v: Range.from_min_extent(rng.choice([0, 0, 0, 1, 2]), rng.choice([1, 2, 3, 4, 6, 8])) for v in variables
        }
        indices = [random_index(rng, variables, rng.randint(0, 3)) for _ in range(rng.randint(1, 3))]
        predicate: Expr = TRUE
        if rng.random() < 0.4:
            left = random_index(rng, variables, rng.randint(0, 2))
            predicate = rng.choice([e.LT, e.GE, e.LE])(left, IntImm("int32", rng.randint(1, 20)))
        level = rng.choice(list(IterMapLevel))
        found = detect_iter_map(indices, iters, predicate, level)
        if found.indices:
            verify(found, indices, iters, predicate, level)
            accepted[level] += 1
            padded += not isinstance(found.padding_predicate, IntImm)
    assert min(accepted.values()) > 40
    assert padded > 20


def test_simplified_indices_are_equal_where_the_predicate_holds() -> None:
    rng = random.Random(31)
    for _ in range(150):
        variables = [X, J]
        iters = {X: Range(0, rng.choice([2, 4, 6])), J: Range(0, rng.choice([3, 4, 8]))}
        indices = [random_index(rng, variables, 3) for _ in range(2)]
        simple = iter_map_simplify(indices, iters)
        for point in points(iters, TRUE, {}):
            assert [evaluate(x, point) for x in indices] == [evaluate(x, point) for x in simple]


def test_simplifying_undoes_fuse_and_split() -> None:
    iters = {X: Range(0, 8), J: Range(0, 16)}
    fused = X * 16 + J
    assert [str(x) for x in iter_map_simplify([fused // 16, fused % 16], iters)] == ["i", "j"]
    assert [str(x) for x in iter_map_simplify([fused // 4 // 4, fused // 4 % 4 * 4 + fused % 4], iters)] == ["i", "j"]


def test_sums_are_sorted_by_scale_and_keep_the_rest_in_the_base() -> None:
    iters = {X: Range(0, 8), J: Range(0, 16)}
    total = normalize_to_iter_sum(J + X * 64 + N + operators.minimum(X, 3), iters)
    assert [str(a.scale) for a in total.args] == ["64", "1"]
    assert str(total.base) == "n + T.min(i, 3)"
    overlapping = normalize_to_iter_sum(X + J * 2 + X // 2 * 4, iters)
    for point in points(iters, TRUE, {}):
        assert evaluate(normalize_iter_map_to_expr(overlapping), point) == evaluate(X + J * 2 + X // 2 * 4, point)
