"""What the Python operators of expressions do: convert, match types, fold constants, build the node.

Folding here is local and proves nothing: literals and neutral elements only.  Simplification belongs to
``gpucomp.arith``.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final  # Any: Python numbers; classes whose fields go by the operator

import numpy as np

from gpucomp.support.diagnostics import TypeMismatchError
from gpucomp.support.dtype import BOOL, FLOAT32, HANDLE, INT32, INT64, DType
from gpucomp.support.expect import mismatch
from gpucomp.tir import expr as e

if TYPE_CHECKING:
    from gpucomp.tir.expr import Expr, FloatImm

_state = threading.local()


@contextmanager
def tracing() -> Generator[None]:
    """While a user's function is traced, ``bool(a == b)`` raises instead of answering identity."""
    _state.depth = getattr(_state, "depth", 0) + 1
    try:
        yield
    finally:
        _state.depth -= 1


def is_tracing() -> bool:
    """True inside :func:`tracing` of this thread."""
    return getattr(_state, "depth", 0) > 0


def convert(value: object, dtype: str | None = None) -> Expr:
    """Turn a Python or numpy scalar, an axis or a tensor element into an expression.

    Integers become int32 (int64 when they do not fit), floats float32, bools bool; numpy scalars keep their type.
    With ``dtype`` given, literals take that type.

    Raises:
        TypeMismatchError: ``value`` is nothing that has an expression.
    """
    if isinstance(value, e.Expr):
        return value
    if isinstance(value, e.ExprOp):
        return value.as_expr()
    if isinstance(value, np.generic) and dtype is None:
        dtype = DType(str(value.dtype))
    if isinstance(value, (bool, np.bool_)):
        return e.IntImm(DType(dtype or "bool"), int(value))
    if isinstance(value, (int, np.integer)):
        kind = DType(dtype) if dtype is not None else (INT32 if -(2**31) <= value < 2**31 else INT64)
        if kind is INT64 and not _fits(int(value), INT64):
            raise TypeMismatchError(
                f"{value} does not fit into int64", code="GC254", hint="te.const(value, 'uint64'), or a float"
            )
        return const(int(value), kind)
    if isinstance(value, (float, np.floating)):
        return const(float(value), DType(dtype or FLOAT32))
    if isinstance(value, str):
        return e.StringImm(value)
    if isinstance(value, np.generic):  # ml_dtypes scalars: bfloat16, float8
        return const(float(value), DType(dtype or FLOAT32))
    raise TypeMismatchError(
        f"cannot use a value of type {type(value).__name__} in an expression: {value!r:.80}",
        hint="expected a number, an axis, or a tensor element such as A[i, j]",
    )


def const(value: float | int | bool, dtype: str = INT32, span: object = None) -> Expr:
    """A literal of the given type; vector types give a Broadcast.

    Raises:
        TypeMismatchError: the value is no number, or a fraction where an integer is made.
    """
    kind = DType(dtype)
    if kind.lanes > 1:
        return e.Broadcast(const(value, kind.element), kind.lanes)
    try:
        number = float(value) if kind.is_float else int(value)
    except (TypeError, ValueError, OverflowError):
        if isinstance(value, (float, np.floating)):
            raise TypeMismatchError(
                f"const: {value} is no {kind}", code="GC254", hint="choose a floating type"
            ) from None
        raise mismatch("const", (int, float, bool), value, "const makes literals of numbers only") from None
    if kind.is_float:
        return e.FloatImm(kind, number)
    if isinstance(value, (float, np.floating)) and number != value:
        raise TypeMismatchError(
            f"const: {value} is no {kind}",
            code="GC254",
            hint=f"round it first: te.const(round({value}), {str(kind)!r})",
        )
    return e.IntImm(kind, int(number))


