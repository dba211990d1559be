"""index_width: the guard over extents, and the form with 64-bit indices."""

from __future__ import annotations

import numpy as np
import pytest

from gpucomp.tir import operators
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import BufferLoad, Expr, IterVar, Select, SizeVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import expr_post_order, substitute
from gpucomp.tir.interp import interpret
from gpucomp.tir.intrin import if_then_else, likely
from gpucomp.tir.stmt import AttrStmt, BufferStore, For, IfThenElse, LetStmt, seq
from gpucomp.transform.flatten_storage import flatten_storage
from gpucomp.transform.index_width import LIMIT, flat_extents, needs_int64, widen_indices
from gpucomp.transform.inject_virtual_thread import inject_virtual_thread
from gpucomp.transform.simplify import simplify
from gpucomp.transform.vectorize_loop import vectorize_loop
from tests.transform.build import (
    allocate,
    apply,
    assert_same_meaning,
    func,
    internal,
    loop,
    nest,
    nodes,
    numbers,
    outputs,
    realize,
    store,
    thread,
    tiled_matmul,
)

i, j = Var("i"), Var("j")
n, m = SizeVar("n"), SizeVar("m")


def index_types(f: PrimFunc) -> set[str]:
    found = [x.indices for x in (*nodes(f, BufferStore), *nodes(f, BufferLoad))]
    return {str(index.dtype.element) for indices in found for index in indices}


def value_at(guard: Expr, **sizes: int) -> bool:
    known = {v: operators.const(sizes[v.name], v.dtype) for v in expr_post_order(guard) if isinstance(v, Var)}
    done = substitute(guard, known)
    assert isinstance(done, operators.e.IntImm)
    return bool(done.value)


def test_small_constant_extents_need_32_bits() -> None:
    assert (
        needs_int64(func([decl_buffer((1024, 1024), name="A")], loop(i, 0, store(decl_buffer((1,)), 0, 0.0)))) is False
    )


def test_a_product_beyond_32_bits_is_not_computed_in_32_bits() -> None:
    a = decl_buffer((65536, 65536), name="A")
    f = func([a], nest([(i, 65536), (j, 65536)], store(a, (i, j), 0.0)))
    assert needs_int64(f) is True
    assert str(flat_extents(f)[0]) == f"T.int64({2**32})"


def test_symbolic_extents_give_a_guard_in_64_bits() -> None:
    a = decl_buffer((n, m), name="A")
    guard = needs_int64(func([a], nest([(i, n), (j, m)], store(a, (i, j), 0.0))))
    assert isinstance(guard, Expr)
    assert value_at(guard, n=1000, m=1000)
    assert not value_at(guard, n=65536, m=65536)
    assert not value_at(guard, n=2**31 - 1, m=2)
    assert value_at(guard, n=LIMIT - 1, m=1)
    assert not value_at(guard, n=LIMIT, m=1)


def test_strided_arguments_count_to_their_last_element() -> None:
    a = decl_buffer((4, 8), name="A", strides=(100, 2), elem_offset=5)
    assert [str(x) for x in flat_extents(func([a], store(a, (0, 0), 0.0)))] == [f"T.int64({5 + 300 + 14 + 1})"]


def test_intermediate_tensors_count_and_tiles_do_not() -> None:
    a, t = decl_buffer((n,), name="A"), internal("T", (n, n), "global")
    whole = realize(t, [(0, n), (0, n)], store(a, 0, t[0, 0]))
    assert len(flat_extents(func([a], whole))) == 2
    tile = loop(i, n, realize(t, [(i, 1), (0, i)], store(a, 0, t[i, 0])))
    assert len(flat_extents(func([a], tile))) == 1
    flat = internal("F", (n,), "global")
    assert len(flat_extents(func([a], allocate(flat, store(a, 0, flat[0]))))) == 1  # the same extent once


def test_loops_threads_and_shapes_become_64_bit() -> None:
    a, c, tx = decl_buffer((n, m), name="A"), decl_buffer((n, m), name="C"), Var("tx")
    body = loop(i, n, IfThenElse(likely(tx < m), store(c, (i, tx), a[i, tx] + 1.0)))
    f = func([a, c], thread("threadIdx.x", tx, 8, body))
    wide = widen_indices(f)
    assert index_types(wide) == {"int64"}
    assert nodes(wide, For)[0].loop_var.dtype == "int64"
    (attr,) = nodes(wide, AttrStmt)
    assert isinstance(attr.node, IterVar)
    assert attr.node.var.dtype == "int64"
    assert {str(x.dtype) for b in wide.buffer_map.values() for x in b.shape} == {"int64"}
    assert_same_meaning(f, wide, [numbers(3, 7), numbers(3, 7, seed=1)])


