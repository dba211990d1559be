"""Workloads of linear algebra."""

from __future__ import annotations

import random

import numpy as np

from gpucomp import te, tir
from tests.fuzz.problem import Problem, maybe_symbolic, size, workload


@workload
def matmul(rng: random.Random) -> Problem:
    """A matrix product."""
    extents: dict[str, int] = {}
    m, n, k = [maybe_symbolic(rng, x, size(rng, 1, 17), extents) for x in ("m", "n", "k")]
    a, b = te.placeholder((m, k), name="A"), te.placeholder((k, n), name="B")
    r = te.reduce_axis((0, k), "k")
    c = te.compute((m, n), lambda i, j: te.sum(a[i, r] * b[r, j], axis=r), name="C")
    return Problem([a, b, c], lambda x, y: x @ y, extents)


@workload
def batch_matmul(rng: random.Random) -> Problem:
    """A batch of products, the second operand transposed."""
    g, m, n, k = rng.randint(1, 3), size(rng, 1, 10), size(rng, 1, 10), size(rng, 1, 10)
    a, b = te.placeholder((g, m, k), name="A"), te.placeholder((g, n, k), name="B")
    r = te.reduce_axis((0, k), "k")
    c = te.compute((g, m, n), lambda h, i, j: te.sum(a[h, i, r] * b[h, j, r], axis=r), name="C")
    return Problem([a, b, c], lambda x, y: x @ y.transpose(0, 2, 1))


@workload
def scaled_matmul(rng: random.Random) -> Problem:
    """A product between elementwise stages."""
    m, n, k = size(rng, 1, 12), size(rng, 1, 12), size(rng, 1, 12)
    a, b = te.placeholder((m, k), name="A"), te.placeholder((k, n), name="B")
    s = te.compute((m, k), lambda i, j: a[i, j] * 2.0, name="S")
    r = te.reduce_axis((0, k), "k")
    c = te.compute((m, n), lambda i, j: te.sum(s[i, r] * b[r, j], axis=r), name="C")
    d = te.compute((m, n), lambda i, j: tir.max(c[i, j], 0.0), name="D")
    return Problem([a, b, d], lambda x, y: np.maximum(2 * x @ y, 0))


@workload
def bytes_matmul(rng: random.Random) -> Problem:
    """int8 operands, summed in int32."""
    m, n, k = size(rng, 1, 12), size(rng, 1, 12), size(rng, 1, 16)
    a, b = te.placeholder((m, k), "int8", "A"), te.placeholder((n, k), "int8", "B")
    r = te.reduce_axis((0, k), "k")
    c = te.compute((m, n), lambda i, j: te.sum(a[i, r].astype("int32") * b[j, r].astype("int32"), axis=r), name="C")
    return Problem([a, b, c], lambda x, y: x @ y.T)


@workload
def halves_matmul(rng: random.Random) -> Problem:
    """float16 operands, summed in float32, rounded to float16."""
    m, n, k = size(rng, 1, 10), size(rng, 1, 10), size(rng, 1, 10)
    a, b = te.placeholder((m, k), "float16", "A"), te.placeholder((k, n), "float16", "B")
    r = te.reduce_axis((0, k), "k")
    c = te.compute((m, n), lambda i, j: te.sum(a[i, r].astype("float32") * b[r, j].astype("float32"), axis=r), name="C")
    d = te.compute((m, n), lambda i, j: c[i, j].astype("float16"), name="D")
    return Problem([a, b, d], lambda x, y: x @ y)


@workload
def two_matmuls(rng: random.Random) -> Problem:
    """A product of three matrices."""
    m, n, k, p = size(rng, 1, 8), size(rng, 1, 8), size(rng, 1, 8), size(rng, 1, 8)
    a, b, c = te.placeholder((m, k), name="A"), te.placeholder((k, n), name="B"), te.placeholder((n, p), name="C")
    r, q = te.reduce_axis((0, k), "r"), te.reduce_axis((0, n), "q")
    d = te.compute((m, n), lambda i, j: te.sum(a[i, r] * b[r, j], axis=r), name="D")
    e = te.compute((m, p), lambda i, j: te.sum(d[i, q] * c[q, j], axis=q), name="E")
    return Problem([a, b, c, e], lambda x, y, z: x @ y @ z)


@workload
def outer_and_vector(rng: random.Random) -> Problem:
    """A matrix times a vector that was computed, over part of the columns: the axis starts at 2."""
    n, k = size(rng, 1, 16), size(rng, 3, 18)
    a, x = te.placeholder((n, k), name="A"), te.placeholder((k,), name="x")
    twice = te.compute((k,), lambda i: x[i] + x[i], name="twice")
    r = te.reduce_axis((2, k), "r")
    y = te.compute((n,), lambda i: te.sum(a[i, r] * twice[r], axis=r), name="y")
    return Problem([a, x, y], lambda p, q: p[:, 2:] @ (2 * q[2:]))
