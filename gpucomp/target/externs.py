"""Functions that kernels may call by name, beyond what the compiler knows.

A tensor intrinsic whose statements call such a function uses it on the kinds of targets for which the function is
registered; elsewhere the loops that the intrinsic replaces run instead.
"""

from __future__ import annotations

import threading

from gpucomp.support.diagnostics import LowerError, caller_span, did_you_mean
from gpucomp.target.kinds import KINDS

_functions: dict[tuple[str, str], str] = {}
_lock = threading.Lock()


def register_extern(name: str, kind: str, source: str = "") -> None:
    """Say that kernels for a kind of target can call a function; a second call replaces the first.

    Args:
        name: of the function, a C identifier.
        kind: "cuda", "opencl" or "llvm".
        source: its definition in the language of the target, which is put before the kernels that call it.  For
            "llvm" the function comes from a library of the process: ``ctypes.CDLL(path, ctypes.RTLD_GLOBAL)``.

    Raises:
        LowerError: GC160 unknown kind, no C identifier, or a source for "llvm".
    """
    if kind not in KINDS:
        raise LowerError(
            f"register_extern: unknown kind of target {kind!r}",
            code="GC160",
            where=caller_span(),
            hint=did_you_mean(kind, KINDS) or f"one of {', '.join(KINDS)}",
        )
    if not name.isidentifier() or not name.isascii():
        raise LowerError(
            f"register_extern: {name!r} is no C identifier",
            code="GC160",
            where=caller_span(),
            hint="letters, digits and _, no digit first",
        )
    if source and not KINDS[kind].is_gpu:
        raise LowerError(
            f"register_extern: {kind} takes no source text for {name!r}",
            code="GC160",
            where=caller_span(),
            hint="compile it to a library, and load that with ctypes.CDLL(path, ctypes.RTLD_GLOBAL)",
        )
    with _lock:
        _functions[name, kind] = source


def extern_source(name: str, kind: str) -> str | None:
    """The definition of a registered function ("" where it needs none); None for one that is not registered."""
    return _functions.get((name, kind))


def extern_state(names: tuple[str, ...], kind: str) -> tuple[str | None, ...]:
    """What is registered under names, as a part of cache keys."""
    return tuple([_functions.get((name, kind)) for name in names])
