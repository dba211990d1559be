"""Workloads that reduce rows, columns or everything."""

from __future__ import annotations

import random

import numpy as np

from gpucomp import te, tir
from gpucomp.tir.expr import Expr, Var
from tests.fuzz.problem import Array, Problem, maybe_symbolic, size, workload
from tests.golden.cases import argmax_reducer


@workload
def row_reduction(rng: random.Random) -> Problem:
    """Sum, maximum or minimum of each row."""
    extents: dict[str, int] = {}
    n, m = maybe_symbolic(rng, "n", size(rng, 1, 12), extents), maybe_symbolic(rng, "m", size(rng, 1, 40), extents)
    a = te.placeholder((n, m), name="A")
    r = te.reduce_axis((0, m), "k")
    reduce, meaning = rng.choice([(te.sum, np.sum), (te.max, np.max), (te.min, np.min)])
    b = te.compute((n,), lambda i: reduce(a[i, r], axis=r), name="B")
    return Problem([a, b], lambda x: meaning(x, axis=1), extents)


@workload
def total(rng: random.Random) -> Problem:
    """Everything to one number."""
    n, m = size(rng, 1, 12), size(rng, 1, 12)
    a = te.placeholder((n, m), "int32", "A")
    i, j = te.reduce_axis((0, n), "i"), te.reduce_axis((0, m), "j")
    b = te.compute((1,), lambda _: te.sum(a[i, j] * a[i, j], axis=[i, j]), name="B")
    return Problem([a, b], lambda x: np.sum(x * x, keepdims=True)[0])


@workload
def column_mean_difference(rng: random.Random) -> Problem:
    """A reduction whose result every element of a column needs."""
    n, m = size(rng, 1, 16), size(rng, 1, 16)
    a = te.placeholder((n, m), name="A")
    r = te.reduce_axis((0, n), "k")
    sums = te.compute((m,), lambda j: te.sum(a[r, j], axis=r), name="T")
    b = te.compute((n, m), lambda i, j: a[i, j] - sums[j], name="B")
    return Problem([a, b], lambda x: x - x.sum(0))


@workload
def softmax(rng: random.Random) -> Problem:
    """Maximum, exponentials, sum, quotient."""
    n, m = size(rng, 1, 10), size(rng, 1, 20)
    a = te.placeholder((n, m), name="A")
    k, q = te.reduce_axis((0, m), "k"), te.reduce_axis((0, m), "q")
    top = te.compute((n,), lambda i: te.max(a[i, k], axis=k), name="top")
    power = te.compute((n, m), lambda i, j: tir.exp(a[i, j] - top[i]), name="power")
    sums = te.compute((n,), lambda i: te.sum(power[i, q], axis=q), name="sums")
    out = te.compute((n, m), lambda i, j: power[i, j] / sums[i], name="out")

    def meaning(x: Array) -> Array:
        e = np.exp(x - x.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    return Problem([a, out], meaning, rtol=2e-5)


@workload
def layer_norm(rng: random.Random) -> Problem:
    """Mean and variance of a row in one reduction of pairs, then normalisation."""
    n, m = size(rng, 1, 10), size(rng, 1, 20)
    a, scale = te.placeholder((n, m), name="A"), te.placeholder((m,), name="scale")
    k = te.reduce_axis((0, m), "k")
    pair = te.comm_reducer(
        lambda x, y: (x[0] + y[0], x[1] + y[1]), lambda s, t: (tir.const(0, s), tir.const(0, t)), name="pair"
    )
    first, second = te.compute((n,), lambda i: pair((a[i, k], a[i, k] * a[i, k]), axis=k), name="sums")
    mean = te.compute((n,), lambda i: first[i] / float(m), name="mean")
    spread = te.compute((n,), lambda i: tir.rsqrt(second[i] / float(m) - mean[i] * mean[i] + 1.0), name="spread")
    out = te.compute((n, m), lambda i, j: (a[i, j] - mean[i]) * spread[i] * scale[j], name="out")

    def meaning(x: Array, s: Array) -> Array:
        mu, var = x.mean(1, keepdims=True), x.var(1, keepdims=True)
        return (x - mu) / np.sqrt(var + 1) * s

    return Problem([a, scale, out], meaning, rtol=1e-4)


@workload
def argmax(rng: random.Random) -> Problem:
    """A reduction of pairs with two results."""
    n, m = size(rng, 1, 10), size(rng, 1, 24)
    index, value = te.placeholder((n, m), "int32", "index"), te.placeholder((n, m), name="value")
    r = te.reduce_axis((0, m), "k")
    best = argmax_reducer()
    # Distinct values: the tie of equal ones is the schedule's to break.
    where, top = te.compute(
        (n,), lambda i: best((index[i, r], value[i, r] * 64.0 + r.var.astype("float32")), axis=r), name="best"
    )

    def meaning(at: Array, v: Array) -> tuple[Array, Array]:
        distinct = v * 64 + np.arange(m)
        best_at = distinct.argmax(1)
        return at[np.arange(n), best_at], distinct.max(1)

    return Problem([index, value, where, top], meaning)


@workload
def conditional_sum(rng: random.Random) -> Problem:
    """A reduction that leaves elements out, from a start value."""
    n, m = size(rng, 1, 12), size(rng, 1, 20)
    a, start = te.placeholder((n, m), name="A"), te.placeholder((n,), name="start")
    r = te.reduce_axis((0, m), "k")
    with_start = rng.random() < 0.5

    def body(i: Var) -> Expr:
        begin = start[i] * 2.0 if with_start else None
        return te.sum(a[i, r], axis=r, where=a[i, r] > 0.0, init=begin)

    b = te.compute((n,), body, name="B")
    c = te.compute((n,), lambda i: b[i] + start[i], name="C")

    def meaning(x: Array, s: Array) -> Array:
        return np.where(x > 0, x, 0).sum(1) + (3 * s if with_start else s)

    return Problem([a, start, c], meaning)


@workload
def triangular_sums(rng: random.Random) -> Problem:
    """Sums over part of a row: the condition joins data and reduction axes."""
    n = size(rng, 1, 14)
    a = te.placeholder((n, n), "int32", "A")
    r = te.reduce_axis((0, n), "k")
    b = te.compute((n,), lambda i: te.sum(a[i, r], axis=r, where=r.var <= i), name="B")
    return Problem([a, b], lambda x: np.tril(x).sum(1))
