"""Errors as a user of the command line should see them: with places in the user's files only."""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gpucomp.support.diagnostics import GpucompError, Span, is_internal

_COMMAND_LINE: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep
_PACKAGE: Final = os.path.dirname(os.path.dirname(_COMMAND_LINE)) + os.sep
# click stands between Python and our verbs, so it looks like the caller of what a verb calls itself.
_SITE_FOLDERS: Final = ("site-packages", "dist-packages")
_STDLIB: Final = sysconfig.get_path("stdlib") + os.sep


class UserCodeError(GpucompError, RuntimeError):
    """A function of the user's file raised an exception of its own."""

    default_code = "GC648"


def is_users_file(filename: str) -> bool:
    """False for the compiler, for installed packages, for Python's library, for its launcher and frozen modules.

    The operators of the library count as a user's, wherever they are installed, as they do for all errors.
    """
    if filename.startswith(_PACKAGE):
        return not is_internal(filename)
    if filename.startswith(("<frozen", _STDLIB)):
        return False
    path = Path(filename)
    return not set(_SITE_FOLDERS) & set(path.parts) and path.resolve() != Path(sys.argv[0]).resolve()


def without_library_lines(error: GpucompError) -> GpucompError:
    """The same error; its location is dropped where that is no place in a user's file."""
    if error.where is not None and not is_users_file(error.where.file):
        error.where = None
    return error


@contextmanager
def user_code(name: str) -> Generator[None]:
    """Run what a user wrote; what it raises becomes one error with the places in the user's files.

    Args:
        name: of what is run, for the message.

    Raises:
        UserCodeError: an exception that is none of gpucomp's own. One that starts inside the compiler is left as it
            is: that is a fault of the compiler, and its traceback is what a report of it needs.
    """
    try:
        yield
    except GpucompError:
        raise
    except Exception as error:
        frames = list(traceback.extract_tb(error.__traceback__))
        last = frames[-1].filename
        if is_internal(last) and not last.startswith(_COMMAND_LINE):
            raise
        places = [Span(frame.filename, frame.lineno or 0) for frame in frames if is_users_file(frame.filename)]
        if isinstance(error, SyntaxError) and error.filename:
            places.append(Span(error.filename, error.lineno or 0))
        raise _as_one_error(name, error, places) from error


def _as_one_error(name: str, error: Exception, places: list[Span]) -> UserCodeError:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    callers = [f"called from {place.render()}" for place in reversed(places[:-1])]
    return UserCodeError(
        f"{name} raised {said}",
        where=places[-1] if places else None,
        context="\n      ".join(callers) or None,
    )