def _promote(a: DType, b: DType) -> DType:
    """The scalar type in which two operands meet."""
    x, y = a.element, b.element
    if x is y:
        return x
    if x.is_float and y.is_float:
        if x.bits != y.bits:
            return x if x.bits > y.bits else y
        return FLOAT32
    if x.is_float or y.is_float:
        return x if x.is_float else y
    if x.is_bool or y.is_bool:
        return y if x.is_bool else x
    if x.code == y.code:
        return x if x.bits >= y.bits else y
    return DType(f"int{max(x.bits, y.bits)}")


def _is_literal(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, (bool, np.generic))


def match_types(a: object, b: object) -> tuple[Expr, Expr]:
    """Convert two operands to expressions of one type: Python literals follow the other operand.

    int with float gives the float; float16 with bfloat16 gives float32; signed with unsigned gives the wider
    signed type; a scalar is broadcast to the lanes of a vector.

    Raises:
        TypeMismatchError: lane counts differ, or an operand is a pointer or string.
    """
    if isinstance(a, e.Expr):
        if isinstance(b, e.Expr):
            if a.dtype is b.dtype and a.dtype is not HANDLE:
                return a, b
        elif type(b) is int and a.dtype is INT32 and -(2**31) <= b < 2**31:  # the common case, made fast
            return a, e.IntImm(INT32, b)
    if _is_literal(a) and not _is_literal(b):
        b = convert(b)
        a = _literal_like(a, b)
    elif _is_literal(b):
        a = convert(a)
        b = _literal_like(b, a)
    x, y = convert(a), convert(b)
    if x.dtype is y.dtype:
        return x, y
    if x.dtype.is_handle or y.dtype.is_handle:
        raise TypeMismatchError(f"cannot combine {x.dtype} with {y.dtype}")
    lanes = max(x.dtype.lanes, y.dtype.lanes)
    if {x.dtype.lanes, y.dtype.lanes} - {1, lanes}:
        raise TypeMismatchError(f"cannot combine vectors of {x.dtype.lanes} and {y.dtype.lanes} lanes")
    kind = _promote(x.dtype, y.dtype)
    return _to(x, kind, lanes), _to(y, kind, lanes)


def _literal_like(value: Any, other: Expr) -> Expr:
    kind = other.dtype.element
    if isinstance(value, float) and not kind.is_float:
        return const(value, FLOAT32)
    if kind.is_bool or kind.is_handle:
        return convert(value)
    if kind.is_int and isinstance(value, int) and not _fits(value, kind):
        return convert(value)
    return const(value, kind)


def _fits(value: int, kind: DType) -> bool:
    low, high = (0, 1 << kind.bits) if kind.code == "uint" else (-(1 << (kind.bits - 1)), 1 << (kind.bits - 1))
    return low <= value < high


def _to(value: Expr, kind: DType, lanes: int) -> Expr:
    value = cast(kind.with_lanes(value.dtype.lanes), value)
    return value if value.dtype.lanes == lanes else e.Broadcast(value, lanes)


def convert_pair(a: object, b: object) -> tuple[Expr, Expr]:
    """Operands of a binary node built directly: literals become expressions of the other operand's type."""
    return match_types(a, b)


def cast(dtype: str, value: object) -> Expr:
    """Convert to ``dtype``; literals are converted at once, casts to the same type vanish.

    Raises:
        TypeMismatchError: the value is text.
    """
    kind, x = DType(dtype), convert(value)
    if x.dtype is kind:
        return x
    if x.dtype is HANDLE and isinstance(x, e.StringImm):
        raise TypeMismatchError(f"text is no number: {x}", hint="pass a number, or an element such as A[i, j]")
    if kind.lanes != x.dtype.lanes and x.dtype.lanes == 1:
        return e.Broadcast(cast(kind.element, x), kind.lanes)
    if isinstance(x, e.IntImm) and kind.is_float:
        return e.FloatImm(kind, _round_float(x.value, kind))
    if isinstance(x, e.IntImm) and not kind.is_handle:
        return const(x.value, kind)
    if isinstance(x, e.FloatImm) and kind.is_float:
        # A literal keeps the digits that were written: those of its type first.
        return e.FloatImm(kind, _round_float(_round_float(x.value, x.dtype), kind))
    return e.Cast(kind, x)


