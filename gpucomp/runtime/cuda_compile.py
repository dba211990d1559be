"""CUDA C to machine code, with neither a GPU nor a driver: NVRTC through cuda-bindings, else nvcc."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from gpucomp.runtime.buildlog import build_error
from gpucomp.runtime.cache import disk_cache
from gpucomp.support.config import config
from gpucomp.support.diagnostics import BuildError
from gpucomp.support.hashing import digest

if TYPE_CHECKING:
    from cuda.bindings.nvrtc import nvrtcProgram, nvrtcResult

DEFAULT_ARCH: Final = "sm_90a"
_UNIT: Final = "gpucomp.cu"
_ALWAYS: Final = ("--std=c++17", "--ptxas-options=-v")
_INSTALL: Final = 'pip install "gpucomp[nvrtc]", or install the CUDA toolkit and set CUDA_HOME'
_NVCC_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a compiler made.

    Attributes:
        cubin: machine code for one architecture.
        log: warnings, and per kernel the registers, spills and shared memory (see :func:`resources`).
    """

    cubin: bytes
    log: str


class Compiler(Protocol):
    """A CUDA compiler."""

    @property
    def name(self) -> str:
        """Name and version: part of the cache key."""
        ...

    def compile(self, source: str, arch: str, options: Sequence[str]) -> Compiled:
        """Compile.

        Raises:
            BuildError: the source or the architecture was refused.
        """
        ...

    def ptx(self, source: str, arch: str, options: Sequence[str]) -> str:
        """The PTX text.

        Raises:
            BuildError: as for :meth:`compile`.
        """
        ...


class NvrtcCompiler:
    """NVRTC in this process."""

    def __init__(self) -> None:
        from cuda.bindings import nvrtc

        self._nvrtc = nvrtc
        error, major, minor = nvrtc.nvrtcVersion()
        self._check(error, "nvrtcVersion")
        self.version = (int(major), int(minor))
        self.name = f"NVRTC {major}.{minor}"

    def compile(self, source: str, arch: str, options: Sequence[str]) -> Compiled:
        nvrtc = self._nvrtc
        program, log = self._run(source, arch, options)
        try:
            error, size = nvrtc.nvrtcGetCUBINSize(program)
            self._check(error, "nvrtcGetCUBINSize")
            cubin = bytes(max(2, size))  # CPython shares bytes objects of length 1, and NVRTC writes into this one
            self._check(nvrtc.nvrtcGetCUBIN(program, cubin)[0], "nvrtcGetCUBIN")
        finally:
            nvrtc.nvrtcDestroyProgram(program)
        return Compiled(cubin[:size], log)

    def ptx(self, source: str, arch: str, options: Sequence[str]) -> str:
        nvrtc = self._nvrtc
        program, _ = self._run(source, arch.replace("sm_", "compute_"), options)
        try:
            error, size = nvrtc.nvrtcGetPTXSize(program)
            self._check(error, "nvrtcGetPTXSize")
            text = bytes(max(2, size))
            self._check(nvrtc.nvrtcGetPTX(program, text)[0], "nvrtcGetPTX")
        finally:
            nvrtc.nvrtcDestroyProgram(program)
        return text.rstrip(b"\0").decode("utf-8", "replace")

    def _run(self, source: str, arch: str, options: Sequence[str]) -> tuple[nvrtcProgram, str]:
        nvrtc = self._nvrtc
        flags = [option.encode() for option in (f"--gpu-architecture={arch}", *_ALWAYS, *options)]
        error, program = nvrtc.nvrtcCreateProgram(source.encode(), _UNIT.encode(), 0, [], [])
        self._check(error, "nvrtcCreateProgram")
        result = nvrtc.nvrtcCompileProgram(program, len(flags), flags)[0]
        log = self._log(program)
        if int(result) == 0:
            return program, log
        nvrtc.nvrtcDestroyProgram(program)
        raise build_error(self.name, arch, source, ".cu", log or self._text(result))

    def _log(self, program: nvrtcProgram) -> str:
        error, size = self._nvrtc.nvrtcGetProgramLogSize(program)
        self._check(error, "nvrtcGetProgramLogSize")
        text = bytes(max(2, size))
        self._check(self._nvrtc.nvrtcGetProgramLog(program, text)[0], "nvrtcGetProgramLog")
        return text.rstrip(b"\0").decode("utf-8", "replace").strip()

    def _text(self, result: nvrtcResult) -> str:
        return f"error: {self._nvrtc.nvrtcGetErrorString(result)[1].decode()}"

    def _check(self, result: nvrtcResult, call: str) -> None:
        if int(result) != 0:
            raise BuildError(f"{call} failed: {self._text(result)}", code="GC503")


