"""Devices, arrays and compiled modules.  Knows no IR.

The names below are loaded when first used; driver packages (pycuda, pyopencl, llvmlite) only when a device of their
kind is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gpucomp.runtime.device import Device, choose_device, default_device, enabled
    from gpucomp.runtime.function import Function
    from gpucomp.runtime.module import Module, load_module
    from gpucomp.runtime.ndarray import NDArray
    from gpucomp.runtime.threads import available_threads as num_threads
    from gpucomp.runtime.timing import BenchmarkResult
    from gpucomp.support.dtype import DType as DataType
    from gpucomp.tir.operators import const
    from gpucomp.tir.values import convert

# `cpu`, `cuda`, `opencl` and `device` are submodules here; the functions of these names are `gpucomp.cpu(0)` and so on.
__all__ = [
    "BenchmarkResult", "DataType", "Device", "Function", "Module", "NDArray", "choose_device", "const", "convert",
    "default_device", "enabled", "load_module", "num_threads",
]  # fmt: skip

# A module, and the name there where that is another one. Those of the IR are here for their public names only.
_HOMES: Final[dict[str, tuple[str, str]]] = {
    **dict.fromkeys(("Device", "choose_device", "default_device", "enabled"), ("runtime.device", "")),
    "Function": ("runtime.function", ""),
    "Module": ("runtime.module", ""),
    "load_module": ("runtime.module", ""),
    "NDArray": ("runtime.ndarray", ""),
    "BenchmarkResult": ("runtime.timing", ""),
    "num_threads": ("runtime.threads", "available_threads"),
    "DataType": ("support.dtype", "DType"),
    "const": ("tir.operators", ""),
    "convert": ("tir.values", ""),
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'gpucomp.runtime' has no attribute {name!r}")
    return getattr(importlib.import_module(f"gpucomp.{home[0]}"), home[1] or name)
