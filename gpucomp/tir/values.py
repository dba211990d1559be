"""Python values as those of the IR, under the standard public names of the runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any  # Any: what a value becomes depends on it

from gpucomp.ir.node import Node
from gpucomp.tir import operators


def convert(value: object) -> Any:
    """A value as one of the IR: numbers and axes become expressions, sequences tuples of what they hold.

    Args:
        value: a number, a string, a sequence, a mapping, a function, None, or something of the IR.

    Returns:
        An expression; a tuple; a dict; or the value itself where it needs no conversion.

    Raises:
        TypeMismatchError: the value has no counterpart.
    """
    if isinstance(value, (list, tuple)):
        return tuple([convert(item) for item in value])
    if isinstance(value, Mapping):
        return {key: convert(item) for key, item in value.items()}
    if value is None or isinstance(value, Node) or callable(value):
        return value
    return operators.convert(value)
