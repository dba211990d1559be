"""Linear inequalities over the integers, against trying all candidates."""

from __future__ import annotations

import random

from gpucomp.arith import IntConstraints, IntConstraintsTransform, solve_linear_inequalities
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, Range, Var
from tests.arith.systems import solutions
from tests.arith.test_linear_equations import assert_same_solutions

X, Y, Z, N = Var("x"), Var("y"), Var("z"), Var("n")
WINDOW = range(-10, 25)


def ranged(system: IntConstraints) -> IntConstraints:
    """The system with ranges."""
    found = solve_linear_inequalities(system)
    assert isinstance(found, IntConstraints)
    return found


def deskewed(system: IntConstraints) -> IntConstraintsTransform:
    """The system in variables that start at 0."""
    found = solve_linear_inequalities(system, deskew_range=True)
    assert isinstance(found, IntConstraintsTransform)
    return found


def assert_ranged(system: IntConstraints, window: range, parameters: dict[Var, int]) -> int:
    """The ranges leave the solutions as they were."""
    found = ranged(system)
    wanted = {tuple([p[v] for v in system.variables]) for p in solutions(system, window, parameters)}
    if not found.variables:
        assert [str(r) for r in found.relations] == ["False"]
        assert not wanted
        return 0
    got = {tuple([p[v] for v in system.variables]) for p in solutions(found, window, parameters)}
    got = {point for point in got if all(x in window for x in point)}  # a variable without a range was tried there only
    assert got == wanted, (system, found, parameters, got ^ wanted)
    return len(wanted)


def test_ranges_depend_on_later_variables() -> None:
    system = IntConstraints([X, Y], {X: Range(0, 100), Y: Range(0, 100)}, [X + Y <= 20, X - Y >= 10])
    found = ranged(system)
    assert (str(found.ranges[Y].min), str(found.ranges[Y].extent)) == ("0", "6")
    assert (str(found.ranges[X].min), str(found.ranges[X].extent)) == ("y + 10", "11 - y * 2")
    assert found.relations == []
    assert_ranged(system, range(-5, 30), {})


def test_deskewed_ranges_start_at_zero() -> None:
    system = IntConstraints([X, Y], {X: Range(0, 100), Y: Range(0, 100)}, [X + Y <= 20, X - Y >= 10])
    found = deskewed(system)
    x, y = found.dst.variables
    assert [str(found.dst.ranges[v]) for v in (x, y)] == ["Range(0, 11)", "Range(0, 6)"]
    assert len(found.dst.relations) == 1
    assert str(found.dst_to_src[x]) == "x - y - 10"
    assert_same_solutions(found, range(-5, 30), {})


def test_one_sided_systems_keep_their_relations() -> None:
    system = IntConstraints([X, Y], {}, [X * 2 >= N, Y <= X])
    found = ranged(system)
    assert not found.ranges
    assert_ranged(system, range(-6, 7), {N: 3})
    moved = deskewed(IntConstraints([X], {}, [X * 2 >= N]))
    (new,) = moved.dst.variables
    assert new not in moved.dst.ranges
    for n in (-3, 4):
        low = -(-n // 2)
        assert_same_solutions(moved, range(low, low + 41), {N: n})


def test_contradictions_have_no_solution() -> None:
    for relations in ([X < Y, Y < X], [X * 2 >= 3, X * 2 <= 3], [X >= 3, X <= 2], [X + Y >= 9]):
        system = IntConstraints([X, Y], {Y: Range(0, 4), X: Range(0, 4)}, relations)
        assert [str(r) for r in ranged(system).relations] == ["False"]
        assert deskewed(system).dst.variables == []


def test_what_is_not_linear_is_kept() -> None:
    system = IntConstraints([X, Y], {X: Range(0, 6), Y: Range(0, 6)}, [X * Y < 7, e.NE(X, 3), X // 2 <= Y])
    assert len(ranged(system).relations) == 3
    assert_ranged(system, range(-2, 8), {})
    assert_same_solutions(deskewed(system), range(-2, 8), {})


def random_system(rng: random.Random) -> IntConstraints:
    variables = [X, Y, Z][: rng.randint(1, 3)]
    relations: list[Expr] = []
    for _ in range(rng.randint(1, 4)):
        total: Expr = e.IntImm("int32", rng.randint(-6, 6))
        for v in variables:
            total = total + v * rng.choice([-3, -2, -1, 0, 0, 1, 2, 3])
        kind = rng.choice([e.LE, e.LT, e.GE, e.GT, e.EQ])
        relations.append(kind(total, e.IntImm("int32", rng.randint(-4, 8)) if rng.random() < 0.7 else N * 1))
    ranges = {v: Range.from_min_extent(rng.randint(-3, 2), rng.randint(1, 7)) for v in variables if rng.random() < 0.8}
    return IntConstraints(variables, ranges, [r for r in relations if isinstance(r, e.BinaryOp)])


def test_random_systems_keep_their_solutions() -> None:
    rng = random.Random(41)
    seen = 0
    for _ in range(120):
        seen += assert_ranged(random_system(rng), range(-6, 10), {N: rng.randint(-6, 9)})
    assert seen > 1000


def test_random_systems_are_deskewed() -> None:
    """Every variable has a range here, so that enumeration is complete."""
    rng = random.Random(43)
    seen = bounded = 0
    for _ in range(60):
        system = random_system(rng)
        ranges = {v: Range.from_min_extent(rng.randint(-3, 2), rng.randint(1, 7)) for v in system.variables}
        found = deskewed(IntConstraints(system.variables, ranges, system.relations))
        seen += assert_same_solutions(found, range(-6, 10), {N: rng.randint(-6, 9)})
        bounded += len(found.dst.ranges) == len(found.dst.variables)
    assert seen > 100
    assert bounded > 55
