"""Index expressions as mixtures of independent iterators: what they are made of.

A *mark* is an iterator that runs from 0 to its extent: a loop variable, or several fused into one.  A *split* is a
digit of a mark: ``mark // lower_factor % extent``, times a scale.  A *sum* adds splits and a base without iterators.
"""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp.arith.analyzer import Analyzer
from gpucomp.arith.int_constraints import refused
from gpucomp.support.diagnostics import did_you_mean
from gpucomp.support.dtype import DType
from gpucomp.support.enums import NumberedEnum
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, IntImm


class IterMapLevel(NumberedEnum):
    """How much ``detect_iter_map`` has to prove."""

    Bijective = 0
    Surjective = 1
    NoCheck = 3

    @staticmethod
    def from_str(name: str) -> IterMapLevel:
        """The level of a name, in any case.

        Raises:
            LowerError: there is no such level.
        """
        for level in IterMapLevel:
            if level.name.lower() == name.lower():
                return level
        names = [x.name for x in IterMapLevel]
        raise refused("GC362", f"no level {name!r}", did_you_mean(name, names) or f"one of {', '.join(names)}")


class IterMark:
    """An iterator from 0 to ``extent``, not included.

    Args:
        source: the expression that it stands for, or the sum of the iterators that it fuses.
        extent: number of its values.
    """

    __slots__ = ("extent", "source")

    def __init__(self, source: ExprLike | IterSumExpr, extent: ExprLike) -> None:
        self.source: Expr | IterSumExpr = source if isinstance(source, IterSumExpr) else operators.convert(source)
        self.extent = operators.convert(extent)

    def __repr__(self) -> str:
        return f"IterMark({self.source}, extent={self.extent})"


class IterSplitExpr:
    """``source // lower_factor % extent * scale``

    Args:
        source: the mark.
        lower_factor: 1 by default.
        extent: what the mark leaves, by default.
        scale: 1 by default.
    """

    __slots__ = ("extent", "lower_factor", "scale", "source")

    def __init__(
        self,
        source: IterMark,
        lower_factor: ExprLike = 1,
        extent: ExprLike | None = None,
        scale: ExprLike = 1,
    ) -> None:
        self.source = source
        self.lower_factor = operators.convert(lower_factor)
        left = source.extent if extent is None else operators.convert(extent)
        if extent is None and not is_int(self.lower_factor, 1):
            left = ceil_div(source.extent, self.lower_factor)
        self.extent = left
        self.scale = operators.convert(scale)

    @property
    def dtype(self) -> DType:
        """Type of the value."""
        return self.source.extent.dtype

    def scaled(self, scale: Expr) -> IterSplitExpr:
        """The same digit with another scale."""
        return IterSplitExpr(self.source, self.lower_factor, self.extent, scale)

    def digit(self) -> tuple[IterMark, Expr, Expr]:
        """What identifies it but for the scale."""
        return self.source, self.lower_factor, self.extent

    def __repr__(self) -> str:
        return f"IterSplit({self.source}, lower_factor={self.lower_factor}, extent={self.extent}, scale={self.scale})"


class IterSumExpr:
    """``args[0] + args[1] + ... + base``; the base mentions no iterator."""

    __slots__ = ("args", "base")

    def __init__(self, args: Sequence[IterSplitExpr], base: ExprLike) -> None:
        self.args = tuple(args)
        self.base = operators.convert(base)

    @property
    def dtype(self) -> DType:
        """Type of the value."""
        return self.args[0].dtype if self.args else self.base.dtype

    def __repr__(self) -> str:
        return f"IterSum([{', '.join([str(a) for a in self.args])}], {self.base})"


IterMapExpr = IterSumExpr | IterSplitExpr


def normalize_iter_map_to_expr(expr: IterMapExpr) -> Expr:
    """The expression that an iterator map stands for.

    >>> from gpucomp import arith, te
    >>> from gpucomp.tir import Range
    >>> i, j = te.var("i"), te.var("j")
    >>> found = arith.detect_iter_map([(i * 8 + j) // 4], {i: Range(0, 4), j: Range(0, 8)})
    >>> arith.normalize_iter_map_to_expr(found.indices[0])
    i * 2 + j // 4
    """
    return Analyzer().simplify(_plain(expr))


def _plain(expr: IterMapExpr | Expr) -> Expr:
    if isinstance(expr, IterSumExpr):
        total: Expr | None = None
        for arg in expr.args:
            term = _plain(arg)
            total = term if total is None else operators.add(total, term)
        return expr.base if total is None else operators.add(total, expr.base)
    if not isinstance(expr, IterSplitExpr):
        return expr
    value = _plain(expr.source.source)
    if not is_int(expr.lower_factor, 1):
        value = operators.floordiv(value, expr.lower_factor)
    if not _reaches_top(expr):
        value = operators.floormod(value, expr.extent)
    return operators.multiply(value, expr.scale)


def mark_value(mark: IterMark) -> Expr:
    """The expression that a mark stands for."""
    return Analyzer().simplify(_plain(mark.source))


def _reaches_top(split: IterSplitExpr) -> bool:
    """True if nothing lies above the digit, so that no remainder is needed."""
    whole = split.source.extent
    covered = operators.multiply(split.lower_factor, split.extent)
    if isinstance(whole, IntImm) and isinstance(covered, IntImm):
        return covered.value >= whole.value
    return Analyzer().can_prove(operators.subtract(covered, whole) >= 0)


def is_int(node: Expr, value: int) -> bool:
    """True for a literal of the given value."""
    return isinstance(node, IntImm) and node.value == value


def ceil_div(a: Expr, divisor: Expr) -> Expr:
    """The smallest integer >= a / divisor."""
    if isinstance(a, IntImm) and isinstance(divisor, IntImm):
        return IntImm(a.dtype, -(-a.value // divisor.value))
    up = operators.add(a, operators.subtract(divisor, 1))
    return Analyzer().simplify(operators.floordiv(up, divisor))


class IterMapResult:
    """What ``detect_iter_map`` found.

    Attributes:
        indices: one fused sum per index; empty if the indices are no such map.
        errors: why not.
        padding_predicate: true where values of the padded iterators lie outside of the given domain; False where
            nothing was padded.
    """

    __slots__ = ("errors", "indices", "padding_predicate")

    def __init__(self, indices: Sequence[IterSumExpr], errors: Sequence[str], padding_predicate: Expr) -> None:
        self.indices = list(indices)
        self.errors = list(errors)
        self.padding_predicate = padding_predicate

    def __repr__(self) -> str:
        if not self.indices:
            return f"IterMapResult(errors={self.errors})"
        return f"IterMapResult({self.indices}, padding_predicate={self.padding_predicate})"
