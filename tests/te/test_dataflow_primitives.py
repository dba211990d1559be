"""cache_write into the layout of the loops, cache_read of some readers, rfactor on any axis."""

from __future__ import annotations

import numpy as np
import pytest

from gpucomp import te
from gpucomp.support.diagnostics import ScheduleError
from tests.te.backends import everywhere
from tests.te.helpers import check, small_ints

X, Y = small_ints((10, 12)), small_ints((12, 9), seed=1)


def matmul() -> tuple[te.Schedule, te.Tensor, te.Tensor, te.Tensor]:
    a, b = te.placeholder((10, 12), name="A"), te.placeholder((12, 9), name="B")
    k = te.reduce_axis((0, 12), "k")
    c = te.compute((10, 9), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="C")
    return te.create_schedule(c.op), a, b, c


@pytest.mark.parametrize("factor", [5, 4])
def test_cache_write_packs_by_the_loops(factor: int) -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        s, a, b, c = matmul()
        i, j = c.op.axis
        ko, ki = s[c].split(c.op.reduce_axis[0], factor=5)
        io, ii = s[c].split(i, factor=factor)
        jo, ji = s[c].split(j, nparts=2)
        s[c].reorder(io, jo, ii, ji, ko, ki)
        s[c].unroll(ki)
        cc = s.cache_write(c, "local")
        assert [int(x) for x in cc.shape] == [-(-10 // factor), 2, factor, 5]
        assert s[cc].leaf_iter_vars[4:] == [ko, ki], "splits of the reduction go along"
        assert s[c].leaf_iter_vars == [i, j]
        s[cc].compute_at(s[c], i)
        return s, [a, b, c]

    everywhere(program, [X, Y], X @ Y)


def test_cache_write_after_reorder_and_fuse() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((10, 12), name="A")
        b = te.compute((10, 12), lambda i, j: a[i, j] * 2.0, name="B")
        c = te.compute((10, 12), lambda i, j: b[9 - i, j] + 1.0, name="C")
        s = te.create_schedule(c.op)
        s[b].reorder(b.op.axis[1], b.op.axis[0])
        bb = s.cache_write(b, "global")
        assert [int(x) for x in bb.shape] == [12, 10]
        s[c].fuse(*c.op.axis)
        cc = s.cache_write(c, "global")
        assert [int(x) for x in cc.shape] == [120]
        s[c].vectorize(s[c].split(c.op.axis[1], factor=4)[1])
        return s, [a, c]

    everywhere(program, [X], X[::-1] * 2 + 1)


@pytest.mark.opencl
def test_packed_tiles_in_a_kernel() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        s, a, b, c = matmul()
        i, j = c.op.axis
        io, ii = s[c].split(i, factor=4)
        s[c].reorder(io, j, ii)
        cc = s.cache_write(c, "local")
        bi, ti = s[c].split(i, factor=4)
        s[c].reorder(bi, j, ti)
        s[c].bind(bi, te.thread_axis("blockIdx.x"))
        s[c].bind(j, te.thread_axis("threadIdx.x"))
        s[cc].compute_at(s[c], j)
        return s, [a, b, c]

    everywhere(program, [X, Y], X @ Y, opencl=True)


def test_cache_write_of_all_outputs() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((10, 12), name="A")
        p, q = te.compute((10, 12), lambda i, j: (a[i, j] * 2.0, a[i, j] + 1.0), name="P")
        s = te.create_schedule(p.op)
        s[p].split(p.op.axis[1], factor=5)
        pp, _ = s.cache_write([p, q], "local")
        s[pp].compute_at(s[p], p.op.axis[0])
        return s, [a, p, q]

    everywhere(program, [X], X * 2, X + 1)


def test_a_bound_or_marked_axis_forbids_it() -> None:
    s, _, _, c = matmul()
    s[c].bind(c.op.axis[0], te.thread_axis("threadIdx.x"))
    with pytest.raises(ScheduleError, match="bound to threadIdx") as info:
        s.cache_write(c, "local")
    assert info.value.code == "GC112"
    s, _, _, c = matmul()
    _, inner = s[c].split(c.op.axis[0], factor=2)
    s[c].vectorize(inner)
    with pytest.raises(ScheduleError, match="marked vectorize"):
        s.cache_write(c, "local")
    s, a, _, c = matmul()
    outer, _ = s[c].split(c.op.axis[0], factor=2)
    s.cache_write(c, "local")
    with pytest.raises(ScheduleError, match=r"made a dimension of C\.local of it"):
        s[c].unroll(outer)
    with pytest.raises(ScheduleError, match="is no te"):
        s.cache_write(a, "local")


@pytest.mark.parametrize("scope", ["global", "shared", "local", "warp"])
def test_cache_read_for_some_readers_and_of_a_cached_tensor(scope: str) -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((10, 12), name="A")
        p = te.compute((10, 12), lambda i, j: a[i, j] * 2.0, name="P")
        q = te.compute((10, 12), lambda i, j: a[9 - i, j] + p[i, j], name="Q")
        r = te.compute((10, 12), lambda i, j: a[i, 11 - j] + q[i, j] + p[i, j], name="R")
        s = te.create_schedule(r.op)
        first = s.cache_read(a, scope, [q, r])
        second = s.cache_read(first, scope, r)
        third = s.cache_read(p, scope, [s[q].op, s[r].op])
        s[first].compute_at(s[r], r.op.axis[0])
        s[q].compute_at(s[r], r.op.axis[0])
        s[second].compute_at(s[r], r.op.axis[0])
        s[third].compute_at(s[r], r.op.axis[0])
        return s, [a, r]

    everywhere(program, [X], X[:, ::-1] + X[::-1] + 2 * X + 2 * X)


@pytest.mark.parametrize("which", ["outer", "inner", "fused", "plain"])
@pytest.mark.parametrize("factor_axis", [0, 1, 2, -1, -2, -3])
def test_rfactor_of_any_axis_at_any_place(which: str, factor_axis: int) -> None:
    a = te.placeholder((3, 4, 5, 6), name="A")
    k, m = te.reduce_axis((0, 5), "k"), te.reduce_axis((0, 6), "m")
    r = te.compute((3, 4), lambda i, j: te.sum(a[i, j, k, m], axis=[k, m]), name="R")
    s = te.create_schedule(r.op)
    if which == "fused":
        axis = s[r].split(s[r].fuse(k, m), factor=4)[1]
    elif which == "plain":
        axis = k
    else:
        parts = s[r].split(m, nparts=4)
        axis = parts[0] if which == "outer" else parts[1]
    rf = s.rfactor(r, axis, factor_axis)
    assert rf.ndim == 3
    s[rf].compute_at(s[r], r.op.axis[0])
    x = small_ints((3, 4, 5, 6))
    check(s, [a, r], [x], x.sum((2, 3)))


def test_rfactor_of_a_tuple_reduction() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        argmax = te.comm_reducer(
            lambda x, y: (
                te.Select(te.any(x[1] > y[1], te.all(x[1].equal(y[1]), x[0] < y[0])), x[0], y[0]),
                te.Select(x[1] >= y[1], x[1], y[1]),
            ),
            lambda t0, t1: (te.const(2**31 - 1, t0), te.min_value(t1)),
            name="argmax",
        )
        a = te.placeholder((10, 12), name="A")
        k = te.reduce_axis((0, 12), "k")
        index, value = te.compute((10,), lambda i: argmax((k.var, a[i, k]), axis=k), name="M")
        s = te.create_schedule(index.op)
        _, inner = s[index].split(k, factor=5)
        first, second = s.rfactor(index, inner, -1)
        assert first.op is second.op
        return s, [a, index, value]

    everywhere(program, [X], X.argmax(1).astype("int32"), X.max(1))


def test_inlining_several_outputs_and_a_chain() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((10, 12), name="A")
        p, q = te.compute((10, 12), lambda i, j: (a[i, j] * 2.0, a[i, j] + 1.0), name="P")
        r = te.compute((10, 12), lambda i, j: p[i, j] * q[9 - i, j], name="R")
        t = te.compute((10, 12), lambda i, j: r[i, j] + q[i, j], name="T")
        s = te.create_schedule(t.op)
        s[p].compute_inline()
        s[r].compute_inline()
        return s, [a, t]

    everywhere(program, [X], X * 2 * (X[::-1] + 1) + X + 1)
    s, _ = program()
    assert [x.name for x in s.normalize().stages] == ["A", "T"]


@pytest.mark.parametrize("scope", ["global", "shared", "local", "warp"])
def test_storage_align_and_double_buffer_in_every_scope(scope: str) -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((10, 12), name="A")
        b = te.compute((10, 12), lambda i, j: a[i, j] * 2.0, name="B")
        c = te.compute((10, 12), lambda i, j: b[i, 11 - j] + 1.0, name="C")
        s = te.create_schedule(c.op)
        s[b].set_scope(scope)
        s[b].compute_at(s[c], s[c].split(c.op.axis[0], factor=2)[0])
        s[b].storage_align(b.op.axis[0], 8, 3)
        s[b].double_buffer()
        return s, [a, c]

    everywhere(program, [X], X[:, ::-1] * 2 + 1)


def test_an_output_computed_inside_of_its_reader_is_whole() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((10, 12), name="A")
        b = te.compute((10, 12), lambda i, j: a[i, j] * 2.0, name="B")
        c = te.compute((10, 12), lambda i, j: b[i, 11 - j] + 1.0, name="C")
        s = te.create_schedule([b.op, c.op])
        s[b].compute_at(s[c], c.op.axis[0])
        return s, [a, b, c]

    everywhere(program, [X], X * 2, X[:, ::-1] * 2 + 1)


def test_splitting_and_fusing_at_the_edges() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((), name="A")
        b = te.compute((), lambda: a() * 2.0, name="B")
        c = te.compute((7,), lambda i: b() + te.floordiv(i, 2).astype("float32"), name="C")
        s = te.create_schedule(c.op)
        one = s[b].fuse()
        assert s[b].leaf_iter_vars == [one]
        s[b].compute_at(s[c], s[c].split(c.op.axis[0], nparts=3)[0])
        return s, [a, c]

    everywhere(program, [np.array(3, "float32")], (6 + np.arange(7) // 2).astype("float32"))


def test_a_packed_copy_of_a_stage_whose_tiles_reach_past_the_end() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((10, 12), name="A")
        b = te.compute((10, 12), lambda i, j: a[i, j] * 2.0, name="B")
        c = te.compute((10, 12), lambda i, j: b[i, j] + 1.0, name="C")
        s = te.create_schedule(c.op)
        s[b].compute_at(s[c], s[c].split(c.op.axis[0], factor=4)[0])
        s[b].split(b.op.axis[1], factor=5)
        bb = s.cache_write(b, "local")
        s[bb].compute_at(s[b], b.op.axis[0])
        return s, [a, c]

    everywhere(program, [X], X * 2 + 1)
