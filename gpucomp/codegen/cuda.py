"""CUDA C: the backend's data; its words are in ``templates/cuda``."""

from __future__ import annotations

from typing import Final

from gpucomp.codegen.unit import Backend
from gpucomp.target.target import Target


def _describe(target: Target) -> str:
    return f"CUDA C, {target.arch}"


BACKEND: Final = Backend(folder="cuda", kind="cuda", describe=_describe)
