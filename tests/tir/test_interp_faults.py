"""The interpreter reports races, wrong indices, divergence and unwritten memory, and names who did it."""

from __future__ import annotations

from typing import Any  # Any: options of several types

import numpy as np
import pytest

from gpucomp.ir.types import PointerType, PrimType
from gpucomp.support.diagnostics import Span, VerifyError
from gpucomp.support.dtype import DType
from gpucomp.target import Target
from gpucomp.tir import expr as e
from gpucomp.tir import intrin
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import FloatImm, IntImm, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.interp import interpret
from gpucomp.tir.stmt import Allocate, AllReduce, BufferStore, Evaluate, ForKind, IfThenElse, Stmt, seq
from tests.tir.kernels import barrier, matmul, matmul_inputs, realize
from tests.transform.build import func, loop, nest, store, thread

A, B = decl_buffer((64,), "float32", "A"), decl_buffer((64,), "float32", "B")
S = decl_buffer((64,), "float32", "S", scope="shared")
T = Var("t")


def fails(kernel: PrimFunc, code: str, *parts: str, args: list[Any] | None = None, **options: Any) -> str:
    """Run, expect an error of the code whose text has all the parts; gives the text."""
    if args is None:
        args = [np.arange(64, dtype=np.float32), np.zeros(64, np.float32)]
    with pytest.raises(VerifyError) as caught:
        interpret(kernel, args, **options)
    text = str(caught.value)
    assert f"[{code}]" in text
    for part in parts:
        assert part in text
    return text


def block(*body: Stmt, threads: int = 64) -> PrimFunc:
    """One block of threads with the shared buffer S."""
    return func([A, B], thread("threadIdx.x", T, threads, realize(S, [(0, 64)], seq(*body))))


def passes(kernel: PrimFunc) -> None:
    interpret(kernel, [np.arange(64, dtype=np.float32), np.zeros(64, np.float32)])


