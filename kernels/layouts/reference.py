"""Operators that only move elements, in numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gpucomp.kernels.arrays import Array, Shape


def transpose(a: Array) -> Array:
    """See ``compute.transpose``; likewise below."""
    return np.ascontiguousarray(a.T)


def permute(a: Array) -> Array:
    return np.ascontiguousarray(a.swapaxes(1, 2))


def peer(formula: Callable[..., Array]) -> Callable[[Sequence[Array], Shape], Callable[[], object]]:
    """Elements of any type are moved as they are."""

    def prepare(inputs: Sequence[Array], shape: Shape) -> Callable[[], object]:
        return lambda: formula(*inputs)

    return prepare
