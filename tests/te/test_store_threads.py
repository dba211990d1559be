"""A serial reduction whose memory threads share: one of the threads that its store predicate leaves adds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any  # Any: a thread axis, or a condition

import numpy as np
import pytest

from gpucomp import te, tir
from gpucomp.driver.build import lower_primfunc
from gpucomp.support.diagnostics import ScheduleError
from gpucomp.target import Target
from gpucomp.tir.interp import interpret
from tests.te.backends import everywhere
from tests.te.helpers import small_ints

X = small_ints((6, 5))
Condition = Callable[[Any, Any, Any], Any]


def sums(condition: Condition) -> tuple[te.Schedule, list[te.Tensor]]:
    """Sums of rows under eight by two threads, to which no loop is bound."""
    a = te.placeholder((6, 5), name="A")
    k = te.reduce_axis((0, 5), "k")
    b = te.compute((6,), lambda i: te.sum(a[i, k], axis=k), name="B")
    s = te.create_schedule(b.op)
    tx, ty = te.thread_axis((0, 8), "threadIdx.x"), te.thread_axis((0, 2), "threadIdx.y")
    s[b].env_threads([te.thread_axis((0, 1), "blockIdx.x"), ty, tx])
    s[b].set_store_predicate(condition(tx.var, ty.var, b.op.axis[0].var))
    return s, [a, b]


@pytest.mark.opencl
@pytest.mark.parametrize(
    "condition",
    [
        lambda x, y, i: x >= 0,
        lambda x, y, i: x < 5,
        lambda x, y, i: tir.all(x <= y, y < 2),
        lambda x, y, i: x % 2 == 0,
        lambda x, y, i: x == i,  # row i is the work of thread i
        lambda x, y, i: tir.all(x >= i, x < i + 1),
        lambda x, y, i: tir.all(x * 2 <= i + 1, i < x * 2 + 1, y == 1),
        lambda x, y, i: x + y * 8 == 0,
        lambda x, y, i: tir.all(y == 1, x == y),
    ],
)
def test_one_of_the_threads_that_a_predicate_leaves_adds(condition: Condition) -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        return sums(condition)

    everywhere(program, [X], X.sum(1), opencl=True)
    s, args = program()
    out = np.full(6, np.nan, np.float32)
    interpret(lower_primfunc(te.lower_schedule(s, args), Target("opencl")), [X, out])  # which looks for races
    np.testing.assert_array_equal(out, X.sum(1))


@pytest.mark.parametrize(
    "condition",
    [
        lambda x, y, i: x >= 1,
        lambda x, y, i: x + y == 3,
        lambda x, y, i: tir.any(x == 1, x == 3),
        lambda x, y, i: tir.all(x * 2 <= i + 2, i < x * 2 + 2),
    ],
)
def test_a_predicate_that_may_leave_several_threads_and_not_the_first_is_refused(condition: Condition) -> None:
    s, args = sums(condition)
    with pytest.raises(ScheduleError, match="may hold for several threads of threadIdx") as info:
        te.lower_schedule(s, args)
    assert info.value.code == "GC104"
    assert info.value.where is not None
    assert "set_store_predicate" in info.value.where.text


def test_threads_that_a_loop_is_bound_to_may_be_left_in_any_number() -> None:
    a = te.placeholder((6, 5), name="A")
    k = te.reduce_axis((0, 5), "k")
    b = te.compute((6,), lambda i: te.sum(a[i, k], axis=k), name="B")
    s = te.create_schedule(b.op)
    tx = te.thread_axis("threadIdx.x")
    s[b].bind(b.op.axis[0], tx)
    s[b].set_store_predicate(tx.var >= 2)
    out = np.full(6, 77, np.float32)
    interpret(lower_primfunc(te.lower_schedule(s, [a, b]), Target("opencl")), [X, out])
    np.testing.assert_array_equal(out, np.where(np.arange(6) >= 2, X.sum(1), np.float32(77)))
