"""Programs with one mistake each in opaque operations: bodies, packed calls, hybrid scripts, argument buffers."""

# pyright: reportUndefinedVariable=false
# ruff: noqa: F821
# (scripts use words that only they know)

from __future__ import annotations

from typing import Any  # Any: bodies of scripts, which are read and not run

import gpucomp
from gpucomp import te, tir
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.stmt import Stmt
from tests.errors.programs import mistake


def _vector() -> te.Tensor:
    return te.placeholder((8,), name="A")


def _copy(ins: list[Buffer], outs: list[Buffer]) -> Stmt:
    ib = tir.ir_builder.create()
    a, b = ib.buffer_ptr(ins[0]), ib.buffer_ptr(outs[0])
    with ib.for_range(0, 8, "i") as i:
        b[i] = a[i]
    return ib.get()


def _on_threads(ins: list[Buffer], outs: list[Buffer]) -> Stmt:
    ib = tir.ir_builder.create()
    a, b = ib.buffer_ptr(ins[0]), ib.buffer_ptr(outs[0])
    tx = te.thread_axis("threadIdx.x")
    ib.scope_attr(tx, "thread_extent", 8)
    b[tx] = a[tx]
    return ib.get()


@mistake("extern 'C'", "float32[9]", "float32[8]")
def a_buffer_that_cannot_stand_for_its_tensor() -> object:
    buffer = tir.decl_buffer((9,), "float32", "X")
    return te.extern((8,), [_vector()], _copy, name="C", in_buffers=buffer)  # cause


@mistake("extern 'C'", "None")
def a_body_that_returns_nothing() -> object:
    return te.extern((8,), [_vector()], lambda ins, outs: None, name="C")  # cause


@mistake("extern 'C'", "'A'")
def a_body_that_reads_a_tensor() -> object:
    a = _vector()
    return te.extern((8,), [a], lambda ins, outs: a[0] + 1.0, name="C")  # cause


@mistake("stage B", "C")
def an_inlined_stage_that_a_body_reads() -> object:
    a = _vector()
    b = te.compute((8,), lambda i: a[i] + 1.0, name="B")
    c = te.extern((8,), [b], _copy, name="C")
    s = te.create_schedule(c.op)
    s[b].compute_inline()  # cause
    return gpucomp.lower(s, [a, c])


@mistake("'B'")
def inlining_an_opaque_stage() -> object:
    a = _vector()
    b = te.extern((8,), [a], _copy, name="B")
    c = te.compute((8,), lambda i: b[i] + 1.0, name="C")
    s = te.create_schedule(c.op)
    s[b].compute_inline()  # cause
    return s


@mistake("stage B", "threadIdx.x", "inside of C")
def a_body_with_threads_inside_of_a_kernel() -> object:
    a = _vector()
    b = te.extern((8,), [a], _on_threads, name="B")
    c = te.compute((4, 8), lambda i, j: b[j] + i, name="C")
    s = te.create_schedule(c.op)
    s[c].bind(c.op.axis[0], te.thread_axis("blockIdx.x"))
    s[b].compute_at(s[c], c.op.axis[0])  # cause
    return gpucomp.lower(s, [a, c])


@mistake("Ab", "7 along dimension 0", "float32[8]")
def a_bound_buffer_of_another_extent() -> object:
    a = _vector()
    c = te.compute((8,), lambda i: a[i] + 1.0, name="C")
    s = te.create_schedule(c.op)
    return gpucomp.lower(s, [a, c], binds={a: tir.decl_buffer((7,), "float32", "Ab")})  # cause


@te.hybrid.script
def _widened(a: Any) -> Any:
    b = output_tensor((8,), "float32")
    total = 0
    for i in range(8):
        total += a[i]  # cause
        b[i] = total
    return b


@mistake("'total'", "int32", "float32")
def a_script_that_adds_floats_to_an_integer() -> object:
    return _widened(_vector())


@te.hybrid.script
def _sums(a: Any) -> Any:
    b = output_tensor((4,), "float32")
    for i in range(4):
        b[i] = 0.0
        for j in range(2):
            b[i] += a[i * 2 + j]
    return b


@mistake("'j'", "_sums", "parallel")
def a_script_whose_sum_runs_in_parallel() -> object:
    a = _vector()
    b = _sums(a)
    s = te.create_schedule(b.op)
    s[b].parallel(b.op.axis[1])  # cause
    return gpucomp.lower(s, [a, b])


@mistake("'i'", "_sums")
def loops_of_a_script_that_are_not_perfectly_nested() -> object:
    a = _vector()
    b = _sums(a)
    s = te.create_schedule(b.op)
    s[b].reorder(b.op.axis[1], b.op.axis[0])  # cause
    return gpucomp.lower(s, [a, b])
