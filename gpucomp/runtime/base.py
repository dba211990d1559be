"""The device interface: what each kind of device (cpu, opencl, cuda, null) provides to the runtime.

A kind lives in one module, ``gpucomp/runtime/<kind>.py``, with a function ``device_api() -> DeviceAPI``.  The
module is imported when the kind is first asked for, and imports its driver package (pycuda, pyopencl,
llvmlite) no earlier.  There is no current device: every method takes the device's index.
"""

from __future__ import annotations

import importlib
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray as NumpyArray

from gpucomp.support.diagnostics import DeviceError, caller_span, did_you_mean
from gpucomp.support.launch import KernelImage

Dim3: TypeAlias = tuple[int, int, int]
HostArray: TypeAlias = NumpyArray[np.generic]

# DLPack's device type numbers; "null" borrows one that no real device uses.
DLPACK_DEVICE_TYPES: Final[Mapping[str, int]] = {"cpu": 1, "cuda": 2, "opencl": 4, "null": 12}


@dataclass(frozen=True, slots=True)
class DeviceAttributes:
    """Facts about one device.

    Attributes:
        name: as the driver reports it.
        vendor: as the driver reports it.
        platform: OpenCL platform name; "CUDA" or "CPU" elsewhere.
        version: of the driver or platform.
        max_threads_per_block: product of the block extents.
        max_block_dims: per axis.
        max_grid_dims: per axis, in blocks.
        warp_size: lanes that run in lockstep (1 where there is no such thing).
        max_shared_memory_per_block: bytes, opt-in sizes included.
        multi_processor_count: cores or multiprocessors.
        l2_cache_size_bytes: 0 when unknown.
        compute_version: "9.0" for CUDA, the OpenCL C version for OpenCL, "" elsewhere.
        global_memory_bytes: total.
        features: of "fp16", "fp64", "bf16", "int64", "subgroups", "int64_atomics", ...
        is_simulator: checks programs rather than running them fast (Oclgrind); never chosen by itself.
        is_cpu: runs on the host's processor.
        arch: what the compiler calls it: "sm_90a", a CPU's name, "".
        location: what tells equal names apart: an ICD library's path, a PCI bus id.
    """

    name: str
    vendor: str = ""
    platform: str = ""
    version: str = ""
    max_threads_per_block: int = 1
    max_block_dims: Dim3 = (1, 1, 1)
    max_grid_dims: Dim3 = (2**31 - 1, 65535, 65535)
    warp_size: int = 1
    max_shared_memory_per_block: int = 0
    multi_processor_count: int = 1
    l2_cache_size_bytes: int = 0
    compute_version: str = ""
    global_memory_bytes: int = 0
    features: frozenset[str] = field(default_factory=frozenset[str])
    is_simulator: bool = False
    is_cpu: bool = False
    arch: str = ""
    location: str = ""


class Missing(NamedTuple):
    """Why a kind has no device, and what mends it (a command where possible)."""

    reason: str
    remedy: str


@dataclass(slots=True, eq=False)
class Memory:
    """A piece of device memory.

    Attributes:
        handle: what a kernel receives for it: an int address (cpu, cuda, null) or a ``pyopencl.Buffer``.
        address: a number for alignment and overlap checks; equal to ``handle`` where that is an int.
        nbytes: size.
        owner: keeps the memory alive (a numpy array, a pycuda allocation, a foreign array).
    """

    handle: object
    address: int
    nbytes: int
    owner: object = None


class LaunchFunction(Protocol):
    """A kernel, ready to launch.

    ``args`` holds one item for each of the kernel's ``arg_types``: a ``Memory.handle`` for an address, a
    Python number for a scalar.  All extents are positive.  The call returns as soon as the work is queued.
    """

    def __call__(
        self, grid: Dim3, block: Dim3, shared_bytes: int, stream: object | None, args: tuple[object, ...], /
    ) -> None: ...


