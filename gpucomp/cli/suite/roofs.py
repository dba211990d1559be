"""Roofs: the fastest copy and the fastest read of so many bytes that this device is seen to do, in this run.

Of products and convolutions: the time of their arithmetic at the rate that the device is seen to reach, where that is
longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from gpucomp.cli.suite.clock import Clock
from gpucomp.cli.suite.peak import Peak
from gpucomp.driver import build
from gpucomp.kernels import registry
from gpucomp.runtime import ndarray
from gpucomp.target.target import Target

_LARGE: Final = 256 << 20
_CLEARLY: Final = 4


@dataclass(frozen=True, slots=True)
class Roof:
    """A lower limit of the time to move some bytes, or to do some operations.

    Attributes:
        kind: "copy" (half of the bytes read, half written), "read", or "arithmetic".
        seconds: of the fastest way that was tried.
    """

    kind: str
    seconds: float


class Roofs:
    """Measured once for each number of bytes.

    A copy is the faster one of the driver's and our own of 16 bytes a thread; a read is the faster one of our sum of
    all elements and a kernel that does nothing but read.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.peak = Peak(clock)
        self._known: dict[tuple[str, int], Roof] = {}

    def empty(self) -> float | None:
        """Seconds of a launch that does nothing but store one number; None where launches are not recorded."""
        if self.clock.device.kind != "cuda":
            return None
        return self._kernel("copy", 4)

    def copy(self, nbytes: int) -> Roof:
        """The roof of moving ``nbytes``, half of them in each direction."""
        return self._find("copy", nbytes)

    def read(self, nbytes: int) -> Roof:
        """The roof of reading ``nbytes``."""
        return self._find("read", nbytes)

    def moved(self, total: int, read: int) -> Roof:
        """The roof of moving ``total`` bytes, of which ``read`` are read."""
        return self.read(read) if total - read < total // 8 else self.copy(total)

    def work(self, total: int, read: int, flops: int, dtype: str) -> Roof:
        """The roof of doing ``flops`` operations on so many bytes: arithmetic and moves go on at the same time."""
        rate = self.peak.rate(dtype)
        if rate is None:
            return self.moved(total, read)
        arithmetic = Roof("arithmetic", flops / rate)
        # Whether bytes could matter is seen from a large copy; a copy of each size would take longer than the kernel.
        if arithmetic.seconds > _CLEARLY * total / (_LARGE / self.copy(_LARGE).seconds):
            return arithmetic
        return max(self.moved(total, read), arithmetic, key=lambda roof: roof.seconds)

    def _find(self, kind: str, nbytes: int) -> Roof:
        count = max(1, nbytes // (8 if kind == "copy" else 4) // 4) * 4
        key = (kind, count)
        if key not in self._known:
            seconds = [self._kernel("copy" if kind == "copy" else "sum_all", count)]
            seconds.append(self._driver_copy(count * 4) if kind == "copy" else self._plain_read(count * 4))
            self._known[key] = Roof(kind, min(seconds))
        return self._known[key]

    def _kernel(self, op: str, count: int) -> float:
        device = self.clock.device
        operator, target = registry.get(op), Target.from_device(self.clock.device)
        definition = operator.define((count,), "float32")
        module = build(operator.schedule(definition, target), definition.args, target, name="roof")
        source = ndarray.array(np.ones(count, np.float32), device)
        result = ndarray.empty(tuple([int(str(n)) for n in definition.outputs[0].shape]), "float32", device)
        return self.clock.time(lambda: module(source, result)).median

    def _plain_read(self, nbytes: int) -> float:
        device, stream = self.clock.device, self.clock.stream
        if device.kind != "cuda":
            return float("inf")
        data, result = device.api.alloc(device.index, nbytes), device.api.alloc(device.index, 4)
        try:
            device.api.memset(device.index, data.handle, 0, nbytes)
            device.sync()
            return self.clock.time(lambda: device.api.read_all(device.index, data, result, nbytes, stream)).median
        finally:
            device.api.free(device.index, data)
            device.api.free(device.index, result)

    def _driver_copy(self, nbytes: int) -> float:
        device, stream = self.clock.device, self.clock.stream
        source, target = device.api.alloc(device.index, nbytes), device.api.alloc(device.index, nbytes)
        try:
            device.api.memset(device.index, source.handle, 1, nbytes)
            device.sync()
            return self.clock.time(
                lambda: device.api.copy_device_to_device(device.index, target, source, nbytes, stream)
            ).median
        finally:
            device.api.free(device.index, source)
            device.api.free(device.index, target)
