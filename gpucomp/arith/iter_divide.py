"""Iterator maps taken apart into an outer and an inner part, and inverted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from gpucomp.arith.analyzer import Analyzer
from gpucomp.arith.int_constraints import refused
from gpucomp.arith.iter_detect import Checker, Iters, conjuncts, index_expressions, plain_iters
from gpucomp.arith.iter_map import IterMapLevel, IterMark, IterSplitExpr, IterSumExpr, is_int
from gpucomp.arith.iter_marks import NotAnIterMap
from gpucomp.arith.iter_rewrite import Rewriter
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, IterVar, Var
from gpucomp.tir.functor import free_vars

Part = tuple[IterSumExpr, Expr]
"""A sum of digits and the number of its values."""


def subspace_divide(
    bindings: Sequence[ExprLike],
    input_iters: Iters,
    sub_iters: Sequence[Var | IterVar],
    predicate: ExprLike = True,
    check_level: IterMapLevel | str = IterMapLevel.Surjective,
    simplify_trivial_iterators: bool = True,
) -> list[list[IterMark]]:
    """Split each binding into ``outer * inner.extent + inner``, where only ``inner`` depends on ``sub_iters``.

    Args:
        bindings: integer expressions, an iterator map of ``input_iters``.
        input_iters: variable -> range.
        sub_iters: the inner iterators.
        predicate: conjunction of bounds, see :func:`detect_iter_map`.
        check_level: what the map has to be.
        simplify_trivial_iterators: replace an iterator of extent 1 by its value.

    Returns:
        A pair of marks [outer, inner] per binding, and a last pair whose extents are the outer and the inner part of
        the predicate; conditions that mention both belong to the inner one.  Empty where there is no such division.

    Raises:
        LowerError: a binding is no scalar integer, or the predicate no condition.

    >>> from gpucomp import arith, te
    >>> from gpucomp.tir import Range
    >>> i, j = te.var("i"), te.var("j")
    >>> (outer, inner), _ = arith.subspace_divide([i * 8 + j], {i: Range(0, 4), j: Range(0, 8)}, [j])
    >>> arith.normalize_iter_map_to_expr(outer.source), arith.normalize_iter_map_to_expr(inner.source), inner.extent
    (i, j, 8)
    """
    level = IterMapLevel.from_str(check_level) if isinstance(check_level, str) else check_level
    nodes = index_expressions(bindings)
    iters = plain_iters(input_iters)
    inner_vars = [v.var if isinstance(v, IterVar) else v for v in sub_iters]
    constraints = conjuncts(predicate)
    rewriter = Rewriter(iters, padding=False, simplify_trivial=simplify_trivial_iterators)
    try:
        sums = rewriter.run(constraints, nodes)
        if level is not IterMapLevel.NoCheck:
            Checker(rewriter, level).check(sums)
        divider = _Divider(rewriter, dict.fromkeys(inner_vars))
        pairs = [divider.binding(total) for total in sums]
    except NotAnIterMap:
        return []
    outer = [c for c in constraints if free_vars(c).isdisjoint(inner_vars)]
    inner = [c for c in constraints if not free_vars(c).isdisjoint(inner_vars)]
    nothing = IterSumExpr([], 0)
    return [*pairs, [IterMark(nothing, _conjunction(outer)), IterMark(nothing, _conjunction(inner))]]


def _conjunction(conditions: list[Expr]) -> Expr:
    true: Expr = e.IntImm(operators.BOOL, 1)
    return Analyzer().simplify(reduce(lambda a, b: operators.logical(e.And, a, b), conditions, true))


class _Divider:
    """Divides digits; everything that is no plain fused sum of whole digits is refused."""

    def __init__(self, rewriter: Rewriter, inner: dict[Var, None]) -> None:
        self.rewriter = rewriter
        self.inner = inner

    def binding(self, total: IterSumExpr) -> list[IterMark]:
        zero = operators.const(0, total.dtype)
        one = operators.const(1, total.dtype)
        if not total.args:
            return [IterMark(IterSumExpr([], zero), one), IterMark(total, one)]
        (digit,) = total.args
        side = self._side(digit.source)
        if side is not None:
            whole = IterMark(total, digit.extent)
            empty = IterMark(IterSumExpr([], zero), one)
            return [empty, whole] if side else [whole, empty]
        if not is_int(digit.scale, 1):
            raise NotAnIterMap(f"{digit} is part of an index with gaps")
        (outer, count), (inner, size) = self._divide(digit)
        base = self.rewriter.ana.simplify(operators.add(inner.base, total.base))
        return [IterMark(outer, count), IterMark(IterSumExpr(inner.args, base), size)]

    def _side(self, mark: IterMark) -> bool | None:
        """True if all iterators of a mark are inner ones, False if none is."""
        if not isinstance(mark.source, IterSumExpr):
            return not free_vars(mark.source).isdisjoint(self.inner)
        sides = [self._side(a.source) for a in mark.source.args]
        return sides[0] if all([s is sides[0] for s in sides]) else None

    def _divide(self, digit: IterSplitExpr) -> tuple[Part, Part]:
        """Outer and inner part of a digit of scale 1."""
        zero, one = operators.const(0, digit.dtype), operators.const(1, digit.dtype)
        side = self._side(digit.source)
        plain = IterSumExpr([digit.scaled(one)], zero)
        nothing: Part = IterSumExpr([], zero), one
        if side is not None:
            return (nothing, (plain, digit.extent)) if side else ((plain, digit.extent), nothing)
        r = self.rewriter
        outer: list[IterSplitExpr] = []
        inner: list[IterSplitExpr] = []
        count, size = one, one
        base = digit.source.source.base if isinstance(digit.source.source, IterSumExpr) else zero
        for part in self._parts(digit)[::-1]:  # the smallest scale first
            if not r.equal(part.scale, r.times(count, size)):
                raise NotAnIterMap(f"a predicate bounds {part.source} below other iterators")
            (high, high_count), (low, low_size) = self._divide(part)
            if low.args and outer:
                raise NotAnIterMap(f"{digit.source} mixes inner and outer iterators")
            inner += [a.scaled(r.times(a.scale, size)) for a in low.args]
            size = r.times(size, low_size)
            outer += [a.scaled(r.times(a.scale, count)) for a in high.args]
            count = r.times(count, high_count)
            base = r.ana.simplify(operators.add(base, operators.multiply(low.base, part.scale)))
        return (IterSumExpr(outer[::-1], zero), count), (IterSumExpr(inner[::-1], base), size)

    def _parts(self, digit: IterSplitExpr) -> list[IterSplitExpr]:
        """The digits that a digit of a fused mark consists of, by falling scale."""
        mark, r = digit.source, self.rewriter
        assert isinstance(mark.source, IterSumExpr)
        if is_int(digit.lower_factor, 1) and r.equal(digit.extent, mark.extent):
            return list(mark.source.args)
        if any([x.mark is mark for x in r.narrowed]):
            raise NotAnIterMap(f"only a part of {mark} is used, and a predicate bounds it")
        low, high = digit.lower_factor, r.times(digit.lower_factor, digit.extent)
        found: list[IterSplitExpr] = []
        for part in mark.source.args:
            top = r.times(part.scale, part.extent)
            if r.at_most(top, low) or r.at_most(high, part.scale):
                continue
            start, end = part.scale, top
            if r.at_most(part.scale, low):
                start = low
            if r.at_most(high, top):
                end = high
            skipped, left = r.quotient(start, part.scale), r.quotient(end, start)
            if not (r.divides(part.scale, start) and r.divides(start, end) and r.divides(end, top)):
                raise NotAnIterMap(f"{digit} cuts through {part}")
            lower = r.times(part.lower_factor, skipped)
            found.append(IterSplitExpr(part.source, lower, left, r.quotient(start, low)))
        return found


def inverse_affine_iter_map(iter_map: Sequence[IterSumExpr], outputs: Sequence[ExprLike]) -> dict[Var, Expr]:
    """The values of the iterators from the values of the indices of a bijective map.

    Args:
        iter_map: the ``indices`` of a result of :func:`detect_iter_map`.
        outputs: an expression for each index.

    Returns:
        Variable -> expression; iterators of extent 1 are left out where the map left them out.

    Raises:
        LowerError: there are not as many outputs as indices, or a source is no iterator.

    >>> from gpucomp import arith, te
    >>> from gpucomp.tir import Range
    >>> i, j, x = te.var("i"), te.var("j"), te.var("x")
    >>> found = arith.detect_iter_map([i * 8 + j], {i: Range(0, 4), j: Range(0, 8)}, check_level="bijective")
    >>> inverse = arith.inverse_affine_iter_map(found.indices, [x])
    >>> inverse[i], inverse[j]
    (x // 8, x % 8)
    """
    if len(iter_map) != len(outputs):
        message = f"a map of {len(iter_map)} indices cannot be inverted at {len(outputs)} values"
        raise refused("GC356", message, "pass one expression per index")
    ana = Analyzer()
    values: dict[IterMark, Expr] = {}
    order: list[IterMark] = []
    for total in iter_map:
        for arg in total.args:
            _visit(arg.source, order)
    for total, output in zip(iter_map, outputs, strict=True):
        _distribute(ana, values, total, operators.convert(output))
    found: dict[Var, Expr] = {}
    for mark in order[::-1]:
        value = values[mark]
        if isinstance(mark.source, IterSumExpr):
            _distribute(ana, values, mark.source, value)
            continue
        var, low = _variable(mark.source)
        found[var] = ana.simplify(operators.cast(var.dtype, operators.add(value, low)))
    return found


def _visit(mark: IterMark, order: list[IterMark]) -> None:
    """Marks after those that they are made of."""
    if mark in dict.fromkeys(order):
        return
    if isinstance(mark.source, IterSumExpr):
        for arg in mark.source.args:
            _visit(arg.source, order)
    order.append(mark)


def _distribute(ana: Analyzer, values: dict[IterMark, Expr], total: IterSumExpr, value: Expr) -> None:
    """Add to the marks of a dense sum what its value says about them."""
    rest = ana.simplify(operators.subtract(value, total.base))
    for i, arg in enumerate(total.args):
        digit = operators.floordiv(rest, arg.scale)
        if i > 0:
            digit = operators.floormod(digit, arg.extent)
        share = operators.multiply(digit, arg.lower_factor)
        old = values.get(arg.source)
        values[arg.source] = ana.simplify(share if old is None else operators.add(old, share))


def _variable(source: Expr) -> tuple[Var, Expr]:
    """Variable and start of an iterator."""
    if isinstance(source, Var):
        return source, operators.const(0, source.dtype)
    if isinstance(source, e.Sub) and isinstance(source.a, Var):
        return source.a, source.b
    raise refused("GC357", f"`{source}` is no iterator", "pass the indices of a detected map")
