"""Loops over more iterations than 32 bits count."""

from __future__ import annotations

import pytest

import gpucomp
from gpucomp import te
from gpucomp.tir.expr import IterVar


@pytest.mark.parametrize(("rows", "columns", "blocks"), [(65536, 65536, 2**24), (70000, 70000, 19140625)])
def test_a_fused_loop_over_more_than_32_bits_runs_over_all_elements(rows: int, columns: int, blocks: int) -> None:
    x = te.placeholder((rows, columns), "int8", name="X")
    y = te.compute((rows, columns), lambda i, j: x[i, j] + te.const(1, "int8"), name="Y")
    default = gpucomp.source(te.create_schedule(y.op), [x, y], "opencl")
    s = te.create_schedule(y.op)
    outer, inner = s[y].split(s[y].fuse(*y.op.axis), factor=256)
    s[y].bind(outer, te.thread_axis("blockIdx.x"))
    s[y].bind(inner, te.thread_axis("threadIdx.x"))
    assert f"grid (T.int64({blocks}), 1, 1), block (T.int64(256), 1, 1)" in gpucomp.source(s, [x, y], "opencl")
    assert f"grid (T.int64({-(-blocks // 16)}), 1, 1), block (T.int64(256), 1, 1)" in default  # vectors of 16 bytes


def test_a_fused_reduction_may_be_longer_than_its_tensors() -> None:
    a, b = te.placeholder((65536,), name="A"), te.placeholder((70000,), name="B")
    i, j = te.reduce_axis((0, 65536), "i"), te.reduce_axis((0, 70000), "j")
    c = te.compute((1,), lambda k: te.sum(a[i] * b[j], axis=[i, j]), name="C")
    s = te.create_schedule(c.op)
    s[c].fuse(i, j)
    assert "in T.serial(T.int64(4587520000)):" in str(gpucomp.lower(s, [a, b, c]))
    assert ", 4587520000" in gpucomp.source(s, [a, b, c], "llvm")


def test_axes_whose_product_32_bits_hold_stay_of_32_bits() -> None:
    a = te.placeholder((2**15, 2**15, 2), "int8", name="A")
    b = te.compute(a.shape, lambda *i: a(*i), name="B")
    s = te.create_schedule(b.op)
    fused: IterVar = s[b].fuse(*b.op.axis[:2])
    assert fused.var.dtype == "int32"
    assert s[b].fuse(fused, b.op.axis[2]).var.dtype == "int64"
    assert [str(extent) for extent in s[b].nominal_extents().values()][-1] == "T.int64(2147483648)"


def test_a_tensor_of_small_extents_is_computed_where_64_bits_count_its_elements() -> None:
    """Its index expressions have 32 bits, and what takes the place of its axes has 64."""
    row, count = 1 << 13, 5 << 30
    a = te.placeholder((count,), "int8", name="A")
    x = te.compute((count // row, row // 64, 64), lambda i, j, k: a[(i * 128 + j // 2 * 2 + j % 2) * 64 + k], name="X")
    c = te.compute((count,), lambda i: x[i // row, i % row // 64, i % 64], name="C")
    s = te.create_schedule(c.op)
    block, inner = s[c].split(c.op.axis[0], factor=row)
    turn, thread = s[c].split(inner, factor=256)
    s[c].bind(block, te.thread_axis("blockIdx.x"))
    s[c].bind(thread, te.thread_axis("threadIdx.x"))
    s[x].compute_at(s[c], turn)
    text = te.lower_schedule(s, [a, c]).script()
    wide = "i_inner_outer * T.int64(4)"
    assert f"T.realize(X[blockIdx_x:blockIdx_x + T.int64(1), {wide}:{wide} + T.int64(4), 0:64]" in text
