"""Small operators of random shape that the fuzzer schedules."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any  # Any: indices are whatever converts to an expression

from gpucomp import te, tir
from gpucomp.te import Tensor
from tests.golden.cases import argmax_reducer

Workload = Callable[[random.Random], list[Tensor]]  # arguments: inputs, then outputs
WORKLOADS: dict[str, Workload] = {}


def workload(make: Workload) -> Workload:
    """Register a workload under its function's name."""
    WORKLOADS[make.__name__] = make
    return make


def _size(rng: random.Random, low: int = 1, high: int = 24) -> int:
    return rng.choice([rng.randint(low, high), rng.choice([4, 8, 16, 17, 20])])


@workload
def chain(rng: random.Random) -> list[Tensor]:
    """Elementwise producers that may be inlined, attached or computed apart."""
    n, m = _size(rng), _size(rng)
    a, b = te.placeholder((n, m), name="A"), te.placeholder((m,), name="B")
    c = te.compute((n, m), lambda i, j: a[i, j] + b[j], name="C")
    d = te.compute((n, m), lambda i, j: c[i, j] * c[i, j] - 1.0, name="D")
    e = te.compute((n, m), lambda i, j: tir.max(d[i, j], a[i, j]), name="E")
    return [a, b, e]


@workload
def stencil(rng: random.Random) -> list[Tensor]:
    """A producer read at three neighbouring points."""
    n = _size(rng, 3, 40)
    a = te.placeholder((n + 2,), name="A")
    b = te.compute((n + 2,), lambda i: a[i] * 2.0, name="B")
    c = te.compute((n,), lambda i: b[i] + b[i + 1] - b[i + 2], name="C")
    return [a, c]


@workload
def transpose(rng: random.Random) -> list[Tensor]:
    """A permuted copy."""
    n, m = _size(rng), _size(rng)
    a = te.placeholder((n, m), name="A")
    return [a, te.compute((m, n), lambda i, j: a[j, i] + 1.0, name="B")]


@workload
def matmul(rng: random.Random) -> list[Tensor]:
    """A matrix product."""
    m, n, k = _size(rng), _size(rng), _size(rng)
    a, b = te.placeholder((m, k), name="A"), te.placeholder((k, n), name="B")
    r = te.reduce_axis((0, k), "k")
    return [a, b, te.compute((m, n), lambda i, j: te.sum(a[i, r] * b[r, j], axis=r), name="C")]


@workload
def batch_matmul(rng: random.Random) -> list[Tensor]:
    """A batch of products, the second operand transposed."""
    g, m, n, k = rng.randint(1, 3), _size(rng, 1, 10), _size(rng, 1, 10), _size(rng, 1, 10)
    a, b = te.placeholder((g, m, k), name="A"), te.placeholder((g, n, k), name="B")
    r = te.reduce_axis((0, k), "k")
    return [a, b, te.compute((g, m, n), lambda h, i, j: te.sum(a[h, i, r] * b[h, j, r], axis=r), name="C")]


@workload
def scaled_matmul(rng: random.Random) -> list[Tensor]:
    """A product between elementwise stages."""
    m, n, k = _size(rng, 1, 12), _size(rng, 1, 12), _size(rng, 1, 12)
    a, b = te.placeholder((m, k), name="A"), te.placeholder((k, n), name="B")
    s = te.compute((m, k), lambda i, j: a[i, j] * 2.0, name="S")
    r = te.reduce_axis((0, k), "k")
    c = te.compute((m, n), lambda i, j: te.sum(s[i, r] * b[r, j], axis=r), name="C")
    return [a, b, te.compute((m, n), lambda i, j: tir.max(c[i, j], 0.0), name="D")]


@workload
def row_reduction(rng: random.Random) -> list[Tensor]:
    """Sum, maximum or minimum of each row."""
    n, m = _size(rng, 1, 12), _size(rng, 1, 40)
    a = te.placeholder((n, m), name="A")
    r = te.reduce_axis((0, m), "k")
    reduce = rng.choice([te.sum, te.max, te.min])
    return [a, te.compute((n,), lambda i: reduce(a[i, r], axis=r), name="B")]


