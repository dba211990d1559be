"""A tiny evaluator of integer expressions over Python integers: what the rules are checked against."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, Var


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


def evaluate(node: Expr, values: Mapping[Var, int]) -> Any:
    """The value over the integers (no wrapping); vectors give lists.

    Raises:
        Undefined: a division by zero is evaluated.
    """
    kind = type(node)
    if isinstance(node, Var):
        return values[node]
    if isinstance(node, e.IntImm):
        return node.value
    if isinstance(node, e.Not):
        return not evaluate(node.a, values)
    if isinstance(node, e.Select):
        picked = node.true_value if evaluate(node.condition, values) else node.false_value
        return evaluate(picked, values)
    if isinstance(node, e.Cast):
        return evaluate(node.value, values)
    if isinstance(node, e.Ramp):
        base, stride = evaluate(node.base, values), evaluate(node.stride, values)
        return [base + stride * lane for lane in range(node.lanes)]
    if isinstance(node, e.Broadcast):
        return [evaluate(node.value, values)] * node.lanes
    if isinstance(node, e.Call) and getattr(node.op, "name", "") == "tir.likely":
        return evaluate(node.args[0], values)
    if isinstance(node, e.BinaryOp):
        a, b = evaluate(node.a, values), evaluate(node.b, values)
        fn = _BINARY[kind]
        return [fn(x, y) for x, y in zip(a, b, strict=True)] if isinstance(a, list) else fn(a, b)
    raise TypeError(kind.__name__)
