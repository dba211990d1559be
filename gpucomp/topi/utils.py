"""Axes, extents and arguments, as every operator here reads them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import SupportsIndex

from gpucomp.support.diagnostics import TensorError, caller_span
from gpucomp.te.tensor import Tensor
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IntImm

Extent = Expr | SupportsIndex  # ints of any library, or symbolic
Numbers = SupportsIndex | Sequence[SupportsIndex]  # one for all dimensions, or one for each
Axis = SupportsIndex | Sequence[SupportsIndex] | None  # one, several, or all dimensions


def get_const_int(expr: object) -> int:
    """The int that an expression is.

    Raises:
        TensorError: GC222 it is no constant.
    """
    found = maybe_int(expr)
    if found is None:
        raise argument_error(f"{expr} is not a constant", "this operator needs numbers here, no te.var")
    return found


def get_const_tuple(in_tuple: Sequence[Extent]) -> tuple[Extent, ...]:
    """The extents as ints; symbolic ones stay as they are."""
    known = [(x, maybe_int(x)) for x in in_tuple]
    return tuple([x if number is None else number for x, number in known])


def maybe_int(value: object) -> int | None:
    """The int that ``value`` is, None if it is symbolic."""
    if isinstance(value, IntImm):
        return value.value
    if isinstance(value, Expr):
        return None
    return value.__index__() if isinstance(value, SupportsIndex) else None


def argument_error(message: str, hint: str) -> TensorError:
    """The error of an argument that an operator cannot take."""
    return TensorError(message, code="GC222", where=caller_span(), hint=hint)


def shape_error(name: str, hint: str, *tensors: Tensor) -> TensorError:
    """The error of operands whose shapes do not go together."""
    shapes = " and ".join([f"{t.name}{shape_text(t.shape)}" for t in tensors])
    return TensorError(f"{name}: shapes of {shapes} do not go together", code="GC216", where=caller_span(), hint=hint)


def shape_text(shape: Sequence[object]) -> str:
    """``(4, n)``."""
    return f"({', '.join([str(s) for s in shape])})"


def tensor_of(name: str, value: object, ndim: int | None = None) -> Tensor:
    """``value``, which has to be a tensor (of ``ndim`` dimensions)."""
    if not isinstance(value, Tensor):
        raise argument_error(
            f"{name} takes a tensor, but got a {type(value).__name__}", "A = te.placeholder((m, n), name='A')"
        )
    if ndim is not None and value.ndim != ndim:
        raise argument_error(
            f"{name} takes a tensor with {ndim} dimensions, but {value.name!r} has {value.ndim}",
            f"its shape is {shape_text(value.shape)}; topi.reshape makes another",
        )
    return value


def one_axis(name: str, axis: object, ndim: int) -> int:
    """``axis`` counted from the first dimension.

    Raises:
        TensorError: GC221 there is no such dimension.
    """
    found = maybe_int(axis)
    if found is None or not -ndim <= found < ndim:
        valid = f"-{ndim} to {ndim - 1}" if ndim else "none: there is no dimension"
        raise TensorError(
            f"{name}: axis {axis} of a tensor with {ndim} dimensions",
            code="GC221",
            where=caller_span(),
            hint=f"valid axes are {valid}",
        )
    return found % ndim


def axes_of(name: str, axis: Axis, ndim: int) -> list[int]:
    """Sorted axes: all for None, one for an int; each at most once."""
    if axis is None:
        return list(range(ndim))
    items = list(axis) if isinstance(axis, Sequence) else [axis]
    found = sorted([one_axis(name, a, ndim) for a in items])
    if len(set(found)) != len(found):
        raise TensorError(
            f"{name}: axes {shape_text(items)} name one dimension twice",
            code="GC221",
            where=caller_span(),
            hint="each axis once; -1 is the last",
        )
    return found


def numbers(name: str, value: Numbers, count: int) -> list[int]:
    """``count`` ints from one, or from a list of them."""
    items = list(value) if isinstance(value, Sequence) else [value] * count
    found = [maybe_int(x) for x in items]
    if len(found) != count or any([x is None for x in found]):
        raise argument_error(
            f"{name} is {value}, but {count} numbers are needed", f"{name}=1, or one for each dimension"
        )
    return [x for x in found if x is not None]


def same_extent(a: Expr, b: Expr) -> bool:
    """Equal extents (they are interned; a constant may come in two types)."""
    return a is b or (maybe_int(a) is not None and maybe_int(a) == maybe_int(b))


def product(extents: Sequence[Extent]) -> Expr | int:
    """The product of extents, 1 of none; of constants an int, which does not wrap."""
    known = count_of(extents)
    if known is not None:
        return known
    total: Expr | int = 1
    for extent in extents:
        total = operators.multiply(total, extent)
    return total


def count_of(extents: Sequence[Extent]) -> int | None:
    """The product of extents as an int, which does not wrap; None if one of them is symbolic."""
    known = [maybe_int(x) for x in extents]
    return None if any([x is None for x in known]) else math.prod([x for x in known if x is not None])


def flat_index(indices: Sequence[Expr], shape: Sequence[Extent]) -> Expr | int:
    """The place of an element in row-major order, 0 without dimensions."""
    place: Expr | int = 0
    for index, extent in zip(indices, shape, strict=True):
        place = operators.add(operators.multiply(place, extent), index)
    return place


def unravel(place: Expr | int, shape: Sequence[Extent]) -> list[Expr | int]:
    """The indices of an element from its place in row-major order."""
    indices: list[Expr | int] = []
    for position in range(len(shape)):
        rest = product(shape[position + 1 :])
        index = operators.floordiv(place, rest) if maybe_int(rest) != 1 else place
        indices.append(index if position == 0 else operators.floormod(index, shape[position]))
    return indices
