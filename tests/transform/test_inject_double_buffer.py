"""inject_double_buffer: two halves, a tile ahead, registers in between, and when it must not happen."""

from __future__ import annotations

import pytest

from gpucomp.ir.transform import PassContext
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import IntImm, SizeVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.stmt import Allocate, AttrStmt, BufferStore, For, IfThenElse, Stmt, seq
from gpucomp.transform.flatten_storage import flatten_storage
from gpucomp.transform.inject_double_buffer import inject_double_buffer
from gpucomp.transform.inject_virtual_thread import inject_virtual_thread
from gpucomp.transform.simplify import simplify
from gpucomp.transform.thread_sync import is_barrier, thread_sync
from gpucomp.transform.unroll_loop import unroll_loop
from gpucomp.transform.vectorize_loop import vectorize_loop
from tests.transform.build import (
    allocate,
    apply,
    assert_same_meaning,
    func,
    internal,
    loop,
    nodes,
    numbers,
    store,
    thread,
    tiled_matmul,
)

i, j, k, tx = (Var(x) for x in ("i", "j", "k", "tx"))
A, C = decl_buffer((64,), name="A"), decl_buffer((64,), name="C")
BACK = operators.const(7) - i


def mark(buffer: Buffer, body: Stmt) -> AttrStmt:
    return AttrStmt(buffer, "double_buffer_scope", 1, body)


def piped(body: Stmt, extra: tuple[Var, ...] = ()) -> PrimFunc:
    f = func([A, C], body, extra)
    done = inject_double_buffer(f)
    assert not [x for x in nodes(done, AttrStmt) if x.attr_key == "double_buffer_scope"]
    assert_same_meaning(f, done, [numbers(64), numbers(64, seed=1)])
    return done


def size_of(f: PrimFunc, name: str) -> int | None:
    for memory in nodes(f, Allocate):
        extent = memory.extents[0]
        if memory.buffer_var.name == name and isinstance(extent, IntImm):
            return extent.value
    return None


def fill(t: Buffer) -> Stmt:
    return loop(i, 8, store(t, i, A[k * 8 + i]))


def use(t: Buffer) -> Stmt:
    return loop(i, 8, store(C, k * 8 + i, t[BACK] * 2.0))


def test_the_next_tile_is_loaded_while_this_one_is_used() -> None:
    t = internal("T", (8,))
    f = piped(loop(k, 8, allocate(t, mark(t, seq(fill(t), use(t))))))
    assert size_of(f, "T") == 16
    pipeline = next(x for x in nodes(f, For) if x.loop_var is k)
    (ahead,) = nodes(pipeline, IfThenElse)
    assert ahead.condition is (k + 1 < 8)
    stores = [x for x in nodes(f, BufferStore) if x.buffer.name == "T"]
    assert len(stores) == 2  # ahead of the loop, and in it
    assert stores[0].indices[0] is i


def test_shared_memory_is_copied_by_way_of_registers() -> None:
    t = internal("T", (8,), "shared")
    body = seq(store(t, tx, A[k * 8 + tx]), store(C, k * 8 + tx, t[operators.const(7) - tx]))
    f = piped(thread("threadIdx.x", tx, 8, loop(k, 8, allocate(t, mark(t, body)))))
    assert size_of(f, "T_next") == 1
    synced = thread_sync(f)
    assert_same_meaning(f, synced, [numbers(64), numbers(64)], races=True)
    pipeline = next(x for x in nodes(synced, For) if x.loop_var is k)
    assert len([x for x in nodes(pipeline, Stmt) if is_barrier(x)]) == 1


def test_a_tile_too_large_for_registers_is_copied_at_once() -> None:
    t = internal("T", (64,), "shared")
    copy = loop(i, 64, store(t, i, A[i]))
    f = piped(loop(k, 8, allocate(t, mark(t, seq(copy, store(C, k, t[k]))))))
    assert size_of(f, "T_next") is None
    assert size_of(f, "T") == 128


def test_registers_of_the_users_own_are_loaded_early_and_stored_late() -> None:
    r, t = internal("R", (8,)), internal("T", (8,), "shared")
    body = seq(loop(i, 8, store(r, i, A[k * 8 + i])), loop(i, 8, store(t, i, r[i])), use(t))
    f = piped(loop(k, 8, allocate(r, allocate(t, mark(t, body)))))
    assert size_of(f, "T_next") is None
    assert size_of(f, "R") == 8
    pipeline = next(x for x in nodes(f, For) if x.loop_var is k)
    assert [x.buffer.name for x in nodes(pipeline, BufferStore)] == ["R", "C", "T"]


def test_two_buffers_of_one_loop_are_filled_together() -> None:
    t, u = internal("T", (8,)), internal("U", (8,))
    inner = seq(loop(i, 8, store(u, i, A[i] + 1.0)), loop(i, 8, store(C, k * 8 + i, t[BACK] + u[i])))
    body = seq(fill(t), allocate(u, mark(u, inner)))
    f = piped(loop(k, 8, allocate(t, mark(t, body))))
    assert (size_of(f, "T"), size_of(f, "U")) == (16, 16)


def test_memory_allocated_outside_of_the_loop_is_doubled_there() -> None:
    t = internal("T", (8,))
    f = piped(allocate(t, loop(k, 8, mark(t, seq(fill(t), use(t))))))
    assert isinstance(f.body, Allocate)
    assert size_of(f, "T") == 16


