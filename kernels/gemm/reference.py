"""Matrix products in numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar, cast  # Any: arrays of any element type

import numpy as np
import numpy.typing as npt

from gpucomp.kernels.arrays import HALVES, Array, Floats, Shape, in_float64
from gpucomp.kernels.elementwise.reference import gelu

AnyArray = TypeVar("AnyArray", bound=npt.NDArray[Any])
Reference: TypeAlias = Callable[[Sequence[Array], Shape], list[Array]]
Peer: TypeAlias = Callable[[Sequence[Array], Shape], Callable[[], object]]


def product(transpose_a: bool = False, transpose_b: bool = False) -> Reference:
    """The product in float64, of operands stored as said; of each pair where there are three axes."""

    def run(inputs: Sequence[Array], shape: Shape) -> list[Array]:
        a, b = [in_float64(array) for array in inputs]
        return [_turned(a, transpose_a) @ _turned(b, transpose_b)]

    return run


def product_peer(transpose_a: bool = False, transpose_b: bool = False) -> Peer:
    """``np.matmul`` into an array that is there already; 16-bit inputs are widened first, for numpy's BLAS.

    numpy has no BLAS for integers: they are widened to int32.
    """

    def make(inputs: Sequence[Array], shape: Shape) -> Callable[[], object]:
        a, b = inputs
        wide = "float32" if a.dtype.name in HALVES else "int32" if a.dtype.name == "int8" else a.dtype.name
        if wide != a.dtype.name:
            return lambda: np.matmul(_turned(a.astype(wide), transpose_a), _turned(b.astype(wide), transpose_b))
        out = np.empty(shape[:-1], a.dtype)
        return lambda: np.matmul(_turned(a, transpose_a), _turned(b, transpose_b), out=out)

    return make


def _turned(array: AnyArray, transposed: bool) -> AnyArray:
    return array.swapaxes(-1, -2) if transposed else array


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