class NvccCompiler:
    """The nvcc of a CUDA toolkit."""

    def __init__(self, path: str) -> None:
        self.path = path
        text = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
        release = re.search(r"release (\d+)\.(\d+)", text)
        if release is None:
            raise BuildError(f"{path} --version gave no version", code="GC503", hint=_INSTALL)
        self.version = (int(release[1]), int(release[2]))
        self.name = f"nvcc {release[1]}.{release[2]}"

    def compile(self, source: str, arch: str, options: Sequence[str]) -> Compiled:
        cubin, log = self._run(source, arch, ("-cubin", _code(arch), *options), ".cubin")
        return Compiled(cubin, log)

    def ptx(self, source: str, arch: str, options: Sequence[str]) -> str:
        form = ("-ptx", f"-arch={arch.replace('sm_', 'compute_')}")
        return self._run(source, arch, (*form, *options), ".ptx")[0].decode("utf-8", "replace")

    def _run(self, source: str, arch: str, flags: Sequence[str], suffix: str) -> tuple[bytes, str]:
        with tempfile.TemporaryDirectory(prefix="gpucomp-nvcc-") as folder:
            unit, made = Path(folder) / _UNIT, Path(folder) / f"gpucomp{suffix}"
            unit.write_text(source, encoding="utf-8")
            command = [self.path, *_ALWAYS, *flags, "-o", str(made), str(unit)]
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, cwd=folder, timeout=_NVCC_SECONDS
            )
            log = f"{done.stdout}\n{done.stderr}".strip()
            if done.returncode != 0 or not made.exists():
                raise build_error(self.name, arch, source, ".cu", log)
            return made.read_bytes(), log


def _code(arch: str) -> str:
    return f"-gencode=arch={arch.replace('sm_', 'compute_')},code={arch}"


def find_nvcc() -> str | None:
    """nvcc of CUDA_HOME, CUDA_ROOT or CUDA_PATH, else the one on PATH."""
    for variable in ("CUDA_HOME", "CUDA_ROOT", "CUDA_PATH"):
        folder = os.environ.get(variable)
        found = shutil.which("nvcc", path=os.path.join(folder, "bin")) if folder else None
        if found is not None:
            return found
    return shutil.which("nvcc")


@functools.cache
def _make_nvrtc() -> NvrtcCompiler | str:
    """NVRTC, or why there is none."""
    try:
        return NvrtcCompiler()
    except (ImportError, RuntimeError, OSError) as error:
        return str(error).partition("\n")[0] or type(error).__name__


@functools.cache
def _make_nvcc(path: str) -> NvccCompiler:
    return NvccCompiler(path)


def cuda_compiler(wanted: str | None = None) -> Compiler:
    """The compiler to use.

    Args:
        wanted: "nvrtc", "nvcc" or "auto" (NVRTC when it can be loaded); None: the setting GPUCOMP_CUDA_COMPILER.

    Raises:
        BuildError: there is none; says what to install.
    """
    choice = wanted or config.cuda_compiler
    nvrtc = _make_nvrtc() if choice in ("auto", "nvrtc") else "not asked for"
    if not isinstance(nvrtc, str):
        return nvrtc
    nvcc = find_nvcc() if choice in ("auto", "nvcc") else None
    if nvcc is not None:
        return _make_nvcc(nvcc)
    missing = "nvcc is on no path" if choice == "nvcc" else f"NVRTC: {nvrtc}"
    raise BuildError(f"there is no CUDA compiler ({missing})", code="GC504", hint=_INSTALL)


