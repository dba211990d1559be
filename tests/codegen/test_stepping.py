"""Pointers that loops step: where they come, where they do not, and that the results stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any  # arrays of any element type

import numpy as np

from gpucomp.codegen import emit_unit
from gpucomp.tir import expr as e
from gpucomp.tir import intrin
from gpucomp.tir import operators as op
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.stmt import ForKind, Stmt
from tests.codegen.build import CUDA, axis, bind, device, flat, images
from tests.codegen.devices import check_everywhere, run_opencl

THREADS = 16
ROUNDS = 4
TRUE = op.const(1, "bool")

Value = Callable[[Var, Var, Buffer], Expr]


def loop(var: Var, extent: Any, body: Stmt, kind: ForKind = ForKind.SERIAL) -> Stmt:
    return s.For(var, 0, extent, kind, body)


def let(name: str, value: Expr, body: Callable[[Var], Stmt]) -> Stmt:
    var = Var(name, "int32")
    return s.LetStmt(var, value, body(var))


def kernel(step: Callable[[Var, Var, Buffer, Buffer], Stmt]) -> PrimFunc:
    """A is copied to shared memory; ``step(thread, k, shared, total)`` runs for k in 0..3; out gets the totals."""
    out, a = flat("out", size=THREADS), flat("A", size=256)
    shared, total = flat("S", size=256, scope="shared"), flat("total", size=4, scope="local")
    tx, j, k = axis("threadIdx.x", THREADS), Var("j", "int32"), Var("k", "int32")
    at = tx.var + j * THREADS
    zero, i = op.const(0), Var("i", "int32")
    body = s.seq(
        loop(i, 4, s.BufferStore(total, op.const(0.0, "float32"), (i,)), ForKind.UNROLLED),
        loop(j, 16, s.BufferStore(shared, a[at], (at,)), ForKind.UNROLLED),
        s.Evaluate(intrin.barrier()),
        loop(k, ROUNDS, step(tx.var, k, shared, total)),
        s.BufferStore(out, total[zero] + total[1] + total[2] + total[3], (tx.var,)),
    )
    for buffer in (total, shared):
        body = s.Allocate(buffer.data, buffer.dtype, buffer.shape, TRUE, body)
    return device([out, a], bind(body, tx), {"threadIdx.x": THREADS}, [out])


def adding(value: Value) -> Callable[[Var, Var, Buffer, Buffer], Stmt]:
    def step(tx: Var, k: Var, shared: Buffer, total: Buffer) -> Stmt:
        zero = op.const(0)
        return s.BufferStore(total, total[zero] + value(tx, k, shared), (zero,))

    return step


def run(func: PrimFunc) -> tuple[str, np.ndarray[Any, Any]]:
    """The CUDA text, and the results of the OpenCL one on PoCL."""
    forms = images(func)
    check_everywhere(forms)
    data = np.arange(256, dtype=np.float32)
    out = run_opencl(forms["opencl"], "f_kernel", (1,), (THREADS,), [np.full(THREADS, -1, np.float32), data])[0]
    return forms["cuda"].source, out


def expected(value: Callable[[int, int], float]) -> np.ndarray[Any, Any]:
    return np.array([sum([value(t, k) for k in range(ROUNDS)]) for t in range(THREADS)], np.float32)


def test_accesses_that_differ_by_constants_share_a_pointer() -> None:
    text, out = run(kernel(adding(lambda tx, k, m: m[tx * 4 + k * 8 + 1] - m[tx * 4 + k * 8 + 3] * 2.0)))
    assert "  const float* S_ptr = S + threadIdx_x * 4;\n  for (int k = 0;" in text
    assert "S_ptr[1] - S_ptr[3] * 2.0f" in text
    assert "    S_ptr += 8;\n  }" in text
    np.testing.assert_array_equal(out, expected(lambda t, k: (t * 4 + k * 8 + 1) - 2 * (t * 4 + k * 8 + 3)))


def test_a_pointer_for_each_base_and_each_step() -> None:
    text, out = run(
        kernel(adding(lambda tx, k, m: m[tx + k] - m[tx + k + 1] * 3.0 + m[tx * 2 + k] * m[tx * 2 + k + 2] - m[k * 5]))
    )
    assert "S_ptr = S + threadIdx_x;" in text
    assert "S_ptr_1 = S + threadIdx_x * 2;" in text
    assert "S[k * 5]" in text
    want = expected(lambda t, k: (t + k) - 3 * (t + k + 1) + (2 * t + k) * (2 * t + k + 2) - 5 * k)
    np.testing.assert_array_equal(out, want)


def test_a_single_access_of_shared_memory_gets_no_pointer() -> None:
    text, out = run(kernel(adding(lambda tx, k, m: m[tx + k * 16])))
    assert "_ptr" not in text
    np.testing.assert_array_equal(out, expected(lambda t, k: t + 16 * k))


def test_an_access_in_an_unrolled_loop_counts_once_for_each_round() -> None:
    def step(tx: Var, k: Var, shared: Buffer, total: Buffer) -> Stmt:
        i = Var("i", "int32")
        store = s.BufferStore(total, total[i] + shared[i * 16 + tx + k * 64], (i,))
        return loop(i, 4, store, ForKind.UNROLLED)

    text, out = run(kernel(step))
    assert "S_ptr = S + threadIdx_x;" in text
    assert "S_ptr[i_1 * 16]" in text
    np.testing.assert_array_equal(out, expected(lambda t, k: sum([i * 16 + t + k * 64 for i in range(4)])))


def test_what_does_not_move_evenly_keeps_its_index() -> None:
    text, out = run(
        kernel(adding(lambda tx, k, m: m[tx + e.FloorMod(k, 2) * 16] + m[tx + e.FloorMod(k, 2) * 16 + 1] - m[19 - k]))
    )
    assert "_ptr" not in text
    np.testing.assert_array_equal(out, expected(lambda t, k: 2 * (t + k % 2 * 16) + 1 - (19 - k)))


def test_negative_distances_keep_their_index() -> None:
    """The pointer would start before the memory."""
    text, out = run(kernel(adding(lambda tx, k, m: m[tx + k * 16 + 5] + m[(tx + 5) + k * 16 + -5] * 2.0)))
    assert "_ptr" not in text
    np.testing.assert_array_equal(out, expected(lambda t, k: t + k * 16 + 5 + 2 * (t + k * 16)))


def test_names_of_the_body_are_seen_through_and_dropped_when_nothing_else_needs_them() -> None:
    def step(tx: Var, k: Var, shared: Buffer, total: Buffer) -> Stmt:
        def add(at: Var) -> Stmt:
            return adding(lambda t, k, m: m[at + 1] - m[at] * 2.0)(tx, k, shared, total)

        return let("at", tx * 4 + k * 16, add)

    text, out = run(kernel(step))
    assert "S_ptr[1] - S_ptr[0] * 2.0f" in text
    assert "int at" not in text
    np.testing.assert_array_equal(out, expected(lambda t, k: t * 4 + k * 16 + 1 - 2 * (t * 4 + k * 16)))


def test_a_name_of_the_body_that_is_needed_elsewhere_stays() -> None:
    def step(tx: Var, k: Var, shared: Buffer, total: Buffer) -> Stmt:
        def add(at: Var) -> Stmt:
            return adding(lambda t, k, m: m[at + 1] - m[at] * op.cast("float32", at))(tx, k, shared, total)

        return let("at", tx + k, add)

    text, out = run(kernel(step))
    assert "S_ptr[1] - S_ptr[0] * (float)at" in text
    np.testing.assert_array_equal(out, expected(lambda t, k: t + k + 1 - (t + k) ** 2))


def test_vectors_go_by_pointers_that_are_as_aligned() -> None:
    def step(tx: Var, k: Var, shared: Buffer, total: Buffer) -> Stmt:
        i, lanes = Var("i", "int32"), e.Ramp(op.const(0), op.const(1), 4)
        at = e.Ramp(i * 4 + tx * 4 + k * 16, op.const(1), 4)
        return loop(i, 2, s.BufferStore(total, total[lanes] + shared[at], (lanes,)), ForKind.UNROLLED)

    text, out = run(kernel(step))
    assert "*(const float4*)(S_ptr + i_1 * 4)" in text
    np.testing.assert_array_equal(out, expected(lambda t, k: sum([4 * (i * 4 + t * 4 + k * 16) + 6 for i in range(2)])))


def test_a_vector_that_would_lose_its_alignment_keeps_its_index() -> None:
    def step(tx: Var, k: Var, shared: Buffer, total: Buffer) -> Stmt:
        j, i, lanes = Var("j", "int32"), Var("i", "int32"), e.Ramp(op.const(0), op.const(1), 4)

        def inner(base: Var) -> Stmt:
            at = e.Ramp(base + j * 4 + i * 4 + 2, op.const(1), 4)
            add = s.BufferStore(total, total[lanes] + shared[at], (lanes,))
            return loop(j, 2, loop(i, 2, add, ForKind.UNROLLED))

        return let("base", tx * 4 + k * 16 + 2, inner)

    text, out = run(kernel(step))
    assert "_ptr" not in text
    assert "*(const float4*)(S + (base + j_1 * 4 + i_1 * 4 + 2))" in text
    places = [(i, j) for i in range(2) for j in range(2)]
    np.testing.assert_array_equal(
        out, expected(lambda t, k: sum([4 * (t * 4 + k * 16 + i * 4 + j * 4 + 4) + 6 for i, j in places]))
    )


def test_stores_go_through_pointers_that_may_be_written_to() -> None:
    def step(tx: Var, k: Var, shared: Buffer, total: Buffer) -> Stmt:
        at = tx + k * 16
        return s.seq(
            s.BufferStore(shared, shared[at] * 2.0, (at,)),
            adding(lambda t, k, m: m[at])(tx, k, shared, total),
        )

    text, out = run(kernel(step))
    assert "\n  float* S_ptr = S + threadIdx_x;" in text
    assert "S_ptr[0] = S_ptr[0] * 2.0f;" in text
    np.testing.assert_array_equal(out, expected(lambda t, k: 2 * (t + k * 16)))


def test_an_address_that_is_taken_is_not_one_of_constants() -> None:
    """The same element is read first."""

    def step(tx: Var, k: Var, shared: Buffer, total: Buffer) -> Stmt:
        place = shared[tx + k * 16]
        added = intrin.call_intrin(
            "float32", "tir.atomic_add", intrin.call_intrin("handle", "tir.address_of", place), op.const(1.0, "float32")
        )
        return adding(lambda t, k, m: place + added + m[tx + k * 16 + 1])(tx, k, shared, total)

    text = emit_unit([kernel(step)], CUDA).source
    assert "\n  float* S_ptr = S + threadIdx_x;" in text


def nested(kind: ForKind) -> PrimFunc:
    """A loop over rows of ``n`` elements: ``out = A + 10 * rounds``, the rounds counted by a loop inside."""
    n = e.SizeVar("n")
    out, a = flat("out", size=256), flat("A", size=256)
    tx, k, i = axis("threadIdx.x", THREADS), Var("k", "int32"), Var("i", "int32")
    total = flat("total", size=4, scope="local")
    add = loop(i, 4, s.BufferStore(total, total[i] + op.cast("float32", i), (i,)), kind)
    at = tx.var + k * n
    store = s.BufferStore(out, a[at] + total[0] + total[1] * 10.0, (at,))
    zero = Var("zero", "int32")
    clear = loop(zero, 4, s.BufferStore(total, op.const(0.0, "float32"), (zero,)), ForKind.UNROLLED)
    body = s.Allocate(total.data, total.dtype, total.shape, TRUE, s.seq(clear, loop(k, n, s.seq(add, store))))
    return device([out, a, n], bind(body, tx), {"threadIdx.x": THREADS}, [out])


def test_global_memory_is_stepped_in_loops_round_loops_by_extents_too() -> None:
    forms = images(nested(ForKind.SERIAL))
    check_everywhere(forms)
    text = forms["cuda"].source
    assert "const float* A_ptr = A + threadIdx_x;" in text
    assert "float* out_ptr = out + threadIdx_x;" in text
    assert "A_ptr += n;" in text
    data = np.arange(256, dtype=np.float32)
    args = [np.zeros(256, np.float32), data, np.int32(16)]
    got = run_opencl(forms["opencl"], "f_kernel", (1,), (THREADS,), args)[0]
    rounds = np.repeat(np.arange(1, 17, dtype=np.float32), 16)
    np.testing.assert_array_equal(got, data + rounds * 10)


def test_global_memory_in_innermost_loops_is_left_to_the_compilers() -> None:
    assert "_ptr" not in emit_unit([nested(ForKind.UNROLLED)], CUDA).source