# -- planted faults in a matmul -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code", "parts"),
    [
        ({"barriers": (True, False)}, "GC401", ["data race on", "read by", "writes it", "no barrier between"]),
        ({"barriers": (False, True)}, "GC401", ["data race on", "written by", "reads it"]),
        ({"init": False}, "GC404", ["C.local[0, 0] is read before anything was written", "thread (0, 0, 0)"]),
        ({"shared_rows": 24}, "GC402", ["index 0 of A.shared is at 24, outside of [0, 24)"]),
        ({"swap": True}, "GC402", ["A.shared", "outside of"]),
        ({"fill": lambda x: x + 1}, "GC402", ["index 0 of A is at 64"]),
        ({"fill": lambda x: x // 2 * 2}, "GC404", ["is read", "before anything was written"]),
        ({"fill": lambda x: e.Min(x, IntImm("int32", 254))}, "GC404", ["B.shared[7, 31]"]),
    ],
)  # fmt: skip
def test_a_planted_fault_in_a_matmul_is_caught(fault: dict[str, Any], code: str, parts: list[str]) -> None:
    kernel = matmul(64, tile=32, threads=8, **fault)
    text = fails(kernel, code, "kernel main", *parts, args=list(matmul_inputs(64)))
    assert "shared[" in text or "local[" in text


def test_the_matmul_without_faults_passes() -> None:
    interpret(matmul(64, tile=32, threads=8), list(matmul_inputs(64)))


def test_without_race_checks_lockstep_gives_the_meaning_of_a_kernel_that_has_no_barriers_yet() -> None:
    a, b, c = matmul_inputs(64)
    interpret(matmul(64, tile=32, threads=8, barriers=(False, False)), [a, b, c], races=False)
    np.testing.assert_array_equal(c, a @ b)


# -- races in shared memory ---------------------------------------------------------------------------------------


def test_a_race_names_element_threads_and_both_statements() -> None:
    text = fails(block(store(S, T, A[T]), store(B, T, S[63 - T])), "GC401")
    assert "data race on S[63]: read by block (0, 0, 0) thread (0, 0, 0)" in text
    assert "while block (0, 0, 0) thread (63, 0, 0) writes it" in text
    assert "B[t] = S[63 - t]" in text
    assert "S[t] = A[t]" in text


def test_a_barrier_ends_the_race() -> None:
    passes(block(store(S, T, A[T]), barrier(), store(B, T, S[63 - T])))


def test_a_thread_may_use_its_own_element_without_a_barrier() -> None:
    passes(block(store(S, T, A[T]), store(S, T, S[T] + 1.0), store(B, T, S[T])))


def test_threads_that_write_different_values_race() -> None:
    fails(block(store(S, T // 2, A[T])), "GC401", "data race on S[0]", "with another value")


def test_threads_that_write_one_value_do_not_race_and_may_read_it_back() -> None:
    passes(block(store(S, 0, 1.0), store(B, T, S[0]), store(S, 0, 1.0)))


def test_a_thread_that_did_not_write_may_not_read_what_several_wrote() -> None:
    half = IfThenElse(T < 32, store(S, 0, 1.0))
    fails(block(half, store(B, T, S[0])), "GC401", "read by block (0, 0, 0) thread (32, 0, 0)")


def test_a_counter_that_all_threads_update_races() -> None:
    k = Var("k")
    update = loop(k, 3, store(S, 0, S[0] + 1.0))
    fails(block(store(S, 0, 0.0), update, store(B, T, S[0])), "GC401", "data race on S[0]")


def test_a_write_after_other_threads_read_races_across_iterations() -> None:
    k = Var("k")
    body = seq(store(S, T, A[T] + k.astype("float32")), barrier(), store(B, T, S[63 - T]))
    fails(block(loop(k, 2, body)), "GC401", "written by", "reads it")
    passes(block(loop(k, 2, seq(body, barrier()))))


def test_rewriting_the_value_that_others_read_is_no_race() -> None:
    k = Var("k")
    passes(block(loop(k, 2, seq(store(S, T, A[T]), barrier(), store(B, T, S[63 - T])))))


def test_a_double_buffer_with_one_barrier_an_iteration_is_free_of_races_and_without_it_is_not() -> None:
    wide = decl_buffer((2, 32), "float32", "D", scope="shared")
    k, t = Var("k"), Var("t")

    def kernel(*sync: Stmt, depth: int) -> PrimFunc:
        half = k % depth
        body = seq(store(wide, (half, t), A[k * 32 % 64 + t]), *sync, store(B, t, B[t] + wide[half, 31 - t]))
        return func([A, B], thread("threadIdx.x", t, 32, realize(wide, [(0, 2), (0, 32)], loop(k, 6, body))))

    passes(kernel(barrier(), depth=2))
    fails(kernel(depth=2), "GC401", "data race on D[0, 31]")
    fails(kernel(barrier(), depth=1), "GC401", "written by", "D[0, ")


def test_blocks_do_not_share_shared_memory() -> None:
    bx = Var("bx")
    i = bx * 16 + T
    inner = seq(store(S, T, A[i]), barrier(), store(B, i, S[15 - T]))
    body = thread("blockIdx.x", bx, 4, thread("threadIdx.x", T, 16, realize(S, [(0, 16)], inner)))
    passes(func([A, B], body))


# -- races in global memory ---------------------------------------------------------------------------------------


def test_blocks_that_write_one_element_of_global_memory_race() -> None:
    bx = Var("bx")
    body = thread("blockIdx.x", bx, 2, thread("threadIdx.x", T, 32, store(B, T, A[bx * 32 + T])))
    for lanes in (1, 1 << 14):
        text = fails(func([A, B], body), "GC401", "data race on B[0]", max_lanes=lanes)
        assert "block (1, 0, 0) thread (0, 0, 0)" in text
        assert "block (0, 0, 0) thread (0, 0, 0)" in text


@pytest.mark.parametrize("lanes", [1, 1 << 14])
@pytest.mark.parametrize("swap", [False, True])
def test_a_block_that_reads_what_another_writes_races_in_either_order(lanes: int, swap: bool) -> None:
    bx = Var("bx")
    source = 1 - bx if swap else bx
    first = IfThenElse(e.EQ(source, 0), store(B, T, A[T] + 1.0), store(B, T + 32, B[T]))
    kernel = func([A, B], thread("blockIdx.x", bx, 2, thread("threadIdx.x", T, 32, first)))
    fails(kernel, "GC401", "data race on B[0]", max_lanes=lanes)


def test_a_barrier_does_not_order_blocks() -> None:
    bx = Var("bx")
    body = seq(IfThenElse(e.EQ(bx, 0), store(B, T, A[T])), barrier(), IfThenElse(e.EQ(bx, 1), store(B, T + 32, B[T])))
    fails(func([A, B], thread("blockIdx.x", bx, 2, thread("threadIdx.x", T, 32, body))), "GC401")


def test_only_a_global_barrier_orders_global_memory_within_a_block() -> None:
    def kernel(scope: str) -> PrimFunc:
        fence = Evaluate(intrin.barrier(scope))
        return func([A, B], thread("threadIdx.x", T, 32, seq(store(B, T, A[T]), fence, store(B, T + 32, B[31 - T]))))

    fails(kernel("shared"), "GC401", "data race on B[31]")
    passes(kernel("global"))


def test_one_kernel_may_read_what_an_earlier_one_wrote() -> None:
    t2 = Var("t2")
    first, second = store(B, T, A[T]), store(A, t2, B[63 - t2])
    passes(func([A, B], seq(thread("threadIdx.x", T, 64, first), thread("threadIdx.x", t2, 64, second))))


def test_iterations_of_a_parallel_loop_race_by_name() -> None:
    i = Var("i")
    kernel = func([A, B], loop(i, 8, store(B, i // 2, A[i]), ForKind.PARALLEL))
    fails(kernel, "GC401", "written by iteration 0 of parallel loop i while iteration 1 of parallel loop i")


def test_atomic_updates_do_not_race_with_each_other_but_with_plain_accesses() -> None:
    add = Evaluate(intrin.call_intrin("float32", "atomic_add", intrin.call_intrin("handle", "address_of", S[0]), 1.0))
    passes(block(IfThenElse(e.EQ(T, 0), store(S, 0, 0.0)), barrier(), add, barrier(), store(B, T, S[0])))
    fails(block(IfThenElse(e.EQ(T, 0), store(S, 0, 0.0)), barrier(), add, store(B, T, S[0])), "GC401", "updates it")
    fails(block(store(S, T, 0.0), add), "GC401", "updated by", "writes it")


# -- indices ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lanes", [True, False])
def test_an_index_one_past_the_end_is_out_of_bounds(lanes: bool) -> None:
    body: Stmt = store(B, T + 1, A[T])
    body = thread("threadIdx.x", T, 64, body) if lanes else loop(T, 64, body)
    text = fails(func([A, B], body), "GC402", "the index of B is at 64, outside of [0, 64)", "B[t + 1] = A[t]")
    assert not lanes or "thread (63, 0, 0)" in text


def test_an_off_by_one_predicate_is_caught() -> None:
    bx = Var("bx")
    i = bx * 24 + T
    for limit, right in ((64, True), (65, False)):
        body = IfThenElse(intrin.likely(i < limit), store(B, i, A[i]))
        kernel = func([A, B], thread("blockIdx.x", bx, 3, thread("threadIdx.x", T, 24, body)))
        if right:
            passes(kernel)
        else:
            fails(kernel, "GC402", "at 64, outside of [0, 64)", "block (2, 0, 0) thread (16, 0, 0)")


@pytest.mark.parametrize("lanes", [True, False])
def test_a_mask_that_lets_one_lane_too_many_through_is_caught(lanes: bool) -> None:
    index = e.Ramp(T * 4, IntImm("int32", 1), 4)
    for limit, right in ((62, True), (63, False)):
        mask = e.LT(index + e.Broadcast(IntImm("int32", 2), 4), e.Broadcast(IntImm("int32", limit), 4))
        plus = index + e.Broadcast(IntImm("int32", 4), 4)
        body: Stmt = BufferStore(B, e.BufferLoad(A, (plus,), mask), (index,), None)
        kernel = func([A, B], thread("threadIdx.x", T, 16, body) if lanes else loop(T, 16, body))
        if right:
            passes(kernel)
        else:
            fails(kernel, "GC402", "the index of A is at 64, outside of [0, 64)")


def test_lanes_beside_an_array_are_read_only_with_one_of_its_own_and_where_the_target_may() -> None:
    short, other = decl_buffer((62,), "float32", "A"), decl_buffer((72,), "float32", "B")

    def kernel(first: int, threads: int, target: str) -> PrimFunc:
        index = e.Ramp(T * 4 + first, IntImm("int32", 1), 4)
        body = BufferStore(other, e.BufferLoad(short, (index,)), (e.Ramp(T * 4, IntImm("int32", 1), 4),))
        made = func([short, other], thread("threadIdx.x", T, threads, body))
        return made.with_attr("target", Target(target))

    a, b = np.arange(62, dtype=np.float32), np.zeros(72, np.float32)
    interpret(kernel(0, 16, "cuda"), [a, b])
    np.testing.assert_array_equal(b[:62], a)
    fails(kernel(0, 16, "llvm"), "GC402", "at 62, outside of [0, 62)", args=[a, b])
    fails(kernel(0, 17, "cuda"), "GC402", "outside of [0, 62)", "thread (16, 0, 0)", args=[a, b])
    fails(kernel(-4, 16, "cuda"), "GC402", "outside of [0, 62)", "thread (0, 0, 0)", args=[a, b])
    fails(kernel(1, 16, "cuda"), "GC402", "outside of [0, 62)", "thread (15, 0, 0)", args=[a, b])


def test_negative_indices_do_not_wrap_around() -> None:
    fails(func([A, B], thread("threadIdx.x", T, 8, store(B, T, A[T - 3]))), "GC402", "at -3", "thread (0, 0, 0)")


def test_each_dimension_is_checked_by_itself() -> None:
    m = decl_buffer((8, 8), "float32", "M")
    kernel = func([m, B], thread("threadIdx.x", T, 8, store(B, T, m[3, T + 1])))
    fails(
        kernel,
        "GC402",
        "index 1 of M is at 8, outside of [0, 8)",
        args=[np.zeros((8, 8), np.float32), np.zeros(64, np.float32)],
    )


def test_an_index_below_the_realized_box_is_out_of_bounds() -> None:
    tile = decl_buffer((64,), "float32", "tile", scope="shared")
    body = realize(tile, [(16, 32)], store(tile, T, A[T]))
    fails(func([A, B], thread("threadIdx.x", T, 32, body)), "GC402", "the index of tile is at -16, outside of [0, 32)")


def test_an_index_read_from_memory_is_checked() -> None:
    where = decl_buffer((8,), "int32", "where")
    kernel = func([where, B], thread("threadIdx.x", T, 8, store(B, where[T], 1.0)))
    index = np.array([0, 1, 2, 3, 4, 99, 6, 7], np.int32)
    fails(kernel, "GC402", "at 99", "thread (5, 0, 0)", args=[index, np.zeros(64, np.float32)])


def test_vector_accesses_are_checked_to_their_last_lane() -> None:
    kernel = func([A, B], thread("threadIdx.x", T, 16, B.vstore((T * 4 + 1,), A.vload((T * 4,), "float32x4"))))
    fails(kernel, "GC402", "at 64", "thread (15, 0, 0)")


def test_unchecked_indices_do_not_stop_the_run() -> None:
    y = np.zeros(64, np.float32)
    interpret(
        func([A, B], thread("threadIdx.x", T, 8, store(B, T, A[T - 3]))), [np.ones(64, np.float32), y], bounds=False
    )
    assert y[4] == 1


@pytest.mark.parametrize("lanes", [True, False])
def test_a_select_evaluates_both_sides_and_so_guards_no_load(lanes: bool) -> None:
    body: Stmt = store(B, T, e.Select(T >= 1, A[T - 1], FloatImm("float32", 0.0)))
    fails(func([A, B], thread("threadIdx.x", T, 8, body) if lanes else loop(T, 8, body)), "GC402")


# -- divergence, unwritten memory, division -----------------------------------------------------------------------


def test_a_barrier_that_some_threads_miss_is_reported_with_one_of_each() -> None:
    text = fails(block(IfThenElse(T < 10, barrier()), store(B, T, A[T])), "GC403", "the shared barrier is reached by")
    assert "thread (0, 0, 0) but not by block (0, 0, 0) thread (10, 0, 0)" in text


def test_a_barrier_in_a_loop_of_different_lengths_diverges() -> None:
    k = Var("k")
    fails(
        block(loop(k, T // 32 + 1, barrier())), "GC403", "thread (32, 0, 0) but not by block (0, 0, 0) thread (0, 0, 0)"
    )


def test_blocks_may_take_different_ways_to_a_barrier() -> None:
    bx = Var("bx")
    some = IfThenElse(e.EQ(bx % 2, 0), seq(store(S, T, A[T]), barrier(), store(B, bx * 16 + T, S[15 - T])))
    passes(func([A, B], thread("blockIdx.x", bx, 4, thread("threadIdx.x", T, 16, realize(S, [(0, 16)], some)))))


def test_a_barrier_of_some_blocks_ends_the_phase_of_those_only() -> None:
    bx = Var("bx")
    i = bx * 16 + T
    body = seq(store(S, T, A[i]), IfThenElse(e.EQ(bx % 2, 0), barrier()), store(B, i, S[15 - T]))
    kernel = func([A, B], thread("blockIdx.x", bx, 4, thread("threadIdx.x", T, 16, realize(S, [(0, 16)], body))))
    fails(kernel, "GC401", "read by block (1, 0, 0)")


def test_warps_may_meet_without_the_others() -> None:
    warp = Evaluate(intrin.barrier("warp"))
    passes(block(IfThenElse(T < 32, warp), store(B, T, A[T])))
    fails(block(IfThenElse(T < 33, warp), store(B, T, A[T])), "GC403", "the warp barrier is reached by")


def test_a_cross_thread_reduction_needs_all_threads_that_are_reduced_over() -> None:
    x, y = Var("x", "float32"), Var("y", "float32")
    add = e.CommReducer((x,), (y,), (x + y,), (FloatImm("float32", 0.0),))
    r = decl_buffer((1,), "float32", "r", scope="local")
    body = AllReduce(add, (A[T],), IntImm("bool", 1), (r,), (T,))
    fails(
        func([A, B], thread("threadIdx.x", T, 8, realize(r, [(0, 1)], IfThenElse(T < 4, body)))), "GC403", "reduction"
    )


def test_reading_shared_memory_that_nobody_wrote_is_reported() -> None:
    fails(block(IfThenElse(T < 60, store(S, T, A[T])), barrier(), store(B, T, S[T])), "GC404", "S[60] is read by")


def test_reading_a_local_element_that_this_thread_did_not_write_is_reported() -> None:
    r = decl_buffer((2,), "float32", "r", scope="local")
    body = realize(r, [(0, 2)], seq(IfThenElse(T < 5, store(r, 1, 1.0)), store(B, T, r[1])))
    fails(func([A, B], thread("threadIdx.x", T, 8, body)), "GC404", "r[1] is read", "thread (5, 0, 0)")


def test_an_allocation_is_unwritten_again_in_the_next_iteration() -> None:
    r = decl_buffer((1,), "float32", "r", scope="local")
    k = Var("k")
    body = loop(k, 2, realize(r, [(0, 1)], seq(IfThenElse(e.EQ(k, 0), store(r, 0, 1.0)), store(B, T, r[0]))))
    fails(func([A, B], thread("threadIdx.x", T, 8, body)), "GC404")


def test_host_allocations_are_checked_too() -> None:
    mid = decl_buffer((64,), "float32", "mid")
    t2 = Var("t2")
    first = thread("threadIdx.x", T, 32, store(mid, T, A[T]))
    for size, good in ((32, True), (33, False)):
        kernel = func(
            [A, B], realize(mid, [(0, 64)], seq(first, thread("threadIdx.x", t2, size, store(B, t2, mid[t2]))))
        )
        if good:
            passes(kernel)
        else:
            fails(kernel, "GC404", "mid[32] is read")


def test_unwritten_memory_that_is_not_checked_reads_as_nan() -> None:
    r = decl_buffer((1,), "float32", "r", scope="local")
    y = np.zeros(64, np.float32)
    interpret(func([A, B], thread("threadIdx.x", T, 8, realize(r, [(0, 1)], store(B, T, r[0])))),
              [y.copy(), y], poison=False)  # fmt: skip
    assert np.isnan(y[:8]).all()


@pytest.mark.parametrize("lanes", [True, False])
def test_a_division_by_zero_is_reported_where_it_is_evaluated(lanes: bool) -> None:
    c = decl_buffer((8,), "int32", "C")
    body: Stmt = store(c, T, IntImm("int32", 100) // (T - 3))
    guarded: Stmt = IfThenElse(e.NE(T, 3), body)
    x = np.zeros(8, np.int32)
    for stmt, good in ((body, False), (guarded, True)):
        kernel = func([c], thread("threadIdx.x", T, 8, stmt) if lanes else loop(T, 8, stmt))
        if good:
            interpret(kernel, [x])
            np.testing.assert_array_equal(x, [-34, -50, -100, 0, 100, 50, 33, 25])
        else:
            fails(kernel, "GC405", "division by zero", args=[x])


def test_a_shuffle_from_a_thread_that_does_not_take_part_is_reported() -> None:
    value = intrin.call_intrin("float32", "shuffle_xor", IntImm("uint32", 0), A[T], 1, 32)
    fails(
        func([A, B], thread("threadIdx.x", T, 32, IfThenElse(T < 5, store(B, T, value)))), "GC406", "thread (5, 0, 0)"
    )


def test_a_wrong_assumption_is_reported() -> None:
    body = seq(Evaluate(intrin.call_intrin("bool", "assume", T < 7)), store(B, T, A[T]))
    fails(func([A, B], thread("threadIdx.x", T, 8, body)), "GC407", "thread (7, 0, 0)")


def test_what_has_no_meaning_is_refused_by_name() -> None:
    fails(func([A, B], store(B, Var("free"), 0.0)), "GC408", "variable free")
    fails(func([A, B], Evaluate(intrin.call_extern("int32", "launch_missiles"))), "GC408", "call_extern")
    g = decl_buffer((4,), "float32", "g")
    inside = thread("threadIdx.x", T, 4, realize(g, [(0, 4)], store(g, T, 0.0)))
    fails(func([A, B], inside), "GC408", "g is allocated in global memory inside of a kernel")


def test_two_extents_of_one_thread_axis_are_refused() -> None:
    t2 = Var("t2")
    body = seq(thread("threadIdx.x", T, 8, store(B, T, A[T])), thread("threadIdx.x", t2, 16, store(B, t2 + 16, A[t2])))
    fails(func([A, B], thread("blockIdx.x", Var("bx"), 1, body)), "GC408", "thread axis threadIdx.x has two extents")


def test_errors_carry_the_place_in_the_users_program() -> None:
    span = Span(__file__, 1)
    kernel = func([A, B], loop(T, 65, BufferStore(B, A[0], (T,), None, span)))
    with pytest.raises(VerifyError) as caught:
        interpret(kernel, [np.zeros(64, np.float32), np.zeros(64, np.float32)])
    assert caught.value.where is span


def test_element_types_of_one_pool_race_through_their_bytes() -> None:
    pool = Var("pool", PointerType(PrimType(DType("uint8")), "shared"))
    words = Buffer(pool, DType("float32"), (IntImm("int32", 32),), (), IntImm("int32", 0), "words", 64, 1)
    halves = Buffer(pool, DType("float16"), (IntImm("int32", 64),), (), IntImm("int32", 0), "halves", 64, 1)
    body = seq(store(words, T, A[T]), store(B, T, halves[(T * 2 + 2) % 64].astype("float32")))
    body = Allocate(pool, DType("uint8"), (IntImm("int32", 132),), IntImm("bool", 1), body)
    fails(func([A, B], thread("threadIdx.x", T, 32, body)), "GC401", "thread (1, 0, 0) writes it")


def test_nested_guards_keep_inactive_threads_silent() -> None:
    i, j = Var("i"), Var("j")
    body = nest([(i, 3), (j, 3)], IfThenElse(T + i < 64, IfThenElse(T + i + j < 64, store(B, T, A[T + i + j]))))
    passes(func([A, B], thread("threadIdx.x", T, 64, body)))