def compile_cuda(source: str, arch: str = "", options: Sequence[str] = ()) -> tuple[bytes, str]:
    """Compile CUDA C to a cubin.  Needs no GPU, no driver and no pycuda.

    Args:
        source: CUDA C.
        arch: such as "sm_80" or "sm_90a"; empty means sm_90a.
        options: further compiler options, in the form that NVRTC and nvcc share.

    Returns:
        The cubin and the compiler's log, which :func:`resources` reads.

    Raises:
        BuildError: no compiler, or it refused the source: the first error with five lines round it.
    """
    made = cuda_compiler().compile(source, arch or DEFAULT_ARCH, options)
    return made.cubin, made.log


def cached_cuda(source: str, arch: str, options: Sequence[str] = ()) -> tuple[bytes, str]:
    """As :func:`compile_cuda`, but results are kept on disk."""
    compiler, cache = cuda_compiler(), disk_cache()
    if cache is None:
        made = compiler.compile(source, arch, options)
        return made.cubin, made.log
    key = digest("cuda", compiler.name, arch, [*_ALWAYS, *options], source)
    cubin, log = cache.get(key, ".cubin"), cache.get(key, ".log")
    if cubin is not None and log is not None:
        return cubin, log.decode("utf-8", "replace")
    made = compiler.compile(source, arch, options)
    cache.put(key, ".cubin", made.cubin)
    cache.put(key, ".log", made.log.encode())
    return made.cubin, made.log


def ptx_text(source: str, arch: str = "", options: Sequence[str] = ()) -> str:
    """The PTX of a source.

    Raises:
        BuildError: no compiler, or it refused the source.
    """
    return cuda_compiler().ptx(source, arch or DEFAULT_ARCH, options)


def sass_text(cubin: bytes) -> str:
    """The machine code of a cubin as text, by nvdisasm or cuobjdump.

    Raises:
        BuildError: neither is installed.
    """
    folders = [os.path.dirname(nvcc)] if (nvcc := find_nvcc()) else []
    path = os.pathsep.join([*folders, os.environ.get("PATH", "")])
    for tool, flags in (("nvdisasm", ("-c",)), ("cuobjdump", ("-sass",))):
        found = shutil.which(tool, path=path)
        if found is None:
            continue
        with tempfile.TemporaryDirectory(prefix="gpucomp-sass-") as folder:
            unit = Path(folder) / "gpucomp.cubin"
            unit.write_bytes(cubin)
            done = subprocess.run([found, *flags, str(unit)], capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return done.stdout
    raise BuildError("neither nvdisasm nor cuobjdump is installed", code="GC504", hint="they are in the CUDA toolkit")


@dataclass(frozen=True, slots=True)
class KernelResources:
    """What ptxas said about one kernel; sizes in bytes."""

    name: str
    arch: str
    registers: int
    stack: int
    spill_stores: int
    spill_loads: int
    static_shared: int
    barriers: int


_ENTRY: Final = re.compile(r"Compiling entry function '(?P<name>[^']+)' for '(?P<arch>[^']+)'")


def resources(log: str) -> dict[str, KernelResources]:
    """Registers, spills and shared memory by kernel, from a compiler's log."""
    return {made.name: made for made in _resources(log)}


def _resources(log: str) -> Iterator[KernelResources]:
    entries = list(_ENTRY.finditer(log))
    for position, entry in enumerate(entries):
        end = entries[position + 1].start() if position + 1 < len(entries) else len(log)
        text = log[entry.end() : end]

        def number(pattern: str, text: str = text) -> int:
            found = re.search(pattern, text)
            return int(found[1]) if found else 0

        yield KernelResources(
            name=entry["name"],
            arch=entry["arch"],
            registers=number(r"Used (\d+) registers"),
            stack=number(r"(\d+) bytes stack frame"),
            spill_stores=number(r"(\d+) bytes spill stores"),
            spill_loads=number(r"(\d+) bytes spill loads"),
            static_shared=number(r"(\d+) bytes smem"),
            barriers=number(r"used (\d+) barriers"),
        )
