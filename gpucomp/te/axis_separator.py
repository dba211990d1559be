"""The mark between physical dimensions in a layout, which no memory here has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Final


class AxisSeparator:
    """Stands in the result of a layout where one physical dimension ends and the next one begins."""

    def __repr__(self) -> str:
        return "te.AXIS_SEPARATOR"


AXIS_SEPARATOR: Final = AxisSeparator()


class SeparatedAxes(Exception):
    """A layout has physical dimensions."""


def without_separators(mapping: Callable[..., Sequence[object]]) -> Callable[..., Sequence[object]]:
    """The same function; it raises :class:`SeparatedAxes` where its result has a separator."""

    @wraps(mapping)
    def checked(*indices: object) -> Sequence[object]:
        result = mapping(*indices)
        if any([x is AXIS_SEPARATOR for x in result]):
            raise SeparatedAxes
        return result

    return checked
