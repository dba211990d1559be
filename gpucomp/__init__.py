"""gpucomp: a GPU-first operator compiler in pure Python.

>>> import numpy as np
>>> import gpucomp as gc
>>> from gpucomp import te
>>> A = te.placeholder((4,), name="A")
>>> B = te.compute((4,), lambda i: A[i] * 2.0, name="B")
>>> double = gc.build(te.create_schedule(B.op), [A, B], target="llvm")
>>> double(np.arange(4, dtype="float32"))
array([0., 2., 4., 6.], dtype=float32)

Everything here is loaded when first used: importing the package costs no more than this file.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gpucomp import arith, driver, error, ir, kernels, runtime, target, te, testing, tir, topi, transform
    from gpucomp.driver import build, lower, source
    from gpucomp.ir.module import IRModule
    from gpucomp.runtime import ndarray as nd
    from gpucomp.runtime.device import Device, cpu, cuda, device, opencl
    from gpucomp.runtime.module import Module
    from gpucomp.runtime.ndarray import NDArray
    from gpucomp.support.config import config
    from gpucomp.support.diagnostics import (
        ArgumentError,
        BuildError,
        DeviceError,
        GpucompError,
        LowerError,
        ScheduleError,
        TensorError,
        TypeMismatchError,
        UndecidedComparison,
        VerifyError,
    )
    from gpucomp.support.diagnostics import GpucompError as TVMError
    from gpucomp.support.dtype import DType as DataType
    from gpucomp.support.registry import get_global_func, register_func
    from gpucomp.target.target import Target
    from gpucomp.tir.values import convert

__version__ = "0.1.0"

__all__ = [
    # layers
    "arith", "driver", "error", "ir", "kernels", "nd", "runtime", "target", "te", "testing", "tir", "topi",
    "transform",
    # compiling
    "IRModule", "Target", "build", "lower", "source",
    # running
    "Device", "Module", "NDArray", "cpu", "cuda", "device", "opencl",
    # errors, under the names that their messages begin with
    "ArgumentError", "BuildError", "DeviceError", "GpucompError", "LowerError", "ScheduleError", "TensorError",
    "TypeMismatchError", "UndecidedComparison", "VerifyError",
    # the rest
    "DataType", "TVMError", "__version__", "config", "convert", "get_global_func", "register_func",
]  # fmt: skip

_ERRORS: Final = (
    "ArgumentError", "BuildError", "DeviceError", "GpucompError", "LowerError", "ScheduleError", "TensorError",
    "TypeMismatchError", "UndecidedComparison", "VerifyError",
)  # fmt: skip
# Where each name is found: a module, or a module and a name in it.
_HOMES: Final[dict[str, tuple[str, str]]] = {
    **dict.fromkeys(
        (
            "arith",
            "driver",
            "error",
            "ir",
            "kernels",
            "runtime",
            "target",
            "te",
            "testing",
            "tir",
            "topi",
            "transform",
        ),
        ("", ""),
    ),
    "nd": ("gpucomp.runtime.ndarray", ""),
    "build": ("gpucomp.driver", "build"),
    "lower": ("gpucomp.driver", "lower"),
    "source": ("gpucomp.driver", "source"),
    "IRModule": ("gpucomp.ir.module", "IRModule"),
    "Target": ("gpucomp.target.target", "Target"),
    "Module": ("gpucomp.runtime.module", "Module"),
    "NDArray": ("gpucomp.runtime.ndarray", "NDArray"),
    **{name: ("gpucomp.runtime.device", name) for name in ("Device", "cpu", "cuda", "device", "opencl")},
    **{name: ("gpucomp.support.diagnostics", name) for name in _ERRORS},
    "TVMError": ("gpucomp.support.diagnostics", "GpucompError"),
    "DataType": ("gpucomp.support.dtype", "DType"),
    "convert": ("gpucomp.tir.values", "convert"),
    "config": ("gpucomp.support.config", "config"),
    "get_global_func": ("gpucomp.support.registry", "get_global_func"),
    "register_func": ("gpucomp.support.registry", "register_func"),
}


def _find_top_level_folders() -> None:
    """Let ``gpucomp.kernels`` and ``gpucomp.templates`` be found in a checkout without symlinks."""
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.dirname(here)
    missing = [name for name in ("kernels", "templates") if not os.path.isdir(os.path.join(here, name))]
    if any(os.path.isdir(os.path.join(root, name)) for name in missing):
        __path__.append(root)


_find_top_level_folders()


if not TYPE_CHECKING:  # a type checker knows the names from above, and should report others

    def __getattr__(name: str) -> object:
        home = _HOMES.get(name)
        if home is None:
            from gpucomp.support.absent import no_attribute

            raise no_attribute("gpucomp", name, __all__)
        module = importlib.import_module(home[0] or f"gpucomp.{name}")
        value: object = getattr(module, home[1]) if home[1] else module
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
