"""Verifiers name what is wrong, with the limit and the number."""

from __future__ import annotations

from typing import Any  # Any: attributes and buffers of any kind

import pytest

from gpucomp.analysis import (
    estimate_tir_flops,
    kernel_uses,
    undefined_vars,
    verify_gpu_code,
    verify_memory,
    verify_ssa,
    verify_well_formed,
)
from gpucomp.support.diagnostics import LowerError, Span, VerifyError
from gpucomp.target import Target
from gpucomp.tir import expr as e
from gpucomp.tir import intrin
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import IntImm, IterVar, Range, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.stmt import AttrStmt, BufferStore, Evaluate, For, ForKind, IfThenElse, LetStmt, Stmt, seq
from tests.transform.build import allocate, func, internal, loop, nest, store, thread, tiled_matmul

A, B = decl_buffer((64, 64), "float32", "A"), decl_buffer((64, 64), "float32", "B")
X, J, T = Var("i"), Var("j"), Var("t")
COPY = store(B, (X, J), A[X, J])


def on(target: str, body: Stmt, **attrs: Any) -> PrimFunc:
    return func([A, B], body, target=Target(target), **attrs)


# -- verify_memory ------------------------------------------------------------------------------------------------


def test_a_stage_that_no_thread_computes_is_named_with_the_mend() -> None:
    with pytest.raises(LowerError) as caught:
        verify_memory(on("cuda", nest([(X, 64), (J, 64)], COPY)))
    text = str(caught.value)
    assert "stage B runs on no thread of the GPU: none of its axes ('i', 'j') is bound" in text
    assert "loop nest i > j" in text
    assert 's[B].bind(i, te.thread_axis("blockIdx.x"))' in text


def test_a_second_stage_beside_a_kernel_is_found() -> None:
    kernel = thread("threadIdx.x", X, 64, loop(J, 64, COPY))
    span = Span(__file__, 1)
    i2 = Var("i2")
    stray = loop(i2, 4, BufferStore(A, B[0, i2], (IntImm("int32", 0), i2), None, span))
    with pytest.raises(LowerError, match="stage A runs on no thread") as caught:
        verify_memory(on("cuda", seq(kernel, stray)))
    assert caught.value.where is span


def test_memory_read_by_the_host_is_found() -> None:
    cond = IfThenElse(A[0, 0] > 0.0, thread("threadIdx.x", X, 64, loop(J, 64, COPY)))
    with pytest.raises(LowerError, match="buffer A is read where no thread of the GPU runs"):
        verify_memory(on("opencl", cond))


def test_bound_kernels_processors_and_functions_without_target_pass() -> None:
    bare = nest([(X, 64), (J, 64)], COPY)
    assert verify_memory(on("cuda", thread("threadIdx.x", X, 64, loop(J, 64, COPY))))
    assert verify_memory(on("llvm", bare))
    assert verify_memory(func([A, B], bare))
    bound = For(X, IntImm("int32", 0), IntImm("int32", 64), ForKind.THREAD_BINDING, loop(J, 64, COPY),
                IterVar(Range(0, 64), X, IterVar.ThreadIndex, "threadIdx.x"))  # fmt: skip
    assert verify_memory(on("cuda", bound))
    assert verify_memory(on("cuda", bare, launch={"threadIdx.x": IntImm("int32", 1)}))


# -- verify_gpu_code ----------------------------------------------------------------------------------------------


def test_too_much_shared_memory_is_refused_with_both_numbers() -> None:
    tile = internal("tile", 24 * 1024, "shared")
    body = thread("threadIdx.x", T, 64, allocate(tile, store(tile, T, 0.0)))
    with pytest.raises(LowerError) as caught:
        verify_gpu_code(on("cuda -arch=sm_75", body))
    text = str(caught.value)
    assert "98,304 bytes of shared memory asked (tile 98,304), 49,152 on sm_75" in text
    assert "kernel main" in text


def test_allocations_of_one_kernel_add_up_and_those_of_two_do_not() -> None:
    a, b, t2 = internal("a", 8 * 1024, "shared"), internal("b", 8 * 1024, "shared"), Var("t2")
    both = thread("threadIdx.x", T, 64, allocate(a, allocate(b, seq(store(a, T, 0.0), store(b, T, 0.0)))))
    with pytest.raises(LowerError, match=r"65,536 bytes of shared memory asked \(a 32,768, b 32,768\), 49,152"):
        verify_gpu_code(on("cuda", both))
    one = thread("threadIdx.x", T, 64, allocate(a, store(a, T, 0.0)))
    two = thread("threadIdx.x", t2, 64, allocate(b, store(b, t2, 0.0)))
    assert verify_gpu_code(on("cuda", seq(one, two)))
    assert [u.shared for u in kernel_uses(on("cuda", seq(one, two)))] == [32768, 32768]


