"""common_subexpr_elim: what gets a name, where, and what must not."""

from __future__ import annotations

import pytest

from gpucomp.analysis import verify_well_formed
from gpucomp.ir.transform import PassContext
from gpucomp.tir import operators
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import Expr, Ramp, SizeVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.stmt import AttrStmt, For, ForKind, IfThenElse, LetStmt, Stmt, seq
from gpucomp.transform.common_subexpr_elim import common_subexpr_elim
from gpucomp.transform.flatten_storage import flatten_storage
from gpucomp.transform.inject_virtual_thread import inject_virtual_thread
from gpucomp.transform.simplify import simplify
from gpucomp.transform.vectorize_loop import vectorize_loop
from tests.transform.build import (
    UNROLLED,
    apply,
    assert_same_meaning,
    func,
    loop,
    nodes,
    numbers,
    store,
    thread,
    tiled_matmul,
)

i, j, k, tx = (Var(x) for x in ("i", "j", "k", "tx"))
A, C = decl_buffer((64,), name="A"), decl_buffer((64,), name="C")
AT = i * 8 + j


def shared(body: Stmt) -> PrimFunc:
    f = func([A, C], body)
    done = common_subexpr_elim(f)
    assert_same_meaning(f, done, [numbers(64), numbers(64, seed=1)])
    return done


def bindings(f: PrimFunc) -> dict[str, Expr]:
    return {x.var.name: x.value for x in reversed(nodes(f, LetStmt))}


def test_an_index_used_twice_in_a_statement_gets_a_name() -> None:
    f = shared(loop(i, 8, loop(j, 8, store(C, AT, C[AT] + A[AT]))))
    assert bindings(f) == {"C_at": AT}
    assert nodes(f, For)[0].loop_var is j
    assert isinstance(nodes(f, For)[0].body, LetStmt)


def test_an_index_used_in_two_statements_gets_a_name() -> None:
    f = shared(loop(i, 8, loop(j, 8, seq(store(A, AT, 1.0), store(C, AT, 2.0)))))
    assert bindings(f) == {"A_at": AT}


def test_a_binding_stands_where_its_last_variable_is_bound() -> None:
    at = tx * 4 + operators.floordiv(tx, 2)
    f = shared(thread("threadIdx.x", tx, 8, loop(i, 2, loop(j, 2, store(C, at + i, A[at + j])))))
    (binding,) = nodes(f, LetStmt)
    assert binding.value is at
    assert isinstance(binding.body, For)


def test_only_the_largest_repeated_expression_gets_a_name() -> None:
    f = shared(loop(i, 8, loop(j, 8, seq(store(A, 63 - AT, 1.0), store(C, 63 - AT, 2.0)))))
    assert list(bindings(f).values()) == [63 - AT]


def test_a_part_that_has_uses_of_its_own_gets_one_too() -> None:
    twice = AT * 3 - AT
    f = shared(loop(i, 4, loop(j, 4, seq(store(A, twice % 64, A[AT]), store(C, twice % 64, 2.0)))))
    assert [str(x.value) for x in reversed(nodes(f, LetStmt))] == ["i * 8 + j", "(A_at * 3 - A_at) % 64"]


def test_a_literal_is_added_in_place() -> None:
    f = shared(loop(i, 7, loop(j, 7, seq(store(A, AT + 1, A[AT]), store(C, AT + 2, 2.0)))))
    assert [str(x.value) for x in nodes(f, LetStmt)] == ["i * 8 + j"]


def test_what_only_arguments_decide_is_bound_inside_of_the_kernel() -> None:
    n = SizeVar("n")
    x = decl_buffer((n,), name="X")
    size = operators.floordiv(n * 3 + 7, 4)
    body = IfThenElse(tx < size, store(x, tx, operators.cast("float32", size)))
    f = func([x], thread("threadIdx.x", tx, 8, body))
    done = common_subexpr_elim(f)
    assert isinstance(done.body, AttrStmt)
    assert isinstance(done.body.body, LetStmt)
    assert_same_meaning(f, done, [numbers(9)])


def test_a_short_expression_stays_in_place() -> None:
    f = func([A, C], loop(i, 8, store(C, i * 8, A[i * 8])))
    assert common_subexpr_elim(f) is f