def _round_float(value: float, kind: DType) -> float:
    with np.errstate(all="ignore"):
        return float(np.asarray(value).astype(kind.numpy))


def _trunc_div(a: int, b: int) -> int:
    q = abs(a) // abs(b)
    return q if (a < 0) == (b < 0) else -q


_FOLD: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
    "Div": _trunc_div,
    "Mod": lambda a, b: a - b * _trunc_div(a, b),
    "FloorDiv": operator.floordiv,
    "FloorMod": operator.mod,
    "Min": min,
    "Max": max,
    "EQ": operator.eq,
    "NE": operator.ne,
    "LT": operator.lt,
    "LE": operator.le,
    "GT": operator.gt,
    "GE": operator.ge,
}
_DIVISIONS: Final = frozenset({"Div", "Mod", "FloorDiv", "FloorMod"})
_FLOAT_FOLDS: Final = frozenset({"Add", "Sub", "Mul", "Div", "EQ", "NE", "LT", "LE", "GT", "GE"})


def fold(cls: type[Any], x: Expr, y: Expr) -> Expr | None:
    """Evaluate ``cls(x, y)`` of two literals of one type; None where that is not defined or not exact."""
    if isinstance(x, e.IntImm) and isinstance(y, e.IntImm):
        if y.value == 0 and cls.__name__ in _DIVISIONS:
            return None
        value = _FOLD[cls.__name__](x.value, y.value)
        return e.IntImm(BOOL if value is True or value is False else x.dtype, value)
    if isinstance(x, e.FloatImm) and isinstance(y, e.FloatImm) and cls.__name__ in _FLOAT_FOLDS:
        return _fold_float(cls, x, y)
    return None


def _fold_float(cls: type[Any], x: FloatImm, y: FloatImm) -> Expr | None:
    kind = x.dtype.numpy.type
    with np.errstate(all="ignore"):
        a, b = kind(x.value), kind(y.value)
        if cls.__name__ == "Div":
            return None if b == 0 else e.FloatImm(x.dtype, float(np.true_divide(a, b)))
        value = _FOLD[cls.__name__](a, b)
    if isinstance(value, (bool, np.bool_)):
        return e.IntImm(BOOL, int(value))
    return e.FloatImm(x.dtype, float(value))


def _of_bools(sign: str) -> TypeMismatchError:
    return TypeMismatchError(
        f"'{sign}' of two bools",
        code="GC257",
        hint="to count, cast: x.astype('int32'); conditions go together by te.all, te.any, & and |",
    )


def _int_value(x: Expr) -> int | None:
    return x.value if type(x) is e.IntImm else None


def add(a: object, b: object) -> Expr:
    """a + b

    Raises:
        TypeMismatchError: GC257 both are bools; C, numpy and LLVM disagree about their sums.
    """
    x, y = match_types(a, b)
    if x.dtype is BOOL:
        raise _of_bools("+")
    if isinstance(x, e.ConstExpr) or isinstance(y, e.ConstExpr):
        done = fold(e.Add, x, y)
        if done is not None:
            return done
        if _int_value(x) == 0:
            return y
        if _int_value(y) == 0:
            return x
    return e.Add(x, y)


def subtract(a: object, b: object) -> Expr:
    """a - b

    Raises:
        TypeMismatchError: GC257 both are bools.
    """
    x, y = match_types(a, b)
    if x.dtype is BOOL:
        raise _of_bools("-")
    if isinstance(y, e.ConstExpr):
        done = fold(e.Sub, x, y)
        if done is not None:
            return done
        if _int_value(y) == 0:
            return x
    return e.Sub(x, y)


