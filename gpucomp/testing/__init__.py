"""For tests of your own operators: :func:`check`, :func:`all_devices`, and a pytest plugin (see ``plugin``)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gpucomp.testing.checking import CheckResult, check
    from gpucomp.testing.compare import assert_allclose
    from gpucomp.testing.devices import all_devices, device_enabled, enabled_targets, named_devices

__all__ = [
    "CheckResult", "all_devices", "assert_allclose", "check", "device_enabled", "enabled_targets", "named_devices",
]  # fmt: skip

_HOMES: Final = {
    **dict.fromkeys(("CheckResult", "check"), "checking"),
    "assert_allclose": "compare",
    **dict.fromkeys(("all_devices", "device_enabled", "enabled_targets", "named_devices"), "devices"),
}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        # pytest loads the plugin, and with it this package, in every run: it must cost nothing.
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
