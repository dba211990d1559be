"""NDArray: an array on a device, and its exchange with numpy, torch, cupy and jax."""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, SupportsIndex, TypeAlias  # Any: elements of arrays, values of array interfaces

import numpy as np
import numpy.typing as npt

from gpucomp.runtime import dlpack
from gpucomp.runtime.base import DLPACK_DEVICE_TYPES, HostArray, Memory
from gpucomp.runtime.device import Device, cpu
from gpucomp.runtime.device import device as device_named
from gpucomp.runtime.dlpack import SupportsDLPack, compact_strides
from gpucomp.runtime.memory import Allocation, get_pool
from gpucomp.support.diagnostics import ArgumentError, caller_span
from gpucomp.support.dtype import DType
from gpucomp.support.expect import expect

Shape: TypeAlias = "int | Iterable[SupportsIndex]"

_DLPACK_KINDS: Final[Mapping[int, str]] = {number: kind for kind, number in DLPACK_DEVICE_TYPES.items()}
# Pinned host memory, and managed memory.
_DLPACK_KINDS_ALSO: Final[Mapping[int, str]] = {3: "cpu", 13: "cuda"}

# Everything about an argument that the choice of a launcher depends on, as one small number.
_Layout: TypeAlias = tuple[tuple[int, ...], str, tuple[int, ...], Device, int]
_signatures: dict[_Layout, int] = {}
_next_signature = itertools.count()
_MOST_SIGNATURES: Final = 1 << 16


def _signature(layout: _Layout) -> int:
    found = _signatures.get(layout)
    if found is not None:
        return found
    if len(_signatures) >= _MOST_SIGNATURES:
        _signatures.clear()  # numbers are never reused, so launchers bound to old ones are only forgotten
    return _signatures.setdefault(layout, next(_next_signature))


