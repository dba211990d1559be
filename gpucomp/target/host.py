"""What the processor of this machine can do, by LLVM's names of features."""

from __future__ import annotations

import functools
import platform
from collections.abc import Collection
from pathlib import Path
from typing import Final

_CPUINFO: Final = Path("/proc/cpuinfo")
# Features that schedules ask for, by the name that the system has for them.
_NAMES: Final = {
    "avx2": "avx2",
    "fma": "fma",
    "avx512f": "avx512f",
    "avx512bw": "avx512bw",
    "avx512_vnni": "avx512vnni",
    "avx512_bf16": "avx512bf16",
}

# The feature that an intrinsic of LLVM needs; of others it is not known whether a processor has them.
_INTRINSICS: Final = {
    "llvm.x86.avx512.vpdpbusd.512": "avx512vnni",
    "llvm.x86.avx512bf16.dpbf16ps.512": "avx512bf16",
}


def has_intrinsic(name: str, features: Collection[str]) -> bool:
    """True when a processor with these features has an intrinsic of LLVM."""
    return _INTRINSICS.get(name) in features


@functools.cache
def host_features() -> frozenset[str]:
    """Those of ``avx2``, ``fma``, ``avx512f``, ``avx512bw``, ``avx512vnni`` and ``avx512bf16`` that all cores have.

    Nothing where the system does not say.
    """
    if platform.machine() not in ("x86_64", "AMD64"):
        return frozenset()
    try:
        text = _CPUINFO.read_text(encoding="ascii", errors="replace")
    except OSError:
        return frozenset()
    flags = [frozenset(line.partition(":")[2].split()) for line in text.splitlines() if line.startswith("flags")]
    common = frozenset.intersection(*flags) if flags else frozenset[str]()
    return frozenset([name for flag, name in _NAMES.items() if flag in common])
