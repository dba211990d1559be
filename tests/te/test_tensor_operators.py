"""Operators of whole tensors, numpy's functions on elements, and what cannot be meant."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.support.diagnostics import TensorError, TypeMismatchError
from tests.te.helpers import check, small_ints


def test_operators_of_whole_tensors_compute_element_by_element() -> None:
    a, b = te.placeholder((4, 5), name="A"), te.placeholder((5,), name="B")
    c = np.float32(3) - (a + b * 2) / 4 + -a
    x, y = small_ints((4, 5)), small_ints((5,), seed=1)
    check(te.create_schedule(c.op), [a, b, c], [x, y], 3 - (x + y * 2) / 4 - x)


def test_extents_of_one_are_broadcast() -> None:
    a, b = te.placeholder((4, 1, 3), name="A"), te.placeholder((5, 1), name="B")
    c = a - b
    assert [int(s) for s in c.shape] == [4, 5, 3]
    assert c.op.tag == "broadcast"
    assert (a * 2).op.tag == "elemwise"
    x, y = small_ints((4, 1, 3)), small_ints((5, 1), seed=1)
    check(te.create_schedule(c.op), [a, b, c], [x, y], x - y)


def test_numpy_functions_of_elements_and_tensors_are_those_of_te() -> None:
    a = te.placeholder((6,), name="A")
    b = te.compute((6,), lambda i: np.maximum(np.exp(a[i]), np.float32(1)), name="B")
    c = np.sqrt(b)
    x = small_ints((6,))
    check(te.create_schedule(c.op), [a, c], [x], np.sqrt(np.maximum(np.exp(x), 1)), rtol=1e-6)


@pytest.mark.parametrize(
    "misuse",
    [
        lambda a: math.exp(a[0]),
        lambda a: float(a[0] + 1),
        lambda a: np.cbrt(a[0]),
        lambda a: np.add.reduce(a[0]),
        lambda a: np.ones(3, "float32") * a[0],
    ],
)
def test_functions_of_numbers_say_what_to_use_instead(misuse: Callable[[te.Tensor], object]) -> None:
    with pytest.raises(TypeMismatchError) as info:
        misuse(te.placeholder((6,), name="A"))
    assert info.value.code == "GC251"
    assert info.value.where is not None
    assert info.value.hint


def test_shapes_that_do_not_go_together_are_named() -> None:
    with pytest.raises(TensorError, match=r"\(4, 5\) and \(3\) do not go together") as info:
        _ = te.placeholder((4, 5), name="A") + te.placeholder((3,), name="B")
    assert info.value.code == "GC216"


def test_a_whole_tensor_inside_of_a_compute_is_an_error() -> None:
    a = te.placeholder((4,), name="A")
    with pytest.raises(TensorError, match="where one element is needed"):
        te.compute((4,), lambda i: a + i)


def test_specialized_conditions_nest() -> None:
    n = te.var("n")
    assert te.SpecializedCondition.current() is None
    with te.SpecializedCondition([n > 3, n < 9]) as outer:
        assert len(outer.clauses) == 2
        with te.SpecializedCondition(n > 4) as inner:
            assert te.SpecializedCondition.current() is inner
        assert te.SpecializedCondition.current() is outer
    assert te.SpecializedCondition.current() is None
    with pytest.raises(TensorError, match="is a condition"):
        te.SpecializedCondition([n + 1])


def test_names_that_other_programs_import_with_te_are_there() -> None:
    a = te.placeholder((4,), "int32", name="A")
    c = te.compute((4,), lambda i: te.popcount(a[i]) + te.div(a[i], 2), name="C")
    module = gpucomp.driver.build_module.schedule_to_module(te.create_schedule(c.op), [a, c])
    values = np.array([-7, 7, 255, 8], "int32")
    got = np.full(4, -1, "int32")
    gpucomp.build(module, target="llvm")(values, got)
    assert got.tolist() == [bin(x & 0xFFFFFFFF).count("1") + int(x / 2) for x in values.tolist()]
