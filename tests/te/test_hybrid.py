"""Hybrid scripts: the compiled operation does what Python does, whatever the schedule, and mistakes are named."""

# pyright: reportUndefinedVariable=false, reportPossiblyUnboundVariable=false
# ruff: noqa: F821
# (scripts use words that only they know)

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.support.diagnostics import GpucompError
from tests.te.everywhere import everywhere
from tests.te.helpers import small_ints

WIDTH = 3
Scheduler = Callable[[te.Schedule, te.Tensor], None]


@te.hybrid.script
def prefix_sums(a: Any) -> Any:
    """b[i, j] = a[i, 0] + ... + a[i, j]"""
    b = output_tensor(a.shape, "float32")
    for i in range(a.shape[0]):
        total = float32(0)
        for j in range(a.shape[1]):
            total += a[i, j]
            b[i, j] = total
    return b


@te.hybrid.script
def matmul(a: Any, b: Any) -> Any:
    """The product of two matrices."""
    n, k, m = a.shape[0], len(b), b.shape[1]
    c = output_tensor((n, m), "float32")
    for i, j in grid(n, m):
        c[i, j] = 0.0
    for i2 in range(n):
        for j2 in range(m):
            for q in range(k):
                c[i2, j2] += a[i2, q] * b[q, j2]
    return c


@te.hybrid.script
def everything(a: Any, scale: Any) -> Any:
    """Branches, two outputs, memory, constants of the module, intrinsics."""
    n = a.shape[0]
    b = output_tensor((n,), "float32")
    where = output_tensor((n,), "int32")
    window = allocate((WIDTH,), "float32", "local")
    for i in range(n):
        for k in const_range(WIDTH):
            window[k] = a[min(i + k, n - 1)] if i % 2 == 0 else a[max(i - k, 0)]
        best, at = window[0], 0
        for k2 in unroll(1, WIDTH):
            if window[k2] > best and not (i == 2 or 5 <= i < 6):
                best = window[k2]
                at = k2
        where[i] = at
        x = best * scale
        if x < -1.0:
            b[i] = -x
        elif x > 2.0:
            b[i] = math.sqrt(x * x)
        else:
            b[i] = floor(x / 2.0) + abs(x) ** 2
    return b, where


def compare(
    script: Any, tensors: list[Any], arrays: list[Any], schedule: Scheduler | None = None, **options: Any
) -> None:
    """The script on tensors, in all backends, against itself on float64 arrays in plain Python."""
    wanted = script(*[np.asarray(x, np.float64) if np.asarray(x).dtype.kind == "f" else x for x in arrays])
    made = script(*tensors)
    outputs = made if isinstance(made, list) else [made]
    s = te.create_schedule(outputs[0].op)
    if schedule is not None:
        schedule(s, outputs[0])
    everywhere(s, [*tensors, *outputs], arrays, wanted if isinstance(wanted, tuple) else [wanted], **options)


def test_a_script_runs_in_python_and_compiles_to_the_same() -> None:
    n, m = te.var("n"), te.var("m")
    a = te.placeholder((n, m), name="A")
    compare(prefix_sums, [a], [small_ints((5, 7))])


def test_branches_constants_memory_and_several_outputs() -> None:
    a, scale = te.placeholder((9,), name="A"), te.var("scale", "float32")
    compare(everything, [a, scale], [small_ints((9,)), np.float32(2)], rtol=1e-6)


def test_a_script_stands_between_other_stages() -> None:
    a = te.placeholder((5, 7), name="A")
    b = te.compute((5, 7), lambda i, j: a[i, j] + 1.0, name="B")
    c = prefix_sums(b)
    d = te.compute((5, 7), lambda i, j: c[i, j] * 2.0, name="D")
    s = te.create_schedule(d.op)
    s[b].compute_at(s[c], c.op.axis[0])
    x = small_ints((5, 7))
    everywhere(s, [a, d], [x], [2.0 * np.cumsum(x.astype(np.float64) + 1, axis=1)])


def split_and_reorder(s: te.Schedule, c: te.Tensor) -> None:
    i, j, q = c.op.axis[2:]
    io, ii = s[c].split(i, factor=4)
    qo, qi = s[c].split(q, nparts=3)
    s[c].reorder(qo, io, j, qi, ii)
    s[c].unroll(ii)


def vectors(s: te.Schedule, c: te.Tensor) -> None:
    i, j, q = c.op.axis[2:]
    s[c].reorder(i, q, j)
    _, ji = s[c].split(j, factor=4)
    s[c].vectorize(ji)
    s[c].parallel(i)
    s[c].parallel(s[c].fuse(*c.op.axis[:2]))


@pytest.mark.parametrize("schedule", [split_and_reorder, vectors])
def test_loops_of_a_script_are_axes(schedule: Scheduler) -> None:
    a, b = te.placeholder((6, 10), name="A"), te.placeholder((10, 9), name="B")
    compare(matmul, [a, b], [small_ints((6, 10)), small_ints((10, 9), seed=1)], schedule)


