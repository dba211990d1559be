"""Functions of two tensors, element by element, with their shapes broadcast as numpy does.

Each takes tensors, numbers or expressions; of numbers and expressions only, the result is an expression.

Raises, all of them: TensorError GC216, the shapes do not go together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, overload

from gpucomp.te.api import compute, shape_of
from gpucomp.te.elementwise import elementwise
from gpucomp.te.tensor import Tensor, TensorSlice
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir.expr import Expr, ExprLike, IterVar
from gpucomp.topi.tag import BROADCAST, ELEMWISE
from gpucomp.topi.utils import Extent, argument_error, maybe_int, same_extent, shape_text, tensor_of

Element = Expr | IterVar | TensorSlice | float  # what stands for one number: no whole tensor


class OfOne(Protocol):
    """Of a tensor a tensor, of anything else an expression."""

    @overload
    def __call__(self, x: Tensor) -> Tensor: ...
    @overload
    def __call__(self, x: Element) -> Expr: ...


class OfTwo(Protocol):
    """A tensor if one of the operands is one, else an expression."""

    @overload
    def __call__(self, lhs: Tensor, rhs: ExprLike) -> Tensor: ...
    @overload
    def __call__(self, lhs: ExprLike, rhs: Tensor) -> Tensor: ...
    @overload
    def __call__(self, lhs: Element, rhs: Element) -> Expr: ...


def of_tensors(name: str, function: Callable[..., Expr], *operands: ExprLike) -> Tensor:
    """A tensor of ``function`` of the elements of ``operands``, of which one at least is a tensor."""
    if any([isinstance(x, Tensor) and x.shape for x in operands]):
        return elementwise(name, function, *operands)
    return compute(
        (), lambda: function(*[x() if isinstance(x, Tensor) else x for x in operands]), name=f"T_{name}", tag=ELEMWISE
    )


def whole(name: str, function: Callable[..., Expr], *operands: ExprLike) -> Tensor | Expr:
    """A tensor of ``function`` of the elements of ``operands``; an expression if none of them is a tensor."""
    if any([isinstance(x, Tensor) for x in operands]):
        return of_tensors(name, function, *operands)
    return function(*operands)


def of_one(function: Callable[[ExprLike], Expr], name: str = "", doc: str | None = None) -> OfOne:
    """``function``, given for an element, of a tensor; name and documentation are those of ``function`` if empty."""
    name = name or function.__name__

    @overload
    def of_elements(x: Tensor) -> Tensor: ...
    @overload
    def of_elements(x: Element) -> Expr: ...
    def of_elements(x: ExprLike) -> Tensor | Expr:
        return whole(name, function, x)

    of_elements.__name__ = of_elements.__qualname__ = name
    of_elements.__doc__ = doc or function.__doc__
    return of_elements


def of_two(function: Callable[[ExprLike, ExprLike], Expr]) -> OfTwo:
    """``function``, given for two elements, of tensors."""
    name = function.__name__

    @overload
    def of_elements(lhs: Tensor, rhs: ExprLike) -> Tensor: ...
    @overload
    def of_elements(lhs: ExprLike, rhs: Tensor) -> Tensor: ...
    @overload
    def of_elements(lhs: Element, rhs: Element) -> Expr: ...
    def of_elements(lhs: ExprLike, rhs: ExprLike) -> Tensor | Expr:
        return whole(name, function, lhs, rhs)

    of_elements.__name__ = of_elements.__qualname__ = name
    of_elements.__doc__ = function.__doc__
    return of_elements


def as_condition(value: ExprLike) -> Expr:
    """``value != 0``, unless it is a condition already."""
    item = operators.convert(value)
    return item if item.dtype.is_bool else operators.equality(e.NE, item, operators.const(0, item.dtype))


def broadcast_to(data: Tensor, shape: Extent | Sequence[Extent]) -> Tensor:
    """``data`` with the given shape: dimensions are put in front, extents of 1 repeat.

    Raises:
        TensorError: GC222 the shape is not one that ``data`` broadcasts to.
    """
    data = tensor_of("broadcast_to", data)
    wanted = shape_of(shape, "broadcast_to")
    skip = len(wanted) - data.ndim
    fits = skip >= 0 and all(
        [maybe_int(a) == 1 or same_extent(a, b) for a, b in zip(data.shape, wanted[skip:], strict=True)]
    )
    if not fits:
        raise argument_error(
            f"broadcast_to: {data.name!r} of shape {shape_text(data.shape)} does not broadcast to {shape_text(wanted)}",
            "extents must be equal or 1, counted from the last dimension",
        )

    def element(*i: Expr) -> Expr:
        return data(*[0 if maybe_int(s) == 1 else k for s, k in zip(data.shape, i[skip:], strict=True)])

    return compute(wanted, element, name="T_broadcast_to", tag=BROADCAST)


@of_two
def add(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """``lhs + rhs``."""
    return operators.add(lhs, rhs)


@of_two
def subtract(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """``lhs - rhs``."""
    return operators.subtract(lhs, rhs)


@of_two
def multiply(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """``lhs * rhs``."""
    return operators.multiply(lhs, rhs)


@of_two
def divide(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """``lhs / rhs``; of integers the quotient rounded towards 0."""
    x, y = operators.match_types(lhs, rhs)
    return operators.divide(x, y) if _is_float(x) else operators.truncdiv(x, y)


@of_two
def floor_divide(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """The quotient rounded down."""
    x, y = operators.match_types(lhs, rhs)
    return intrin.floor(operators.divide(x, y)) if _is_float(x) else operators.floordiv(x, y)


@of_two
def mod(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """The remainder with the sign of ``lhs``, as in C."""
    x, y = operators.match_types(lhs, rhs)
    return intrin.fmod(x, y) if _is_float(x) else operators.truncmod(x, y)


@of_two
def floor_mod(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """The remainder with the sign of ``rhs``, as in Python."""
    x, y = operators.match_types(lhs, rhs)
    if not _is_float(x):
        return operators.floormod(x, y)
    rest = intrin.fmod(x, y)
    zero = operators.const(0, x.dtype)
    below, divisor_below = operators.compare(e.LT, rest, zero), operators.compare(e.LT, y, zero)
    differ = operators.equality(e.NE, below, divisor_below)
    nonzero = operators.equality(e.NE, rest, zero)
    return intrin.select(operators.logical(e.And, nonzero, differ), operators.add(rest, y), rest)


def _is_float(x: Expr) -> bool:
    return x.dtype.code in ("float", "bfloat")


@of_two
def maximum(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """The larger one; of a NaN and a number the number."""
    return operators.maximum(lhs, rhs)


@of_two
def minimum(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """The smaller one; of a NaN and a number the number."""
    return operators.minimum(lhs, rhs)


@of_two
def power(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """``lhs ** rhs``; both are floats, or ``rhs`` a literal from 1 to 8.

    Raises:
        TypeMismatchError: another power of integers.
    """
    return operators.power(lhs, rhs)


@of_two
def equal(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """``lhs == rhs``, a bool."""
    x, y = operators.match_types(lhs, rhs)
    return operators.equality(e.EQ, x, y)


@of_two
def not_equal(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """``lhs != rhs``, a bool."""
    x, y = operators.match_types(lhs, rhs)
    return operators.equality(e.NE, x, y)


@of_two
def less(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """``lhs < rhs``, a bool."""
    return operators.compare(e.LT, lhs, rhs)


@of_two
def less_equal(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """``lhs <= rhs``, a bool."""
    return operators.compare(e.LE, lhs, rhs)


@of_two
def greater(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """``lhs > rhs``, a bool."""
    return operators.compare(e.GT, lhs, rhs)


@of_two
def greater_equal(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """``lhs >= rhs``, a bool."""
    return operators.compare(e.GE, lhs, rhs)


@of_two
def logical_and(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """Both are not 0, a bool."""
    return operators.logical(e.And, as_condition(lhs), as_condition(rhs))


@of_two
def logical_or(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """At least one is not 0, a bool."""
    return operators.logical(e.Or, as_condition(lhs), as_condition(rhs))


@of_two
def logical_xor(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """Exactly one is not 0, a bool."""
    return operators.equality(e.NE, as_condition(lhs), as_condition(rhs))


@overload
def logical_not(data: Tensor) -> Tensor: ...
@overload
def logical_not(data: Element) -> Expr: ...
def logical_not(data: ExprLike) -> Tensor | Expr:
    """It is 0, a bool."""
    return whole("logical_not", lambda a: operators.logical_not(as_condition(a)), data)


@of_two
def left_shift(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """``lhs << rhs``, of integers."""
    return operators.convert(lhs) << rhs


@of_two
def right_shift(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """``lhs >> rhs``, of integers; the sign is kept."""
    return operators.convert(lhs) >> rhs


@of_two
def bitwise_and(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """``lhs & rhs``, of integers."""
    return operators.convert(lhs) & rhs


@of_two
def bitwise_or(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """``lhs | rhs``, of integers."""
    return operators.convert(lhs) | rhs


@of_two
def bitwise_xor(lhs: ExprLike, rhs: ExprLike) -> Expr:
    """``lhs ^ rhs``, of integers."""
    return operators.convert(lhs) ^ rhs


@overload
def bitwise_not(data: Tensor) -> Tensor: ...
@overload
def bitwise_not(data: Element) -> Expr: ...
def bitwise_not(data: ExprLike) -> Tensor | Expr:
    """``~data``, of integers."""
    return whole("bitwise_not", operators.bitwise_not, data)
