"""Packed calls: registered Python functions between stages, on arrays of the device."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any  # Any: what a packed function is given: arrays, numbers and strings

import numpy as np
import pytest

import gpucomp
from gpucomp import te, tir
from gpucomp.runtime.ndarray import NDArray
from gpucomp.support.diagnostics import GpucompError
from gpucomp.support.registry import register_func, remove_global_func
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.stmt import Stmt
from tests.te.everywhere import everywhere
from tests.te.helpers import small_ints

SEEN: list[tuple[object, ...]] = []


def _sort_rows(source: NDArray, target: NDArray, sign: int) -> None:
    SEEN.append((source.device.kind, source.shape, source.strides, target.shape))
    target.copyfrom(np.sort(source.numpy() * np.float32(sign), axis=-1))


@pytest.fixture(autouse=True)
def functions() -> Generator[None]:
    """The functions that the programs call."""
    register_func("test.sort_rows", _sort_rows, override=True)
    SEEN.clear()
    yield
    remove_global_func("test.sort_rows")


def sorted_rows(a: te.Tensor, sign: Any = 1, name: str = "S") -> te.Tensor:
    """A tensor with the rows of another, sorted."""
    return te.extern(
        a.shape, [a], lambda ins, outs: tir.call_packed("test.sort_rows", ins[0], outs[0], sign), name=name
    )


def on_threads(s: te.Schedule, *tensors: te.Tensor) -> None:
    """Give each element a thread."""
    for t in tensors:
        outer, inner = s[t].split(s[t].fuse(*t.op.axis), factor=32)
        s[t].bind(outer, te.thread_axis("blockIdx.x"))
        s[t].bind(inner, te.thread_axis("threadIdx.x"))


def test_a_packed_call_runs_between_stages_on_every_backend() -> None:
    n = te.var("n")
    a = te.placeholder((n, 7), name="A")
    b = te.compute((n, 7), lambda i, j: a[i, j] * 2.0, name="B")
    c = sorted_rows(b, -1)
    d = te.compute((n, 7), lambda i, j: c[i, j] + 1.0, name="D")
    s = te.create_schedule(d.op)
    on_threads(s, b, d)
    x = small_ints((5, 7))
    everywhere(s, [a, d], [x], [np.sort(-2.0 * x.astype(np.float64)) + 1], gpu=True)
    assert [kind for kind, *_ in SEEN] == ["cpu", "cpu", "opencl"]
    assert {shape for _, shape, *_ in SEEN} == {(5, 7)}


def test_a_graph_of_one_packed_call_needs_no_kernel() -> None:
    a = te.placeholder((4, 6), name="A")
    c = sorted_rows(a)
    x = small_ints((4, 6))
    everywhere(te.create_schedule(c.op), [a, c], [x], [np.sort(x)], gpu=True)
    f = gpucomp.build(te.create_schedule(c.op), [a, c], "llvm")
    np.testing.assert_array_equal(f(x), np.sort(x))


def test_arguments_come_with_their_strides_and_offset() -> None:
    a = te.placeholder((4, 3), name="A")
    c = sorted_rows(a)
    ab = tir.decl_buffer((4, 3), "float32", "Ab", strides=[te.var("s0"), te.var("s1")])
    wide = small_ints((4, 12))
    x = wide[:, ::2][:, :3]
    everywhere(te.create_schedule(c.op), [a, c], [x], [np.sort(x)], binds={a: ab})
    assert SEEN[-1] == ("cpu", (4, 3), (12, 2), (4, 3))


def test_a_call_inside_of_a_serial_loop_is_a_loop_of_calls() -> None:
    a = te.placeholder((3, 5), name="A")

    def body(ins: list[Buffer], outs: list[Buffer]) -> Stmt:
        ib = tir.ir_builder.create()
        x, y = ib.buffer_ptr(ins[0]), ib.buffer_ptr(outs[0])
        row, done = ib.allocate("float32", (5,), "row"), ib.allocate("float32", (5,), "done")
        with ib.for_range(0, 3, "i") as i:
            with ib.for_range(0, 5, "j") as j:
                row[j] = x[i, j]
            with ib.if_scope(i > 0):
                ib.emit(tir.call_packed("test.sort_rows", row, done, i))
            with ib.else_scope(), ib.for_range(0, 5, "k") as k:
                done[k] = row[k]
            with ib.for_range(0, 5, "j") as j:
                y[i, j] = done[j]
        return ib.get()

    c = te.extern((3, 5), [a], body, name="C")
    x = small_ints((3, 5))
    want = np.stack([x[0], np.sort(x[1]), np.sort(2 * x[2])]).astype(np.float64)
    everywhere(te.create_schedule(c.op), [a, c], [x], [want])


def test_a_part_of_memory_that_is_aligned_by_padding_is_passed_with_its_strides() -> None:
    a = te.placeholder((4, 6), name="A")
    b = te.compute((4, 6), lambda i, j: a[i, j] * 2.0, name="B")
    c = sorted_rows(b)
    s = te.create_schedule(c.op)
    s[b].storage_align(b.op.axis[0], 16, 1)
    x = small_ints((4, 6))
    everywhere(s, [a, c], [x], [np.sort(2.0 * x.astype(np.float64))])
    assert [strides for _, _, strides, _ in SEEN] == [(6, 1), (17, 1)]  # the interpreter ran before padding


def test_a_saved_module_still_calls(tmp_path: Any) -> None:
    a = te.placeholder((4, 6), name="A")
    c = sorted_rows(a)
    f = gpucomp.build(te.create_schedule(c.op), [a, c], "llvm")
    f.save(str(tmp_path / "f.json"))
    again = gpucomp.runtime.load_module(str(tmp_path / "f.json"))
    x = small_ints((4, 6))
    np.testing.assert_array_equal(again(x), np.sort(x))


def test_a_missing_function_is_named_at_the_call() -> None:
    a = te.placeholder((4,), name="A")
    c = te.extern((4,), [a], lambda ins, outs: tir.call_packed("test.sort_row", ins[0], outs[0]), name="C")
    f = gpucomp.build(te.create_schedule(c.op), [a, c], "llvm")
    with pytest.raises(
        GpucompError, match=r"(?s)no global function 'test.sort_row'.*did you mean 'test.sort_rows'"
    ) as caught:
        f(np.zeros(4, np.float32))
    assert caught.value.where is not None
    assert caught.value.where.file == __file__


@pytest.mark.parametrize("target", ["llvm", "opencl"])
def test_a_call_inside_of_a_kernel_is_refused(target: str) -> None:
    a = te.placeholder((4, 6), name="A")
    c = sorted_rows(a)
    d = te.compute((3, 4, 6), lambda k, i, j: c[i, j] + k, name="D")
    s = te.create_schedule(d.op)
    s[d].bind(d.op.axis[0], te.thread_axis("blockIdx.x"))
    s[c].compute_at(s[d], d.op.axis[0])
    with pytest.raises(GpucompError, match="runs on the host, once"):
        gpucomp.source(s, [a, d], target)


def test_a_parallel_loop_cannot_hold_a_call() -> None:
    a = te.placeholder((4, 6), name="A")
    c = sorted_rows(a)
    d = te.compute((3, 4, 6), lambda k, i, j: c[i, j] + k, name="D")
    s = te.create_schedule(d.op)
    s[d].parallel(d.op.axis[0])
    s[c].compute_at(s[d], d.op.axis[0])
    with pytest.raises(GpucompError, match="stands inside of the parallel loop k"):
        gpucomp.source(s, [a, d], "llvm")


def test_a_call_under_a_condition_on_memory_is_refused() -> None:
    a = te.placeholder((4,), name="A")

    def under(ins: list[Buffer], outs: list[Buffer]) -> Stmt:
        ib = tir.ir_builder.create()
        x = ib.buffer_ptr(ins[0])
        with ib.if_scope(x[0] > 0.0):
            ib.emit(tir.call_packed("test.sort_rows", x, ib.buffer_ptr(outs[0]), 1))
        return ib.get()

    def given(ins: list[Buffer], outs: list[Buffer]) -> Any:
        return tir.call_packed("test.sort_rows", ins[0], outs[0], ins[0][0])

    for body in (under, given):
        c = te.extern((4,), [a], body, name="C")
        with pytest.raises(GpucompError, match="which the host cannot evaluate"):
            gpucomp.build(te.create_schedule(c.op), [a, c], "llvm")
