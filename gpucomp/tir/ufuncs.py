"""numpy's functions on expressions: ``np.exp(A[i])`` means what ``te.exp(A[i])`` means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from gpucomp.support.diagnostics import TypeMismatchError, caller_span
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators

_OPERATORS: Final[dict[str, Callable[..., e.Expr]]] = {
    "add": operators.add,
    "subtract": operators.subtract,
    "multiply": operators.multiply,
    "divide": operators.divide,
    "floor_divide": operators.floordiv,
    "remainder": operators.floormod,
    "power": operators.power,
    "negative": operators.negate,
    "absolute": operators.absolute,
    "fabs": operators.absolute,
    "maximum": operators.maximum,
    "minimum": operators.minimum,
    "less": lambda a, b: operators.compare(e.LT, a, b),
    "less_equal": lambda a, b: operators.compare(e.LE, a, b),
    "greater": lambda a, b: operators.compare(e.GT, a, b),
    "greater_equal": lambda a, b: operators.compare(e.GE, a, b),
    "equal": lambda a, b: operators.compare(e.EQ, a, b),
    "not_equal": lambda a, b: operators.compare(e.NE, a, b),
    "logical_and": lambda a, b: operators.logical(e.And, a, b),
    "logical_or": lambda a, b: operators.logical(e.Or, a, b),
    "logical_not": operators.logical_not,
    "invert": operators.bitwise_not,
    "bitwise_and": lambda a, b: operators.bitwise("bitwise_and", a, b),
    "bitwise_or": lambda a, b: operators.bitwise("bitwise_or", a, b),
    "bitwise_xor": lambda a, b: operators.bitwise("bitwise_xor", a, b),
    "left_shift": lambda a, b: operators.bitwise("shift_left", a, b),
    "right_shift": lambda a, b: operators.bitwise("shift_right", a, b),
}
_FUNCTIONS: Final = {
    "exp": "exp", "exp2": "exp2", "expm1": "expm1", "log": "log", "log2": "log2", "log10": "log10", "log1p": "log1p",
    "sqrt": "sqrt", "sin": "sin", "cos": "cos", "tan": "tan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh",
    "arctan2": "atan2", "hypot": "hypot", "fmod": "fmod", "floor": "floor", "ceil": "ceil", "trunc": "trunc",
    "rint": "nearbyint", "isnan": "isnan", "isinf": "isinf", "isfinite": "isfinite",
}  # fmt: skip


def apply(ufunc: np.ufunc, method: str, inputs: tuple[object, ...], kwargs: dict[str, object]) -> e.Expr:
    """What ``ufunc`` called on expressions gives.

    Raises:
        TypeMismatchError: GC251 there is no such function of expressions, or an operand is an array.
    """
    name = ufunc.__name__
    array = next((x for x in inputs if isinstance(x, np.ndarray) and x.ndim), None)
    if array is not None:
        raise _refused(
            f"numpy.{name} combines an array of shape {array.shape} with an element of a tensor",
            "make a te.placeholder of the array, and read its element: B[i]",
        )
    function = _OPERATORS.get(name) or getattr(intrin, _FUNCTIONS.get(name, ""), None)
    if function is None or method != "__call__" or kwargs:
        what = name if method == "__call__" else f"{name}.{method}"
        raise _refused(f"numpy.{what} does not work on elements of tensors", "use the functions of te: te.exp(A[i])")
    return function(*[x.item() if isinstance(x, np.ndarray) else x for x in inputs])


def not_a_number(value: object) -> TypeMismatchError:
    """The error for ``math.exp(A[i])`` and ``float(A[i])``."""
    return _refused(
        f"{value!r:.80} has no value yet: it stands for a number that the kernel will compute",
        "use the functions of te, not those of math: te.exp(A[i])",
    )


def _refused(message: str, hint: str) -> TypeMismatchError:
    return TypeMismatchError(message, code="GC251", where=caller_span(), hint=hint)
