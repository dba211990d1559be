"""The devices on which tests run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from gpucomp.runtime.base import KINDS, get_api
from gpucomp.runtime.device import Device, device, enabled
from gpucomp.runtime.probe import probe

_TARGETS: Final = {"cpu": "llvm"}


def all_devices(*, simulators: bool = False) -> tuple[Device, ...]:
    """Each device that works, in the order of preference: cuda, opencl, cpu.

    A device works when a small kernel compiles and runs on it (asked once per process). Simulators such as
    Oclgrind are slow on purpose and left out unless ``simulators``.
    """
    return tuple(_working(simulators))


def _working(simulators: bool) -> Iterator[Device]:
    for kind in KINDS:
        api = get_api(kind)
        for index in range(api.count()):
            wanted = simulators or not api.attributes(index).is_simulator
            if wanted and probe(api, index).problem is None:
                yield Device(kind, index)


def named_devices(names: Iterable[str]) -> tuple[Device, ...]:
    """The devices with the given names ("cpu", "opencl:1"), each once, in the order given.

    Raises:
        DeviceError: one of them is not there; says why and what mends it.
    """
    return tuple(dict.fromkeys(device(name).require() for name in names))


def device_enabled(target: str) -> bool:
    """Whether kernels of a target run here."""
    return enabled(target)


def enabled_targets() -> list[tuple[str, Device]]:
    """Each kind of target that runs here, with its first device: ``for target, dev in enabled_targets(): ...``."""
    first = {device.kind: device for device in reversed(all_devices())}
    return [(_TARGETS.get(kind, kind), first[kind]) for kind in KINDS if kind in first]
