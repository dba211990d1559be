"""Linear equations over the integers, against trying all candidates."""

from __future__ import annotations

import itertools
import random

import pytest

from gpucomp.arith import IntConstraints, IntConstraintsTransform, IntGroupBounds, solve_linear_equations
from gpucomp.arith.smith import Smith, identity, product
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, Range, Var
from tests.arith.evaluate import evaluate
from tests.arith.systems import Point, boxed, solutions

X, Y, Z, N, M = Var("x"), Var("y"), Var("z"), Var("n"), Var("m")
BIG = range(-40, 41)


def assert_same_solutions(found: IntConstraintsTransform, window: range, parameters: Point) -> int:
    """Each solution of one side leads to exactly one of the other, and back to itself."""
    src, dst = found.src, found.dst
    wanted = {tuple([p[v] for v in src.variables]) for p in solutions(src, window, parameters)}
    got: set[tuple[int, ...]] = set()
    for point in solutions(dst, BIG, parameters):
        old = {v: evaluate(found.src_to_dst[v], point) for v in src.variables}
        back = {n: evaluate(found.dst_to_src[n], {**parameters, **old}) for n in dst.variables}
        assert back == {n: point[n] for n in dst.variables}, found
        key = tuple([old[v] for v in src.variables])
        assert key not in got, found
        got.add(key)
    inside = {k for k in got if all(x in window for x in k)}
    assert inside == wanted, (found, parameters, inside ^ wanted)
    return len(wanted)


def test_smith_normal_form_of_random_matrices() -> None:
    rng = random.Random(3)
    for _ in range(150):
        rows, columns = rng.randint(1, 5), rng.randint(1, 5)
        a = [[rng.randint(-9, 9) * rng.randint(0, 1) for _ in range(columns)] for _ in range(rows)]
        s = Smith(a)
        assert product(product(s.left, a), s.right) == s.diagonal
        assert product(s.right, s.right_inverse) == identity(columns)
        entries = [s.diagonal[i][i] for i in range(min(rows, columns))]
        assert all(s.diagonal[i][j] == 0 for i in range(rows) for j in range(columns) if i != j)
        assert all(d > 0 for d in entries[: s.rank])
        assert not any(entries[s.rank :])
        assert all(b % a == 0 for a, b in itertools.pairwise(entries[: s.rank]))


def test_one_solution_needs_no_new_variable() -> None:
    found = solve_linear_equations([e.EQ(X + Y, 20), e.EQ(X - Y, 10)], [X, Y])
    assert (str(found.src_to_dst[X]), str(found.src_to_dst[Y])) == ("15", "5")
    assert found.dst.variables == []
    assert found.dst.relations == []


def test_ranges_of_new_variables_follow_from_old_ones() -> None:
    ranges = {X: Range.from_min_extent(-5, 10), Y: Range.from_min_extent(0, 10)}
    found = solve_linear_equations(e.EQ(X + Y, 0), [X, Y], ranges)
    (n0,) = found.dst.variables
    assert boxed(found.dst.ranges[n0], {}) == range(-5, 1)
    assert found.dst.relations == []
    assert_same_solutions(found, range(-12, 13), {})


def test_a_strided_window_has_a_range_of_two_elements() -> None:
    """The gradient of a convolution with stride 2 and three taps sums over at most two of 16 outputs."""
    ranges = {X: Range(0, 16), Y: Range(0, 3)}
    found = solve_linear_equations(e.EQ(2 * X + Y, N), [X, Y], ranges)
    (n0,) = found.dst.variables
    assert str(found.dst.ranges[n0].extent) == "2"
    for n in range(-2, 36):
        assert_same_solutions(found, range(-1, 17), {N: n})


def test_a_system_without_solution_says_false() -> None:
    for equation in (e.EQ(2 * X + 4 * Y, 3), e.EQ(X + Y, 40)):
        found = solve_linear_equations(equation, [X, Y], {X: Range(0, 8), Y: Range(0, 8)})
        assert found.dst.variables == []
        assert [str(r) for r in found.dst.relations] == ["False"]
    empty = solve_linear_equations(e.EQ(X, Y), [X, Y], {X: Range(0, 0)})
    assert [str(r) for r in empty.dst.relations] == ["False"]


