"""Facts: bindings, updates, constraint scopes, and what is remembered between questions."""

from __future__ import annotations

import pytest

from gpucomp.arith import Analyzer, ConstIntBound, IntervalSet, ModularSet
from gpucomp.support.diagnostics import LowerError
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import CommReducer, Expr, IntImm, IterVar, Range, Reduce, SizeVar, Var


def test_a_variable_bound_to_an_expression_is_replaced() -> None:
    analyzer = Analyzer()
    x, y = Var("x"), Var("y")
    analyzer.bind(y, x + 1 + 1)
    assert str(analyzer.simplify(y * 2 - x)) == "x + 4"
    assert str(analyzer.simplify(y // 2 - x // 2)) == "1"
    analyzer.bind(x, Range(0, 4))
    assert analyzer.const_int_bound(y) == ConstIntBound(2, 5)


def test_a_range_of_one_value_is_that_value() -> None:
    analyzer = Analyzer()
    x, n = Var("x"), Var("n")
    analyzer.bind(x, Range.from_min_extent(n, 1))
    assert analyzer.simplify(x) is n


def test_binding_a_variable_that_was_asked_about_changes_the_answers() -> None:
    analyzer = Analyzer()
    x = Var("x")
    question = x // 16
    assert analyzer.simplify(question) is question
    analyzer.bind(x, Range(0, 16))
    assert str(analyzer.simplify(question)) == "0"
    assert analyzer.const_int_bound(question) == ConstIntBound(0, 0)
    analyzer.bind(x, Range(0, 32), override=True)
    assert analyzer.simplify(question) is question
    assert analyzer.const_int_bound(question) == ConstIntBound(0, 1)


def test_binding_twice_is_an_error_unless_it_says_the_same() -> None:
    analyzer = Analyzer()
    x, n, m = Var("x"), SizeVar("n"), SizeVar("m")
    analyzer.bind(x, Range(0, n))
    analyzer.bind(x, Range(0, n))
    with pytest.raises(LowerError, match="'x' is bound to two different things"):
        analyzer.bind(x, Range(0, m))
    analyzer.bind(x, Range(0, m), override=True)
    assert analyzer.can_prove(x < m)
    assert not analyzer.can_prove(x < n)
    with pytest.raises(LowerError, match="override=True"):
        analyzer.update(x, ConstIntBound(0, 5))
    with pytest.raises(LowerError):
        analyzer.bind(x, IntImm("int32", 3))


def test_an_axis_may_be_given_in_place_of_its_variable() -> None:
    analyzer = Analyzer()
    axis = IterVar(Range(0, 8), "axis", IterVar.DataPar)
    assert axis.dom is not None
    analyzer.bind(axis, axis.dom)
    analyzer.update(axis, ModularSet(4, 0))
    assert analyzer.const_int_bound(axis) == ConstIntBound(0, 7)
    assert analyzer.modular_set(axis + 1) == ModularSet(4, 1)


def test_update_takes_an_interval_set() -> None:
    analyzer = Analyzer()
    x = Var("x")
    analyzer.update(x, IntervalSet(2, 9))
    assert analyzer.const_int_bound(x) == ConstIntBound(2, 9)


def test_a_constraint_holds_inside_its_scope_only() -> None:
    analyzer = Analyzer()
    i, j, n = Var("i"), Var("j"), SizeVar("n")
    analyzer.bind(i, Range(0, 64))
    analyzer.bind(j, Range(0, 256))
    guard = i * 256 + j < n
    assert not analyzer.can_prove(guard)
    with analyzer.constraint_scope(guard):
        assert analyzer.can_prove(guard)
        assert str(analyzer.simplify(guard)) == "True"
        assert analyzer.can_prove(i * 256 < n)
        assert analyzer.can_prove(n >= 1)
        assert analyzer.can_prove(operators.minimum(i * 256 + j, n - 1) - j - i * 256 >= 0)
        assert not analyzer.can_prove(i * 256 + j + 1 < n)
    assert not analyzer.can_prove(guard)
    assert analyzer.simplify(guard) is guard


def test_constraints_narrow_constant_bounds() -> None:
    analyzer = Analyzer()
    i, j = Var("i"), Var("j")
    analyzer.bind(i, Range(0, 100))
    analyzer.bind(j, Range(0, 8))
    with analyzer.constraint_scope(e.And(i * 8 + j < 80, i >= 2)):
        assert analyzer.const_int_bound(i) == ConstIntBound(2, 9)
        assert str(analyzer.simplify(i // 10)) == "0"
    assert analyzer.const_int_bound(i) == ConstIntBound(0, 99)


def test_nested_constraints_add_up_and_answers_outside_are_kept() -> None:
    analyzer = Analyzer()
    x, y, z = Var("x"), Var("y"), Var("z")
    outside = z // 2 * 2 + z % 2
    assert analyzer.simplify(outside) is z
    with analyzer.constraint_scope(x >= 3):
        assert analyzer.simplify(outside) is z
        with analyzer.constraint_scope(y >= x):
            assert analyzer.can_prove(y >= 3)
            with analyzer.constraint_scope(x == 5):
                assert analyzer.can_prove(y > 4)
                assert analyzer.const_int_bound(x) == ConstIntBound(5, 5)
        assert not analyzer.can_prove(y >= 3)
    assert not analyzer.can_prove(x >= 3)


def test_an_equation_on_a_remainder_is_a_congruence() -> None:
    analyzer = Analyzer()
    x = Var("x")
    with analyzer.constraint_scope(e.EQ(x % 8, IntImm("int32", 0))):
        assert str(analyzer.simplify(x % 4)) == "0"
        assert analyzer.modular_set(x + 2) == ModularSet(8, 2)
    assert analyzer.modular_set(x) == ModularSet(1, 0)


def test_other_conditions_are_remembered_as_they_are() -> None:
    analyzer = Analyzer()
    p, q, x, y = Var("p", "bool"), Var("q", "bool"), Var("x"), Var("y")
    with analyzer.constraint_scope(e.And(p, e.Not(q))):
        assert str(analyzer.simplify(e.Select(p, x, y))) == "x"
        assert str(analyzer.simplify(e.Or(q, x < 3))) == "x < 3"
    with analyzer.constraint_scope(e.NE(x, y)):
        assert str(analyzer.simplify(e.EQ(x, y))) == "False"


def test_contradictory_facts_do_no_harm() -> None:
    analyzer = Analyzer()
    x, empty = Var("x"), Var("empty")
    analyzer.bind(empty, Range(0, 0))
    analyzer.bind(x, Range(0, 4))
    assert analyzer.simplify(empty // 4 + x) is not None
    with analyzer.constraint_scope(e.And(x > 10, x * 2 < x + 3)):
        analyzer.simplify(e.Div(x, IntImm("int32", 3)) % (x + 1))
        analyzer.const_int_bound(x // x)


def test_variables_bound_inside_a_scope_are_free_again_after_it() -> None:
    analyzer = Analyzer()
    x, i = Var("x"), Var("i")
    for extent in (4, 8):
        with analyzer.constraint_scope(x < extent):
            analyzer.bind(i, Range(0, extent))
            assert analyzer.const_int_bound(i).max_value == extent - 1


def test_an_unreached_fact_about_another_variable_is_used_in_the_scope() -> None:
    analyzer = Analyzer()
    i, n, limit = Var("i"), SizeVar("n"), Var("limit")
    analyzer.bind(i, Range(0, n))
    question = i < limit
    assert not analyzer.can_prove(question)
    with analyzer.constraint_scope(n <= limit):  # says something about i by way of n
        assert analyzer.can_prove(question)


def test_proofs_of_equality_and_of_bounds() -> None:
    analyzer = Analyzer()
    x, n = Var("x"), SizeVar("n")
    analyzer.bind(x, Range(0, 10))
    assert analyzer.can_prove_equal((x + n) * 2, n + x * 2 + n)
    assert not analyzer.can_prove_equal(x, n)
    assert analyzer.can_prove_greater_equal(x + n, 0)
    assert not analyzer.can_prove_greater_equal(x - n, 0)
    assert analyzer.can_prove_less(x % 4 + 1, 5)
    assert not analyzer.can_prove_less(x, 9)
    assert analyzer.can_prove(e.And(x < 10, e.Or(n >= 0, x < 2)))


def test_proofs_are_not_fooled_by_division_rounding() -> None:
    analyzer = Analyzer()
    n = Var("n")
    assert analyzer.can_prove((n + 3) // 4 * 4 >= n)
    assert analyzer.can_prove(n // 4 * 4 + 4 > n)
    assert not analyzer.can_prove(n // 4 * 4 + 3 > n)
    assert analyzer.can_prove(n // 4 * 3 <= n - n // 4)
    assert not analyzer.can_prove(n // 4 * 4 >= n)


def test_axes_of_a_reduction_are_known_inside_it() -> None:
    x, y = Var("x"), Var("y")
    axis = IterVar(Range(0, 4), "r", IterVar.CommReduce)
    add = CommReducer((x,), (y,), (x + y,), (IntImm("int32", 0),))
    node = Reduce(add, (axis.var // 4 + axis.var,), (axis,), IntImm("bool", 1), 0)
    simple = Analyzer().simplify(node)
    assert isinstance(simple, Reduce)
    assert simple.source[0] is axis.var


def test_numbers_and_bools_are_accepted_as_expressions() -> None:
    analyzer = Analyzer()
    assert str(analyzer.simplify(3)) == "3"
    assert analyzer.const_int_bound(7) == ConstIntBound(7, 7)
    assert analyzer.can_prove(True)
    assert not analyzer.can_prove(False)


def test_the_three_simplifiers_agree() -> None:
    analyzer = Analyzer()
    x = Var("x")
    node: Expr = x // 4 * 4 + x % 4 + 0
    assert analyzer.rewrite_simplify(node) is analyzer.canonical_simplify(node) is analyzer.simplify(node, steps=3) is x


def test_variables_that_hold_data_may_wrap() -> None:
    analyzer = Analyzer()
    x, y = Var("x"), Var("y")
    assert str(analyzer.simplify(x + 1 > x)) == "True"
    analyzer.declare_data(x)
    assert analyzer.simplify(x + 1 > x) is not None
    assert str(analyzer.simplify(x + 1 > x)) != "True"
    assert str(analyzer.simplify(y + 1 > y)) == "True"
    loaded = e.BufferLoad(decl_buffer((4,), "int32", "A"), (y,))
    value = Var("value")
    assert isinstance(analyzer.simplify(e.Let(value, loaded, value * 2 // 2)), e.Let)


def test_a_condition_with_effects_is_not_remembered() -> None:
    analyzer = Analyzer()
    ticket = intrin.call_extern("int32", "next_ticket")
    with analyzer.constraint_scope(ticket < 3):
        assert analyzer.simplify(ticket < 3) is (ticket < 3)


def test_a_binding_inside_a_scope_of_what_is_known_anyway_is_not_taken_back() -> None:
    analyzer = Analyzer()
    x = Var("x")
    analyzer.bind(x, Range(0, 16))
    assert str(analyzer.simplify(x // 16)) == "0"
    with analyzer.constraint_scope(x >= 0):
        analyzer.bind(x, Range(0, 32), override=True)
    assert str(analyzer.simplify(x // 16)) == "x // 16"
