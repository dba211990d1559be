"""Regions: boxes of tensors, one interval for each dimension, and their union as the domain of an axis."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence

from gpucomp.te.affine import Forms, Interval
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, FloorDiv, FloorMod, IntImm, IterVar, Range, Var
from gpucomp.tir.functor import expr_post_order, free_vars, substitute

Box = tuple[Interval | None, ...]  # None: all of the dimension, as far as is known
ByLoops = tuple[Mapping[Var, Expr], Mapping[Var, Interval]]


class Running(dict[IterVar, Interval]):
    """The intervals of a stage's axes while its loops run over theirs.

    Args:
        intervals: of every axis.
        by_loops: the axes by the variables of the loops, and the intervals of those; None where axes are loops.
        fused: the variables of axes that were fused into others.
        in_parts: those of axes of which only a part was.
    """

    def __init__(
        self,
        intervals: Mapping[IterVar, Interval],
        by_loops: Callable[[], ByLoops] | None = None,
        fused: Collection[Var] = (),
        in_parts: Collection[Var] = (),
    ) -> None:
        super().__init__(intervals)
        self._by_loops, self._fused = by_loops, fused
        self._parts = dict.fromkeys([*fused, *in_parts])
        self._known: ByLoops | None = None

    def evaluate(self, index: Expr, values: Mapping[Var, Interval], forms: Forms) -> Interval | None:
        """All values of an index, where ``values`` are the intervals of the axes in it.

        Of ``j // 8 % 32`` over the interval of ``j`` little is known; with ``j = chunk*256 + thread*8 + lane`` it is
        ``thread``, which may stand still while the others run.  And of ``i*28 + j`` over the box of ``i`` and ``j``
        too much is known, where both are parts of one loop; so of ``i // 2 * 14 + j // 2``, where halves of them are.
        """
        if self._by_loops is None or isinstance(index, (Var, IntImm)):
            return forms.evaluate(index, values)
        together = self._meet(index, self._fused)
        in_parts = not together and self._meet(index, self._parts)
        if not together and not _divides(index):
            return forms.evaluate(index, values)
        if self._known is None:
            self._known = self._by_loops()
        axes, intervals = self._known
        found = substitute(index, axes)
        if in_parts:
            plain = forms.evaluate(found, intervals)
            return _narrower(plain, forms.evaluate(forms.analyzer.simplify(found), intervals))
        if not together:
            return forms.evaluate(found, intervals)
        by_loops = forms.evaluate(forms.analyzer.simplify(found), intervals)
        return by_loops if _divides(index) else _narrower(by_loops, forms.evaluate(index, values))

    @staticmethod
    def _meet(index: Expr, fused: Collection[Var]) -> bool:
        return len(fused) > 1 and sum([v in fused for v in free_vars(index)]) > 1


def _narrower(first: Interval | None, second: Interval | None) -> Interval | None:
    """Of two intervals that both hold all values the one that is known to be narrower, else the first known one."""
    if first is None or second is None:
        return first or second
    widths = first.width.value(), second.width.value()
    if widths[1] is not None and (widths[0] is None or widths[1] < widths[0]):
        return second
    return first


def _divides(index: Expr) -> bool:
    return any([type(node) in (FloorDiv, FloorMod) for node in expr_post_order(index)])


def union_domain(whole: Range, parts: Sequence[Interval | None], forms: Forms) -> tuple[Range, bool]:
    """The union of what is read of one dimension, within the tensor where that is proven, or the whole dimension.

    Args:
        whole: the dimension.
        parts: what is read of it.
        forms: what is known about the variables.

    Returns:
        The domain, and whether nothing was cut off.
    """
    union = forms.union(list(parts))
    if union is None:
        return whole, False
    low, last = union.low, forms.of(whole.extent).shifted(-1)
    high = low.plus(union.width)
    exact = True
    if forms.bound(low)[1] <= 0:
        exact = low.value() == 0
        low = low.scaled(0)
    if last.same(high):
        high = last
    elif forms.bound(last.plus(high, -1))[1] <= 0:
        exact = False
        high = last
    width = high.plus(low, -1)
    if any([v in forms.ranges for term in width.terms for v in free_vars(term)]):
        # An extent that changes from iteration to iteration cannot be allocated.
        return _at_most(whole, forms.bound(low)[0], forms.bound(high)[1]), False
    dtype = whole.extent.dtype
    if low.value() == 0 and width.same(last):
        return whole, exact
    return Range.from_min_extent(forms.expr(low, dtype), forms.expr(width.shifted(1), dtype)), exact


def _at_most(whole: Range, low: float, high: float) -> Range:
    """The part of a dimension from ``low`` to ``high``, infinite where unknown."""
    if not isinstance(whole.extent, IntImm) or not math.isfinite(low) or not math.isfinite(high):
        return whole
    first, last = max(int(low), 0), min(int(high), whole.extent.value - 1)
    if (first, last) == (0, whole.extent.value - 1) or first > last:
        return whole
    return Range(operators.const(first, whole.extent.dtype), operators.const(last + 1, whole.extent.dtype))
