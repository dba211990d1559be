"""Derivatives of expressions with respect to parts of them, by one walk from the root (reverse mode)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from gpucomp.support.diagnostics import Span, TensorError
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir.expr import Call, Expr, FloatImm
from gpucomp.tir.functor import expr_children, expr_post_order
from gpucomp.tir.intrin import Op


class Term(NamedTuple):
    """``factor`` where all ``conditions`` hold, else 0.  The factor may be evaluated only where they hold."""

    conditions: tuple[Expr, ...]
    factor: Expr


Terms = dict[tuple[Expr, ...], Expr]  # factors by conditions: a sum of terms
_Unary = Callable[[Expr, Expr], Expr]  # from the argument and the value to the derivative


def times(a: Expr, b: Expr) -> Expr:
    """a * b, where a factor 1 is left out."""
    if isinstance(a, FloatImm) and a.value == 1:
        return b
    return a if isinstance(b, FloatImm) and b.value == 1 else operators.multiply(a, b)


def _of(value: float, like: Expr) -> Expr:
    return operators.const(value, like.dtype)


def _scaled(value: float) -> _Unary:
    return lambda x, y: operators.multiply(y, _of(value, x))


def _over(make: Callable[[Expr], Expr]) -> _Unary:
    return lambda x, y: operators.divide(_of(1, x), make(x))


def _sign(x: Expr, y: Expr) -> Expr:
    negative = e.Select(operators.compare(e.LT, x, _of(0, x)), _of(-1, x), _of(0, x))
    return e.Select(operators.compare(e.GT, x, _of(0, x)), _of(1, x), negative)


_LN2, _LN10 = math.log(2), math.log(10)
_UNARY: Final[dict[str, _Unary]] = {
    "exp": lambda x, y: y,
    "exp2": _scaled(_LN2),
    "exp2_flushed": _scaled(_LN2),
    "exp10": _scaled(_LN10),
    "expm1": lambda x, y: operators.add(y, _of(1, x)),
    "log": _over(lambda x: x),
    "log2": _over(lambda x: operators.multiply(x, _of(_LN2, x))),
    "log10": _over(lambda x: operators.multiply(x, _of(_LN10, x))),
    "log1p": _over(lambda x: operators.add(x, _of(1, x))),
    "sqrt": lambda x, y: operators.divide(_of(0.5, x), y),
    "rsqrt": lambda x, y: operators.divide(operators.multiply(y, _of(-0.5, x)), x),
    "sin": lambda x, y: intrin.cos(x),
    "cos": lambda x, y: operators.negate(intrin.sin(x)),
    "tan": lambda x, y: operators.add(operators.multiply(y, y), _of(1, x)),
    "asin": _over(lambda x: intrin.sqrt(operators.subtract(_of(1, x), operators.multiply(x, x)))),
    "acos": lambda x, y: operators.negate(_UNARY["asin"](x, y)),
    "atan": _over(lambda x: operators.add(_of(1, x), operators.multiply(x, x))),
    "sinh": lambda x, y: intrin.cosh(x),
    "cosh": lambda x, y: intrin.sinh(x),
    "tanh": lambda x, y: operators.subtract(_of(1, x), operators.multiply(y, y)),
    "asinh": _over(lambda x: intrin.sqrt(operators.add(operators.multiply(x, x), _of(1, x)))),
    "acosh": _over(lambda x: intrin.sqrt(operators.subtract(operators.multiply(x, x), _of(1, x)))),
    "atanh": _over(lambda x: operators.subtract(_of(1, x), operators.multiply(x, x))),
    "erf": lambda x, y: operators.multiply(
        intrin.exp(operators.negate(operators.multiply(x, x))), _of(2 / math.sqrt(math.pi), x)
    ),
    "sigmoid": lambda x, y: operators.multiply(y, operators.subtract(_of(1, x), y)),
    "fabs": _sign,
}
# Constant almost everywhere.
_STEPS: Final = frozenset({"floor", "ceil", "trunc", "round", "nearbyint", "isnan", "isinf", "isfinite"})


def partials(root: Expr, leaves: Mapping[Expr, None], where: Span | None = None) -> dict[Expr, list[Term]]:
    """Derivatives of ``root`` with respect to some of the expressions in it, each as a sum of terms.

    Args:
        root: a float expression.
        leaves: expressions (elements of tensors, variables) that count as independent.
        where: the user's line, for errors.

    Returns:
        Terms by leaf; leaves that have no influence are missing.  At a jump, and where two operands of ``max`` or
        ``min`` are equal, it is the derivative of the side that the expression takes.

    Raises:
        TensorError: GC217 a function has no known derivative.
    """
    order = expr_post_order(root)
    moves: dict[Expr, None] = {}  # nodes whose value depends smoothly on a leaf
    for node in order:
        if node.dtype.is_float and (node in leaves or any([c in moves for c in expr_children(node)])):
            moves[node] = None
    adjoints: dict[Expr, Terms] = {root: {(): _of(1, root)}} if root in moves else {}
    for node in reversed(order):
        terms = adjoints.get(node)
        if terms is None or node in leaves:
            continue
        for child, term in _local(node, moves, where):
            if child in moves:
                _accumulate(adjoints.setdefault(child, {}), terms, term)
    return {leaf: [Term(c, f) for c, f in adjoints[leaf].items()] for leaf in leaves if leaf in adjoints}


def _accumulate(into: Terms, terms: Terms, step: Term) -> None:
    for conditions, factor in terms.items():
        key = conditions + tuple([c for c in step.conditions if c not in conditions])
        kind = step.factor.dtype
        value = times(operators.cast(kind, factor), step.factor)
        into[key] = operators.add(into[key], value) if key in into else value


def _local(node: Expr, moves: Mapping[Expr, None], where: Span | None) -> list[tuple[Expr, Term]]:
    """The operands of a node, each with the derivative of the node with respect to it."""
    if isinstance(node, e.BinaryOp):
        return [(x, Term((), f)) for x, f in _binary(node)]
    if isinstance(node, e.Cast):
        return [(node.value, Term((), _of(1, node.value)))]
    if isinstance(node, e.Select):
        return _branches(node.condition, node.true_value, node.false_value, lazy=_equates(node.condition))
    if isinstance(node, Call) and isinstance(node.op, Op):
        return _call(node, node.op.name.removeprefix("tir."), moves, where)
    if isinstance(node, e.Let):
        raise _unknown("a let expression", where)
    raise _unknown(f"{type(node).__name__} {node!s:.60}", where)


def _unknown(what: str, where: Span | None) -> TensorError:
    return TensorError(
        f"te.gradient does not know the derivative of {what}",
        code="GC217",
        where=where,
        hint="write it with functions that have one (te.exp, te.Select, ...), or compute this gradient yourself",
    )


def _branches(condition: Expr, a: Expr, b: Expr, *, lazy: bool) -> list[tuple[Expr, Term]]:
    otherwise = operators.logical_not(condition)
    if lazy:
        return [(a, Term((condition,), _of(1, a))), (b, Term((otherwise,), _of(1, b)))]
    return [
        (a, Term((), e.Select(condition, _of(1, a), _of(0, a)))),
        (b, Term((), e.Select(condition, _of(0, b), _of(1, b)))),
    ]


def _equates(condition: Expr) -> bool:
    """A condition that fixes an index: it may be solved, which spares the loop over it."""
    return any([isinstance(c, e.EQ) and c.a.dtype.is_int for c in conjuncts(condition)])


def conjuncts(condition: Expr) -> list[Expr]:
    """The operands of a conjunction, hints left out."""
    out: list[Expr] = []
    stack = [condition]
    while stack:
        item = stack.pop()
        if isinstance(item, e.And):
            stack += [item.b, item.a]
        elif isinstance(item, Call) and getattr(item.op, "name", "") == "tir.likely":
            stack.append(item.args[0])
        else:
            out.append(item)
    return out


def _binary(node: e.BinaryOp) -> list[tuple[Expr, Expr]]:
    a, b = node.a, node.b
    one = _of(1, a)
    if isinstance(node, e.Add):
        return [(a, one), (b, one)]
    if isinstance(node, e.Sub):
        return [(a, one), (b, _of(-1, b))]
    if isinstance(node, e.Mul):
        return [(a, b), (b, a)]
    if isinstance(node, e.Div):
        by = operators.divide(one, b)
        return [(a, by), (b, operators.negate(operators.multiply(node, by)))]
    if isinstance(node, (e.Max, e.Min)):
        kind = e.GE if isinstance(node, e.Max) else e.LE
        first = operators.compare(kind, a, b)
        return [(a, e.Select(first, one, _of(0, a))), (b, e.Select(first, _of(0, b), one))]
    if isinstance(node, (e.FloorMod, e.Mod)):
        quotient = intrin.floor(operators.divide(a, b)) if isinstance(node, e.FloorMod) else intrin.trunc(a / b)
        return [(a, one), (b, operators.negate(quotient))]
    return []  # comparisons, floor division: constant almost everywhere


def _call(node: Call, name: str, moves: Mapping[Expr, None], where: Span | None) -> list[tuple[Expr, Term]]:
    args = node.args
    if name == "if_then_else":
        return _branches(args[0], args[1], args[2], lazy=True)
    rule = _UNARY.get(name)
    if rule is not None:
        return [(args[0], Term((), rule(args[0], node)))]
    if name == "likely":
        return [(args[0], Term((), _of(1, args[0])))]
    if name in _STEPS:
        return []
    several = _several(node, name, moves)
    if several is None:
        raise _unknown(f"the function {name}", where)
    return [(x, Term((), f)) for x, f in several if x in moves]


def _several(node: Call, name: str, moves: Mapping[Expr, None]) -> list[tuple[Expr, Expr]] | None:
    args = node.args
    if name == "fma":
        return [(args[0], args[1]), (args[1], args[0]), (args[2], _of(1, args[2]))]
    if len(args) != 2:
        return None
    a, b = args
    if name == "pow":
        return _power(node, a, b, moves)
    if name == "atan2":
        square = operators.add(operators.multiply(a, a), operators.multiply(b, b))
        return [(a, operators.divide(b, square)), (b, operators.negate(operators.divide(a, square)))]
    if name == "hypot":
        return [(a, operators.divide(a, node)), (b, operators.divide(b, node))]
    if name == "fmod":
        return [(a, _of(1, a)), (b, operators.negate(intrin.trunc(operators.divide(a, b))))]
    if name == "copysign":
        return [(a, operators.multiply(_sign(a, a), intrin.copysign(_of(1, a), b)))]
    return None


def _power(node: Call, a: Expr, b: Expr, moves: Mapping[Expr, None]) -> list[tuple[Expr, Expr]]:
    less = operators.subtract(b, _of(1, b))
    base = a if isinstance(less, FloatImm) and less.value == 1 else intrin.power(a, less)
    out = [(a, operators.multiply(b, base))]
    if b in moves:
        out.append((b, operators.multiply(node, intrin.log(a))))
    return out
