"""NVIDIA GPUs: compiled by NVRTC or nvcc, launched by pycuda in each device's primary context.

The primary context is the one that torch, cupy and jax use, so their pointers are valid here and ours there.  It is
pushed for the length of each call and popped again: nothing of ours stays current between calls, on any thread, and
pycuda finds an empty context stack when a thread or the process ends.  pycuda's objects must be destroyed while
their context is current, so this module alone owns them: arrays hold addresses.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final  # Any: a stream has no type that all device kinds share

import numpy as np

from gpucomp.runtime.base import (
    DeviceAPI,
    DeviceAttributes,
    HostArray,
    LoadedImage,
    Memory,
    Missing,
)
from gpucomp.runtime.cuda_compile import cuda_compiler, ptx_text, sass_text
from gpucomp.runtime.cuda_kernel import Kernel, keep_forever
from gpucomp.runtime.cuda_units import Unit, compiled_units
from gpucomp.support.diagnostics import BuildError, DeviceError
from gpucomp.support.launch import KernelImage, KernelSpec
from gpucomp.support.resources import template_text

if TYPE_CHECKING:
    from types import ModuleType

    import pycuda.driver as drv

_FIRST_ACCELERATED: Final = 9  # from compute capability 9.0 on, "sm_90a" has what "sm_90" leaves out
_NON_BLOCKING: Final = 1  # CU_STREAM_NON_BLOCKING
_INSTALL_DRIVER: Final = "install NVIDIA's driver (nvidia-smi should then list the GPU)"
_INSTALL_PYCUDA: Final = 'pip install "gpucomp[cuda]" (it compiles pycuda: nvcc and cuda.h are needed)'

# After one of these the context is lost: every further call in the process fails with the same words.
_STICKY: Final = (
    "illegal memory access",
    "illegal address",
    "launch failed",
    "launch failure",
    "misaligned address",
    "illegal instruction",
    "invalid program counter",
    "hardware stack error",
    "invalid address space",
    "assert triggered",
    "device-side assert",
    "launch timed out",
    "ecc error",
)


class _Current:
    """Makes a device's primary context current for a ``with`` block, and turns driver errors into DeviceError."""

    __slots__ = ("_api", "_context", "_index", "_what")

    def __init__(self, api: CudaAPI, index: int, what: str) -> None:
        self._api = api
        self._index = index
        self._what = what
        self._context = api.context(index)

    def __enter__(self) -> None:
        self._context.push()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        driver = self._api.driver()
        try:
            self._context.pop()
        except driver.Error:
            if error is None:
                raise
        if isinstance(error, Exception) and isinstance(error, driver.Error):
            raise self._api.failure(self._index, self._what, error) from error


