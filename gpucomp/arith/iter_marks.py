"""Iterators as marks: made, narrowed, padded and fused; and the small proofs about their extents."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gpucomp.arith.analyzer import Analyzer
from gpucomp.arith.iter_map import IterMark, IterSplitExpr, IterSumExpr, ceil_div, is_int, mark_value
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IntImm, Range, Var

Digits = tuple[tuple[IterMark, Expr, Expr, Expr], ...]
"""Splits as a key: mark, lower factor, extent, scale."""


class NotAnIterMap(Exception):
    """The expression is no sum of independent digits; the text says why."""


class PaddingNeeded(Exception):
    """A mark has to be padded, and the rewriting done again."""


class Narrowed:
    """A fused sum that a predicate narrows to [low, low + mark.extent)."""

    __slots__ = ("digits", "low", "mark")

    def __init__(self, digits: Digits, low: Expr, mark: IterMark) -> None:
        self.digits = digits
        self.low = low
        self.mark = mark


class Marks:
    """The marks of one set of iterators.

    Args:
        iters: variable -> range.
        padding: whether iterators may be padded to the multiple of a divisor.
        simplify_trivial: whether an iterator of extent 1 counts as its only value.
    """

    def __init__(self, iters: dict[Var, Range], *, padding: bool, simplify_trivial: bool) -> None:
        self.iters = iters
        self.padding = padding
        self.simplify_trivial = simplify_trivial
        self.ana = Analyzer()
        self.multiples: dict[Var | Digits, Expr] = {}  # how far marks are to be padded
        self.constraints: list[Expr] = []
        for domain in iters.values():
            if not isinstance(domain.extent, IntImm):
                self.ana.enter_constraint(operators.compare(e.GE, domain.extent, 1))  # else there is nothing to map
        for var, domain in iters.items():
            self.ana.bind(var, domain)
        self._start()

    def _start(self) -> None:
        self.marks: dict[Var, IterSumExpr] = {}
        self.fused: dict[Digits, IterMark] = {}
        self.narrowed: list[Narrowed] = []
        self.origin: dict[IterMark, Var | Digits] = {}
        self.padded: dict[IterMark, tuple[Expr, Expr]] = {}  # mark -> the part [low, high) of it that is real
        self.constraining = True  # marks are padded once the predicate has narrowed them
        for var, domain in self.iters.items():
            self._add_variable(var, domain.min, domain.extent)

    # -- marks ------------------------------------------------------------------------------------------------

    def _add_variable(self, var: Var, low: Expr, extent: Expr) -> None:
        low, extent = self.ana.simplify(low), self.ana.simplify(extent)
        if is_int(extent, 1) and self.simplify_trivial:
            self.marks[var] = IterSumExpr([], low)
            return
        value: Expr = var if is_int(low, 0) else operators.subtract(var, low)
        mark = self._padded(IterMark(value, extent), var)
        self.marks[var] = IterSumExpr([IterSplitExpr(mark)], low)

    def _apply_padding(self) -> None:
        """Pad what the attempts before asked for."""
        self.constraining = False
        self.fused.clear()
        for var, total in self.marks.items():
            if total.args and var in self.multiples and not self._inside(total.args[0].source):
                mark = self._padded(total.args[0].source, var)
                self.marks[var] = IterSumExpr([IterSplitExpr(mark)], total.base)
        for item in self.narrowed:
            if not self._inside(item.mark):
                item.mark = self._padded(item.mark, self.origin[item.mark])

    def _inside(self, mark: IterMark) -> bool:
        """True if a narrowed sum is made of this mark, among others."""
        return any([any([mentions(d[0], mark) for d in item.digits]) for item in self.narrowed])

    def _padded(self, mark: IterMark, key: Var | Digits) -> IterMark:
        """The mark as wide as was asked for."""
        self.origin[mark] = key
        multiple = self.multiples.get(key)
        if multiple is None or self.constraining:
            return mark
        extent = self.ana.simplify(operators.multiply(ceil_div(mark.extent, multiple), multiple))
        wide = IterMark(mark.source, extent)
        self.origin[wide] = key
        self.padded[wide] = operators.const(0, extent.dtype), mark.extent
        return wide

    def _pad(self, mark: IterMark, divisor: Expr) -> None:
        """Ask for a mark whose extent is a multiple of ``divisor``."""
        key = self.origin.get(mark)
        if not self.padding or self.constraining or key is None:
            raise NotAnIterMap(f"{divisor} does not divide the extent {mark.extent} of {mark_value(mark)}")
        old = self.multiples.get(key)
        new = divisor
        if isinstance(old, IntImm) and isinstance(divisor, IntImm):
            new = IntImm(old.dtype, math.lcm(old.value, divisor.value))
        elif old is not None and not self.divides(divisor, old):
            raise NotAnIterMap(f"{mark_value(mark)} would have to be padded for {old} and for {divisor}")
        self.multiples[key] = new
        raise PaddingNeeded

    def _fused_mark(self, args: Sequence[IterSplitExpr]) -> IterMark:
        """The mark that runs over a dense sum of digits, largest first; one for each sum."""
        key: Digits = tuple([(*a.digit(), a.scale) for a in args])
        found = self.fused.get(key)
        if found is None:
            extent = self.times(args[0].scale, args[0].extent)
            found = self._padded(IterMark(IterSumExpr(args, operators.const(0, extent.dtype)), extent), key)
            self.fused[key] = found
        return found

    # -- proofs -----------------------------------------------------------------------------------------------

    def equal(self, a: Expr, b: Expr) -> bool:
        """True if both have one value."""
        if a is b:
            return True
        if isinstance(a, IntImm) and isinstance(b, IntImm):
            return a.value == b.value
        return self.ana.can_prove_equal(a, b)

    def divides(self, divisor: Expr, a: Expr) -> bool:
        """True if ``a`` is a multiple of ``divisor``."""
        if isinstance(a, IntImm) and isinstance(divisor, IntImm):
            return divisor.value != 0 and a.value % divisor.value == 0
        return divisor is a or is_int(divisor, 1) or self.ana.can_prove_equal(operators.floormod(a, divisor), 0)

    def at_most(self, a: Expr, b: Expr) -> bool:
        """True if a <= b."""
        if isinstance(a, IntImm) and isinstance(b, IntImm):
            return a.value <= b.value
        return self.ana.can_prove(operators.compare(e.LE, a, b))

    def times(self, a: Expr, b: Expr) -> Expr:
        """a * b"""
        return self.ana.simplify(operators.multiply(a, b))

    def quotient(self, a: Expr, b: Expr) -> Expr:
        """a // b"""
        return self.ana.simplify(operators.floordiv(a, b))


def mentions(mark: IterMark, target: IterMark) -> bool:
    """True if ``mark`` is ``target`` or fuses it."""
    if mark is target:
        return True
    return isinstance(mark.source, IterSumExpr) and any([mentions(a.source, target) for a in mark.source.args])
