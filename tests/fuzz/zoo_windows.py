"""Workloads that slide windows: convolutions and pooling."""

from __future__ import annotations

import random
from typing import Any  # Any: expressions of any kind

import numpy as np

from gpucomp import te, tir
from gpucomp.te import Tensor
from gpucomp.tir.expr import IntImm
from tests.fuzz.problem import Array, Problem, size, workload


def _padded(x: Tensor, pad: int, name: str = "P") -> Tensor:
    """Zeros around all dimensions but the first."""
    first, *others = [d.value for d in x.shape if isinstance(d, IntImm)]

    def at(z: Any, *index: Any) -> Any:
        inside = [c for i, n in zip(index, others, strict=True) for c in (i >= pad, i < n + pad)]
        return tir.if_then_else(tir.all(*inside), x[(z, *[i - pad for i in index])], tir.const(0, x.dtype))

    return te.compute((first, *[n + 2 * pad for n in others]), at, name=name)


def _windows(x: Array, kernel: tuple[int, ...], pad: int, stride: int = 1, dilation: int = 1) -> Array:
    """Windows of all dimensions but the first: (channel, *places, *kernel)."""
    padded = np.pad(x, [(0, 0)] + [(pad, pad)] * len(kernel))
    reach = [(k - 1) * dilation + 1 for k in kernel]
    view = np.lib.stride_tricks.sliding_window_view(padded, reach, tuple(range(1, len(kernel) + 1)))
    places = (slice(None, None, stride),) * len(kernel)
    return view[(slice(None), *places, *(slice(None, None, dilation),) * len(kernel))]