class NDArray:
    """An array in the memory of a device.

    Attributes:
        shape: extents.
        dtype: element type, a string such as ``"float32"``.
        device: where it lives.
        strides: in elements.
        read_only: True when kernels may not write to it.
        handle: what kernels receive.
        address: of the first element (0 for an empty array).
    """

    __slots__ = (
        "__weakref__", "_sig", "address", "allocation", "device", "dtype", "handle", "memory", "nbytes",
        "read_only", "shape", "strides",
    )  # fmt: skip

    # numpy leaves `numpy_array + nd_array` to us, and we refuse: no silent copies.
    __array_ufunc__ = None

    def __init__(
        self,
        memory: Memory,
        shape: tuple[int, ...],
        dtype: DType,
        device: Device,
        strides: tuple[int, ...] | None = None,
        *,
        allocation: Allocation | None = None,
        read_only: bool = False,
    ) -> None:
        if type(memory) is not Memory:  # every launch makes some
            expect(
                memory, Memory, "NDArray", "gpucomp.nd.array(values, device) and gpucomp.nd.empty(shape) make arrays"
            )
        self.memory = memory
        self.allocation = allocation
        self.shape = shape
        self.dtype = dtype
        self.device = device
        self.strides = compact_strides(shape) if strides is None else strides
        self.read_only = read_only
        self.handle = memory.handle
        self.address = memory.address
        self.nbytes = math.prod(shape) * dtype.nbytes
        self._sig = _signature((shape, dtype, self.strides, device, memory.address & 255))

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def is_contiguous(self) -> bool:
        """True for a compact row-major array (extents of 1 may have any stride)."""
        return is_compact(self.shape, self.strides)

    @property
    def span_bytes(self) -> int:
        """Bytes from the first to behind the last element; strides are not negative."""
        if 0 in self.shape:
            return 0
        last = sum((extent - 1) * step for extent, step in zip(self.shape, self.strides, strict=True))
        return (last + 1) * self.dtype.nbytes

    def numpy(self) -> npt.NDArray[Any]:
        """The values as a numpy array: on the CPU a view of the same memory, elsewhere a copy."""
        if self.device.kind == "cpu":
            return self._host_view()
        host = np.empty(self.span_bytes, np.uint8)
        if self.nbytes:
            self.device.api.copy_to_host(self.device.index, host, self.memory)
        return _as_array(host, self).copy() if not self.is_contiguous else _as_array(host, self)

    def asnumpy(self) -> npt.NDArray[Any]:
        """The same as :meth:`numpy`."""
        return self.numpy()

    def _host_view(self) -> npt.NDArray[np.generic]:
        if self.nbytes == 0:
            return np.empty(self.shape, self.dtype.numpy)
        if self.allocation is None and isinstance(self.memory.owner, np.ndarray):
            owner: npt.NDArray[np.generic] = self.memory.owner
            return owner
        view = np.asarray(_HostMemory(self))
        return _as_array(view, self)

    def copyfrom(self, src: NDArray | npt.ArrayLike) -> NDArray:
        """Copy values of the same shape into this array; numbers are converted within their kind.

        Raises:
            ArgumentError: another shape, or a conversion that loses its kind (float to int).
        """
        if self.read_only:
            raise ArgumentError("copyfrom: this array is read-only", code="GC613", where=caller_span())
        source = _host_values(src, self.dtype)
        if source.shape != self.shape:
            raise ArgumentError(
                f"copyfrom: the source has shape {source.shape}, this array {self.shape}",
                code="GC605",
                where=caller_span(),
                hint=f"reshape it: x.reshape({self.shape})" if source.size == self.size else None,
            )
        if self.device.kind == "cpu":
            np.copyto(self._host_view(), source, casting="no")
        elif not self.is_contiguous:
            raise ArgumentError(
                "copyfrom: this array is a strided view of foreign memory", code="GC607", where=caller_span()
            )
        elif self.nbytes:
            self.device.api.copy_from_host(self.device.index, self.memory, np.ascontiguousarray(source))
        return self

    def __setitem__(self, key: object, value: NDArray | npt.ArrayLike) -> None:
        """``a[:] = values`` is :meth:`copyfrom`; no other index is supported."""
        if not isinstance(key, slice) or key != slice(None):
            raise ArgumentError("only a[:] = values assigns to an NDArray", code="GC621", where=caller_span())
        self.copyfrom(value)

    def copyto(self, target: NDArray | Device, mem_scope: str | None = None) -> NDArray:
        """Copy to another array, or to a new one on ``target``; returns it.

        Raises:
            ArgumentError: the shapes or element types differ.
        """
        if isinstance(target, Device):
            target = empty(self.shape, self.dtype, target, mem_scope)
        expect(
            target, NDArray, "copyto", "pass gpucomp.nd.empty(shape, dtype, device), or a device such as gpucomp.cpu()"
        )
        if target.shape != self.shape or target.dtype != self.dtype:
            theirs, ours = f"{target.dtype}{list(target.shape)}", f"{self.dtype}{list(self.shape)}"
            raise ArgumentError(f"copyto: the target is {theirs}, this array {ours}", code="GC605", where=caller_span())
        direct = target.device is self.device and self.is_contiguous and target.is_contiguous
        if direct and not target.read_only:
            api = self.device.api
            if self.nbytes:
                api.copy_device_to_device(self.device.index, target.memory, self.memory, self.nbytes)
            return target
        return target.copyfrom(self.numpy())

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        values = self.numpy()
        if copy is False and self.device.kind != "cpu":
            raise ValueError(f"an array on {self.device} cannot become a numpy array without a copy")
        if dtype is not None and np.dtype(dtype) != values.dtype:
            return values.astype(dtype)
        return values.copy() if copy else values

    def __dlpack__(
        self,
        *,
        stream: int | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> object:
        """A DLPack capsule of the same memory (cpu and cuda).

        On CUDA it waits for queued work, unless the consumer passes -1 as its stream.
        """
        if self.device.kind not in ("cpu", "cuda"):
            raise BufferError(f"memory of {self.device} cannot be exchanged through DLPack: copy it with numpy()")
        if dl_device is not None and tuple(dl_device) != self.__dlpack_device__():
            raise BufferError(f"an array on {self.device} is not exported to another device: use copyto")
        if copy:
            return self.copyto(self.device).__dlpack__(stream=stream)
        if self.device.kind == "cuda" and stream != -1:
            self.device.sync()
        place = (self.device.device_type, self.device.index)
        return dlpack.export(self.address, self.shape, self.strides, self.dtype, place, self)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (self.device.device_type, self.device.index)

    @property
    def __cuda_array_interface__(self) -> dict[str, object]:
        if self.device.kind != "cuda":
            raise AttributeError(f"this array is on {self.device}, not on a CUDA device")
        itemsize = self.dtype.nbytes
        strides = None if self.is_contiguous else tuple(step * itemsize for step in self.strides)
        return {
            "shape": self.shape,
            "typestr": self.dtype.numpy.str,
            "data": (self.address, self.read_only),
            "strides": strides,
            "version": 3,
            "stream": 1,
        }

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("an array of shape () has no length")
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<gpucomp.NDArray shape={self.shape} dtype={self.dtype} device={self.device}>\n{self.numpy()!r}"


class _HostMemory:
    """Offers an NDArray's memory to numpy, which then keeps the array alive."""

    def __init__(self, array: NDArray) -> None:
        self.array = array
        self.__array_interface__ = {
            "shape": (array.span_bytes,),
            "typestr": "|u1",
            "data": (array.address, array.read_only),
            "version": 3,
        }


def _as_array(raw: npt.NDArray[np.uint8], like: NDArray) -> npt.NDArray[np.generic]:
    """View bytes as an array with the shape, strides and dtype of ``like``."""
    dtype = like.dtype.numpy
    if 0 in like.shape:
        return np.empty(like.shape, dtype)
    flat = raw.view(dtype)
    if like.dtype.lanes > 1:
        raise ArgumentError(f"an array of vectors ({like.dtype}) has no numpy form", code="GC603", where=caller_span())
    if like.is_contiguous:
        return flat.reshape(like.shape)
    strides = tuple(step * dtype.itemsize for step in like.strides)
    return np.lib.stride_tricks.as_strided(flat, like.shape, strides, writeable=raw.flags.writeable)


def is_compact(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """True when ``strides`` (in elements) are row-major without gaps; extents of 1 may have any stride."""
    expected = 1
    for extent, step in zip(reversed(shape), reversed(strides), strict=True):
        if extent == 0:
            return True
        if extent != 1 and step != expected:
            return 0 in shape
        expected *= extent
    return True


def _host_values(src: NDArray | npt.ArrayLike, dtype: DType) -> HostArray:
    values = src.numpy() if isinstance(src, NDArray) else np.asarray(src)
    if values.dtype.kind in "USOmMc":  # text, objects, times, complex numbers
        raise ArgumentError(
            f"copyfrom: {src!r:.40} is no array of numbers",
            code="GC602",
            where=caller_span(),
            hint="an array, or a list",
        )
    wanted = dtype.numpy
    if values.dtype == wanted:
        return values
    literal = not isinstance(src, (np.ndarray, NDArray))
    if not (literal or dtype_name(values.dtype) is None or _same_kind(values.dtype, wanted)):
        raise ArgumentError(
            f"copyfrom: the source has dtype {values.dtype}, this array {dtype}",
            code="GC603",
            where=caller_span(),
            hint=f"convert it: x.astype({str(dtype)!r})",
        )
    return values.astype(wanted)


def _same_kind(source: np.dtype[np.generic], target: np.dtype[np.generic]) -> bool:
    """ml_dtypes' floats have numpy kind "V" or "f"; numpy's own rule does not know them."""
    floats = {dtype.name for dtype in (source, target) if dtype.kind in "fV"}
    return len(floats) == 2 or np.can_cast(source, target, "same_kind")


@functools.lru_cache(maxsize=256)  # numpy makes the name anew each time, and each array of each call asks for it
def dtype_name(dtype: np.dtype[np.generic]) -> DType | None:
    """The element type for a numpy dtype; None when there is none (structured, complex, big-endian, dates)."""
    if not dtype.isnative:
        return None
    try:
        return DType(dtype.name)
    except ValueError:
        return None


def _shape(shape: Shape) -> tuple[int, ...]:
    try:
        extents = tuple([operator.index(n) for n in (shape if isinstance(shape, Iterable) else (shape,))])
    except TypeError:
        raise ArgumentError(
            f"a shape is a whole number or a tuple of them, got {shape!r:.60}",
            code="GC605",
            where=caller_span(),
            hint="gpucomp.nd.empty((4, 8), 'float32')",
        ) from None
    if any(extent < 0 for extent in extents):
        raise ArgumentError(
            f"shape {extents} has a negative extent", code="GC605", where=caller_span(), hint="extents are 0 or more"
        )
    return extents


def _place(asked: Device | str | None) -> Device:
    return cpu() if asked is None else device_named(asked)


def empty(
    shape: Shape, dtype: str = "float32", device: Device | str | None = None, mem_scope: str | None = None
) -> NDArray:
    """A new array with undefined contents.

    Args:
        shape: extents.
        dtype: element type.
        device: where; the CPU when None.
        mem_scope: None or "global".

    Raises:
        DeviceError: the device is not there or out of memory.
        ArgumentError: a negative extent or another memory scope.
    """
    if mem_scope not in (None, "global"):
        raise ArgumentError(
            f"memory scope {mem_scope!r} is not supported for arrays",
            code="GC621",
            where=caller_span(),
            hint="leave it out",
        )
    extents, kind = _shape(shape), DType(dtype)
    place = _place(device).require()
    pool = get_pool(place.kind, place.index)
    memory = pool.alloc(math.prod(extents) * kind.nbytes)
    return NDArray(memory, extents, kind, place, allocation=Allocation(pool, memory))


def array(arr: NDArray | npt.ArrayLike, device: Device | str | None = None, mem_scope: str | None = None) -> NDArray:
    """A new array with a copy of ``arr``'s values.

    Args:
        arr: a numpy array, an NDArray, or what numpy makes an array of.
        device: where; the CPU when None.
        mem_scope: None or "global".

    Raises:
        DeviceError: the device is not there or out of memory.
        ArgumentError: a dtype that no device has.
    """
    if isinstance(arr, NDArray):
        return arr.copyto(_place(device), mem_scope)
    _refuse_masked(arr)
    try:
        values = np.asarray(arr)
    except ValueError as error:
        raise ArgumentError(f"numpy cannot make an array of this: {error}", code="GC602", where=caller_span()) from None
    kind = _kind_of(values)
    made = empty(values.shape, kind, device, mem_scope)
    return made.copyfrom(values)


def _refuse_masked(values: object) -> None:
    """A kernel would compute with what a mask hides."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise ArgumentError(
            "elements of this array are masked, and a kernel knows no masks",
            code="GC603",
            where=caller_span(),
            hint="give them a value: x.filled(0)",
        )


def _kind_of(values: npt.NDArray[np.generic]) -> DType:
    kind = dtype_name(values.dtype)
    if kind is None:
        raise ArgumentError(
            f"numpy dtype {values.dtype} has no counterpart on a device",
            code="GC603",
            where=caller_span(),
            hint="convert it: x.astype('float32')",
        )
    return kind


def from_numpy(values: npt.NDArray[np.generic]) -> NDArray:
    """An array on the CPU that shares the memory of a numpy array.

    Raises:
        ArgumentError: a dtype that no device has.
    """
    if type(values) is not np.ndarray:
        _refuse_masked(values)
    kind = _kind_of(values)
    itemsize = values.dtype.itemsize
    if any(step % itemsize for step in values.strides):
        raise ArgumentError(
            "the strides of this array are no multiples of its element size", code="GC607", where=caller_span()
        )
    strides = tuple(step // itemsize for step in values.strides)
    address = int(values.__array_interface__["data"][0]) if values.size else 0
    memory = Memory(address, address, values.nbytes, values)
    return NDArray(memory, values.shape, kind, cpu(), strides, read_only=not values.flags.writeable)


def from_dlpack(dltensor: SupportsDLPack) -> NDArray:
    """An array that shares the memory of another library's array (cpu or cuda).

    Raises:
        ArgumentError: memory of another kind of device, or an element type that is unknown here.
    """
    if isinstance(dltensor, NDArray):
        return dltensor
    expect(dltensor, SupportsDLPack, "from_dlpack", "pass an array of another library; gpucomp.nd.array copies a list")
    kind_number = dltensor.__dlpack_device__()[0]
    # 1: the legacy default stream, on which our launches run unless told otherwise.
    got = dlpack.consume(dltensor, stream=1 if kind_number in (2, 13) else None)
    kind = _DLPACK_KINDS_ALSO.get(got.device[0]) or _DLPACK_KINDS.get(got.device[0])
    if kind not in ("cpu", "cuda"):
        raise ArgumentError(
            f"memory of DLPack device type {got.device[0]} is not supported", code="GC608", where=caller_span()
        )
    place = Device(kind, got.device[1] if kind == "cuda" else 0)
    memory = Memory(got.address, got.address, math.prod(got.shape) * got.dtype.nbytes, got.owner)
    return NDArray(memory, got.shape, got.dtype, place, got.strides, read_only=got.read_only)


def from_cuda_array_interface(source: object) -> NDArray | None:
    """An array that shares a CUDA array's memory; None when ``source`` has no usable CUDA array interface."""
    try:
        interface: dict[str, Any] | None = getattr(source, "__cuda_array_interface__", None)
    except (RuntimeError, TypeError, ValueError, KeyError):  # torch, for what the interface cannot express
        return None
    if interface is None:
        return None
    try:
        dtype = np.dtype(str(interface["typestr"]))
    except TypeError:
        return None
    kind = dtype_name(dtype) if dtype.kind != "V" else None
    if kind is None:
        return None
    shape = tuple(int(extent) for extent in interface["shape"])
    raw_strides: tuple[int, ...] | None = interface.get("strides")
    strides = None if raw_strides is None else tuple(step // dtype.itemsize for step in raw_strides)
    address, read_only = int(interface["data"][0]), bool(interface["data"][1])
    memory = Memory(address, address, math.prod(shape) * dtype.itemsize, source)
    place = Device("cuda", _cuda_index(source))
    return NDArray(memory, shape, kind, place, strides, read_only=read_only)


def _cuda_index(source: object) -> int:
    """The index of the GPU that holds a foreign array: the interface itself does not tell."""
    get_device: Callable[[], tuple[int, int]] | None = getattr(source, "__dlpack_device__", None)
    return 0 if get_device is None else int(get_device()[1])
