"""A tiny evaluator of integer expressions over Python integers: what the rules are checked against."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any  # numbers, or lists of numbers for vectors

from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, Var, wrap_int


class Undefined(Exception):
    """The expression divides by zero."""


def _floordiv(a: int, b: int) -> int:
    if b == 0:
        raise Undefined
    return a // b


def _floormod(a: int, b: int) -> int:
    return a - b * _floordiv(a, b)


def _truncdiv(a: int, b: int) -> int:
    if b == 0:
        raise Undefined
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _truncmod(a: int, b: int) -> int:
    return a - b * _truncdiv(a, b)


_BINARY: dict[type, Callable[[int, int], Any]] = {
    e.Add: operator.add,
    e.Sub: operator.sub,
    e.Mul: operator.mul,
    e.FloorDiv: _floordiv,
    e.FloorMod: _floormod,
    e.Div: _truncdiv,
    e.Mod: _truncmod,
    e.Min: min,
    e.Max: max,
    e.EQ: operator.eq,
    e.NE: operator.ne,
    e.LT: operator.lt,
    e.LE: operator.le,
    e.GT: operator.gt,
    e.GE: operator.ge,
    e.And: lambda a, b: bool(a) and bool(b),
    e.Or: lambda a, b: bool(a) or bool(b),
}


def evaluate(node: Expr, values: Mapping[Any, int]) -> Any:
    """The value, wrapped as the type wraps; vectors give lists.

    Args:
        node: an integer or bool expression.
        values: variable, or load, -> value.

    Raises:
        Undefined: a division by zero is evaluated.
    """
    kind = type(node)
    if isinstance(node, (Var, e.BufferLoad)):
        return values[node]
    if isinstance(node, e.IntImm):
        return node.value
    if isinstance(node, e.Not):
        return not evaluate(node.a, values)
    if isinstance(node, e.Select):
        picked = node.true_value if evaluate(node.condition, values) else node.false_value
        return evaluate(picked, values)
    if isinstance(node, e.Cast):
        return wrap_int(int(evaluate(node.value, values)), node.dtype)
    if isinstance(node, e.Ramp):
        base, stride = evaluate(node.base, values), evaluate(node.stride, values)
        return [base + stride * lane for lane in range(node.lanes)]
    if isinstance(node, e.Broadcast):
        return [evaluate(node.value, values)] * node.lanes
    if isinstance(node, e.Call):
        return _call(node, values)
    if isinstance(node, e.BinaryOp):
        a, b = evaluate(node.a, values), evaluate(node.b, values)
        fn, dtype = _BINARY[kind], node.dtype.element
        if isinstance(a, list):
            return [wrap_int(int(fn(x, y)), dtype) for x, y in zip(a, b, strict=True)]
        return wrap_int(int(fn(a, b)), dtype)
    raise TypeError(kind.__name__)


def _call(node: e.Call, values: Mapping[Any, int]) -> int:
    name = getattr(node.op, "name", "")
    if name == "tir.if_then_else":
        return evaluate(node.args[1] if evaluate(node.args[0], values) else node.args[2], values)
    args = [evaluate(a, values) for a in node.args]
    return wrap_int(int(_CALLS[name](*args)), node.dtype)


_CALLS: dict[str, Callable[..., Any]] = {
    "tir.likely": bool,
    "tir.shift_left": operator.lshift,
    "tir.shift_right": operator.rshift,
    "tir.bitwise_and": operator.and_,
    "tir.bitwise_or": operator.or_,
    "tir.bitwise_xor": operator.xor,
}
