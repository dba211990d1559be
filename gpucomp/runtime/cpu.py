"""The CPU: host memory, code from llvmlite, launches through ctypes.  Everything runs in order, in the caller."""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from gpucomp.runtime.base import (
    DeviceAPI,
    DeviceAttributes,
    Dim3,
    HostArray,
    LaunchFunction,
    LoadedImage,
    Memory,
    Missing,
)
from gpucomp.support.diagnostics import DeviceError
from gpucomp.support.launch import KernelImage, KernelSpec
from gpucomp.support.resources import template_text

if TYPE_CHECKING:
    from gpucomp.runtime.cpu_jit import Library

_SCALARS: Final[dict[str, Any]] = {  # Any: ctypes has no common public base of simple types
    "bool": ctypes.c_uint8,
    "int8": ctypes.c_int8, "int16": ctypes.c_int16, "int32": ctypes.c_int32, "int64": ctypes.c_int64,
    "uint8": ctypes.c_uint8, "uint16": ctypes.c_uint16, "uint32": ctypes.c_uint32, "uint64": ctypes.c_uint64,
    "float16": ctypes.c_float, "bfloat16": ctypes.c_float, "float32": ctypes.c_float, "float64": ctypes.c_double,
}  # fmt: skip
_OUT_OF_MEMORY: Final = 1


