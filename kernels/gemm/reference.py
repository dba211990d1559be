"""Matrix products in numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np

from gpucomp.kernels.arrays import HALVES, Array, Floats, Shape, in_float64
from gpucomp.kernels.elementwise.reference import gelu


def matmul(inputs: Sequence[Array], shape: Shape) -> list[Array]:
    """The product in float64."""
    a, b = inputs
    return [in_float64(a) @ in_float64(b)]


def matmul_peer(inputs: Sequence[Array], shape: Shape) -> Callable[[], object]:
    """``np.matmul`` into an array that is there already; 16-bit inputs are widened first, for numpy's BLAS."""
    a, b = inputs
    if a.dtype.name in HALVES:
        return lambda: np.matmul(a.astype(np.float32), b.astype(np.float32))
    out = np.empty((shape[0], shape[1]), a.dtype)
    return lambda: np.matmul(a, b, out=out)


def matmul_bias_gelu(inputs: Sequence[Array], shape: Shape) -> list[Array]:
    """``gelu(A @ B + V)`` in float64."""
    a, b, v = [in_float64(array) for array in inputs]
    return [gelu(a @ b + v)]


def matmul_bias_gelu_peer(inputs: Sequence[Array], shape: Shape) -> Callable[[], object]:
    """numpy's product, sum and formula one after the other; 16-bit inputs are widened first."""
    kind = inputs[0].dtype
    wide_type = np.dtype("float32") if kind.name in HALVES else kind

    def run() -> object:
        # The registry gives such operators floats only.
        a, b, v = [cast("Floats", array.astype(wide_type, copy=False)) for array in inputs]
        total: Floats = np.matmul(a, b)
        return gelu(total + v).astype(kind)

    return run
