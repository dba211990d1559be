"""thread_sync puts barriers where shared memory needs them and nowhere else; the interpreter is the judge."""

from __future__ import annotations

from typing import Any  # Any: options of several types

import numpy as np
import pytest

from gpucomp.ir.types import PointerType, PrimType
from gpucomp.support.diagnostics import LowerError, Span, VerifyError
from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import Expr, IntImm, Ramp, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.interp import interpret
from gpucomp.tir.stmt import NOOP, Allocate, BufferStore, Evaluate, For, IfThenElse, LetStmt, Stmt, While, seq
from gpucomp.transform.flatten_storage import flatten_storage
from gpucomp.transform.inject_virtual_thread import inject_virtual_thread
from gpucomp.transform.simplify import simplify
from gpucomp.transform.thread_sync import barrier, is_barrier, thread_sync
from gpucomp.transform.vectorize_loop import vectorize_loop
from tests.transform.build import allocate, apply, func, internal, loop, nodes, store, thread, tiled_matmul

A, B = decl_buffer((256,), "float32", "A"), decl_buffer((256,), "float32", "B")
T, K = Var("t"), Var("k")


def shared(size: int = 64, name: str = "S", dtype: str = "float32") -> Buffer:
    return internal(name, size, "shared", dtype)


def kernel(buffers: list[Buffer], *body: Stmt, threads: int = 64) -> PrimFunc:
    inner = seq(*body)
    for buffer in buffers:
        inner = allocate(buffer, inner)
    return func([A, B], thread("threadIdx.x", T, threads, inner))


def count(f: PrimFunc | Stmt) -> int:
    return len([n for n in nodes(f, Evaluate) if is_barrier(n)])


def outputs(f: PrimFunc, **options: Any) -> np.ndarray[Any, Any]:
    a, b = np.arange(256, dtype=np.float32), np.zeros(256, np.float32)
    interpret(f, [a, b], **options)
    return b


def synced(f: PrimFunc, barriers: int) -> PrimFunc:
    """Sync, count, and check: free of races, and the meaning in lockstep unchanged."""
    done = thread_sync(f)
    assert count(done) == barriers, str(done)
    np.testing.assert_array_equal(outputs(done), outputs(f, races=False))
    if barriers > count(f):
        with pytest.raises(VerifyError, match="data race"):
            outputs(f)
    else:
        assert done is f
    return done


def test_a_read_of_what_another_thread_wrote_gets_one_barrier() -> None:
    s = shared()
    done = synced(kernel([s], store(s, T, A[T]), store(B, T, s[63 - T])), 1)
    order = [n for n in nodes(done, Stmt) if isinstance(n, (Evaluate, BufferStore))]
    assert isinstance(order[1], Evaluate)


def test_threads_that_use_their_own_element_need_no_barrier() -> None:
    s = shared()
    synced(kernel([s], store(s, T, A[T]), store(s, T, s[T] + 1.0), store(B, T, s[T])), 0)


def test_a_barrier_that_is_there_counts() -> None:
    s = shared()
    synced(kernel([s], store(s, T, A[T]), barrier(), store(B, T, s[63 - T])), 1)


def test_two_buffers_filled_together_share_one_barrier() -> None:
    s, u = shared(), shared(name="U")
    synced(kernel([s, u], store(s, T, A[T]), store(u, T, A[T + 64]), store(B, T, s[63 - T] + u[63 - T])), 1)


def test_a_loop_that_reads_what_came_before_gets_its_barrier_in_front() -> None:
    s = shared()
    done = synced(kernel([s], store(s, T, A[T]), store(B, T, 0.0), loop(K, 64, store(B, T, B[T] + s[K]))), 1)
    assert count(next(iter(nodes(done, For)))) == 0


def test_a_tile_that_is_refilled_in_a_loop_gets_two_barriers_an_iteration() -> None:
    s = shared()
    body = seq(store(s, T, A[T + K * 64]), store(B, T, B[T] + s[63 - T]))
    done = synced(kernel([s], store(B, T, 0.0), loop(K, 4, body)), 2)
    assert count(next(iter(nodes(done, For)))) == 2