def test_dynamic_shared_memory_has_its_own_limit() -> None:
    pool = internal("pool", 40 * 1024, "shared.dyn")
    body = thread("threadIdx.x", T, 64, allocate(pool, store(pool, T, 0.0)))
    assert verify_gpu_code(on("cuda -arch=sm_90", body))
    with pytest.raises(LowerError, match=r"163,840 bytes of dynamic shared memory asked .* 101,376 on sm_86"):
        verify_gpu_code(on("cuda -arch=sm_86", body))


def test_too_many_threads_are_refused_at_the_call_that_bound_them() -> None:
    span = Span(__file__, 2)
    y = Var("y")
    body: Stmt = store(B, (y, T), 0.0)
    for tag, var, extent in (("threadIdx.x", T, 64), ("threadIdx.y", y, 32)):
        axis = IterVar(Range(0, extent), var, IterVar.ThreadIndex, tag)
        body = AttrStmt(axis, "thread_extent", IntImm("int32", extent), body, span)
    with pytest.raises(LowerError) as caught:
        verify_gpu_code(on("cuda", body))
    assert "2,048 threads asked in a block (threadIdx.y 32 x threadIdx.x 64), 1,024 on sm_90" in str(caught.value)
    assert caught.value.where is span


def test_a_kind_of_device_whose_blocks_differ_can_be_given_more_threads() -> None:
    body = AttrStmt(
        IterVar(Range(0, 512), T, IterVar.ThreadIndex, "threadIdx.x"), "thread_extent", IntImm("int32", 512), COPY
    )
    with pytest.raises(LowerError, match='or name a device that takes more: "opencl -max_num_threads=512"'):
        verify_gpu_code(on("opencl", body))
    assert verify_gpu_code(on("opencl -max_num_threads=512", body))
    with pytest.raises(LowerError, match=r"bind the inner part$"):
        verify_gpu_code(on("opencl -max_num_threads=128", body))


@pytest.mark.parametrize(
    ("tag", "extent", "text"),
    [
        ("threadIdx.z", 128, "128 threads asked along threadIdx.z, 64 on sm_90"),
        ("blockIdx.y", 65536, "65,536 blocks asked along blockIdx.y, 65,535 on sm_90"),
    ],
)
def test_each_thread_axis_has_its_limit(tag: str, extent: int, text: str) -> None:
    body = thread(tag, T, extent, store(B, (T % 64, 0), 0.0))
    with pytest.raises(LowerError, match=text):
        verify_gpu_code(on("cuda", body))
    assert verify_gpu_code(on("cuda", thread(tag, T, 64, store(B, (T % 64, 0), 0.0))))


def test_local_memory_and_vectors_are_limited() -> None:
    big = internal("big", 300 * 1024, "local")
    with pytest.raises(LowerError, match="bytes of local memory of a thread asked"):
        verify_gpu_code(on("cuda", thread("threadIdx.x", T, 4, allocate(big, store(big, T, 0.0)))))
    flat = A.get_flattened_buffer()
    wide = BufferStore(flat, flat.vload([T * 8], "float32x8"), (e.Ramp(T * 8, IntImm("int32", 1), 8),))
    with pytest.raises(LowerError, match=r"a vector of 32 bytes \(float32x8\) asked of A, 16 on sm_90") as caught:
        verify_gpu_code(on("cuda", thread("threadIdx.x", T, 4, wide)))
    assert "split by at most 4 before vectorize" in str(caught.value)


def test_limits_may_be_given_under_their_classic_names() -> None:
    body = thread("threadIdx.x", T, 64, store(B, (T, 0), 0.0))
    assert verify_gpu_code(func([A, B], body))
    assert verify_gpu_code(func([A, B], body), {"max_threads_per_block": 64})
    with pytest.raises(LowerError, match="64 threads asked in a block"):
        verify_gpu_code(func([A, B], body), {"max_threads_per_block": 32})
    with pytest.raises(LowerError, match=r"64 threads asked along threadIdx.x, 32 allowed"):
        verify_gpu_code(func([A, B], body), {"max_thread_x": 32})


def test_the_use_of_a_matmul_is_measured() -> None:
    (use,) = kernel_uses(tiled_matmul(64, 64, 64, tile=(32, 16, 8), threads=(4, 8), vthreads=(2, 1)))
    assert use.threads == 32
    assert use.extents["blockIdx.x"] == 4
    assert use.shared == (32 * 8 + 8 * 16) * 4
    assert use.local == (4 * 2 + 4 + 2) * 4


# -- well-formedness ----------------------------------------------------------------------------------------------


def refuse(body: Stmt, message: str, buffers: Any = (A, B)) -> None:
    f = func(list(buffers), body)
    assert not verify_well_formed(f, assert_mode=False)
    with pytest.raises(VerifyError, match=message) as caught:
        verify_well_formed(f)
    assert "function main" in str(caught.value)