def multiply(a: object, b: object) -> Expr:
    """a * b

    Raises:
        TypeMismatchError: GC257 both are bools.
    """
    x, y = match_types(a, b)
    if x.dtype is BOOL:
        raise _of_bools("*")
    if isinstance(x, e.ConstExpr) or isinstance(y, e.ConstExpr):
        done = fold(e.Mul, x, y)
        if done is not None:
            return done
        if _int_value(x) == 1 or _int_value(y) == 0:
            return y
        if _int_value(y) == 1 or _int_value(x) == 0:
            return x
    return e.Mul(x, y)


def divide(a: object, b: object) -> Expr:
    """a / b for floats.

    Raises:
        TypeMismatchError: both operands are integers, where the rounding must be said.
    """
    x, y = match_types(a, b)
    if x.dtype.is_int:
        raise TypeMismatchError(
            "'/' of two integers is ambiguous",
            hint="use // or te.floordiv, te.truncdiv, or cast to float first",
        )
    return truncdiv(x, y)


def truncdiv(a: object, b: object) -> Expr:
    """a / b, rounded toward zero for integers (C's rule)."""
    return _division(e.Div, a, b)


def truncmod(a: object, b: object) -> Expr:
    """Remainder of :func:`truncdiv`."""
    return _division(e.Mod, a, b)


def floordiv(a: object, b: object) -> Expr:
    """Quotient rounded toward minus infinity."""
    return _division(e.FloorDiv, a, b)


def floormod(a: object, b: object) -> Expr:
    """Remainder of :func:`floordiv`; the sign follows the divisor."""
    return _division(e.FloorMod, a, b)


def _division(cls: type[Any], a: object, b: object) -> Expr:
    x, y = match_types(a, b)
    if x.dtype is BOOL:
        raise _of_bools("/" if cls in (e.Div, e.FloorDiv) else "%")
    if _int_value(y) == 0:
        raise TypeMismatchError(f"division of {x} by zero")
    return division(cls, x, y)


def division(cls: type[Any], x: Expr, y: Expr) -> Expr:
    """``cls(x, y)`` with constants folded; a division by literal zero stays as it is."""
    done = fold(cls, x, y)
    if done is not None:
        return done
    if _int_value(y) == 1:
        return x if cls.__name__ in ("Div", "FloorDiv") else const(0, x.dtype)
    if _int_value(x) == 0:
        return x
    if x.dtype.is_float and cls.__name__ == "FloorDiv":
        return unary("floor", e.Div(x, y))
    return cls(x, y)


def minimum(a: object, b: object) -> Expr:
    """The smaller of a and b."""
    return _min_max(e.Min, a, b)


def maximum(a: object, b: object) -> Expr:
    """The larger of a and b."""
    return _min_max(e.Max, a, b)


def _min_max(cls: type[Any], a: object, b: object) -> Expr:
    x, y = match_types(a, b)
    if x is y:
        return x
    if x.dtype is BOOL:
        return logical(e.Or if cls is e.Max else e.And, x, y)
    done = fold(cls, x, y)
    return done if done is not None else cls(x, y)


def negate(a: object) -> Expr:
    """-a; keeps the sign of zero for floats."""
    x = convert(a)
    if isinstance(x, e.FloatImm):
        return e.FloatImm(x.dtype, -x.value)
    if x.dtype.is_float:
        return multiply(x, const(-1.0, x.dtype))
    return subtract(const(0, x.dtype), x)


def absolute(a: object) -> Expr:
    """Absolute value; of the smallest signed integer it wraps to itself."""
    x = convert(a)
    if x.dtype is BOOL:
        return x
    if x.dtype.is_float:
        return unary("fabs", x)
    if x.dtype.code == "uint":
        return x
    return e.Select(e.LT(x, const(0, x.dtype)), subtract(const(0, x.dtype), x), x)


def power(a: object, b: object) -> Expr:
    """a ** b; small integer literals of ``b`` become products.

    Raises:
        TypeMismatchError: both operands are integers and ``b`` is not a small literal.
    """
    exponent = int(b) if isinstance(b, (int, np.integer)) else _int_value(convert(b)) if isinstance(b, e.Expr) else None
    if exponent is not None and 1 <= exponent <= 8:
        x = convert(a)
        result = x
        for _ in range(exponent - 1):
            result = multiply(result, x)
        return result
    x, y = match_types(a, b)
    if not x.dtype.is_float:
        raise TypeMismatchError("power of integers needs a literal exponent from 1 to 8", hint="cast to float first")
    return e.Call(x.dtype, "tir.pow", (x, y))