def test_a_loop_that_starts_elsewhere_begins_with_the_first_half() -> None:
    t = internal("T", (8,))
    piped(loop(k, 5, allocate(t, mark(t, seq(fill(t), use(t)))), low=3))


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_a_symbolic_loop_may_have_any_number_of_iterations(count: int) -> None:
    n, t = SizeVar("n"), internal("T", (8,))
    x = decl_buffer((n,), name="X")
    body = loop(k, n, allocate(t, mark(t, seq(loop(i, 8, store(t, i, x[k])), store(C, k, t[3])))))
    f = func([x, C], body)
    assert_same_meaning(f, inject_double_buffer(f), [numbers(count), numbers(64)])


def test_a_loop_of_one_iteration_stays_as_it_is() -> None:
    t = internal("T", (8,))
    assert size_of(piped(loop(k, 1, allocate(t, mark(t, seq(fill(t), use(t)))))), "T") == 8


def test_a_buffer_filled_from_what_the_loop_writes_stays_single() -> None:
    t = internal("T", (8,))
    body = seq(loop(i, 8, store(t, i, C[i])), loop(i, 8, store(C, i, t[i] + A[k])))
    assert size_of(piped(loop(k, 8, allocate(t, mark(t, body)))), "T") == 8


def test_a_buffer_filled_from_another_tile_takes_that_along_only_if_nobody_else_reads_it() -> None:
    t, u = internal("T", (8,)), internal("U", (8,))
    first = seq(loop(i, 8, store(u, i, A[k * 8 + i])), loop(i, 8, store(t, i, u[BACK])))
    body = seq(first, loop(i, 8, store(C, k * 8 + i, t[i] + u[i])))
    f = piped(loop(k, 8, allocate(u, allocate(t, mark(t, body)))))
    assert size_of(f, "T") == 8


def test_a_buffer_that_is_filled_again_after_its_use_stays_single() -> None:
    t = internal("T", (8,))
    f = piped(loop(k, 4, allocate(t, mark(t, seq(fill(t), use(t), loop(i, 8, store(t, i, 0.0)))))))
    assert size_of(f, "T") == 8


def test_a_buffer_filled_and_used_by_one_statement_stays_single() -> None:
    t = internal("T", (8,))
    f = piped(loop(k, 4, allocate(t, mark(t, loop(j, 1, seq(fill(t), use(t)))))))
    assert size_of(f, "T") == 8


def test_a_buffer_that_the_loop_only_reads_or_only_fills_stays_single() -> None:
    t = internal("T", (8,))
    once = loop(i, 8, store(t, i, A[i]))
    assert size_of(piped(allocate(t, seq(once, loop(k, 4, mark(t, use(t)))))), "T") == 8
    assert size_of(piped(allocate(t, seq(loop(k, 4, mark(t, fill(t))), loop(i, 8, store(C, i, t[i]))))), "T") == 8


def test_a_buffer_that_is_read_after_the_loop_stays_single() -> None:
    t = internal("T", (8,))
    f = piped(allocate(t, seq(loop(k, 4, mark(t, seq(fill(t), use(t)))), loop(i, 8, store(C, i, t[i])))))
    assert size_of(f, "T") == 8


def test_a_mark_outside_of_any_loop_is_dropped() -> None:
    t = internal("T", (8,))
    f = piped(allocate(t, mark(t, seq(loop(i, 8, store(t, i, A[i])), loop(i, 8, store(C, i, t[BACK]))))))
    assert size_of(f, "T") == 8


@pytest.mark.parametrize(
    ("count", "depth", "written_out"), [(2, 32, True), (4, 32, True), (2, 24, False), (3, 24, False)]
)
def test_iterations_are_written_out_when_asked(count: int, depth: int, written_out: bool) -> None:
    args = [numbers(16, depth), numbers(depth, 16, seed=1), numbers(16, 16)]
    f = tiled_matmul(16, 16, depth, double_buffer=True)
    with PassContext(config={"tir.InjectDoubleBuffer": {"split_loop": count}}):
        done = apply(f, flatten_storage, simplify, inject_virtual_thread, inject_double_buffer, unroll_loop, simplify)
    halves = [x for x in nodes(done, BufferStore) if x.buffer.name == "A_shared"]
    assert all("%" not in str(x.indices[0]) for x in halves) is written_out
    assert_same_meaning(f, thread_sync(done), args, races=True)


def test_a_function_without_marks_comes_back_as_the_same_object() -> None:
    f = func([A, C], loop(i, 8, store(C, i, A[i])))
    assert inject_double_buffer(f) is f


@pytest.mark.parametrize("shape", [(16, 16, 16), (20, 17, 9), (16, 16, 8), (16, 16, 40)])
@pytest.mark.parametrize("vector", [1, 4])
def test_a_tiled_matmul_computes_the_same_without_races(shape: tuple[int, int, int], vector: int) -> None:
    m, columns, depth = shape
    args = [numbers(m, depth), numbers(depth, columns, seed=1), numbers(m, columns)]
    f = tiled_matmul(*shape, vector=vector, double_buffer=True)
    done = apply(f, flatten_storage, simplify, vectorize_loop, inject_virtual_thread, inject_double_buffer)
    assert_same_meaning(f, done, args)
    assert_same_meaning(f, thread_sync(simplify(done)), args, races=True)
