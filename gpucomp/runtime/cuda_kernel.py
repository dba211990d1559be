"""One CUDA kernel, ready to launch through pycuda."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, TypeAlias  # Any: pycuda's stub hides a method

from gpucomp.runtime.base import Dim3
from gpucomp.runtime.packing import packer
from gpucomp.support.diagnostics import DeviceError
from gpucomp.support.launch import KernelSpec

if TYPE_CHECKING:
    from gpucomp.runtime.cuda import CudaAPI

_DEFAULT_SHARED_LIMIT: Final = 48 * 1024
# Attributes of functions by their numbers in the driver's interface, for pycuda has no names for them.
_CLUSTER_WIDTH: Final = 11
_LARGE_CLUSTERS: Final = 14
_PORTABLE_CLUSTER: Final = 8  # blocks of the largest cluster that no one has to ask for

_RawLaunch: TypeAlias = Callable[[Dim3, Dim3, bytes, int, object | None], None]


class _DriverFunction(Protocol):
    """The part of ``pycuda.driver.Function`` used here."""

    # The stateless launch that `prepared_async_call` wraps, at 2 us more.
    @property
    def _launch_kernel(self) -> _RawLaunch: ...
    def get_attribute(self, attribute: object, /) -> int: ...
    def set_attribute(self, attribute: object, value: int, /) -> None: ...


class _DriverModule(Protocol):
    """The part of ``pycuda.driver.Module`` used here."""

    def get_function(self, name: str, /) -> Any: ...


def keep_forever(*objects: object) -> None:
    """Never destroy these: the driver refuses every call, and pycuda would print a warning for each."""
    for kept in objects:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))


def _closed(*_: object) -> NoReturn:
    raise DeviceError("this kernel's code was unloaded: the process is about to end", code="GC706")


class Kernel:
    """A launch function."""

    def __init__(self, api: CudaAPI, index: int, module: _DriverModule, spec: KernelSpec) -> None:
        driver = api.driver()
        self._api = api
        self._index = index
        self._name = spec.name
        self._context = api.context(index)
        self._push = self._context.push
        self._pop = self._context.pop
        self._error: type[Exception] = driver.Error
        self._static_shared = spec.static_shared_bytes
        self._allowed_shared = _DEFAULT_SHARED_LIMIT - self._static_shared
        self._pack = packer(spec.arg_types)
        function: _DriverFunction = module.get_function(spec.name)
        self._function: _DriverFunction | None = function
        self._launch: _RawLaunch = function._launch_kernel
        if int(api.attributes(index).compute_version.partition(".")[0]) >= 9:
            self._allow_cluster(function, driver.function_attribute)

    def __call__(
        self, grid: Dim3, block: Dim3, shared_bytes: int, stream: object | None, args: tuple[object, ...], /
    ) -> None:
        if shared_bytes > self._allowed_shared:
            self._allow_shared(shared_bytes)
        arguments = self._pack(*args)
        self._push()
        try:
            self._launch(grid, block, arguments, shared_bytes, stream)
        except self._error as error:
            raise self._explain(error, grid, block, shared_bytes) from error
        finally:
            self._pop()

    def close(self) -> None:
        """Let go of the driver's function, and with its last function of the module."""
        if self._function is None:
            return
        if self._api.is_lost(self._index):
            keep_forever(self._function)
        with contextlib.suppress(Exception):  # the driver may be gone already
            self._push()
            self._launch = _closed
            self._function = None
            self._pop()

    def __del__(self) -> None:
        if hasattr(self, "_launch"):
            self.close()

    @staticmethod
    def _allow_cluster(function: _DriverFunction, attribute: Callable[[int], object]) -> None:
        """More blocks than every device has in a cluster have to be asked for, once per function."""
        if function.get_attribute(attribute(_CLUSTER_WIDTH)) > _PORTABLE_CLUSTER:
            function.set_attribute(attribute(_LARGE_CLUSTERS), 1)

    def _open(self) -> _DriverFunction:
        if self._function is None:
            _closed()
        return self._function

    def _allow_shared(self, shared_bytes: int) -> None:
        """More than 48 KiB has to be asked for, once per function."""
        driver = self._api.driver()
        limit = self._api.attributes(self._index).max_shared_memory_per_block - self._static_shared
        if shared_bytes > limit:
            raise DeviceError(
                f"kernel {self._name} asks for {shared_bytes:,} bytes of shared memory, "
                f"cuda({self._index}) has {limit:,}",
                code="GC707",
                hint="use smaller tiles or fewer pipeline stages",
            )
        with self._api.current(self._index, f"asking for {shared_bytes:,} bytes of shared memory"):
            attribute = driver.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES
            self._open().set_attribute(attribute, shared_bytes)
        self._allowed_shared = shared_bytes

    def _explain(self, error: Exception, grid: Dim3, block: Dim3, shared_bytes: int) -> DeviceError:
        driver = self._api.driver()
        threads = block[0] * block[1] * block[2]
        limit = self._open().get_attribute(driver.function_attribute.MAX_THREADS_PER_BLOCK)
        if threads > limit:
            registers = self._open().get_attribute(driver.function_attribute.NUM_REGS)
            return DeviceError(
                f"kernel {self._name} has {threads} threads per block; with {registers} registers per thread "
                f"cuda({self._index}) allows {limit}",
                code="GC707",
                hint="use smaller thread extents, or less unrolling",
            )
        made = self._api.failure(self._index, f"launch of kernel {self._name}", error)
        if made.context is None:
            made.context = f"grid {grid}, block {block}, {shared_bytes} bytes of dynamic shared memory"
        return made