def test_what_is_not_linear_is_kept_in_new_variables() -> None:
    found = solve_linear_equations(
        [e.EQ(X - Y, 1), e.LT(X * Y, N), e.EQ(Y % 3, 0)], [X, Y], {X: Range(0, 9), Y: Range(0, 9)}
    )
    assert len(found.dst.variables) == 1
    assert len(found.dst.relations) == 2
    for n in (-1, 5, 31):
        assert_same_solutions(found, range(-1, 10), {N: n})


def test_all_variables_are_unknown_if_none_are_named() -> None:
    found = solve_linear_equations([e.EQ(X + Y + Z, 15), e.EQ(X + Y, 10)])
    assert list(found.src_to_dst) == [X, Y, Z]
    assert str(found.src_to_dst[Z]) == "5"


def test_a_system_goes_in_as_it_comes_out() -> None:
    first = solve_linear_equations(e.EQ(X + 2 * Y, N), [X, Y], {X: Range(0, 9), Y: Range(0, 9)})
    again = solve_linear_equations(first.dst)
    for n in (0, 7, 20):
        assert sum(1 for _ in solutions(again.dst, BIG, {N: n})) == sum(1 for _ in solutions(first.src, BIG, {N: n}))


def random_system(rng: random.Random) -> IntConstraints:
    variables = [X, Y, Z][: rng.randint(1, 3)]
    relations: list[Expr] = []
    for _ in range(rng.randint(1, 2)):
        total: Expr = e.IntImm("int32", rng.randint(-6, 6))
        for v in variables:
            total = total + v * rng.choice([-4, -3, -2, -1, 0, 1, 2, 3, 4])
        relations.append(e.EQ(total, rng.choice([0, 1, 5, N, N * 2, N + M])))
    if rng.random() < 0.3:
        relations.append(rng.choice([e.LE(variables[0], N), e.NE(variables[-1], 2), e.EQ(variables[0] // 3, 1)]))
    ranges = {v: Range.from_min_extent(rng.randint(-4, 2), rng.randint(1, 7)) for v in variables}
    return IntConstraints(variables, ranges, [r for r in relations if isinstance(r, e.BinaryOp)])


def test_random_systems_keep_their_solutions() -> None:
    rng = random.Random(11)
    seen = 0
    for _ in range(120):
        found = solve_linear_equations(random_system(rng))
        for _ in range(3):
            seen += assert_same_solutions(found, range(-6, 11), {N: rng.randint(-8, 8), M: rng.randint(-3, 3)})
    assert seen > 150  # most have few solutions; some must have


def test_groups_of_bounds_pick_the_smallest_range() -> None:
    group = IntGroupBounds(2, [N, N - 5], [], [N + 3, 100])
    best = group.find_best_range()
    assert best is not None
    assert str(best.extent) == "2"
    for n in range(-5, 6):
        values = [v for v in BIG if 2 * v >= n and 2 * v >= n - 5 and 2 * v <= n + 3]
        assert set(values) <= set(boxed(best, {N: n}))
    single = IntGroupBounds.from_range(Range.from_min_extent(4, 1))
    assert [str(x) for x in single.equal] == ["4"]
    assert IntGroupBounds(1, [3], [], []).find_best_range() is None
    whole = IntGroupBounds.from_range(Range.from_min_extent(N, 7)).find_best_range()
    assert whole is not None
    assert (str(whole.min), str(whole.extent)) == ("n", "7")


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_fused_and_split_axes_are_solved(stride: int) -> None:
    """i = 4*outer + inner, the equations of te's splits."""
    found = solve_linear_equations(
        [e.EQ(4 * X + Y, Z), e.EQ(Z * stride, N)], [X, Y, Z], {X: Range(0, 5), Y: Range(0, 4), Z: Range(0, 18)}
    )
    total = sum(assert_same_solutions(found, range(-1, 19), {N: n}) for n in range(0, 18 * stride, 5))
    assert total > 0