@workload
def column_mean_difference(rng: random.Random) -> list[Tensor]:
    """A reduction whose result every element of a column needs."""
    n, m = _size(rng, 1, 16), _size(rng, 1, 16)
    a = te.placeholder((n, m), name="A")
    r = te.reduce_axis((0, n), "k")
    total = te.compute((m,), lambda j: te.sum(a[r, j], axis=r), name="T")
    return [a, te.compute((n, m), lambda i, j: a[i, j] - total[j], name="B")]


@workload
def argmax(rng: random.Random) -> list[Tensor]:
    """A reduction of pairs with two results."""
    n, m = _size(rng, 1, 10), _size(rng, 1, 24)
    index, value = te.placeholder((n, m), "int32", "index"), te.placeholder((n, m), name="value")
    r = te.reduce_axis((0, m), "k")
    best = argmax_reducer()
    where, top = te.compute((n,), lambda i: best((index[i, r], value[i, r]), axis=r), name="best")
    return [index, value, where, top]


@workload
def convolution(rng: random.Random) -> list[Tensor]:
    """A padded, possibly strided convolution of one image."""
    c, h, o, k, stride = rng.randint(1, 4), rng.randint(4, 9), rng.randint(1, 6), rng.choice([1, 3]), rng.choice([1, 2])
    pad = k // 2
    x, w = te.placeholder((c, h, h), name="X"), te.placeholder((o, c, k, k), name="W")

    def padded(z: Any, i: Any, j: Any) -> Any:
        inside = tir.all(i >= pad, i < h + pad, j >= pad, j < h + pad)
        return tir.if_then_else(inside, x[z, i - pad, j - pad], 0.0)

    p = te.compute((c, h + 2 * pad, h + 2 * pad), padded, name="P")
    size = (h + 2 * pad - k) // stride + 1
    rc, ry, rx = te.reduce_axis((0, c), "rc"), te.reduce_axis((0, k), "ry"), te.reduce_axis((0, k), "rx")
    y = te.compute(
        (o, size, size),
        lambda f, i, j: te.sum(p[rc, i * stride + ry, j * stride + rx] * w[f, rc, ry, rx], axis=[rc, ry, rx]),
        name="Y",
    )
    return [x, w, y]


@workload
def pooling(rng: random.Random) -> list[Tensor]:
    """Maximum over windows."""
    c, h, k = rng.randint(1, 4), rng.randint(3, 7), 2
    x = te.placeholder((c, h * k, h * k), name="X")
    ry, rx = te.reduce_axis((0, k), "ry"), te.reduce_axis((0, k), "rx")
    y = te.compute((c, h, h), lambda z, i, j: te.max(x[z, i * k + ry, j * k + rx], axis=[ry, rx]), name="Y")
    return [x, y]


@workload
def reversed_slice(rng: random.Random) -> list[Tensor]:
    """A strided, reversed slice of a computed tensor."""
    n, step = _size(rng, 1, 16), rng.randint(1, 3)
    a = te.placeholder((n * step,), name="A")
    b = te.compute((n * step,), lambda i: a[i] + 3.0, name="B")
    return [a, te.compute((n,), lambda i: b[(n - 1 - i) * step] * 2.0, name="C")]


@workload
def integers(rng: random.Random) -> list[Tensor]:
    """Integer arithmetic with divisions of both families."""
    n, m, d = _size(rng), _size(rng), rng.choice([2, 3, 7, 8])
    a = te.placeholder((n, m), "int32", "A")
    b = te.compute((n, m), lambda i, j: a[i, j] // d + tir.truncmod(a[i, j], d) * (i - j), name="B")
    return [a, te.compute((n, m), lambda i, j: b[i, j] % d - b[i, j], name="C")]


@workload
def gather(rng: random.Random) -> list[Tensor]:
    """Rows picked by computed indices."""
    n, rows, m = _size(rng, 1, 12), _size(rng, 1, 9), _size(rng, 1, 9)
    at, table = te.placeholder((n,), "int32", "at"), te.placeholder((rows, m), name="table")
    return [at, table, te.compute((n, m), lambda i, j: table[tir.abs(at[i]) % rows, j], name="C")]


@workload
def pair_of_results(rng: random.Random) -> list[Tensor]:
    """One stage with two results."""
    n, m = _size(rng), _size(rng)
    a, b = te.placeholder((n, m), name="A"), te.placeholder((n, m), name="B")
    low, high = te.compute((n, m), lambda i, j: (tir.min(a[i, j], b[i, j]), a[i, j] + b[i, j]), name="P")
    return [a, b, low, high]
