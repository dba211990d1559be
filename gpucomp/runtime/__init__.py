"""Devices, arrays and compiled modules.  Knows no IR.

The names below are loaded when first used; driver packages (pycuda, pyopencl, llvmlite) only when a device of their
kind is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gpucomp.runtime.device import Device, choose_device, default_device
    from gpucomp.runtime.function import Function
    from gpucomp.runtime.module import Module, load_module
    from gpucomp.runtime.ndarray import NDArray
    from gpucomp.runtime.threads import available_threads as num_threads
    from gpucomp.runtime.timing import BenchmarkResult

# `cpu`, `cuda`, `opencl` and `device` are submodules here; the functions of these names are `gpucomp.cpu(0)` and so on.
__all__ = [
    "BenchmarkResult", "Device", "Function", "Module", "NDArray", "choose_device", "default_device", "load_module",
    "num_threads",
]  # fmt: skip

_HOMES: Final[dict[str, str]] = {
    **dict.fromkeys(("Device", "choose_device", "default_device"), "device"),
    "Function": "function",
    "Module": "module",
    "load_module": "module",
    "NDArray": "ndarray",
    "BenchmarkResult": "timing",
    "num_threads": "threads",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'gpucomp.runtime' has no attribute {name!r}")
    module = importlib.import_module(f"gpucomp.runtime.{home}")
    return getattr(module, "available_threads" if name == "num_threads" else name)