def test_integer_data_keeps_its_type() -> None:
    x, y = decl_buffer((n,), "int32", "X"), decl_buffer((n,), "int32", "Y")
    k = Var("k")
    f = func([x, y], loop(i, n, store(y, i, x[i] * k + i)), [k])
    wide = widen_indices(f)
    assert wide.params[-1] is k
    (done,) = nodes(wide, BufferStore)
    assert done.value.dtype == "int32"
    big = np.array([2**31 - 1, 5, -(2**31)], "int32")
    old, new = np.zeros(3, "int32"), np.zeros(3, "int32")
    interpret(f, [big, old, 3])
    interpret(wide, [big, new, 3])
    np.testing.assert_array_equal(old, new)


def test_an_extent_that_is_an_argument_too_is_widened_in_both_places() -> None:
    a = decl_buffer((n,), name="A")
    f = func([a], loop(i, n, store(a, i, operators.cast("float32", n))), [n])
    wide = widen_indices(f)
    assert wide.params[-1].dtype == "int64"
    (buffer,) = wide.buffer_map.values()
    assert buffer.shape[0] is wide.params[-1]


def test_an_indirect_index_is_cast() -> None:
    x, a, c = decl_buffer((n,), "int32", "X"), decl_buffer((n,), name="A"), decl_buffer((n,), name="C")
    f = func([x, a, c], loop(i, n, store(c, i, a[x[i]])))
    wide = widen_indices(f)
    assert index_types(wide) == {"int64"}
    assert_same_meaning(f, wide, [np.array([2, 0, 1], "int32"), numbers(3), numbers(3)])


def test_choices_and_bindings_of_indices_are_widened() -> None:
    a, c = decl_buffer((8,), name="A"), decl_buffer((8,), name="C")
    x = Var("x")
    picked = Select(i < 3, i, operators.const(7) - i)
    body = LetStmt(x, picked, store(c, i, if_then_else(x > 0, a[operators.minimum(x - 1, 7)], 0.0)))
    f = func([a, c], loop(i, 8, body))
    wide = widen_indices(f)
    assert nodes(wide, LetStmt)[0].var.dtype == "int64"
    assert_same_meaning(f, wide, [numbers(8), numbers(8, seed=1)])


def test_a_comparison_of_data_stays_32_bit() -> None:
    x, c = decl_buffer((n,), "int32", "X"), decl_buffer((n,), name="C")
    f = func([x, c], loop(i, n, seq(store(c, i, 0.0), IfThenElse(x[i] + 1 > i, store(c, i, 1.0)))))
    wide = widen_indices(f)
    (branch,) = nodes(wide, IfThenElse)
    assert isinstance(branch.condition, operators.e.GT)
    assert branch.condition.a.dtype == "int32"
    assert_same_meaning(f, wide, [np.array([3, 2**31 - 1, -1, 0], "int32"), numbers(4)])


def test_a_function_that_is_wide_already_comes_back_as_the_same_object() -> None:
    a = decl_buffer((SizeVar("n", "int64"),), name="A")
    k = Var("k", "int64")
    f = func([a], loop(k, a.shape[0], store(a, k, 1.0), low=operators.const(0, "int64")))
    assert widen_indices(f) is f


@pytest.mark.parametrize("double_buffer", [False, True])
def test_a_symbolic_matmul_computes_the_same(double_buffer: bool) -> None:
    f = tiled_matmul(n, m, SizeVar("k"), vector=4, pad=1, double_buffer=double_buffer)
    wide = apply(widen_indices(f), flatten_storage, simplify, vectorize_loop, inject_virtual_thread)
    args = [numbers(18, 5), numbers(5, 21, seed=1), numbers(18, 21)]
    assert index_types(wide) == {"int64"}
    assert_same_meaning(f, wide, args)
    np.testing.assert_array_equal(outputs(wide, args)[0], args[0] @ args[1])
