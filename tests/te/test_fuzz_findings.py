"""What random schedules found, each as the smallest program that showed it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any  # Any: buffers

import numpy as np
import pytest

from gpucomp import te, tir
from gpucomp.driver.build import lower_primfunc
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.target import Target
from gpucomp.te.schedule import AutoInlineInjective
from gpucomp.te.trace import replay
from gpucomp.tir import For, ForKind
from gpucomp.tir.interp import interpret
from tests.te.backends import everywhere, rebuilt
from tests.te.helpers import Array, check, small_ints
from tests.te.intrinsics import copy_intrin


@pytest.mark.parametrize("factor_axis", [0, 1])
def test_rfactor_of_an_axis_that_does_not_start_at_zero(factor_axis: int) -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((5, 11), name="A")
        k = te.reduce_axis((2, 9), "k")
        b = te.compute((5,), lambda i: te.sum(a[i, k], axis=k), name="B")
        s = te.create_schedule(b.op)
        s.rfactor(b, k, factor_axis)
        return s, [a, b]

    x = small_ints((5, 11))
    everywhere(program, [x], x[:, 2:9].sum(1))


def test_rfactor_of_uneven_parts_reads_nothing_past_the_end_for_the_condition_either() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((8, 8), name="A")
        k = te.reduce_axis((0, 8), "k")
        b = te.compute((8,), lambda i: te.sum(a[i, k], axis=k, where=a[i, k] > 0.0), name="B")
        s = te.create_schedule(b.op)
        _, inner = s[b].split(k, factor=3)
        s.rfactor(b, inner)
        return s, [a, b]

    x = small_ints((8, 8))
    everywhere(program, [x], np.where(x > 0, x, 0).sum(1))


def test_the_interpreter_takes_an_extent_from_whichever_argument_has_it() -> None:
    n = te.var("n")
    a = te.placeholder((n + 2,), name="A")
    b = te.compute((n,), lambda i: a[i] + a[i + 2], name="B")
    func = te.lower_schedule(te.create_schedule(b.op), [a, b])
    x, y = small_ints((9,)), np.empty(7, np.float32)
    interpret(func, [x, y])
    np.testing.assert_array_equal(y, x[:-2] + x[2:])
    with pytest.raises(ArgumentError, match="must have extent 9"):
        interpret(func, [small_ints((8,)), y])


def test_a_trace_with_a_store_predicate_over_axes_prints_and_replays() -> None:
    def graph() -> tuple[te.Tensor, te.Tensor]:
        a = te.placeholder((6, 8), name="A")
        return a, te.compute((6, 8), lambda i, j: a[i, j] * 2.0, name="B")

    a, b = graph()
    s = te.create_schedule(b.op)
    outer, inner = s[b].split(b.op.axis[1], factor=4)
    s[b].set_store_predicate(tir.all(b.op.axis[0].var >= 2, inner.var < 3, outer.var < 1))
    rebuilt(s, [a, b])
    s[b].set_store_predicate(tir.const(1, "bool"))
    rebuilt(s, [a, b])
    c, d = graph()
    assert te.lower_schedule(replay(s.trace, d), [c, d]).script() == te.lower_schedule(s, [a, b]).script()


def test_a_store_predicate_may_use_a_symbolic_extent() -> None:
    n = te.var("n")
    a = te.placeholder((n, 8), name="A")
    b = te.compute((n, 8), lambda i, j: a[i, j] * 2.0, name="B")
    s = te.create_schedule(b.op)
    s[b].set_store_predicate(b.op.axis[0].var < n - 1)
    x = small_ints((6, 8))
    check(s, [a, b], [x], np.where(np.arange(6)[:, None] < 5, 2 * x, np.float32(77)))


def test_auto_inline_leaves_what_an_extern_reads_in_memory() -> None:
    def copy(ins: Any, outs: Any) -> tir.Stmt:
        return For(i := tir.Var("i", "int32"), 0, 8, ForKind.SERIAL, tir.BufferStore(outs[0], ins[0][i], [i]))

    a = te.placeholder((8,), name="A")
    b = te.compute((8,), lambda i: a[i] * 2.0, name="B")
    c = te.extern((8,), [b], copy, name="C")
    d = te.compute((8,), lambda i: c[i] + 1.0, name="D")
    s = te.create_schedule(d.op)
    AutoInlineInjective(s)
    assert s[b].attach_type == te.AttachType.GROUP_ROOT
    x = small_ints((8,))
    check(s, [a, d], [x], 2 * x + 1)


def recurrence() -> tuple[te.Tensor, te.Tensor, te.Tensor, te.Tensor, te.Tensor]:
    x, state = te.placeholder((4, 6), name="X"), te.placeholder((4, 6), name="state")
    first = te.compute((1, 6), lambda _, i: x[0, i], name="first")
    twice = te.compute((4, 6), lambda t, i: x[t, i] + state[t - 1, i], name="twice")
    step = te.compute((4, 6), lambda t, i: state[t - 1, i] + twice[t, i], name="step")
    return x, first, twice, step, te.scan(first, step, state, name="total")


def total_of(x: Array) -> Array:
    want = x.copy()
    for t in range(1, len(x)):
        want[t] += 2 * want[t - 1]
    return want


def test_the_initial_part_of_a_scan_may_be_tensorized() -> None:
    x, first, _, _, total = recurrence()
    s = te.create_schedule(total.op)
    _, inner = s[first].split(first.op.axis[1], factor=3)
    s[first].tensorize(inner, copy_intrin(1, 3))
    data = small_ints((4, 6))
    check(s, [x, total], [data], total_of(data))


def test_a_part_of_a_scan_may_have_another_layout() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        x, _, twice, _, total = recurrence()
        s = te.create_schedule(total.op)
        s[twice].transform_layout(lambda t, i: [t, i % 3, i // 3])
        return s, [x, total]

    x = small_ints((4, 6))
    everywhere(program, [x], total_of(x))


@pytest.mark.parametrize("extent", ["te.var", "te.size_var"])
def test_layouts_of_tensors_with_symbolic_extents(extent: str) -> None:
    n = te.var("n") if extent == "te.var" else te.size_var("n")
    a = te.placeholder((n, 10), name="A")
    b = te.compute((n, 10), lambda i, j: a[i, j] * 2.0, name="B")
    c = te.compute((n, 10), lambda i, j: b[i, 9 - j] + 1.0, name="C")
    x = small_ints((5, 10))
    maps: list[Callable[..., Any]] = [
        lambda i, j: [j, i],
        lambda i, j: [i // 4, j, i % 4],
        lambda i, j: [i, j // 4, j % 4],
        lambda i, j: [i * 10 + j],
    ]  # fmt: skip
    for order in maps:
        s = te.create_schedule(c.op)
        s[b].transform_layout(order)
        check(s, [a, c], [x], 2 * x[:, ::-1] + 1)


@pytest.mark.parametrize("start", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_padding_reads_nothing_for_conditions_and_start_values(start: bool, packed: bool) -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a, begin = te.placeholder((10, 8), name="A"), te.placeholder((10,), name="start")
        k = te.reduce_axis((0, 8), "k")
        first = (lambda i: begin[i] * 2.0) if start else lambda _: None
        b = te.compute((10,), lambda i: te.sum(a[i, k], axis=k, where=a[i, k] > 0.0, init=first(i)), name="B")
        c = te.compute((10,), lambda i: b[i] + begin[i], name="C")
        s = te.create_schedule(c.op)
        summed = b
        if packed:
            s[b].split(b.op.axis[0], factor=4)
            summed = s.cache_write(b, "local")
        else:
            s[b].transform_layout(lambda i: [i // 4, i % 4])
        if not start:
            s.rfactor(summed, k)
        return s, [a, begin, c]

    x, y = small_ints((10, 8)), small_ints((10,), seed=1)
    everywhere(program, [x, y], np.where(x > 0, x, 0).sum(1) + (3 * y if start else y))


@pytest.mark.opencl
def test_threads_around_a_nest_guard_its_stores_wherever_they_stand_among_the_loops() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((6,), name="A")
        k = te.reduce_axis((0, 6), "k")
        b = te.compute((1,), lambda _: te.sum(a[k], axis=k), name="B")
        s = te.create_schedule(b.op)
        s[b].env_threads([te.thread_axis((0, 4), "threadIdx.x")])
        s[b].fuse()
        return s, [a, b]

    x = small_ints((6,))
    everywhere(program, [x], x.sum(keepdims=True), opencl=True)
    s, args = program()
    assert "if threadIdx_x == 0:" in te.lower_schedule(s, args).script()


def test_a_region_may_begin_where_an_input_says() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        at, table = te.placeholder((5,), "int32", "at"), te.placeholder((4, 3), name="table")
        double = te.compute((4, 3), lambda i, j: table[i, j] * 2.0, name="double")
        c = te.compute((5, 3), lambda i, j: double[tir.abs(at[i]) % 4, j], name="C")
        s = te.create_schedule(c.op)
        s[double].compute_at(s[c], c.op.axis[0])
        return s, [at, table, c]

    where, x = small_ints((5,), "int32"), small_ints((4, 3))
    everywhere(program, [where, x], 2 * x[np.abs(where) % 4])


@pytest.mark.opencl
def test_a_store_predicate_that_names_no_thread_leaves_the_choice_of_the_thread() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((6, 5), name="A")
        k = te.reduce_axis((0, 5), "k")
        b = te.compute((6,), lambda i: te.sum(a[i, k], axis=k), name="B")
        s = te.create_schedule(b.op)
        s[b].env_threads([te.thread_axis((0, 8), "threadIdx.x")])
        s[b].set_store_predicate(b.op.axis[0].var >= 0)
        return s, [a, b]

    x = small_ints((6, 5))
    everywhere(program, [x], x.sum(1), opencl=True)


@pytest.mark.opencl
def test_a_result_is_in_the_callers_memory_whatever_its_scope() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((6, 5), name="A")
        k = te.reduce_axis((0, 5), "k")
        b = te.compute((6,), lambda i: te.sum(a[i, k], axis=k), name="B")
        s = te.create_schedule(b.op)
        s[b].env_threads([te.thread_axis((0, 2), "blockIdx.x"), te.thread_axis((0, 8), "threadIdx.x")])
        s[b].set_scope("shared")
        return s, [a, b]

    x = small_ints((6, 5))
    everywhere(program, [x], x.sum(1), opencl=True)


def test_a_sum_is_double_buffered_where_it_is_computed() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((6, 5), name="A")
        k = te.reduce_axis((0, 5), "k")
        b = te.compute((6,), lambda i: te.sum(a[i, k], axis=k), name="B")
        c = te.compute((6, 4), lambda i, j: b[i] + te.Select(j > 1, 1.0, 0.0), name="C")
        s = te.create_schedule(c.op)
        s[b].compute_at(s[c], c.op.axis[1])
        s[b].set_scope("shared")
        s[b].double_buffer()
        return s, [a, c]

    x = small_ints((6, 5))
    everywhere(program, [x], x.sum(1, keepdims=True) + np.array([0, 0, 1, 1], "float32"))


def test_a_hint_to_fetch_what_the_loop_itself_computes_says_nothing() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((6, 8), name="A")
        b = te.compute((6, 8), lambda i, j: a[i, j] * 2.0, name="B")
        c = te.compute((6, 8), lambda i, j: b[i, j] + 1.0, name="C")
        s = te.create_schedule(c.op)
        s[b].compute_at(s[c], c.op.axis[1])
        s[c].parallel(c.op.axis[1])
        s[c].prefetch(b, c.op.axis[0], 2)
        return s, [a, c]

    x = small_ints((6, 8))
    everywhere(program, [x], 2 * x + 1)


@pytest.mark.opencl
def test_a_hint_outside_of_virtual_threads_is_for_all_of_them() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((3, 8), name="A")
        b = te.compute((3, 8), lambda i, j: a[i, 7 - j] * 2.0, name="B")
        s = te.create_schedule(b.op)
        outer, inner = s[b].split(b.op.axis[1], factor=4)
        block, virtual = s[b].split(outer, factor=3)
        s[b].bind(virtual, te.thread_axis("vthread", name="vx"))
        s[b].bind(block, te.thread_axis("blockIdx.x"))
        s[b].bind(inner, te.thread_axis("threadIdx.x"))
        s[b].prefetch(a, b.op.axis[0], 0)
        return s, [a, b]

    x = small_ints((3, 8))
    everywhere(program, [x], 2 * x[:, ::-1], opencl=True)
    s, args = program()
    lowered = lower_primfunc(te.lower_schedule(s, args), Target("opencl"))
    interpret(lowered, [x, out := np.full((3, 8), np.nan, np.float32)])
    np.testing.assert_array_equal(out, 2 * x[:, ::-1])


def test_a_split_without_a_check_gets_one_where_only_part_of_its_axis_is_computed() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((6,), name="A")
        b = te.compute((6,), lambda i: a[i] * 2.0, name="B")
        c = te.compute((3,), lambda i: b[(2 - i) * 2], name="C")  # B[0:5]
        s = te.create_schedule(c.op)
        s[b].split(b.op.axis[0], factor=3, disable_predication=True)
        return s, [a, c]

    x = small_ints((6,))
    everywhere(program, [x], 2 * x[4::-2])
    s, args = program()
    assert "i_outer * 3 + i_inner < 5" in te.lower_schedule(s, args).script()


@pytest.mark.opencl
@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("threads", [False, True])
def test_a_region_that_begins_where_an_input_says_is_not_looked_for_past_the_end(cached: bool, threads: bool) -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        at, table = te.placeholder((5,), "int32", "at"), te.placeholder((4, 3), name="table")
        double = te.compute((4, 3), lambda i, j: table[i, j] * 2.0, name="double")
        c = te.compute((5, 3), lambda i, j: double[tir.abs(at[i]) % 4, j], name="C")
        s = te.create_schedule(c.op)
        reader = s.cache_write(c, "local") if cached else c
        outer, inner = s[c].split(c.op.axis[0], factor=4)
        if threads:
            s[c].bind(outer, te.thread_axis("blockIdx.x"))
            s[c].bind(inner, te.thread_axis("threadIdx.x"))
        if cached:
            s[reader].compute_at(s[c], inner)
        s[double].compute_at(s[reader], s[reader].op.axis[0] if cached else inner)
        return s, [at, table, c]

    where, x = small_ints((5,), "int32"), small_ints((4, 3))
    want = 2 * x[np.abs(where) % 4]
    everywhere(program, [where, x], want, opencl=threads)
    s, args = program()
    target = Target("opencl" if threads else "llvm")
    lowered = lower_primfunc(te.lower_schedule(s, args), target)
    interpret(lowered, [where, x, out := np.full((5, 3), np.nan, np.float32)])
    np.testing.assert_array_equal(out, want)


@pytest.mark.opencl
def test_what_threads_past_the_end_would_read_does_not_begin_before_what_is_read() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((2, 8), name="A")
        b = te.compute((2, 8), lambda t, i: a[t - 1, i] * 2.0, name="B")  # defined for t = 1 only, as in a scan
        c = te.compute((1, 8), lambda _, i: b[1, i] + 1.0, name="C")
        s = te.create_schedule(c.op)
        block, thread = s[c].split(c.op.axis[1], factor=32)
        s[c].bind(block, te.thread_axis("blockIdx.x"))
        s[c].bind(thread, tx := te.thread_axis("threadIdx.x"))
        shared = s.cache_read(b, "shared", [c])
        s[shared].compute_at(s[c], block)
        _, inner = s[shared].split(s[shared].fuse(*shared.op.axis), factor=32)
        s[shared].bind(inner, tx)
        own = s.cache_read(b, "local", [shared])
        s[own].compute_at(s[shared], inner)
        s[b].bind(s[b].op.axis[1], te.thread_axis("threadIdx.x"))
        return s, [a, c]

    x = small_ints((2, 8))
    everywhere(program, [x], 2 * x[:1] + 1, opencl=True)
    s, args = program()
    assert "T.realize(B[1:2, 0:8]" in te.lower_schedule(s, args).script()


def test_the_interpreter_divides_vectors_by_constants_under_a_condition_of_each_lane() -> None:
    a, b = tir.decl_buffer((8,), "int32", "A"), tir.decl_buffer((4,), "int32", "B")
    lanes = tir.Ramp(0, 1, 4)
    near = tir.And(lanes < tir.Broadcast(3, 4), lanes // tir.Broadcast(2, 4) < tir.Broadcast(1, 4))
    body = tir.BufferStore(b, tir.Select(near, tir.BufferLoad(a, (lanes,)), tir.Broadcast(7, 4)), (lanes,))
    x, y = small_ints((8,), "int32"), np.zeros(4, np.int32)
    pa, pb = tir.Var("a", "handle"), tir.Var("b", "handle")
    interpret(tir.PrimFunc([pa, pb], body, {pa: a, pb: b}, {"global_symbol": "main"}), [x, y])
    np.testing.assert_array_equal(y, [x[0], x[1], 7, 7])


def test_a_store_predicate_may_name_a_thread_axis_of_extent_one() -> None:
    a = te.placeholder((4,), name="A")
    b = te.compute((4,), lambda i: a[i] * 2.0, name="B")
    s = te.create_schedule(b.op)
    thread = te.thread_axis((0, 1), "threadIdx.x")
    s[b].env_threads([thread])
    s[b].set_store_predicate(thread.var >= 0)
    rebuilt(s, [a, b])
    x = small_ints((4,))
    check(s, [a, b], [x], 2 * x)


@pytest.mark.opencl
@pytest.mark.parametrize("summed", [False, True])
@pytest.mark.parametrize("steps", [2, 4])
def test_threads_past_the_end_of_a_step_read_no_row_of_the_state_that_others_are_writing(
    steps: int, summed: bool
) -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        x, state = te.placeholder((steps, 3, 4), name="X"), te.placeholder((steps, 3, 4), name="state")
        first = te.compute((1, 3, 4), lambda _, i, j: x[0, i, j], name="first")
        k = te.reduce_axis((0, 2), "k")

        def part(t: tir.Var, i: tir.Var, j: tir.Var) -> tir.Expr:
            return te.sum(state[t - 1, i, (j + k) % 4], axis=k) if summed else state[t - 1, i, j] * 3.0

        mid = te.compute((steps, 3, 4), part, name="mid")
        step = te.compute((steps, 3, 4), lambda t, i, j: mid[t, i, j] + x[t, i, j], name="step")
        total = te.scan(first, step, state, name="total")
        s = te.create_schedule(total.op)
        for each in (first, step):
            block, thread = s[each].split(s[each].fuse(*each.op.axis), 8)  # 16 threads for 12 elements
            s[each].bind(block, te.thread_axis("blockIdx.x"))
            s[each].bind(thread, te.thread_axis("threadIdx.x"))
        s[mid].set_scope("local")
        s[mid].compute_at(s[step], thread)
        return s, [x, total]

    x = small_ints((steps, 3, 4))
    want = [x[0]]
    for row in x[1:]:
        want.append((want[-1] + np.roll(want[-1], -1, 1) if summed else want[-1] * 3) + row)
    everywhere(program, [x], np.array(want), opencl=True)
    s, args = program()
    interpret(lower_primfunc(te.lower_schedule(s, args), Target("opencl")), [x, out := np.zeros_like(x)])
    np.testing.assert_array_equal(out, np.array(want))


def test_steps_written_as_digits_are_the_steps_that_they_stand_for() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        x = te.placeholder((5, 4), name="X")
        p, q = te.placeholder((5, 4), name="p"), te.placeholder((5, 4), name="q")
        p0, q0 = (
            te.compute((1, 4), lambda _, i: x[0, i], name="p0"),
            te.compute((1, 4), lambda _, i: x[0, i], name="q0"),
        )
        mid = te.compute((5, 4), lambda t, i: p[t - 1, i] + q[t - 1, i], name="mid")  # not defined for t = 0
        p1 = te.compute((5, 4), lambda t, i: mid[t, i] + x[t, i], name="p1")
        q1 = te.compute((5, 4), lambda t, i: mid[t, i] - x[t, i], name="q1")
        first, second = te.scan([p0, q0], [p1, q1], [p, q], name="both")
        s = te.create_schedule([first.op])
        s[s.cache_write(p1, "global")].transform_layout(lambda t, i: [t // 2, i, t % 2])
        return s, [x, first, second]

    x = small_ints((5, 4))
    want = np.stack([x, x])
    for t in range(1, 5):
        want[:, t] = want[0, t - 1] + want[1, t - 1] + np.stack([x[t], -x[t]])
    everywhere(program, [x], want[0], want[1])
    assert "T.realize(mid[both_idx + 1:both_idx + 1 + 1, 0:4]" in te.lower_schedule(*program()).script()


@pytest.mark.opencl
def test_what_is_summed_for_threads_past_the_end_of_a_step_has_a_value() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        x, state = te.placeholder((4, 2, 3), name="X"), te.placeholder((4, 2, 3), name="state")
        first = te.compute((1, 2, 3), lambda _, i, j: x[0, i, j], name="first")
        k = te.reduce_axis((0, 3), "k")
        mid = te.compute((4, 2, 3), lambda t, i, j: te.sum(state[t - 1, i, k], axis=k), name="mid")
        step = te.compute((4, 2, 3), lambda t, i, j: mid[t, i, j] + x[t, i, j], name="step")
        total = te.scan(first, step, state, name="total")
        s = te.create_schedule(total.op)
        own = s.cache_read(mid, "local", [step])
        for each in (first, mid, step):
            block, thread = s[each].split(s[each].fuse(*each.op.axis), 8)
            s[each].bind(block, te.thread_axis("blockIdx.x"))
            s[each].bind(thread, te.thread_axis("threadIdx.x"))
        s[own].compute_at(s[step], thread)
        return s, [x, total]

    x = small_ints((4, 2, 3))
    want = [x[0]]
    for row in x[1:]:
        want.append(want[-1].sum(1, keepdims=True) + row)
    everywhere(program, [x], np.array(want), opencl=True)
    s, args = program()
    interpret(lower_primfunc(te.lower_schedule(s, args), Target("opencl")), [x, out := np.zeros_like(x)])
    np.testing.assert_array_equal(out, np.array(want))


@pytest.mark.parametrize("tiles", [False, True])
def test_a_part_of_a_symbolic_extent_is_divided_by_what_divides_the_whole_only_with_a_check(tiles: bool) -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        n = te.var("n")
        a = te.placeholder((n,), name="A")
        b = te.compute((n,), lambda i: a[i] * 2.0, name="B")
        c = te.compute((n - 5,), lambda i: b[i] + b[i + 5], name="C")
        s = te.create_schedule(c.op)
        s[b].split(b.op.axis[0], factor=4, disable_predication=True)  # as 4 divides n
        s[b].compute_at(s[c], s[c].split(c.op.axis[0], nparts=2)[0] if tiles else c.op.axis[0])
        return s, [a, c]

    x = small_ints((16,))
    everywhere(program, [x], 2 * (x[:11] + x[5:]))


def test_a_whole_symbolic_extent_is_divided_without_a_check_where_that_is_said() -> None:
    n = te.var("n")
    a = te.placeholder((n, 3), name="A")
    b = te.compute((n, 3), lambda i, j: a[i, j] * 2.0, name="B")
    s = te.create_schedule(b.op)
    outer, _ = s[b].split(b.op.axis[0], factor=4, disable_predication=True)
    s[b].split(outer, factor=2, disable_predication=True)
    assert "likely" not in te.lower_schedule(s, [a, b]).script()
    x = small_ints((16, 3))
    check(s, [a, b], [x], 2 * x)


def test_an_intrinsic_writes_a_region_that_begins_where_an_input_says() -> None:
    at = te.placeholder((1,), "int32", name="at")
    table = te.placeholder((4, 1), name="table")
    copied = te.compute((4, 1), lambda i, j: table[i, j], name="copied")
    c = te.compute((1, 1), lambda i, j: copied[tir.abs(at[i]) % 4, j], name="C")
    s = te.create_schedule(c.op)
    s.cache_read(at, "local", [c])
    s[copied].compute_at(s[c], s[c].fuse(*c.op.axis))
    s[copied].tensorize(s[copied].split(copied.op.axis[0], factor=1)[1], copy_intrin(1, 1))
    where, x = small_ints((1,), "int32"), small_ints((4, 1))
    check(s, [at, table, c], [where, x], x[np.abs(where) % 4])


@pytest.mark.opencl
def test_an_update_computes_its_step_only_whatever_rows_a_copy_of_it_may_hold() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        x = te.placeholder((4, 3, 4), name="X")
        c, h = te.placeholder((4, 3, 4), name="c"), te.placeholder((4, 3, 4), name="h")
        c0 = te.compute((1, 3, 4), lambda _, i, j: x[0, i, j], name="c0")
        h0 = te.compute((1, 3, 4), lambda _, i, j: x[0, i, j], name="h0")
        cell = te.compute((4, 3, 4), lambda t, i, j: 2.0 * c[t - 1, i, j] + h[t - 1, i, 3 - j], name="cell")
        out = te.compute((4, 3, 4), lambda t, i, j: cell[t, i, j] - x[t, i, j], name="out")
        both = te.scan([c0, h0], [cell, out], [c, h], name="both")
        s = te.create_schedule(both[0].op)
        copy = s.cache_read(cell, "shared", [out])
        for each in (c0, h0, cell, out):
            block, thread = s[each].split(s[each].fuse(*each.op.axis), 8)  # 16 threads for 12 elements
            s[each].bind(block, te.thread_axis("blockIdx.x"))
            s[each].bind(thread, te.thread_axis("threadIdx.x"))
        s[copy].compute_at(s[out], thread)
        s[s.cache_read(cell, "local", [copy])].compute_at(s[copy], s[copy].fuse(*copy.op.axis))
        return s, [x, *both]

    x = small_ints((4, 3, 4))
    c, h = x.copy(), x.copy()
    for t in range(1, 4):
        c[t] = 2 * c[t - 1] + h[t - 1][:, ::-1]
        h[t] = c[t] - x[t]
    everywhere(program, [x], c, h, opencl=True)
    s, args = program()
    interpret(lower_primfunc(te.lower_schedule(s, args), Target("opencl")), [x, np.zeros_like(x), np.zeros_like(x)])


def test_pocl_stores_what_a_loop_with_barriers_summed_under_a_condition() -> None:
    """PoCL lost the work-items that left the loop over ``ry`` through its last branch: nothing was stored."""

    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        x = te.placeholder((6, 4, 4), name="X")
        w = te.placeholder((6, 2, 2), name="W")
        ry, rx = te.reduce_axis((0, 2), "ry"), te.reduce_axis((0, 2), "rx")
        y = te.compute((6, 3, 3), lambda f, i, j: te.sum(x[f, i + ry, j + rx] * w[f, ry, rx], axis=[ry, rx]), name="Y")
        s = te.create_schedule(y.op)
        total = s.cache_write(y, "local")
        f, i, j = y.op.axis
        i_thread, i_here = s[y].split(i, nparts=2)
        s[y].reorder(f, i_thread, j, i_here)
        thread_x, thread_y = te.thread_axis("threadIdx.x"), te.thread_axis("threadIdx.y")
        s[y].bind(f, te.thread_axis("blockIdx.z"))
        s[y].bind(i_thread, thread_y)
        block_j, j_thread = s[y].split(j, factor=4)
        s[y].bind(block_j, te.thread_axis("blockIdx.x"))
        s[y].bind(j_thread, thread_x)
        s[total].compute_at(s[y], i_here)
        shared = s.cache_read(x, "shared", [total])
        s[shared].compute_at(s[total], s[total].op.reduce_axis[0])
        fused, across = s[shared].split(s[shared].fuse(*s[shared].op.axis), factor=4)
        _, down = s[shared].split(fused, factor=2)
        s[shared].bind(across, thread_x)
        s[shared].bind(down, thread_y)
        return s, [x, w, y]

    a, b = small_ints((6, 4, 4)), small_ints((6, 2, 2))
    want = sum([a[:, r : r + 3, c : c + 3] * b[:, r, c, None, None] for r in range(2) for c in range(2)])
    everywhere(program, [a, b], np.asarray(want), opencl=True)
