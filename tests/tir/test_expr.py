"""Expressions: interning, folding, type matching, and what ``==`` means where."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from gpucomp.ir import node
from gpucomp.support.diagnostics import TypeMismatchError, UndecidedComparison
from gpucomp.tir import intrin, operators
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import Add, And, Broadcast, Cast, Expr, FloatImm, IntImm, Mul, Not, Or, Select, SizeVar, Var
from gpucomp.tir.functor import expr_post_order, free_vars, ordered_vars, substitute


def test_equal_expressions_are_the_same_object() -> None:
    i, j = Var("i"), Var("j")
    assert i * 8 + j is i * 8 + j
    assert i * 8 + j is not j * 8 + i


def test_literals_are_told_apart_by_type_and_bits() -> None:
    assert IntImm("int32", 1) is not IntImm("int64", 1)
    assert IntImm("bool", 1) is not IntImm("int32", 1)
    assert FloatImm("float32", 0.0) is not FloatImm("float32", -0.0)
    assert FloatImm("float32", float("nan")) is FloatImm("float32", float("nan"))
    assert operators.convert(True) is not operators.convert(1)


@pytest.mark.parametrize(
    ("dtype", "value", "wrapped"), [("int8", 300, 44), ("uint8", -1, 255), ("int32", 2**31, -(2**31))]
)
def test_integer_literals_wrap_as_device_arithmetic_does(dtype: str, value: int, wrapped: int) -> None:
    assert IntImm(dtype, value).value == wrapped


def test_the_larger_of_two_bools_is_their_or_and_the_smaller_their_and() -> None:
    a, b = Var("a", "bool"), Var("b", "bool")
    assert operators.maximum(a, b) is Or(a, b)
    assert operators.minimum(a, b) is And(a, b)
    assert operators.absolute(a) is a


@pytest.mark.parametrize(
    ("literal", "dtype", "expected"),
    [
        (FloatImm("float16", 0.1), "float32", float(np.float16(0.1))),
        (FloatImm("bfloat16", 0.1), "float32", 0.10009765625),
        (FloatImm("float32", 0.1), "float64", float(np.float32(0.1))),
        (FloatImm("float16", 1e50), "float32", float("inf")),
        (IntImm("int32", 2**24 + 1), "float32", float(2**24)),
        (IntImm("int64", 2**53 + 1), "float64", float(2**53)),
    ],
)
def test_a_literal_is_converted_from_the_number_that_its_own_type_holds(
    literal: Expr, dtype: str, expected: float
) -> None:
    assert operators.cast(dtype, literal) is FloatImm(dtype, expected)


def test_equality_of_constants_folds_and_of_variables_builds_a_node() -> None:
    i, j = Var("i"), Var("j")
    folded = IntImm("int32", 3) == IntImm("int32", 3)
    assert isinstance(folded, IntImm)
    assert folded.dtype == "bool"
    assert (i == j).dtype == "bool"
    assert not bool(i == j)
    assert bool(i != j)


def test_a_comparison_in_a_traced_function_cannot_be_decided() -> None:
    i, j = Var("i"), Var("j")
    with operators.tracing(), pytest.raises(UndecidedComparison, match="if_then_else"):
        bool(i == j)
    assert not bool(i == j)
    with pytest.raises(UndecidedComparison):
        bool(i < j)


def test_types_match_as_documented() -> None:
    half, single, brain = Var("h", "float16"), Var("s", "float32"), Var("b", "bfloat16")
    assert (half + single).dtype == "float32"
    assert (half + brain).dtype == "float32"
    assert (half + 1).dtype == "float16"
    assert (Var("i") + Var("l", "int64")).dtype == "int64"
    assert (Var("i") + 0.5).dtype == "float32"
    assert (Var("u", "uint8") + Var("i", "int32")).dtype == "int32"


def test_division_of_integers_must_say_how_it_rounds() -> None:
    with pytest.raises(TypeMismatchError, match="ambiguous"):
        _ = Var("i") / 2
    assert IntImm("int32", -7) // 2 is IntImm("int32", -4)
    assert operators.truncdiv(IntImm("int32", -7), 2) is IntImm("int32", -3)
    assert operators.truncmod(IntImm("int32", -7), 2) is IntImm("int32", -1)


def test_a_numpy_scalar_on_the_left_builds_one_expression() -> None:
    a = decl_buffer((4,), "float32", "A")
    product: object = np.float32(2) * a[Var("i")]  # pyright: ignore[reportOperatorIssue]  # numpy defers to us at run time
    assert isinstance(product, Mul)


def test_nodes_refuse_assignment() -> None:
    total = Var("i") + Var("j")
    with pytest.raises(AttributeError, match="immutable"):
        total.a = Var("k")


def test_a_sum_of_ten_thousand_terms_is_walked_without_recursion_errors() -> None:
    i, j = Var("i"), Var("j")
    total = operators.convert(i)
    for _ in range(10_000):
        total = total + Var("x")
    assert len(free_vars(total)) == 10_001
    assert len(expr_post_order(total)) == 20_001
    assert j in free_vars(substitute(total, {i: j}))


def test_a_square_nested_thirty_deep_prints_in_as_many_lines() -> None:
    x = Var("x", "float32")
    value = operators.convert(x)
    for _ in range(30):
        value = value * value
    assert len(str(value).splitlines()) < 40


def test_substitution_folds_and_leaves_untouched_expressions_alone() -> None:
    i, j = Var("i"), Var("j")
    index = (i * 8 + j) // 4
    assert substitute(index, {i: 2, j: 3}) is IntImm("int32", 4)
    assert substitute(index, {Var("k"): 1}) is index
    assert ordered_vars(index) == [i, j] or [v.name for v in ordered_vars(index)] == ["i", "j"]


def test_pickling_restores_the_interned_node() -> None:
    i = Var("i")
    total, var = pickle.loads(pickle.dumps((i * 8 + 1, i)))  # noqa: S301  # our own bytes
    assert total is var * 8 + 1


def test_a_sweep_drops_dead_nodes_and_keeps_live_ones() -> None:
    live = Var("i") * 12345
    size = node.intern_size()
    for k in range(1000):
        _ = live + (k + 100_000)
    assert node.sweep() >= 1000
    assert node.intern_size() <= size + 10
    assert isinstance(live, Mul)
    assert live is live.a * 12345


def test_conditions_must_be_bool_and_branches_of_one_type() -> None:
    i = Var("i")
    with pytest.raises(TypeMismatchError, match="bool"):
        Select(i, i, i)
    with pytest.raises(TypeMismatchError, match="bool"):
        Not(i)
    assert intrin.if_then_else(i < 3, 1.0, 0.0).dtype == "float32"
    assert isinstance(operators.cast("float32", i), Cast)
    assert isinstance(operators.cast("float16", FloatImm("float32", 0.1)), FloatImm)


def test_an_unknown_intrinsic_suggests_the_nearest() -> None:
    with pytest.raises(TypeMismatchError, match=r"tir\.sqrt"):
        intrin.call_intrin("float32", "sqrrt", 1.0)
    with pytest.raises(TypeMismatchError, match="2 dimensions"):
        _ = decl_buffer((4, 4), "float32", "A")[1]
    assert isinstance(Add(Var("i"), 3), Add)


def test_variables_of_one_name_stay_apart_size_variables_too() -> None:
    assert Var("n") is not Var("n")
    assert SizeVar("n") is not SizeVar("n")
    assert SizeVar("n", "int64").dtype == "int64"


def test_a_power_by_a_whole_number_of_numpy_is_a_product() -> None:
    n = Var("n")
    assert operators.power(n, np.int64(3)) is n * n * n


@pytest.mark.parametrize(("cls", "absorbing"), [(And, False), (Or, True)])
def test_conditions_of_lanes_stay_conditions_of_lanes(cls: type[And | Or], absorbing: bool) -> None:
    lanes = Broadcast(Var("n") < 3, 4)
    for literal in (True, False):
        for pair in ((lanes, IntImm("bool", int(literal))), (IntImm("bool", int(literal)), lanes)):
            met = operators.logical(cls, *pair)
            assert met.dtype == "boolx4"
            assert met is (Broadcast(IntImm("bool", int(absorbing)), 4) if literal is absorbing else lanes)
