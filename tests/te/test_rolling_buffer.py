"""rolling_buffer: rings that keep what the window before had."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any  # Any: functions and nodes of several kinds

import numpy as np
import pytest

from gpucomp import te
from gpucomp.support.diagnostics import ScheduleError
from gpucomp.tir.expr import Var
from tests.te.backends import everywhere
from tests.te.helpers import Array, small_ints


def blur() -> tuple[te.Schedule, te.Tensor, te.Tensor, te.Tensor]:
    a = te.placeholder((12, 10), name="A")
    k = te.reduce_axis((0, 3), "k")
    b = te.compute((12, 8), lambda i, j: te.sum(a[i, j + k], axis=k), name="B")
    m = te.reduce_axis((0, 3), "m")
    c = te.compute((10, 8), lambda i, j: te.sum(b[i + m, j], axis=m), name="C")
    return te.create_schedule(c.op), a, b, c


P = small_ints((12, 10))
ROWS = P[:, :8] + P[:, 1:9] + P[:, 2:]
BLURRED: Array = ROWS[:10] + ROWS[1:11] + ROWS[2:]


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_a_window_that_rolls_gives_the_same(factor: int) -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        s, a, b, c = blur()
        axis = c.op.axis[0] if factor == 1 else s[c].split(c.op.axis[0], factor=factor)[0 if factor == 2 else 1]
        s[b].compute_at(s[c], axis)
        s[b].rolling_buffer()
        return s, [a, c]

    everywhere(program, [P], BLURRED)
    s, args = program()
    text = te.lower_schedule(s, args).script()
    assert f"T.realize(B[0:{4 if factor == 2 else 3}, 0:8]" in text, "the ring stands outside of the loop"


def test_each_row_is_computed_once() -> None:
    s, a, b, c = blur()
    s[b].compute_at(s[c], c.op.axis[0])
    plain = te.lower_schedule(s, [a, c])
    s[b].rolling_buffer()
    rolled = te.lower_schedule(s, [a, c])
    assert _stores_of(plain, "B") == 10 * 3 * 8 * 4
    assert _stores_of(rolled, "B") == 12 * 8 * 4


def _stores_of(func: Any, name: str) -> int:
    """How many stores into a buffer a function executes: each adds one to a counter."""
    from gpucomp.tir import operators, stmt
    from gpucomp.tir.buffer import decl_buffer
    from gpucomp.tir.functor import Mutator
    from gpucomp.tir.interp import interpret

    counter = decl_buffer((1,), "int32", "counter")

    class Count(Mutator):
        def visit_buffer_store(self, node: stmt.BufferStore) -> stmt.Stmt:
            if node.buffer.name != name:
                return node
            more = stmt.BufferStore(counter, counter[0] + 1, (operators.const(0),))
            return stmt.seq(node, more)

    param = Var("counter_handle", "handle")
    counted = type(func)(
        (*func.params, param), Count().stmt(func.body), {**func.buffer_map, param: counter}, dict(func.attrs)
    )
    count = np.zeros(1, "int32")
    interpret(counted, [P, np.zeros((10, 8), "float32"), count], races=False)
    return int(count[0])


@pytest.mark.opencl
def test_windows_roll_in_kernels_and_in_chains() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((14, 8), name="A")
        b = te.compute((14, 8), lambda i, j: a[i, j] * 2.0, name="B")
        c = te.compute((12, 8), lambda i, j: b[i, j] + b[i + 2, 7 - j], name="C")
        d = te.compute((10, 8), lambda i, j: c[i, j] + c[i + 2, j] + b[i + 1, j], name="D")
        s = te.create_schedule(d.op)
        i, j = d.op.axis
        tx = te.thread_axis("threadIdx.x")
        s[d].bind(j, tx)
        for t in (b, c):
            s[t].compute_at(s[d], i)
            s[t].set_scope("shared")
            s[t].bind(t.op.axis[1], tx)
            s[t].rolling_buffer()
        return s, [a, d]

    x = small_ints((14, 8))
    b = x * 2
    c = b[:12] + b[2:, ::-1]
    everywhere(program, [x], c[:10] + c[2:] + b[1:11], opencl=True)


def rolling_errors() -> list[tuple[str, Callable[[te.Schedule, te.Tensor, te.Tensor], object]]]:
    return [
        ("no loop around it moves its window", lambda s, b, c: None),
        ("run in no order", lambda s, b, c: (s[b].compute_at(s[c], c.op.axis[0]), s[c].parallel(c.op.axis[0]))),
        ("and keeps none", lambda s, b, c: s[b].compute_at(s[c], s[c].split(c.op.axis[1], factor=2)[1])),
    ]


@pytest.mark.parametrize("number", range(3))
def test_what_cannot_roll_is_refused_at_the_primitive(number: int) -> None:
    part, act = rolling_errors()[number]
    s, a, b, c = blur()
    act(s, b, c)
    s[b].rolling_buffer()
    with pytest.raises(ScheduleError) as info:
        te.lower_schedule(s, [a, c])
    assert part in info.value.message
    assert info.value.code == "GC118"
    assert info.value.hint
    assert info.value.where is not None
    assert "rolling_buffer" in info.value.where.text


def test_memory_of_the_caller_does_not_roll() -> None:
    s, a, b, c = blur()
    s[b].compute_at(s[c], c.op.axis[0])
    s[b].rolling_buffer()
    with pytest.raises(ScheduleError, match="memory of the caller"):
        te.lower_schedule(s, [a, b, c])
