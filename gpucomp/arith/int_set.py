"""Sets of integers: intervals with symbolic ends."""

from __future__ import annotations

from typing import Final

from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, IntImm, Range, Var

POS_INF: Final = Var("pos_inf", "handle")
"""End of a set without upper bound; a pointer variable, so that nothing computes with it by accident."""
NEG_INF: Final = Var("neg_inf", "handle")
"""End of a set without lower bound."""


def is_infinite(end: Expr) -> bool:
    """True for POS_INF and NEG_INF."""
    return end is POS_INF or end is NEG_INF


class IntSet:
    """A set of integers, contained in [min_value, max_value]."""

    __slots__ = ("max_value", "min_value")

    min_value: Expr
    max_value: Expr

    def __init__(self, min_value: ExprLike, max_value: ExprLike) -> None:
        self.min_value = operators.convert(min_value)
        self.max_value = operators.convert(max_value)

    def is_nothing(self) -> bool:
        """True if it is known to be empty."""
        low, high = self.min_value, self.max_value
        return (
            low is POS_INF
            or high is NEG_INF
            or (isinstance(low, IntImm) and isinstance(high, IntImm) and low.value > high.value)
        )

    def is_everything(self) -> bool:
        """True if neither end is known."""
        return self.min_value is NEG_INF and self.max_value is POS_INF

    def is_single_point(self) -> bool:
        """True if both ends are one expression."""
        return self.min_value is self.max_value and not is_infinite(self.min_value)

    def has_lower_bound(self) -> bool:
        """True if the lower end is not infinite."""
        return not is_infinite(self.min_value)

    def has_upper_bound(self) -> bool:
        """True if the upper end is not infinite."""
        return not is_infinite(self.max_value)

    def cover_range(self, default: Range | None = None) -> Range | None:
        """The range from end to end; ``default`` if an end is infinite."""
        if is_infinite(self.min_value) or is_infinite(self.max_value):
            return default
        if self.min_value is self.max_value:
            return Range.from_min_extent(self.min_value, IntImm(self.min_value.dtype, 1))
        from gpucomp.arith.analyzer import Analyzer

        extent = Analyzer().simplify(operators.add(operators.subtract(self.max_value, self.min_value), 1))
        return Range.from_min_extent(self.min_value, extent)

    @staticmethod
    def single_point(point: ExprLike) -> IntervalSet:
        """The set of one value."""
        value = operators.convert(point)
        return IntervalSet(value, value)

    @staticmethod
    def vector(value: Expr) -> IntervalSet:
        """The values of the lanes of a vector of integers."""
        if isinstance(value, e.Broadcast):
            return IntSet.single_point(value.value)
        if not isinstance(value, e.Ramp):
            return IntSet.single_point(value) if value.dtype.lanes == 1 else IntSet.everything()
        last = operators.add(value.base, operators.multiply(value.stride, value.lanes - 1))
        if isinstance(value.stride, IntImm):
            return IntervalSet(value.base, last) if value.stride.value >= 0 else IntervalSet(last, value.base)
        return IntervalSet(operators.minimum(value.base, last), operators.maximum(value.base, last))

    @staticmethod
    def from_range(domain: Range) -> IntervalSet:
        """The values of a range."""
        if isinstance(domain.extent, IntImm) and domain.extent.value == 1:
            return IntervalSet(domain.min, domain.min)
        return IntervalSet(domain.min, operators.subtract(operators.add(domain.min, domain.extent), 1))

    @staticmethod
    def everything() -> IntervalSet:
        """All integers."""
        return IntervalSet(NEG_INF, POS_INF)

    @staticmethod
    def nothing() -> IntervalSet:
        """The empty set."""
        return IntervalSet(POS_INF, NEG_INF)

    def __repr__(self) -> str:
        return f"IntervalSet[{self.min_value}, {self.max_value}]"


class IntervalSet(IntSet):
    """All integers from ``min_value`` to ``max_value``, both included; ends may be infinite."""

    __slots__ = ()
