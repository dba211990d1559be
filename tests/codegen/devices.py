"""Compilers and devices for the tests of generated source: each takes a KernelImage."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any  # arrays of any element type

import numpy as np

from gpucomp.support.launch import KernelImage
from tests import amd
from tests.requirements import require_nvrtc, require_pocl

if TYPE_CHECKING:
    import pyopencl


@dataclass(frozen=True)
class Resources:
    """What ptxas reports for one kernel."""

    registers: int
    spill_bytes: int
    shared_bytes: int


def compile_cuda(image: KernelImage, arch: str = "sm_90a", warnings: bool = False) -> dict[str, Resources]:
    """Compile with NVRTC; resources by kernel. A warning is a failure unless warnings are allowed."""
    require_nvrtc()
    from cuda.bindings import nvrtc

    _, program = nvrtc.nvrtcCreateProgram(image.source.encode(), b"unit.cu", 0, [], [])
    options = [f"-arch={arch}", "--ptxas-options=-v", *image.options]
    (status,) = nvrtc.nvrtcCompileProgram(program, len(options), [option.encode() for option in options])
    _, size = nvrtc.nvrtcGetProgramLogSize(program)
    log = b" " * size
    nvrtc.nvrtcGetProgramLog(program, log)
    text = log.decode(errors="replace")
    assert int(status) == 0, f"{text}\n{image.source}"
    assert warnings or "warning" not in text, f"{text}\n{image.source}"
    out: dict[str, Resources] = {}
    for part in text.split("Compiling entry function")[1:]:
        name = re.search(r"'(\w+)'", part)
        registers = re.search(r"Used (\d+) registers", part)
        spills = [int(number) for number in re.findall(r"(\d+) bytes spill", part)]
        shared = re.search(r"(\d+) bytes smem", part)
        assert name is not None
        assert registers is not None
        out[name[1]] = Resources(int(registers[1]), sum(spills), int(shared[1]) if shared else 0)
    return out


def compile_amd(image: KernelImage, cpu: str = "gfx942") -> str:
    """Compile OpenCL C to AMD ISA with clang; the assembly text."""
    warnings = ("-Wall", "-Werror", "-Wno-linker-warnings", "-Wno-unused-function", "-Wno-unused-variable")
    code = amd.compile_for(cpu, image.source, *warnings)
    assert "Dynamic Stack: True" not in code.remarks
    assert "s_swappc" not in code.assembly
    return code.assembly


@functools.cache
def _queue() -> pyopencl.CommandQueue:
    import pyopencl as cl

    return cl.CommandQueue(cl.Context([require_pocl()]))


def run_opencl(
    image: KernelImage,
    kernel: str,
    grid: Sequence[int],
    block: Sequence[int],
    args: Sequence[np.ndarray[Any, Any] | np.generic],
) -> list[np.ndarray[Any, Any]]:
    """Run on PoCL; arrays are copied in and come back in order."""
    import pyopencl as cl

    queue = _queue()
    program = cl.Program(queue.context, image.source)
    program.build(options=list(image.options))
    flags = cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR
    buffers: list[Any] = []
    for arg in args:
        is_array = isinstance(arg, np.ndarray)
        buffers.append(cl.Buffer(queue.context, flags, hostbuf=np.ascontiguousarray(arg)) if is_array else arg)
    size = [g * b for g, b in zip(grid, block, strict=True)]
    getattr(program, kernel)(queue, tuple(size), tuple(block), *buffers)
    out: list[np.ndarray[Any, Any]] = []
    for arg, buffer in zip(args, buffers, strict=True):
        if isinstance(arg, np.ndarray):
            result = np.empty_like(arg)
            cl.enqueue_copy(queue, result, buffer)
            out.append(result)
    queue.finish()
    return out


def check_everywhere(images: Mapping[str, KernelImage]) -> dict[str, Resources]:
    """Compile the CUDA form for sm_80 and sm_90a and the OpenCL form for AMD; no spills anywhere."""
    resources: dict[str, Resources] = {}
    for arch in ("sm_80", "sm_90a"):
        resources = compile_cuda(images["cuda"], arch)
        assert all(r.spill_bytes == 0 for r in resources.values()), resources
    compile_amd(images["opencl"])
    return resources
