"""Computes in the form of an intrinsic, scheduled over their outer axes."""

from __future__ import annotations

from typing import Any  # Any: buffers and statements of the intrinsics

import numpy as np
import pytest

import gpucomp
from gpucomp import te, tir
from gpucomp.support.diagnostics import ScheduleError, TensorError
from gpucomp.te import trace
from tests.te.helpers import check, poisoned, small_ints
from tests.te.intrinsics import gemm_intrin, gemv_intrin, loop, row_intrin


def on(target: str, s: te.Schedule, args: Any, inputs: Any, want: Any) -> None:
    out = poisoned(want.shape, str(want.dtype))
    gpucomp.build(s, args, target)(*inputs, out)
    np.testing.assert_array_equal(out, want, err_msg=target)


def rows(m: int, n: int) -> tuple[list[te.Tensor], list[Any], Any]:
    a, b = te.placeholder((m, n), name="A"), te.placeholder((m, n), name="B")
    row = row_intrin(n, vector=False)
    c = te.compute((m, n), lambda i: row(a[i, 0:n], b[i, 0:n]), name="C")
    x, y = small_ints((m, n)), small_ints((m, n), seed=1)
    return [a, b, c], [x, y], x * 2 + y


def test_rows_by_an_intrinsic() -> None:
    args, data, want = rows(6, 8)
    op = args[2].op
    assert isinstance(op, te.TensorComputeOp)
    assert op.schedulable_ndim == 1
    check(te.create_schedule(op), args, data, want)
    on("llvm", te.create_schedule(op), args, data, want)


@pytest.mark.parametrize("target", ["llvm", "opencl"])
def test_the_outer_axes_are_split_and_bound(target: str) -> None:
    args, data, want = rows(10, 8)
    c = args[2]
    s = te.create_schedule(c.op)
    io, ii = s[c].split(c.op.axis[0], factor=4)
    s[c].bind(io, te.thread_axis("blockIdx.x"))
    s[c].bind(ii, te.thread_axis("threadIdx.x"))
    on(target, s, args, data, want)


def test_an_untouched_one_gets_a_default_schedule() -> None:
    args, data, want = rows(10, 8)
    on("opencl", te.create_schedule(args[2].op), args, data, want)


def test_blocks_of_a_matrix_with_a_reduction_outside() -> None:
    a, b = te.placeholder((6, 4, 15), name="A"), te.placeholder((15, 3), name="B")
    gemm = gemm_intrin(4, 3, 5)
    k = te.reduce_axis((0, 3), "k")
    c = te.compute(
        (6, 4, 3),
        lambda i: gemm(a[i, 0:4, k * 5 : k * 5 + 5], b[k * 5 : k * 5 + 5, 0:3], reduce_axis=k),
        name="C",
    )
    s = te.create_schedule(c.op)
    assert [iv.name for iv in s[c].leaf_iter_vars] == ["i", "k", "ax0", "ax1", "r"]
    x, y = small_ints((6, 4, 15)), small_ints((15, 3), seed=1)
    check(s, [a, b, c], [x, y], x @ y)
    on("llvm", s, [a, b, c], [x, y], x @ y)


def test_a_copy_is_computed_by_the_intrinsic() -> None:
    a, b = te.placeholder((6, 4, 15), name="A"), te.placeholder((15, 3), name="B")
    gemm = gemm_intrin(4, 3, 5, scopes=("global", "global", "local"))
    k = te.reduce_axis((0, 3), "k")
    c = te.compute(
        (6, 4, 3),
        lambda i: gemm(a[i, 0:4, k * 5 : k * 5 + 5], b[k * 5 : k * 5 + 5, 0:3], reduce_axis=k),
        name="C",
    )
    s = te.create_schedule(c.op)
    cl = s.cache_write(c, "local")
    s[cl].compute_at(s[c], s[c].op.axis[0])
    s[c].vectorize(s[c].op.axis[2])
    x, y = small_ints((6, 4, 15)), small_ints((15, 3), seed=1)
    check(s, [a, b, c], [x, y], x @ y)
    on("llvm", s, [a, b, c], [x, y], x @ y)


def test_between_other_stages() -> None:
    a, b = te.placeholder((8, 6), name="A"), te.placeholder((6,), name="B")
    twice = te.compute((8, 6), lambda i, j: a[i, j] * 2.0, name="T")
    gemv = gemv_intrin(4, 6)
    c = te.compute((2, 4), lambda i: gemv(twice[i * 4 : i * 4 + 4, 0:6], b), name="C")
    d = te.compute((2, 4), lambda i, j: c[i, j] + 1.0, name="D")
    x, y = small_ints((8, 6)), small_ints((6,), seed=1)
    want = ((x * 2) @ y).reshape(2, 4) + 1
    s = te.create_schedule(d.op)
    s[c].compute_at(s[d], d.op.axis[0])
    s[twice].compute_at(s[c], c.op.axis[0])
    check(s, [a, b, d], [x, y], want)
    on("llvm", s, [a, b, d], [x, y], want)
    on("llvm", te.create_schedule(d.op), [a, b, d], [x, y], want)