def test_sibling_loops_that_share_a_variable_have_their_own_bindings() -> None:
    nest = loop(i, 8, loop(j, 8, store(C, AT, C[AT] + 1.0)))
    f = shared(seq(nest, nest))
    assert len(nodes(f, LetStmt)) == 2
    names = [x.var for x in nodes(f, LetStmt)]
    assert names[0] is not names[1]


def test_a_use_once_in_each_of_two_loops_is_not_shared_across_them() -> None:
    f = func([A, C], seq(loop(i, 7, store(C, i * 8 + 3, 1.0)), loop(i, 7, store(C, i * 8 + 3, 2.0))))
    assert common_subexpr_elim(f) is f


def test_loads_are_never_shared() -> None:
    x = decl_buffer((64,), "int32", "X")
    value = x[i] * 3 + x[i] * 3
    f = func([x], loop(i, 8, seq(store(x, i, value + 1), store(x, i, value + 1))))
    assert common_subexpr_elim(f) is f


def test_an_index_inside_of_a_load_in_an_index_is_shared() -> None:
    x = decl_buffer((64,), "int32", "X")
    at = operators.floormod(x[AT], 64)
    f = func([x, C], loop(i, 8, loop(j, 8, store(C, at, C[at] + 1.0))))
    done = common_subexpr_elim(f)
    assert bindings(done) == {"X_at": AT}
    assert_same_meaning(f, done, [numbers(64, dtype="int32"), numbers(64)])


def test_a_division_by_a_variable_stays_under_its_guard() -> None:
    n = SizeVar("n")
    at = operators.floordiv(i * 8, n)
    f = func([A, C], loop(i, 8, IfThenElse(n > 0, store(C, at + 1, A[at + 1]))), [n])
    assert common_subexpr_elim(f) is f


def test_a_division_by_a_number_is_shared() -> None:
    at = operators.floordiv(i, 3) * 3 + operators.floormod(i, 3)
    f = shared(loop(i, 8, store(C, at, A[at])))
    assert list(bindings(f).values()) == [at]


def test_the_start_of_a_vector_is_shared() -> None:
    ramp = Ramp(AT * 4, operators.const(1), 4)
    f = shared(loop(i, 2, loop(j, 8, store(C, ramp, A[ramp]))))
    assert list(bindings(f).values()) == [AT * 4]


def test_an_existing_binding_of_the_same_value_is_joined() -> None:
    x = Var("x")
    body = loop(j, 8, seq(store(A, AT, 1.0), LetStmt(x, AT, store(C, x, A[x])), store(C, AT, C[AT] + 1.0)))
    f = shared(loop(i, 8, body))
    assert len(nodes(f, LetStmt)) == 1


def test_a_condition_and_an_index_share() -> None:
    f = shared(loop(i, 8, loop(j, 8, IfThenElse(AT < 50, store(C, AT, 1.0)), UNROLLED)))
    assert list(bindings(f).values()) == [AT]


def test_it_can_be_switched_off() -> None:
    f = func([A, C], loop(i, 8, loop(j, 8, store(C, AT, A[AT]))))
    with PassContext(config={"tir.disable_cse_tir": True}):
        assert common_subexpr_elim(f) is f
    assert common_subexpr_elim(f) is not f


def test_a_function_without_repetition_comes_back_as_the_same_object() -> None:
    f = func([A, C], loop(i, 8, loop(j, 8, store(C, AT, A[i + j]))))
    assert common_subexpr_elim(f) is f


@pytest.mark.parametrize("vector", [1, 4])
def test_a_tiled_matmul_computes_the_same(vector: int) -> None:
    passes = (flatten_storage, simplify, vectorize_loop, inject_virtual_thread, simplify)
    f = apply(tiled_matmul(20, 17, 9, vector=vector), *passes)
    done = common_subexpr_elim(f)
    assert bindings(done)
    assert_same_meaning(f, done, [numbers(20, 9), numbers(9, 17, seed=1), numbers(20, 17)])


def test_loops_that_run_apart_share_no_names() -> None:
    size = SizeVar("size")
    half = operators.floordiv(size + 1, 2)
    a = decl_buffer((1024,), name="A")

    def filled() -> Stmt:
        var = Var("p")
        body = seq(store(a, half * 3 + var, 1.0), store(a, half * 3 * 5 + 2 * var, 2.0))
        return loop(var, 4, body, ForKind.PARALLEL)

    done = common_subexpr_elim(func([a], seq(filled(), filled()), [size]))
    assert len(nodes(done, LetStmt)) == 2
    verify_well_formed(done)
