"""OpenCL C to the code of AMD's chips, with clang and libclc; nothing is run.

clang takes longer to read all of libclc, ten megabytes, than to compile most kernels.  So it reads, once for each chip,
what a short source calls, and links kernels with that; those that call something else are linked with all of it.
"""

from __future__ import annotations

import atexit
import functools
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from tests.requirements import require_libclc, require_tool

_TARGET: Final = ("-target", "amdgcn-amd-amdhsa", "-nogpulib")
_LINK: Final = ("-Wno-linker-warnings", "-Xclang", "-mlink-builtin-bitcode", "-Xclang")
_REPORT: Final = "-Rpass-analysis=kernel-resource-usage"
_CALLS: Final = """
#define ONE(f) float own_##f(float x) { return f(x); }
#define TWO(f) float own_##f(float x, float y) { return f(x, y); }
ONE(exp) ONE(exp2) ONE(log) ONE(log2) ONE(sqrt) ONE(rsqrt) ONE(tanh) ONE(erf) ONE(floor) ONE(ceil) ONE(fabs)
TWO(pow) TWO(fmax) TWO(fmin)
float own_fma(float x, float y, float z) { return fma(x, y, z) + mad(x, y, z); }
ulong own_place(int d) { return get_local_id(d) + get_group_id(d); }
void own_barrier(void) { barrier(CLK_LOCAL_MEM_FENCE); }
#define VECTOR(S, T, N) void own_##S##T##N(S T* p) { vstore##N(vload##N(0, p), 1, p); }
#define HALF(S, N) void own_half_##S##N(S half* p) { vstore_half##N##_rte(vload_half##N(0, p), 1, p); }
#define TYPES(S, N) VECTOR(S, float, N) VECTOR(S, uint, N) VECTOR(S, ushort, N) VECTOR(S, char, N)
#define WIDTHS(S) TYPES(S, 2) TYPES(S, 4) TYPES(S, 8) HALF(S, ) HALF(S, 2) HALF(S, 4) HALF(S, 8)
WIDTHS(__global) WIDTHS(__local) WIDTHS(__private)
int own_int(int x, int y) { return max(x, y) + min(x, y); }
"""


class Code(NamedTuple):
    """Assembly text, and what the compiler says of the kernels' resources."""

    assembly: str
    remarks: str


@functools.cache
def _library(chip: str) -> Path:
    """What the calls above need of libclc, made for a chip."""
    folder = Path(tempfile.mkdtemp(prefix="gpucomp-libclc-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    source, text, library = folder / "calls.cl", folder / "library.ll", folder / f"{chip}.bc"
    source.write_text(_CALLS, encoding="utf-8")
    clang = [require_tool("clang-19"), *_TARGET, f"-mcpu={chip}", "-Xclang", "-disable-llvm-passes", "-emit-llvm"]
    opencl = ["-x", "cl", "-cl-std=CL1.2", "-O3", *_LINK, str(require_libclc()), "-S", str(source), "-o", str(text)]
    subprocess.run([*clang, *opencl], check=True, timeout=120)
    # What is linked so becomes private: here it is to be linked once more.
    text.write_text(re.sub(r"^define internal ", "define ", text.read_text(encoding="utf-8"), flags=re.MULTILINE))
    subprocess.run([*clang, "-x", "ir", "-c", str(text), "-o", str(library)], check=True, timeout=120)
    return library


def compile_for(chip: str, source: str, *flags: str) -> Code:
    """Compile with ``-O3``.

    Raises:
        AssertionError: clang refuses it.
    """
    code = _compile(chip, source, _library(chip), flags)
    return _compile(chip, source, require_libclc(), flags) if "s_swappc" in code.assembly else code


def _compile(chip: str, source: str, library: Path, flags: tuple[str, ...]) -> Code:
    command = [require_tool("clang-19"), "-x", "cl", "-cl-std=CL1.2", "-O3", *_TARGET, f"-mcpu={chip}"]
    command += [*_LINK, str(library), _REPORT, *flags, "-S", "-", "-o", "-"]
    done = subprocess.run(command, input=source, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{done.stderr[:4000]}\n{source}"
    return Code(done.stdout, done.stderr)
