"""Kernels of one source as compilations of their own, side by side.

NVRTC compiles the kernels of a source one after another, on one core; each takes up to half a second.  Generated
sources hold no state between kernels, so that each of a few long ones can be compiled with the helpers before the first
of them as a program of its own: on as many cores as there are kernels, while Python's lock is free.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from gpucomp.runtime.cuda_compile import cached_cuda
from gpucomp.support.launch import KernelImage

_LONG: Final = 2000  # characters of a kernel: shorter ones compile in less time than a program takes to start
_MARK: Final = re.compile(r"^// (\w+): grid \(", re.MULTILINE)
_STATE: Final = re.compile(r"\b__(?:device|constant|managed)__\b(?!\s+__forceinline__)")  # helpers are inlined
_QUIET: Final = "--diag-suppress=177"  # helpers that only the other kernels use


@dataclass(frozen=True, slots=True)
class Unit:
    """Machine code of some kernels of a source.

    Attributes:
        kernels: their names.
        cubin: the code.
        log: as of :func:`gpucomp.runtime.cuda_compile.compile_cuda`.
    """

    kernels: tuple[str, ...]
    cubin: bytes
    log: str


def parts_of(source: str, kernels: Sequence[str]) -> list[str]:
    """A generated source as one text a kernel, in their order; all in one where that is not sure to mean the same.

    Nor is it taken apart where all of its kernels but one are short.
    """
    marks = list(_MARK.finditer(source))
    if len(marks) < 2 or [mark[1] for mark in marks] != list(kernels):
        return [source]
    if _STATE.search(source):  # variables that kernels may share
        return [source]
    ends = [mark.start() for mark in marks[1:]] + [len(source)]
    texts = [source[mark.start() : end] for mark, end in zip(marks, ends, strict=True)]
    if sorted([len(text) for text in texts])[-2] < _LONG:
        return [source]
    head = source[: marks[0].start()]
    return [head + text for text in texts]


def compiled_units(image: KernelImage, arch: str) -> list[Unit]:
    """The machine code of an image, from the disk where it is known; kernels are compiled at the same time.

    Raises:
        BuildError: no compiler, or it refused the source.
    """
    names = [spec.name for spec in image.kernels]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parts = parts_of(image.source, names) if cores > 1 else [image.source]
    if len(parts) == 1:
        return [Unit(tuple(names), *cached_cuda(image.source, arch, image.options))]
    options = (*image.options, _QUIET)
    with ThreadPoolExecutor(min(cores, len(parts)), thread_name_prefix="gpucomp-nvrtc") as pool:
        made = list(pool.map(lambda part: cached_cuda(part, arch, options), parts))
    return [Unit((name,), cubin, log) for name, (cubin, log) in zip(names, made, strict=True)]
