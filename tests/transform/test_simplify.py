"""simplify: predicates, trivial loops, dead branches, and integer data that must wrap."""

from __future__ import annotations

import numpy as np
import pytest

from gpucomp.tir import operators
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import And, BufferLoad, Call, IntImm, Not, Select, SizeVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.intrin import barrier, if_then_else, likely
from gpucomp.tir.stmt import AssertStmt, BufferStore, Evaluate, For, IfThenElse, LetStmt, Stmt, is_noop, seq
from gpucomp.transform.flatten_storage import flatten_storage
from gpucomp.transform.simplify import simplify
from tests.transform.build import (
    UNROLLED,
    assert_same_meaning,
    func,
    loop,
    nest,
    nodes,
    numbers,
    outputs,
    store,
    thread,
    tiled_matmul,
)

i, j, k = Var("i"), Var("j"), Var("k")
n = SizeVar("n")
A, C = decl_buffer((64,), name="A"), decl_buffer((64,), name="C")


def body_of(stmt: Stmt) -> Stmt:
    return simplify(func([C], stmt)).body


def test_a_bound_check_that_always_holds_goes() -> None:
    body = body_of(nest([(i, 8), (j, 8)], IfThenElse(likely(i * 8 + j < 64), store(C, i * 8 + j, 1.0))))
    assert not nodes(body, IfThenElse)


def test_a_bound_check_that_may_fail_stays_and_stays_likely() -> None:
    body = body_of(nest([(i, 8), (j, 9)], IfThenElse(likely(i * 9 + j < 64), store(C, i * 9 + j, 1.0))))
    (check,) = nodes(body, IfThenElse)
    assert isinstance(check.condition, Call)
    assert check.condition.op.name == "tir.likely"  # pyright: ignore[reportAttributeAccessIssue]  # an Op, not a GlobalVar


def test_of_a_conjunction_only_what_may_fail_stays() -> None:
    condition = operators.logical(And, likely(i < 8), operators.logical(And, likely(i * 9 + j < 64), j < 9))
    body = body_of(nest([(i, 8), (j, 9)], IfThenElse(condition, store(C, i * 9 + j, 1.0))))
    (check,) = nodes(body, IfThenElse)
    assert check.condition is likely(i * 9 + j < 64)


def test_a_branch_that_is_never_taken_goes() -> None:
    body = body_of(loop(i, 8, IfThenElse(i > 8, store(C, i, 1.0), store(C, i, 2.0))))
    (only,) = nodes(body, BufferStore)
    assert not nodes(body, IfThenElse)
    assert isinstance(only.value, operators.e.FloatImm)
    assert only.value.value == 2.0


def test_a_condition_holds_inside_its_branch_and_not_in_the_other() -> None:
    inner = IfThenElse(i < 6, store(C, i, 1.0), store(C, i, 2.0))
    body = body_of(loop(i, 8, IfThenElse(i < 5, inner, inner)))
    assert len(nodes(body, IfThenElse)) == 2  # the one inside the first branch is gone
    assert_same_meaning(func([C], loop(i, 8, IfThenElse(i < 5, inner, inner))), func([C], body), [numbers(64)])


def test_a_loop_of_one_iteration_is_replaced_by_its_body() -> None:
    body = body_of(loop(i, 1, loop(j, 8, store(C, i * 8 + j, 1.0)), low=3))
    (left,) = nodes(body, For)
    assert left.loop_var is j
    assert nodes(body, BufferStore)[0].indices[0] is (j + 24)


def test_a_loop_without_iterations_goes() -> None:
    assert is_noop(body_of(loop(i, 0, store(C, i, 1.0))))
    assert is_noop(body_of(loop(j, 4, loop(i, j - 4, store(C, i, 1.0)))))


def test_two_loops_may_share_a_variable_with_different_ranges() -> None:
    check = IfThenElse(i < 4, store(C, i, 1.0))
    f = func([C], seq(loop(i, 4, check), loop(i, 8, check), loop(i, 1, check, low=7)))
    done = simplify(f)
    assert len(nodes(done, IfThenElse)) == 1
    assert_same_meaning(f, done, [numbers(64)])


def test_a_thread_of_extent_one_is_zero_in_the_body_and_still_launched() -> None:
    body = body_of(thread("threadIdx.x", i, 1, store(C, i + 3, 1.0)))
    assert nodes(body, BufferStore)[0].indices[0] is IntImm("int32", 3)
    assert type(body).__name__ == "AttrStmt"


def test_a_virtual_thread_of_extent_one_goes() -> None:
    assert isinstance(body_of(thread("vthread", i, 1, store(C, i + 3, 1.0))), BufferStore)


def test_a_bound_variable_that_is_a_constant_is_replaced() -> None:
    body = body_of(LetStmt(i, IntImm("int32", 5), store(C, i + 1, 1.0)))
    assert isinstance(body, BufferStore)
    assert body.indices[0] is IntImm("int32", 6)


def test_a_bound_variable_keeps_what_is_known_of_its_value() -> None:
    body = body_of(loop(j, 8, LetStmt(i, j * 4, IfThenElse(i < 32, store(C, i, 1.0)))))
    assert not nodes(body, IfThenElse)
    assert nodes(body, LetStmt)


