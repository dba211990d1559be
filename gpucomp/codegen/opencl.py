"""OpenCL C: the backend's data; its words are in ``templates/opencl``."""

from __future__ import annotations

from typing import Final

from gpucomp.codegen.unit import Backend
from gpucomp.target.target import Target


def _describe(target: Target) -> str:
    extras = sorted(target.features & {"fp16", "fp64", "subgroups"})
    version = "3.0" if "subgroups" in target.features else "1.2"
    return f"OpenCL C {version}" + (f" with {', '.join(extras)}" if extras else "")


BACKEND: Final = Backend(folder="opencl", kind="opencl", describe=_describe)
