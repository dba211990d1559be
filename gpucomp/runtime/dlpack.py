"""DLPack capsules through ctypes: arrays pass between libraries without copies, bfloat16 and float8 included.

numpy's own DLPack refuses the types of ml_dtypes, so both directions are done here.  Layout of the
structures: DLPack specification, versions 0.8 (capsules named "dltensor") and 1.0 ("dltensor_versioned",
which is only read).
"""

from __future__ import annotations

import ctypes
import itertools
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from gpucomp.support.diagnostics import ArgumentError, caller_span
from gpucomp.support.dtype import DType

_NAME: Final = b"dltensor"
_USED: Final = b"used_dltensor"
_VERSIONED: Final = b"dltensor_versioned"
_USED_VERSIONED: Final = b"used_dltensor_versioned"
READ_ONLY_FLAG: Final = 1


class _Tensor(ctypes.Structure):
    _fields_ = [  # ctypes asks for this form
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


_Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Managed(ctypes.Structure):
    _fields_ = [("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", _Deleter)]


class _ManagedVersioned(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", _Deleter),
        ("flags", ctypes.c_uint64),
        ("tensor", _Tensor),
    ]


_api = ctypes.pythonapi
_api.PyCapsule_New.restype = ctypes.py_object
_api.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
_api.PyCapsule_GetPointer.restype = ctypes.c_void_p
_api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
_api.PyCapsule_IsValid.restype = ctypes.c_int
_api.PyCapsule_IsValid.argtypes = [ctypes.py_object, ctypes.c_char_p]
_api.PyCapsule_SetName.restype = ctypes.c_int
_api.PyCapsule_SetName.argtypes = [ctypes.py_object, ctypes.c_char_p]

# The destructor gets a capsule that is being destroyed: no Python reference to it may be made.
_is_valid_raw = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_IsValid", _api))
_get_pointer_raw = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_GetPointer", _api))

# What each exported structure needs to stay alive, by address of the structure.
_exported: dict[int, tuple[object, ...]] = {}


@_Deleter
def _delete(address: int | None) -> None:
    if address is not None:
        _exported.pop(address, None)


@ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
def _destroy_capsule(capsule: int) -> None:
    # A consumer that took the capsule renamed it, and calls the deleter itself.
    if _is_valid_raw(capsule, _NAME):
        _delete(_get_pointer_raw(capsule, _NAME))


def export(
    address: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    dtype: DType,
    device: tuple[int, int],
    owner: object,
) -> object:
    """A capsule "dltensor" that keeps ``owner`` alive until its consumer deletes it.

    Args:
        address: of the first element.
        shape: extents.
        strides: in elements.
        dtype: element type.
        device: DLPack device type and index.
        owner: what keeps the memory alive.
    """
    ndim = len(shape)
    extents = (ctypes.c_int64 * max(1, ndim))(*shape)
    steps = (ctypes.c_int64 * max(1, ndim))(*strides)
    managed = _Managed()
    tensor = managed.tensor
    tensor.data = address or None
    tensor.device_type, tensor.device_id = device
    tensor.ndim = ndim
    tensor.code, tensor.bits, tensor.lanes = dtype.type_code, 8 if dtype.is_bool else dtype.bits, dtype.lanes
    tensor.shape = ctypes.cast(extents, ctypes.POINTER(ctypes.c_int64))
    tensor.strides = ctypes.cast(steps, ctypes.POINTER(ctypes.c_int64))
    tensor.byte_offset = 0
    managed.deleter = _delete
    where = ctypes.addressof(managed)
    _exported[where] = (managed, extents, steps, owner)
    capsule: object = _api.PyCapsule_New(where, _NAME, ctypes.cast(_destroy_capsule, ctypes.c_void_p))
    return capsule


@dataclass(frozen=True, slots=True)
class Imported:
    """What a capsule describes; ``owner`` calls the producer's deleter when it goes."""

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: DType
    device: tuple[int, int]
    read_only: bool
    owner: object


class _Owner:
    """Calls a producer's deleter once."""

    def __init__(self, address: int, deleter: ctypes._CFunctionType | None) -> None:
        self._address = address
        self._deleter = deleter

    def __del__(self) -> None:
        if self._deleter:
            self._deleter(self._address)


@runtime_checkable
class SupportsDLPack(Protocol):
    """An array of another library."""

    def __dlpack__(self, *, stream: int | None = None) -> object: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...


def consume(source: SupportsDLPack, stream: int | None = None) -> Imported:
    """Take over the memory of an array of another library, without a copy.

    Raises:
        ArgumentError: the producer refuses, or its element type is unknown here.
    """
    try:
        capsule = source.__dlpack__() if stream is None else source.__dlpack__(stream=stream)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        raise ArgumentError(
            f"a {type(source).__name__} cannot be exchanged: {error}", code="GC620", where=caller_span()
        ) from error
    if _api.PyCapsule_IsValid(capsule, _VERSIONED):
        managed = _ManagedVersioned.from_address(_api.PyCapsule_GetPointer(capsule, _VERSIONED))
        read_only = bool(managed.flags & READ_ONLY_FLAG)
        _api.PyCapsule_SetName(capsule, _USED_VERSIONED)
    else:
        managed = _Managed.from_address(_api.PyCapsule_GetPointer(capsule, _NAME))
        read_only = False
        _api.PyCapsule_SetName(capsule, _USED)
    owner = _Owner(ctypes.addressof(managed), managed.deleter)
    tensor = managed.tensor
    shape = tuple(tensor.shape[axis] for axis in range(tensor.ndim))
    strides = tuple(tensor.strides[axis] for axis in range(tensor.ndim)) if tensor.strides else compact_strides(shape)
    return Imported(
        (tensor.data or 0) + tensor.byte_offset,
        shape,
        strides,
        _dtype(tensor.code, tensor.bits, tensor.lanes),
        (tensor.device_type, tensor.device_id),
        read_only,
        owner,
    )


_NAMES: Final = {0: "int", 1: "uint", 2: "float", 4: "bfloat", 6: "bool"}
_FLOAT8: Final = {10: "float8_e4m3fn", 12: "float8_e5m2"}


def _dtype(code: int, bits: int, lanes: int) -> DType:
    if code not in _NAMES and code not in _FLOAT8:
        raise ArgumentError(
            f"DLPack element type code {code} ({bits} bits) has no counterpart", code="GC620", where=caller_span()
        )
    name = _FLOAT8.get(code) or ("bool" if code == 6 else f"{_NAMES[code]}{bits}")
    return DType(name).with_lanes(lanes)


def compact_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Row-major strides in elements."""
    if not shape:
        return ()
    steps = itertools.accumulate(reversed(shape[1:]), lambda step, extent: step * extent, initial=1)
    return tuple(steps)[::-1]
