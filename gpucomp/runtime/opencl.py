"""OpenCL devices through pyopencl: those of all platforms, GPUs first, simulators last.

Compiled programs are not kept by us: the drivers (PoCL, NVIDIA, Intel, AMD) keep their own, and pyopencl's cache on
top of them is switched off.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final  # Any: a memory handle has no type that all device kinds share

import numpy as np

from gpucomp.runtime import pocl
from gpucomp.runtime.base import (
    DeviceAPI,
    DeviceAttributes,
    Dim3,
    HostArray,
    LoadedImage,
    Memory,
    Missing,
)
from gpucomp.runtime.buildlog import build_error
from gpucomp.runtime.opencl_attributes import check_subgroups, compiler_name, describe, is_simulator
from gpucomp.runtime.packing import packer
from gpucomp.support.diagnostics import BuildError, DeviceError
from gpucomp.support.launch import KernelImage, KernelSpec
from gpucomp.support.resources import template_text

if TYPE_CHECKING:
    import pyopencl as cl

_PAGE: Final = 4096
_INSTALL: Final = "pip install pyopencl"
_DRIVER: Final = "install a driver, e.g. apt-get install pocl-opencl-icd (CPU), or that of your GPU"


class _Noted(threading.local):
    """Events of the commands that this thread has queued while it times something."""

    events: list[cl.Event] | None = None


class OpenCLAPI(DeviceAPI):
    """See the module's text."""

    kind: ClassVar[str] = "opencl"
    reads_all: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.RLock()
        self._devices: list[cl.Device] | None = None
        self._missing: Missing | None = None
        self._contexts: dict[int, cl.Context] = {}
        self._queues: dict[int, cl.CommandQueue] = {}
        self._streams: dict[int, list[cl.CommandQueue]] = {}
        self._attributes: dict[int, DeviceAttributes] = {}
        self._next_address = _PAGE
        self._evictors: dict[int, LoadedImage] = {}
        self._noted = _Noted()

    # -- devices

    def _all(self) -> list[cl.Device]:
        with self._lock:
            if self._devices is None:
                self._devices = self._enumerate()
            return self._devices

    def _enumerate(self) -> list[cl.Device]:
        try:
            import pyopencl as cl
        except ImportError as error:
            self._missing = Missing(f"pyopencl cannot be imported ({error})", _INSTALL)
            return []
        try:
            platforms = cl.get_platforms()
        except cl.Error as error:
            self._missing = Missing(f"no OpenCL platform ({_error_name(error)})", _DRIVER)
            return []
        devices: list[cl.Device] = []
        for platform in platforms:
            pocl.choose_method(platform.version)
            try:
                devices += platform.get_devices()
            except cl.Error:  # a platform without a device says DEVICE_NOT_FOUND
                continue
        if not devices:
            names = ", ".join(platform.name for platform in platforms)
            self._missing = Missing(f"no device on the OpenCL platforms found ({names})", _DRIVER)
        ranks = {cl.device_type.GPU: 0, cl.device_type.ACCELERATOR: 1, cl.device_type.CPU: 2}
        return sorted(devices, key=lambda device: (is_simulator(device), ranks.get(device.type, 3)))

    def device(self, index: int) -> cl.Device:
        """pyopencl's device number ``index``.

        Raises:
            DeviceError: there is none.
        """
        devices = self._all()
        if 0 <= index < len(devices):
            return devices[index]
        reason = self._missing.reason if self._missing else f"{len(devices)} found"
        raise DeviceError(f"device opencl({index}) is not there: {reason}", code="GC702", hint="gpucomp doctor")

    def count(self) -> int:
        return len(self._all())

    def why_missing(self) -> Missing | None:
        return self._missing if not self._all() else None

    def attributes(self, index: int) -> DeviceAttributes:
        found = self._attributes.get(index)
        if found is None:
            found = self._attributes[index] = describe(self.device(index))
        return found

    def context(self, index: int) -> cl.Context:
        """The context that all memory and programs of a device belong to."""
        import pyopencl as cl

        with self._lock:
            if index not in self._contexts:
                self._contexts[index] = cl.Context([self.device(index)])
            return self._contexts[index]

    def queue(self, index: int, stream: object | None = None) -> cl.CommandQueue:
        """The command queue for a stream; None is the device's default queue."""
        import pyopencl as cl

        if stream is not None:
            if not isinstance(stream, cl.CommandQueue):
                given = type(stream).__name__
                raise DeviceError(f"an OpenCL stream is a pyopencl.CommandQueue, got a {given}", code="GC705")
            return stream
        with self._lock:
            if index not in self._queues:
                self._queues[index] = self._new_queue(index)
            return self._queues[index]

    def _new_queue(self, index: int) -> cl.CommandQueue:
        import pyopencl as cl

        properties = cl.command_queue_properties.PROFILING_ENABLE
        return cl.CommandQueue(self.context(index), self.device(index), properties)

    def create_stream(self, index: int) -> object | None:
        queue = self._new_queue(index)
        self._streams.setdefault(index, []).append(queue)
        return queue

    def free_stream(self, index: int, stream: object | None) -> None:
        super().free_stream(index, stream)
        self._streams[index] = [queue for queue in self._streams.get(index, []) if queue is not stream]

    def _join(self, index: int) -> None:
        """OpenCL's queues do not wait for each other: the default one waits for those that we created."""
        for queue in list(self._streams.get(index, ())):
            queue.finish()

    # -- memory

    def alloc(self, index: int, nbytes: int, alignment: int = 64) -> Memory:
        import pyopencl as cl

        largest = self.device(index).max_mem_alloc_size
        if nbytes > largest:
            raise DeviceError(
                f"opencl({index}) cannot allocate {nbytes:,} bytes: its largest allocation is {largest:,}",
                code="GC704",
            )
        try:
            buffer = cl.Buffer(self.context(index), cl.mem_flags.READ_WRITE, size=max(1, nbytes))
        except (cl.Error, MemoryError) as error:
            message = f"opencl({index}) has no {nbytes:,} bytes of free memory ({_error_name(error)})"
            raise DeviceError(message, code="GC704") from error
        # cl_mem is no address.  Invented, page-aligned ranges serve the overlap and alignment checks as well:
        # OpenCL aligns every buffer for the largest data type (long16, 128 bytes).
        with self._lock:
            address = self._next_address
            self._next_address += -(-max(1, nbytes) // _PAGE) * _PAGE
        return Memory(buffer, address, nbytes, buffer)

    def free(self, index: int, memory: Memory) -> None:
        _buffer(memory.handle).release()  # the driver keeps it until queued work is done

    def copy_from_host(self, index: int, memory: Memory, source: HostArray, stream: object | None = None) -> None:
        import pyopencl as cl

        self._before(index, stream)
        with _reporting(f"copying to opencl({index})"):
            queue = self.queue(index, stream)
            self.note(cl.enqueue_copy(queue, _buffer(memory.handle), _bytes(source), is_blocking=True))

    def copy_to_host(self, index: int, target: HostArray, memory: Memory, stream: object | None = None) -> None:
        import pyopencl as cl

        self._before(index, stream)
        with _reporting(f"copying from opencl({index})"):
            queue = self.queue(index, stream)
            self.note(cl.enqueue_copy(queue, _bytes(target), _buffer(memory.handle), is_blocking=True))

    def copy_device_to_device(
        self, index: int, target: Memory, source: Memory, nbytes: int, stream: object | None = None
    ) -> None:
        import pyopencl as cl

        self._before(index, stream)
        with _reporting(f"copying on opencl({index})"):
            queue = self.queue(index, stream)
            self.note(cl.enqueue_copy(queue, _buffer(target.handle), _buffer(source.handle), byte_count=nbytes))

    def memset(self, index: int, memory: object, byte: int, nbytes: int, stream: object | None = None) -> None:
        import pyopencl as cl

        with _reporting(f"filling memory of opencl({index})"):
            queue = self.queue(index, stream)
            self.note(cl.enqueue_fill_buffer(queue, _buffer(memory), np.full(1, byte, np.uint8), 0, nbytes))

    def _before(self, index: int, stream: object | None) -> None:
        if stream is None:
            self._join(index)

    def sync(self, index: int, stream: object | None = None) -> None:
        with _reporting(f"work queued on opencl({index})"):
            self._before(index, stream)
            self.queue(index, stream).finish()

    # -- code

    def probe_image(self, index: int) -> KernelImage | None:
        return KernelImage(
            "opencl", template_text("opencl/probe.cl"), (KernelSpec("gpucomp_probe", ("float32*", "int32")),)
        )

    def load(self, index: int, image: KernelImage) -> LoadedImage:
        import pyopencl as cl

        program, log = self._build(index, image)
        functions = {spec.name: _Kernel(self, index, cl.Kernel(program, spec.name), spec) for spec in image.kernels}
        return LoadedImage(functions, log, _texts(program), program)

    def _build(self, index: int, image: KernelImage) -> tuple[cl.Program, str]:
        import pyopencl as cl

        device = self.device(index)
        check_subgroups(image.source, f"opencl({index}), {device.name.strip()},", self.attributes(index).features)
        program = cl.Program(self.context(index), image.source)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the log is kept in LoadedImage.log
                no_cache: Any = False  # a documented form that pyopencl's stub leaves out
                threads = [kernel.max_threads for kernel in image.kernels]
                known = 0 if 0 in threads else max(threads, default=0)
                options = [*image.options, *pocl.build_options(device.platform.version, known)]
                program.build(options=options, cache_dir=no_cache)
        except cl.Error as error:
            compiler = compiler_name(device.platform)
            raise build_error(compiler, device.name.strip(), image.source, ".cl", str(error)) from None
        log = program.get_build_info(device, cl.program_build_info.LOG)
        missing = [spec.name for spec in image.kernels if spec.name not in program.kernel_names.split(";")]
        if missing:
            raise BuildError(f"the OpenCL source defines no kernel {missing[0]}", code="GC502")
        return program, str(log).strip()

    def read_all(self, index: int, data: Memory, result: Memory, nbytes: int, stream: object | None) -> None:
        """Queue a kernel that reads memory, and leaves no dirty lines that work which follows had to write back."""
        if index not in self._evictors:
            spec = KernelSpec("gpucomp_evict", ("int32*", "int32*", "int32"))
            self._evictors[index] = self.load(index, KernelImage("opencl", template_text("opencl/evict.cl"), (spec,)))
        args = (data.handle, result.handle, nbytes // 16)
        self.launch(self._evictors[index], "gpucomp_evict", (1024, 1, 1), (64, 1, 1), args, stream=stream)

    def time_cold(self, index: int, work: Callable[[], object], stream: object | None, nbytes: int) -> float:
        """From the end of the kernel that empties the caches to the end of the last command, by the device's clock.

        There are two such kernels: while they run, the host queues the work.
        """
        import pyopencl as cl

        queue = self.queue(index, stream)
        profiled = queue.properties & cl.command_queue_properties.PROFILING_ENABLE
        if not profiled or self.attributes(index).is_cpu:
            return super().time_cold(index, work, stream, nbytes)
        data, result = self.eviction_memory(index, nbytes)
        self.sync(index, stream)
        with self._commands() as events, _reporting(f"work queued on opencl({index})"):
            for _ in range(2):
                self.read_all(index, data, result, nbytes, stream)
            before = events[-1]
            work()
            last = events[-1]
            last.wait()
            return (last.profile.end - before.profile.end) * 1e-9

    @contextmanager
    def _commands(self) -> Generator[list[cl.Event]]:
        """While it lasts, this thread's kernels and copies leave their events in the list."""
        saved, self._noted.events = self._noted.events, []
        try:
            yield self._noted.events
        finally:
            self._noted.events = saved

    def note(self, event: cl.Event) -> None:
        """A command was queued."""
        if self._noted.events is not None:
            self._noted.events.append(event)

    def time(self, index: int, work: Callable[[], object], stream: object | None = None) -> float:
        """From the start of the first command to the end of the last one, by the device's clock.

        Markers will not do: NVIDIA's driver notes them some microseconds after the command before.
        """
        import pyopencl as cl

        queue = self.queue(index, stream)
        profiled = queue.properties & cl.command_queue_properties.PROFILING_ENABLE
        if not profiled or self.attributes(index).is_cpu:
            return super().time(index, work, stream)
        self.sync(index, stream)
        with self._commands() as events, _reporting(f"work queued on opencl({index})"):
            work()
            self.sync(index, stream)
            return (events[-1].profile.end - events[0].profile.start) * 1e-9 if events else 0.0


class _Kernel:
    """A launch function.  OpenCL kernels keep their arguments: only those that changed are set again."""

    def __init__(self, api: OpenCLAPI, index: int, kernel: cl.Kernel, spec: KernelSpec) -> None:
        import pyopencl as cl

        self._enqueue = cl.enqueue_nd_range_kernel
        self._error = cl.Error
        self._api = api
        self._index = index
        self._kernel = kernel
        self._spec = spec
        self._queue = api.queue(index)
        self._lock = threading.Lock()
        self._set: Callable[[int, Any], None] = kernel.set_arg
        self._packers = tuple(None if arg_type.endswith("*") else packer((arg_type,)) for arg_type in spec.arg_types)
        self._last: list[object] = [object()] * len(spec.arg_types)

    def __call__(
        self, grid: Dim3, block: Dim3, shared_bytes: int, stream: object | None, args: tuple[object, ...], /
    ) -> None:
        queue = self._queue if stream is None else self._api.queue(self._index, stream)
        if shared_bytes:
            raise DeviceError(
                f"kernel {self._spec.name} asks for {shared_bytes} bytes of dynamic local memory: "
                "OpenCL kernels declare theirs",
                code="GC706",
            )
        (gx, gy, gz), (bx, by, bz) = grid, block
        try:
            # Arguments belong to the kernel object, so setting and launching is one step.
            with self._lock:
                for position, (packer, value, last) in enumerate(zip(self._packers, args, self._last, strict=True)):
                    if value is not last:
                        self._set(position, value if packer is None else packer(value))
                        self._last[position] = value
                self._api.note(self._enqueue(queue, self._kernel, (gx * bx, gy * by, gz * bz), block))
        except self._error as error:
            self._last = [object()] * len(self._packers)
            raise self._explain(error, grid, block) from error

    def _explain(self, error: Exception, grid: Dim3, block: Dim3) -> DeviceError:
        import pyopencl as cl

        device = self._api.device(self._index)
        limit = self._kernel.get_work_group_info(cl.kernel_work_group_info.WORK_GROUP_SIZE, device)
        threads = block[0] * block[1] * block[2]
        name = self._spec.name
        if threads > limit:
            message = f"kernel {name} has {threads} threads per block, opencl({self._index}) allows {limit} for it"
            return DeviceError(message, code="GC707", hint="use smaller thread extents in the schedule")
        message = f"kernel {name} could not be launched on opencl({self._index}): {_error_name(error)}"
        return DeviceError(message, code="GC707", context=f"grid {grid}, block {block}")


def _buffer(handle: Any) -> cl.Buffer:
    return handle


def _bytes(array: HostArray) -> HostArray:
    """The same memory as bytes: pyopencl knows no bfloat16."""
    return array.reshape(-1).view(np.uint8)


class _reporting:  # reads as a word in `with`
    """Turns pyopencl's errors into DeviceError."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        import pyopencl as cl

        if isinstance(error, cl.Error):
            raise DeviceError(f"{self._what} failed: {_error_name(error)}", code="GC708") from error


def _error_name(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _texts(program: cl.Program) -> Mapping[str, Callable[[], str]]:
    """What the driver gives as a binary, where that is text (NVIDIA's is PTX)."""

    def ptx() -> str:
        return bytes(program.binaries[0]).decode("utf-8", "replace").rstrip("\0")

    return {"ptx": ptx}


def device_api() -> OpenCLAPI:
    """The OpenCL devices of this machine."""
    return OpenCLAPI()
