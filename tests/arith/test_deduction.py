"""Chains of facts, branches that learn from their condition, strength of proofs, bits, conversions."""

from __future__ import annotations

import pytest

from gpucomp import tir
from gpucomp.arith import Analyzer, Extension
from gpucomp.tir import expr as e
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import Expr, IntImm, Range, Var

X, Y, Z, W = (Var(n) for n in "xyzw")


def test_comparisons_are_transitive() -> None:
    analyzer = Analyzer()
    with analyzer.constraint_scope(X < Y), analyzer.constraint_scope(Y < Z), analyzer.constraint_scope(Z <= W):
        assert analyzer.can_prove(X < Z)
        assert analyzer.can_prove(X + 2 <= W)
        assert not analyzer.can_prove(X + 3 <= W)
        assert not analyzer.can_prove(Z < X)
    assert not analyzer.can_prove(X < Z)


@pytest.mark.parametrize("choose", [e.Select, tir.if_then_else], ids=["Select", "if_then_else"])
def test_branches_know_their_condition(choose: type[e.Select]) -> None:
    def simplified(node: Expr) -> str:
        analyzer = Analyzer()
        analyzer.bind(X, Range(0, 100))
        return str(analyzer.simplify(node))

    small, large = e.Min(X, IntImm("int32", 50)), e.Max(X, IntImm("int32", 20))
    name = "T.Select" if choose is e.Select else "T.if_then_else"
    assert simplified(choose(X < 10, small, large)) == f"{name}(x < 10, x, T.max(x, 20))"
    assert simplified(choose(X < 30, Y, large)) == f"{name}(x < 30, y, x)"
    assert simplified(choose(X < 8, X // 8, X % 128)) == f"{name}(x < 8, 0, x)"
    assert simplified(choose(e.EQ(X % 4, IntImm("int32", 0)), (X + 2) % 4, X)) == f"{name}(x % 4 == 0, 2, x)"
    assert simplified(small) == "T.min(x, 50)"  # nothing stays behind


def test_a_strong_proof_tries_the_values_of_a_variable() -> None:
    analyzer = Analyzer()
    analyzer.bind(X, Range(0, 4))
    analyzer.bind(Y, Range(0, 1000))
    condition = X * X * Y <= X * Y * 3
    assert not analyzer.can_prove(condition)
    assert analyzer.can_prove(condition, 1)
    assert not analyzer.can_prove(X * X * Y <= X * Y * 2, 2)


def test_no_steps_leave_an_expression_as_it_is() -> None:
    node = e.Add(X, X)
    assert Analyzer().simplify(node, steps=0) is node
    assert Analyzer().simplify(node, steps=1) is Analyzer().simplify(node, steps=9)


def test_extensions_are_off_until_asked_for() -> None:
    analyzer = Analyzer()
    node = e.And(X < 8, e.Min(X, IntImm("int32", 20)) < Y)
    assert analyzer.enabled_extensions is Extension.TransitivelyProveInequalities
    assert str(analyzer.simplify(node)) == "x < 8 and T.min(x, 20) < y"
    analyzer.enabled_extensions = Extension.ApplyConstraintsToBooleanBranches
    assert str(analyzer.simplify(node)) == "x < 8 and x < y"
    assert str(analyzer.simplify(e.Or(X >= 8, e.Min(X, IntImm("int32", 20)) < Y))) == "x >= 8 or x < y"


def test_disjunctions_become_conjunctions_where_asked_for() -> None:
    analyzer = Analyzer()
    node = e.Or(e.And(X < 3, Y < 4), X >= 3)
    assert str(analyzer.simplify(node)) == "x < 3 and y < 4 or x >= 3"
    analyzer.enabled_extensions = Extension.ConvertBooleanToAndOfOrs
    simple = analyzer.simplify(node)
    assert str(simple) == "y < 4 or x >= 3"
    both = analyzer.simplify(e.Or(e.And(X < 3, Y < 4), e.And(Z < 5, W < 6)))
    assert str(both) == "(x < 3 or z < 5) and (x < 3 or w < 6) and (y < 4 or z < 5) and (y < 4 or w < 6)"
    assert analyzer.simplify(both) is both
    many: Expr = e.And(Var("a") < 1, Var("b") < 1)
    for i in range(8):
        many = e.Or(many, e.And(Var(f"c{i}") < 1, Var(f"d{i}") < 1))
    assert analyzer.simplify(many) is many  # 512 of them


def test_a_guarded_division_keeps_its_guard() -> None:
    analyzer = Analyzer()
    analyzer.enabled_extensions = Extension.ConvertBooleanToAndOfOrs
    for guarded in (e.And(e.NE(X, IntImm("int32", 0)), Y // X > 2), e.And(X < 8, decl_buffer((8,), "int32")[X] > 2)):
        assert analyzer.simplify(e.Or(guarded, Z < 3)) is e.Or(analyzer.simplify(guarded), Z < 3)
    assert isinstance(analyzer.simplify(e.Or(e.And(X < 8, Y // 4 > 2), Z < 3)), e.And)
    analyzer.enabled_extensions = Extension.ApplyConstraintsToBooleanBranches
    assert str(analyzer.simplify(e.And(e.EQ(X, IntImm("int32", 0)), Y // X > Z))) == "x == 0 and z < y // x"


def test_products_are_compared_with_sums_where_asked_for() -> None:
    analyzer = Analyzer()
    analyzer.bind(X, Range(8, 4096))
    analyzer.bind(Y, Range(8, 4096))
    condition = (X + Y) * 3 < X * Y
    assert not analyzer.can_prove(condition)
    analyzer.enabled_extensions |= Extension.ComparisonOfProductAndSum
    assert analyzer.can_prove(condition)
    assert analyzer.can_prove((X + Y) * 4 <= X * Y)
    assert not analyzer.can_prove((X + Y) * 4 < X * Y)  # 8 and 8
    assert not analyzer.can_prove((X + Y) * 5 <= X * Y)
    assert analyzer.can_prove(X * Y <= X * 4095)
    analyzer.bind(Z, Range(1, 9))
    assert analyzer.can_prove(X * Y * Z >= (X + Y) * 4)
    narrow = [Var(name, "int8") for name in "ab"]
    for v in narrow:
        analyzer.bind(v, Range.from_min_extent(IntImm("int8", 1), IntImm("int8", 30)))
    assert not analyzer.can_prove(narrow[0] * narrow[1] >= narrow[0])  # 8 * 20 wraps


def test_a_condition_is_recognized_in_any_spelling() -> None:
    analyzer = Analyzer()
    with analyzer.constraint_scope(X * 2 == Y * 2):
        assert str(analyzer.simplify(e.EQ(Y, X))) == "True"
        assert str(analyzer.simplify(e.NE(Y + 1, X + 1))) == "False"


@pytest.mark.parametrize(
    ("node", "bounds"),
    [
        (X & 7, (0, 7)),
        (X | 3, (3, 127)),
        (X ^ 5, (0, 127)),
        (tir.clz(X + 1), (25, 31)),
        (tir.popcount(X), (0, 7)),
        (X >> 2, (0, 24)),
        (X << 2, (0, 396)),
        (~X, (-(2**31), 2**31 - 1)),
    ],
    ids=str,
)
def test_bit_operations_are_bounded(node: Expr, bounds: tuple[int, int]) -> None:
    analyzer = Analyzer()
    analyzer.bind(X, Range(0, 100))
    found = analyzer.const_int_bound(node)
    assert (found.min_value, found.max_value) == bounds


def test_a_conversion_that_wraps_all_values_alike_keeps_its_bounds() -> None:
    analyzer = Analyzer()
    analyzer.bind(X, Range(256, 300))
    found = analyzer.const_int_bound(e.Cast("uint8", X))
    assert (found.min_value, found.max_value) == (0, 43)
    found = analyzer.const_int_bound(e.Cast("int8", X - 156))
    assert (found.min_value, found.max_value) == (-128, 127)  # 100 to 143: some wrap


@pytest.mark.parametrize(
    ("node", "simple"),
    [
        (X | 0, "x"),
        (X ^ X, "0"),
        (X & X, "x"),
        (X ^ (X ^ Y), "y"),
        (X | (Y & X), "x"),
        (X & 0, "0"),
        (X & 15, "x % 16"),
    ],
    ids=str,
)
def test_bit_operations_simplify(node: Expr, simple: str) -> None:
    assert str(Analyzer().simplify(node)) == simple


def test_nested_divisions_that_share_terms_become_one() -> None:
    analyzer = Analyzer()
    analyzer.bind(X, Range(0, 100))
    analyzer.bind(Y, Range(0, 100))
    assert str(analyzer.simplify(X + (X * 2 + (X + Y) // 3) // 3)) == "x + (x * 7 + y) // 9"
    # Not where the sum might overflow, and not where nothing is shared.
    free = Var("free")
    assert str(analyzer.simplify((free * 2 + (free + Y) // 3) // 3)) == "(free * 2 + (free + y) // 3) // 3"
    assert str(analyzer.simplify((X * 2 + Y // 3) // 3)) == "(x * 2 + y // 3) // 3"


def test_coefficients_of_types_that_wrap_have_one_form() -> None:
    a, b = Var("a", "uint8"), Var("b", "int8")
    assert str(Analyzer().simplify(a * 255)) == str(Analyzer().simplify(IntImm("uint8", 0) - a))
    assert str(Analyzer().simplify(e.Mul(e.Mul(b, IntImm("int8", 32)), IntImm("int8", 8)))) == "T.int8(0)"
