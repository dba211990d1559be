"""env_threads, store predicates, thread axes made afresh, pragmas."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.support.diagnostics import ScheduleError
from gpucomp.tir.expr import IterVar
from tests.te.backends import everywhere, rebuilt
from tests.te.helpers import small_ints

X = small_ints((6, 40))


def chain() -> tuple[te.Schedule, te.Tensor, te.Tensor, te.Tensor]:
    a = te.placeholder((6, 40), name="A")
    b = te.compute((6, 40), lambda i, j: a[i, j] * 2.0, name="B")
    c = te.compute((6, 40), lambda i, j: b[i, 39 - j] + 1.0, name="C")
    return te.create_schedule(c.op), a, b, c


EXPECTED = X[:, ::-1] * 2 + 1


def tx(extent: int | None = None) -> IterVar:
    return te.thread_axis(None if extent is None else (0, extent), "threadIdx.x")


@pytest.mark.opencl
def test_env_threads_enclose_the_nest_and_attached_stages_share_them() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        s, a, b, c = chain()
        s[c].env_threads([te.thread_axis((0, 1), "blockIdx.x"), tx(8)])
        s[b].compute_at(s[c], c.op.axis[0])
        s[b].set_scope("shared")
        _, inner = s[b].split(b.op.axis[1], factor=8)
        s[b].bind(inner, tx())
        return s, [a, c]

    everywhere(program, [X], EXPECTED, opencl=True)
    s, args = program()
    text = str(te.lower_schedule(s, args).script())
    assert "if threadIdx_x == 0:" in text, "the stage itself is done by one thread"


def test_the_last_call_of_env_threads_wins() -> None:
    s, a, _, c = chain()
    s[c].env_threads([tx(8)])
    s[c].env_threads(tx(16))
    assert len(s[c].leaf_iter_vars) == 3
    assert 'T.launch_thread("threadIdx.x", 16)' in te.lower_schedule(s, [a, c]).script()
    rebuilt(s, [a, c])


@pytest.mark.opencl
@pytest.mark.parametrize("fresh", [True, False])
def test_a_store_predicate_may_use_fresh_thread_axes_and_axes_that_were_split(fresh: bool) -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        s, a, b, c = chain()
        s[b].compute_inline()
        outer, inner = s[c].split(c.op.axis[1], factor=8)
        thread = tx()
        s[c].bind(outer, te.thread_axis("blockIdx.x"))
        s[c].bind(inner, thread)
        used = tx() if fresh else thread
        s[c].set_store_predicate(te.all(used.var < 4, c.op.axis[1].var >= 8, outer.var < 4))
        return s, [a, c]

    j = np.arange(40)
    keep = (j % 8 < 4) & (j >= 8) & (j // 8 < 4)
    everywhere(program, [X], np.where(keep, EXPECTED, np.float32(77)), opencl=True)


def test_a_store_predicate_of_a_reduction_covers_its_initial_value() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((6, 40), name="A")
        k = te.reduce_axis((0, 40), "k")
        r = te.compute((6,), lambda i: te.sum(a[i, k], axis=k), name="R")
        s = te.create_schedule(r.op)
        outer, inner = s[r].split(r.op.axis[0], factor=2)
        s[r].reorder(k, outer, inner)
        s[r].set_store_predicate(inner.equal(1))
        return s, [a, r]

    everywhere(program, [X], np.where(np.arange(6) % 2 == 1, X.sum(1), np.float32(77)))


def test_a_store_predicate_over_a_reduction_axis_is_refused() -> None:
    a = te.placeholder((6, 40), name="A")
    k = te.reduce_axis((0, 40), "k")
    r = te.compute((6,), lambda i: te.sum(a[i, k], axis=k), name="R")
    s = te.create_schedule(r.op)
    s[r].set_store_predicate(k.equal(0))
    with pytest.raises(ScheduleError, match="reduction axis 'k'") as info:
        te.lower_schedule(s, [a, r])
    assert info.value.where is not None
    assert "set_store_predicate" in info.value.where.text


@pytest.mark.opencl
def test_stages_meet_in_fresh_axes_of_one_tag_with_and_without_a_domain() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        s, a, b, c = chain()
        s[b].bind(b.op.axis[1], tx(40))  # before compute_at, and bound twice
        s[b].bind(b.op.axis[1], tx())
        s[b].compute_at(s[c], c.op.axis[1])
        s[b].compute_at(s[c], c.op.axis[0])
        s[b].set_scope("shared")
        s[c].bind(c.op.axis[0], te.thread_axis("threadIdx.y"))
        s[c].bind(c.op.axis[0], te.thread_axis("blockIdx.x"))
        s[c].bind(c.op.axis[1], tx(40))
        return s, [a, c]

    everywhere(program, [X], EXPECTED, opencl=True)


def errors() -> list[tuple[str, Callable[[te.Schedule, te.Tensor], object]]]:
    return [
        ("has no domain", lambda s, c: s[c].env_threads([tx()])),
        ("is no thread axis", lambda s, c: s[c].env_threads([c.op.axis[0]])),
        ("two of the axes have the tag threadIdx.x", lambda s, c: s[c].env_threads([tx(2), tx(2)])),
        ("needs a number, got '16'", lambda s, c: s[c].pragma(c.op.axis[0], "auto_unroll_max_step", "16")),
        ("'import_llvm' needs source text, got 1", lambda s, c: s[c].pragma(c.op.axis[0], "import_llvm")),
        ("cannot read 'none/such.ll'", lambda s, c: s[c].pragma(c.op.axis[0], "import_llvm", "none/such.ll")),
    ]


@pytest.mark.parametrize("number", range(6))
def test_misuse_is_refused_at_the_call(number: int) -> None:
    part, act = errors()[number]
    s, _, _, c = chain()
    with pytest.raises(ScheduleError) as info:
        act(s, c)
    assert part in info.value.message
    assert info.value.hint
    assert info.value.where is not None
    assert info.value.where.file == __file__


def test_an_env_thread_is_no_loop() -> None:
    s, _, _, c = chain()
    thread = tx(4)
    s[c].env_threads([thread])
    with pytest.raises(ScheduleError, match=r"bound to threadIdx\.x already"):
        s[c].split(thread, factor=2)
    with pytest.raises(ScheduleError, match="put there by env_threads"):
        s[c].bind(thread, tx())


def test_pragmas_change_what_they_say() -> None:
    def lowered(kind: str, value: int | None = None) -> str:
        s, a, b, c = chain()
        s[b].compute_inline()
        s[c].pragma(c.op.axis[1], kind, value)
        return gpucomp.lower(s, [a, c]).script()

    assert "T.unroll(40)" in lowered("unroll")
    assert "T.unroll(40)" in lowered("auto_unroll_max_step", 64)
    assert "A[" not in lowered("debug_skip_region")
    assert lowered("parallel_launch_point").replace("parallel_launch_point", "x") == lowered(
        "parallel_barrier_when_finish"
    ).replace("parallel_barrier_when_finish", "x")


def test_an_unknown_pragma_is_warned_about_once() -> None:
    s, _, _, c = chain()
    with pytest.warns(UserWarning, match="auto_unroll_max_step"):
        s[c].pragma(c.op.axis[0], "auto_unroll_max_stp", 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        s[c].pragma(c.op.axis[0], "auto_unroll_max_stp", 4)
