"""For tests of your own operators: :func:`check`, :func:`all_devices`, and a pytest plugin (see ``plugin``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpucomp.testing.devices import all_devices, named_devices

__all__ = ["all_devices", "named_devices"]


def __getattr__(name: str) -> object:
    # pytest loads the plugin, and with it this package, in every run: it must cost nothing.
    if name in ("all_devices", "named_devices"):
        from gpucomp.testing import devices

        return getattr(devices, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
