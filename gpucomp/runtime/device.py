"""Devices as values, and the choice of a device when none is given."""

from __future__ import annotations

import functools
import operator
import threading
from dataclasses import dataclass
from typing import ClassVar

from gpucomp.runtime.base import (
    DLPACK_DEVICE_TYPES,
    KINDS,
    DeviceAPI,
    DeviceAttributes,
    get_api,
    kind_name,
)
from gpucomp.runtime.probe import probe
from gpucomp.support.config import config
from gpucomp.support.diagnostics import DeviceError, caller_span
from gpucomp.support.expect import expect
from gpucomp.support.log import logger

_thread = threading.local()


class Device:
    """One device: a kind and an index.  Equal devices are the same object.

    Making one asks no driver: ``cuda(7)`` is legal everywhere; ``cuda(7).exist`` tells whether it is there.
    """

    __slots__ = ("index", "kind")
    _all: ClassVar[dict[tuple[str, int], Device]] = {}

    kind: str
    index: int

    def __new__(cls, kind: str, index: int = 0) -> Device:
        kind, index = _named(kind), _numbered(index)
        found = cls._all.get((kind, index))
        if found is not None:
            return found
        if index < 0:
            raise DeviceError(
                f"there is no device {kind}({index}): indices start at 0",
                code="GC701",
                where=caller_span(),
                hint=f"{kind}(0) is the first one",
            )
        made = super().__new__(cls)
        made.kind = kind
        made.index = index
        return cls._all.setdefault((kind, index), made)

    def __reduce__(self) -> tuple[type[Device], tuple[str, int]]:
        return (Device, (self.kind, self.index))

    def __str__(self) -> str:
        return f"{self.kind}({self.index})"

    def __repr__(self) -> str:
        return f"{self.kind}({self.index})"

    @property
    def api(self) -> DeviceAPI:
        """The implementation of this kind of device."""
        return get_api(self.kind)

    @property
    def device_type(self) -> int:
        """DLPack's number for the kind: cpu 1, cuda 2, opencl 4."""
        return DLPACK_DEVICE_TYPES[self.kind]

    @property
    def device_id(self) -> int:
        return self.index

    @property
    def exist(self) -> bool:
        """True when the device is there (its driver and driver package too)."""
        return self.api.exist(self.index)

    def require(self) -> Device:
        """Return self.

        Raises:
            DeviceError: the device is not there; says why and what mends it.
        """
        if self.exist:
            return self
        api = self.api
        missing = api.why_missing()
        if missing is not None:
            raise DeviceError(
                f"device {self} is not there: {missing.reason}",
                code="GC702",
                where=caller_span(),
                hint=missing.remedy,
            )
        count = api.count()
        present = ", ".join(f"{self.kind}({i}) {api.attributes(i).name}" for i in range(count))
        raise DeviceError(
            f"device {self} is not there: {count} {self.kind} device{'s' if count != 1 else ''} found",
            code="GC702",
            where=caller_span(),
            hint=f"use {present}",
        )

    @property
    def attributes(self) -> DeviceAttributes:
        """All facts about the device.

        Raises:
            DeviceError: the device is not there.
        """
        return self.require().api.attributes(self.index)

    @property
    def max_threads_per_block(self) -> int:
        return self.attributes.max_threads_per_block

    @property
    def warp_size(self) -> int:
        return self.attributes.warp_size

    @property
    def max_shared_memory_per_block(self) -> int:
        """Bytes."""
        return self.attributes.max_shared_memory_per_block

    @property
    def compute_version(self) -> str:
        """ "9.0" for CUDA; the OpenCL version for OpenCL; "" elsewhere."""
        return self.attributes.compute_version

    @property
    def multi_processor_count(self) -> int:
        return self.attributes.multi_processor_count

    @property
    def l2_cache_size_bytes(self) -> int:
        return self.attributes.l2_cache_size_bytes

    @property
    def device_name(self) -> str:
        return self.attributes.name

    @property
    def api_version(self) -> str:
        """Version of the driver or platform."""
        return self.attributes.version

    @property
    def total_global_memory(self) -> int:
        """Bytes."""
        return self.attributes.global_memory_bytes

    def sync(self, stream: object | None = None) -> None:
        """Wait for a stream, or for all work on the device.

        Raises:
            DeviceError: queued work failed.
        """
        self.require().api.sync(self.index, stream)

    def create_raw_stream(self) -> object | None:
        """A new stream; None where all work runs in order on the host."""
        return self.require().api.create_stream(self.index)

    def free_raw_stream(self, stream: object | None) -> None:
        """Wait for a stream and give it back."""
        streams = _streams()
        if streams.get(self) is stream:
            streams.pop(self, None)
        self.api.free_stream(self.index, stream)

    def set_raw_stream(self, stream: object | None) -> None:
        """Use ``stream`` for this thread's launches that name none; None is the default stream again."""
        if stream is None:
            _streams().pop(self, None)
        else:
            _streams()[self] = stream


def _streams() -> dict[Device, object]:
    streams: dict[Device, object] | None = getattr(_thread, "streams", None)
    if streams is None:
        streams = _thread.streams = {}
    return streams


def current_stream(device: Device) -> object | None:
    """The stream that this thread set for ``device``, or None for the default stream."""
    streams: dict[Device, object] | None = getattr(_thread, "streams", None)
    return streams.get(device) if streams else None


