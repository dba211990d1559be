"""Packed calls: registered Python functions called from host programs, with arrays on the device as arguments."""

from __future__ import annotations

from typing import Any  # Any: arguments as the launcher passes them

from gpucomp.runtime.base import Memory
from gpucomp.runtime.device import Device
from gpucomp.runtime.ndarray import NDArray
from gpucomp.support.diagnostics import DeviceError, GpucompError, caller_span
from gpucomp.support.dtype import DType
from gpucomp.support.registry import get_global_func


def call_packed(device: Device, name: str, args: tuple[Any, ...], stream: object | None) -> None:
    """Call a registered function once the device has done what is queued, and wait for what it queues.

    Args:
        device: where the arrays are.
        name: under which ``register_func`` knows the function.
        args: numbers and strings as they are; arrays as (handle, dtype, shape, strides, offset in elements).
        stream: on which the arrays are being computed.

    Raises:
        GpucompError: GC003 there is no such function.
    """
    try:
        function = get_global_func(name)
    except GpucompError as error:
        error.where = caller_span()
        raise
    arrays = [_array(device, arg) if isinstance(arg, tuple) else arg for arg in args]
    device.api.sync(device.index, stream)
    function(*arrays)
    device.api.sync(device.index, None)


def _array(device: Device, parts: tuple[Any, ...]) -> NDArray:
    handle, kind, shape, strides, offset = parts
    dtype = DType(kind)
    last = sum([(extent - 1) * step for extent, step in zip(shape, strides, strict=True)])
    nbytes = 0 if 0 in shape else (last + 1) * dtype.nbytes
    if isinstance(handle, int):
        place = handle + offset * dtype.nbytes
        return NDArray(Memory(place, place, nbytes), shape, dtype, device, strides)
    if offset:
        handle = _sub_buffer(handle, offset * dtype.nbytes, nbytes, device)
    return NDArray(Memory(handle, 0, nbytes), shape, dtype, device, strides)


def _sub_buffer(handle: Any, begin: int, nbytes: int, device: Device) -> object:
    """A part of an OpenCL buffer, which must start at an address that the device likes."""
    try:
        return handle.get_sub_region(begin, nbytes)
    except Exception as error:  # pyopencl's errors are known to the OpenCL module only
        raise DeviceError(
            f"{device} cannot pass a part of a buffer that starts {begin} bytes into it ({error})",
            code="GC705",
            where=caller_span(),
            hint="copy the part into a tensor of its own first: te.compute(...)",
        ) from error
