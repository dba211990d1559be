"""Element-wise operators in numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gpucomp.kernels.arrays import Array, Floats, Shape
from gpucomp.kernels.elementwise.compute import GELU_CUBE, GELU_SCALE


def add_peer(inputs: Sequence[Array], shape: Shape) -> Callable[[], object]:
    """``np.add`` into an array that is there already."""
    a, b = inputs
    out = np.empty_like(a)
    return lambda: np.add(a, b, out=out)


def copy_peer(inputs: Sequence[Array], shape: Shape) -> Callable[[], object]:
    """``np.copyto`` an array that is there already."""
    (a,) = inputs
    out = np.empty_like(a)

    def run() -> object:
        np.copyto(out, a)
        return out

    return run


def add(a: Floats, b: Floats) -> Floats:
    """See ``compute.add``; likewise below."""
    return a + b


def copy(a: Floats) -> Floats:
    return a.copy()


def gelu(a: Floats) -> Floats:
    kind = a.dtype.type
    inner = kind(GELU_SCALE) * (a + kind(GELU_CUBE) * a * a * a)
    return kind(0.5) * a * (kind(1) + np.tanh(inner))


def gelu_chain(a: Floats, b: Floats) -> Floats:
    return gelu(a + b) * a


def add_bias(a: Floats, bias: Floats) -> Floats:
    return np.maximum(a + bias, 0)
