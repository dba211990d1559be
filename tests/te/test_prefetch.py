"""Prefetch: hints that change no result."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.support.diagnostics import ScheduleError
from tests.te.backends import everywhere, rebuilt
from tests.te.helpers import small_ints

X = small_ints((7, 40))


def program(offset: int = 2, *, target: str = "") -> tuple[te.Schedule, list[te.Tensor]]:
    a = te.placeholder((7, 40), name="A")
    b = te.compute((7, 40), lambda i, j: a[i, j] * 2.0, name="B")
    c = te.compute((5, 38), lambda i, j: b[i, j] + b[i + 2, j + 2], name="C")
    s = te.create_schedule(c.op)
    i, j = c.op.axis
    s[c].prefetch(b, i, offset)
    s[b].prefetch(a, b.op.axis[0], offset)
    if target:
        for t in (b, c):
            outer, inner = s[t].split(t.op.axis[1], factor=8)
            s[t].reorder(outer, inner, t.op.axis[0])
            s[t].bind(outer, te.thread_axis("blockIdx.x"))
            s[t].bind(inner, te.thread_axis("threadIdx.x"))
    del j
    return s, [a, c]


EXPECTED = X[:5, :38] * 2 + X[2:, 2:] * 2


def test_results_do_not_depend_on_hints() -> None:
    for offset in (1, 3, 100):
        everywhere(lambda offset=offset: program(offset), [X], EXPECTED)


@pytest.mark.opencl
def test_hints_in_kernels() -> None:
    everywhere(lambda: program(target="gpu"), [X], EXPECTED, opencl=True)


def test_the_region_is_that_of_a_later_iteration() -> None:
    s, (a, c) = program()
    text = gpucomp.lower(s, [a, c]).script()
    assert "if i < 5:" in text
    assert "T.prefetch(T.address_of(A_1[i * 40 + fetch1 * 16 + 80]" in text
    s, args = program(target="gpu")
    assert "prefetch.global.L2" in gpucomp.source(s, args, "cuda")
    s, args = program(target="gpu")
    assert "prefetch(" in gpucomp.source(s, args, "opencl")


def test_symbolic_extents_stay_in_the_shape() -> None:
    n = te.var("n")
    a = te.placeholder((n, n), name="A")
    c = te.compute((n, n), lambda i, j: a[i, j] + 1.0, name="C")
    s = te.create_schedule(c.op)
    outer, _ = s[c].split(c.op.axis[0], factor=4)
    s[c].prefetch(a, outer, 1)
    x = small_ints((7, 7))
    out = np.empty_like(x)
    gpucomp.build(s, [a, c], "llvm")(x, out)
    np.testing.assert_array_equal(out, x + 1)
    rebuilt(s, [a, c])


def test_hints_about_what_is_not_read_or_inlined_vanish() -> None:
    s, (a, c) = program()
    b = next(x.op.output(0) for x in s.stages if x.name == "B")
    s[b].compute_inline()
    s[c].prefetch(c, c.op.axis[0], 1)
    assert "prefetch" not in gpucomp.lower(s, [a, c]).script()


def test_loops_without_a_next_iteration_are_refused() -> None:
    s, args = program()
    s[args[1]].vectorize(args[1].op.axis[0])
    with pytest.raises(ScheduleError, match="has no next iteration") as info:
        te.lower_schedule(s, args)
    assert info.value.where is not None
    assert "prefetch" in info.value.where.text
    with pytest.raises(ScheduleError, match="an integer offset"):
        s[args[1]].prefetch(args[0], args[1].op.axis[1], 1.5)


def test_hints_for_parts_stand_in_the_loop_that_reads_them() -> None:
    k = te.reduce_axis((0, 24), "k")
    a = te.placeholder((24, 64), name="A")
    c = te.compute((64,), lambda j: te.sum(a[k, j], axis=k), name="C")

    def summed(ahead: int) -> tuple[te.Schedule, list[te.Tensor]]:
        s = te.create_schedule(c.op)
        vector, lane = s[c].split(c.op.axis[0], factor=16)
        outer, inner = s[c].split(k, factor=8)
        s[c].reorder(outer, vector, inner, lane)
        s[c].vectorize(lane)
        s[c].prefetch(a, vector, ahead)
        return s, [a, c]

    text = gpucomp.lower(*summed(1)).script()
    loop = text.index("for k_inner in T.serial(8):")
    assert "fetch" not in text[:loop]
    assert "T.prefetch(T.address_of(A_1[k_outer * 512 + k_inner * 64 + j_outer * 16 + 16]" in text[loop:]
    x = small_ints((24, 64))
    everywhere(lambda: summed(2), [x], x.sum(axis=0))


def test_hints_for_parts_that_overlap_stand_before_the_loop() -> None:
    k = te.reduce_axis((0, 3), "k")
    a = te.placeholder((8, 66), name="A")
    c = te.compute((8, 64), lambda i, j: te.sum(a[i, j + k], axis=k), name="C")
    s = te.create_schedule(c.op)
    s[c].reorder(c.op.axis[0], k, c.op.axis[1])
    s[c].prefetch(a, c.op.axis[0], 1)
    text = gpucomp.lower(s, [a, c]).script()
    assert text.count("T.prefetch") == 1
    assert text.index("T.prefetch") < text.index("for k in")
