"""Host expressions: the small arithmetic that decides grids, sizes and guards at launch time.

A host expression is plain data, so that a compiled kernel can be written to disk and read back without the
compiler: an int, float or bool constant, a string (a scalar variable of the launch), or a tuple whose first
item names an operation.  It can be evaluated directly or rendered as Python source; both have the same
meaning, which is exact integer arithmetic (nothing wraps except under ``cast``).
"""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from gpucomp.support.diagnostics import LowerError
from gpucomp.support.dtype import DType

HostExpr: TypeAlias = "int | float | bool | str | tuple[HostExpr, ...]"
Scalar: TypeAlias = "int | float | bool"

# Facts about buffer arguments; they reach a launcher as extra scalar arguments under these names.
FACTS: Final = frozenset({"ptr_mod", "stride"})


def truncdiv(a: int, b: int) -> int:
    """Integer division that rounds towards zero, as C does."""
    return -(-a // b) if (a < 0) != (b < 0) else a // b


def truncmod(a: int, b: int) -> int:
    """Remainder with the sign of the dividend, as C does."""
    return a - truncdiv(a, b) * b


def cast_scalar(dtype: str, value: Scalar) -> Scalar:
    """Convert ``value`` to ``dtype`` as a device would: integers wrap, floats round to the nearest."""
    kind = DType(dtype)
    if kind.is_bool:
        return bool(value)
    if kind.is_int:
        bits = kind.bits
        wrapped = int(value) & ((1 << bits) - 1)
        negative = kind.is_signed and wrapped >> (bits - 1)
        return wrapped - (1 << bits) if negative else wrapped
    if str(kind) == "float32":
        return float(struct.unpack("f", struct.pack("f", value))[0])
    if str(kind) == "float64":
        return float(value)
    return float(kind.numpy.type(value))


def _floordiv(a: int, b: int) -> int:
    return a // b


def _truediv(a: float, b: float) -> float:
    return a / b


# name -> (number of operands, Python source with {} for each operand, meaning)
_OPERATIONS: Final[dict[str, tuple[int, str, Callable[..., Scalar]]]] = {
    "add": (2, "({} + {})", operator.add),
    "sub": (2, "({} - {})", operator.sub),
    "mul": (2, "({} * {})", operator.mul),
    "div": (2, "({} / {})", _truediv),
    "floordiv": (2, "({} // {})", _floordiv),
    "floormod": (2, "({} % {})", operator.mod),
    "truncdiv": (2, "truncdiv({}, {})", truncdiv),
    "truncmod": (2, "truncmod({}, {})", truncmod),
    "min": (2, "min({}, {})", min),
    "max": (2, "max({}, {})", max),
    "eq": (2, "({} == {})", operator.eq),
    "ne": (2, "({} != {})", operator.ne),
    "lt": (2, "({} < {})", operator.lt),
    "le": (2, "({} <= {})", operator.le),
    "gt": (2, "({} > {})", operator.gt),
    "ge": (2, "({} >= {})", operator.ge),
    "not": (1, "(not {})", operator.not_),
}
_CHAINED: Final = {"and": " and ", "or": " or "}
HELPERS: Final[dict[str, Callable[..., Scalar]]] = {"truncdiv": truncdiv, "truncmod": truncmod, "cast": cast_scalar}


def freeze(value: object) -> HostExpr:
    """Return ``value`` as a checked host expression; lists become tuples.

    Raises:
        LowerError: an unknown operation, a wrong number of operands, or something that is no host expression.
    """
    if isinstance(value, (bool, int, float, str)):
        return value
    items = _items(value)
    op = items[0] if items else None
    if not isinstance(op, str):
        raise _malformed(value, "a number, a variable name, or (operation, operands...)")
    if op in FACTS:
        return _fact(op, items)
    if op == "cast":
        if len(items) != 3 or not isinstance(items[1], str):
            raise _malformed(value, '("cast", dtype, operand)')
        return (op, str(DType(items[1])), freeze(items[2]))
    if op in _CHAINED:
        if len(items) < 3:
            raise _malformed(value, f"two or more operands for {op!r}")
    else:
        _check_count(op, items)
    return (op, *(freeze(item) for item in items[1:]))


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, (list, tuple)) else ()


