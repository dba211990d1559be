"""Errors under their standard public names."""

from __future__ import annotations

from gpucomp.support.diagnostics import (
    ArgumentError,
    BuildError,
    DeviceError,
    GpucompError,
    LowerError,
    ScheduleError,
    TensorError,
    VerifyError,
)

TVMError = GpucompError  # what every error of the compiler is

__all__ = [
    "ArgumentError", "BuildError", "DeviceError", "GpucompError", "LowerError", "ScheduleError", "TVMError",
    "TensorError", "VerifyError",
]  # fmt: skip
