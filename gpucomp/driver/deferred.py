"""A module whose target is not named: it compiles at the first call, for the device where the arrays live."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any  # Any: variables, or their names

from gpucomp.runtime.device import Device, default_device
from gpucomp.runtime.function import Function
from gpucomp.runtime.module import Module
from gpucomp.runtime.ndarray import NDArray
from gpucomp.runtime.stats import ModuleStats


class DeferredModule(Module):
    """One function, compiled once per device.

    Args:
        compile_for: makes the module of a device.
        name: of the function.
    """

    def __init__(self, compile_for: Callable[[Device], Module], name: str) -> None:
        super().__init__({}, None, "deferred")
        self._compile_for = compile_for
        self._name = name
        self._compiled: dict[Device, Module] = {}
        self._specialized: list[dict[Any, int]] = []

    def on(self, device: Device) -> Module:
        """The module of one device, compiled when first asked for."""
        found = self._compiled.get(device)
        if found is None:
            found = self._compiled[device] = self._compile_for(device)
            for values in self._specialized:
                found.specialize(values)
        return found

    def specialize(self, values: Mapping[Any, int] | None = None, **sizes: int) -> Module:
        """Compile for given sizes as well, on every device; see :meth:`Module.specialize`."""
        both: dict[Any, int] = {**(values or {}), **sizes}
        for module in self._compiled.values():
            module.specialize(both)
        self._specialized.append(both)
        return self

    @property
    def stats(self) -> ModuleStats:
        """The variants on all devices so far."""
        each = [module.stats for module in self._compiled.values()]
        return ModuleStats(tuple([v for s in each for v in s.variants]), sum([s.recompiles for s in each]))

    def __call__(self, *args: object, stream: object | None = None) -> object:
        """Run on the device where the arrays live; numpy arrays run on the default device."""
        return self.on(_device_of(args))(*args, stream=stream)

    @property
    def entry_func(self) -> Function:
        return self.on(default_device()).entry_func

    def get_function(self, name: str, query_imports: bool = False) -> Function:
        return self.on(default_device()).get_function(name, query_imports)

    def get_source(self, fmt: str = "") -> str:
        return self.on(default_device()).get_source(fmt)

    @property
    def source(self) -> str:
        """Source text of the code compiled last, or for the default device when nothing was called yet."""
        if self._compiled:
            return list(self._compiled.values())[-1].get_source()
        return self.get_source()


def _device_of(args: tuple[object, ...]) -> Device:
    for arg in args:
        if isinstance(arg, NDArray):
            return arg.device
        if hasattr(arg, "__cuda_array_interface__"):
            return Device("cuda", 0)
    return default_device()
