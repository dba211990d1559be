"""Errors with one shape: what is wrong, where in the user's program, and what mends it.

Every error that a user can cause is a :class:`GpucompError`.  Its text reads::

    gpucomp.ScheduleError[GC012]: axis 'k' is a reduction axis ...
      --> gemm.py:14   s[C].bind(k, te.thread_axis("threadIdx.x"))
      help: s[C].rfactor(k) first, or bind 'j' (1024)
"""

from __future__ import annotations

import contextlib
import difflib
import enum
import linecache
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from types import FrameType
from typing import ClassVar

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_NUMPY = f"{os.sep}site-packages{os.sep}numpy{os.sep}"
_ON_THE_WAY = frozenset({contextlib.__file__, enum.__file__})


@dataclass(frozen=True, slots=True)
class Span:
    """A place in the user's source: file, line (1-based) and, when known, columns (0-based, end exclusive)."""

    file: str
    line: int
    column: int | None = None
    end_column: int | None = None

    @property
    def text(self) -> str:
        """The source line, stripped, or the empty string when the file cannot be read."""
        return linecache.getline(self.file, self.line).strip()

    def render(self) -> str:
        """Render as ``file:line   source text`` with the file name only, as errors show it."""
        text = self.text
        place = f"{os.path.basename(self.file)}:{self.line}"
        return f"{place}   {text}" if text else place


def caller_span() -> Span | None:
    """Return the innermost frame outside the compiler: the user's call that led here."""
    frame: FrameType | None = sys._getframe(1)  # inspect.stack() is 1000x slower
    while frame is not None and is_internal(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is None:
        return None
    return Span(frame.f_code.co_filename, frame.f_lineno)


def is_internal(filename: str) -> bool:
    """True for files of the compiler itself (the operator library is user code: its lines are worth showing)."""
    if filename.startswith(_PACKAGE):
        return not filename.startswith(_PACKAGE + "kernels" + os.sep)
    return _NUMPY in filename or filename in _ON_THE_WAY  # they call us for the user, as np.sum(A[i]) does


class GpucompError(Exception):
    """Base of all errors that gpucomp raises on purpose.

    Args:
        message: what is wrong, in one sentence, with names and numbers.
        code: stable identifier such as ``"GC012"``, the key of ``gpucomp explain``.
        where: the user's call that caused it; None: no location line, or the call that runs (``at_the_call``).
        context: one more line for the location, e.g. ``"stage C, loop nest i(1024) > j(1024)"``.
        hint: what mends it; pasteable where possible.
    """

    default_code = "GC000"
    at_the_call: ClassVar[bool] = False  # where none is given, the user's call that runs is the cause

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        where: Span | None = None,
        context: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.message = message
        self.code = code or self.default_code
        self.where = caller_span() if where is None and self.at_the_call else where
        self.context = context
        self.hint = hint
        super().__init__(message)

    def render(self) -> str:
        """The full text, as printed."""
        lines = [f"gpucomp.{type(self).__name__}[{self.code}]: {self.message}"]
        if self.where is not None:
            lines.append(f"  --> {self.where.render()}")
        if self.context:
            lines.append(f"      {self.context}" if self.where is not None else f"  --> {self.context}")
        if self.hint:
            lines.append(f"  help: {self.hint}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.render()


class ScheduleError(GpucompError, ValueError):
    """A schedule primitive, or the schedule as a whole, is illegal."""

    default_code = "GC100"


class TensorError(GpucompError, ValueError):
    """An operator definition (placeholder, compute, reduce_axis...) is malformed."""

    default_code = "GC200"


class TypeMismatchError(GpucompError, TypeError):
    """Operands or arguments of an expression have types that do not go together."""

    default_code = "GC250"
    at_the_call = True


class LowerError(GpucompError, ValueError):
    """A legal schedule cannot be lowered for the target: a limit, a missing feature, an unproven bound."""

    default_code = "GC300"


class VerifyError(GpucompError):
    """The interpreter or a verifier found a race, an out-of-bounds access, or a pass that changed the meaning."""

    default_code = "GC400"


class BuildError(GpucompError, RuntimeError):
    """A device compiler rejected generated source."""

    default_code = "GC500"


class ArgumentError(GpucompError, TypeError, ValueError):
    """A compiled kernel was called with arguments that do not fit."""

    default_code = "GC600"


class DeviceError(GpucompError, RuntimeError):
    """A device is missing, failed its probe, or reported an error."""

    default_code = "GC700"
    at_the_call = True


class UndecidedComparison(GpucompError, TypeError, ValueError):
    """A symbolic comparison was used where Python needs True or False."""

    default_code = "GC260"


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return ``"did you mean 'x'?"`` for the closest candidate, or the empty string."""
    close = difflib.get_close_matches(name, list(candidates), n=1)
    return f"did you mean {close[0]!r}?" if close else ""
