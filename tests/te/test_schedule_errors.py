"""Each illegal schedule gives one error that names the stage, the axis, the numbers, the line and the mend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any  # what no type allows

import pytest

from gpucomp import te
from gpucomp.support.diagnostics import ScheduleError


class Graph:
    """A[32, 64] -> B = row sums -> C = A - B, with a fresh schedule."""

    def __init__(self) -> None:
        self.a = te.placeholder((32, 64), name="A")
        self.k = te.reduce_axis((0, 64), "k")
        self.b = te.compute((32,), lambda i: te.sum(self.a[i, self.k], axis=self.k), name="B")
        self.c = te.compute((32, 64), lambda i, j: self.a[i, j] - self.b[i], name="C")
        self.s = te.create_schedule(self.c.op)
        self.i, self.j = self.c.op.axis

    def lower(self) -> None:
        te.lower_schedule(self.s, [self.a, self.c])


def split_consumed(g: Graph) -> None:
    g.s[g.c].split(g.i, factor=4)
    g.s[g.c].split(g.i, factor=8)


def bind_fused(g: Graph) -> None:
    g.s[g.c].fuse(g.i, g.j)
    g.s[g.c].bind(g.j, te.thread_axis("threadIdx.x"))


def reorder_foreign(g: Graph) -> None:
    g.s[g.c].reorder(g.j, g.b.op.axis[0])


def reduction_axis_after_cache_write(g: Graph) -> None:
    g.s.cache_write(g.b, "local")
    g.s[g.b].split(g.k, factor=4)


def split_nothing(g: Graph) -> None:
    g.s[g.c].split(g.i)


def split_zero(g: Graph) -> None:
    g.s[g.c].split(g.i, factor=0)


def bind_no_thread(g: Graph) -> None:
    g.s[g.c].bind(g.i, g.j)


def inline_output(g: Graph) -> None:
    g.s[g.c].compute_inline()


def split_after_bind(g: Graph) -> None:
    g.s[g.c].bind(g.i, te.thread_axis("blockIdx.x"))
    g.s[g.c].split(g.i, factor=4)


def reorder_twice(g: Graph) -> None:
    g.s[g.c].reorder(g.i, g.i)


def fuse_apart(g: Graph) -> None:
    g.s[g.c].fuse(g.j, g.i)


def fuse_kinds(g: Graph) -> None:
    g.s[g.b].fuse(g.b.op.axis[0], g.k)


def schedule_input(g: Graph) -> None:
    g.s[g.a].compute_inline()


def attach_cycle(g: Graph) -> None:
    g.s[g.b].compute_at(g.s[g.c], g.i)
    g.s[g.c].compute_at(g.s[g.b], g.b.op.axis[0])


def cache_read_stranger(g: Graph) -> None:
    d = g.s.cache_read(g.a, "shared", [g.b])
    g.s.cache_read(d, "local", [g.c])


def cache_write_late(g: Graph) -> None:
    g.s[g.c].vectorize(g.s[g.c].split(g.i, factor=4)[1])
    g.s.cache_write(g.c, "local")


def rfactor_data_axis(g: Graph) -> None:
    g.s.rfactor(g.b, g.b.op.axis[0])


def unknown_scope(g: Graph) -> None:
    g.s[g.b].set_scope("sharde")


def align_loop(g: Graph) -> None:
    outer, _ = g.s[g.c].split(g.i, factor=4)
    g.s[g.c].storage_align(outer, 32, 1)


def stranger(g: Graph) -> None:
    g.s[Graph().c].compute_root()


def several_tensors(g: Graph) -> None:
    both: Any = (g.b, g.c)
    g.s[both].compute_root()


EAGER: list[tuple[Callable[[Graph], None], str, str]] = [
    (split_consumed, "GC102", "axis 'i' of stage C is gone: split"),
    (bind_fused, "GC102", "fuse"),
    (reorder_foreign, "GC103", "axis 'i' belongs to stage B, not to stage C"),
    (reduction_axis_after_cache_write, "GC102", "cache_write moved it to stage B.local"),
    (split_nothing, "GC104", "either factor or nparts"),
    (split_zero, "GC104", "factor is 0"),
    (bind_no_thread, "GC104", "no thread axis: 'j'"),
    (inline_output, "GC105", "'C' is an output"),
    (split_after_bind, "GC106", "bound to blockIdx.x"),
    (reorder_twice, "GC107", "'i' twice"),
    (fuse_apart, "GC108", "'i' does not follow 'j'"),
    (fuse_kinds, "GC108", "'i' (data-parallel) and 'k' (reduction)"),
    (schedule_input, "GC109", "'A' is an input"),
    (attach_cycle, "GC110", "C inside B inside C"),
    (cache_read_stranger, "GC111", "C does not read A.shared"),
    (cache_write_late, "GC112", "marked vectorize already"),
    (rfactor_data_axis, "GC113", "'i' of stage B is not a reduction axis"),
    (unknown_scope, "GC114", "'sharde'"),
    (align_loop, "GC115", "'i.outer' is no dimension"),
    (stranger, "GC101", "'C' is not part of this schedule"),
    (several_tensors, "GC101", "2 tensors are no stage"),
]


@pytest.mark.parametrize(("act", "code", "part"), EAGER, ids=[a.__name__ for a, _, _ in EAGER])
def test_what_no_later_primitive_can_mend_is_refused_at_once(
    act: Callable[[Graph], None], code: str, part: str
) -> None:
    with pytest.raises(ScheduleError) as caught:
        act(Graph())
    assert caught.value.code == code
    assert part in caught.value.message
    assert caught.value.where is not None
    assert caught.value.where.file == __file__


def test_a_stage_that_was_made_anew_says_where_its_axes_are() -> None:
    g = Graph()
    g.s.rfactor(g.b, g.k)
    with pytest.raises(ScheduleError, match="axis 'k' left stage B") as caught:
        g.s[g.b].split(g.k, factor=4)
    assert "s[B].op.reduce_axis" in str(caught.value)


def two_extents(g: Graph) -> None:
    tx = te.thread_axis("threadIdx.x")
    bs = g.s.cache_read(g.a, "shared", [g.c])
    g.s[g.c].bind(g.i, te.thread_axis("blockIdx.x"))
    g.s[bs].compute_at(g.s[g.c], g.i)
    g.s[g.c].bind(g.s[g.c].split(g.j, factor=16)[1], tx)
    g.s[bs].bind(g.s[bs].split(bs.op.axis[1], factor=32)[1], tx)  # the cause


def fixed_extent(g: Graph) -> None:
    g.s[g.c].bind(g.j, te.thread_axis((0, 32), "threadIdx.x"))  # the cause


def not_a_consumer(g: Graph) -> None:
    d = g.s.cache_write(g.c, "local")
    g.s[g.b].compute_at(g.s[g.c], g.i)  # the cause
    del d


def bound_reduction(g: Graph) -> None:
    g.s[g.b].bind(g.k, te.thread_axis("blockIdx.x"))  # the cause


def vector_of_unknown_length(g: Graph) -> None:
    n = te.var("n")
    g.a = te.placeholder((n,), name="A")
    g.c = te.compute((n,), lambda i: g.a[i] + 1.0, name="C")
    g.s = te.create_schedule(g.c.op)
    g.s[g.c].vectorize(g.c.op.axis[0])  # the cause


def vector_of_a_reduction(g: Graph) -> None:
    g.s[g.b].vectorize(g.k)  # the cause


def parallel_reduction(g: Graph) -> None:
    g.s[g.b].parallel(g.k)  # the cause


def inlined_reduction(g: Graph) -> None:
    g.s[g.b].compute_inline()  # the cause


def attached_to_inlined(g: Graph) -> None:
    d = g.s.cache_write(g.c, "global")
    g.s[g.b].compute_at(g.s[d], d.op.axis[0])  # the cause
    g.s[d].compute_inline()


def same_thread_twice(g: Graph) -> None:
    tx = te.thread_axis("threadIdx.x")
    g.s[g.c].bind(g.i, tx)
    g.s[g.c].bind(g.j, tx)  # the cause


def local_memory_at_root(g: Graph) -> None:
    g.s[g.c].bind(g.i, te.thread_axis("threadIdx.x"))
    g.s[g.b].set_scope("local")  # the cause


def global_memory_in_a_kernel(g: Graph) -> None:
    g.s[g.c].bind(g.i, te.thread_axis("blockIdx.x"))
    g.s[g.b].set_scope("global")  # the cause
    g.s[g.b].compute_at(g.s[g.c], g.i)


def local_memory_filled_by_others(g: Graph) -> None:
    g.s[g.c].bind(g.i, te.thread_axis("blockIdx.x"))
    local = g.s.cache_read(g.a, "local", [g.c])
    g.s[local].compute_at(g.s[g.c], g.i)
    g.s[local].bind(local.op.axis[1], te.thread_axis("threadIdx.x"))  # the cause


def threads_of_different_rows(g: Graph) -> None:
    g.s[g.c].bind(g.i, te.thread_axis("threadIdx.x"))
    g.s[g.b].compute_at(g.s[g.c], g.i)  # the cause
    g.s[g.b].bind(g.s[g.b].split(g.k, factor=32)[1], te.thread_axis("threadIdx.x"))


def reduction_outside_of_data(g: Graph) -> None:
    g.s[g.b].reorder(g.k, g.b.op.axis[0])
    ko, ki = g.s[g.b].split(g.k, factor=16)
    g.s[g.b].bind(ki, te.thread_axis("threadIdx.x"))  # the cause
    del ko


LATE: list[tuple[Callable[[Graph], None], str, str]] = [
    (
        two_extents,
        "GC120",
        "threadIdx.x is bound with extent 32 by axis 'ax1.inner' of stage A.shared, but with extent 16",
    ),
    (fixed_extent, "GC120", "extent 32 by its own domain, but axis 'j' of stage C has extent 64"),
    (not_a_consumer, "GC121", "stage B is computed at 'i' of stage C, but C.local reads it outside of that loop"),
    (bound_reduction, "GC122", "'k' of stage B is a reduction axis and cannot be bound to blockIdx.x"),
    (vector_of_unknown_length, "GC123", "its extent n is no constant"),
    (vector_of_a_reduction, "GC123", "'k' of stage B is a reduction axis"),
    (parallel_reduction, "GC129", "'k' of stage B is a reduction axis"),
    (inlined_reduction, "GC124", "stage B is a reduction"),
    (attached_to_inlined, "GC125", "stage B is to be computed inside of stage C.global, which is inlined"),
    (same_thread_twice, "GC126", "threadIdx.x is bound to both 'i' and 'j' of stage C"),
    (local_memory_at_root, "GC128", "stage B lives in local memory but is computed at root"),
    (global_memory_in_a_kernel, "GC128", "global memory but is computed inside of the kernel of C"),
    (local_memory_filled_by_others, "GC128", "every thread would compute only a part"),
    (threads_of_different_rows, "GC122", "needs another element of axis 'i'"),
    (reduction_outside_of_data, "GC122", "reduction loop 'k.outer' is outside of the data-parallel loop 'i'"),
]


@pytest.mark.parametrize(("act", "code", "part"), LATE, ids=[a.__name__ for a, _, _ in LATE])
def test_the_rest_is_reported_at_the_line_of_its_cause(act: Callable[[Graph], None], code: str, part: str) -> None:
    g = Graph()
    act(g)
    with pytest.raises(ScheduleError) as caught:
        g.lower()
    error = caught.value
    assert error.code == code
    assert part in error.message
    assert error.hint
    assert error.where is not None
    assert "# the cause" in error.where.text
    with pytest.raises(ScheduleError, match=code):
        g.s.check()


def test_the_whole_text_of_an_error() -> None:
    g = Graph()
    g.s[g.b].compute_at(g.s[g.c], g.i)
    g.s[g.b].vectorize(g.k)
    line = g.s.trace.steps[-1].span
    assert line is not None
    with pytest.raises(ScheduleError) as caught:
        g.lower()
    assert str(caught.value).splitlines() == [
        "gpucomp.ScheduleError[GC123]: axis 'k' of stage B is a reduction axis and cannot be "
        "vectorised: its iterations add "
        "to one element",
        f"  --> test_schedule_errors.py:{line.line}   g.s[g.b].vectorize(g.k)",
        "      stage B, loop nest i(32) > k(64)",
        "  help: s.rfactor(B, k) makes a dimension of it, which can be vectorised",
    ]


def test_a_tensor_missing_from_the_arguments_is_named() -> None:
    g = Graph()
    with pytest.raises(
        ScheduleError, match="tensor 'A' is read by the kernel but missing from the arguments"
    ) as caught:
        te.lower_schedule(g.s, [g.c])
    assert caught.value.code == "GC130"
    with pytest.raises(ScheduleError, match="'C' is written by the kernel but missing"):
        te.lower_schedule(g.s, [g.a])


def test_an_argument_that_nothing_touches_is_refused() -> None:
    g = Graph()
    other = te.placeholder((3,), name="other")
    with pytest.raises(ScheduleError, match="'other' is neither read nor written"):
        te.lower_schedule(g.s, [g.a, other, g.c])
    with pytest.raises(ScheduleError, match="'A' appears twice"):
        te.lower_schedule(g.s, [g.a, g.a, g.c])
    with pytest.raises(ScheduleError, match="argument 1 is a int"):
        te.lower_schedule(g.s, [g.a, 3, g.c])  # pyright: ignore[reportArgumentType]  # the error under test


def test_a_variable_that_no_argument_gives_is_named() -> None:
    n, alpha = te.var("n"), te.var("alpha", "float32")
    a = te.placeholder((n * 2,), name="A")
    c = te.compute((n * 2,), lambda i: a[i] * alpha, name="C")
    s = te.create_schedule(c.op)
    with pytest.raises(ScheduleError, match="variable 'n' is used by the kernel") as caught:
        te.lower_schedule(s, [a, alpha, c])
    assert caught.value.code == "GC131"
    assert len(te.lower_schedule(s, [a, alpha, n, c]).params) == 4


def test_a_stage_cannot_be_computed_inside_of_what_it_reads() -> None:
    a = te.placeholder((8, 8), name="A")
    b = te.compute((8, 8), lambda i, j: a[i, j] + 1.0, name="B")
    c = te.compute((8, 8), lambda i, j: b[i, j] * 2.0, name="C")
    s = te.create_schedule(c.op)
    s[c].compute_at(s[b], b.op.axis[0])
    with pytest.raises(ScheduleError, match=r"GC121.*B comes before C"):
        te.lower_schedule(s, [a, c])
