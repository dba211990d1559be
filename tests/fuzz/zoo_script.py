"""Workloads written as hybrid scripts, between other stages."""

# pyright: reportUndefinedVariable=false, reportUnknownVariableType=false
# ruff: noqa: F821
# (scripts use words that only they know)

from __future__ import annotations

import random
from typing import Any  # Any: what a script is called with

import numpy as np

from gpucomp import te
from tests.fuzz.problem import Problem, maybe_symbolic, size, workload


@te.hybrid.script
def _running_maxima(a: Any) -> Any:
    """b[i, j] = max(a[i, 0], ..., a[i, j])"""
    b = output_tensor(a.shape, "float32")
    for i in range(a.shape[0]):
        top = a[i, 0]
        for j in range(a.shape[1]):
            if a[i, j] > top:
                top = a[i, j]
            b[i, j] = top
    return b


@te.hybrid.script
def _smoothed(a: Any, b: Any) -> Any:
    """A clamped three-point sum, weighted where the second tensor is positive."""
    c = output_tensor(a.shape, "float32")
    n, m = a.shape[0], a.shape[1]
    for i in range(n):
        for j in range(m):
            c[i, j] = a[i, max(j - 1, 0)] + a[i, j] + a[i, min(j + 1, m - 1)]
            if b[i, j] > 0.0:
                c[i, j] = c[i, j] * 2.0
    return c


@workload
def script_with_a_recurrence(rng: random.Random) -> Problem:
    """Running maxima of a computed tensor; its inner loop cannot be shared."""
    extents: dict[str, int] = {}
    n, m = maybe_symbolic(rng, "n", size(rng, 1, 10), extents), size(rng, 1, 10)
    a = te.placeholder((n, m), name="A")
    b = te.compute((n, m), lambda i, j: a[i, j] * a[i, j] - 3.0, name="B")
    c = _running_maxima(b)
    d = te.compute((n, m), lambda i, j: c[i, j] + a[i, j], name="D")
    return Problem([a, d], lambda x: np.maximum.accumulate(x * x - 3, axis=1) + x, extents)


@workload
def script_of_plain_loops(rng: random.Random) -> Problem:
    """Loops that any primitive may change."""
    n, m = size(rng, 1, 10), size(rng, 1, 10)
    a, b = te.placeholder((n, m), name="A"), te.placeholder((n, m), name="B")
    c = te.compute((n, m), lambda i, j: a[i, j] + 1.0, name="C")
    d = _smoothed(c, b)

    def meaning(x: Any, y: Any) -> Any:
        p = np.pad(x + 1, ((0, 0), (1, 1)), mode="edge")
        total = p[:, :-2] + p[:, 1:-1] + p[:, 2:]
        return np.where(y > 0, 2 * total, total)

    return Problem([a, b, d], meaning)
