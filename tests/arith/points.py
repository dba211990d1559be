"""Evaluating an expression at many points at once: exact integers, None where the expression means nothing."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any  # nodes of a class that was tested; values of vectors are tuples of numbers

from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, Var, wrap_int
from gpucomp.tir.functor import expr_children

Column = list[Any]
"""The value at each point: a number, a tuple (one number a lane), or None."""


def _floordiv(a: int, b: int) -> int | None:
    return a // b if b else None


def _floormod(a: int, b: int) -> int | None:
    return a % b if b else None


def _truncdiv(a: int, b: int) -> int | None:
    if not b:
        return None
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _truncmod(a: int, b: int) -> int | None:
    if not b:
        return None
    rest = abs(a) % abs(b)
    return -rest if a < 0 else rest


BINARY: dict[type, Callable[[int, int], Any]] = {
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


def _shift(fn: Callable[[int, int], int]) -> Callable[[int, int, DType], int | None]:
    return lambda a, b, dtype: fn(a, b) if 0 <= b < dtype.bits else None


CALLS: dict[str, Callable[..., int | None]] = {
    "tir.likely": lambda a, _: int(bool(a)),
    "tir.shift_left": _shift(operator.lshift),
    "tir.shift_right": _shift(operator.rshift),
    "tir.bitwise_and": lambda a, b, _: a & b,
    "tir.bitwise_or": lambda a, b, _: a | b,
    "tir.bitwise_xor": lambda a, b, _: a ^ b,
    "tir.bitwise_not": lambda a, _: ~a,
}


class Points:
    """Columns of values of the variables (and loads), and of everything that was evaluated over them.

    Args:
        leaves: variable or load -> its value at each point.
        count: how many points there are.
        wraps: integers of 32 and 64 bits wrap; otherwise their overflow has no meaning, as for indices.  Unsigned
            and narrower types always wrap.
    """

    def __init__(self, leaves: Mapping[Expr, Column], count: int, wraps: bool = False) -> None:
        self.columns: dict[Expr, Column] = dict(leaves)
        self.count = count
        self.wraps = wraps

    def of(self, root: Expr) -> Column:
        """The value of ``root`` at each point."""
        stack = [root]
        while stack:
            node = stack[-1]
            if node in self.columns:
                stack.pop()
                continue
            missing = [c for c in expr_children(node) if c not in self.columns]
            if missing:
                stack += missing
                continue
            self.columns[node] = self._column(node)
            stack.pop()
        return self.columns[root]

    def _held(self, value: Any, dtype: DType) -> Any:
        """A result as its type holds it."""
        if value is None:
            return None
        value = int(value)
        kept = wrap_int(value, dtype)
        if kept != value and not self.wraps and dtype.code == "int" and dtype.bits >= 32:
            return None
        return kept

    def _column(self, node: Any) -> Column:
        kind = type(node)
        if isinstance(node, e.IntImm):
            return [node.value] * self.count
        if isinstance(node, Var):
            raise KeyError(node.name)
        children = [self.columns[c] for c in expr_children(node)]
        rows = zip(*children, strict=True)
        dtype = node.dtype.element
        if isinstance(node, e.BinaryOp):
            return [self._binary(BINARY[kind], a, b, dtype) for a, b in rows]
        if kind is e.Not:
            return [
                None if a is None else tuple([not x for x in a]) if isinstance(a, tuple) else not a for (a,) in rows
            ]
        if kind is e.Select:
            return [self._picked(c, x, y) for c, x, y in rows]
        if kind is e.Cast:
            return [self._cast(a, dtype) for (a,) in rows]
        if kind is e.Ramp:
            return [self._ramp(a, s, node.lanes, dtype) for a, s in rows]
        if kind is e.Broadcast:
            return [None if a is None else (a,) * node.lanes for (a,) in rows]
        if kind is e.Let:
            raise TypeError("a Let needs its own scope")
        assert kind is e.Call, kind.__name__
        return self._call(node, children)

    def _binary(self, fn: Callable[[int, int], Any], a: Any, b: Any, dtype: DType) -> Any:
        if a is None or b is None:
            return None
        if not isinstance(a, tuple):
            return self._held(fn(a, b), dtype)
        lanes = tuple([self._held(fn(x, y), dtype) for x, y in zip(a, b, strict=True)])
        return None if None in lanes else lanes

    def _negated(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple([not x for x in value])
        return None if value is None else not value

    def _cast(self, value: Any, dtype: DType) -> Any:
        """A conversion always wraps."""
        if isinstance(value, tuple):
            return tuple([wrap_int(int(x), dtype) for x in value])
        return None if value is None else wrap_int(int(value), dtype)

    def _ramp(self, base: Any, stride: Any, lanes: int, dtype: DType) -> Any:
        if base is None or stride is None:
            return None
        values = tuple([self._held(base + stride * lane, dtype) for lane in range(lanes)])
        return None if None in values else values

    def _picked(self, c: Any, x: Any, y: Any) -> Any:
        if c is None:
            return None
        if not isinstance(c, tuple):
            return x if c else y
        if x is None or y is None:
            return None
        return tuple([p if q else r for q, p, r in zip(c, x, y, strict=True)])

    def _call(self, node: e.Call, children: list[Column]) -> Column:
        name = getattr(node.op, "name", "")
        if name == "tir.if_then_else":
            return [self._picked(*row) for row in zip(*children, strict=True)]
        if name in ("tir.clz", "tir.popcount"):
            bits = node.args[0].dtype.bits
            return [None if a is None else _count(name, a & ((1 << bits) - 1), bits) for a in children[0]]
        fn, dtype = CALLS[name], node.dtype.element
        return [None if None in row else self._held(fn(*row, dtype), dtype) for row in zip(*children, strict=True)]


def _count(name: str, value: int, bits: int) -> int | None:
    if name == "tir.clz":
        return bits - value.bit_length() if value else None
    return value.bit_count()
