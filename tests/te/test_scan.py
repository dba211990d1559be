"""Scans: recurrences of several kinds, scheduled in many ways, against numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any  # Any: axes and schedules of several kinds

import numpy as np
import pytest

import gpucomp
from gpucomp import te, tir
from gpucomp.support.diagnostics import ScheduleError, TensorError
from gpucomp.te import Schedule, Tensor
from gpucomp.te.schedule import (
    AttachType,
    CreateAttachPath,
    CreateFeedGraph,
    CreateReadGraph,
    ScanFixPointAnalysis,
    ScanGetBody,
)
from gpucomp.te.trace import replay
from gpucomp.tir.interp import interpret
from tests.requirements import require_pocl
from tests.te.helpers import Array, small_ints

BX, TX = "blockIdx.x", "threadIdx.x"


def run(sch: Schedule, args: Sequence[Tensor], inputs: Sequence[Array], *expected: Array, target: str = "llvm",
        rtol: float = 0.0) -> str:  # fmt: skip
    """Interpreter and a backend give what is expected; gives the lowered text."""
    func = te.lower_schedule(sch, args)
    outputs = [np.full(x.shape, 77, x.dtype) for x in expected]
    interpret(func, [*inputs, *outputs], races=False)
    for got, want in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol)
    if target == "opencl":
        require_pocl()
    outputs = [np.full(x.shape, 77, x.dtype) for x in expected]
    gpucomp.build(sch, args, target=target)(*inputs, *outputs)
    for got, want in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol)
    return func.script()


def scan_of(tensor: Tensor) -> te.ScanOp:
    """The operation of a scan."""
    assert isinstance(tensor.op, te.ScanOp)
    return tensor.op


def cumsum(m: Any = 6, n: Any = 37) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    x, state = te.placeholder((m, n), name="X"), te.placeholder((m, n), name="state")
    first = te.compute((1, n), lambda _, i: x[0, i], name="first")
    step = te.compute((m, n), lambda t, i: state[t - 1, i] + x[t, i], name="step")
    return x, first, step, state, te.scan(first, step, state, inputs=[x], name="total")


# -- schedules -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["llvm", "opencl"])
def test_an_untouched_scan(target: str) -> None:
    x, _, _, _, total = cumsum()
    data = small_ints((6, 37))
    run(te.create_schedule(total.op), [x, total], [data], data.cumsum(0), target=target)


def split_columns(s: Schedule, parts: Sequence[Tensor], factors: Sequence[int], threads: Any = None) -> None:
    bx, tx = threads or (te.thread_axis(BX), te.thread_axis(TX))
    for part, factor in zip(parts, factors, strict=True):
        outer, inner = s[part].split(part.op.axis[1], factor=factor)
        s[part].bind(outer, bx)
        s[part].bind(inner, tx)


@pytest.mark.parametrize("factors", [(8, 8), (16, 8)])
def test_threads_inside_of_the_step_make_a_kernel_for_each_step(factors: tuple[int, int]) -> None:
    x, first, step, _, total = cumsum()
    s = te.create_schedule(total.op)
    split_columns(s, [first, step], factors)
    data = small_ints((6, 37))
    text = run(s, [x, total], [data], data.cumsum(0), target="opencl")
    loop = text.index("for total_idx")
    assert text[loop:].count("launch_thread") == 2
    assert text[:loop].count("launch_thread") == 2


def test_env_threads_make_one_kernel_of_all_steps() -> None:
    x, first, step, _, total = cumsum()
    s = te.create_schedule(total.op)
    axes = te.thread_axis((0, 5), BX), te.thread_axis((0, 8), TX)
    split_columns(s, [first, step], (8, 8), axes)
    s[total].env_threads(axes)
    data = small_ints((6, 37))
    text = run(s, [x, total], [data], data.cumsum(0), target="opencl")
    assert text.count("launch_thread") == 2
    source = gpucomp.source(s, [x, total], "cuda")
    assert source.count("__global__") == 1
    assert "for (int total_idx = 0;" in source


def test_the_loop_over_the_steps_may_be_split_and_unrolled() -> None:
    x, first, step, _, total = cumsum(m=9)
    s = te.create_schedule(total.op)
    _, inner = s[total].split(scan_of(total).scan_axis, factor=3)
    s[total].unroll(inner)
    s[step].vectorize(s[step].split(step.op.axis[1], factor=4)[1])
    s[first].parallel(first.op.axis[1])
    data = small_ints((9, 37))
    text = run(s, [x, total], [data], data.cumsum(0))
    assert "T.unroll(3)" in text
    assert s[step].attach_type == AttachType.SCAN_UPDATE


def test_axes_of_a_step_may_be_reordered_and_tiled() -> None:
    x, state = te.placeholder((5, 6, 7), name="X"), te.placeholder((5, 6, 7), name="state")
    first = te.compute((1, 6, 7), lambda _, i, j: x[0, i, j], name="first")
    step = te.compute((5, 6, 7), lambda t, i, j: state[t - 1, i, j] * 2.0 + x[t, i, j], name="step")
    total = te.scan(first, step, state, name="total")
    s = te.create_schedule(total.op)
    s[step].tile(step.op.axis[1], step.op.axis[2], 4, 3)
    s[first].reorder(first.op.axis[2], first.op.axis[1])
    data, want = small_ints((5, 6, 7)), np.zeros((5, 6, 7), "float32")
    want[0] = data[0]
    for t in range(1, 5):
        want[t] = want[t - 1] * 2 + data[t]
    run(s, [x, total], [data], want)


def test_symbolic_extents() -> None:
    m, n = te.size_var("m"), te.size_var("n")
    x, first, step, _, total = cumsum(m, n)
    s = te.create_schedule(total.op)
    split_columns(s, [first, step], (8, 8))
    data = small_ints((7, 19))
    run(s, [x, total], [data], data.cumsum(0), target="opencl")
    x, _, _, _, total = cumsum(m, n)
    run(te.create_schedule(total.op), [x, total], [data], data.cumsum(0))


# -- recurrences -----------------------------------------------------------------------------------------------------


def test_an_initial_part_of_two_steps() -> None:
    x, state = te.placeholder((2, 9), name="X"), te.placeholder((8, 9), name="state")
    first = te.compute((2, 9), lambda t, i: x[t, i], name="first")
    step = te.compute((8, 9), lambda t, i: state[t - 1, i] + state[t - 2, i], name="step")
    fib = te.scan(first, step, state, name="fib")
    data = small_ints((2, 9))
    want = np.empty((8, 9), "float32")
    want[:2] = data
    for t in range(2, 8):
        want[t] = want[t - 1] + want[t - 2]
    for factor in (None, 4):
        s = te.create_schedule(fib.op)
        if factor:
            s[fib].split(scan_of(fib).scan_axis, factor=factor)  # 6 steps in parts of 4
        run(s, [x, fib], [data], want)


def two_states() -> tuple[list[Tensor], list[Tensor], Array, list[Array]]:
    m, n = 6, 11
    x = te.placeholder((m, n), name="X")
    s1, s2 = te.placeholder((m, n), name="s1"), te.placeholder((m, 3), name="s2")
    i1 = te.compute((1, n), lambda _, i: x[0, i], name="i1")
    i2 = te.compute((1, 3), lambda _, i: x[0, i] * 2.0, name="i2")
    mid = te.compute((m, n), lambda t, i: s1[t - 1, i] + s2[t - 1, i % 3], name="mid")
    u1 = te.compute((m, n), lambda t, i: mid[t, i] + x[t, i], name="u1")
    k = te.reduce_axis((0, n), "k")
    u2 = te.compute((m, 3), lambda t, i: te.sum(mid[t, k] * (i + 1), axis=k), name="u2")
    outs = te.scan([i1, i2], [u1, u2], [s1, s2], inputs=[x], name="pair")
    data = small_ints((m, n))
    a, b = np.zeros((m, n), "float32"), np.zeros((m, 3), "float32")
    a[0], b[0] = data[0], data[0, :3] * 2
    for t in range(1, m):
        middle = a[t - 1] + b[t - 1, np.arange(n) % 3]
        a[t] = middle + data[t]
        b[t] = middle.sum() * np.arange(1, 4)
    return [x, *outs], [i1, i2, mid, u1, u2], data, [a, b]


@pytest.mark.parametrize("placement", ["default", "inline", "at update"])
def test_two_states_of_different_shapes_with_a_stage_between(placement: str) -> None:
    args, (_, _, mid, u1, _), data, want = two_states()
    s = te.create_schedule(args[1].op)
    if placement == "inline":
        s[mid].compute_inline()
    if placement == "at update":
        s[u1].split(u1.op.axis[1], factor=4)
    run(s, args, [data], *want, rtol=1e-6)


@pytest.mark.slow  # two states by the interpreter, and one state on devices, are in the quick tier
def test_two_states_on_a_device_with_a_kernel_for_each_stage() -> None:
    args, parts, data, want = two_states()
    run(te.create_schedule(args[1].op), args, [data], *want, target="opencl", rtol=1e-6)
    s = te.create_schedule(args[1].op)
    for part in parts:
        s[part].bind(part.op.axis[1], te.thread_axis(TX))
    text = run(s, args, [data], *want, target="opencl", rtol=1e-6)
    assert text[text.index("for pair_idx") :].count("launch_thread") == 3


def lstm() -> tuple[list[Tensor], dict[str, Tensor], list[Array], list[Array]]:
    steps, batch, hidden = 4, 3, 5
    f = "float64"
    x = te.placeholder((steps, 4, batch, hidden), f, name="X")
    w = te.placeholder((4, hidden, hidden), f, name="W")
    sh, sc = te.placeholder((steps, batch, hidden), f, name="sh"), te.placeholder((steps, batch, hidden), f, name="sc")
    ih = te.compute((1, batch, hidden), lambda *i: te.const(0.0, f), name="ih")
    ic = te.compute((1, batch, hidden), lambda *i: te.const(0.0, f), name="ic")
    k = te.reduce_axis((0, hidden), "k")
    dot = te.compute(
        (steps, 4, batch, hidden), lambda t, g, b, j: te.sum(sh[t - 1, b, k] * w[g, j, k], axis=k), name="dot"
    )
    gates = te.compute(dot.shape, lambda *i: dot(*i) + x(*i), name="gates")
    c = te.compute(
        (steps, batch, hidden),
        lambda t, b, j: (
            te.sigmoid(gates[t, 0, b, j]) * sc[t - 1, b, j] + te.sigmoid(gates[t, 1, b, j]) * te.tanh(gates[t, 2, b, j])
        ),
        name="c",
    )
    uh = te.compute(
        (steps, batch, hidden), lambda t, b, j: te.sigmoid(gates[t, 3, b, j]) * te.tanh(c[t, b, j]), name="uh"
    )
    uc = te.compute((steps, batch, hidden), lambda *i: c(*i), name="uc")
    outs = te.scan([ih, ic], [uh, uc], [sh, sc], inputs=[x, w], name="lstm")
    rng = np.random.default_rng(0)
    xs, ws = rng.normal(size=(steps, 4, batch, hidden)), rng.normal(size=(4, hidden, hidden))
    h, cc = np.zeros((steps, batch, hidden)), np.zeros((steps, batch, hidden))

    def sig(v: Array) -> Array:
        return 1 / (1 + np.exp(-v))

    for t in range(1, steps):
        g = np.einsum("bk,gjk->gbj", h[t - 1], ws) + xs[t]
        cc[t] = sig(g[0]) * cc[t - 1] + sig(g[1]) * np.tanh(g[2])
        h[t] = sig(g[3]) * np.tanh(cc[t])
    named = {p.name: p for p in (ih, ic, dot, gates, c, uh, uc)}
    return [x, w, *outs], named, [xs, ws], [h, cc]


def test_an_lstm_cell() -> None:
    args, parts, data, want = lstm()
    run(te.create_schedule(args[2].op), args, data, *want, rtol=1e-12)
    s = te.create_schedule(args[2].op)
    s[parts["gates"]].compute_inline()
    run(s, args, data, *want, rtol=1e-12)


def test_stages_of_a_step_may_be_computed_inside_of_each_other() -> None:
    args, parts, data, want = lstm()
    s = te.create_schedule(args[2].op)
    gates, dot, uc, c = parts["gates"], parts["dot"], parts["uc"], parts["c"]
    s[dot].compute_at(s[gates], gates.op.axis[2])
    s[dot].reorder(dot.op.axis[3], dot.op.reduce_axis[0])
    s[c].compute_at(s[args[2]], scan_of(args[2]).scan_axis)
    s[uc].split(uc.op.axis[2], factor=2)
    text = run(s, args, data, *want, rtol=1e-12)
    assert "dot[lstm_idx + 1:lstm_idx + 1 + 1" in text or "dot[lstm_idx + 1:lstm_idx + 2" in text


def test_a_shortest_path_over_all_pairs() -> None:
    n = 7
    d = te.placeholder((n, n), name="D")
    state = te.placeholder((n + 1, n, n), name="state")
    first = te.compute((1, n, n), lambda _, i, j: d[i, j], name="first")
    step = te.compute(
        (n + 1, n, n),
        lambda t, i, j: tir.min(state[t - 1, i, j], state[t - 1, i, t - 1] + state[t - 1, t - 1, j]),
        name="step",
    )
    paths = te.scan(first, step, state, name="paths")
    data = np.random.default_rng(0).integers(1, 30, (n, n)).astype("float32")
    want = np.empty((n + 1, n, n), "float32")
    want[0] = data
    for t in range(n):
        want[t + 1] = np.minimum(want[t], want[t][:, t : t + 1] + want[t][t : t + 1])
    for target in ("llvm", "opencl"):
        run(te.create_schedule(paths.op), [d, paths], [data], want, target=target)
    assert [int(str(v)) for v in ScanFixPointAnalysis(paths.op).values()] == [0, 0]


def test_caches_of_the_state_and_of_the_update() -> None:
    x, first, step, state, total = cumsum(n=12)
    s = te.create_schedule(total.op)
    local = s.cache_write(step, "local")
    kept = s.cache_read(state, "local", [local])
    s[local].compute_at(s[step], step.op.axis[1])
    s[kept].compute_at(s[local], s[local].op.axis[1])
    data = small_ints((6, 12))
    run(s, [x, total], [data], data.cumsum(0))
    assert s[first].attach_type == AttachType.GROUP_ROOT


def test_a_step_with_blocks_that_share_memory() -> None:
    n = 16
    x, state = te.placeholder((5, n), name="X"), te.placeholder((5, n), name="state")
    first = te.compute((1, n), lambda _, i: x[0, i], name="first")
    step = te.compute((5, n), lambda t, i: state[t - 1, (i + 1) % n] + x[t, i], name="step")
    total = te.scan(first, step, state, name="total")
    s = te.create_schedule(total.op)
    tile = s.cache_read(x, "shared", [step])
    split_columns(s, [first, step], (4, 4))
    s[tile].compute_at(s[step], s[step].leaf_iter_vars[1])
    s[tile].bind(s[tile].op.axis[1], te.thread_axis(TX))
    data, want = small_ints((5, n)), np.zeros((5, n), "float32")
    want[0] = data[0]
    for t in range(1, 5):
        want[t] = np.roll(want[t - 1], -1) + data[t]
    run(s, [x, total], [data], want, target="opencl")


def test_what_reads_a_scan_and_what_it_reads_are_ordinary_stages() -> None:
    x = te.placeholder((6, 10), name="X")
    double = te.compute((6, 10), lambda t, i: x[t, i] * 2.0, name="double")
    state = te.placeholder((6, 10), name="state")
    first = te.compute((1, 10), lambda _, i: double[0, i], name="first")
    step = te.compute((6, 10), lambda t, i: state[t - 1, i] + double[t, i], name="step")
    total = te.scan(first, step, state, name="total")
    last = te.compute((5,), lambda i: total[5, i + 2] - total[4, i + 2], name="last")
    data = small_ints((6, 10))
    sums = (data * 2).cumsum(0)
    want = (sums[5] - sums[4])[2:7]
    s = te.create_schedule(last.op)
    s[double].compute_inline()
    text = run(s, [x, last], [data], want)
    assert "realize(total[0:6, 2:7]" in text  # columns keep to themselves: only those that are read
    s = te.create_schedule(last.op)
    s[total].compute_at(s[last], last.op.axis[0])
    text = run(s, [x, last], [data], want)
    assert "realize(total[0:6, i_1 + 2:i_1 + 2 + 1]" in text
    s = te.create_schedule(last.op)
    s[double].compute_at(s[total], scan_of(total).scan_axis)
    with pytest.raises(ScheduleError, match="first reads it outside of that loop"):
        te.lower_schedule(s, [x, last])


def test_a_scan_in_the_registers_of_each_thread() -> None:
    x, _, _, _, total = cumsum(n=40)
    last = te.compute((40,), lambda i: total[5, i] * 2.0, name="last")
    s = te.create_schedule(last.op)
    outer, inner = s[last].split(last.op.axis[0], factor=16)
    s[last].bind(outer, te.thread_axis(BX))
    s[last].bind(inner, te.thread_axis(TX))
    s[total].compute_at(s[last], inner)
    data = small_ints((6, 40))
    text = run(s, [x, last], [data], data.sum(0) * 2, target="opencl")
    assert '"float32", "local"' in text
    assert text.count("launch_thread") == 2


def test_a_scan_in_the_shared_memory_of_each_block() -> None:
    n = 32
    x, state = te.placeholder((5, n), name="X"), te.placeholder((5, n), name="state")
    first = te.compute((1, n), lambda _, i: x[0, i], name="first")
    step = te.compute((5, n), lambda t, i: state[t - 1, (i + 1) % n] + x[t, i], name="step")
    total = te.scan(first, step, state, name="total")
    out = te.compute((3, n), lambda b, i: total[4, i] + b, name="out")
    s = te.create_schedule(out.op)
    s[out].bind(out.op.axis[0], te.thread_axis(BX))
    s[out].bind(out.op.axis[1], te.thread_axis(TX))
    s[total].compute_at(s[out], out.op.axis[0])
    for part in (first, step):
        s[part].bind(part.op.axis[1], te.thread_axis(TX))
    data, want = small_ints((5, n)), small_ints((5, n))[0]
    for t in range(1, 5):
        want = np.roll(want, -1) + data[t]
    text = run(s, [x, out], [data], want + np.arange(3, dtype="float32")[:, None], target="opencl")
    assert '"float32", "shared"' in text


def test_a_scan_inside_of_a_step_of_another() -> None:
    m, n = 4, 6
    x, outer = te.placeholder((m, n), name="X"), te.placeholder((m, n), name="outer")
    inner = te.placeholder((n, m), name="inner")
    start = te.compute((1, m), lambda _, t: outer[t - 1, 0], name="start")
    along = te.compute((n, m), lambda j, t: inner[j - 1, t] + outer[t - 1, j], name="along")
    row = te.scan(start, along, inner, name="row")
    first = te.compute((1, n), lambda _, j: x[0, j], name="first")
    step = te.compute((m, n), lambda t, j: row[j, t] + x[t, j], name="step")
    total = te.scan(first, step, outer, name="total")
    data, want = small_ints((m, n)), np.zeros((m, n), "float32")
    want[0] = data[0]
    for t in range(1, m):
        want[t] = want[t - 1].cumsum() + data[t]
    for target in ("llvm", "opencl"):
        run(te.create_schedule(total.op), [x, total], [data], want, target=target)


# -- the record, the graph -------------------------------------------------------------------------------------------


def test_a_trace_with_a_scan_replays_on_another_graph() -> None:
    x, first, step, _, total = cumsum()
    s = te.create_schedule(total.op)
    s[total].split(scan_of(total).scan_axis, factor=2)
    split_columns(s, [first, step], (8, 8))
    y, _, _, _, other = cumsum(n=21)
    again = replay(s.trace, [other])
    data = small_ints((6, 21))
    run(again, [y, other], [data], data.cumsum(0), target="opencl")
    scope: dict[str, Any] = {"te": te, "total": total}
    exec(s.trace.as_python(), scope)  # noqa: S102  # the record is a program
    assert te.lower_schedule(scope["s"], [x, total]).script() == te.lower_schedule(s, [x, total]).script()


def test_two_scans_of_one_shape_do_not_share_compiled_code() -> None:
    results: list[Any] = []
    for sign in (1.0, -1.0):
        x, state = te.placeholder((4, 5), name="X"), te.placeholder((4, 5), name="state")
        first = te.compute((1, 5), lambda _, i, x=x: x[0, i], name="first")
        step = te.compute((4, 5), lambda t, i, a=sign, x=x, s=state: s[t - 1, i] + x[t, i] * a, name="step")
        total = te.scan(first, step, state, name="total")
        results.append(
            gpucomp.build(te.create_schedule(total.op), [x, total], target="llvm")(np.ones((4, 5), "float32"))
        )
    assert results[0][-1, 0] == 4
    assert results[1][-1, 0] == -2


def test_the_graph_of_a_scan() -> None:
    args, (i1, i2, mid, u1, u2), _, _ = two_states()
    op = args[1].op
    assert ScanGetBody(op) == [mid.op, u1.op, u2.op]
    fixed = ScanFixPointAnalysis(op)
    assert [int(str(v)) for v in fixed.values()] == [0, 0]
    assert list(fixed) == list(scan_of(args[1]).spatial_axis_)
    _, _, _, _, total = cumsum()
    assert [int(str(v)) for v in ScanFixPointAnalysis(total.op).values()] == [1]
    reads = CreateReadGraph((op,))
    assert set(reads[op]) == {i1, i2, u1, u2}
    assert [o.name for o in CreateFeedGraph(reads)[mid]] == ["u1", "u2"]
    s = te.create_schedule(op).normalize()
    path = CreateAttachPath(s)[s[mid.op]]
    assert [(stage.name, axis.name) for stage, axis in path] == [("pair", "pair.idx")]
    with pytest.raises(ScheduleError, match=r"ScanGetBody needs the operation of a te.scan, got ComputeOp"):
        ScanGetBody(mid.op)


# -- mistakes --------------------------------------------------------------------------------------------------------


def wrong(build: Callable[[], object], code: str, message: str, kind: type[Exception] = TensorError) -> None:
    with pytest.raises(kind, match=message) as caught:
        build()
    assert caught.value.code == code  # pyright: ignore[reportAttributeAccessIssue]  # errors of gpucomp have one


def test_shapes_types_and_numbers_must_fit() -> None:
    state, first = (
        te.placeholder((5, 3), name="state"),
        te.compute((1, 3), lambda _, i: te.const(0.0, "float32"), name="first"),
    )
    step = te.compute((5, 3), lambda t, i: state[t - 1, i] + 1.0, name="step")
    short = te.compute((4, 3), lambda t, i: state[t, i] + 1.0, name="short")
    narrow = te.compute((1, 2), lambda _, i: te.const(0.0, "float32"), name="narrow")
    none = te.compute((0, 3), lambda _, i: te.const(0.0, "float32"), name="none")
    whole = te.compute((1, 3), lambda _, i: te.const(0), name="whole")
    wrong(lambda: te.scan(first, short, state), "GC218", r"update 'short' has shape \(4, 3\), state 'state' \(5, 3\)")
    wrong(
        lambda: te.scan(narrow, step, state),
        "GC218",
        r"a step of init 'narrow' has shape \(2\), one of the state \(3\)",
    )
    wrong(lambda: te.scan(none, step, state), "GC218", "init 'none' has 0 of 5 steps")
    wrong(lambda: te.scan(whole, step, state), "GC218", "init 'whole' holds int32, state 'state' float32")
    wrong(lambda: te.scan([first, first], step, state), "GC218", "has 2 inits, 1 updates and 1 states")
    wrong(lambda: te.scan(first, step, step), "GC218", "state 'step' is computed, but states are placeholders")
    wrong(lambda: te.scan(te.placeholder((1, 3), name="p"), step, state), "GC218", "init 'p' is no te.compute")
    wrong(lambda: te.scan(first, step, "state"), "GC218", "state_placeholder holds a str")  # pyright: ignore[reportArgumentType]  # the misuse


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda s, t, i: s[t, i], r"step t of the update reads itself: state\[t\]"),
        (lambda s, t, i: s[t + 2, i], r"reads step t \+ 2, which is later"),
        (lambda s, t, i: s[t - 3, i], r"reads state\[t - 3\], but init gives 2 steps only"),
    ],
)
@pytest.mark.parametrize("through", [False, True])
def test_a_step_reads_earlier_steps_that_exist(read: Any, message: str, through: bool) -> None:
    state, first = (
        te.placeholder((5, 3), name="state"),
        te.compute((2, 3), lambda _, i: te.const(0.0, "float32"), name="first"),
    )
    step = te.compute((5, 3), lambda t, i: read(state, t, i) + 1.0, name="step")
    if through:
        inner = te.compute((5, 3), lambda t, i: state[t, i] + 1.0, name="inner")
        step = te.compute((5, 3), lambda t, i: read(inner, t, i) + 1.0, name="step")
    wrong(lambda: te.scan(first, step, state), "GC219", message)


def test_a_guarded_read_may_reach_before_the_first_step() -> None:
    state, first = (
        te.placeholder((5, 3), name="state"),
        te.compute((1, 3), lambda _, i: te.const(1.0, "float32"), name="first"),
    )
    step = te.compute((5, 3), lambda t, i: state[t - 1, i] + te.if_then_else(t >= 2, state[t - 2, i], 0.0), name="step")
    total = te.scan(first, step, state, name="total")
    want = np.repeat(np.array([[1, 1, 2, 3, 5]], "float32").T, 3, 1)
    run(te.create_schedule(total.op), [total], [], want)


def test_parts_of_a_scan_are_not_read_from_outside() -> None:
    x, first, step, state, total = cumsum()
    for tensor in (state, step, first):
        outside = te.compute((1, 37), lambda t, i, x=tensor: total[t, i] + x[t, i], name="outside")
        wrong(lambda o=outside: te.create_schedule(o.op), "GC141", "outside reads .* of scan total", ScheduleError)
    wrong(
        lambda: te.create_schedule([total.op, step.op]),
        "GC141",
        "step, a part of scan total, is no output",
        ScheduleError,
    )
    assert x.shape[0] is total.shape[0]


def test_schedules_that_break_the_order_of_the_steps_are_refused() -> None:
    x, first, step, _, total = cumsum()

    def lowered(change: Callable[[Schedule], object]) -> Callable[[], object]:
        def call() -> object:
            s = te.create_schedule(total.op)
            change(s)
            return te.lower_schedule(s, [x, total])

        return call

    time = scan_of(total).scan_axis
    wrong(
        lowered(lambda s: s[total].parallel(time)),
        "GC143",
        "marked parallel, but its steps run one after",
        ScheduleError,
    )
    wrong(lowered(lambda s: s[total].bind(time, te.thread_axis(TX))), "GC143", "bound to threadIdx.x", ScheduleError)
    wrong(
        lowered(lambda s: s[total].reorder(*s[total].split(time, 2)[::-1])), "GC143", "are out of order", ScheduleError
    )
    wrong(lowered(lambda s: s[first].compute_at(s[total], time)), "GC143", "is the initial part of scan", ScheduleError)
    wrong(lowered(lambda s: s[step].compute_inline()), "GC140", "is inlined", ScheduleError)


def test_threads_that_exchange_elements_need_a_kernel_for_each_step() -> None:
    n = 16
    x, state = te.placeholder((5, n), name="X"), te.placeholder((5, n), name="state")
    first = te.compute((1, n), lambda _, i: x[0, i], name="first")
    step = te.compute((5, n), lambda t, i: state[t - 1, (i + 1) % n] + x[t, i], name="step")
    total = te.scan(first, step, state, name="total")
    s = te.create_schedule(total.op)
    axes = te.thread_axis((0, 4), BX), te.thread_axis((0, 4), TX)
    split_columns(s, [first, step], (4, 4), axes)
    s[total].env_threads(axes)
    wrong(lambda: te.lower_schedule(s, [x, total]), "GC142", "reads what other threads wrote", ScheduleError)
    # A stage between, which other threads compute than those that wrote what it reads.
    x, state = te.placeholder((5, n), name="X"), te.placeholder((5, n), name="state")
    first = te.compute((1, n), lambda _, i: x[0, i], name="first")
    mid = te.compute((5, n), lambda t, i: state[t - 1, i] * 2.0, name="mid")
    step = te.compute((5, n), lambda t, i: mid[t, i] + x[t, i], name="step")
    total = te.scan(first, step, state, name="total")
    for strange in (False, True):
        s = te.create_schedule(total.op)
        whole = te.thread_axis((0, n), TX)
        for part in (first, step):
            s[part].bind(part.op.axis[1], whole)
        s[total].env_threads([whole])
        s[mid].set_scope("shared")
        if not strange:
            s[mid].bind(mid.op.axis[1], whole)
            data, want = small_ints((5, n)), np.zeros((5, n), "float32")
            want[0] = data[0]
            for t in range(1, 5):
                want[t] = want[t - 1] * 2 + data[t]
            run(s, [x, total], [data], want, target="opencl")
            continue
        outer, inner = s[mid].split(mid.op.axis[1], nparts=4)
        s[mid].reorder(inner, outer)
        s[mid].bind(s[mid].fuse(inner, outer), whole)
        wrong(lambda s=s: te.lower_schedule(s, [x, total]), "GC142", "but mid reads what other", ScheduleError)
    x, first, step, _, total = cumsum(n=n)
    s = te.create_schedule(total.op)
    split_columns(s, [step], (4,), axes)
    s[first].bind(s[first].split(first.op.axis[1], nparts=4)[1], axes[1])
    s[total].env_threads(axes)
    wrong(lambda: te.lower_schedule(s, [x, total]), "GC142", "otherwise than first does", ScheduleError)
