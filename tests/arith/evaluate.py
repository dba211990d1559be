"""A tiny evaluator of integer expressions over Python integers: what the rules are checked against.

What each operation means stands in ``points.py``, which evaluates at many points; here branches that are not taken
may be undefined or lack values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any  # numbers, or lists of numbers for vectors

from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, Var, wrap_int
from tests.arith.points import BINARY, CALLS


class Undefined(Exception):
    """The expression divides by zero, or shifts by more than its type has bits."""


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
        fn, dtype = BINARY[kind], node.dtype.element
        if isinstance(a, list):
            return [_held(fn(x, y), dtype) for x, y in zip(a, b, strict=True)]
        return _held(fn(a, b), dtype)
    raise TypeError(kind.__name__)


def _call(node: e.Call, values: Mapping[Any, int]) -> int:
    name = getattr(node.op, "name", "")
    if name == "tir.if_then_else":
        return evaluate(node.args[1] if evaluate(node.args[0], values) else node.args[2], values)
    args = [evaluate(a, values) for a in node.args]
    return _held(CALLS[name](*args, node.dtype), node.dtype)


def _held(value: int | None, dtype: DType) -> int:
    """A result as its type holds it."""
    if value is None:
        raise Undefined
    return wrap_int(int(value), dtype)