def test_an_assertion_that_holds_goes_and_one_that_may_not_is_known_below() -> None:
    held = body_of(loop(i, 4, AssertStmt(i < 5, "small", store(C, i, 1.0))))
    assert not nodes(held, AssertStmt)
    body = body_of(loop(i, 9, AssertStmt(i < 5, "small", IfThenElse(i < 6, store(C, i, 1.0)))))
    assert nodes(body, AssertStmt)
    assert not nodes(body, IfThenElse)


def test_a_guarded_load_loses_a_guard_that_always_holds() -> None:
    body = body_of(loop(i, 64, store(C, i, if_then_else(operators.logical(And, i >= 0, i < 64), A[i], 0.0))))
    assert nodes(body, BufferStore)[0].value is A[i]


def test_an_index_is_not_simplified_under_the_condition_of_a_select() -> None:
    clamped = operators.minimum(i, 63)
    body = body_of(loop(i, 70, store(C, 0, Select(i < 64, A[clamped], operators.const(0.0, "float32")))))
    (load,) = nodes(body, BufferLoad)
    assert load.indices[0] is clamped  # both sides of a Select may be evaluated


def test_integer_data_wraps_as_written() -> None:
    x, y = decl_buffer((4,), "int32", "X"), decl_buffer((4,), "int32", "Y")
    value = Select(x[i] + 1 > x[i], x[i] * 2, x[i])
    f = func([x, y], loop(i, 4, store(y, i, value)))
    biggest = np.array([2**31 - 1, 0, -(2**31), 7], "int32")
    assert_same_meaning(f, simplify(f), [biggest, np.zeros(4, "int32")])
    assert simplify(f) is f


def test_an_integer_value_made_of_indices_is_simplified_only_where_it_fits() -> None:
    y = decl_buffer((4,), "int32", "Y")
    fits = func([y], loop(i, 4, store(y, i, operators.floordiv(i * 6 + 5, 6))))
    assert nodes(simplify(fits), BufferStore)[0].value is i
    product = i * 65536 * 65536
    wraps = func([y], loop(i, 4, store(y, i, operators.floordiv(product, 65536))))
    assert_same_meaning(wraps, simplify(wraps), [np.zeros(4, "int32")])


def test_a_condition_on_memory_is_asked_again_after_a_store() -> None:
    flag = decl_buffer((1,), "int32", "F")
    test = flag[0] > 0
    f = func([flag, C], IfThenElse(test, seq(store(flag, 0, 0), IfThenElse(test, store(C, 0, 1.0), store(C, 0, 2.0)))))
    assert_same_meaning(f, simplify(f), [np.ones(1, "int32"), numbers(64)])


def test_a_negated_guard_is_known_in_the_other_branch() -> None:
    body = body_of(loop(i, 8, IfThenElse(Not(i < 5), IfThenElse(i >= 4, store(C, i, 1.0)))))
    assert len(nodes(body, IfThenElse)) == 1


def test_a_loop_around_nothing_goes() -> None:
    assert is_noop(body_of(loop(i, 8, IfThenElse(i > 9, store(C, i, 1.0)))))


def test_a_barrier_is_not_simplified_away() -> None:
    assert nodes(body_of(loop(i, 8, Evaluate(barrier("shared")))), Evaluate)


def test_a_simple_function_comes_back_as_the_same_object() -> None:
    f = func([C], loop(i, n, store(C, i, A[i] + 1.0), UNROLLED), [n])
    assert simplify(f) is f


@pytest.mark.parametrize("shape", [(16, 16, 16), (20, 17, 9), (1, 1, 1)])
def test_a_tiled_matmul_computes_the_same(shape: tuple[int, int, int]) -> None:
    m, columns, depth = shape
    f = flatten_storage(tiled_matmul(*shape))
    args = [numbers(m, depth), numbers(depth, columns, seed=1), numbers(m, columns)]
    assert_same_meaning(f, simplify(f), args)


def test_a_tiled_matmul_of_whole_tiles_has_no_guards() -> None:
    f: PrimFunc = simplify(flatten_storage(tiled_matmul(SizeVar("m") * 16, 32, 16)))
    assert not nodes(f, IfThenElse)


def test_a_symbolic_matmul_computes_the_same() -> None:
    f = flatten_storage(tiled_matmul(SizeVar("m"), SizeVar("n"), SizeVar("k")))
    done = simplify(f)
    assert_same_meaning(f, done, [numbers(18, 5), numbers(5, 33, seed=1), numbers(18, 33)])
    np.testing.assert_array_equal(
        outputs(done, [numbers(18, 5), numbers(5, 33, seed=1), numbers(18, 33)])[0],
        numbers(18, 5) @ numbers(5, 33, seed=1),
    )


def test_inside_a_loop_over_a_product_its_factors_are_not_zero() -> None:
    m = SizeVar("m")
    big = decl_buffer((n * m,), name="big")
    flat = operators.floordiv(i * 32 + j, m) * m + operators.floormod(i * 32 + j, m)
    inside = nest([(i, (n * m + 31) // 32), (j, 32)], IfThenElse(likely(i * 32 + j < n * m), store(big, flat, 1.0)))
    outside = store(big, operators.floordiv(k, m) * m + operators.floormod(k, m), 2.0)
    done = simplify(func([big], seq(inside, outside), [k, n, m]))
    first, second = [node.indices[0] for node in nodes(done, BufferStore)]
    assert str(first) == "i * 32 + j"
    assert str(second) == "k // m * m + k % m"
