"""The pragma ``whole_tiles``, and regions of axes that are one loop."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.tir.interp import interpret


def rows(n: int, factor: int, whole: bool) -> tuple[te.Schedule, list[te.Tensor]]:
    a = te.placeholder((n + 2,), "float32", "A")
    b = te.compute((n + 2,), lambda i: a[i] * 2.0, name="B")
    k = te.reduce_axis((0, 3), "k")
    c = te.compute((n,), lambda i: te.sum(b[i + k], axis=k), name="C")
    d = te.compute((n,), lambda i: c[i] + 1.0, name="D")
    s = te.create_schedule(d.op)
    _, inner = s[d].split(d.op.axis[0], factor=factor)
    s[d].vectorize(inner)
    if whole:
        s[d].pragma(inner, "whole_tiles")
    _, lane = s[c].split(c.op.axis[0], factor=factor)
    s[c].reorder(c.op.reduce_axis[0], lane)
    s[c].vectorize(lane)
    return s, [a, d]


@pytest.mark.parametrize("n", [1, 5, 7, 8, 9, 16])
def test_whole_tiles_are_right_for_any_size(n: int) -> None:
    s, args = rows(n, 8, whole=True)
    a = np.arange(n + 2, dtype=np.float32)
    want = 2 * (a[:-2] + a[1:-1] + a[2:]) + 1
    results = [np.full(n, np.nan, np.float32) for _ in range(2)]
    gpucomp.build(s, args, "llvm")(a, results[0])
    interpret(gpucomp.lower(s, args)["main"], [a, results[1]])
    for got in results:
        assert np.array_equal(got, want)


def test_producers_of_whole_tiles_have_no_checks() -> None:
    checked, whole = [str(gpucomp.lower(*rows(13, 8, flag), simple_mode=True)) for flag in (False, True)]
    assert "B[0:15]" in checked
    assert "B[0:18]" in whole
    assert "C[0:16]" in whole
    update = next(line for line in whole.splitlines() if "C[" in line and "+ B[" in line)
    before = whole.splitlines()[whole.splitlines().index(update) - 1]
    assert "for" in before


def test_two_axes_that_are_one_loop_read_what_the_loop_does() -> None:
    a = te.placeholder((6, 10), "float32", "A")
    b = te.compute((6, 10), lambda y, x: a[y, x] + 1.0, name="B")
    c = te.compute((6, 10), lambda y, x: b[y, x] * 2.0, name="C")
    s = te.create_schedule(c.op)
    s[b].transform_layout(lambda y, x: [y * 10 + x])
    outer, _ = s[c].split(s[c].fuse(*c.op.axis), factor=4)
    s[b].compute_at(s[c], outer)
    text = str(gpucomp.lower(s, [a, c], simple_mode=True))
    assert "B[y_x_outer * 4:y_x_outer * 4 + 4]" in text or "B[y_x_fused_outer * 4:y_x_fused_outer * 4 + 4]" in text
    x = np.arange(60, dtype=np.float32).reshape(6, 10)
    got = np.full_like(x, np.nan)
    gpucomp.build(s, [a, c], "llvm")(x, got)
    assert np.array_equal(got, (x + 1) * 2)


def test_one_layout_undoes_another() -> None:
    a = te.placeholder((4, 6), "float32", "A")
    b = te.compute((4, 6), lambda y, x: a[y, x] + 1.0, name="B")
    c = te.compute((4, 6), lambda y, x: b[y, x] * 2.0, name="C")
    d = te.compute((4, 6), lambda y, x: c[y, x] - 1.0, name="D")
    s = te.create_schedule(d.op)
    for stage in (c, b):
        s[stage].transform_layout(lambda y, x: [y * 6 + x])
    text = str(gpucomp.lower(s, [a, d], simple_mode=True))
    assert "C[i0] = B[i0] * 2.0" in text.replace("i0_1", "i0")
