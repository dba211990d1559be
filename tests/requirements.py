"""What a test needs from the machine: missing is a skip, or a failure where CI is set."""

from __future__ import annotations

import ctypes
import os
import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from gpucomp.runtime import pocl

if TYPE_CHECKING:
    import pyopencl

CLC_FOLDER = Path("/usr/lib/clc")


def missing(what: str, remedy: str) -> NoReturn:
    """Skip the running test, or fail it where CI is set: there, everything but a GPU has to be present."""
    message = f"{what} is missing: {remedy}"
    if os.environ.get("CI"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def require_tool(name: str) -> str:
    """The full path of a program such as ``oclgrind`` or ``clang-19``."""
    path = shutil.which(name)
    if path is None:
        missing(name, f"apt-get install {name}")
    return path


def require_libclc(triple: str = "amdgcn--amdhsa") -> Path:
    """The bitcode of libclc for one target, which OpenCL C compiled with clang-19 links."""
    path = CLC_FOLDER / f"{triple}.bc"
    if not path.exists():
        missing(str(path), "apt-get install libclc-19")
    return path


@cache
def pocl_device() -> pyopencl.Device | None:
    """The first device of PoCL, or None. Of two platforms with its name the first one wins."""
    import pyopencl as cl

    try:
        platforms = cl.get_platforms()
    except cl.LogicError:  # PLATFORM_NOT_FOUND_KHR
        return None
    for platform in platforms:
        pocl.choose_method(platform.version)
        if platform.name == "Portable Computing Language" and (devices := platform.get_devices()):
            return devices[0]
    return None


def require_pocl() -> pyopencl.Device:
    """PoCL's CPU device."""
    device = pocl_device()
    if device is None:
        missing("PoCL", "apt-get install pocl-opencl-icd")
    return device


@cache
def nvrtc_version() -> tuple[int, int] | None:
    """Major and minor version of the NVRTC that ``cuda-bindings`` loads, or None."""
    try:
        from cuda.bindings import nvrtc

        error, major, minor = nvrtc.nvrtcVersion()
    except (ImportError, RuntimeError, OSError):
        return None
    return (int(major), int(minor)) if int(error) == 0 else None


def require_nvrtc() -> tuple[int, int]:
    """Major and minor version of NVRTC; compiling needs no GPU."""
    version = nvrtc_version()
    if version is None:
        missing("NVRTC", "pip install 'gpucomp[nvrtc]'")
    return version


@cache
def cuda_device_count() -> int:
    """How many NVIDIA GPUs the driver shows; 0 without a driver. Makes no context."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def require_cuda() -> int:
    """The number of NVIDIA GPUs, at least 1. No GPU is a skip, also in CI, but a failure under ``ci/gpu``."""
    count = cuda_device_count()
    if count > 0:
        return count
    message = "no NVIDIA GPU here: run ci/gpu on a machine that has one"
    if os.environ.get("GPUCOMP_REQUIRE_CUDA") == "1":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
