"""Structural equality and hash: up to bound names, no further."""

from __future__ import annotations

import pytest

from gpucomp import te
from gpucomp.ir.structural import get_first_structural_mismatch, structural_equal, structural_hash
from gpucomp.support.diagnostics import TypeMismatchError
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import Var
from gpucomp.tir.function import PrimFunc


def _function(*, reuse: bool = False, offset: int = 1, dtype: str = "float32") -> PrimFunc:
    i, j, n = Var("i"), Var("j"), Var("n")
    a, b = decl_buffer((n, 16), dtype, "A"), decl_buffer((n, 16), dtype, "B")
    second = i if reuse else Var("k")
    copy = s.For(i, 0, n, 0, s.For(j, 0, 16, 0, s.BufferStore(b, a[i, j] + a[i, j], (i, j))))
    fill = s.For(second, 0, n, 0, s.BufferStore(b, a[second, offset], (second, 0)))
    return PrimFunc((a.data, b.data, n), s.seq(copy, fill), {a.data: a, b.data: b}, {"global_symbol": "f"})


def test_functions_that_differ_in_bound_names_only_are_equal() -> None:
    assert structural_equal(_function(), _function())
    assert structural_hash(_function()) == structural_hash(_function())


def test_a_loop_variable_used_by_two_loops_equals_two_variables() -> None:
    assert structural_equal(_function(reuse=True), _function())
    assert structural_hash(_function(reuse=True)) == structural_hash(_function())


def test_a_changed_literal_is_a_mismatch_and_is_named() -> None:
    mismatch = get_first_structural_mismatch(_function(), _function(offset=2))
    assert mismatch is not None
    assert "'1'" in mismatch[0]
    assert "'2'" in mismatch[1]


def test_a_changed_dtype_is_a_mismatch() -> None:
    assert not structural_equal(_function(), _function(dtype="float16"))


def test_free_variables_are_equal_to_themselves_only_unless_mapped() -> None:
    i, j = Var("i"), Var("j")
    assert structural_equal(i + 1, i + 1)
    assert not structural_equal(i + 1, j + 1)
    assert structural_equal(i + 1, j + 1, map_free_vars=True)
    assert not structural_equal(i + j, j + j, map_free_vars=True)


def test_tuples_and_numbers_are_equal_where_their_parts_are_and_as_many() -> None:
    i, j = Var("i"), Var("j")
    assert structural_equal((i + 1, j), (i + 1, j))
    assert not structural_equal((i + 1, i + 1), (i + 1,))
    assert not structural_equal((i, j), (j, i))
    assert not structural_equal(3, 4)
    assert structural_hash((i, i)) != structural_hash((i,))


def test_elements_of_two_tensors_of_one_name_and_shape_differ() -> None:
    a, b = te.placeholder((4,), name="A"), te.placeholder((4,), name="A")
    assert structural_equal(a(0) + 1.0, a(0) + 1.0)
    assert not structural_equal(a(0) + 1.0, b(0) + 1.0)
    assert structural_equal(a(0) + 1.0, b(0) + 1.0, map_free_vars=True)
    assert not structural_equal(a(0) + a(0), a(0) + b(0), map_free_vars=True)


def test_tensors_themselves_are_not_compared() -> None:
    with pytest.raises(TypeMismatchError, match=r"structural_equal takes .* got a Tensor"):
        structural_equal(te.placeholder((4,)), te.placeholder((8,)))
