"""The boxes that regions sweep while iterators run: exact ones, ones inside, ones outside."""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp.arith.analyzer import Analyzer
from gpucomp.arith.int_set import IntervalSet, IntSet
from gpucomp.arith.iter_detect import Checker, Iters, conjuncts, plain_iters
from gpucomp.arith.iter_map import IterMapLevel, IterSplitExpr, IterSumExpr
from gpucomp.arith.iter_marks import NotAnIterMap
from gpucomp.arith.iter_rewrite import Rewriter
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, IntImm, Range
from gpucomp.tir.functor import free_vars


def estimate_region_strict_bound(
    region: Sequence[Range], var_dom: Iters, predicate: ExprLike = True
) -> list[IntervalSet] | None:
    """The box that a region sweeps, if what it sweeps is a box.

    Args:
        region: a range per dimension; their extents do not depend on the iterators.
        var_dom: iterator -> range.
        predicate: conjunction of bounds on dense sums of iterators, see :func:`detect_iter_map`.

    Returns:
        An interval per dimension, such that every element of the box is touched and no other; None where that is not
        known.

    >>> from gpucomp import arith, te
    >>> from gpucomp.tir import Range
    >>> y, ky = te.var("y"), te.var("ky")
    >>> window = [Range.from_min_extent(y * 2 + ky, 1)]
    >>> arith.estimate_region_strict_bound(window, {y: Range(0, 8), ky: Range(0, 3)})
    [IntervalSet[0, 16]]
    """
    return _Sweep(var_dom, predicate).box(region, partial=False)


def estimate_region_lower_bound(
    region: Sequence[Range], var_dom: Iters, predicate: ExprLike = True
) -> list[IntervalSet] | None:
    """A box all of whose elements a region touches; None where none was found.

    Arguments as of :func:`estimate_region_strict_bound`.  Of what has gaps the box takes one connected part.
    """
    return _Sweep(var_dom, predicate).box(region, partial=True)


def estimate_region_upper_bound(
    region: Sequence[Range], var_dom: Iters, predicate: ExprLike = True
) -> list[IntervalSet]:
    """A box that contains all elements that a region touches; see :func:`estimate_region_strict_bound`.

    It is as small as the parts of the predicate that narrow single sums allow.
    """
    sweep = _Sweep(var_dom, predicate)
    return sweep.box(region, partial=False) or [sweep.hull(r) for r in region]


class _Sweep:
    """One question about regions."""

    def __init__(self, var_dom: Iters, predicate: ExprLike) -> None:
        self.iters = plain_iters(var_dom)
        self.constraints = conjuncts(predicate)

    def box(self, region: Sequence[Range], *, partial: bool) -> list[IntervalSet] | None:
        rewriter = Rewriter(self.iters, padding=False, simplify_trivial=True)
        checker = Checker(rewriter, IterMapLevel.Surjective)
        try:
            for constraint in self.constraints:
                rewriter.constrain(constraint)
            sums = [rewriter.narrow_all(rewriter.rewrite(r.min)) for r in region]
            spans = [self._span(rewriter, t, r, partial=partial) for t, r in zip(sums, region, strict=True)]
            checker.check(sums)  # what a part leaves out counts too: it may not move another dimension
        except NotAnIterMap:
            return None
        found: list[IntervalSet] = []
        for span, total in zip(spans, sums, strict=True):
            last = operators.add(total.base, operators.subtract(span, 1))
            found.append(IntervalSet(rewriter.ana.simplify(total.base), rewriter.ana.simplify(last)))
        return found

    def _span(self, r: Rewriter, total: IterSumExpr, domain: Range, *, partial: bool) -> Expr:
        """How many elements are touched without a gap.

        A step of at most what is touched already leaves no gap: steps of 2 over windows of 3.
        """
        span = domain.extent
        if not free_vars(span).isdisjoint(self.iters):
            raise NotAnIterMap(f"the extent {span} depends on iterators")
        if not r.at_most(operators.const(1, span.dtype), span):
            raise NotAnIterMap(f"the extent {span} may be empty")
        for digit in sorted(total.args, key=_by_scale):
            if not r.at_most(operators.const(1, digit.dtype), digit.scale):
                raise NotAnIterMap(f"the scale {digit.scale} is not positive")
            if not r.at_most(digit.scale, span):
                if partial:
                    continue
                raise NotAnIterMap(f"steps of {digit.scale} leave gaps")
            steps = operators.multiply(operators.subtract(digit.extent, 1), digit.scale)
            span = r.ana.simplify(operators.add(span, steps))
        return span

    def hull(self, domain: Range) -> IntervalSet:
        """The interval from the least to the greatest element of one dimension."""
        ana = Analyzer()
        for var, dom in self.iters.items():
            ana.bind(var, dom)
        ends = [domain.min, operators.subtract(operators.add(domain.min, domain.extent), 1)]
        narrowed = [self._narrowed(end) for end in ends]
        whole = [ana.int_set(end, self.iters) for end in ends]
        low = whole[0].min_value if narrowed[0] is None else narrowed[0].min_value
        high = whole[1].max_value if narrowed[1] is None else narrowed[1].max_value
        return IntervalSet(low, high)

    def _narrowed(self, end: Expr) -> IntSet | None:
        """The interval of an end by its digits, which the predicate may have narrowed."""
        rewriter = Rewriter(self.iters, padding=False, simplify_trivial=True)
        for constraint in self.constraints:
            try:
                rewriter.constrain(constraint)
            except NotAnIterMap:
                continue  # a bound that is left out makes the interval larger
        try:
            total = rewriter.narrow_all(rewriter.rewrite(end))
        except NotAnIterMap:
            return None
        low = high = total.base
        for digit in total.args:
            step = rewriter.ana.simplify(operators.multiply(operators.subtract(digit.extent, 1), digit.scale))
            if rewriter.at_most(operators.const(0, step.dtype), step):
                high = operators.add(high, step)
            elif rewriter.at_most(step, operators.const(0, step.dtype)):
                low = operators.add(low, step)
            else:
                return None
        return IntervalSet(rewriter.ana.simplify(low), rewriter.ana.simplify(high))


def _by_scale(digit: IterSplitExpr) -> tuple[int, int]:
    return (0, digit.scale.value) if isinstance(digit.scale, IntImm) else (1, digit.scale.depth)
