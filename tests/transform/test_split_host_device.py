"""Kernels and host programs out of flat functions."""

from __future__ import annotations

from typing import Any  # numbers or expressions

import pytest

from gpucomp.support.diagnostics import LowerError
from gpucomp.support.launch import (
    AllocStep,
    BufferArg,
    HostProgram,
    IfStep,
    LaunchStep,
    LetStep,
    LoopStep,
    ScalarArg,
)
from gpucomp.support.launcher import render_program
from gpucomp.target import Target
from gpucomp.tir import expr as e
from gpucomp.tir import intrin
from gpucomp.tir import operators as op
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import IterVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.stmt import ForKind, Stmt
from gpucomp.transform.split_host_device import split_host_device


def axis(tag: str, extent: Any) -> IterVar:
    return IterVar((0, extent), tag, IterVar.ThreadIndex, tag)


def threads(body: Stmt, *axes: IterVar) -> Stmt:
    for ax in reversed(axes):
        assert ax.dom is not None
        body = s.AttrStmt(ax, "thread_extent", ax.dom.extent, body)
    return body


def function(name: str, body: Stmt, *params: Buffer | Var, target: str = "cuda", **attrs: Any) -> PrimFunc:
    pairs = [(Var(p.name, "handle"), p) if isinstance(p, Buffer) else (p, None) for p in params]
    buffers = {v: b for v, b in pairs if b is not None}
    facts = {"global_symbol": name, "tir.noalias": True, "target": Target(target), **attrs}
    return PrimFunc([v for v, _ in pairs], body, buffers, facts)


def view(buffer: Buffer) -> Buffer:
    return buffer.get_flattened_buffer()