class CpuAPI(DeviceAPI):
    """One device: the processor of this process."""

    kind: ClassVar[str] = "cpu"

    def count(self) -> int:
        return 0 if self.why_missing() else 1

    def why_missing(self) -> Missing | None:
        return _why_missing()

    def attributes(self, index: int) -> DeviceAttributes:
        return _attributes()

    def alloc(self, index: int, nbytes: int, alignment: int = 64) -> Memory:
        try:
            raw = np.empty(nbytes + alignment, np.uint8)
        except (MemoryError, ValueError):
            raise DeviceError(f"cpu({index}) has no {nbytes:,} bytes of memory", code="GC704") from None
        address = -(-int(raw.__array_interface__["data"][0]) // alignment) * alignment
        return Memory(address, address, nbytes, raw)

    def free(self, index: int, memory: Memory) -> None:
        memory.owner = None

    def copy_from_host(self, index: int, memory: Memory, source: HostArray, stream: object | None = None) -> None:
        ctypes.memmove(memory.address, source.__array_interface__["data"][0], source.nbytes)

    def copy_to_host(self, index: int, target: HostArray, memory: Memory, stream: object | None = None) -> None:
        ctypes.memmove(target.__array_interface__["data"][0], memory.address, target.nbytes)

    def copy_device_to_device(
        self, index: int, target: Memory, source: Memory, nbytes: int, stream: object | None = None
    ) -> None:
        ctypes.memmove(target.address, source.address, nbytes)

    def memset(self, index: int, memory: object, byte: int, nbytes: int, stream: object | None = None) -> None:
        assert isinstance(memory, int)
        ctypes.memset(memory, byte, nbytes)

    def sync(self, index: int, stream: object | None = None) -> None:
        """Nothing is ever pending."""

    def probe_image(self, index: int) -> KernelImage | None:
        return KernelImage(
            "llvm", template_text("llvm/probe.ll"), (KernelSpec("gpucomp_probe", ("float32*", "int32")),)
        )

    def load(self, index: int, image: KernelImage) -> LoadedImage:
        from gpucomp.runtime import cpu_jit
        from gpucomp.runtime.threads import thread_pool

        if image.kind != "llvm":
            raise DeviceError(f"cpu({index}) cannot run a kernel image of kind {image.kind!r}", code="GC705")
        imports = {"gpucomp_parallel_for": thread_pool().entry} if _is_parallel(image) else {}
        names = tuple(spec.name for spec in image.kernels)
        code = cpu_jit.compile_object(image.source, image.linked)
        library = cpu_jit.link(code, names, imports, lambda: image.source)
        functions = {spec.name: _launcher(library, spec, image) for spec in image.kernels}
        texts: dict[str, Callable[[], str]] = {
            "llvm": lambda: image.source,
            "ll": lambda: cpu_jit.optimised_text(image.source, image.linked),
            "asm": lambda: cpu_jit.assembly(image.source, image.linked),
        }
        return LoadedImage(functions, texts=texts, owner=library)


def _is_parallel(image: KernelImage) -> bool:
    return "@gpucomp_parallel_for(" in image.source


def _launcher(library: Library, spec: KernelSpec, image: KernelImage) -> LaunchFunction:
    kinds = [ctypes.c_void_p if kind.endswith("*") else _SCALARS[kind] for kind in spec.arg_types]
    call = ctypes.CFUNCTYPE(ctypes.c_int32, *kinds)(library.address(spec.name))
    fail = _Failure(spec.name, image, library)
    if not _is_parallel(image):

        def serial(grid: Dim3, block: Dim3, shared_bytes: int, stream: object | None, args: tuple[object, ...]) -> None:
            code = call(*args)
            if code:
                raise fail.error(code)

        return serial

    from gpucomp.runtime.threads import thread_pool

    prepare = thread_pool().prepare

    def parallel(grid: Dim3, block: Dim3, shared_bytes: int, stream: object | None, args: tuple[object, ...]) -> None:
        prepare()
        code = call(*args)
        if code:
            raise fail.error(code)

    return parallel


@dataclass(frozen=True, slots=True)
class _Failure:
    """What to say when a kernel returns a code; keeps its code in memory for as long as it can be called."""

    name: str
    image: KernelImage
    library: Library

    def error(self, code: int) -> DeviceError:
        if code == _OUT_OF_MEMORY:
            text = f"kernel {self.name}: not enough memory for its temporary buffers"
            return DeviceError(text, code="GC704")
        message = re.search(rf"^; failure {code}: (.*)$", self.image.source, re.MULTILINE)
        text = message[1] if message else f"failed with code {code}"
        return DeviceError(f"kernel {self.name}: {text}", code="GC706")


@functools.cache
def _why_missing() -> Missing | None:
    try:
        from gpucomp.runtime import cpu_jit

        cpu_jit.host()
    except ImportError as error:
        return Missing(f"llvmlite cannot be imported ({error})", "pip install llvmlite")
    return None


@functools.cache
def _attributes() -> DeviceAttributes:
    from gpucomp.runtime import cpu_jit
    from gpucomp.runtime.threads import available_threads

    host = cpu_jit.host()
    features = {"fp64", "int64", "bf16"}
    if host.has("f16c") or host.triple.startswith("aarch64"):
        features.add("fp16")
    name, vendor = _processor()
    return DeviceAttributes(
        name=name or host.cpu,
        vendor=vendor,
        platform="CPU",
        version=f"LLVM {host.llvm}",
        max_threads_per_block=1024,
        max_block_dims=(1024, 1024, 1024),
        max_shared_memory_per_block=_cache_bytes(1) or 32768,
        multi_processor_count=available_threads(),
        l2_cache_size_bytes=_cache_bytes(2),
        global_memory_bytes=_memory_bytes(),
        features=frozenset(features),
        is_cpu=True,
        arch=host.cpu,
        location=platform.node(),
    )


def _processor() -> tuple[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor(), ""
    facts = dict(re.findall(r"^(model name|vendor_id)\s*:\s*(.*)$", text, re.MULTILINE))
    return facts.get("model name", ""), facts.get("vendor_id", "")


def _cache_bytes(level: int) -> int:
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            facts = [(folder / item).read_text(encoding="ascii").strip() for item in ("level", "type", "size")]
        except OSError:
            continue
        if facts[0] == str(level) and facts[1] != "Instruction":
            number = int(re.sub(r"\D", "", facts[2]))
            return number * {"K": 1024, "M": 1 << 20}.get(facts[2][-1], 1)
    return 0


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0


def device_api() -> CpuAPI:
    """The implementation of "cpu"."""
    return CpuAPI()
