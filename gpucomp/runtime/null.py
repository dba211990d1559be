"""A device that is always there and computes nothing: for tests of everything around kernels.

Its memory is real (host memory), so copies work; launches are written down, and may be given a meaning in Python.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Final, TypeAlias

import numpy as np

from gpucomp.runtime.base import (
    DeviceAPI,
    DeviceAttributes,
    Dim3,
    HostArray,
    LaunchFunction,
    LoadedImage,
    Memory,
    Missing,
)
from gpucomp.support.diagnostics import BuildError, DeviceError
from gpucomp.support.launch import KernelImage

DEVICE_COUNT: Final = 2
_CAPACITY: Final = 1 << 32

Behaviour: TypeAlias = Callable[[Dim3, Dim3, tuple[object, ...]], None]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that the device was asked to do.

    Attributes:
        what: "alloc", "free", "launch", "memset", "copy", "load" or "sync".
        detail: the numbers that go with it.
    """

    what: str
    index: int
    detail: tuple[object, ...] = ()


@dataclass(slots=True)
class NullAPI(DeviceAPI):
    """See the module's text.

    Attributes:
        events: what was asked, in order, while ``recording``.
        behaviours: what a kernel does, by name: ``behaviour(grid, block, args)``.
    """

    kind: ClassVar[str] = "null"
    events: list[Event] = field(default_factory=list[Event])
    behaviours: dict[str, Behaviour] = field(default_factory=dict[str, Behaviour])
    recording: bool = True
    _streams: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def _note(self, what: str, index: int, *detail: object) -> None:
        if self.recording:
            self.events.append(Event(what, index, detail))

    def launches(self) -> list[tuple[object, ...]]:
        """(kernel, grid, block, shared bytes, stream, args) of each launch."""
        return [event.detail for event in self.events if event.what == "launch"]

    def clear(self) -> None:
        """Forget what was recorded and all behaviours."""
        self.events.clear()
        self.behaviours.clear()
        self.recording = True

    @staticmethod
    def view(handle: object, dtype: str, count: int) -> HostArray:
        """The first ``count`` elements at an address, to be read or written by a behaviour."""
        kind = np.dtype(dtype)
        assert isinstance(handle, int)
        buffer = (ctypes.c_uint8 * (count * kind.itemsize)).from_address(handle)
        return np.frombuffer(memoryview(buffer).cast("B"), kind)

    def count(self) -> int:
        return DEVICE_COUNT

    def why_missing(self) -> Missing | None:
        return None

    def attributes(self, index: int) -> DeviceAttributes:
        return DeviceAttributes(
            name="null device",
            platform="null",
            version="1",
            max_threads_per_block=1024,
            max_block_dims=(1024, 1024, 64),
            warp_size=32,
            max_shared_memory_per_block=49152,
            multi_processor_count=4,
            global_memory_bytes=_CAPACITY,
            features=frozenset({"fp16", "fp64", "bf16", "int64", "subgroups"}),
            is_simulator=True,
        )

    def alloc(self, index: int, nbytes: int, alignment: int = 64) -> Memory:
        if nbytes > _CAPACITY:
            raise DeviceError(f"null({index}) has no {nbytes:,} bytes of memory", code="GC704")
        raw = np.full(nbytes + alignment, 0xCB, np.uint8)  # poison: reading what nobody wrote shows
        address = -(-int(raw.__array_interface__["data"][0]) // alignment) * alignment
        self._note("alloc", index, nbytes)
        return Memory(address, address, nbytes, raw)

    def free(self, index: int, memory: Memory) -> None:
        self._note("free", index, memory.nbytes)

    def copy_from_host(self, index: int, memory: Memory, source: HostArray, stream: object | None = None) -> None:
        self._note("copy", index, "to device", source.nbytes)
        ctypes.memmove(memory.address, source.__array_interface__["data"][0], source.nbytes)

    def copy_to_host(self, index: int, target: HostArray, memory: Memory, stream: object | None = None) -> None:
        self._note("copy", index, "to host", target.nbytes)
        ctypes.memmove(target.__array_interface__["data"][0], memory.address, target.nbytes)

    def copy_device_to_device(
        self, index: int, target: Memory, source: Memory, nbytes: int, stream: object | None = None
    ) -> None:
        self._note("copy", index, "on device", nbytes)
        ctypes.memmove(target.address, source.address, nbytes)

    def memset(self, index: int, memory: object, byte: int, nbytes: int, stream: object | None = None) -> None:
        self._note("memset", index, byte, nbytes)
        assert isinstance(memory, int)
        ctypes.memset(memory, byte, nbytes)

    def sync(self, index: int, stream: object | None = None) -> None:
        self._note("sync", index, stream)

    def create_stream(self, index: int) -> object | None:
        return f"stream {next(self._streams)}"

    def load(self, index: int, image: KernelImage) -> LoadedImage:
        """Every source is accepted except one that starts with ``#error``."""
        self._note("load", index, tuple(spec.name for spec in image.kernels))
        if image.source.startswith("#error"):
            raise BuildError(image.source.splitlines()[0], code="GC501")
        functions = {spec.name: self._function(index, spec.name) for spec in image.kernels}
        return LoadedImage(functions, texts={"null": lambda: image.source})

    def _function(self, index: int, name: str) -> LaunchFunction:
        def launch(grid: Dim3, block: Dim3, shared_bytes: int, stream: object | None, args: tuple[object, ...]) -> None:
            self._note("launch", index, name, grid, block, shared_bytes, stream, args)
            behaviour = self.behaviours.get(name)
            if behaviour is not None:
                behaviour(grid, block, args)

        return launch


def device_api() -> NullAPI:
    """The one instance; tests call ``clear()`` on it."""
    return NullAPI()
