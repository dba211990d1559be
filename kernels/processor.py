"""What schedules for processors know about them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

from gpucomp.kernels.registry import Definition, extent
from gpucomp.runtime.threads import available_threads
from gpucomp.target import Target

_UNKNOWN_CACHE: Final = 32 << 20


def vector_bytes(target: Target) -> int:
    """The width of a processor's vectors; 64 bytes for a target that is not this machine's processor."""
    if target.kind != "llvm" or target.arch != "host" or "avx512f" in target.features:
        return 64
    return 32 if "avx2" in target.features else 16


def threads() -> int:
    """How many threads a parallel loop has on this machine."""
    return available_threads()


def leaves_the_caches(defn: Definition) -> bool:
    """True when what an operator reads and writes exceeds the last cache.

    Stores past the caches then save the reading of the lines that they fill.
    """
    total = 0
    for tensor in defn.args:
        size = tensor.dtype.nbytes
        for length in map(extent, tensor.shape):
            if length is None:
                return False
            size *= length
        total += size
    return total > last_cache_bytes()


@functools.cache
def last_cache_bytes() -> int:
    """The size of the last cache of this machine, as the system tells it."""
    sizes = [0]
    for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        text = path.read_text(encoding="ascii").strip()
        digits, unit = text.rstrip("KMG"), text[-1:]
        if digits.isdigit():
            sizes.append(int(digits) << {"K": 10, "M": 20, "G": 30}.get(unit, 0))
    return max(sizes) or _UNKNOWN_CACHE
