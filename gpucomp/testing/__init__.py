"""For tests of your own operators: :func:`check`, :func:`all_devices`, and a pytest plugin (see ``plugin``)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gpucomp.testing.checking import CheckResult, check
    from gpucomp.testing.devices import all_devices, named_devices

__all__ = ["CheckResult", "all_devices", "check", "named_devices"]

_HOMES: Final = {"CheckResult": "checking", "check": "checking", "all_devices": "devices", "named_devices": "devices"}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        # pytest loads the plugin, and with it this package, in every run: it must cost nothing.
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