def _check_count(op: str, items: Sequence[object]) -> None:
    if op != "select" and op not in _OPERATIONS:
        known = ", ".join([*_OPERATIONS, *_CHAINED, "select", "cast", *sorted(FACTS)])
        raise _malformed(items, f"one of {known}")
    count = 3 if op == "select" else _OPERATIONS[op][0]
    if len(items) != count + 1:
        raise _malformed(items, f"{count} operands for {op!r}")


def _fact(op: str, items: Sequence[object]) -> HostExpr:
    if len(items) != 3 or not isinstance(items[1], str) or not isinstance(items[2], int):
        raise _malformed(items, f'("{op}", buffer name, integer)')
    return (op, items[1], items[2])


def _malformed(value: object, expected: str) -> LowerError:
    return LowerError(f"malformed host expression {value!r}: expected {expected}", code="GC390")


def is_fact(expr: HostExpr) -> bool:
    """True for ``("ptr_mod", buffer, modulus)`` and ``("stride", buffer, axis)``."""
    return isinstance(expr, tuple) and expr[0] in FACTS


def walk(expr: HostExpr) -> Iterator[HostExpr]:
    """Yield the variables and facts of ``expr`` from left to right (repeated where they are repeated)."""
    if isinstance(expr, str) or is_fact(expr):
        yield expr
        return
    if not isinstance(expr, tuple):
        return
    for operand in expr[2:] if expr[0] == "cast" else expr[1:]:
        yield from walk(operand)


def evaluate(expr: HostExpr, env: Mapping[str, Scalar], facts: Mapping[HostExpr, Scalar] | None = None) -> Scalar:
    """The value of ``expr`` with variables from ``env`` and buffer facts from ``facts``.

    Raises:
        KeyError: a variable or fact has no value.
        ZeroDivisionError: a division by zero.
    """
    if isinstance(expr, str):
        return env[expr]
    if not isinstance(expr, tuple):
        return expr
    op = str(expr[0])
    if op in FACTS:
        return (facts or {})[expr]
    if op == "cast":
        return cast_scalar(str(expr[1]), evaluate(expr[2], env, facts))
    if op == "select":
        return evaluate(expr[2] if evaluate(expr[1], env, facts) else expr[3], env, facts)
    if op in _CHAINED:
        return _chain(op == "and", expr[1:], env, facts)
    return _OPERATIONS[op][2](*(evaluate(operand, env, facts) for operand in expr[1:]))


def _chain(
    wanted: bool,
    operands: tuple[HostExpr, ...],
    env: Mapping[str, Scalar],
    facts: Mapping[HostExpr, Scalar] | None,
) -> Scalar:
    """``and`` (wanted is True) or ``or`` with Python's short circuit and Python's result."""
    value: Scalar = wanted
    for operand in operands:
        value = evaluate(operand, env, facts)
        if bool(value) is not wanted:
            break
    return value


def render_python(expr: HostExpr, name: Callable[[HostExpr], str] | None = None) -> str:
    """Python source with the meaning of ``expr``.

    Args:
        expr: the expression.
        name: maps a variable or a fact to a Python identifier; None uses variable names as they are.

    The source may call ``truncdiv``, ``truncmod`` and ``cast`` (see ``HELPERS``).
    """
    if isinstance(expr, str) or is_fact(expr):
        return name(expr) if name is not None else _plain(expr)
    if not isinstance(expr, tuple):
        return f"float({str(expr)!r})" if isinstance(expr, float) and expr - expr != 0.0 else repr(expr)
    op = str(expr[0])
    if op == "cast":
        return f"cast({str(expr[1])!r}, {render_python(expr[2], name)})"
    operands = [render_python(operand, name) for operand in expr[1:]]
    if op == "select":
        return f"({operands[1]} if {operands[0]} else {operands[2]})"
    if op in _CHAINED:
        return f"({_CHAINED[op].join(operands)})"
    return _OPERATIONS[op][1].format(*operands)


def _plain(expr: HostExpr) -> str:
    return "_".join(str(part) for part in expr) if isinstance(expr, tuple) else str(expr)