def unary(name: str, a: object) -> Expr:
    """The math intrinsic ``tir.<name>`` of one operand."""
    x = convert(a)
    return e.Call(x.dtype, f"tir.{name}", (x,))


def bitwise(name: str, a: object, b: object) -> Expr:
    """Shift or bitwise operation of integers; of bools, logical and / or / xor.

    Raises:
        TypeMismatchError: an operand is no integer.
    """
    x, y = match_types(a, b)
    if x.dtype.is_bool and name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
        classes = {"bitwise_and": e.And, "bitwise_or": e.Or, "bitwise_xor": e.NE}
        return logical(classes[name], x, y) if name != "bitwise_xor" else e.NE(x, y)
    if not x.dtype.is_int:
        raise TypeMismatchError(f"{name} needs integer operands, got {x.dtype}")
    u, v = _int_value(x), _int_value(y)
    if u is not None and v is not None and (v >= 0 or not name.startswith("shift")):
        return e.IntImm(x.dtype, _BIT_FOLD[name](u, v))
    return e.Call(x.dtype, f"tir.{name}", (x, y))


_BIT_FOLD: Final[dict[str, Callable[[int, int], int]]] = {
    "shift_left": operator.lshift,
    "shift_right": operator.rshift,
    "bitwise_and": operator.and_,
    "bitwise_or": operator.or_,
    "bitwise_xor": operator.xor,
}


def bitwise_not(a: object) -> Expr:
    """Complement of an integer's bits; logical negation of a bool."""
    x = convert(a)
    if x.dtype.is_bool:
        return logical_not(x)
    if not x.dtype.is_int:
        raise TypeMismatchError(f"bitwise_not needs an integer operand, got {x.dtype}")
    return e.Call(x.dtype, "tir.bitwise_not", (x,))


def compare(cls: type[Any], a: object, b: object) -> Expr:
    """A comparison node, folded for literals."""
    x, y = match_types(a, b)
    done = fold(cls, x, y)
    return done if done is not None else cls(x, y)


def equality(cls: type[Any], a: Expr, b: object) -> Expr:
    """``==`` and ``!=`` of expressions; operands that have no expression are plainly different."""
    if b is None or isinstance(b, (tuple, list, dict)):
        return e.IntImm(BOOL, int(cls.__name__ == "NE"))
    if isinstance(b, str) or a.dtype.is_handle or (isinstance(b, e.Expr) and b.dtype.is_handle):
        same = a is b or (isinstance(a, e.StringImm) and bool(getattr(b, "value", b) == a.value))
        return e.IntImm(BOOL, int(same == (cls.__name__ == "EQ")))
    if a is b and a.dtype.is_int:
        return const(int(cls.__name__ == "EQ"), BOOL.with_lanes(a.dtype.lanes))
    return compare(cls, a, b)


def logical(cls: type[Any], a: object, b: object) -> Expr:
    """And / Or with literal operands folded."""
    x, y = convert(a), convert(b)
    absorbing = int(cls.__name__ == "Or")
    for this, other in ((x, y), (y, x)):
        value = _int_value(this)
        if value is not None and this.dtype is BOOL and other.dtype.element is BOOL:
            return _to(this, BOOL, other.dtype.lanes) if value == absorbing else other
    return x if x is y and x.dtype.element is BOOL else cls(x, y)


def logical_not(a: object) -> Expr:
    """Negation of a bool; of a negation, what it negates."""
    x = convert(a)
    value = _int_value(x) if x.dtype.is_bool else None
    if value is not None:
        return e.IntImm(BOOL, 1 - value)
    if isinstance(x, e.Not):
        return x.a
    return e.Not(x)