@workload
def conv1d(rng: random.Random) -> Problem:
    """A convolution along one dimension."""
    c, n, o, k, stride = rng.randint(1, 4), size(rng, 4, 16), rng.randint(1, 6), rng.choice([1, 3]), rng.choice([1, 2])
    x, w = te.placeholder((c, n), name="X"), te.placeholder((o, c, k), name="W")
    p = _padded(x, k // 2)
    rc, rx = te.reduce_axis((0, c), "rc"), te.reduce_axis((0, k), "rx")
    places = (n + 2 * (k // 2) - k) // stride + 1
    y = te.compute((o, places), lambda f, i: te.sum(p[rc, i * stride + rx] * w[f, rc, rx], axis=[rc, rx]), name="Y")
    return Problem([x, w, y], lambda a, b: np.einsum("cik,ock->oi", _windows(a, (k,), k // 2, stride), b))


@workload
def conv2d(rng: random.Random) -> Problem:
    """A padded, possibly strided convolution of one image."""
    c, h, o, k, stride = rng.randint(1, 4), rng.randint(4, 9), rng.randint(1, 6), rng.choice([1, 3]), rng.choice([1, 2])
    x, w = te.placeholder((c, h, h), name="X"), te.placeholder((o, c, k, k), name="W")
    p = _padded(x, k // 2)
    places = (h + 2 * (k // 2) - k) // stride + 1
    rc, ry, rx = te.reduce_axis((0, c), "rc"), te.reduce_axis((0, k), "ry"), te.reduce_axis((0, k), "rx")
    y = te.compute(
        (o, places, places),
        lambda f, i, j: te.sum(p[rc, i * stride + ry, j * stride + rx] * w[f, rc, ry, rx], axis=[rc, ry, rx]),
        name="Y",
    )
    relu = te.compute((o, places, places), lambda f, i, j: tir.max(y[f, i, j], 0.0), name="relu")

    def meaning(a: Array, b: Array) -> Array:
        return np.maximum(np.einsum("cijyx,ocyx->oij", _windows(a, (k, k), k // 2, stride), b), 0)

    return Problem([x, w, relu], meaning)


@workload
def conv3d(rng: random.Random) -> Problem:
    """A convolution over a volume."""
    c, h, o, k = rng.randint(1, 2), rng.randint(3, 5), rng.randint(1, 3), rng.choice([1, 2])
    x, w = te.placeholder((c, h, h, h), name="X"), te.placeholder((o, c, k, k, k), name="W")
    r = [te.reduce_axis((0, k), f"r{d}") for d in "zyx"]
    rc, n = te.reduce_axis((0, c), "rc"), h - k + 1
    y = te.compute(
        (o, n, n, n),
        lambda f, d, i, j: te.sum(x[rc, d + r[0], i + r[1], j + r[2]] * w[f, rc, r[0], r[1], r[2]], axis=[rc, *r]),
        name="Y",
    )
    return Problem([x, w, y], lambda a, b: np.einsum("cdijzyx,oczyx->odij", _windows(a, (k, k, k), 0), b))


@workload
def depthwise(rng: random.Random) -> Problem:
    """Each channel with a filter of its own."""
    c, h, k = rng.randint(1, 5), rng.randint(4, 9), 3
    x, w = te.placeholder((c, h, h), name="X"), te.placeholder((c, k, k), name="W")
    p = _padded(x, 1)
    ry, rx = te.reduce_axis((0, k), "ry"), te.reduce_axis((0, k), "rx")
    y = te.compute((c, h, h), lambda f, i, j: te.sum(p[f, i + ry, j + rx] * w[f, ry, rx], axis=[ry, rx]), name="Y")
    return Problem([x, w, y], lambda a, b: np.einsum("cijyx,cyx->cij", _windows(a, (k, k), 1), b))


@workload
def grouped(rng: random.Random) -> Problem:
    """Channels in groups that do not see each other."""
    g, c, o, h, k = rng.choice([2, 3]), rng.randint(1, 3), rng.randint(1, 3), rng.randint(3, 7), 2
    x, w = te.placeholder((g * c, h, h), name="X"), te.placeholder((g * o, c, k, k), name="W")
    rc, ry, rx = te.reduce_axis((0, c), "rc"), te.reduce_axis((0, k), "ry"), te.reduce_axis((0, k), "rx")
    n = h - k + 1
    y = te.compute(
        (g * o, n, n),
        lambda f, i, j: te.sum(x[f // o * c + rc, i + ry, j + rx] * w[f, rc, ry, rx], axis=[rc, ry, rx]),
        name="Y",
    )

    def meaning(a: Array, b: Array) -> Array:
        inside = _windows(a, (k, k), 0).reshape(g, c, n, n, k, k)
        return np.einsum("gcijyx,gocyx->goij", inside, b.reshape(g, o, c, k, k)).reshape(g * o, n, n)

    return Problem([x, w, y], meaning)


@workload
def dilated(rng: random.Random) -> Problem:
    """A filter with holes."""
    c, h, o, k, d = rng.randint(1, 3), rng.randint(6, 10), rng.randint(1, 4), 3, 2
    x, w = te.placeholder((c, h, h), name="X"), te.placeholder((o, c, k, k), name="W")
    rc, ry, rx = te.reduce_axis((0, c), "rc"), te.reduce_axis((0, k), "ry"), te.reduce_axis((0, k), "rx")
    n = h - (k - 1) * d
    y = te.compute(
        (o, n, n),
        lambda f, i, j: te.sum(x[rc, i + ry * d, j + rx * d] * w[f, rc, ry, rx], axis=[rc, ry, rx]),
        name="Y",
    )
    return Problem([x, w, y], lambda a, b: np.einsum("cijyx,ocyx->oij", _windows(a, (k, k), 0, 1, d), b))


@workload
def transposed(rng: random.Random) -> Problem:
    """The convolution that spreads: zeros between the elements, then a window."""
    c, n, o, k, stride = rng.randint(1, 3), rng.randint(2, 8), rng.randint(1, 4), rng.choice([2, 3]), 2
    x, w = te.placeholder((c, n), name="X"), te.placeholder((c, o, k), name="W")
    long = (n - 1) * stride + 1

    def spread(z: Any, i: Any) -> Any:
        at = i - (k - 1)
        hit = tir.all(at >= 0, at < long, (at % stride).equal(0))
        return tir.if_then_else(hit, x[z, at // stride], 0.0)

    p = te.compute((c, long + 2 * (k - 1)), spread, name="P")
    rc, rx = te.reduce_axis((0, c), "rc"), te.reduce_axis((0, k), "rx")
    y = te.compute(
        (o, long + k - 1), lambda f, i: te.sum(p[rc, i + rx] * w[rc, f, k - 1 - rx], axis=[rc, rx]), name="Y"
    )

    def meaning(a: Array, b: Array) -> Array:
        out = np.zeros((o, long + k - 1))
        for i in range(n):
            out[:, i * stride : i * stride + k] += np.einsum("c,cok->ok", a[:, i], b)
        return out

    return Problem([x, w, y], meaning)


@workload
def max_pooling(rng: random.Random) -> Problem:
    """Maximum over windows that overlap or not."""
    c, n, k = rng.randint(1, 4), rng.randint(2, 6), rng.choice([2, 3])
    stride = rng.choice([1, k])
    h = (n - 1) * stride + k
    x = te.placeholder((c, h, h), name="X")
    ry, rx = te.reduce_axis((0, k), "ry"), te.reduce_axis((0, k), "rx")
    y = te.compute((c, n, n), lambda z, i, j: te.max(x[z, i * stride + ry, j * stride + rx], axis=[ry, rx]), name="Y")
    return Problem([x, y], lambda a: _windows(a, (k, k), 0, stride).max((3, 4)))


@workload
def mean_pooling(rng: random.Random) -> Problem:
    """Mean over windows of four, padded."""
    c, h = rng.randint(1, 4), rng.randint(2, 8)
    x = te.placeholder((c, h, h), name="X")
    p = _padded(x, 1)
    ry, rx = te.reduce_axis((0, 2), "ry"), te.reduce_axis((0, 2), "rx")
    sums = te.compute((c, h + 1, h + 1), lambda z, i, j: te.sum(p[z, i + ry, j + rx], axis=[ry, rx]), name="sums")
    y = te.compute((c, h + 1, h + 1), lambda z, i, j: sums[z, i, j] * 0.25, name="Y")
    return Problem([x, y], lambda a: _windows(a, (2, 2), 1).mean((3, 4)))