def test_a_loop_whose_write_comes_last_is_separated_from_its_next_iteration_too() -> None:
    s = shared()
    body = seq(store(B, T, B[T] + s[63 - T]), store(s, T, A[T + K]))
    synced(kernel([s], store(s, T, A[T]), store(B, T, 0.0), loop(K, 4, body)), 2)


def test_a_double_buffer_needs_one_barrier_an_iteration() -> None:
    s = shared(128)
    fill = lambda k: store(s, k % 2 * 64 + T, A[T + k * 64])  # noqa: E731  # one line beside its use
    use = store(B, T, B[T] + s[K % 2 * 64 + 63 - T])
    body = seq(IfThenElse(K + 1 < 4, fill(K + 1)), use)
    done = synced(kernel([s], store(B, T, 0.0), fill(IntImm("int32", 0)), loop(K, 4, body)), 1)
    inner = next(iter(nodes(done, For)))
    assert isinstance(inner.body, Stmt)
    assert count(inner) == 1


def test_three_stages_need_no_barrier_beyond_the_one_before_use() -> None:
    s = shared(192)
    fill = store(s, K % 3 * 64 + T, A[T + K * 64])
    body = seq(fill, store(B, T, B[T] + s[K % 3 * 64 + 63 - T]))
    synced(kernel([s], store(B, T, 0.0), loop(K, 4, body)), 1)


