"""What users pass: functions that may be none, one thing where a list of them is meant."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import TypeVar, cast

import numpy as np

from gpucomp.support.expect import expect

_T = TypeVar("_T")


def is_a(given: object, kind: type) -> bool:
    """``isinstance``, where the types promise it and users may break the promise."""
    return isinstance(given, kind)


def number(given: _T) -> _T | int:
    """A numpy integer as the plain one that it is: extents like ``np.prod(shape)`` do not ask for 64-bit indices."""
    return int(given) if isinstance(given, np.integer) else given


def listed(given: Iterable[_T] | _T, single: type | tuple[type, ...]) -> list[_T]:
    """A list of what was given; what is a ``single``, or no iterable at all, alone, for a check to refuse.

    Args:
        given: a list, another iterable, or one thing.
        single: types that count as one, even where they can be gone through.
    """
    items: list[object] = [given]
    if isinstance(given, Iterable) and not isinstance(given, single):
        items = [*given]
    return cast("list[_T]", items)  # which of the two cases it is, a type checker cannot tell


def named(function: str, name: object, tag: object = "", attrs: object = None) -> None:
    """Refuse names and tags that are no text, and annotations that are no mapping.

    Raises:
        TypeMismatchError: GC252.
    """
    if name.__class__ is str and tag.__class__ is str and attrs is None:  # as always, without a call
        return
    expect(name, str, f"{function}: name", f'te.{function}(..., name="A")')
    expect(tag, str, f"{function}: tag", 'tag="broadcast"')
    if attrs is not None:
        expect(attrs, Mapping, f"{function}: attrs", 'attrs={"key": value}')


def unfit(function: object, count: int | None = None) -> str:
    """What is wrong with a function that is to be called with ``count`` arguments, for a message; "" for nothing.

    Args:
        function: what was passed.
        count: of arguments by position; None where any number may do.
    """
    if not callable(function):
        return f"is a {type(function).__name__}, no function"
    if count is None:
        return ""
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return f"does not take {count} arguments"
    except ValueError:  # a built-in without a signature
        return ""
    return ""
