"""Packed calls in the interpreter: arrays over its memory, and the call itself."""

from __future__ import annotations

from typing import Any  # Any: elements of arrays, arguments of calls

import numpy as np

from gpucomp.runtime.interop import adopt
from gpucomp.runtime.ndarray import NDArray
from gpucomp.support.registry import get_global_func
from gpucomp.tir.interp.memory import Memory


def packed_array(memory: Memory, dtype: np.dtype[Any], offset: int, shape: list[int], strides: list[int]) -> NDArray:
    """A view of host memory; the function called may write all of it."""
    flat = memory.view(dtype)[int(offset) :]
    view = np.lib.stride_tricks.as_strided(flat, shape, tuple([int(x) * dtype.itemsize for x in strides]))
    if memory.init is not None:
        # What the function writes is not seen: elements of the view count as written.
        units = np.arange(len(memory.init)).view()
        parts = dtype.itemsize // memory.unit
        index = np.lib.stride_tricks.as_strided(
            units[int(offset) * parts :], shape, tuple([int(x) * parts * units.itemsize for x in strides])
        )
        for part in range(parts):
            memory.init[index.reshape(-1) + part] = True
    array = adopt(view)
    assert isinstance(array, NDArray)
    return array


def packed_call(name: str, args: list[object]) -> None:
    """Call a registered function.

    Raises:
        GpucompError: GC003 there is none.
    """
    get_global_func(name)(*args)
