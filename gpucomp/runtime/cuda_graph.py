"""CUDA graphs: work that is recorded once and launched again as one piece.

Launching a graph costs the host about as much as one kernel, whatever is in it, so that short kernels can be timed
beside those of other libraries without their launch costs (CUDA C Programming Guide, "CUDA Graphs").
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any, Final  # Any: a stream is a pycuda object, loaded lazily

from gpucomp.runtime.cuda import CudaAPI
from gpucomp.runtime.device import Device
from gpucomp.support.diagnostics import DeviceError

_RELAXED: Final = 2  # other threads, and the allocators of libraries, may go on meanwhile


@functools.cache
def _driver() -> ctypes.CDLL:
    library = ctypes.CDLL("libcuda.so.1")
    handle, pointer = ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p)
    library.cuStreamBeginCapture_v2.argtypes = [handle, ctypes.c_int]
    library.cuStreamEndCapture.argtypes = [handle, pointer]
    library.cuGraphInstantiateWithFlags.argtypes = [pointer, handle, ctypes.c_ulonglong]
    library.cuGraphLaunch.argtypes = [handle, handle]
    library.cuGraphExecDestroy.argtypes = [handle]
    library.cuGraphDestroy.argtypes = [handle]
    return library


def _call(name: str, *args: object) -> None:
    status = getattr(_driver(), name)(*args)
    if status:
        raise DeviceError(f"{name} failed with CUDA error {status}", code="GC708")


class CudaGraph:
    """What ``work`` queues on a stream, recorded; nothing runs while it is recorded.

    Args:
        device: a CUDA device.
        work: queues kernels on ``stream``; it may neither wait for the device nor allocate memory.
        stream: made by ``device.create_raw_stream()``.

    Raises:
        DeviceError: GC708 the driver refuses, for example because ``work`` synchronises.
    """

    def __init__(self, device: Device, work: Callable[[], object], stream: Any) -> None:
        api = device.api
        if not isinstance(api, CudaAPI):
            raise DeviceError(f"{device} has no CUDA graphs", code="GC708", hint="they exist on CUDA devices only")
        self._api, self._index, self._stream = api, device.index, stream
        self._graph, self._executable = ctypes.c_void_p(), ctypes.c_void_p()
        with api.current(device.index, "recording a graph"):
            _call("cuStreamBeginCapture_v2", stream.handle, _RELAXED)
            try:
                work()
            finally:
                _call("cuStreamEndCapture", stream.handle, ctypes.byref(self._graph))
            _call("cuGraphInstantiateWithFlags", ctypes.byref(self._executable), self._graph, 0)

    def launch(self) -> None:
        """Queue the recorded work on the stream."""
        with self._api.current(self._index, "launching a graph"):
            _call("cuGraphLaunch", self._executable, self._stream.handle)

    def close(self) -> None:
        """Give the recorded work back to the driver; the graph cannot be launched afterwards."""
        with self._api.current(self._index, "freeing a graph"):
            if self._executable:
                _driver().cuGraphExecDestroy(self._executable)
            if self._graph:
                _driver().cuGraphDestroy(self._graph)
        self._executable, self._graph = ctypes.c_void_p(), ctypes.c_void_p()