def test_functions_that_are_in_order_pass() -> None:
    assert verify_well_formed(func([A, B], nest([(X, 64), (J, 64)], COPY)))
    assert verify_well_formed(tiled_matmul(64, 64, 64))
    n = Var("n")
    c = decl_buffer((n,), "float32", "C")
    assert verify_well_formed(func([c], loop(X, n, store(c, X, 0.0))))


def test_a_variable_outside_of_its_loop_is_found() -> None:
    refuse(seq(nest([(X, 4), (J, 4)], COPY), store(B, (X, 0), 0.0)), "variable i is used outside")


def test_memory_without_an_allocation_is_found() -> None:
    s = internal("S", 4)
    refuse(store(s, 0, 1.0), "memory S is used outside")
    assert verify_well_formed(func([A], allocate(s, store(s, 0, 1.0))))


def test_a_loop_that_hides_another_is_found() -> None:
    refuse(loop(X, 4, loop(X, 4, store(B, (X, 0), 0.0))), "i is bound again inside of its own scope")


def test_loops_in_sequence_may_share_a_variable_but_are_no_single_assignment() -> None:
    f = func([A, B], seq(loop(X, 4, store(B, (X, 0), 0.0)), loop(X, 4, store(B, (X, 1), 0.0))))
    assert verify_well_formed(f)
    assert not verify_ssa(f)
    assert verify_ssa(func([A, B], nest([(X, 64), (J, 64)], COPY)))


def test_a_thread_axis_has_one_extent_and_one_variable_in_a_kernel() -> None:
    bx, t2 = Var("bx"), Var("t2")

    def kernel(extent: int, var: Var) -> Stmt:
        first = thread("threadIdx.x", T, 8, store(B, (T, 0), 0.0))
        second = thread("threadIdx.x", var, extent, store(B, (var, 1), 0.0))
        return thread("blockIdx.x", bx, 1, seq(first, second))

    assert verify_well_formed(func([A, B], kernel(8, T)))
    assert verify_ssa(func([A, B], kernel(8, T)))
    refuse(kernel(16, T), "thread axis threadIdx.x has extent 16 here and 8 before")
    two = thread("threadIdx.x", T, 8, thread("threadIdx.x", t2, 8, store(B, (T, t2), 0.0)))
    refuse(two, "two variables in one kernel: t and t2")
    apart = seq(
        thread("threadIdx.x", T, 8, store(B, (T, 0), 0.0)), thread("threadIdx.x", t2, 16, store(B, (t2, 1), 0.0))
    )
    assert verify_well_formed(func([A, B], apart))


def test_values_of_the_wrong_type_are_found() -> None:
    x = Var("x", "float32")
    refuse(LetStmt(x, X.astype("int32"), store(B, (0, 0), x)), "x: float32 is bound to a value of type int32")
    refuse(IfThenElse(IntImm("int32", 1), COPY), "a condition has type int32")
    refuse(For(X, IntImm("int32", 0), e.FloatImm("float32", 4.0), ForKind.SERIAL, store(B, (X, 0), 0.0)),
           "the extent of loop i has type float32")  # fmt: skip


def test_undefined_variables_come_in_order_of_use() -> None:
    k, n, x = Var("k"), Var("n"), Var("x")
    body = loop(X, n, store(B, (X, k), A[X, X] + 1.0))
    assert [v.name for v in undefined_vars(body)] == ["n", "B", "k", "A"]
    assert undefined_vars(func([A, B], body, [k, n])) == []
    assert undefined_vars(e.Let(x, k, x + n)) == [k, n]
    assert undefined_vars(k + n, [k]) == [n]


# -- counting -----------------------------------------------------------------------------------------------------


def test_flops_of_a_matmul_are_twice_its_volume() -> None:
    k = Var("k")
    c = decl_buffer((64, 64), "float32", "C")
    body = nest([(X, 64), (J, 64), (k, 64)], store(c, (X, J), c[X, J] + A[X, k] * B[k, J]))
    assert estimate_tir_flops(func([A, B, c], body)) == 2 * 64**3


def test_flops_count_threads_vectors_intrinsics_and_the_dearer_side() -> None:
    flat = A.get_flattened_buffer()
    index = e.Ramp(T * 4, IntImm("int32", 1), 4)
    vector = BufferStore(flat, e.Mul(flat.vload([T * 4], "float32x4"), flat.vload([T * 4], "float32x4")), (index,))
    assert estimate_tir_flops(thread("threadIdx.x", T, 32, vector)) == 32 * 4
    x = A[X, J]
    square = x * x
    either = IfThenElse(X < 2, store(B, (X, J), intrin.exp(x)), store(B, (X, J), square + square + intrin.fma(x, x, x)))
    assert estimate_tir_flops(nest([(X, 4), (J, 4)], either)) == 16 * 5
    assert estimate_tir_flops(Evaluate(IntImm("int32", 0))) == 0