def test_scalars_are_passed_at_the_call() -> None:
    x = te.placeholder((4,), name="x")
    p = te.var("p", "float32")
    y = te.compute((4,), lambda i: x[i] * p, name="y")

    def scale(ins: Any, outs: Any, scalars: Any) -> Any:
        return loop(4, lambda i: tir.BufferStore(outs[0], ins[0][i] * scalars[0], [i]))

    intrin = te.decl_tensor_intrin(y.op, scale, "scale", scalar_params=[p])
    a = te.placeholder((3, 4), name="A")
    c = te.compute((3, 4), lambda i: intrin(a[i, 0:4], i.astype("float32")), name="C")
    data = small_ints((3, 4))
    check(te.create_schedule(c.op), [a, c], [data], data * np.arange(3, dtype="float32")[:, None])


def test_a_trace_over_one_replays() -> None:
    args, data, want = rows(6, 8)
    s = te.create_schedule(args[2].op)
    s[args[2]].parallel(args[2].op.axis[0])
    others, _, _ = rows(6, 8)
    check(trace.replay(s.trace, others[2]), others, data, want)


def test_inlining_one_keeps_what_it_means() -> None:
    args, data, want = rows(6, 8)
    d = te.compute((6, 8), lambda i, j: args[2][i, j] + 1.0, name="D")
    s = te.create_schedule(d.op)
    s[args[2]].compute_inline()
    check(s, [*args[:2], d], data, want + 1)


@pytest.mark.parametrize(
    ("fcompute", "shape", "word"),
    [
        (lambda f, a, i: f(a[i, 0:4], a[i, 0:8]), (6, 8), "region of shape (1, 4)"),
        (lambda f, a, i: f(a[i, 0:8]), (6, 8), "2 regions and 0 scalars, got 1 and 0"),
        (lambda f, a, i: f(a[i, 0:8], a[i, 0:8]), (6, 9), "part of shape (9), but it computes (8)"),
        (lambda f, a, i: f(a[i, 0:8:2], a[i, 0:8]), (6, 8), "step of 2"),
        (lambda f, a, i: f(a[i], a[i], reduce_axis=te.reduce_axis((0, 2), "k")), (6, 8), "declares no reduction"),
        (lambda f, a, i: a[i, 0], (6, 8), "2 dimensions, but its function takes 1"),
    ],
)
def test_a_call_that_does_not_fit_is_refused(fcompute: Any, shape: Any, word: str) -> None:
    a = te.placeholder((6, 16), name="A") if "step" not in word else te.placeholder((6, 8), name="A")
    if "no reduction" in word:
        a = te.placeholder((6, 8), name="A")
    with pytest.raises(TensorError) as caught:
        te.compute(shape, lambda i: fcompute(row_intrin(8), a, i), name="C")
    assert word in str(caught.value)
    assert caught.value.where is not None
    assert caught.value.hint


def test_cache_write_takes_the_intrinsic_along() -> None:
    a, b = te.placeholder((6, 4, 15), name="A"), te.placeholder((15, 3), name="B")
    gemm = gemm_intrin(4, 3, 5)
    k = te.reduce_axis((0, 3), "k")
    c = te.compute(
        (6, 4, 3),
        lambda i: gemm(a[i, 0:4, k * 5 : k * 5 + 5], b[k * 5 : k * 5 + 5, 0:3], reduce_axis=k),
        name="C",
    )
    s = te.create_schedule(c.op)
    cc = s.cache_write(c, "global")
    assert isinstance(s[cc].op, te.TensorComputeOp)
    s[cc].compute_at(s[c], c.op.axis[0])
    s[c].vectorize(s[c].split(c.op.axis[2], factor=3)[1])
    x, y = small_ints((6, 4, 15)), small_ints((15, 3), seed=1)
    check(s, [a, b, c], [x, y], x @ y)
    on("llvm", s, [a, b, c], [x, y], x @ y)
    t = te.create_schedule(c.op)
    t[c].split(c.op.axis[0], factor=2)
    with pytest.raises(ScheduleError, match="computes by the intrinsic"):
        t.cache_write(c, "local")
    with pytest.raises(ScheduleError, match="is not computed element by element"):
        te.create_schedule(c.op)[c].transform_layout(lambda i, j, k: [j, i, k])


def test_rows_in_a_cache() -> None:
    args, data, want = rows(10, 8)
    s = te.create_schedule(args[2].op)
    cached = s.cache_write(args[2], "local")
    s[cached].compute_at(s[args[2]], args[2].op.axis[0])
    check(s, args, data, want)
    on("llvm", s, args, data, want)
