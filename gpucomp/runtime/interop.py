"""Arrays of other libraries: numpy, torch, cupy and jax arrays go in without copies, and the same kind comes out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any  # arrays of any library

import numpy as np

from gpucomp.runtime.dlpack import SupportsDLPack
from gpucomp.runtime.ndarray import NDArray, from_cuda_array_interface, from_dlpack, from_numpy


def adopt(value: object) -> Any:
    """An NDArray that shares the memory of a foreign array; other values are returned as they are.

    Raises:
        ArgumentError: an element type or memory that devices do not have.
    """
    if isinstance(value, NDArray):
        return value
    if isinstance(value, np.ndarray):
        return from_numpy(value)
    shared = from_cuda_array_interface(value)
    if shared is not None:
        return shared
    return from_dlpack(value) if isinstance(value, SupportsDLPack) else value


def result_converter(args: Sequence[Any]) -> Callable[[NDArray], object]:
    """What turns a result into the kind of array that the inputs are."""
    for arg in args:
        if isinstance(arg, NDArray):
            return lambda result: result
        if isinstance(arg, np.ndarray):
            return lambda result: result.numpy()
        if not isinstance(arg, SupportsDLPack):
            continue
        convert = _from_dlpack_of(type(arg).__module__.partition(".")[0])
        if convert is not None:
            return convert
    return lambda result: result


def _from_dlpack_of(package: str) -> Callable[[NDArray], object] | None:
    """The ``from_dlpack`` of an array library that is loaded (jax keeps its own in a submodule)."""
    name = "jax.dlpack" if package in ("jax", "jaxlib") else package
    convert: Callable[[NDArray], object] | None = getattr(sys.modules.get(name), "from_dlpack", None)
    return convert
