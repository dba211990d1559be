"""The numerics contract for reductions: identities, infinities as masks, NaN, ties, the same bits on every run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any  # arrays of any element type, tensors, expressions

import numpy as np
import pytest

import gpucomp as gc
from gpucomp import te, tir
from gpucomp.kernels import registry
from gpucomp.target import Target
from gpucomp.te.reduction import Reducer
from gpucomp.tir import intrin
from tests.numerics.backends import BACKENDS, bits, call, device_of

Array = np.ndarray[Any, Any]
INF, NAN = float("inf"), float("nan")
ROWS, COLUMNS, THREADS = 6, 200, 32
SCHEDULES = ("serial", "threads", "rfactor")


def reduce_rows(backend: str, how: str, reduction: Callable[..., Any], data: Array, result: str = "") -> Array:
    """A reduction of each row: by one thread, by the threads of a block, or in parts that a second stage joins."""
    a = te.placeholder(data.shape, str(data.dtype), "A")
    k = te.reduce_axis((0, data.shape[1]), "k")
    c = te.compute((data.shape[0],), lambda i: reduction(a[i, k], axis=k), "C")
    schedule = te.create_schedule(c.op)
    if how == "rfactor":
        _, inner = schedule[c].split(c.op.reduce_axis[0], factor=THREADS)
        parts = schedule.rfactor(c, inner)
        joined = schedule[c].op.reduce_axis[0]
        _bind(schedule, c, joined)
        schedule[parts].compute_at(schedule[c], joined)
    else:
        inner = None
        if how == "threads":
            _, inner = schedule[c].split(c.op.reduce_axis[0], factor=THREADS)
        _bind(schedule, c, inner)
    got = np.zeros(data.shape[0], result or data.dtype)
    call(backend, schedule, [a, c], data.copy(), got)
    return got


def _bind(schedule: te.Schedule, tensor: Any, inner: Any) -> None:
    schedule[tensor].bind(schedule[tensor].op.axis[0], te.thread_axis("blockIdx.x"))
    if inner is not None:
        schedule[tensor].bind(inner, te.thread_axis("threadIdx.x"))


def argmax(first: bool) -> Reducer:
    """Pairs of index and value; of equal values the first one, or whichever was combined last."""

    def combine(x: Any, y: Any) -> Any:
        tie = tir.all(x[1].equal(y[1]), x[0] < y[0]) if first else x[1].equal(y[1])
        keep = tir.any(x[1] > y[1], tie)
        return tir.Select(keep, x[0], y[0]), tir.Select(keep, x[1], y[1])

    return te.comm_reducer(combine, lambda i, v: (tir.const(2**31 - 1, i), tir.min_value(v)), name="argmax")


def spread_sum(count: int = ROWS) -> Array:
    """Rows whose sum depends on the order of addition."""
    rng = np.random.default_rng(0)
    return (rng.standard_normal((count, COLUMNS)) * 10.0 ** rng.uniform(-6, 6, (count, COLUMNS))).astype("float32")


@pytest.mark.parametrize("how", SCHEDULES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_reductions_over_infinities_and_nan(backend: str, how: str) -> None:
    data = np.random.default_rng(1).standard_normal((ROWS, COLUMNS)).astype("float32")
    data[0] = -INF
    data[1] = INF
    data[2, 5:] = -INF
    data[3, ::3] = NAN
    data[4] = NAN
    with np.errstate(all="ignore"):
        largest, smallest = np.fmax.reduce(data, axis=1), np.fmin.reduce(data, axis=1)
    # Nothing but NaN: the identity is what is left.
    largest[4], smallest[4] = -INF, INF
    np.testing.assert_array_equal(reduce_rows(backend, how, te.max, data), largest)
    np.testing.assert_array_equal(reduce_rows(backend, how, te.min, data), smallest)
    sums = reduce_rows(backend, how, te.sum, data)
    np.testing.assert_array_equal(np.isnan(sums), [False, False, False, True, True, False])
    np.testing.assert_array_equal(sums[:3], [-INF, INF, -INF])


@pytest.mark.parametrize("backend", BACKENDS)
def test_sums_of_integers_wrap(backend: str) -> None:
    data = np.random.default_rng(2).integers(-(2**31), 2**31, (ROWS, COLUMNS)).astype("int32")
    with np.errstate(all="ignore"):
        want = data.sum(axis=1, dtype="int32")
    for how in SCHEDULES:
        np.testing.assert_array_equal(reduce_rows(backend, how, te.sum, data), want)


@pytest.mark.parametrize("backend", BACKENDS)
def test_sums_of_whole_numbers_do_not_depend_on_the_schedule(backend: str) -> None:
    data = np.random.default_rng(3).integers(-99, 100, (ROWS, COLUMNS)).astype("float32")
    for how in SCHEDULES:
        np.testing.assert_array_equal(reduce_rows(backend, how, te.sum, data), data.sum(axis=1))


@pytest.mark.parametrize("how", ["serial", "threads"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_reducer_that_compares_indices_finds_the_first_of_equals(backend: str, how: str) -> None:
    values = np.random.default_rng(4).integers(0, 4, (ROWS, COLUMNS)).astype("float32")
    values[0] = 0.0
    np.testing.assert_array_equal(*_argmax(backend, how, values, first=True))


@pytest.mark.parametrize("how", ["serial", "threads"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_reducer_that_compares_values_only_finds_one_of_equals(backend: str, how: str) -> None:
    values = np.random.default_rng(5).integers(0, 4, (ROWS, COLUMNS)).astype("float32")
    got, _ = _argmax(backend, how, values, first=False)
    rows = np.arange(ROWS)
    np.testing.assert_array_equal(values[rows, got], values.max(axis=1))


def _argmax(backend: str, how: str, values: Array, first: bool) -> tuple[Array, Array]:
    """Indices found, and those that numpy finds."""
    v = te.placeholder(values.shape, "float32", "V")
    k = te.reduce_axis((0, values.shape[1]), "k")
    best = argmax(first)
    where, top = te.compute((values.shape[0],), lambda i: best((k.var, v[i, k]), axis=k), "best")
    schedule = te.create_schedule(where.op)
    inner = None
    if how == "threads":
        _, inner = schedule[where].split(where.op.reduce_axis[0], factor=THREADS)
    _bind(schedule, where, inner)
    got, largest = np.zeros(len(values), "int32"), np.zeros(len(values), "float32")
    call(backend, schedule, [v, where, top], values.copy(), got, largest)
    np.testing.assert_array_equal(largest, values.max(axis=1))
    return got, values.argmax(axis=1).astype("int32")


@pytest.mark.parametrize("how", SCHEDULES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_reduction_gives_the_same_bits_on_every_run(backend: str, how: str) -> None:
    data = spread_sum(64 if backend != "interp" else ROWS)
    runs = [reduce_rows(backend, how, te.sum, data) for _ in range(4)]
    for other in runs[1:]:
        np.testing.assert_array_equal(bits(other), bits(runs[0]))
    np.testing.assert_allclose(runs[0], data.sum(axis=1, dtype="f8"), rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("op", ["matmul", "softmax"])
@pytest.mark.parametrize("backend", [b for b in BACKENDS if b != "interp"])
def test_operators_of_the_library_give_the_same_bits_on_every_run(backend: str, op: str) -> None:
    device = device_of(backend)
    assert device is not None
    operator = registry.get(op)
    shape = (65, 70, 67)[: len(operator.shape_names)]
    target = Target.from_device(device)
    definition = operator.define(shape)
    module = gc.build(operator.schedule(definition, target), definition.args, target=target)
    rng = np.random.default_rng(6)
    inputs = [gc.nd.array(rng.standard_normal(s).astype("f4"), device) for s in operator.input_shapes(shape)]
    [size] = operator.output_shapes(shape)
    runs: list[Array] = []
    for _ in range(5):
        out = gc.nd.array(np.zeros(size, "f4"), device)
        module(*inputs, out)
        runs.append(out.numpy())
    for other in runs[1:]:
        np.testing.assert_array_equal(bits(other), bits(runs[0]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_minus_infinity_masks_elements_of_a_softmax(backend: str) -> None:
    rng = np.random.default_rng(7)
    data = rng.standard_normal((ROWS, 40)).astype("float32")
    data[:, 25:] = -INF  # masked
    data[1, 1:] = -INF  # one element left
    data[2] = -INF  # none left
    data[3, 0] = NAN
    data[4, 0] = INF
    wide = data.astype("f8")
    with np.errstate(all="ignore"):
        powers = np.exp(wide - np.fmax.reduce(wide, axis=1, keepdims=True))
        want = powers / powers.sum(axis=1, keepdims=True)
    got = _softmax(backend, data)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    np.testing.assert_array_equal(got[:2, 25:], 0.0)
    np.testing.assert_array_equal(got[1, 0], 1.0)
    assert np.isnan(got[2:5]).all(), "nothing left, a NaN or an infinity make the whole row NaN"
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-7)


def _softmax(backend: str, data: Array) -> Array:
    operator = registry.get("softmax")
    device = device_of(backend)
    target = Target("cuda -arch=sm_90") if device is None else Target.from_device(device)
    definition = operator.define(data.shape)
    got = np.zeros_like(data)
    call(backend, operator.schedule(definition, target), definition.args, data.copy(), got)
    return got


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_exponential_of_minus_infinity_is_zero_in_a_sum(backend: str) -> None:
    data = np.full((ROWS, COLUMNS), -INF, "float32")
    data[1, 7] = 0.0
    got = reduce_rows(backend, "threads", lambda x, axis: te.sum(intrin.exp(x), axis=axis), data)
    np.testing.assert_array_equal(got, [0.0, 1.0, 0.0, 0.0, 0.0, 0.0])