@dataclass(slots=True, eq=False)
class LoadedImage:
    """A kernel image that is compiled and loaded on one device.

    Attributes:
        functions: launch function by kernel name.
        log: what the compiler said.
        texts: further forms of the code by format name: "ptx", "sass", "asm", "ll"... rendered on demand.
        owner: keeps the driver's module alive.
    """

    functions: Mapping[str, LaunchFunction]
    log: str = ""
    texts: Mapping[str, Callable[[], str]] = field(default_factory=dict[str, Callable[[], str]])
    owner: object = None


class DeviceAPI(ABC):
    """One kind of device.  All methods may be called from any thread."""

    kind: ClassVar[str]
    # Has a kernel that only reads (:meth:`read_all`).
    reads_all: ClassVar[bool] = False

    def __init__(self) -> None:
        self._evicting: dict[int, tuple[Memory, Memory]] = {}
        self._evicting_lock = threading.RLock()

    @abstractmethod
    def count(self) -> int:
        """How many devices there are; 0 when the driver package or the driver is missing (never raises)."""

    @abstractmethod
    def why_missing(self) -> Missing | None:
        """Why ``count()`` is 0; None when it is not."""

    @abstractmethod
    def attributes(self, index: int) -> DeviceAttributes:
        """Facts about a device."""

    @abstractmethod
    def alloc(self, index: int, nbytes: int, alignment: int = 64) -> Memory:
        """Allocate ``nbytes`` bytes (0 is legal); contents are undefined.

        Raises:
            DeviceError: not enough memory, with the number of bytes asked for.
        """

    @abstractmethod
    def free(self, index: int, memory: Memory) -> None:
        """Release memory from :meth:`alloc`; safe while queued work still uses it."""

    @abstractmethod
    def copy_from_host(self, index: int, memory: Memory, source: HostArray, stream: object | None = None) -> None:
        """Copy a C-contiguous array to the device; ``source`` may be changed when the call returns."""

    @abstractmethod
    def copy_to_host(self, index: int, target: HostArray, memory: Memory, stream: object | None = None) -> None:
        """Copy to a C-contiguous array; it holds the data when the call returns."""

    @abstractmethod
    def copy_device_to_device(
        self, index: int, target: Memory, source: Memory, nbytes: int, stream: object | None = None
    ) -> None:
        """Copy between two pieces of memory of one device."""

    @abstractmethod
    def memset(self, index: int, memory: object, byte: int, nbytes: int, stream: object | None = None) -> None:
        """Set bytes; ``memory`` is a handle."""

    @abstractmethod
    def sync(self, index: int, stream: object | None = None) -> None:
        """Wait for a stream, or for all work of the device.

        Raises:
            DeviceError: queued work failed.
        """

    @abstractmethod
    def load(self, index: int, image: KernelImage) -> LoadedImage:
        """Compile (or fetch from the disk cache) and load.

        Raises:
            BuildError: the compiler refused the source; names the saved file and shows the lines around it.
        """

    def exist(self, index: int) -> bool:
        """True when device ``index`` is there."""
        return 0 <= index < self.count()

    def probe_image(self, index: int) -> KernelImage | None:
        """A kernel ``gpucomp_probe(float* x, int n)``: ``x[i] = 2 x[i] + 1``, launched in blocks of 64.

        None when there is nothing to probe.
        """
        return None

    # Forms that `inspect` can give, besides the source itself.
    inspect_formats: ClassVar[tuple[str, ...]] = ()

    def inspect(self, image: KernelImage, fmt: str) -> str | None:
        """Another form of an image's code ("ptx", "sass", "asm"), with no device; None when there is none.

        Raises:
            BuildError: the compiler refused the source.
        """
        return None

    def clear_rest(self, index: int, memory: Memory, nbytes: int) -> None:
        """Set what newly allocated memory has beyond ``nbytes`` bytes to zero, where kernels may read it.

        They do, and ignore what they read, where the target has the feature ``readable_granules``.  The work is done
        when the call returns, so that no later owner of the memory on any stream meets it.
        """
        return  # most kinds read no such bytes

    def evict_caches(self, index: int, nbytes: int) -> None:
        """Move ``nbytes`` bytes through the device's caches, so that what follows starts cold."""
        if self.reads_all:
            self.read_all(index, *self.eviction_memory(index, nbytes), nbytes, None)
            self.sync(index)
            return
        memory = self.alloc(index, nbytes)
        self.memset(index, memory.handle, 1, nbytes)
        self.sync(index)
        self.free(index, memory)

    def eviction_memory(self, index: int, nbytes: int) -> tuple[Memory, Memory]:
        """Memory to empty the caches with by :meth:`read_all`, and room for a sum of it.

        It is never set to anything: lines that were just written would have to be written back while the timed work
        runs.  It is read once at first, since some drivers allocate memory when it is first used.  And it stays: after
        memory is given back, devices look up where pages are anew, and kernels on many of them take a sixth longer.
        """
        with self._evicting_lock:
            kept = self._evicting.get(index)
            if kept is None or kept[0].nbytes < nbytes:
                for memory in kept or ():
                    self.free(index, memory)
                kept = self._evicting[index] = self.alloc(index, nbytes), self.alloc(index, 4)
                self.read_all(index, *kept, nbytes, None)
                self.sync(index)
            return kept

    def read_all(self, index: int, data: Memory, result: Memory, nbytes: int, stream: object | None) -> None:
        """Queue a kernel that does nothing but read ``nbytes`` bytes; ``result`` has room for 4.

        Raises:
            DeviceError: GC705 this kind of device has none.
        """
        raise DeviceError(f"{self.kind} devices have no kernel that only reads", code="GC705")

    def create_stream(self, index: int) -> object | None:
        """A new stream (queue); None where everything runs in order on the host."""
        return None

    def free_stream(self, index: int, stream: object | None) -> None:
        """Give a stream back after its work is done."""
        if stream is not None:
            self.sync(index, stream)

    def launch(
        self,
        image: LoadedImage,
        kernel: str,
        grid: Dim3,
        block: Dim3,
        args: tuple[object, ...],
        shared_bytes: int = 0,
        stream: object | None = None,
    ) -> None:
        """Launch one kernel by name; a grid with a 0 launches nothing."""
        if 0 not in grid:
            image.functions[kernel](grid, block, shared_bytes, stream, args)

    def time(self, index: int, work: Callable[[], object], stream: object | None = None) -> float:
        """Seconds from before the first to after the last piece of work that ``work`` queues on ``stream``.

        The default waits on the host's clock; kinds with device events measure between two of them.
        """
        self.sync(index, stream)
        start = time.perf_counter()
        work()
        self.sync(index, stream)
        return time.perf_counter() - start

    def time_cold(self, index: int, work: Callable[[], object], stream: object | None, nbytes: int) -> float:
        """As :meth:`time`, after moving ``nbytes`` bytes through the caches.

        Where there are device events, that traffic is queued just before the work: the device goes from one to the
        other, and the host's time to launch is not measured.
        """
        self.evict_caches(index, nbytes)
        return self.time(index, work, stream)


KINDS: Final = ("cuda", "opencl", "cpu")
_ALIASES: Final[Mapping[str, str]] = {"llvm": "cpu", "gpu": "cuda", "nvidia": "cuda", "cl": "opencl"}
_apis: dict[str, DeviceAPI] = {}
_lock = threading.Lock()


def kind_name(name: str) -> str:
    """The device kind for a name or alias ("llvm" runs on "cpu").

    Raises:
        DeviceError: there is no such kind.
    """
    kind = _ALIASES.get(name, name)
    if kind in KINDS or kind == "null":
        return kind
    raise DeviceError(
        f"there is no device kind {name!r}; known: {', '.join(KINDS)}",
        code="GC701",
        where=caller_span(),
        hint=did_you_mean(name, (*KINDS, *_ALIASES)) or None,
    )


def get_api(kind: str) -> DeviceAPI:
    """The implementation of a device kind, imported at the first call.

    Raises:
        DeviceError: there is no such kind.
    """
    found = _apis.get(kind)
    if found is not None:
        return found
    kind = kind_name(kind)
    with _lock:
        if kind not in _apis:
            module = importlib.import_module(f"gpucomp.runtime.{kind}")
            _apis[kind] = module.device_api()
    return _apis[kind]
