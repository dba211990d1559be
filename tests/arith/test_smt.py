"""The bridge to the SMT solver: proofs, counterexamples that are checked by evaluation, honest unknowns."""

from __future__ import annotations

import builtins
import random

import pytest

from gpucomp import tir
from gpucomp.arith import IntervalSet, smt
from gpucomp.support.diagnostics import LowerError
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, IntImm, Range, Var
from tests.arith.points import Points
from tests.arith.random_cases import Draw

X, Y = Var("x"), Var("y")
SMALL = {X: Range(0, 8), Y: Range(0, 4)}


def _is_false(condition: Expr, found: smt.Answer) -> bool:
    assert isinstance(found, smt.Counterexample)
    points = Points({v: [value] for v, value in found.at.items()}, 1)
    return points.of(condition)[0] == 0


def test_a_division_that_undoes_a_split_is_proven() -> None:
    assert smt.prove((X * 4 + Y) // 4 == X, SMALL).holds
    assert smt.prove((X * 4 + Y) % 4 == Y, SMALL).holds


def test_without_ranges_the_same_has_a_counterexample() -> None:
    condition = e.EQ((X * 4 + Y) // 4, X)
    found = smt.prove(condition)
    assert isinstance(found, smt.Counterexample)
    assert set(found.values) == {"x", "y"}
    assert _is_false(condition, found)


@pytest.mark.parametrize("c", [3, -3, 8, -8])
def test_both_families_of_division_agree_with_their_definition_for_negative_operands(c: int) -> None:
    divisor = IntImm("int32", c)
    assert smt.prove(e.EQ(e.FloorDiv(X, divisor) * divisor + e.FloorMod(X, divisor), X)).holds
    assert smt.prove(e.EQ(e.Div(X, divisor) * divisor + e.Mod(X, divisor), X)).holds
    rest = e.FloorMod(X, divisor)
    assert smt.prove(e.And(rest >= 0, rest < c) if c > 0 else e.And(rest <= 0, rest > c)).holds
    toward_zero = e.Mod(X, divisor)
    assert smt.prove(e.Or(X >= 0, toward_zero <= 0)).holds
    assert smt.prove(e.Or(X <= 0, toward_zero >= 0)).holds
    found = smt.prove(e.EQ(e.FloorDiv(X, divisor), e.Div(X, divisor)))
    assert _is_false(e.EQ(e.FloorDiv(X, divisor), e.Div(X, divisor)), found)


def test_indices_do_not_overflow_and_unsigned_values_wrap() -> None:
    assert smt.prove(X + 1 > X).holds
    small = Var("u", "uint8")
    found = smt.prove(small + IntImm("uint8", 1) > small)
    assert isinstance(found, smt.Counterexample)
    assert found.values == {"u": 255}
    narrow = Var("s", "int8")
    assert isinstance(smt.prove(narrow + IntImm("int8", 1) > narrow), smt.Counterexample)


def test_a_conversion_to_a_narrow_type_keeps_the_low_bits() -> None:
    cut = e.Cast("int32", e.Cast("uint8", X))
    assert smt.prove_equal(cut, X & 255).holds
    assert smt.prove_equal(cut, X, {X: Range(0, 256)}).holds
    assert isinstance(smt.prove_equal(cut, X, {X: Range(0, 257)}), smt.Counterexample)


def test_shifts_are_products_and_quotients_by_powers_of_two() -> None:
    assert smt.prove_equal(X << 3, X * 8).holds
    assert smt.prove_equal(X >> 3, X // 8).holds
    assert isinstance(smt.prove_equal(X >> 3, e.Div(X, IntImm("int32", 8))), smt.Counterexample)


def test_counting_bits() -> None:
    assert smt.prove(tir.clz(X) == 32 - 5, {X: Range(16, 32)}).holds
    assert smt.prove(tir.popcount(X) <= 4, {X: Range(0, 16)}).holds
    assert smt.prove_equal(tir.popcount(X), 32 - tir.popcount(~X)).holds


def test_a_branch_that_is_not_taken_may_divide_by_zero() -> None:
    guarded = tir.if_then_else(Y != 0, X // e.Max(Y, IntImm("int32", 1)), 0)
    assert smt.prove_equal(tir.if_then_else(Y != 0, X // Y, 0), guarded, SMALL).holds
    # The other way round the division comes out of its guard.
    assert isinstance(smt.prove_equal(e.Min(Y, Y), e.Select(Y != 1, Y, X // (Y - 1)), SMALL), smt.Counterexample)


def test_extents_may_be_variables() -> None:
    n = tir.SizeVar("n", "int32")
    assert smt.prove(X < n, {X: Range.from_min_extent(0, n)}).holds
    assert smt.prove(n >= 0).holds
    assert smt.prove(X <= Y + 3, {X: IntervalSet(Y - 1, Y + 3)}).holds


def test_bounds_are_proven_or_broken() -> None:
    assert smt.prove_bounds(X * 4 + Y, 0, 31, SMALL).holds
    found = smt.prove_bounds(X * 4 + Y, 0, 30, SMALL)
    assert isinstance(found, smt.Counterexample)
    assert found.values == {"x": 7, "y": 3}


def test_every_lane_of_a_vector_has_to_hold() -> None:
    ramp = e.Ramp(X, IntImm("int32", 1), 4)
    limit = e.Broadcast(IntImm("int32", 11), 4)
    assert smt.prove(e.LT(ramp, limit), {X: Range(0, 8)}).holds
    assert isinstance(smt.prove(e.LT(ramp, limit), {X: Range(0, 9)}), smt.Counterexample)


def test_threads_with_an_element_each_are_disjoint() -> None:
    tx, i = Var("tx"), Var("i")
    ranges = {tx: Range(0, 32), i: Range(0, 4)}
    assert smt.prove_disjoint(tx + i * 32, tx + i * 32, [tx], ranges).holds
    found = smt.prove_disjoint(tx + i * 16, tx + i * 16, [tx], ranges)
    assert isinstance(found, smt.Counterexample)
    first, second = (found.values[f"tx{p}"] + 16 * found.values[f"i{p}"] for p in ("", "'"))
    assert first == second
    assert found.values["tx"] != found.values["tx'"]
    # A loop that both threads are in at once separates nothing, and a guard counts in both.
    assert smt.prove_disjoint(tx + i * 16, tx + i * 16, [tx], ranges, shared=[i]).holds
    assert smt.prove_disjoint(tx + i * 16, tx + i * 16, [tx], ranges, assume=[tx < 16]).holds
    with_halo = smt.prove_disjoint(tx, tx + 1, [tx], ranges)
    assert isinstance(with_halo, smt.Counterexample)


def test_loads_are_values_that_nothing_is_known_about() -> None:
    load = e.BufferLoad(tir.decl_buffer((4,), "int32", "A"), (IntImm("int32", 0),))
    assert smt.prove(load - load == 0).holds
    found = smt.prove(load + 1 > load)  # loaded values wrap
    assert isinstance(found, smt.Counterexample)
    assert found.values == {"A[0]": 2**31 - 1}


def test_what_is_no_integer_is_unknown() -> None:
    x = Var("x", "float32")
    found = smt.prove_equal(x + x, x * 2.0)
    assert isinstance(found, smt.Unknown)
    assert "float32" in found.reason


def test_hard_questions_end_in_time() -> None:
    a, b, c = Var("a"), Var("b"), Var("c")
    found = smt.prove(a * a * a + b * b * b != c * c * c + 3, timeout=0.2)
    assert found.seconds < 5


def test_variables_of_one_name_are_told_apart() -> None:
    other = Var("x")
    found = smt.prove(X == other)
    assert isinstance(found, smt.Counterexample)
    assert set(found.values) == {"x", "x#2"}


def test_without_the_solver_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: object, **kwargs: object) -> object:
        if name == "z3":
            raise ImportError("no z3 here")
        return real(name, *args, **kwargs)  # pyright: ignore[reportArgumentType] - handed through

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert not smt.available()
    with pytest.raises(LowerError, match="no z3 here") as error:
        smt.prove(X < 1)
    assert 'pip install "gpucomp[verify]"' in str(error.value)


@pytest.mark.parametrize("kind", ["index", "condition", "wrapping", "bits"])
def test_terms_have_the_value_of_the_expression(kind: str) -> None:
    """At a random point the solver computes what the evaluator computes."""
    rng = random.Random(kind)
    compared = 0
    for i in range(12):
        made = Draw(f"smt/{kind}/{i}").case(kind)
        points = Points(made.leaves, 16)
        column = points.of(made.node)
        at = rng.randrange(16)
        if column[at] is None:
            continue
        fixed = [e.EQ(v, IntImm(v.dtype, values[at])) for v, values in made.leaves.items()]
        wanted = e.EQ(made.node, IntImm(made.node.dtype, int(column[at])))
        assert smt.prove(wanted, assume=fixed).holds, (made.node, fixed, column[at])
        compared += 1
    assert compared > 4
