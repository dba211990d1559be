"""Workloads with recurrences."""

from __future__ import annotations

import random

import numpy as np

from gpucomp import te, tir
from tests.fuzz.problem import Array, Problem, maybe_symbolic, size, workload


@workload
def cumulative_sum(rng: random.Random) -> Problem:
    """One state, from the first row on."""
    extents: dict[str, int] = {}
    m, n = maybe_symbolic(rng, "m", size(rng, 2, 8), extents), maybe_symbolic(rng, "n", size(rng, 1, 17), extents)
    x, state = te.placeholder((m, n), name="X"), te.placeholder((m, n), name="state")
    first = te.compute((1, n), lambda _, i: x[0, i], name="first")
    twice = te.compute((m, n), lambda t, i: x[t, i] * 2.0, name="twice")
    step = te.compute((m, n), lambda t, i: state[t - 1, i] + twice[t, i], name="step")
    total = te.scan(first, step, state, inputs=[x], name="total")

    def meaning(a: Array) -> Array:
        return np.cumsum(np.concatenate([a[:1], 2 * a[1:]]), axis=0)

    return Problem([x, total], meaning, extents)


@workload
def two_states(rng: random.Random) -> Problem:
    """Two states that look at each other, the second one two steps back, at neighbours."""
    m, n = size(rng, 3, 7), size(rng, 2, 12)
    x = te.placeholder((m, n), name="X")
    p, q = te.placeholder((m, n), name="p"), te.placeholder((m, n), name="q")
    p0 = te.compute((2, n), lambda t, i: x[t, i], name="p0")
    q0 = te.compute((2, n), lambda t, i: x[t, n - 1 - i] * 2.0, name="q0")
    p1 = te.compute((m, n), lambda t, i: q[t - 1, i] - x[t, i], name="p1")
    q1 = te.compute((m, n), lambda t, i: p[t - 2, n - 1 - i] + q[t - 1, i], name="q1")
    first, second = te.scan([p0, q0], [p1, q1], [p, q], inputs=[x], name="states")

    def meaning(a: Array) -> tuple[Array, Array]:
        u, v = np.zeros((m, n)), np.zeros((m, n))
        u[:2], v[:2] = a[:2], 2 * a[:2, ::-1]
        for t in range(2, m):
            u[t] = v[t - 1] - a[t]
            v[t] = u[t - 2, ::-1] + v[t - 1]
        return u, v

    return Problem([x, first, second], meaning)


@workload
def lstm(rng: random.Random) -> Problem:
    """A cell with four gates; each step multiplies the last output by the weights."""
    steps, b, h = rng.randint(2, 4), rng.randint(1, 3), size(rng, 1, 5)
    xi = te.placeholder((steps, b, 4, h), name="XI")  # the inputs, times their weights already
    w = te.placeholder((4, h, h), name="W")
    c_state, h_state = te.placeholder((steps, b, h), name="c_state"), te.placeholder((steps, b, h), name="h_state")
    c0 = te.compute((1, b, h), lambda *_: tir.const(0.0, "float32"), name="c0")
    h0 = te.compute((1, b, h), lambda *_: tir.const(0.0, "float32"), name="h0")
    k = te.reduce_axis((0, h), "k")
    gates = te.compute(
        (steps, b, 4, h), lambda t, i, g, j: te.sum(h_state[t - 1, i, k] * w[g, j, k], axis=k), name="gates"
    )
    summed = te.compute(
        (steps, b, 4, h), lambda t, i, g, j: (gates[t, i, g, j] + xi[t, i, g, j]) * 0.125, name="summed"
    )
    cell = te.compute(
        (steps, b, h),
        lambda t, i, j: (
            tir.sigmoid(summed[t, i, 0, j]) * c_state[t - 1, i, j]
            + tir.sigmoid(summed[t, i, 1, j]) * tir.tanh(summed[t, i, 2, j])
        ),
        name="cell",
    )
    out = te.compute(
        (steps, b, h), lambda t, i, j: tir.sigmoid(summed[t, i, 3, j]) * tir.tanh(cell[t, i, j]), name="out"
    )
    c_all, h_all = te.scan([c0, h0], [cell, out], [c_state, h_state], inputs=[xi], name="lstm")

    def sigmoid(v: Array) -> Array:
        return 1 / (1 + np.exp(-v))

    def meaning(x: Array, y: Array) -> tuple[Array, Array]:
        c, s = np.zeros((steps, b, h)), np.zeros((steps, b, h))
        for t in range(1, steps):
            g = (np.einsum("ik,gjk->igj", s[t - 1], y) + x[t]) / 8
            c[t] = sigmoid(g[:, 0]) * c[t - 1] + sigmoid(g[:, 1]) * np.tanh(g[:, 2])
            s[t] = sigmoid(g[:, 3]) * np.tanh(c[t])
        return c, s

    return Problem([xi, w, c_all, h_all], meaning, rtol=1e-4)
