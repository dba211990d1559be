"""Detection of maps from loop iterators to indices that are bijective, or at least onto a box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gpucomp.arith.analyzer import Analyzer
from gpucomp.arith.int_constraints import refused
from gpucomp.arith.iter_map import (
    IterMapLevel,
    IterMapResult,
    IterMark,
    IterSplitExpr,
    IterSumExpr,
    is_int,
    mark_value,
    normalize_iter_map_to_expr,
)
from gpucomp.arith.iter_marks import NotAnIterMap, mentions
from gpucomp.arith.iter_rewrite import Rewriter
from gpucomp.arith.logic import operands
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, IntImm, IterVar, Range, Var
from gpucomp.tir.functor import free_vars

Iters = Mapping[Var, Range] | Mapping[IterVar, Range] | Mapping[Var | IterVar, Range]
Uses = dict[IterMark, list[IterSplitExpr]]


def detect_iter_map(
    indices: Sequence[ExprLike],
    input_iters: Iters,
    predicate: ExprLike = True,
    check_level: IterMapLevel | str = IterMapLevel.Surjective,
    simplify_trivial_iterators: bool = True,
) -> IterMapResult:
    """Write indices as fused digits of iterators, and prove that they take all values of a box independently.

    Each index becomes ``scale * digit + base`` of one mark.  Under ``Surjective`` the tuple of indices takes every
    combination of the values of its digits; under ``Bijective`` each exactly once; under ``NoCheck`` digits may be
    shared.  Where a divisor does not divide an extent, the iterator is padded (not under ``Bijective``): the map is
    onto the box from the padded iterators, and ``padding_predicate`` says which of their values are padding.

    Args:
        indices: integer expressions.
        input_iters: variable -> range; other variables are parameters.  Symbolic extents count as at least 1.
        predicate: conjunction of bounds on dense sums of iterators, as the guards of uneven splits are.
        check_level: a level, or its name.
        simplify_trivial_iterators: replace an iterator of extent 1 by its value.

    Returns:
        The result; its ``indices`` are empty and its ``errors`` say why where there is no such map.

    Raises:
        LowerError: an index is no scalar integer, or the predicate no condition.

    Source: the fusing and splitting of loops, read backwards: mixed-radix digits.

    >>> from gpucomp import arith, te
    >>> from gpucomp.tir import Range
    >>> i, j = te.var("i"), te.var("j")
    >>> found = arith.detect_iter_map([i * 8 + j], {i: Range(0, 8), j: Range(0, 8)}, i * 8 + j < 60, "bijective")
    >>> found.indices[0].args[0].extent
    60
    """
    level = IterMapLevel.from_str(check_level) if isinstance(check_level, str) else check_level
    nodes = index_expressions(indices)
    iters = plain_iters(input_iters)
    constraints = conjuncts(predicate)
    errors: list[str] = []
    for attempt in (nodes, _simplified(nodes, iters)):
        rewriter = Rewriter(
            iters, padding=level is not IterMapLevel.Bijective, simplify_trivial=simplify_trivial_iterators
        )
        try:
            sums = rewriter.run(constraints, attempt)
            if level is not IterMapLevel.NoCheck:
                Checker(rewriter, level).check(sums)
        except NotAnIterMap as error:
            errors.append(str(error))
            continue
        return IterMapResult(sums, [], _padding(rewriter))
    return IterMapResult([], list(dict.fromkeys(errors)), e.IntImm(operators.BOOL, 0))


def iter_map_simplify(
    indices: Sequence[ExprLike],
    input_iters: Iters,
    predicate: ExprLike = True,
    check_level: IterMapLevel | str = IterMapLevel.Surjective,
    simplify_trivial_iterators: bool = True,
) -> list[Expr]:
    """Simplify indices by what they are as a map of iterators; see :func:`detect_iter_map`.

    Returns:
        Expressions equal to the indices wherever the predicate holds; merely simplified where there is no such map.
    """
    found = detect_iter_map(indices, input_iters, predicate, check_level, simplify_trivial_iterators)
    iters = plain_iters(input_iters)
    nodes = index_expressions(indices)
    if not found.indices:
        return _simplified(nodes, iters)
    return _simplified([normalize_iter_map_to_expr(x) for x in found.indices], iters)


def normalize_to_iter_sum(index: ExprLike, input_iters: Iters) -> IterSumExpr:
    """Write an index as a sum of digits, by falling scale; what is no digit goes into the base.

    The digits may overlap and leave gaps.
    """
    (node,) = index_expressions([index])
    rewriter = Rewriter(plain_iters(input_iters), padding=False, simplify_trivial=True)
    total = IterSumExpr([], operators.const(0, node.dtype))
    for sign, term in _terms(node):
        try:
            part = rewriter.rewrite(term)
        except NotAnIterMap:
            part = IterSumExpr([], term)
        total = rewriter.plus(total, part, sign)

    def falling(arg: IterSplitExpr) -> tuple[int, int]:
        return (0, -arg.scale.value) if isinstance(arg.scale, IntImm) else (-1, 0)

    return IterSumExpr(sorted(total.args, key=falling), total.base)


def index_expressions(indices: Sequence[ExprLike]) -> list[Expr]:
    """The indices as expressions, checked."""
    nodes = [operators.convert(x) for x in indices]
    for node in nodes:
        if not node.dtype.is_int or node.dtype.lanes != 1:
            raise refused("GC354", f"index `{node}` has type {node.dtype}", "indices are scalar integers")
    return nodes


def plain_iters(iters: Iters) -> dict[Var, Range]:
    """The iterators by variable."""
    return {(k.var if isinstance(k, IterVar) else k): v for k, v in iters.items()}


def conjuncts(predicate: ExprLike) -> list[Expr]:
    """The conditions of a conjunction, those about few variables first."""
    node = e.IntImm(operators.BOOL, int(predicate)) if isinstance(predicate, bool) else operators.convert(predicate)
    if not node.dtype.is_bool or node.dtype.lanes != 1:
        raise refused("GC355", f"predicate `{node}` is no condition", "pass comparisons such as i * 8 + j < 60")
    return sorted(operands(e.And, node), key=lambda x: len(free_vars(x)))


def _simplified(nodes: list[Expr], iters: dict[Var, Range]) -> list[Expr]:
    ana = Analyzer()
    for var, domain in iters.items():
        ana.bind(var, domain)
    return [ana.simplify(x) for x in nodes]


def _terms(node: Expr) -> list[tuple[int, Expr]]:
    """Summands with their signs."""
    found: list[tuple[int, Expr]] = []
    stack = [(1, node)]
    while stack:
        sign, item = stack.pop()
        if isinstance(item, (e.Add, e.Sub)):
            stack += [(sign if isinstance(item, e.Add) else -sign, item.b), (sign, item.a)]
        else:
            found.append((sign, item))
    return found


def _padding(rewriter: Rewriter) -> Expr:
    """True where a padded mark has a value outside of its real part."""
    total: Expr = e.IntImm(operators.BOOL, 0)
    for mark, (low, high) in rewriter.padded.items():
        value = mark_value(mark)
        outside: Expr = operators.compare(e.GE, value, high)
        if not is_int(low, 0):
            outside = operators.logical(e.Or, operators.compare(e.LT, value, low), outside)
        total = outside if isinstance(total, IntImm) else operators.logical(e.Or, total, outside)
    return total


class Checker:
    """Proves that digits are independent, or that they make up their marks."""

    def __init__(self, rewriter: Rewriter, level: IterMapLevel) -> None:
        self.rewriter = rewriter
        self.level = level

    def check(self, sums: Sequence[IterSumExpr]) -> None:
        """Raise NotAnIterMap unless the sums are a map of the level that was asked for."""
        uses: Uses = {}
        for total in sums:
            for arg in total.args:
                uses.setdefault(arg.source, []).append(arg)
        direct = dict.fromkeys(uses)
        pending = list(uses)
        opened: dict[IterMark, None] = {}
        while pending:
            mark = pending.pop()
            if mark in opened or not isinstance(mark.source, IterSumExpr):
                continue
            opened[mark] = None
            for arg in mark.source.args:
                uses.setdefault(arg.source, []).append(arg)
                pending.append(arg.source)
        for item in self.rewriter.narrowed:
            for digit in item.digits:
                if (item.mark not in opened and digit[0] in uses) or digit[0] in direct:
                    raise NotAnIterMap(f"a predicate bounds a sum in which {mark_value(digit[0])} occurs")
        for mark, splits in uses.items():
            self._check_mark(mark, splits)
        if self.level is IterMapLevel.Bijective:
            self._check_all_used(uses)

    def _check_mark(self, mark: IterMark, splits: list[IterSplitExpr]) -> None:
        """The digits of a mark are different ones, and under Bijective all of them."""
        r = self.rewriter
        rest = [s for s in splits if not is_int(s.extent, 1)]
        expected: Expr = operators.const(1, mark.extent.dtype)
        exact = self.level is IterMapLevel.Bijective
        while rest:
            following = next((s for s in rest if self._may_follow(expected, s, rest, exact)), None)
            if following is None:
                raise NotAnIterMap(f"digits of {mark_value(mark)} overlap or leave gaps")
            rest.remove(following)
            expected = r.times(following.lower_factor, following.extent)
        if exact and not r.equal(expected, mark.extent):
            raise NotAnIterMap(f"the digits of {mark_value(mark)} take {expected} of its {mark.extent} values")
        if not r.divides(expected, mark.extent):
            raise NotAnIterMap(f"{expected} does not divide the extent {mark.extent} of {mark_value(mark)}")

    def _may_follow(self, expected: Expr, split: IterSplitExpr, rest: list[IterSplitExpr], exact: bool) -> bool:
        r = self.rewriter
        if exact:
            return r.equal(expected, split.lower_factor)
        end = r.times(split.lower_factor, split.extent)
        others = [s for s in rest if s is not split]
        return r.divides(expected, split.lower_factor) and all([r.divides(end, s.lower_factor) for s in others])

    def _check_all_used(self, uses: Uses) -> None:
        settled = [x.mark for x in self.rewriter.narrowed if is_int(x.mark.extent, 1)]
        for var, total in self.rewriter.marks.items():
            for arg in total.args:
                if any([mentions(mark, arg.source) for mark in settled]):
                    continue  # the predicate leaves one value
                if arg.source not in uses and not is_int(arg.source.extent, 1):
                    raise NotAnIterMap(f"iterator {var.name} occurs in no index")
