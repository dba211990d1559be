"""Functions of two tensors, element by element, with their shapes broadcast as numpy does.

Each takes tensors, numbers or expressions; of numbers and expressions only, the result is an expression.

Raises, all of them: TensorError GC216, the shapes do not go together.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any  # Any: a tensor, a number or an expression

from gpucomp.te.api import compute, shape_of
from gpucomp.te.elementwise import elementwise
from gpucomp.te.tensor import Tensor
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir.expr import Expr
from gpucomp.topi.tag import BROADCAST, ELEMWISE
from gpucomp.topi.utils import argument_error, maybe_int, same_extent, shape_text, tensor_of


def whole(name: str, function: Callable[..., Expr], *operands: Any) -> Any:
    """A tensor of ``function`` of the elements of ``operands``; an expression if none of them is a tensor."""
    tensors = [x for x in operands if isinstance(x, Tensor)]
    if not tensors:
        return function(*operands)
    if any([t.shape for t in tensors]):
        return elementwise(name, function, *operands)
    return compute(
        (), lambda: function(*[x() if isinstance(x, Tensor) else x for x in operands]), name=f"T_{name}", tag=ELEMWISE
    )


def as_condition(value: Any) -> Expr:
    """``value != 0``, unless it is a condition already."""
    item = operators.convert(value)
    return item if item.dtype.is_bool else operators.equality(e.NE, item, operators.const(0, item.dtype))


def broadcast_to(data: Tensor, shape: Any) -> Tensor:
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

    def element(*i: Any) -> Expr:
        return data(*[0 if maybe_int(s) == 1 else k for s, k in zip(data.shape, i[skip:], strict=True)])

    return compute(wanted, element, name="T_broadcast_to", tag=BROADCAST)


def add(lhs: Any, rhs: Any) -> Any:
    """``lhs + rhs``."""
    return whole("add", operators.add, lhs, rhs)


def subtract(lhs: Any, rhs: Any) -> Any:
    """``lhs - rhs``."""
    return whole("subtract", operators.subtract, lhs, rhs)


def multiply(lhs: Any, rhs: Any) -> Any:
    """``lhs * rhs``."""
    return whole("multiply", operators.multiply, lhs, rhs)


def divide(lhs: Any, rhs: Any) -> Any:
    """``lhs / rhs``; of integers the quotient rounded towards 0."""
    return whole("divide", _divide, lhs, rhs)


def _divide(a: Any, b: Any) -> Expr:
    x, y = operators.match_types(a, b)
    return operators.divide(x, y) if _is_float(x) else operators.truncdiv(x, y)


def floor_divide(lhs: Any, rhs: Any) -> Any:
    """The quotient rounded down."""
    return whole("floor_divide", _floor_divide, lhs, rhs)


def _floor_divide(a: Any, b: Any) -> Expr:
    x, y = operators.match_types(a, b)
    return intrin.floor(operators.divide(x, y)) if _is_float(x) else operators.floordiv(x, y)


def mod(lhs: Any, rhs: Any) -> Any:
    """The remainder with the sign of ``lhs``, as in C."""
    return whole("mod", _mod, lhs, rhs)


def _mod(a: Any, b: Any) -> Expr:
    x, y = operators.match_types(a, b)
    return intrin.fmod(x, y) if _is_float(x) else operators.truncmod(x, y)


def floor_mod(lhs: Any, rhs: Any) -> Any:
    """The remainder with the sign of ``rhs``, as in Python."""
    return whole("floor_mod", _floor_mod, lhs, rhs)


def _floor_mod(a: Any, b: Any) -> Expr:
    x, y = operators.match_types(a, b)
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


def maximum(lhs: Any, rhs: Any) -> Any:
    """The larger one; of a NaN and a number the number."""
    return whole("maximum", operators.maximum, lhs, rhs)


def minimum(lhs: Any, rhs: Any) -> Any:
    """The smaller one; of a NaN and a number the number."""
    return whole("minimum", operators.minimum, lhs, rhs)


def power(lhs: Any, rhs: Any) -> Any:
    """``lhs ** rhs``."""
    return whole("power", operators.power, lhs, rhs)


def equal(lhs: Any, rhs: Any) -> Any:
    """``lhs == rhs``, a bool."""
    return whole("equal", _equality(e.EQ), lhs, rhs)


def not_equal(lhs: Any, rhs: Any) -> Any:
    """``lhs != rhs``, a bool."""
    return whole("not_equal", _equality(e.NE), lhs, rhs)


def _equality(cls: type[Any]) -> Callable[[Any, Any], Expr]:
    def compared(a: Any, b: Any) -> Expr:
        x, y = operators.match_types(a, b)
        return operators.equality(cls, x, y)

    return compared


def less(lhs: Any, rhs: Any) -> Any:
    """``lhs < rhs``, a bool."""
    return whole("less", partial(operators.compare, e.LT), lhs, rhs)


def less_equal(lhs: Any, rhs: Any) -> Any:
    """``lhs <= rhs``, a bool."""
    return whole("less_equal", partial(operators.compare, e.LE), lhs, rhs)


def greater(lhs: Any, rhs: Any) -> Any:
    """``lhs > rhs``, a bool."""
    return whole("greater", partial(operators.compare, e.GT), lhs, rhs)


def greater_equal(lhs: Any, rhs: Any) -> Any:
    """``lhs >= rhs``, a bool."""
    return whole("greater_equal", partial(operators.compare, e.GE), lhs, rhs)


def logical_and(lhs: Any, rhs: Any) -> Any:
    """Both are not 0, a bool."""
    return whole("logical_and", lambda a, b: operators.logical(e.And, as_condition(a), as_condition(b)), lhs, rhs)


def logical_or(lhs: Any, rhs: Any) -> Any:
    """At least one is not 0, a bool."""
    return whole("logical_or", lambda a, b: operators.logical(e.Or, as_condition(a), as_condition(b)), lhs, rhs)


def logical_xor(lhs: Any, rhs: Any) -> Any:
    """Exactly one is not 0, a bool."""
    return whole("logical_xor", lambda a, b: operators.equality(e.NE, as_condition(a), as_condition(b)), lhs, rhs)


def logical_not(data: Any) -> Any:
    """It is 0, a bool."""
    return whole("logical_not", lambda a: operators.logical_not(as_condition(a)), data)


def left_shift(lhs: Any, rhs: Any) -> Any:
    """``lhs << rhs``, of integers."""
    return whole("left_shift", lambda a, b: operators.convert(a) << b, lhs, rhs)


def right_shift(lhs: Any, rhs: Any) -> Any:
    """``lhs >> rhs``, of integers; the sign is kept."""
    return whole("right_shift", lambda a, b: operators.convert(a) >> b, lhs, rhs)


def bitwise_and(lhs: Any, rhs: Any) -> Any:
    """``lhs & rhs``, of integers."""
    return whole("bitwise_and", lambda a, b: operators.convert(a) & b, lhs, rhs)


def bitwise_or(lhs: Any, rhs: Any) -> Any:
    """``lhs | rhs``, of integers."""
    return whole("bitwise_or", lambda a, b: operators.convert(a) | b, lhs, rhs)


def bitwise_xor(lhs: Any, rhs: Any) -> Any:
    """``lhs ^ rhs``, of integers."""
    return whole("bitwise_xor", lambda a, b: operators.convert(a) ^ b, lhs, rhs)


def bitwise_not(data: Any) -> Any:
    """``~data``, of integers."""
    return whole("bitwise_not", operators.bitwise_not, data)
