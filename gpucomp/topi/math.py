"""Functions of one tensor, element by element; of an expression, the expression."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import overload

from gpucomp.te.api import compute, shape_of
from gpucomp.te.tensor import Tensor
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir.expr import Expr, ExprLike
from gpucomp.topi.broadcast import Element, OfOne, add, of_one, whole
from gpucomp.topi.tag import ELEMWISE
from gpucomp.topi.utils import Extent, argument_error, tensor_of


def _function(name: str, function: Callable[[ExprLike], Expr], what: str) -> OfOne:
    return of_one(function, name, f"{what} of each element of ``x``.")


acos = _function("acos", intrin.acos, "The inverse cosine, in radians,")
acosh = _function("acosh", intrin.acosh, "The inverse hyperbolic cosine")
asin = _function("asin", intrin.asin, "The inverse sine, in radians,")
asinh = _function("asinh", intrin.asinh, "The inverse hyperbolic sine")
atan = _function("atan", intrin.atan, "The inverse tangent, in radians,")
atanh = _function("atanh", intrin.atanh, "The inverse hyperbolic tangent")
ceil = _function("ceil", intrin.ceil, "The next integer above")
cos = _function("cos", intrin.cos, "The cosine, of radians,")
cosh = _function("cosh", intrin.cosh, "The hyperbolic cosine")
erf = _function("erf", intrin.erf, "The error function")
exp = _function("exp", intrin.exp, "The exponential")
floor = _function("floor", intrin.floor, "The next integer below")
isfinite = _function("isfinite", intrin.isfinite, "Neither infinite nor NaN, a bool, ")
isinf = _function("isinf", intrin.isinf, "Infinite, a bool,")
isnan = _function("isnan", intrin.isnan, "NaN, a bool,")
log = _function("log", intrin.log, "The natural logarithm")
log10 = _function("log10", intrin.log10, "The decimal logarithm")
log2 = _function("log2", intrin.log2, "The binary logarithm")
round = _function("round", intrin.round, "The nearest integer, with halves as te.round has them,")
rsqrt = _function("rsqrt", intrin.rsqrt, "One over the square root")
sigmoid = _function("sigmoid", intrin.sigmoid, "``1 / (1 + exp(-x))``")
sin = _function("sin", intrin.sin, "The sine, of radians,")
sinh = _function("sinh", intrin.sinh, "The hyperbolic sine")
sqrt = _function("sqrt", intrin.sqrt, "The square root")
tan = _function("tan", intrin.tan, "The tangent, of radians,")
tanh = _function("tanh", intrin.tanh, "The hyperbolic tangent")
trunc = _function("trunc", intrin.trunc, "The integer towards 0")
abs = _function("abs", operators.absolute, "The absolute value")
negative = _function("negative", operators.negate, "The negation")


@of_one
def identity(x: ExprLike) -> Expr:
    """A copy of ``x``."""
    return operators.convert(x)


@of_one
def sign(x: ExprLike) -> Expr:
    """-1, 0 or 1, in the type of ``x``; 0 for a NaN."""
    v = operators.convert(x)
    zero, one = operators.const(0, v.dtype), operators.const(1, v.dtype)
    above = intrin.select(operators.compare(e.GT, v, zero), one, zero)
    if v.dtype.code == "uint":
        return above
    return intrin.select(operators.compare(e.LT, v, zero), operators.const(-1, v.dtype), above)


@overload
def cast(x: Tensor, dtype: str, span: object = None) -> Tensor: ...
@overload
def cast(x: Element, dtype: str, span: object = None) -> Expr: ...
def cast(x: ExprLike, dtype: str, span: object = None) -> Tensor | Expr:
    """``x`` in another type; floats become integers by truncation."""
    return whole("cast", partial(operators.cast, dtype), x)


@overload
def reinterpret(x: Tensor, dtype: str) -> Tensor: ...
@overload
def reinterpret(x: Element, dtype: str) -> Expr: ...
def reinterpret(x: ExprLike, dtype: str) -> Tensor | Expr:
    """The bits of ``x`` as another type of the same width."""
    return whole("reinterpret", partial(intrin.reinterpret, dtype), x)


@overload
def clip(x: Tensor, a_min: float, a_max: float) -> Tensor: ...
@overload
def clip(x: Element, a_min: float, a_max: float) -> Expr: ...
def clip(x: ExprLike, a_min: float, a_max: float) -> Tensor | Expr:
    """``x`` limited to ``a_min`` .. ``a_max``; limits that integers of the type do not reach limit nothing."""

    def limit(value: float, dtype: str) -> Expr:
        ends = (intrin.min_value(dtype), intrin.max_value(dtype))
        for end, beyond in zip(ends, (operator.lt, operator.gt), strict=True):
            if isinstance(end, e.IntImm) and beyond(value, end.value):
                return end
        return operators.const(value, dtype)

    def element(value: ExprLike) -> Expr:
        v = operators.convert(value)
        low, high = limit(a_min, v.dtype), limit(a_max, v.dtype)
        return operators.maximum(operators.minimum(v, high), low)

    return whole("clip", element, x)


def full(shape: Extent | Sequence[Extent], dtype: str, fill_value: ExprLike) -> Tensor:
    """A tensor of one value."""
    value = operators.cast(dtype, operators.convert(fill_value))

    def element(*i: Expr) -> Expr:
        return value

    return compute(shape_of(shape, "full"), element, name="T_full", tag=ELEMWISE)


def full_like(x: Tensor, fill_value: ExprLike) -> Tensor:
    """A tensor of one value, with the shape and type of ``x``."""
    x = tensor_of("full_like", x)
    return full(x.shape, x.dtype, fill_value)


def elemwise_sum(xs: Sequence[Tensor]) -> Tensor:
    """The sum of several tensors, in the order given.

    Raises:
        TensorError: GC222 there is none.
    """
    if not xs:
        raise argument_error("elemwise_sum of no tensors", "give at least one")
    total = xs[0]
    for x in xs[1:]:
        total = add(total, x)
    return total
