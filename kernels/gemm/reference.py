"""Matrix products in numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gpucomp.kernels.arrays import HALVES, Array, Shape, in_float64


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
