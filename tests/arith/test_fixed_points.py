"""Simplifying a result once more, with nothing remembered of the first time, gives the same object."""

from __future__ import annotations

import itertools
import random

import pytest

from gpucomp import te, tir
from gpucomp.arith import Analyzer, Extension
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, IntImm, Range, Var
from tests.arith.points import Points
from tests.arith.random_cases import KINDS, Draw
from tests.arith.random_sweep import check_case

_X, _Y, _Z = Var("x"), Var("y"), Var("z")


def _settled(node: Expr) -> Expr:
    """The simplified expression, which has to be a fixed point."""
    analyzer = Analyzer()
    analyzer.bind(_X, Range(1, 5))
    simple = analyzer.simplify(node)
    analyzer._forget()
    assert analyzer.simplify(simple) is simple, (node, simple)
    return simple


def test_operands_of_a_maximum_share_terms_whatever_stands_between_them() -> None:
    node = e.Max(_Z + tir.truncdiv(_Y, 3), e.Max(e.Max(_Z, _Y), tir.truncmod(_X, 2)))
    assert str(_settled(node)) == "T.max(T.max(z + T.max(T.truncdiv(y, 3), 0), y), x % 2)"


def test_loaded_sums_stay_fixed_when_they_are_negated_by_a_division() -> None:
    a = te.placeholder((4,), "int32", name="a")
    assert str(_settled(tir.truncdiv(a[0] + a[0], -1) >= -3)) == "a[0] * -2 >= -3"


def test_constants_are_divided_towards_zero() -> None:
    assert str(_settled(tir.Div(IntImm("int32", -3), IntImm("int32", 2)))) == "-1"


@pytest.mark.parametrize("kind", [e.Min, e.Max])
def test_extrema_of_four_operands_are_fixed_in_every_order(kind: type[e.BinaryOp]) -> None:
    """Operands with and without shared terms, constants and quotients, as chains and as balanced trees."""
    operands = (_Z + _Y // 3, _Z, _Y + 2, _Z + 5, _X % 2, _Y * 2, _Y // 3, e.Max(_Z, _Y), e.Min(_Z, _Y + _Z))
    rng = random.Random(4)
    values: dict[Expr, list[int]] = {_X: [1, 4, 2, 5], _Y: [-7, 3, 0, 11], _Z: [4, -2, 9, -30]}
    for a, b, c, d in rng.sample(list(itertools.permutations(operands, 4)), 60):
        for node in (kind(kind(kind(a, b), c), d), kind(kind(a, b), kind(c, d)), kind(a, kind(b, kind(c, d)))):
            points = Points(values, 4)
            assert points.of(_settled(node)) == points.of(node), node


@pytest.mark.parametrize("kind", [e.Min, e.Max])
def test_wide_extrema_are_fixed(kind: type[e.BinaryOp]) -> None:
    """More operands than are looked at in pairs, in groups that do not fill the limit."""
    rng = random.Random(8)
    leaves = [Var(f"v{i}") for i in range(6)]
    for _ in range(20):
        parts = [rng.choice(leaves) + rng.choice(leaves) // 3 + rng.randrange(3) for _ in range(rng.randint(6, 20))]
        while len(parts) > 1:
            parts.append(kind(parts.pop(rng.randrange(len(parts))), parts.pop(rng.randrange(len(parts)))))
        _settled(parts[0])


def test_what_a_second_reading_finds_is_found_at_once() -> None:
    """A proof that only succeeds once other operands are simpler; and with its explanation."""
    choice = tir.if_then_else(
        e.Max(_Y, _Z) > _Y // 2,
        _Z,
        e.Min(e.Min(_Y + _X, e.Select(tir.EQ(_Y, _X), _X, IntImm("int32", 5))), e.Min(_Z - _Y, _Z + _Y)),
    )
    analyzer = Analyzer()
    analyzer.bind(_X, Range(1, 5))
    explanation = analyzer.explain(choice)
    assert explanation.after is _settled(choice)
    assert _settled(e.And(e.LE(_Y * 4, IntImm("int32", 0)), e.EQ(_X + _X, _X + _Y))).dtype.is_bool


def test_a_guarded_condition_that_may_divide_by_zero_stays_behind_its_guard() -> None:
    node = tir.if_then_else(_Z > 3, tir.if_then_else(e.LT(_Z // _Y, IntImm("int32", 1)), _Y, _Z), _Z)
    assert str(_settled(node)) == str(node).replace("z > 3", "z >= 4")
    joined = tir.if_then_else(_Z > 3, tir.if_then_else(e.LT(_Z // 4, _Y), _Y, _Z), _Z)
    assert str(_settled(joined)) == "T.if_then_else(z >= 4 and z // 4 < y, y, z)"


# Cases of python -m tests.arith.random_sweep that once failed, by seed and index.
_ONCE_WRONG = (
    (990017, 195752), (771, 4597), (31400002, 123704), (31400003, 150426), (31400005, 46785), (31400005, 89536),
    (31400005, 169988), (31400006, 187844), (51500002, 125871), (51500004, 121017), (51500005, 177880),
)  # fmt: skip


@pytest.mark.parametrize(("seed", "index"), _ONCE_WRONG)
def test_cases_of_random_sweeps_that_once_failed(seed: int, index: int) -> None:
    assert check_case(Draw(f"{seed}/{index}").case(KINDS[index % len(KINDS)]), index) is None


def test_a_guarded_division_stays_guarded_beside_the_condition_that_says_so() -> None:
    analyzer = Analyzer()
    analyzer.enabled_extensions = ~Extension.NoExtensions
    guarded = tir.if_then_else(_Y >= _X, tir.truncdiv(_X, _Y), _X % 2)
    simple = analyzer.simplify(e.And(e.LT(_X, _Y), e.LT(guarded, _Z)))
    points = Points({_X: [9, 1], _Y: [0, 0], _Z: [1, 1]}, 2)
    assert points.of(simple) == [0, 0]


def test_a_sum_in_an_order_of_our_own_has_the_bounds_of_the_whole() -> None:
    """The terms that come first may overflow on the way, where those of the original do not."""
    analyzer = Analyzer()
    low = e.Min(_X << _Z, _Y)
    node = IntImm("int32", 5) + _X + low
    simple = analyzer.simplify(node)
    at = Points({_X: [-4], _Y: [-3], _Z: [29]}, 1, wraps=True)
    (value,) = at.of(simple)
    assert value == at.of(node)[0] == -(2**31) + 1
    bound = analyzer.const_int_bound(simple)
    assert bound.min_value <= value <= bound.max_value