def test_fills_with_strides_and_padding_need_no_barrier_among_themselves() -> None:
    s, f = shared(8 * 9 * 4), Var("f")
    e1 = T * 4 + f
    fill = loop(f, 4, seq(store(s, e1 // 8 * 9 + e1 % 8, 0.0), store(s, e1 // 8 * 9 + e1 % 8, A[e1])))
    synced(kernel([s], fill, store(B, T, s[T // 8 * 9 + T % 8])), 1)
    far = loop(f, 4, seq(store(s, f * 64 + T, A[T]), store(s, f * 64 + T, s[f * 64 + T] + 1.0)))
    synced(kernel([s], far, store(B, T, s[63 - T])), 1)


def test_a_sum_in_shared_memory_by_its_own_thread_needs_no_barrier() -> None:
    s = shared()
    synced(kernel([s], store(s, T, 0.0), loop(K, 4, store(s, T, s[T] + A[T + K])), store(B, T, s[T])), 0)


def test_disjoint_halves_need_no_barrier() -> None:
    s = shared(128)
    synced(kernel([s], store(s, T, A[T]), store(s, T + 64, A[T]), store(B, T, s[T] + s[T + 64])), 0)


def test_neighbours_do_need_one() -> None:
    s = shared(65)
    synced(kernel([s], store(s, T + 1, A[T]), IfThenElse(e.EQ(T, 0), store(s, 0, 0.0)), store(B, T, s[T])), 1)


def test_two_dimensional_blocks_are_told_apart_by_both_indices() -> None:
    s, y, x = shared(64), Var("y"), Var("x")

    def block(read: Expr) -> PrimFunc:
        body = seq(store(s, y * 8 + x, A[y * 8 + x]), store(B, y * 8 + x, s[read]))
        return func([A, B], thread("threadIdx.y", y, 8, thread("threadIdx.x", x, 8, allocate(s, body))))

    synced(block(y * 8 + x), 0)
    synced(block(x + y * 8), 0)
    synced(block(x * 8 + y), 1)


def test_vector_accesses_are_compared_lane_by_lane() -> None:
    s = shared(256)
    fill = BufferStore(s, A.vload([T * 4], "float32x4"), (Ramp(T * 4, 1, 4),))
    out = lambda at: BufferStore(B, s.vload([at], "float32x4"), (Ramp(T * 4, 1, 4),))  # noqa: E731  # one line beside its use
    synced(kernel([s], fill, out(T * 4)), 0)
    synced(kernel([s], fill, out(252 - T * 4)), 1)


def test_aliases_of_one_allocation_conflict_by_their_bytes() -> None:
    pool = Var("pool", PointerType(PrimType(DType("float32")), "shared"))
    words, halves = decl_buffer((64,), "float32", "w", data=pool), decl_buffer((128,), "float16", "h", data=pool)

    def block(at: Expr) -> PrimFunc:
        body = seq(store(words, T, A[T]), store(B, T, operators.cast("float32", halves[at])))
        memory = Allocate(pool, DType("float32"), (IntImm("int32", 64),), IntImm("bool", 1), body)
        return func([A, B], thread("threadIdx.x", T, 64, memory))

    synced(block(T * 2 + 1), 0)
    synced(block(T + 1), 1)


def test_a_buffer_that_takes_the_place_of_another_is_separated_from_it() -> None:
    pool = Var("pool", PointerType(PrimType(DType("float32")), "shared"))
    s, u = decl_buffer((64,), "float32", "s", data=pool), decl_buffer((64,), "float32", "u", data=pool)
    body = seq(store(s, T, A[T]), store(B, T, s[63 - T]), store(u, T, A[T + 1]), store(B, T + 64, u[(T + 1) % 64]))
    memory = Allocate(pool, DType("float32"), (IntImm("int32", 64),), IntImm("bool", 1), body)
    synced(func([A, B], thread("threadIdx.x", T, 64, memory)), 3)


def test_one_thread_that_publishes_a_value_is_separated_from_its_readers() -> None:
    s = shared(1)
    done = synced(kernel([s], IfThenElse(e.EQ(T, 0), store(s, 0, A[5])), store(B, T, s[0])), 1)
    assert count(next(iter(nodes(done, IfThenElse)))) == 0
    synced(kernel([s], IfThenElse(e.EQ(T, 0), seq(store(s, 0, A[5]), store(B, T, s[0])))), 0)


def test_a_tree_in_shared_memory_gets_a_barrier_at_each_level() -> None:
    s = shared()
    levels = [IfThenElse(T < n, store(s, T, s[T] + s[T + n])) for n in (32, 16, 8, 4, 2, 1)]
    done = kernel([s], store(s, T, A[T]), *levels, store(B, T, s[0]))
    synced(done, 7)


def test_a_uniform_condition_may_hold_barriers() -> None:
    s = shared()
    body = IfThenElse(e.EQ(K % 2, 0), seq(store(s, T, A[T]), store(B, T, s[63 - T])))
    done = synced(kernel([s], loop(K, 4, body)), 2)
    assert count(next(iter(nodes(done, IfThenElse)))) >= 1


def test_the_whole_block_reaches_barriers_in_loops_over_the_block_index() -> None:
    bx, s = Var("bx"), shared()
    body = loop(K, bx + 1, seq(store(s, T, A[T + K]), store(B, bx * 64 + T, s[63 - T])))
    f = func([A, B], thread("blockIdx.x", bx, 3, thread("threadIdx.x", T, 64, allocate(s, body))))
    synced(f, 2)


def test_kernels_of_one_function_are_treated_by_themselves() -> None:
    s, t2 = shared(), Var("t2")
    one = thread("threadIdx.x", T, 64, allocate(s, seq(store(s, T, A[T]), store(B, T, s[63 - T]))))
    two = thread("threadIdx.x", t2, 64, store(B, t2 + 64, B[63 - t2]))
    synced(func([A, B], seq(one, two)), 1)


def test_kernels_without_shared_memory_or_with_one_thread_stay_the_same_object() -> None:
    f = kernel([], store(B, T, A[T]))
    assert thread_sync(f) is f
    s = shared()
    one = kernel([s], store(s, 0, A[T]), store(B, T, s[0]), threads=1)
    assert thread_sync(one) is one


def test_values_that_variables_hold_are_followed() -> None:
    s, x = shared(), Var("x")
    synced(kernel([s], LetStmt(x, T * 1, seq(store(s, x, A[T]), store(B, T, s[x])))), 0)
    synced(kernel([s], LetStmt(x, 63 - T, seq(store(s, T, A[T]), store(B, T, s[x])))), 1)


def test_an_index_from_memory_may_be_anything() -> None:
    s = shared()
    where = operators.cast("int32", A[T]) % 64
    synced(kernel([s], store(s, T, A[T]), store(B, T, s[63 - where])), 1)


def test_loops_in_while_are_synchronised() -> None:
    s, n = shared(), internal("n", 1, "shared", "int32")
    done_when = n[0] < 3
    step = seq(store(s, T, A[T]), store(B, T, s[63 - T]), IfThenElse(e.EQ(T, 0), store(n, 0, n[0] + 1)))
    f = kernel([s, n], IfThenElse(e.EQ(T, 0), store(n, 0, 0)), While(done_when, step))
    done = thread_sync(f)
    np.testing.assert_array_equal(outputs(done), outputs(f, races=False))
    with pytest.raises(VerifyError, match="data race"):
        outputs(f)


def test_atomics_need_no_barrier_between_them_but_around_them() -> None:
    s = shared()
    add = Evaluate(
        intrin.call_intrin("float32", "atomic_add", intrin.call_intrin("handle", "address_of", s[T % 2]), 1.0)
    )
    synced(kernel([s], store(s, T, 0.0), add, add, store(B, T, s[T])), 2)


@pytest.mark.parametrize("kind", ["condition", "loop"])
def test_a_conflict_inside_of_divergent_control_is_an_error_with_both_statements(kind: str) -> None:
    s = shared()
    span = Span(__file__, 3)
    read = BufferStore(B, s[31 - T], (T,), None, span)
    inner = seq(store(s, T, A[T]), read)
    body = IfThenElse(T < 32, inner) if kind == "condition" else loop(K, T % 2, inner)
    with pytest.raises(LowerError) as caught:
        thread_sync(kernel([s], body))
    assert caught.value.where is span
    text = str(caught.value)
    assert "shared buffer S needs a barrier between a write and a read by different threads" in text
    assert f"both are inside of a {kind} that differs between threads" in text
    assert "S[t] = A[t]  then  B[t] = S[31 - t]" in text


MATMULS: list[dict[str, Any]] = [
    {},
    {"vector": 4},
    {"pad": 1},
    {"tile": (32, 32, 8), "threads": (8, 4), "vthreads": (1, 2)},
    {"tile": (32, 16, 4), "threads": (4, 8), "vthreads": (2, 1), "vector": 2, "pad": 2},
]


@pytest.mark.parametrize("options", MATMULS)
def test_a_lowered_matmul_gets_two_barriers_a_step_and_is_free_of_races(options: dict[str, Any]) -> None:
    flat = apply(tiled_matmul(64, 64, 32, **options), flatten_storage, simplify)
    lowered = apply(flat, vectorize_loop, inject_virtual_thread, simplify)
    done = thread_sync(lowered)
    assert count(done) == 2
    rng = np.random.default_rng(5)
    a, b = rng.integers(-4, 5, (64, 32)).astype(np.float32), rng.integers(-4, 5, (32, 64)).astype(np.float32)
    c = np.zeros((64, 64), np.float32)
    interpret(done, [a, b, c])
    np.testing.assert_array_equal(c, a @ b)
    with pytest.raises(VerifyError, match="data race"):
        interpret(lowered, [a, b, c])


@pytest.mark.parametrize("drop", [0, 1])
def test_each_barrier_of_a_matmul_is_needed(drop: int) -> None:
    done = thread_sync(apply(tiled_matmul(32, 32, 32), flatten_storage, simplify, inject_virtual_thread, simplify))
    victim = [n for n in nodes(done, Evaluate) if is_barrier(n)][drop]

    def without(node: Stmt) -> Stmt:
        if node is victim:
            return NOOP
        changes: dict[str, Any] = {}
        for field in node._fields:
            old = getattr(node, field)
            if isinstance(old, Stmt):
                changes[field] = without(old)
            elif field == "seq":
                changes[field] = tuple([without(x) for x in old])
        return node.replace(**changes) if changes else node

    args = [np.ones((32, 32), np.float32) * np.arange(32, dtype=np.float32) for _ in range(3)]
    interpret(done, args)
    with pytest.raises(VerifyError, match="data race"):
        interpret(done.with_body(without(done.body)), args)
