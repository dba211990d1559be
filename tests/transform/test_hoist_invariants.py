"""hoist_invariants: the part of an index that is known at the start of a kernel."""

from __future__ import annotations

import pytest

from gpucomp.tir import operators
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import Expr, SizeVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.stmt import IfThenElse, LetStmt, Stmt, seq
from gpucomp.transform.common_subexpr_elim import common_subexpr_elim
from gpucomp.transform.flatten_storage import flatten_storage
from gpucomp.transform.hoist_invariants import hoist_invariants
from gpucomp.transform.inject_virtual_thread import inject_virtual_thread
from gpucomp.transform.simplify import simplify
from gpucomp.transform.vectorize_loop import vectorize_loop
from tests.transform.build import apply, assert_same_meaning, func, loop, nodes, numbers, store, thread, tiled_matmul

i, j, bx, tx = (Var(x) for x in ("i", "j", "bx", "tx"))
A, C = decl_buffer((64,), name="A"), decl_buffer((64,), name="C")


def kernel(body: Stmt) -> Stmt:
    return thread("blockIdx.x", bx, 2, thread("threadIdx.x", tx, 4, body))


def hoisted(body: Stmt) -> PrimFunc:
    f = func([A, C], body)
    done = hoist_invariants(f)
    assert_same_meaning(f, done, [numbers(64), numbers(64, seed=1)])
    return done


def bindings(f: PrimFunc) -> dict[str, Expr]:
    return {x.var.name: x.value for x in reversed(nodes(f, LetStmt))}


def test_block_and_thread_terms_leave_the_loop() -> None:
    f = hoisted(kernel(loop(i, 8, store(C, bx * 32 + i * 4 + tx, 1.0))))
    assert bindings(f) == {"C_at": bx * 32 + tx}


def test_a_literal_stays_in_the_loop() -> None:
    f = hoisted(kernel(loop(i, 7, store(C, bx * 32 + i * 4 + tx + 1, A[bx * 32 + i * 4 + tx]))))
    assert list(bindings(f).values()) == [bx * 32 + tx]


def test_a_subtracted_term_keeps_its_sign() -> None:
    f = hoisted(kernel(loop(i, 8, store(C, bx * 32 - i * 4 - tx + 31, 1.0))))
    assert list(bindings(f).values()) == [bx * 32 - tx]


def test_a_cheap_part_stays() -> None:
    f = func([A, C], kernel(loop(i, 8, store(C, tx * 8 + i, 1.0))))
    assert hoist_invariants(f) is f


def test_code_outside_of_loops_stays() -> None:
    f = func([A, C], kernel(store(C, bx * 32 + tx * 8, A[bx * 32 + tx * 8])))
    assert hoist_invariants(f) is f


def test_a_function_without_threads_stays() -> None:
    f = func([A, C], loop(tx, 4, loop(bx, 2, loop(i, 8, store(C, bx * 32 + i * 4 + tx, 1.0)))))
    assert hoist_invariants(f) is f


def test_a_load_is_not_moved() -> None:
    x = decl_buffer((64,), "int32", "X")
    at = operators.floormod(x[tx] + bx * 32 + tx, 64)
    f = func([x, C], kernel(loop(i, 8, seq(store(C, at, 1.0), store(x, tx, i)))))
    assert_same_meaning(f, hoist_invariants(f), [numbers(64, dtype="int32"), numbers(64)], 2)
    assert all("X" not in str(v) for v in bindings(hoist_invariants(f)).values())


def test_a_division_by_a_variable_is_not_moved() -> None:
    n = SizeVar("n")
    at = operators.floordiv(bx * 32 + tx, n) + i
    f = func([C], kernel(loop(i, 8, IfThenElse(n > 0, store(C, at, 1.0)))), [n])
    done = hoist_invariants(f)
    assert all("//" not in str(v) for v in bindings(done).values())


def test_conditions_share_what_indices_use() -> None:
    at = bx * 32 + tx * 8
    f = hoisted(kernel(loop(i, 8, IfThenElse(at + i < 60, store(C, at + i, A[at + i])))))
    assert list(bindings(f).values()) == [at]


def test_each_kernel_has_its_own_bindings() -> None:
    body = kernel(loop(i, 8, store(C, bx * 32 + i * 4 + tx, 1.0)))
    f = hoisted(seq(body, body))
    first, second = nodes(f, LetStmt)
    assert first.var is not second.var


@pytest.mark.parametrize("vector", [1, 4])
def test_a_tiled_matmul_computes_the_same(vector: int) -> None:
    passes = (flatten_storage, simplify, vectorize_loop, inject_virtual_thread, simplify)
    f = apply(tiled_matmul(20, 17, 9, vector=vector), *passes)
    args = [numbers(20, 9), numbers(9, 17, seed=1), numbers(20, 17)]
    done = hoist_invariants(f)
    assert bindings(done)
    assert_same_meaning(f, done, args)
    assert_same_meaning(f, common_subexpr_elim(done), args)
