"""Texts that ship with the package: templates, and the fixed kernels of the runtime."""

from __future__ import annotations

import functools


@functools.cache
def template_text(path: str) -> str:
    """The text of a file below ``templates/``, read once per process.

    Args:
        path: with ``/`` between its parts, such as ``"opencl/probe.cl"``.

    Raises:
        FileNotFoundError: the package holds no such file.
    """
    from importlib.resources import files  # some milliseconds that `import gpucomp` need not pay

    place = files("gpucomp.templates")
    for part in path.split("/"):
        place = place / part  # a folder without __init__.py takes one part at a time
    return place.read_text(encoding="utf-8")
