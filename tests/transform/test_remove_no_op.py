"""remove_no_op: what does nothing goes, what might do something stays."""

from __future__ import annotations

from gpucomp.tir import operators
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import IntImm, IterVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.intrin import barrier, call_extern, exp
from gpucomp.tir.stmt import (
    NOOP,
    Allocate,
    AttrStmt,
    BufferStore,
    Evaluate,
    For,
    IfThenElse,
    LetStmt,
    SeqStmt,
    Stmt,
    is_noop,
    seq,
)
from gpucomp.transform.remove_no_op import remove_no_op
from tests.transform.build import allocate, assert_same_meaning, func, internal, loop, nodes, numbers, store, thread

i, j, x = Var("i"), Var("j"), Var("x")
A, C = decl_buffer((64,), name="A"), decl_buffer((64,), name="C")
WORK = store(C, i, 1.0)
EXTERNAL = Evaluate(call_extern("int32", "f", 1))


def removed(body: Stmt) -> Stmt:
    return remove_no_op(func([A, C], body)).body


def test_a_loop_or_branch_around_nothing_goes() -> None:
    assert is_noop(removed(loop(i, 8, Evaluate(exp(A[i])))))
    assert is_noop(removed(loop(i, 8, IfThenElse(i < 3, NOOP, NOOP))))


def test_a_loop_without_iterations_goes() -> None:
    assert is_noop(removed(loop(i, 0, WORK)))


def test_a_branch_on_a_literal_is_decided() -> None:
    decided = removed(loop(i, 8, IfThenElse(operators.const(0, "bool"), WORK, store(C, i, 2.0))))
    assert not nodes(decided, IfThenElse)
    assert nodes(decided, BufferStore)[0].value is operators.const(2.0, "float32")


def test_an_alternative_that_does_nothing_goes() -> None:
    (branch,) = nodes(removed(loop(i, 8, IfThenElse(i < 3, WORK, Evaluate(exp(A[i]))))), IfThenElse)
    assert branch.else_case is None


def test_a_store_of_what_is_there_goes() -> None:
    assert is_noop(removed(loop(i, 8, store(C, i, C[i]))))
    assert not is_noop(removed(loop(i, 8, store(C, i, A[i]))))
    assert not is_noop(removed(loop(i, 8, store(C, i, C[i + 1]))))


def test_an_unused_binding_goes_and_its_body_stays() -> None:
    body = removed(loop(i, 8, LetStmt(x, i * 3, WORK)))
    assert not nodes(body, LetStmt)
    assert nodes(body, BufferStore)


def test_a_binding_that_another_uses_stays_with_it() -> None:
    y = Var("y")
    body = removed(loop(i, 8, LetStmt(x, i * 3, LetStmt(y, x + 1, store(C, y, 1.0)))))
    assert len(nodes(body, LetStmt)) == 2
    assert not nodes(removed(loop(i, 8, LetStmt(x, i * 3, LetStmt(y, x + 1, WORK)))), LetStmt)


def test_a_binding_with_an_effect_stays() -> None:
    assert nodes(removed(LetStmt(x, call_extern("int32", "f"), loop(i, 8, WORK))), LetStmt)


def test_calls_with_effects_and_barriers_stay() -> None:
    body = removed(thread("threadIdx.x", j, 8, seq(EXTERNAL, Evaluate(barrier("shared")))))
    assert len(nodes(body, Evaluate)) == 2


def test_unused_memory_goes() -> None:
    t = internal("T", (8,))
    assert not nodes(removed(allocate(t, loop(i, 8, WORK))), Allocate)
    assert nodes(removed(allocate(t, loop(i, 8, store(t, i, 1.0)))), Allocate)
    assert nodes(removed(allocate(t, loop(i, 8, store(C, i, t[i])))), Allocate)


def test_an_attribute_around_nothing_goes() -> None:
    axis = IterVar(None, i, IterVar.DataPar)
    assert is_noop(removed(AttrStmt(axis, "pragma_unroll_explicit", operators.const(1), NOOP)))
    assert is_noop(removed(thread("threadIdx.x", i, 8, NOOP)))


def test_a_sequence_keeps_what_does_something() -> None:
    body = removed(loop(i, 8, seq(store(C, i, C[i]), WORK, Evaluate(exp(A[i])))))
    assert not nodes(body, SeqStmt)
    assert len(nodes(body, BufferStore)) == 1


def test_a_useful_function_comes_back_as_the_same_object() -> None:
    t = internal("T", (8,))
    body = allocate(t, loop(i, 8, LetStmt(x, i * 3, seq(store(t, i, A[x]), IfThenElse(i < 5, store(C, i, t[i]))))))
    f: PrimFunc = func([A, C], body)
    assert remove_no_op(f) is f
    assert_same_meaning(f, remove_no_op(f), [numbers(64), numbers(64)])
    assert nodes(f, For)
    assert isinstance(f.body, Allocate)
    assert f.body.extents[0] is IntImm("int32", 8)