def scale(source: Buffer, out: Buffer, n: Any, factor: Any = 2.0) -> Stmt:
    bx, tx = axis("blockIdx.x", (n + 127) // 128), axis("threadIdx.x", 128)
    i = bx * 128 + tx
    store = s.BufferStore(view(out), view(source)[i] * factor, (i,))
    return threads(s.IfThenElse(i < n, store), bx, tx)


def launches(program: HostProgram) -> list[LaunchStep]:
    return [step for step in program.steps if isinstance(step, LaunchStep)]


def test_one_nest_becomes_one_kernel_with_grid_and_arguments() -> None:
    n = e.SizeVar("n")
    a, b = decl_buffer([n], name="A"), decl_buffer([n], name="B")
    kernels, program = split_host_device(function("scale", scale(a, b, n), a, b))
    assert [k.name for k in kernels] == ["scale_kernel"]
    assert kernels[0].params == (a.data, b.data, n)
    assert kernels[0].attrs["param_access"] == {a.data: "read", b.data: "write"}
    assert [(p.name, p.access, p.output, p.shape) for p in program.buffers] == [
        ("A", "read", False, ("n",)),
        ("B", "readwrite", True, ("n",)),
    ]
    (step,) = program.steps
    assert isinstance(step, LaunchStep)
    assert step.grid == (("floordiv", ("add", "n", 127), 128), 1, 1)
    assert step.block == (128, 1, 1)
    assert step.args == (BufferArg("A"), BufferArg("B"), ScalarArg("int32", "n"))
    assert "scale_kernel" in render_program(program)


def test_workspace_between_two_kernels_is_allocated_by_the_host() -> None:
    n = e.SizeVar("n")
    a, b = decl_buffer([n, 4], name="A"), decl_buffer([n, 4], name="B")
    t = decl_buffer([n * 4], name="T")
    body = s.seq(scale(a, t, n * 4), scale(t, b, n * 4))
    body = s.Allocate(t.data, t.dtype, (n * 4,), op.const(1, "bool"), body)
    kernels, program = split_host_device(function("twice", body, a, b))
    assert [k.name for k in kernels] == ["twice_kernel", "twice_kernel_1"]
    assert program.steps[0] == AllocStep("T", "float32", ("mul", "n", 4))
    assert [arg for step in launches(program) for arg in step.args if isinstance(arg, BufferArg)] == [
        BufferArg("A"),
        BufferArg("T"),
        BufferArg("B"),
        BufferArg("T"),
    ]
    assert kernels[1].attrs["param_access"] == {b.data: "write", t.data: "read"}


def test_host_loops_branches_and_lets_become_steps() -> None:
    n, i, m = e.SizeVar("n"), Var("i"), Var("m")
    flag = Var("flag")
    a, b = decl_buffer([n], name="A"), decl_buffer([n], name="B")
    inner = s.LetStmt(m, i * 2, scale(a, b, n, e.Cast("float32", m)))
    body = s.For(i, 0, 3, ForKind.SERIAL, s.IfThenElse(flag > 0, inner))
    kernels, program = split_host_device(function("f", body, a, b, flag))
    (loop,) = program.steps
    assert isinstance(loop, LoopStep)
    assert (loop.var, loop.begin, loop.extent) == ("i", 0, 3)
    (branch,) = loop.body
    assert isinstance(branch, IfStep)
    assert branch.condition == ("gt", "flag", 0)
    assert branch.then_steps[0] == LetStep("m", ("mul", "i", 2))
    assert kernels[0].params == (a.data, b.data, n, m)
    assert program.scalars[0].name == "flag"


def test_workspace_in_a_host_loop_is_allocated_once() -> None:
    n, i = e.SizeVar("n"), Var("i")
    a, b, t = decl_buffer([n], name="A"), decl_buffer([n], name="B"), decl_buffer([n], name="T")
    body = s.Allocate(t.data, t.dtype, (n,), op.const(1, "bool"), s.seq(scale(a, t, n), scale(t, b, n)))
    program = split_host_device(function("f", s.For(i, 0, n, ForKind.SERIAL, body), a, b))[1]
    assert isinstance(program.steps[0], AllocStep)
    assert isinstance(program.steps[1], LoopStep)


def test_a_buffer_that_is_read_first_is_no_output() -> None:
    n = e.SizeVar("n")
    a = decl_buffer([n], name="A")
    program = split_host_device(function("f", scale(a, a, n), a))[1]
    assert (program.buffers[0].access, program.buffers[0].output) == ("readwrite", False)


def test_an_accumulator_that_is_initialised_is_an_output() -> None:
    n, k = e.SizeVar("n"), Var("k")
    a, c = decl_buffer([n, 8], name="A"), decl_buffer([n], name="C")
    bx = axis("blockIdx.x", n)
    init = s.BufferStore(view(c), op.const(0.0, "float32"), (bx.var,))
    update = s.BufferStore(view(c), view(c)[bx] + view(a)[bx * 8 + k], (bx.var,))
    body = threads(s.seq(init, s.For(k, 0, 8, ForKind.SERIAL, update)), bx)
    program = split_host_device(function("f", body, a, c))[1]
    assert [(p.access, p.output) for p in program.buffers] == [("read", False), ("readwrite", True)]
    said = split_host_device(function("f", body, a, c, outputs=()))[1]
    assert [p.output for p in said.buffers] == [False, False]


def test_names_that_clash_are_made_distinct() -> None:
    n, m = e.SizeVar("n"), e.SizeVar("n")
    a, b = decl_buffer([n, m], name="A"), decl_buffer([n, m], name="A")
    program = split_host_device(function("1 f", scale(a, b, n * m), a, b))[1]
    assert [p.name for p in program.params] == ["A", "A_1"]
    assert program.buffers[0].shape == ("n", "n_1")
    (step,) = launches(program)
    assert step.kernel == "f1_f_kernel"
    assert step.args[2:] == (ScalarArg("int32", "n"), ScalarArg("int32", "n_1"))


@pytest.mark.parametrize(("start", "alignment"), [(0, 16), (1, 4)])
def test_only_aligned_vector_accesses_ask_for_alignment(start: int, alignment: int) -> None:
    a, b = decl_buffer([512], name="A"), decl_buffer([512], name="B")
    tx = axis("threadIdx.x", 32)
    index = e.Ramp(tx * 4 + start, op.const(1), 4)
    body = threads(s.BufferStore(view(b), view(a)[index], (index,)), tx)
    kernels, program = split_host_device(function("f", body, a, b))
    assert [p.alignment for p in program.buffers] == [alignment, alignment]
    assert set(kernels[0].attrs["param_alignment"].values()) == {alignment}


@pytest.mark.parametrize(
    ("target", "expected"),
    [("cuda", ("mul", ("floordiv", ("add", ("mul", 4, "n"), 15), 16), 16)), ("opencl", 0)],
)
def test_dynamic_shared_memory_is_counted_where_the_target_has_it(target: str, expected: object) -> None:
    n = e.SizeVar("n")
    a, b = decl_buffer([n], name="A"), decl_buffer([n], name="B")
    t = decl_buffer([n], name="T", scope="shared.dyn")
    tx = axis("threadIdx.x", 32)
    work = s.seq(
        s.BufferStore(t, view(a)[tx], (tx.var,)),
        s.Evaluate(intrin.barrier()),
        s.BufferStore(view(b), t[tx], (tx.var,)),
    )
    body = threads(s.Allocate(t.data, t.dtype, (n,), op.const(1, "bool"), work), tx)
    program = split_host_device(function("f", body, a, b, target=target))[1]
    assert launches(program)[0].shared_bytes == expected


def test_local_memory_around_a_nest_moves_into_the_kernel() -> None:
    n = e.SizeVar("n")
    a, b = decl_buffer([n], name="A"), decl_buffer([n], name="B")
    t = decl_buffer([1], name="T", scope="local")
    bx = axis("blockIdx.x", n)
    work = s.seq(s.BufferStore(t, view(a)[bx], (0,)), s.BufferStore(view(b), t[0], (bx.var,)))
    body = s.Allocate(t.data, t.dtype, (op.const(1),), op.const(1, "bool"), threads(work, bx))
    kernels, program = split_host_device(function("f", body, a, b))
    assert isinstance(kernels[0].body, s.Allocate)
    assert len(program.steps) == 1


def test_work_outside_of_threads_names_the_buffer() -> None:
    n, i = e.SizeVar("n"), Var("i")
    a, b = decl_buffer([n], name="A"), decl_buffer([n], name="B")
    body = s.For(i, 0, n, ForKind.SERIAL, s.BufferStore(view(b), view(a)[i], (i,)))
    with pytest.raises(LowerError, match="a store into B runs outside of any thread axis"):
        split_host_device(function("f", body, a, b))


def test_two_extents_of_one_axis_in_one_kernel_are_refused() -> None:
    a, b = decl_buffer([64], name="A"), decl_buffer([64], name="B")
    first, second = axis("threadIdx.x", 32), axis("threadIdx.x", 64)
    body = s.seq(
        threads(s.BufferStore(view(b), view(a)[first], (first.var,)), first),
        threads(s.BufferStore(view(b), view(a)[second], (second.var,)), second),
    )
    with pytest.raises(LowerError, match=r"threadIdx.x has extent 32 at one place of a kernel and 64"):
        split_host_device(function("f", threads(body, axis("blockIdx.x", 1)), a, b))


def test_an_extent_that_only_the_kernel_knows_is_refused() -> None:
    a, b = decl_buffer([64], name="A"), decl_buffer([64], name="B")
    bx = axis("blockIdx.x", 8)
    tx = axis("threadIdx.x", bx.var + 1)
    body = threads(s.BufferStore(view(b), view(a)[tx], (tx.var,)), bx, tx)
    with pytest.raises(LowerError, match=r"depends on 'blockIdx.x', which the host does not know"):
        split_host_device(function("f", body, a, b))
