"""Intrinsics whose statements call a target's functions: the call where the target has it, else what it means."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any  # Any: buffers and statements of the intrinsics

import numpy as np
import pytest

import gpucomp
from gpucomp import te, tir
from gpucomp.driver.build import compile_function
from gpucomp.support.diagnostics import GpucompError
from gpucomp.target import Target, externs, register_extern
from gpucomp.tir.interp import interpret
from tests.codegen.devices import compile_cuda
from tests.te.helpers import check, poisoned, small_ints
from tests.te.intrinsics import view

C_SOURCE = """
{head} int gemv_update({space}float* c, {space}const float* a, {space}const float* b, int m, int k, int stride) {{
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < k; ++j) c[i] += a[i * stride + j] * b[j];
  return 0;
}}
{head} int gemv_reset({space}float* c, int m) {{
  for (int i = 0; i < m; ++i) c[i] = 0.0f;
  return 0;
}}
"""


def gemv_calls(m: int, k: int, scope: str = "") -> te.TensorIntrin:
    """A matrix times a vector, by functions of the target."""
    a, b = te.placeholder((m, k), name="a"), te.placeholder((k,), name="b")
    r = te.reduce_axis((0, k), "r")
    c = te.compute((m,), lambda i: te.sum(a[i, r] * b[r], axis=r), name="c")

    def calls(ins: Any, outs: Any) -> Any:
        (x, y), z = ins, outs[0]
        reset = tir.call_extern("int32", "gemv_reset", z.access_ptr("w"), m)
        update = tir.call_extern(
            "int32", "gemv_update", z.access_ptr("rw"), x.access_ptr("r"), y.access_ptr("r"), m, k, x.strides[0]
        )
        return None, reset, update

    return te.decl_tensor_intrin(c.op, calls, "gemv_calls", binds={t: view(t, scope=scope) for t in (a, b, c)})


def gemv(m: int, k: int) -> tuple[te.Schedule, list[te.Tensor], list[Any], Any, Any]:
    a, b = te.placeholder((m, k), name="A"), te.placeholder((k,), name="B")
    r = te.reduce_axis((0, k), "k")
    c = te.compute((m,), lambda i: te.sum(a[i, r] * b[r], axis=r), name="C")
    s = te.create_schedule(c.op)
    io, ii = s[c].split(c.op.axis[0], factor=4)
    ko, ki = s[c].split(r, factor=8)
    s[c].reorder(io, ko, ii, ki)
    s[c].tensorize(ii, gemv_calls(4, 8))
    x, y = small_ints((m, k)), small_ints((k,), seed=1)
    return s, [a, b, c], [x, y], x @ y, io


@pytest.fixture
def no_functions() -> Generator[None]:
    saved = dict(externs._functions)
    externs._functions.clear()
    yield
    externs._functions.clear()
    externs._functions.update(saved)


@pytest.mark.usefixtures("no_functions")
def test_where_a_target_lacks_the_function_the_loops_run() -> None:
    s, args, data, want, _ = gemv(8, 24)
    func = check(s, args, data, want)
    assert 'if T.provides("gemv_update"' in func.script()
    out = poisoned((8,))
    gpucomp.build(s, args, "llvm")(*data, out)
    np.testing.assert_array_equal(out, want)
    assert "gemv" not in gpucomp.source(s, args, "llvm").replace("gemv_calls", "")


@pytest.mark.usefixtures("no_functions")
def test_a_function_with_source_is_called_and_defined_in_the_kernels_text() -> None:
    s, args, data, want, io = gemv(8, 24)
    s[args[2]].bind(io, te.thread_axis("blockIdx.x"))
    out = poisoned((8,))
    gpucomp.build(s, args, "opencl")(*data, out)
    np.testing.assert_array_equal(out, want)
    assert "gemv_update" not in gpucomp.source(s, args, "opencl")
    for name in ("gemv_update", "gemv_reset"):
        both = C_SOURCE.format(head="", space="__global ").strip().split("\n}\n")
        text = next(part for part in both if f"{name}(" in part) + ("\n}" if name == "gemv_update" else "")
        register_extern(name, "opencl", text)
    text = gpucomp.source(s, args, "opencl")
    assert text.count("gemv_update(") == 2
    assert text.index("c[i] += ") < text.index("__kernel")
    again = poisoned((8,))
    gpucomp.build(s, args, "opencl")(*data, again)
    np.testing.assert_array_equal(again, want)


@pytest.mark.usefixtures("no_functions")
def test_a_kernel_that_only_reads_through_a_pointer_does_not_take_it_as_an_output() -> None:
    s, args, data, want, io = gemv(8, 24)
    s[args[2]].bind(io, te.thread_axis("blockIdx.x"))
    both = C_SOURCE.format(head="", space="__global ").strip().split("\n}\n")
    register_extern("gemv_update", "opencl", both[0] + "\n}")
    register_extern("gemv_reset", "opencl", both[1])
    made = gpucomp.build(s, args, "opencl")(*data)
    np.testing.assert_array_equal(made, want)


@pytest.mark.usefixtures("no_functions")
def test_a_function_of_a_library_is_called_on_the_processor(tmp_path: Path) -> None:
    import ctypes

    source, library = tmp_path / "gemv.c", tmp_path / "gemv.so"
    text = C_SOURCE.format(head="", space="").replace("c[i] +=", "c[i] += 100.0f +")
    source.write_text(text, encoding="utf-8")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source)], check=True)
    ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    s, args, data, want, _ = gemv(8, 24)
    out = poisoned((8,))
    gpucomp.build(s, args, "llvm")(*data, out)
    np.testing.assert_array_equal(out, want)
    register_extern("gemv_update", "llvm")
    register_extern("gemv_reset", "llvm")
    gpucomp.build(s, args, "llvm")(*data, out)
    # The library's function adds 100 at each step, so that the call cannot be mistaken for the loops.
    np.testing.assert_array_equal(out, want + 2400)


@pytest.mark.usefixtures("no_functions")
def test_the_interpreter_runs_what_a_call_means() -> None:
    register_extern("gemv_update", "llvm")
    s, args, data, want, _ = gemv(8, 24)
    out = poisoned((8,))
    interpret(te.lower_schedule(s, args), [*data, out])
    np.testing.assert_array_equal(out, want)


@pytest.mark.usefixtures("no_functions")
def test_a_pointer_into_shared_memory_is_waited_for() -> None:
    """The function may read any element of the tile: a barrier stands between the copy and the call."""
    a, b = te.placeholder((8, 24), name="A"), te.placeholder((24,), name="B")
    r = te.reduce_axis((0, 24), "k")
    c = te.compute((8,), lambda i: te.sum(a[i, r] * b[r], axis=r), name="C")
    s = te.create_schedule(c.op)
    sa = s.cache_read(a, "shared", [c])
    sb = s.cache_read(b, "shared", [c])
    cl = s.cache_write(c, "local")
    io, ii = s[c].split(c.op.axis[0], factor=4)
    s[c].bind(io, te.thread_axis("threadIdx.x"))
    s[cl].compute_at(s[c], io)
    ko, ki = s[cl].split(s[cl].op.reduce_axis[0], factor=8)
    s[cl].reorder(ko, s[cl].op.axis[0], ki)
    for t in (sa, sb):
        s[t].compute_at(s[cl], ko)
        _, inner = s[t].split(s[t].op.axis[-1], nparts=2)
        s[t].bind(s[t].leaf_iter_vars[-2], te.thread_axis("threadIdx.x"))
        del inner
    intrin = gemv_in_memory(4, 8)
    s[cl].tensorize(s[cl].op.axis[0], intrin)
    body = "for (int i = 0; i < 4; ++i) for (int j = 0; j < 8; ++j) c[i] += a[i * 8 + j] * b[j];"
    head = "static __device__ int gemv_local(float* c, const float* a, const float* b)"
    register_extern("gemv_local", "cuda", f"{head} {{ {body} return 0; }}")
    image = compile_function(s, [a, b, c], Target("cuda")).variants[0].image
    assert compile_cuda(image)
    text = image.source
    loop = text[text.index("for (int k_outer") :]
    assert loop.index("__syncthreads") < loop.index("gemv_local(")
    assert loop.count("__syncthreads") == 2
    del ii


def gemv_in_memory(m: int, k: int) -> te.TensorIntrin:
    a, b = te.placeholder((m, k), name="a"), te.placeholder((k,), name="b")
    r = te.reduce_axis((0, k), "r")
    c = te.compute((m,), lambda i: te.sum(a[i, r] * b[r], axis=r), name="c")

    def calls(ins: Any, outs: Any) -> Any:
        x, y, z = ins[0].access_ptr("r"), ins[1].access_ptr("r"), outs[0].access_ptr("rw")
        return None, None, tir.call_extern("int32", "gemv_local", z, x, y)

    scopes = {a: "shared", b: "shared", c.op.output(0): "local"}
    return te.decl_tensor_intrin(
        c.op, calls, "gemv_local", binds={t: view(t, scope=scope) for t, scope in scopes.items()}
    )


@pytest.mark.parametrize(
    ("name", "kind", "source"), [("f", "cudda", ""), ("f g", "cuda", ""), ("f", "llvm", "int f() { return 0; }")]
)
def test_a_function_that_cannot_be_registered_is_refused(name: str, kind: str, source: str) -> None:
    with pytest.raises(GpucompError, match="register_extern") as caught:
        register_extern(name, kind, source)
    assert caught.value.hint
