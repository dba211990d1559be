"""Workloads that move data: gathers, padding, concatenation, slices, reshapes."""

from __future__ import annotations

import random
from typing import Any  # Any: expressions of any kind

import numpy as np

from gpucomp import te, tir
from tests.fuzz.problem import Array, Problem, maybe_symbolic, size, workload


@workload
def gather(rng: random.Random) -> Problem:
    """Rows picked by computed indices."""
    n, rows, m = size(rng, 1, 12), size(rng, 1, 9), size(rng, 1, 9)
    at, table = te.placeholder((n,), "int32", "at"), te.placeholder((rows, m), name="table")
    double = te.compute((rows, m), lambda i, j: table[i, j] * 2.0, name="double")
    out = te.compute((n, m), lambda i, j: double[tir.abs(at[i]) % rows, j], name="C")
    return Problem([at, table, out], lambda x, y: 2 * y[np.abs(x) % rows])


@workload
def padding(rng: random.Random) -> Problem:
    """A constant around a computed tensor."""
    extents: dict[str, int] = {}
    n, m = maybe_symbolic(rng, "n", size(rng, 1, 12), extents), size(rng, 1, 12)
    top, left, right = rng.randint(0, 2), rng.randint(0, 3), rng.randint(0, 2)
    a = te.placeholder((n, m), name="A")
    b = te.compute((n, m), lambda i, j: a[i, j] + 3.0, name="B")

    def padded(i: Any, j: Any) -> Any:
        inside = tir.all(i >= top, i < n + top, j >= left, j < m + left)
        return tir.if_then_else(inside, b[i - top, j - left], -1.0)

    c = te.compute((n + top, m + left + right), padded, name="C")
    return Problem([a, c], lambda x: np.pad(x + 3, ((top, 0), (left, right)), constant_values=-1), extents)


@workload
def mirrored(rng: random.Random) -> Problem:
    """Padding by reflection: the index is a choice."""
    n, p = size(rng, 4, 24), rng.randint(1, 3)
    a = te.placeholder((n,), name="A")
    b = te.compute((n,), lambda i: a[i] - 5.0, name="B")

    def at(i: Any) -> Any:
        inside = tir.max(i - p, p - i)
        return tir.min(inside, 2 * (n - 1) - inside)

    c = te.compute((n + 2 * p,), lambda i: b[at(i)], name="C")
    return Problem([a, c], lambda x: np.pad(x - 5, p, mode="reflect"))


@workload
def concatenation(rng: random.Random) -> Problem:
    """Two computed tensors, one behind the other."""
    n, p, q = size(rng, 1, 10), size(rng, 1, 10), size(rng, 1, 10)
    a, b = te.placeholder((n, p), name="A"), te.placeholder((n, q), name="B")
    left = te.compute((n, p), lambda i, j: a[i, j] * 2.0, name="left")
    right = te.compute((n, q), lambda i, j: b[i, j] + 1.0, name="right")
    c = te.compute((n, p + q), lambda i, j: tir.if_then_else(j < p, left[i, j], right[i, j - p]), name="C")
    return Problem([a, b, c], lambda x, y: np.concatenate([2 * x, y + 1], axis=1))


@workload
def strided_slice(rng: random.Random) -> Problem:
    """Every second or third element from an offset on."""
    n, m, step, start = size(rng, 1, 8), size(rng, 1, 8), rng.randint(1, 3), rng.randint(0, 4)
    a = te.placeholder((n * 2 + 1, start + m * step), name="A")
    b = te.compute((n * 2 + 1, start + m * step), lambda i, j: a[i, j] * a[i, j], name="B")
    c = te.compute((n, m), lambda i, j: b[i * 2 + 1, j * step + start], name="C")
    return Problem([a, c], lambda x: (x * x)[1::2, start::step][:n, :m])


@workload
def reversed_slice(rng: random.Random) -> Problem:
    """A strided, reversed slice of a computed tensor."""
    n, step = size(rng, 1, 16), rng.randint(1, 3)
    a = te.placeholder((n * step,), name="A")
    b = te.compute((n * step,), lambda i: a[i] + 3.0, name="B")
    c = te.compute((n,), lambda i: b[(n - 1 - i) * step] * 2.0, name="C")
    return Problem([a, c], lambda x: 2 * (x + 3)[::step][::-1])


@workload
def reshape(rng: random.Random) -> Problem:
    """Indices taken apart by division and put together again."""
    n, m, k = size(rng, 1, 6), size(rng, 1, 6), rng.choice([2, 3, 4])
    a = te.placeholder((n, m * k), name="A")
    flat = te.compute((n * m * k,), lambda i: a[i // (m * k), i % (m * k)] + 1.0, name="flat")
    out = te.compute((n * k, m), lambda i, j: flat[i * m + j] * 3.0, name="out")
    return Problem([a, out], lambda x: 3 * (x + 1).reshape(n * k, m))


@workload
def upsampling(rng: random.Random) -> Problem:
    """Each element several times, in two dimensions."""
    n, m, k = size(rng, 1, 8), size(rng, 1, 8), rng.choice([2, 3])
    a = te.placeholder((n, m), "int32", "A")
    b = te.compute((n, m), lambda i, j: a[i, j] * 5, name="B")
    c = te.compute((n * k, m * k), lambda i, j: b[i // k, j // k] - (i % k), name="C")

    def meaning(x: Array) -> Array:
        return np.repeat(np.repeat(5 * x, k, 0), k, 1) - np.arange(n * k)[:, None] % k

    return Problem([a, c], meaning)


@workload
def triangle(rng: random.Random) -> Problem:
    """A mask of indices."""
    extents: dict[str, int] = {}
    n = maybe_symbolic(rng, "n", size(rng), extents)
    a = te.placeholder((n, n), name="A")
    b = te.compute((n, n), lambda i, j: a[i, j] + 1.0, name="B")
    c = te.compute((n, n), lambda i, j: tir.Select(i >= j, b[i, j], 0.0), name="C")
    return Problem([a, c], lambda x: np.tril(x + 1), extents)
