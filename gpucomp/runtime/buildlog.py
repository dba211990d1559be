"""From a device compiler's log to one readable error: the first message, five lines round it, the saved source."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from gpucomp.runtime.cache import save_source
from gpucomp.support.diagnostics import BuildError

# Where compilers put the line of an error.  ptxas names lines of PTX, not ours: its messages have no place.
_PLACED: Final = (
    # unit.cu(12): error: text                                     NVRTC, nvcc
    re.compile(r"\((?P<line>\d+)\)(?P<column>)\s*:\s*(?:catastrophic |fatal )?error\b[^:]*:\s*(?P<text>.*)"),
    # unit.cl:12:5: error: text                                    clang: newer PoCL, NVIDIA's OpenCL, AMD
    re.compile(r":(?P<line>\d+):(?P<column>\d+):\s*(?:fatal )?error\s*:\s*(?P<text>.*)"),
    # error: unit.cl:12:5: text                                    PoCL 3
    re.compile(r"error:\s*[^\s:]+:(?P<line>\d+):(?P<column>\d+):\s*(?P<text>.*)"),
)
_UNPLACED: Final = re.compile(r"\berror\b[^:]*:\s*(?P<text>.*)", re.IGNORECASE)
_CONTEXT: Final = 2


def build_error(compiler: str, device: str, source: str, suffix: str, log: str) -> BuildError:
    """The error for a source that a compiler refused.

    Args:
        compiler: its name, such as "NVRTC 13.0".
        device: for what it compiled, such as "sm_90a".
        source: the text.
        suffix: of the file in which the text is saved, such as ".cu".
        log: what the compiler said.
    """
    path = save_source(source, suffix)
    places = [found for pattern in _PLACED if (found := pattern.search(log)) is not None]
    if not places:
        unplaced = _UNPLACED.search(log)
        text = unplaced["text"] if unplaced else next((line for line in log.splitlines() if line.strip()), "")
        message = f"{compiler} cannot compile for {device}: {text.strip() or 'it gave no reason'}"
        return BuildError(message, code="GC501", context=f"source: {path}", hint=_shorten(log))
    first = min(places, key=lambda found: found.start())
    message = f"{compiler} cannot compile for {device}: {first['text'].strip()}"
    column = first["column"] or _caret_column(log[first.end() :])
    return BuildError(message, code="GC501", context=_excerpt(path, source, int(first["line"]), column))


def _caret_column(after: str) -> str | None:
    """NVRTC and nvcc name no column: they repeat the line, indented by two, and put a caret under it."""
    lines = after.split("\n")[1:4]
    carets = [line for line in lines if line.strip() == "^"]
    return str(carets[0].index("^") - 1) if carets and carets[0].index("^") >= 2 else None


def _excerpt(path: Path, source: str, line: int, column: str | None) -> str:
    lines = source.splitlines()
    first, last = max(1, line - _CONTEXT), min(len(lines), line + _CONTEXT)
    width = len(str(last))
    shown = [f"{path}:{line}"]
    for number in range(first, last + 1):
        mark = ">" if number == line else " "
        shown.append(f"    {mark} {number:{width}} | {lines[number - 1]}")
        if number == line and column is not None:
            shown.append(f"      {'':{width}} | {' ' * (int(column) - 1)}^")
    return "\n".join(shown)


def _shorten(log: str) -> str | None:
    lines = [line for line in log.splitlines() if line.strip()]
    return "\n        ".join(lines[:5]) or None