class CudaAPI(DeviceAPI):
    """See the module's text."""

    kind: ClassVar[str] = "cuda"
    reads_all: ClassVar[bool] = True
    inspect_formats: ClassVar[tuple[str, ...]] = ("ptx", "sass")

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.RLock()
        self._driver: ModuleType | None = None
        self._missing: Missing | None = None
        self._asked = False
        self._count = 0
        self._contexts: dict[int, drv.Context] = {}
        self._attributes: dict[int, DeviceAttributes] = {}
        self._lost: dict[int, str] = {}
        self._evictors: dict[int, LoadedImage] = {}
        self._live: dict[int, dict[int, drv.DeviceAllocation]] = {}
        self._kernels: dict[int, weakref.WeakSet[Kernel]] = {}

    # -- driver and devices

    def _ask(self) -> None:
        with self._lock:
            if self._asked:
                return
            self._missing = self._start()
            self._asked = True

    def _start(self) -> Missing | None:
        library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
        try:
            ctypes.CDLL(library)
        except OSError:
            return Missing(f"no NVIDIA driver ({library} not found)", _INSTALL_DRIVER)
        try:
            import pycuda.driver as driver
        except ImportError as error:
            return Missing(f"pycuda cannot be imported ({error})", _INSTALL_PYCUDA)
        try:
            driver.init()
            self._count = driver.Device.count()
        except driver.Error as error:
            return Missing(f"the CUDA driver does not start ({error})", _INSTALL_DRIVER)
        if self._count == 0:
            return Missing("the CUDA driver lists no GPU", "check CUDA_VISIBLE_DEVICES and nvidia-smi")
        self._driver = driver
        return None

    def driver(self) -> ModuleType:
        """pycuda.driver, initialised.

        Raises:
            DeviceError: there is no CUDA here.
        """
        if self._driver is None:
            self._ask()
        if self._driver is None:
            missing = self._missing or Missing("no CUDA", _INSTALL_DRIVER)
            raise DeviceError(f"there is no CUDA device: {missing.reason}", code="GC702", hint=missing.remedy)
        return self._driver

    def count(self) -> int:
        self._ask()
        return self._count if self._driver is not None else 0

    def why_missing(self) -> Missing | None:
        self._ask()
        return self._missing

    def context(self, index: int) -> drv.Context:
        """The primary context of a device, retained until the process ends.

        Raises:
            DeviceError: there is no such device, or an earlier error made its context useless.
        """
        if index in self._lost:
            raise DeviceError(
                f"cuda({index}) cannot be used any more: {self._lost[index]}",
                code="GC709",
                hint="a CUDA context does not survive such an error: start a new process",
            )
        found = self._contexts.get(index)
        if found is not None:
            return found
        driver = self.driver()
        if not 0 <= index < self._count:
            raise DeviceError(f"device cuda({index}) is not there: {self._count} found", code="GC702")
        with self._lock:
            if index not in self._contexts:
                if not self._contexts:
                    atexit.register(self._close)
                self._contexts[index] = driver.Device(index).retain_primary_context()
            return self._contexts[index]

    def _close(self) -> None:
        """Destroy pycuda's objects while their contexts can be made current: at the end of the process."""
        for index, context in self._contexts.items():
            allocations = list(self._live.pop(index, {}).values())
            for kernel in list(self._kernels.pop(index, ())):
                kernel.close()
            if index in self._lost:
                keep_forever(*allocations, context)
                continue
            with contextlib.suppress(Exception):  # the driver may be gone already
                context.push()
                for allocation in allocations:
                    allocation.free()
                context.pop()

    def current(self, index: int, what: str) -> _Current:
        """A ``with`` block in which the device's context is current; ``what`` is named in errors."""
        return _Current(self, index, what)

    def is_lost(self, index: int) -> bool:
        """True after an error that ended the context."""
        return index in self._lost

    def failure(self, index: int, what: str, error: Exception) -> DeviceError:
        """The DeviceError for a driver error; remembers errors that end the context."""
        text = str(error).strip()
        lowered = text.lower()
        if any(words in lowered for words in _STICKY):
            self._lost.setdefault(index, f"{what} failed with {text}")
            return DeviceError(
                f"{what} failed on cuda({index}): {text}",
                code="GC709",
                context="the error belongs to this or to an earlier launch; the context is lost",
                hint="run under compute-sanitizer to find the access; start a new process to go on",
            )
        return DeviceError(f"{what} failed on cuda({index}): {text}", code="GC708")

    def attributes(self, index: int) -> DeviceAttributes:
        found = self._attributes.get(index)
        if found is None:
            driver = self.driver()
            found = self._attributes[index] = _describe(driver.Device(index), driver)
        return found

    # -- memory

    def alloc(self, index: int, nbytes: int, alignment: int = 64) -> Memory:
        driver = self.driver()
        try:
            with _Current(self, index, f"allocating {nbytes:,} bytes"):
                allocation = driver.mem_alloc(max(1, nbytes))
        except DeviceError as error:
            if isinstance(error.__cause__, driver.MemoryError):
                raise DeviceError(f"cuda({index}) has no {nbytes:,} bytes of free memory", code="GC704") from error
            raise
        address = int(allocation)
        self._live.setdefault(index, {})[address] = allocation
        return Memory(address, address, nbytes)

    def free(self, index: int, memory: Memory) -> None:
        allocation = None if index in self._lost else self._live.get(index, {}).pop(memory.address, None)
        if allocation is not None:
            with _Current(self, index, "freeing memory"):
                allocation.free()

    def copy_from_host(self, index: int, memory: Memory, source: HostArray, stream: object | None = None) -> None:
        driver = self.driver()
        with _Current(self, index, "copying to the device"):
            if stream is None:
                driver.memcpy_htod(memory.address, _bytes(source))
            else:
                driver.memcpy_htod_async(memory.address, _bytes(source), stream)
                _stream(stream).synchronize()

    def copy_to_host(self, index: int, target: HostArray, memory: Memory, stream: object | None = None) -> None:
        driver = self.driver()
        with _Current(self, index, "copying from the device"):
            if stream is None:
                driver.memcpy_dtoh(_bytes(target), memory.address)
            else:
                driver.memcpy_dtoh_async(_bytes(target), memory.address, stream)
                _stream(stream).synchronize()

    def copy_device_to_device(
        self, index: int, target: Memory, source: Memory, nbytes: int, stream: object | None = None
    ) -> None:
        driver = self.driver()
        with _Current(self, index, "copying on the device"):
            driver.memcpy_dtod_async(target.address, source.address, nbytes, stream)

    def memset(self, index: int, memory: object, byte: int, nbytes: int, stream: object | None = None) -> None:
        driver = self.driver()
        with _Current(self, index, "filling memory"):
            driver.memset_d8_async(memory, byte, nbytes, stream)

    def clear_rest(self, index: int, memory: Memory, nbytes: int) -> None:
        driver = self.driver()
        with _Current(self, index, "clearing memory"):
            own = driver.Stream(_NON_BLOCKING)  # waits for nobody's work
            driver.memset_d8_async(memory.address + nbytes, 0, memory.nbytes - nbytes, own)
            own.synchronize()
            del own  # streams have to be destroyed while the context is current

    # -- streams and time

    def create_stream(self, index: int) -> object | None:
        driver = self.driver()
        with _Current(self, index, "creating a stream"):
            return driver.Stream()

    def sync(self, index: int, stream: object | None = None) -> None:
        driver = self.driver()
        with _Current(self, index, "queued work"):
            if stream is None:
                driver.Context.synchronize()
            else:
                _stream(stream).synchronize()

    def time(self, index: int, work: Callable[[], object], stream: object | None = None) -> float:
        """Seconds between two events on the stream (see :meth:`DeviceAPI.time`)."""
        driver = self.driver()
        queue = None if stream is None else _stream(stream)
        self.sync(index, stream)
        with _Current(self, index, "timed work"):
            first, last = driver.Event(), driver.Event()
            first.record(queue)
            work()
            last.record(queue)
            last.synchronize()
            seconds = last.time_since(first) * 1e-3
            del first, last  # events have to be destroyed while the context is current
        return seconds

    def time_cold(self, index: int, work: Callable[[], object], stream: object | None, nbytes: int) -> float:
        driver = self.driver()
        queue = None if stream is None else _stream(stream)
        data, result = self.eviction_memory(index, nbytes)
        self.sync(index)
        with _Current(self, index, "timed work"):
            first, last = driver.Event(), driver.Event()
            self.read_all(index, data, result, nbytes, stream)
            first.record(queue)
            work()
            last.record(queue)
            last.synchronize()
            seconds = last.time_since(first) * 1e-3
            del first, last  # events have to be destroyed while the context is current
        return seconds

    def read_all(self, index: int, data: Memory, result: Memory, nbytes: int, stream: object | None) -> None:
        """Queue a kernel that reads memory, and leaves no dirty lines that work which follows had to write back."""
        if index not in self._evictors:
            spec = KernelSpec("gpucomp_evict", ("int32*", "int32*", "int64"))
            self._evictors[index] = self.load(index, KernelImage("cuda", template_text("cuda/evict.cu"), (spec,)))
        args = (data.handle, result.handle, nbytes // 16)
        self.launch(self._evictors[index], "gpucomp_evict", (1024, 1, 1), (256, 1, 1), args, stream=stream)

    # -- code

    def probe_image(self, index: int) -> KernelImage | None:
        return KernelImage(
            "cuda", template_text("cuda/probe.cu"), (KernelSpec("gpucomp_probe", ("float32*", "int32")),)
        )

    def load(self, index: int, image: KernelImage) -> LoadedImage:
        arch = image.arch or self.attributes(index).arch
        units = compiled_units(image, arch)
        loaded = [(unit, self._module(index, unit, arch)) for unit in units]
        modules = {name: module for unit, module in loaded for name in unit.kernels}
        functions = {spec.name: self._function(index, modules[spec.name], spec) for spec in image.kernels}
        texts: dict[str, Callable[[], str]] = {
            "ptx": lambda: ptx_text(image.source, arch, image.options),
            "sass": lambda: _sass(units),
        }
        return LoadedImage(functions, "\n".join([unit.log for unit in units]), texts)

    def _module(self, index: int, unit: Unit, arch: str) -> drv.Module:
        driver = self.driver()
        try:
            with _Current(self, index, "loading code"):
                return driver.module_from_buffer(unit.cubin)
        except DeviceError as error:
            if error.code == "GC709":
                raise
            raise BuildError(
                f"cuda({index}) ({self.attributes(index).arch}) cannot load code for {arch}: {error.message}",
                code="GC505",
                hint=self._load_hint(index, arch),
            ) from error

    def _function(self, index: int, module: drv.Module, spec: KernelSpec) -> Kernel:
        try:
            with _Current(self, index, f"looking up kernel {spec.name}"):
                made = Kernel(self, index, module, spec)
        except DeviceError as error:
            if error.code == "GC709":
                raise
            message = f"the CUDA source defines no kernel {spec.name}"
            raise BuildError(
                message, code="GC502", hint="it has to be a kernel with C linkage: C++ mangles other names"
            ) from error
        self._kernels.setdefault(index, weakref.WeakSet()).add(made)
        return made

    def _load_hint(self, index: int, arch: str) -> str:
        own = self.attributes(index).arch
        if arch.rstrip("af") != own.rstrip("af"):
            return f"build for {own}"
        version = self.driver().get_driver_version()
        return (
            f"the driver knows CUDA {version // 1000}.{version % 1000 // 10}, the code is from "
            f"{cuda_compiler().name}: use a compiler that is not newer than the driver"
        )

    def inspect(self, image: KernelImage, fmt: str) -> str | None:
        if fmt == "ptx":
            return ptx_text(image.source, image.arch, image.options)
        if fmt == "sass":
            return _sass(compiled_units(image, image.arch or "sm_90a"))
        return None


def _sass(units: Sequence[Unit]) -> str:
    return "\n".join([sass_text(unit.cubin) for unit in units])


def _stream(stream: Any) -> drv.Stream:
    return stream


def _bytes(array: HostArray) -> HostArray:
    """The same memory as bytes: the buffer protocol has no bfloat16."""
    return array.reshape(-1).view(np.uint8)


def _describe(device: drv.Device, driver: ModuleType) -> DeviceAttributes:
    names = driver.device_attribute

    def number(name: str) -> int:
        return int(device.get_attribute(getattr(names, name)))

    major, minor = device.compute_capability()
    version = driver.get_driver_version()
    features = {"fp16", "fp64", "int64", "int64_atomics", "subgroups"}
    features |= {"bf16"} if major >= 8 else set()
    return DeviceAttributes(
        name=device.name(),
        vendor="NVIDIA",
        platform="CUDA",
        version=f"{version // 1000}.{version % 1000 // 10}",
        max_threads_per_block=number("MAX_THREADS_PER_BLOCK"),
        max_block_dims=(number("MAX_BLOCK_DIM_X"), number("MAX_BLOCK_DIM_Y"), number("MAX_BLOCK_DIM_Z")),
        max_grid_dims=(number("MAX_GRID_DIM_X"), number("MAX_GRID_DIM_Y"), number("MAX_GRID_DIM_Z")),
        warp_size=number("WARP_SIZE"),
        max_shared_memory_per_block=number("MAX_SHARED_MEMORY_PER_BLOCK_OPTIN"),
        multi_processor_count=number("MULTIPROCESSOR_COUNT"),
        l2_cache_size_bytes=number("L2_CACHE_SIZE"),
        compute_version=f"{major}.{minor}",
        global_memory_bytes=device.total_memory(),
        features=frozenset(features),
        arch=f"sm_{major}{minor}{'a' if major >= _FIRST_ACCELERATED else ''}",
        location=device.pci_bus_id(),
    )


def device_api() -> CudaAPI:
    """The CUDA devices of this machine."""
    return CudaAPI()
