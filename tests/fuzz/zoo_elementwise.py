"""Workloads without reductions whose indices are the axes, or close to them."""

from __future__ import annotations

import random

import numpy as np

from gpucomp import te, tir
from tests.fuzz.problem import Array, Problem, maybe_symbolic, size, workload


@workload
def chain(rng: random.Random) -> Problem:
    """Elementwise producers that may be inlined, attached or computed apart."""
    extents: dict[str, int] = {}
    n, m = maybe_symbolic(rng, "n", size(rng), extents), maybe_symbolic(rng, "m", size(rng), extents)
    a, b = te.placeholder((n, m), name="A"), te.placeholder((m,), name="B")
    c = te.compute((n, m), lambda i, j: a[i, j] + b[j], name="C")
    d = te.compute((n, m), lambda i, j: c[i, j] * c[i, j] - 1.0, name="D")
    e = te.compute((n, m), lambda i, j: tir.max(d[i, j], a[i, j]), name="E")
    return Problem([a, b, e], lambda x, y: np.maximum((x + y) ** 2 - 1, x), extents)


@workload
def mixed_types(rng: random.Random) -> Problem:
    """From int8 through int32 to float32, chosen by a bool tensor."""
    n, m = size(rng), size(rng)
    a, mask = te.placeholder((n, m), "int8", "A"), te.placeholder((n, m), "bool", "mask")
    wide = te.compute((n, m), lambda i, j: a[i, j].astype("int32") * 37 + j, name="wide")
    real = te.compute((n, m), lambda i, j: wide[i, j].astype("float32") * 0.5, name="real")
    out = te.compute((n, m), lambda i, j: tir.Select(mask[i, j], real[i, j], 0.0 - real[i, j]), name="out")

    def meaning(x: Array, chosen: Array) -> Array:
        half = (x * 37 + np.arange(m)) * 0.5
        return np.where(chosen, half, -half)

    return Problem([a, mask, out], meaning)


@workload
def narrow_floats(rng: random.Random) -> Problem:
    """float16 or bfloat16 in memory, computed in float32."""
    n, m, kind = size(rng), size(rng), rng.choice(["float16", "bfloat16"])
    a, b = te.placeholder((n, m), kind, "A"), te.placeholder((n, m), kind, "B")
    c = te.compute((n, m), lambda i, j: a[i, j].astype("float32") * b[i, j].astype("float32"), name="C")
    d = te.compute((n, m), lambda i, j: (c[i, j] - 3.0).astype(kind), name="D")
    e = te.compute((n, m), lambda i, j: d[i, j] + a[i, j], name="E")
    return Problem([a, b, e], lambda x, y: x * y - 3 + x)


@workload
def transcendental(rng: random.Random) -> Problem:
    """Functions of which each backend has its own."""
    n, m = size(rng), size(rng)
    a = te.placeholder((n, m), name="A")
    b = te.compute((n, m), lambda i, j: tir.exp(a[i, j] * 0.25), name="B")
    c = te.compute((n, m), lambda i, j: tir.tanh(b[i, j] - 1.0) + tir.sqrt(b[i, j]), name="C")
    return Problem([a, c], lambda x: np.tanh(np.exp(x / 4) - 1) + np.sqrt(np.exp(x / 4)), rtol=2e-5)


@workload
def integers(rng: random.Random) -> Problem:
    """Integer arithmetic with divisions of both families."""
    n, m, d = size(rng), size(rng), rng.choice([2, 3, 7, 8])
    a = te.placeholder((n, m), "int32", "A")
    b = te.compute((n, m), lambda i, j: a[i, j] // d + tir.truncmod(a[i, j], d) * (i - j), name="B")
    c = te.compute((n, m), lambda i, j: b[i, j] % d - b[i, j], name="C")

    def meaning(x: Array) -> Array:
        i, j = np.ogrid[:n, :m]
        mid = x // d + np.fmod(x, d) * (i - j)
        return mid % d - mid

    return Problem([a, c], meaning)


@workload
def conditions(rng: random.Random) -> Problem:
    """Tensors of bools, and logic on them."""
    extents: dict[str, int] = {}
    n, m = maybe_symbolic(rng, "n", size(rng), extents), size(rng)
    a, b = te.placeholder((n, m), name="A"), te.placeholder((n, m), "int32", "B")
    less = te.compute((n, m), lambda i, j: a[i, j] < 1.0, name="less")
    odd = te.compute((n, m), lambda i, j: (b[i, j] % 2).equal(1), name="odd")
    both = te.compute((n, m), lambda i, j: tir.any(tir.all(less[i, j], odd[i, j]), b[i, j] > 2), name="both")
    return Problem([a, b, both], lambda x, y: ((x < 1) & (y % 2 == 1)) | (y > 2), extents)


@workload
def pair_of_results(rng: random.Random) -> Problem:
    """One stage with two results."""
    n, m = size(rng), size(rng)
    a, b = te.placeholder((n, m), name="A"), te.placeholder((n, m), name="B")
    low, high = te.compute((n, m), lambda i, j: (tir.min(a[i, j], b[i, j]), a[i, j] + b[i, j]), name="P")
    return Problem([a, b, low, high], lambda x, y: (np.minimum(x, y), x + y))


@workload
def two_results_of_one_producer(rng: random.Random) -> Problem:
    """A stage that two results read in different places."""
    n = size(rng, 2, 40)
    a = te.placeholder((n,), name="A")
    b = te.compute((n,), lambda i: a[i] * 3.0, name="B")
    c = te.compute((n - 1,), lambda i: b[i] - b[i + 1], name="C")
    d = te.compute((n,), lambda i: b[n - 1 - i] + 1.0, name="D")
    return Problem([a, c, d], lambda x: (3 * (x[:-1] - x[1:]), 3 * x[::-1] + 1))


@workload
def transpose(rng: random.Random) -> Problem:
    """A permuted copy."""
    extents: dict[str, int] = {}
    n, m = maybe_symbolic(rng, "n", size(rng), extents), size(rng)
    a = te.placeholder((n, m), name="A")
    b = te.compute((m, n), lambda i, j: a[j, i] + 1.0, name="B")
    return Problem([a, b], lambda x: x.T + 1, extents)


@workload
def stencil(rng: random.Random) -> Problem:
    """A producer read at three neighbouring points."""
    extents: dict[str, int] = {}
    n = maybe_symbolic(rng, "n", size(rng, 3, 40), extents)
    a = te.placeholder((n + 2,), name="A")
    b = te.compute((n + 2,), lambda i: a[i] * 2.0, name="B")
    c = te.compute((n,), lambda i: b[i] + b[i + 1] - b[i + 2], name="C")
    extents = {**extents}
    return Problem([a, c], lambda x: 2 * (x[:-2] + x[1:-1] - x[2:]), extents)


@workload
def separable_blur(rng: random.Random) -> Problem:
    """Rows, then columns: a chain of stencils in two dimensions."""
    n, m = size(rng, 1, 12), size(rng, 1, 12)
    a = te.placeholder((n + 2, m + 2), name="A")
    x = te.compute((n + 2, m), lambda i, j: a[i, j] + 2.0 * a[i, j + 1] + a[i, j + 2], name="X")
    y = te.compute((n, m), lambda i, j: x[i, j] + 2.0 * x[i + 1, j] + x[i + 2, j], name="Y")

    def meaning(v: Array) -> Array:
        rows = v[:, :-2] + 2 * v[:, 1:-1] + v[:, 2:]
        return rows[:-2] + 2 * rows[1:-1] + rows[2:]

    return Problem([a, y], meaning)