@te.hybrid.script
def doubled_rows(a: Any) -> Any:
    """One block for each row; its threads share the columns."""
    b = output_tensor(a.shape, "float32")
    for i in bind("blockIdx.x", a.shape[0]):
        for t in bind("threadIdx.x", 8):
            for k in range((a.shape[1] + 7) // 8):
                if k * 8 + t < a.shape[1]:
                    b[i, k * 8 + t] = a[i, k * 8 + t] * 2.0
    return b


def test_a_script_with_threads_of_its_own_is_a_kernel() -> None:
    compare(doubled_rows, [te.placeholder((3, 19), name="A")], [small_ints((3, 19))], gpu=True)


@te.hybrid.script
def saxpy(a: Any, b: Any, c: Any) -> Any:
    """Elementwise, in one loop."""
    out = output_tensor((a.shape[0],), "float32")
    for i in range(a.shape[0]):
        out[i] = a[i] * c + b[i]
    return out


def test_a_plain_loop_is_bound_to_threads() -> None:
    def threads(s: te.Schedule, c: te.Tensor) -> None:
        outer, inner = s[c].split(c.op.axis[0], factor=8)
        s[c].bind(outer, te.thread_axis("blockIdx.x"))
        s[c].bind(inner, te.thread_axis("threadIdx.x"))

    n = te.var("n")
    a, b = te.placeholder((n,), name="A"), te.placeholder((n,), name="B")
    out = saxpy(a, b, 3.0)
    s = te.create_schedule(out.op)
    threads(s, out)
    x, y = small_ints((21,)), small_ints((21,), seed=1)
    everywhere(s, [a, b, out], [x, y], [3.0 * x.astype(np.float64) + y], gpu=True)


@te.hybrid.script
def triangle(a: Any) -> Any:
    """Sums of the first i elements of row i."""
    b = output_tensor((a.shape[0],), "float32")
    for i in range(a.shape[0]):
        b[i] = 0.0
        for j in range(i):
            b[i] += a[i, j]
    return b


def test_a_loop_may_end_where_an_outer_one_stands() -> None:
    compare(triangle, [te.placeholder((6, 6), name="A")], [small_ints((6, 6))])
    compare(
        triangle, [te.placeholder((6, 6), name="A")], [small_ints((6, 6))], lambda s, b: s[b].parallel(b.op.axis[0])
    )


def test_a_loop_that_accumulates_cannot_run_in_parallel() -> None:
    a = te.placeholder((6, 6), name="A")
    b = prefix_sums(a)
    s = te.create_schedule(b.op)
    s[b].parallel(b.op.axis[1])
    with pytest.raises(GpucompError, match="'j' of hybrid script prefix_sums is parallel, but its iterations depend"):
        gpucomp.lower(s, [a, b])


def test_loops_that_are_not_perfectly_nested_do_not_change_places() -> None:
    a = te.placeholder((6, 6), name="A")
    b = prefix_sums(a)
    s = te.create_schedule(b.op)
    s[b].reorder(b.op.axis[1], b.op.axis[0])
    with pytest.raises(GpucompError, match="moved across a loop that it is not perfectly nested with"):
        gpucomp.lower(s, [a, b])


@te.hybrid.script
def row_sums(a: Any) -> Any:
    """A variable that belongs to one iteration of the outer loop."""
    b = output_tensor((a.shape[0],), "float32")
    for i in range(a.shape[0]):
        total = float32(0)
        for j in range(a.shape[1]):
            total += a[i, j]
        b[i] = total
    return b


def on_threads(s: te.Schedule, b: te.Tensor) -> None:
    outer, inner = s[b].split(b.op.axis[0], factor=4)
    s[b].bind(outer, te.thread_axis("blockIdx.x"))
    s[b].bind(inner, te.thread_axis("threadIdx.x"))


@pytest.mark.parametrize(
    ("schedule", "gpu"),
    [
        (lambda s, b: s[b].vectorize(b.op.axis[0]), False),
        (lambda s, b: s[b].parallel(b.op.axis[0]), False),
        (lambda s, b: s[b].bind(s[b].split(b.op.axis[0], factor=3)[1], te.thread_axis("vthread")), False),
        (on_threads, True),
    ],
)
def test_a_variable_of_an_iteration_is_that_of_a_lane_a_task_or_a_thread(schedule: Scheduler, gpu: bool) -> None:
    compare(row_sums, [te.placeholder((9, 5), name="A")], [small_ints((9, 5))], schedule, gpu=gpu)


def test_a_script_inside_of_a_kernel_runs_once_for_a_block() -> None:
    a = te.placeholder((9, 5), name="A")
    b = row_sums(a)
    c = te.compute((9,), lambda i: b[i] + 1.0, name="C")
    s = te.create_schedule(c.op)
    on_threads(s, c)
    s[b].compute_at(s[c], s[c].leaf_iter_vars[0])
    x = small_ints((9, 5))
    everywhere(s, [a, c], [x], [x.astype(np.float64).sum(1) + 1], gpu=True)


@te.hybrid.script
def recurrence(a: Any) -> Any:
    """Each element needs the one before."""
    b = output_tensor(a.shape, "float32")
    for i in range(a.shape[0]):
        b[i] = a[i]
    for i in range(1, a.shape[0]):
        b[i] = b[i - 1] + b[i]
    return b


@te.hybrid.script
def through_memory(a: Any) -> Any:
    """Rows pass through memory that they share."""
    b = output_tensor(a.shape, "float32")
    t = allocate((4,), "float32")
    for i in range(a.shape[0]):
        for k in range(4):
            t[k] = a[i, k] * 2.0
        for k in range(4):
            b[i, 3 - k] = t[k]
    return b


def test_a_loop_with_a_dependence_may_be_split_and_unrolled() -> None:
    def split(s: te.Schedule, b: te.Tensor) -> None:
        s[b].unroll(s[b].split(b.op.axis[1], factor=4)[1])

    compare(recurrence, [te.placeholder((7,), name="A")], [small_ints((7,))], split)
    compare(through_memory, [te.placeholder((6, 4), name="A")], [small_ints((6, 4))])


@pytest.mark.parametrize(
    ("script", "shape", "schedule", "words"),
    [
        (recurrence, (7,), lambda s, b: s[b].vectorize(b.op.axis[1]), "is vectorized, but its iterations depend"),
        (through_memory, (6, 4), lambda s, b: s[b].parallel(b.op.axis[0]), "is parallel, but its iterations depend"),
        (through_memory, (6, 4), on_threads, "is bound to blockIdx.x, but its iterations depend"),
        (
            recurrence,
            (7,),
            lambda s, b: s[b].reorder(*reversed(s[b].split(b.op.axis[1], factor=4))),
            "changed places with 'i.outer'",
        ),
    ],
)
def test_a_schedule_that_would_break_a_dependence_is_refused(
    script: Any, shape: tuple[int, ...], schedule: Scheduler, words: str
) -> None:
    a = te.placeholder(shape, name="A")
    b = script(a)
    s = te.create_schedule(b.op)
    schedule(s, b)
    with pytest.raises(GpucompError, match=words.replace(".", r"\.")):
        gpucomp.lower(s, [a, b])


def test_hybrid_build_runs_a_schedule_on_arrays() -> None:
    n, m = te.var("n"), te.var("m")
    a = te.placeholder((n, m), name="A")
    b = prefix_sums(a)
    module = te.hybrid.build(te.create_schedule(b.op), [a], [b], name="sums")
    x = small_ints((4, 5))
    np.testing.assert_array_equal(module(x), np.cumsum(x, axis=1))
    assert "def sums(" in module.get_source()


@te.hybrid.script
def while_loop(a: Any) -> Any:
    b = output_tensor((4,), "float32")
    while True:  # cause
        b[0] = a[0]
    return b


@te.hybrid.script
def wrong_count(a: Any) -> Any:
    b = output_tensor((4,), "float32")
    for i in range(4):
        b[i] = a[i, 0]  # cause
    return b


@te.hybrid.script
def writes_input(a: Any) -> Any:
    b = output_tensor((4,), "float32")
    for i in range(4):
        b[i] = a[i]
        a[i] = 0.0  # cause
    return b


@te.hybrid.script
def out_of_scope(a: Any) -> Any:
    b = output_tensor((4,), "float32")
    for i in range(4):
        x = a[i] + 1.0
    b[0] = x  # cause
    return b


@te.hybrid.script
def widened(a: Any) -> Any:
    b = output_tensor((4,), "float32")
    total = 0
    for i in range(4):
        total += a[i]  # cause
    b[0] = total
    return b


@te.hybrid.script
def int_division(a: Any) -> Any:
    b = output_tensor((4,), "float32")
    for i in range(4):
        b[i] = i / 2  # cause
    return b


@te.hybrid.script
def no_return(a: Any) -> Any:  # cause
    b = output_tensor((4,), "float32")
    b[0] = a[0]


@te.hybrid.script
def unknown_name(a: Any) -> Any:
    b = output_tensor((4,), "float32")
    b[0] = a[0] + offset  # cause
    return b


@te.hybrid.script
def slice_of_input(a: Any) -> Any:
    b = output_tensor((4,), "float32")
    b[0] = a[1:]  # cause
    return b


@te.hybrid.script
def loop_over_array(a: Any) -> Any:
    b = output_tensor((4,), "float32")
    for x in a:  # cause
        b[0] = x
    return b


@te.hybrid.script
def outside(a: Any) -> Any:
    b = output_tensor((4,), "float32")
    b[4] = a[0]  # cause
    return b


@te.hybrid.script
def loop_past_the_end(a: Any) -> Any:
    b = output_tensor((4,), "float32")
    for i in range(5):
        b[i] = 1.0  # cause
    return b


@te.hybrid.script
def next_one(a: Any) -> Any:
    b = output_tensor((4,), "float32")
    for i, j in grid(2, 2):
        b[i * 2 + j] = a[i * 2 + j + 1]  # cause
    return b


@te.hybrid.script
def one_before(a: Any) -> Any:
    b = output_tensor((a.shape[0],), "float32")
    for i in range(a.shape[0]):
        b[i] = a[i - 1]  # cause
    return b


@te.hybrid.script
def neighbours_where_there_are_some(a: Any) -> Any:
    b = output_tensor((4,), "float32")
    for i in range(4):
        b[i] = a[i + 1] if i < 3 else 0.0
        if i > 0:
            b[i] = b[i] + a[i - 1]
        for j in range(i):
            b[i] = b[i] + a[j + 1]
        for j in range(0):
            b[i] = a[j + 9]
    return b


@te.hybrid.script
def number_of_and(a: Any) -> Any:
    b = output_tensor((4,), "float32")
    b[0] = a[0] and 3  # cause
    return b


@te.hybrid.script
def wrong_type(a: Any) -> Any:
    b = output_tensor((4,), "float99")  # cause
    b[0] = a[0]
    return b


@te.hybrid.script
def too_many_arguments(a: Any) -> Any:
    b = output_tensor((4,), "float32")
    b[0] = exp(a[0], 1)  # cause
    return b


@te.hybrid.script
def unknown_scope(a: Any) -> Any:
    b = output_tensor((4,), "float32")
    t = allocate((4,), "float32", "nowhere")  # cause
    t[0] = a[0]
    b[0] = t[0]
    return b


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (number_of_and, "is no truth value"),
        (wrong_type, "unknown dtype 'float99'"),
        (too_many_arguments, "exp takes 1 arguments, got 2"),
        (unknown_scope, "unknown storage scope 'nowhere'"),
        (while_loop, "'while True:' .While. cannot be compiled"),
        (wrong_count, "A has 1 dimensions, but is indexed with 2"),
        (writes_input, "input 'A' is written"),
        (out_of_scope, "'x' ended with its block"),
        (widened, "'total' holds int32 .*, but is assigned a float32"),
        (int_division, "a quotient of integers"),
        (no_return, "returns nothing"),
        (unknown_name, "'offset' is not defined"),
        (slice_of_input, "slices cannot be compiled"),
        (loop_over_array, "a loop over 'a'"),
        (loop_past_the_end, r"the script writes b\[i\]: the index of dimension 0 reaches 4, but the extent is 4"),
        (next_one, r"the script reads A\[i \* 2 \+ j \+ 1\]: the index of dimension 0 reaches 4"),
        (one_before, r"the script reads A\[i - 1\]: the index of dimension 0 goes down to -1"),
        (outside, "index 4 is outside of dimension 0 of b, of extent 4"),
    ],
)
def test_a_mistake_is_named_at_its_line(program: Any, words: str) -> None:
    with pytest.raises(GpucompError, match=words) as caught:
        program(te.placeholder((4,), name="A"))
    where = caught.value.where
    assert where is not None
    assert where.file == __file__
    assert where.text.endswith("# cause") or where.text == "@te.hybrid.script"


def test_accesses_that_stay_inside_by_a_condition_or_a_loop_without_iterations_are_compiled() -> None:
    a = te.placeholder((4,), name="A")
    b = neighbours_where_there_are_some(a)
    x = small_ints((4,))
    got = gpucomp.build(te.create_schedule(b.op), [a, b], "llvm")(x)
    expected = [x[1], x[2] + x[0] + x[1], x[3] + x[1] + x[1] + x[2], x[2] + x[1] + x[2] + x[3]]
    np.testing.assert_array_equal(got, np.array(expected, "float32"))


@te.hybrid.script
def rounded(a: Any) -> Any:
    b = output_tensor((6,), "float32")
    for i in range(6):
        b[i] = round(a[i])
    return b


def test_halves_are_rounded_away_from_zero_in_python_too() -> None:
    x = np.array([0.5, 1.5, 2.5, -0.5, -2.5, 0.49999997], "float32")
    a = te.placeholder((6,), name="A")
    b = rounded(a)
    got = gpucomp.build(te.create_schedule(b.op), [a, b], "llvm")(x)
    np.testing.assert_array_equal(got, rounded(x))
    np.testing.assert_array_equal(got, np.array([1, 2, 3, -1, -3, 0], "float32"))
