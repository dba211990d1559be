"""Programs with one mistake each about symbolic sizes; see ``tests.errors.programs``."""

from __future__ import annotations

from typing import Any  # Any: what no type allows

import numpy as np

import gpucomp
from gpucomp import te
from gpucomp.te import Schedule, Tensor
from tests.errors.programs import block, mistake


def doubled() -> tuple[Schedule, list[Tensor]]:
    """B = A + A over n elements."""
    a = te.placeholder((te.var("n"),), name="A")
    b = te.compute(a.shape, lambda i: a[i] + a[i], name="B")
    return te.create_schedule(b.op), [a, b]


@mistake("specialize", "'m'", "n")
def specialising_a_variable_that_is_not_there() -> object:
    module = gpucomp.build(*doubled(), "llvm")
    return module.specialize(m=64)  # cause


@mistake("specialize", "n", "-4", ">= 0")
def specialising_for_a_negative_size() -> object:
    module = gpucomp.build(*doubled(), "llvm")
    return module.specialize(n=-4)  # cause


@mistake("argument 1 (f)", "0", "at least 1")
def a_split_factor_of_zero_at_launch() -> object:
    s, (a, b) = doubled()
    f = te.var("f")
    s[b].split(b.op.axis[0], factor=f)
    module = gpucomp.build(s, [f, a, b], "llvm")
    return module(0, np.zeros(8, np.float32))  # cause


@mistake("B", "-1", "axis 0", "n = 2")
def an_output_of_negative_extent() -> object:
    n = te.var("n")
    a = te.placeholder((n,), name="A")
    b = te.compute((n - 3,), lambda i: a[i + 3], name="B")
    module = gpucomp.build(te.create_schedule(b.op), [a, b], "llvm")
    return module(np.zeros(2, np.float32))  # cause


@mistake("'B.shared'", "f", "dimension 0", "specialize")
def shared_memory_whose_size_is_an_open_split_factor() -> object:
    s, (a, b) = doubled()
    f = te.var("f")
    shared = s.cache_write(b, "shared")  # cause
    outer, _ = s[b].split(b.op.axis[0], factor=f)
    s[b].bind(outer, block())
    s[shared].compute_at(s[b], outer)
    return gpucomp.source(s, [f, a, b], "cuda")


@mistake("argument 1 (k)", "-3", "at least 0")
def a_negative_extent_at_launch() -> object:
    k = te.var("k")
    a = te.placeholder((8,), name="A")
    r = te.reduce_axis((0, k), "r")
    b = te.compute((8,), lambda i: te.sum(a[i], axis=r), name="B")
    module = gpucomp.build(te.create_schedule(b.op), [k, a, b], "llvm")
    return module(-3, np.zeros(8, np.float32))  # cause


@mistake("B", "write", "different threads", "condition")
def memory_of_warps_filled_by_steps_of_an_open_factor() -> object:
    f = te.var("f")
    a = te.placeholder((8, 4), name="A")
    b = te.compute((8, 4), lambda i, j: a[i, j] + 1, name="B")  # cause
    c = te.compute((8, 4), lambda i, j: b[i, j] * 2, name="C")
    s = te.create_schedule(c.op)
    s[c].bind(c.op.axis[0], te.thread_axis("threadIdx.y"))
    s[c].bind(c.op.axis[1], te.thread_axis("threadIdx.x"))
    s[b].compute_at(s[c], c.op.axis[1])
    s[b].set_scope("warp")
    s[b].split(b.op.axis[1], factor=f)
    return gpucomp.source(s, [f, a, c], "opencl")


@mistake("sum", "axis", "reduce_axis")
def a_reduction_over_a_number() -> object:
    a = te.placeholder((8, 4), name="A")
    numbers: Any = [4]
    return te.compute((8,), lambda i: te.sum(a[i, 0], axis=numbers), name="B")  # cause


@mistake("int", "func, mod, ctx")
def a_pass_of_no_function() -> object:
    number: Any = 3
    return gpucomp.tir.transform.prim_func_pass(number)  # cause


@mistake("name", "200 characters", "300")
def a_function_whose_name_is_too_long_for_a_file() -> object:
    return gpucomp.build(*doubled(), "llvm", name="matmul" * 50)  # cause
