"""What AutoInline takes: by class, and only where a stage can be inlined."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gpucomp import te, tir
from gpucomp.te.schedule import AutoInlineBroadcast, AutoInlineElemWise, AutoInlineInjective
from tests.te.backends import everywhere
from tests.te.helpers import check, small_ints

X, Y = small_ints((6, 8)), small_ints((8,), seed=1)


def graph() -> tuple[te.Schedule, list[te.Tensor]]:
    a, b = te.placeholder((6, 8), name="A"), te.placeholder((8,), name="B")
    p = te.compute((6, 8), lambda i, j: a[i, j] * 2.0, name="P")
    q = te.compute((6, 8), lambda i, j: p[i, j] + b[j], name="Q")
    r = te.compute((8, 6), lambda i, j: q[j, i], name="R")
    k = te.reduce_axis((0, 6), "k")
    t = te.compute((8,), lambda i: te.sum(r[i, k], axis=k), name="T")
    u = te.compute((8,), lambda i: t[i] + 1.0, name="U")
    return te.create_schedule(u.op), [a, b, p, q, r, t, u]


@pytest.mark.parametrize(
    ("inline", "left"),
    [(AutoInlineElemWise, "QRTU"), (AutoInlineBroadcast, "RTU"), (AutoInlineInjective, "TU")],
)
def test_each_class_takes_the_ones_before(inline: Callable[[te.Schedule], None], left: str) -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        s, tensors = graph()
        inline(s)
        assert "".join([x.name for x in s.normalize().stages if x.op.axis]) == left
        return s, [tensors[0], tensors[1], tensors[-1]]

    everywhere(program, [X, Y], (X * 2 + Y).sum(0) + 1)


def test_touched_stages_stay() -> None:
    s, (_, _, p, q, r, _, _) = graph()
    s[p].set_store_predicate(tir.const(1, "bool"))
    s[q].rolling_buffer()
    s[r].env_threads([te.thread_axis((0, 1), "threadIdx.x")])
    AutoInlineInjective(s)
    assert [x.attach_type for x in s.stages if x.op.axis] == [te.AttachType.GROUP_ROOT] * 5


def test_what_an_extern_operation_reads_stays_in_memory() -> None:
    a = te.placeholder((8,), name="A")
    p = te.compute((8,), lambda i: a[i] * 2.0, name="P")

    def body(ins: list[tir.Buffer], outs: list[tir.Buffer]) -> object:
        ib = tir.ir_builder.create()
        source, result = ib.buffer_ptr(ins[0]), ib.buffer_ptr(outs[0])
        with ib.for_range(0, 8) as i:
            result[i] = source[i] + 1.0
        return ib.get()

    e = te.extern((8,), [p], body, name="E")
    s = te.create_schedule(e.op)
    AutoInlineInjective(s)
    check(s, [a, e], [Y], Y * 2 + 1)