def _as_text(kind: object) -> str:
    if not isinstance(kind, str):
        raise DeviceError(
            f"a device is named by text, got {type(kind).__name__}",
            code="GC701",
            where=caller_span(),
            hint='"cuda", "opencl:1", "cpu"',
        )
    return kind


def _named(kind: object) -> str:
    return kind_name(_as_text(kind))


def _numbered(index: object) -> int:
    try:
        return operator.index(index)  # pyright: ignore[reportArgumentType]  # the user's, refused below
    except TypeError:
        raise DeviceError(
            f"the index of a device is a whole number, got {index!r:.40}",
            code="GC701",
            where=caller_span(),
            hint="0 is the first one, as in gpucomp.device('opencl', 0)",
        ) from None


def cpu(dev_id: int = 0) -> Device:
    """The host's processor."""
    return Device("cpu", dev_id)


def cuda(dev_id: int = 0) -> Device:
    """An NVIDIA GPU through CUDA."""
    return Device("cuda", dev_id)


def opencl(dev_id: int = 0) -> Device:
    """An OpenCL device: those of all platforms, GPUs first, simulators last."""
    return Device("opencl", dev_id)


def device(dev_type: str | Device, dev_id: int | None = None) -> Device:
    """The device for a name: ``device("cuda")``, ``device("opencl", 1)``, ``device("opencl:1")``.

    Raises:
        DeviceError: the name is no device kind, or the index no number.
    """
    if isinstance(dev_type, Device):
        return dev_type
    _as_text(dev_type)
    name, colon, index = dev_type.strip().replace("(", ":").rstrip(")").partition(":")
    if colon and not index.isdecimal():
        raise DeviceError(
            f"{dev_type!r} names no device", code="GC701", where=caller_span(), hint="write it as in opencl:1"
        )
    if colon and dev_id is not None and dev_id != int(index):
        raise DeviceError(
            f"device({dev_type!r}, {dev_id}) gives two different indices",
            code="GC701",
            where=caller_span(),
            hint=f"device({name!r}, {dev_id})",
        )
    return Device(name, int(index) if colon else dev_id or 0)


def enabled(target: str) -> bool:
    """Whether kernels of a target run here: ``enabled("cuda")`` asks the driver for a device."""
    expect(target, str, "enabled", 'runtime.enabled("cuda")')
    words = target.split()
    try:
        return bool(words) and Device(words[0]).exist
    except DeviceError:  # no such kind
        return False


@dataclass(frozen=True, slots=True)
class Choice:
    """What :func:`default_device` decided.

    Attributes:
        device: the device.
        origin: "argument", "GPUCOMP_DEVICE" or "fallback".
        skipped: why each device before it in the order was not taken.
    """

    device: Device
    origin: str
    skipped: tuple[str, ...] = ()


def choose_device(asked: Device | str | None = None) -> Choice:
    """Decide on a device: the one asked for, else GPUCOMP_DEVICE, else cuda, opencl GPU, cpu, opencl CPU.

    A device that is asked for by name is taken or refused, never replaced.  Of the others, those that fail to
    compile and run a small kernel are passed over, and simulators are never chosen.

    Raises:
        DeviceError: the device asked for is not there, or no device works at all.
    """
    if asked is not None:
        return Choice(device(asked).require(), "argument")
    if config.device:
        try:
            return Choice(device(config.device).require(), "GPUCOMP_DEVICE")
        except DeviceError as error:
            error.message = f"GPUCOMP_DEVICE={config.device}: {error.message}"  # no word of the call's
            raise
    return _fallback()


@functools.cache
def _fallback() -> Choice:
    skipped: list[str] = []
    later: list[Device] = []
    for kind in KINDS:
        api = get_api(kind)
        missing = api.why_missing()
        if missing is not None:
            skipped.append(f"{kind}: {missing.reason}")
            continue
        for index in range(api.count()):
            candidate = Device(kind, index)
            attributes = api.attributes(index)
            if attributes.is_simulator:
                skipped.append(f"{candidate}: {attributes.name} is a simulator")
            elif kind == "opencl" and attributes.is_cpu:
                skipped.append(f"{candidate}: {attributes.platform} runs on the CPU, where cpu(0) is faster")
                later.append(candidate)
            elif (problem := probe(api, index).problem) is not None:
                skipped.append(f"{candidate}: {problem}")
            else:
                return Choice(candidate, "fallback", tuple(skipped))
    for candidate in later:
        problem = probe(candidate.api, candidate.index).problem
        if problem is None:
            return Choice(candidate, "fallback", tuple(skipped))
        skipped.append(f"{candidate}: {problem}")
    raise DeviceError("no device works: " + "; ".join(skipped), code="GC703", hint="gpucomp doctor")


_announced: set[Device] = set()


def default_device(asked: Device | str | None = None) -> Device:
    """The device to use when none is given (see :func:`choose_device`); says so once on the logger "gpucomp".

    Raises:
        DeviceError: the device asked for is not there, or no device works at all.
    """
    choice = choose_device(asked)
    if choice.origin == "fallback" and choice.device not in _announced:
        _announced.add(choice.device)
        reasons = f" ({'; '.join(choice.skipped)})" if choice.skipped else ""
        logger.info("using %s %s%s", choice.device, choice.device.device_name, reasons)
    return choice.device
