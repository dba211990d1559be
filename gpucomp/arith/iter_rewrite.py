"""Rewriting of index expressions into sums of digits of iterators."""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp.arith.iter_map import IterMark, IterSplitExpr, IterSumExpr, ceil_div, is_int, mark_value
from gpucomp.arith.iter_marks import Digits, Marks, Narrowed, NotAnIterMap, PaddingNeeded
from gpucomp.arith.logic import strip_likely
from gpucomp.arith.state import Node
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IntImm, Var
from gpucomp.tir.functor import free_vars


class Rewriter(Marks):
    """Rewrites expressions over one set of iterators."""

    def run(self, constraints: Sequence[Expr], indices: Sequence[Expr]) -> list[IterSumExpr]:
        """The indices as sums, under constraints; pads and starts over until nothing needs padding.

        Raises:
            NotAnIterMap: there is no such form.
        """
        for _ in range(8):
            try:
                self._start()
                for constraint in constraints:
                    self.constrain(constraint)
                self._check_narrowed()
                self._apply_padding()
                return [self.fuse(self.rewrite(index)) for index in indices]
            except PaddingNeeded:
                continue
        raise NotAnIterMap("the divisors ask for ever more padding")

    # -- expressions ------------------------------------------------------------------------------------------

    def rewrite(self, node: Expr) -> IterSumExpr:
        """The sum of digits that an expression is.

        Raises:
            NotAnIterMap: it is none.
        """
        if not node.dtype.is_int or node.dtype.lanes != 1:
            raise NotAnIterMap(f"`{node}` is no integer")
        if isinstance(node, Var):
            return self.marks.get(node) or IterSumExpr([], node)
        return IterSumExpr([], node) if free_vars(node).isdisjoint(self.iters) else self._operation(node)

    def _operation(self, node: Node) -> IterSumExpr:
        kind = type(node)
        if kind is e.Add:
            return self.plus(self.rewrite(node.a), self.rewrite(node.b), 1)
        if kind is e.Sub:
            return self.plus(self.rewrite(node.a), self.rewrite(node.b), -1)
        if kind is e.Mul:
            a, b = self.rewrite(node.a), self.rewrite(node.b)
            if a.args and b.args:
                raise NotAnIterMap(f"`{node}` multiplies iterators")
            return self.scaled(b, a.base) if b.args else self.scaled(a, b.base)
        if kind is e.FloorDiv or kind is e.FloorMod:
            return self._divided(node, quotient=kind is e.FloorDiv)
        if (kind is e.Div or kind is e.Mod) and self.ana.can_prove_greater_equal(node.a, 0):
            return self._divided(node, quotient=kind is e.Div)
        if kind is e.Cast and node.value.dtype.code == node.dtype.code and node.value.dtype.bits <= node.dtype.bits:
            inner = self.rewrite(node.value)
            return IterSumExpr(inner.args, operators.cast(node.dtype, inner.base))
        raise NotAnIterMap(f"`{node}` is no sum, multiple, quotient or remainder of iterators")

    def scaled(self, total: IterSumExpr, factor: Expr) -> IterSumExpr:
        """total * factor"""
        if is_int(factor, 0):
            return IterSumExpr([], factor)
        args = [a.scaled(self.times(a.scale, factor)) for a in total.args]
        return IterSumExpr(args, self.times(total.base, factor))

    def plus(self, a: IterSumExpr, b: IterSumExpr, sign: int) -> IterSumExpr:
        """a + sign * b, with equal digits merged."""
        scales: dict[tuple[IterMark, Expr, Expr], Expr] = {}
        for total, k in ((a, 1), (b, sign)):
            for arg in total.args:
                scale = arg.scale if k == 1 else operators.negate(arg.scale)
                old = scales.get(arg.digit())
                scales[arg.digit()] = scale if old is None else self.ana.simplify(operators.add(old, scale))
        args = [IterSplitExpr(*digit, scale) for digit, scale in scales.items() if not is_int(scale, 0)]
        join = operators.add if sign == 1 else operators.subtract
        return IterSumExpr(self._joined(args), self.ana.simplify(join(a.base, b.base)))

    def _joined(self, args: list[IterSplitExpr]) -> list[IterSplitExpr]:
        """Neighbouring digits of one mark that stand together are one digit: x // 4 * 4 + x % 4 is x."""
        for low in args:
            for high in args:
                if low is high or low.source is not high.source:
                    continue
                if not self.equal(self.times(low.lower_factor, low.extent), high.lower_factor):
                    continue
                if self.equal(self.times(low.scale, low.extent), high.scale):
                    extent = self.times(low.extent, high.extent)
                    both = IterSplitExpr(low.source, low.lower_factor, extent, low.scale)
                    return self._joined([both if a is high else a for a in args if a is not low])
        return args

    # -- fusing -----------------------------------------------------------------------------------------------

    def narrow_all(self, total: IterSumExpr) -> IterSumExpr:
        """The sum with those parts that a predicate narrows as single digits of their narrowed marks."""
        for item in self.narrowed:
            total = self._replaced(total, item)
        return total

    def _replaced(self, total: IterSumExpr, item: Narrowed) -> IterSumExpr:
        rest = list(total.args)
        factor: Expr | None = None
        for mark, low, extent, scale in item.digits:
            mine = next((a for a in rest if a.source is mark and a.lower_factor is low and a.extent is extent), None)
            if mine is None:
                return total
            if factor is None:
                if not self.divides(scale, mine.scale):
                    return total
                factor = self.quotient(mine.scale, scale)
            if not self.equal(self.times(scale, factor), mine.scale):
                return total
            rest.remove(mine)
        assert factor is not None
        base = self.ana.simplify(operators.add(total.base, operators.multiply(item.low, factor)))
        if is_int(item.mark.extent, 1) and self.simplify_trivial:
            return IterSumExpr(rest, base)
        return IterSumExpr([*rest, IterSplitExpr(item.mark, 1, item.mark.extent, factor)], base)

    def fuse(self, total: IterSumExpr) -> IterSumExpr:
        """A sum of at most one digit, of a mark that fuses all the digits.

        Raises:
            NotAnIterMap: the digits leave gaps or overlap.
        """
        total = self.narrow_all(total)
        if len(total.args) <= 1:
            self._check_sign(total)
            return total
        args = self.dense(total.args)
        unit = args[-1].scale
        scaled = [a.scaled(self.quotient(a.scale, unit)) for a in args]
        mark = self._fused_mark(scaled)
        return IterSumExpr([IterSplitExpr(mark, 1, mark.extent, unit)], total.base)

    def _check_sign(self, total: IterSumExpr) -> None:
        for arg in total.args:
            if not self.at_most(operators.const(1, arg.scale.dtype), arg.scale):
                raise NotAnIterMap(f"the scale {arg.scale} of {mark_value(arg.source)} is not positive")

    def dense(self, args: Sequence[IterSplitExpr]) -> list[IterSplitExpr]:
        """The digits sorted so that each scale is scale * extent of the next one.

        Raises:
            NotAnIterMap: there is no such order.
        """
        constants = [a for a in args if isinstance(a.scale, IntImm)]
        starts = [min(constants, key=lambda a: (a.scale.value, _size(a)))] if constants else list(args)  # pyright: ignore[reportAttributeAccessIssue]  # the scales of these are IntImm
        for start in starts:
            chain = self._chain(start, args)
            if chain is not None:
                return chain
        words = ", ".join([f"{mark_value(a.source)} (extent {a.extent}, scale {a.scale})" for a in args])
        raise NotAnIterMap(f"the digits leave gaps or overlap: {words}")

    def _chain(self, start: IterSplitExpr, args: Sequence[IterSplitExpr]) -> list[IterSplitExpr] | None:
        self._check_sign(IterSumExpr([start], start.scale))
        chain = [start]
        rest = [a for a in args if a is not start]
        while rest:
            expected = self.times(chain[-1].scale, chain[-1].extent)
            matching = [a for a in rest if self.equal(a.scale, expected)]
            if not matching:
                return None
            following = next((a for a in matching if is_int(a.extent, 1)), matching[0])
            chain.append(following)
            rest.remove(following)
        return chain[::-1]

    # -- quotients and remainders -----------------------------------------------------------------------------

    def _divided(self, node: e.BinaryOp, *, quotient: bool) -> IterSumExpr:
        divisor = self.rewrite(node.b)
        if divisor.args:
            raise NotAnIterMap(f"`{node}` divides by an iterator")
        c = self.ana.simplify(divisor.base)
        if not self.at_most(operators.const(1, c.dtype), c):
            raise NotAnIterMap(f"the divisor {c} may not be positive")
        return self._divide(self.narrow_all(self.rewrite(node.a)), c, quotient=quotient)

    def _divide(self, total: IterSumExpr, c: Expr, *, quotient: bool) -> IterSumExpr:
        """total // c or total % c: what ``c`` divides leaves first, then one fused digit is split."""
        whole = [a for a in total.args if self.divides(c, a.scale)]
        rest = [a for a in total.args if a not in whole]
        base_whole = self.quotient(total.base, c)
        base_rest = self.ana.simplify(operators.subtract(total.base, operators.multiply(base_whole, c)))
        base_rest = self.ana.simplify(base_rest)
        remaining = IterSumExpr(rest, base_rest)
        if self._below(remaining, c):
            if not quotient:
                return remaining
            args = [a.scaled(self.quotient(a.scale, c)) for a in whole]
            return IterSumExpr(args, base_whole)
        digit, offset = self._single(remaining)
        high, low = self._split(digit, offset, c)
        if not quotient:
            return low
        args = [a.scaled(self.quotient(a.scale, c)) for a in whole]
        return self.plus(IterSumExpr(args, base_whole), high, 1)

    def _below(self, total: IterSumExpr, c: Expr) -> bool:
        """True if 0 <= total < c."""
        zero, one = operators.const(0, c.dtype), operators.const(1, c.dtype)
        low = high = total.base
        for arg in total.args:
            if not self.at_most(one, arg.scale):
                return False
            high = operators.add(high, operators.multiply(operators.subtract(arg.extent, 1), arg.scale))
        return self.at_most(zero, self.ana.simplify(low)) and self.at_most(self.ana.simplify(operators.add(high, 1)), c)

    def _single(self, total: IterSumExpr) -> tuple[IterSplitExpr, Expr]:
        fused = self.fuse(total)
        if not fused.args:
            raise NotAnIterMap(f"`{fused.base}` has no iterator to split")
        return fused.args[0], fused.base

    def _split(self, digit: IterSplitExpr, offset: Expr, c: Expr) -> tuple[IterSumExpr, IterSumExpr]:
        """Quotient and remainder of digit + offset by c."""
        scale, zero = digit.scale, operators.const(0, c.dtype)
        if not self.divides(scale, c):
            raise NotAnIterMap(f"the scale {scale} of {mark_value(digit.source)} does not divide {c}")
        divisor = self.quotient(c, scale)
        steps = self.quotient(offset, scale)
        left = self.ana.simplify(operators.subtract(offset, operators.multiply(steps, scale)))
        if not is_int(steps, 0):
            digit = self._shifted(digit, steps, divisor)
        if not self.divides(divisor, digit.extent):
            if not self._on_top(digit):
                raise NotAnIterMap(f"{divisor} does not divide the extent {digit.extent} of {digit}")
            self._pad(digit.source, self.times(digit.lower_factor, divisor))
        low = IterSplitExpr(digit.source, digit.lower_factor, divisor, scale)
        lower = self.times(digit.lower_factor, divisor)
        high = IterSplitExpr(digit.source, lower, self.quotient(digit.extent, divisor), operators.const(1, c.dtype))
        highs = [] if is_int(high.extent, 1) else [high]
        return IterSumExpr(highs, zero), IterSumExpr([] if is_int(divisor, 1) else [low], left)

    def _on_top(self, digit: IterSplitExpr) -> bool:
        return self.equal(self.times(digit.lower_factor, digit.extent), digit.source.extent)

    def _shifted(self, digit: IterSplitExpr, steps: Expr, divisor: Expr) -> IterSplitExpr:
        """digit + steps, as a digit of a mark that starts earlier: padded on the left."""
        if not self.padding or self.constraining or digit.source in self.padded:
            raise NotAnIterMap(f"{mark_value(digit.source)} starts {steps} steps after a multiple of {divisor}")
        if not (is_int(digit.lower_factor, 1) and self._on_top(digit)):
            raise NotAnIterMap(f"only a part of {mark_value(digit.source)} is moved by {steps}")
        unit = operators.const(1, digit.scale.dtype)
        key: Digits = ((*digit.digit(), unit), (digit.source, steps, steps, unit))
        found = self.fused.get(key)
        if found is None:
            end = self.ana.simplify(operators.add(digit.source.extent, steps))
            extent = self.times(ceil_div(end, divisor), divisor)
            multiple = self.multiples.get(key)
            if multiple is not None:
                extent = self.times(ceil_div(end, multiple), multiple)
            found = IterMark(IterSumExpr([digit.scaled(unit)], steps), extent)
            self.fused[key] = found
            self.origin[found] = key
            self.padded[found] = steps, end
        return IterSplitExpr(found, 1, found.extent, digit.scale)

    # -- predicates -------------------------------------------------------------------------------------------

    def constrain(self, condition: Node) -> None:
        """Narrow marks so that a comparison holds.

        Raises:
            NotAnIterMap: it is no bound of a fused sum.
        """
        condition = strip_likely(condition)
        if isinstance(condition, IntImm):
            if condition.value == 0:
                raise NotAnIterMap("the predicate is never true")
            return
        kind = type(condition)
        if free_vars(condition).isdisjoint(self.iters):
            self.ana.enter_constraint(condition)
            return
        if kind not in (e.LT, e.LE, e.GT, e.GE, e.EQ) or not condition.a.dtype.is_int:
            raise NotAnIterMap(f"the predicate `{condition}` is no bound of a sum of iterators")
        if kind is e.EQ:
            self.constrain(e.LE(condition.a, condition.b))
            self.constrain(e.GE(condition.a, condition.b))
            return
        total = self.plus(self.rewrite(condition.a), self.rewrite(condition.b), -1)
        if kind in (e.GT, e.GE):
            total = self.scaled(total, operators.const(-1, total.dtype))
        self._bound(total, 0 if kind in (e.LT, e.GT) else 1, condition)

    def _bound(self, total: IterSumExpr, slack: int, condition: Expr) -> None:
        """total < slack"""
        total = self.narrow_all(total)
        if not total.args:
            if not self.ana.can_prove(operators.compare(e.LT, total.base, slack)):
                raise NotAnIterMap(f"the predicate `{condition}` is never true")
            return
        one = operators.const(1, total.dtype)
        positive = all([self.at_most(one, a.scale) for a in total.args])
        if not positive:
            total = self.scaled(total, operators.const(-1, total.dtype))
        fused = self.fuse(total)
        digit = fused.args[0]
        if positive:  # scale * digit < slack - base
            end = ceil_div(self.ana.simplify(operators.subtract(slack, fused.base)), digit.scale)
            self._narrow(digit, None, self.ana.simplify(end), condition)
        else:  # scale * digit > -slack - base
            start = operators.subtract(operators.const(1 - slack, total.dtype), fused.base)
            self._narrow(digit, ceil_div(self.ana.simplify(start), digit.scale), None, condition)

    def _narrow(self, digit: IterSplitExpr, low: Expr | None, high: Expr | None, condition: Expr) -> None:
        """Keep of a digit's values those from ``low`` to ``high`` (not included)."""
        if low is not None and self.at_most(low, operators.const(0, low.dtype)):
            low = None
        if high is not None and self.at_most(digit.extent, high):
            high = None
        if low is None and high is None:
            return
        if not self._on_top(digit):
            raise NotAnIterMap(f"the predicate `{condition}` is about a part of {mark_value(digit.source)}")
        mark = digit.source
        if mark in self.padded:
            raise NotAnIterMap(f"{mark_value(mark)} is padded and bound by `{condition}`")
        low = None if low is None else self.times(low, digit.lower_factor)
        high = None if high is None else self.times(high, digit.lower_factor)
        source = mark.source
        if isinstance(source, IterSumExpr) and not any([x.mark is mark for x in self.narrowed]):
            top = source.args[0]
            ends = [x for x in (low, high) if x is not None]
            if self._on_top(top) and all([self.divides(top.scale, x) for x in ends]):
                outer = [None if x is None else self.quotient(x, top.scale) for x in (low, high)]
                self._narrow(top.scaled(operators.const(1, top.dtype)), outer[0], outer[1], condition)
                return
        self._replace_mark(mark, low, high, condition)

    def _replace_mark(self, mark: IterMark, low: Expr | None, high: Expr | None, condition: Expr) -> None:
        start = operators.const(0, mark.extent.dtype) if low is None else low
        end = mark.extent
        if high is not None:
            end = high if self.at_most(high, end) else self.ana.simplify(operators.minimum(high, end))
        extent = self.ana.simplify(operators.subtract(end, start))
        if isinstance(extent, IntImm) and extent.value <= 0:
            raise NotAnIterMap(f"the predicate `{condition}` is never true")
        if not isinstance(extent, IntImm):
            self.ana.enter_constraint(operators.compare(e.GE, extent, 1))
        if self._inside(mark):
            raise NotAnIterMap(f"`{condition}` bounds {mark_value(mark)}, which another predicate bounds in a sum")
        old = next((x for x in self.narrowed if x.mark is mark), None)
        if old is not None:
            self.narrowed.remove(old)
            self._add_narrowed(old.digits, self.ana.simplify(operators.add(old.low, start)), extent)
            return
        key = self.origin[mark]
        if not isinstance(key, Var):
            self._add_narrowed(key, start, extent)
            return
        self.fused.clear()
        self._add_variable(key, self.ana.simplify(operators.add(self.marks[key].base, start)), extent)

    def _add_narrowed(self, digits: Digits, low: Expr, extent: Expr) -> None:
        args = [IterSplitExpr(*digit) for digit in digits]
        mark = IterMark(IterSumExpr(args, self.ana.simplify(operators.negate(low))), extent)
        self.origin[mark] = (*digits, (args[0].source, low, low, low))  # the sum itself is padded by another key
        self.narrowed.append(Narrowed(digits, low, mark))

    def _check_narrowed(self) -> None:
        """Two predicates may not bound sums that share a digit."""
        seen: dict[IterMark, None] = {}
        for item in self.narrowed:
            for mark in dict.fromkeys([d[0] for d in item.digits]):
                if mark in seen:
                    raise NotAnIterMap(f"two predicates bound sums in which {mark_value(mark)} occurs")
                seen[mark] = None


def _size(split: IterSplitExpr) -> int:
    return split.extent.value if isinstance(split.extent, IntImm) else 1 << 62
