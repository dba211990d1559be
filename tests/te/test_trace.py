"""The trace of a schedule prints as Python that rebuilds it, and replays on other tensors."""

from __future__ import annotations

from typing import Any  # Any: names for the code under test; ints or variables

import pytest

from gpucomp import te
from gpucomp.support.diagnostics import ScheduleError
from tests.te.helpers import check, small_ints


def tensors(n: int = 24) -> list[te.Tensor]:
    a = te.placeholder((n, n), name="A")
    k = te.reduce_axis((0, n), "k")
    b = te.compute((n, n), lambda i, j: a[i, j] * 2.0, name="B")
    c = te.compute((n,), lambda i: te.sum(b[i, k], axis=k), name="C")
    return [a, b, c]


def scheduled(a: te.Tensor, b: te.Tensor, c: te.Tensor, *, domain: bool = True) -> te.Schedule:
    del a
    s = te.create_schedule(c.op)
    bb = s.cache_read(b, "shared", [c])
    _, ki = s[c].split(c.op.reduce_axis[0], factor=8)
    cf = s.rfactor(c, ki)
    tx = te.thread_axis("threadIdx.x")
    s[c].bind(c.op.axis[0], te.thread_axis((0, c.shape[0]) if domain else None, "blockIdx.x", name="row"))
    s[c].bind(s[c].op.reduce_axis[0], tx)
    s[cf].compute_at(s[c], s[c].op.reduce_axis[0])
    s[bb].compute_at(s[c], c.op.axis[0])
    s[bb].bind(s[bb].split(s[bb].op.axis[1], factor=8)[1], tx)
    s[b].compute_inline()
    s[c].set_store_predicate(te.all(tx.equal(0), tx.var < 5))
    s[bb].storage_align(s[bb].op.axis[0], 8, 1)
    s[cf].pragma(s[cf].leaf_iter_vars[-1], "auto_unroll_max_step", 16)
    return s


def test_a_trace_prints_as_python_that_rebuilds_the_schedule() -> None:
    a, b, c = tensors()
    s = scheduled(a, b, c)
    names: dict[str, Any] = {"te": te, "C": c}
    text = str(s.trace)
    exec(text, names)  # noqa: S102  # the property under test
    assert te.lower_schedule(names["s"], [a, c]).script() == te.lower_schedule(s, [a, c]).script()
    assert str(names["s"].trace) == text
    x = small_ints((24, 24))
    check(names["s"], [a, c], [x], x.sum(1) * 2)


def test_the_text_of_a_trace() -> None:
    a, b, c = tensors()
    s = te.create_schedule(c.op)
    i = c.op.axis[0]
    outer, _ = s[c].split(i, nparts=4)
    s[b].compute_at(s[c], outer)
    s[b].vectorize(b.op.axis[1])
    cl = s.cache_read(a, "local", [b])
    s[cl].compute_inline()
    assert s.trace.as_python().splitlines() == [
        "s = te.create_schedule([C.op])",
        "C_i = C.op.axis[0]",
        "i_outer, i_inner = s[C].split(C_i, nparts=4)",
        "B = s.trace.ops[1].output(0)",
        "s[B].compute_at(s[C], i_outer)",
        "B_j = B.op.axis[1]",
        "s[B].vectorize(B_j)",
        "A = s.trace.ops[0].output(0)",
        "A_local = s.cache_read(A, 'local', [B])",
        "s[A_local].compute_inline()",
    ]


def test_a_trace_replays_on_other_tensors() -> None:
    s = scheduled(*tensors(), domain=False)
    a, b, c = tensors(16)
    again = te.trace.replay(s.trace, c)
    x = small_ints((16, 16))
    check(again, [a, c], [x], x.sum(1) * 2)
    assert [x.span for x in again.trace.steps] == [x.span for x in s.trace.steps]
    with pytest.raises(ScheduleError, match="do not match"):
        te.trace.replay(s.trace, b)


def test_a_copy_is_independent() -> None:
    a, b, c = tensors()
    s = te.create_schedule(c.op)
    copy = s.copy()
    outer, _ = copy[c].split(c.op.axis[0], factor=4)
    copy[b].compute_at(copy[c], outer)
    assert len(s.trace) == 0
    assert len(s[c].leaf_iter_vars) == 2
    assert s[b].attach_stage is None
    again = copy.copy()
    assert again[b].attach_stage is again[c]
    x = small_ints((24, 24))
    for schedule in (s, copy, again):
        check(schedule, [a, c], [x], x.sum(1) * 2)


def test_symbolic_extents_and_factors_replay() -> None:
    def build(n: Any, factor: Any) -> tuple[te.Tensor, te.Schedule]:
        a = te.placeholder((n,), name="A")
        c = te.compute((n,), lambda i: a[i] + 1.0, name="C")
        s = te.create_schedule(c.op)
        s[c].split(c.op.axis[0], factor=factor)
        return c, s

    n = te.var("n")
    c, s = build(n, n // 2)
    names: dict[str, Any] = {"te": te, "C": c}
    exec(str(s.trace), names)  # noqa: S102  # the property under test
    assert str(names["s"].trace) == str(s.trace)
    m = te.var("m")
    again = te.trace.replay(s.trace, build(m, 4)[0])
    assert str(again.trace.steps[0].kwargs["factor"]) == "m // 2"


def test_names_that_are_no_identifiers_are_mangled() -> None:
    a = te.placeholder((8,), name="A")
    b = te.compute((8,), lambda i: a[i] + 1.0, name="class")
    c = te.compute((8,), lambda i: b[i] + 1.0, name="2 words")
    s = te.create_schedule(c.op)
    s[b].unroll(b.op.axis[0])
    names: dict[str, Any] = {"te": te, "_2_words": c}
    exec(str(s.trace), names)  # noqa: S102  # the property under test
    assert "_class" in str(s.trace)
