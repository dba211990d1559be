"""Groups of stages: placed as one, nested, copied, replayed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gpucomp import te
from gpucomp.support.diagnostics import ScheduleError
from gpucomp.te.group import Group
from tests.te.backends import everywhere
from tests.te.helpers import check, small_ints

X = small_ints((6, 40))
EXPECTED = ((X * 2 + 1) + (X * 2) * (X * 2 + 1)) - 3


def graph() -> tuple[te.Schedule, list[te.Tensor]]:
    a = te.placeholder((6, 40), name="A")
    b = te.compute((6, 40), lambda i, j: a[i, j] * 2.0, name="B")
    c = te.compute((6, 40), lambda i, j: b[i, j] + 1.0, name="C")
    d = te.compute((6, 40), lambda i, j: c[i, j] + b[i, j] * c[i, j], name="D")
    e = te.compute((6, 40), lambda i, j: d[i, j] - 3.0, name="E")
    return te.create_schedule(e.op), [a, b, c, d, e]


@pytest.mark.opencl
def test_a_group_is_computed_where_it_is_attached() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        s, (a, b, c, d, e) = graph()
        group = s.create_group(outputs=[d], inputs=[a])
        assert [x.name for x in group.stages] == ["B", "C", "D"]
        s[e].bind(e.op.axis[0], te.thread_axis("blockIdx.x"))
        group.compute_at(s[e], e.op.axis[0])
        assert str(te.lower_schedule(s, [a, e]).script()).count('"shared"') >= 3
        thread = te.thread_axis("threadIdx.x")
        for t in (b, c, d, e):
            s[t].bind(t.op.axis[1], thread)
        return s, [a, e]

    everywhere(program, [X], EXPECTED, opencl=True)


def test_groups_nest_and_the_innermost_place_counts() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        s, (a, b, c, d, e) = graph()
        inner = s.create_group(outputs=c, inputs=a)
        outer = s.create_group(outputs=d, inputs=b, include_inputs=True)
        assert inner.group is outer
        assert [x.name for x in outer.stages] == ["B", "C", "D"]
        inner.compute_at(s[d], d.op.axis[1])
        outer.compute_at(s[e], e.op.axis[0])
        s[b].compute_at(s[c], c.op.axis[0])
        s[b].compute_root()
        norm = s.normalize()
        where = {x.name: x.attach_stage and x.attach_stage.name for x in norm.stages}
        assert where == {"A": None, "B": "D", "C": "D", "D": "E", "E": None}
        return s, [a, e]

    everywhere(program, [X], EXPECTED)


def test_a_group_at_root_again_and_members_added_later() -> None:
    s, (a, b, _, d, e) = graph()
    group = s.create_group(outputs=[d], inputs=[a])
    group.compute_at(s[e], e.op.axis[0])
    cached = s.cache_write(d, "local")
    read = s.cache_read(b, "local", [s[cached].op])
    assert s[cached].group is s[read].group is group
    check(s, [a, e], [X], EXPECTED)
    copy = s.copy()
    group.compute_root()
    assert copy.groups[0].attach_stage is copy[e]
    assert all(x.attach_stage is None for x in s.normalize().stages)
    check(s, [a, e], [X], EXPECTED)
    check(copy, [a, e], [X], EXPECTED)
    replayed = te.trace.replay(copy.trace, e)
    assert te.lower_schedule(replayed, [a, e]).script() == te.lower_schedule(copy, [a, e]).script()


def test_what_was_attached_outside_goes_with_the_group() -> None:
    s, (a, b, _, d, e) = graph()
    s[b].compute_at(s[e], e.op.axis[1])
    group = s.create_group(outputs=[d], inputs=[a])
    assert s[b].attach_stage is None
    group.compute_at(s[e], e.op.axis[0])
    check(s, [a, e], [X], EXPECTED)


def misuse() -> list[tuple[str, Callable[[te.Schedule, list[te.Tensor]], object]]]:
    def group(s: te.Schedule, t: list[te.Tensor]) -> Group:
        return s.create_group(outputs=[t[3]], inputs=[t[0]])

    return [
        ("is a member of group D itself", lambda s, t: group(s, t).compute_at(s[t[3]], t[3].op.axis[0])),
        ("has no expression", lambda s, t: group(s, t).compute_inline()),
        ("there is no stage between B and B", lambda s, t: s.create_group(outputs=t[1], inputs=t[1])),
        ("names no output", lambda s, t: s.create_group(outputs=[], inputs=t[1])),
        ("not part of this schedule", lambda s, t: s.create_group(outputs=te.placeholder((3,)), inputs=t[1])),
        (
            "belongs to group D, of which stage E is no member",
            lambda s, t: (group(s, t), s[t[1]].compute_at(s[t[4]], t[4].op.axis[0])),
        ),
    ]


@pytest.mark.parametrize("number", range(6))
def test_misuse_of_groups_is_refused_at_the_call(number: int) -> None:
    part, act = misuse()[number]
    s, tensors = graph()
    with pytest.raises(ScheduleError) as info:
        act(s, tensors)
    assert part in info.value.message
    assert info.value.hint
    assert info.value.where is not None
    assert info.value.where.file == __file__
