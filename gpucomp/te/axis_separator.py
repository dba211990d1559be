"""The mark between physical dimensions in a layout, which no memory here has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Final


class AxisSeparator:
    """Stands in the result of a layout where one physical dimension ends and the next one begins."""

    def __repr__(self) -> str:
        return "te.AXIS_SEPARATOR"


AXIS_SEPARATOR: Final = AxisSeparator()


class SeparatedAxes(Exception):
    """A layout has physical dimensions."""


class NoIndices(Exception):
    """What a layout gives is no sequence."""


def without_separators(mapping: Callable[..., object]) -> Callable[..., Sequence[object]]:
    """The same function; it raises :class:`NoIndices` where its result is no sequence, and :class:`SeparatedAxes`
    where that has a separator."""

    @wraps(mapping)
    def checked(*indices: object) -> Sequence[object]:
        result = mapping(*indices)
        if not isinstance(result, Iterable):
            raise NoIndices(type(result).__name__)
        items: list[object] = list(result)
        if any([x is AXIS_SEPARATOR for x in items]):
            raise SeparatedAxes
        return items

    return checked
