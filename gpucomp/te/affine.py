"""Linear forms of index expressions, and boxes whose corners are such forms.

Bound inference works on *intervals*: a lower end and a width, both linear forms ``c0 + c1*x1 + ...`` over variables
and opaque terms.  Keeping the width apart from the lower end keeps extents constant where they are: the interval
``[ko*8, ko*8 + 7]`` has width 7 whatever ``ko`` is, with no simplification.  What is not affine goes to
``arith.eval_set``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gpucomp import arith
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, Range, Var
from gpucomp.tir.functor import free_vars

Bound = tuple[float, float]
_UNKNOWN: Bound = (float("-inf"), float("inf"))


class Linear:
    """``const + sum(coefficient * term)``.  Immutable."""

    __slots__ = ("const", "terms")

    def __init__(self, const: int, terms: dict[Expr, int]) -> None:
        self.const = const
        self.terms = terms

    def plus(self, other: Linear, times: int = 1) -> Linear:
        """self + times * other"""
        if not other.terms:
            return Linear(self.const + times * other.const, self.terms)
        terms = dict(self.terms)
        for term, c in other.terms.items():
            total = terms.get(term, 0) + times * c
            if total:
                terms[term] = total
            else:
                terms.pop(term, None)
        return Linear(self.const + times * other.const, terms)

    def scaled(self, times: int) -> Linear:
        """times * self"""
        if times == 1:
            return self
        return Linear(self.const * times, {t: c * times for t, c in self.terms.items()} if times else {})

    def shifted(self, by: int) -> Linear:
        """self + by"""
        return Linear(self.const + by, self.terms) if by else self

    def value(self) -> int | None:
        """The value of a constant form."""
        return None if self.terms else self.const

    def same(self, other: Linear) -> bool:
        """True for equal forms."""
        if self.const != other.const or len(self.terms) != len(other.terms):
            return False
        return all([other.terms.get(t) == c for t, c in self.terms.items()])


ZERO = Linear(0, {})


class Interval(NamedTuple):
    """``[low, low + width]``, both ends included."""

    low: Linear
    width: Linear


class Forms:
    """Conversion between expressions and linear forms, with what is known about the ranges of variables."""

    def __init__(self, analyzer: arith.Analyzer) -> None:
        self.analyzer = analyzer
        self.ranges: dict[Var, Bound] = {}
        self._memo: dict[Expr, Linear] = {}

    def declare(self, var: Var, low: Expr, extent: Expr) -> None:
        """Say that ``low <= var < low + extent``."""
        lo, size = self.bound(self.of(low)), self.bound(self.of(extent))
        old = self.ranges.get(var, _UNKNOWN)
        known = self.ranges[var] = (max(old[0], lo[0]), min(old[1], lo[1] + size[1] - 1))
        if known[1] == float("inf") and old is _UNKNOWN:
            self.analyzer.bind(var, Range.from_min_extent(low, extent))  # symbolic: proofs need the analyzer

    # -- expressions to forms and back ------------------------------------------------------------------------

    def of(self, x: Expr) -> Linear:
        """The linear form of an integer expression; what is not affine becomes a term."""
        kind = type(x)
        if kind is e.IntImm:
            return Linear(x.value, {})  # pyright: ignore[reportAttributeAccessIssue]  # an IntImm has a value
        if kind is Var or kind is e.SizeVar:
            return Linear(0, {x: 1})
        done = self._memo.get(x)
        if done is None:
            done = self._memo[x] = self._compute(x)
        return done

    def _compute(self, x: Expr) -> Linear:
        kind = type(x)
        if x.depth > 60 or not isinstance(x, e.BinaryOp):
            return Linear(0, {x: 1})
        if kind is e.Add:
            return self.of(x.a).plus(self.of(x.b))
        if kind is e.Sub:
            return self.of(x.a).plus(self.of(x.b), -1)
        if kind is e.Mul:
            return self.times(self.of(x.a), x.b)
        if kind is e.FloorDiv and isinstance(x.b, e.IntImm) and x.b.value > 0:
            return self.floordiv(self.of(x.a), x.b.value, x.dtype)
        if kind is e.FloorMod and isinstance(x.b, e.IntImm) and x.b.value > 0:
            return self.floormod(self.of(x.a), x.b.value, x.dtype)
        return Linear(0, {x: 1})

    def expr(self, form: Linear, dtype: str = "int32") -> Expr:
        """The expression of a form."""
        result: Expr | None = None
        for term, c in form.terms.items():
            if result is None:
                result = operators.multiply(term, c)
            elif c < 0:
                result = operators.subtract(result, operators.multiply(term, -c))
            else:
                result = operators.add(result, operators.multiply(term, c))
        if result is None:
            return operators.const(form.const, dtype)
        if form.const < 0:
            return operators.subtract(result, -form.const)
        return operators.add(result, form.const)

    def times(self, form: Linear, factor: Expr) -> Linear:
        """form * factor, for a factor that need not be constant."""
        other = self.of(factor)
        if (c := other.value()) is not None:
            return form.scaled(c)
        if (c := form.value()) is not None:
            return other.scaled(c)
        return Linear(0, {operators.multiply(self.expr(form, factor.dtype), factor): 1})

    def floordiv(self, form: Linear, c: int, dtype: str) -> Linear:
        """form // c, the divisible part taken out."""
        whole, rest = _by_divisor(form, c)
        low, high = self.bound(rest)
        if _quotient(low, c) == _quotient(high, c):
            return whole.shifted(int(low // c))
        return whole.plus(Linear(0, {operators.floordiv(self.expr(rest, dtype), c): 1}))

    def floormod(self, form: Linear, c: int, dtype: str) -> Linear:
        """form % c, the divisible part left out."""
        _, rest = _by_divisor(form, c)
        low, high = self.bound(rest)
        if _quotient(low, c) == _quotient(high, c):
            return rest.shifted(-c * int(low // c))
        return Linear(0, {operators.floormod(self.expr(rest, dtype), c): 1})

    # -- constant bounds ----------------------------------------------------------------------------------------

    def bound(self, form: Linear) -> Bound:
        """Smallest and largest value, infinite where unknown."""
        low: float = form.const
        high: float = form.const
        for term, c in form.terms.items():
            a, b = self._term_bound(term)
            low += c * (a if c > 0 else b)
            high += c * (b if c > 0 else a)
        return low, high

    def _term_bound(self, term: Expr) -> Bound:
        if isinstance(term, Var):
            known = self.ranges.get(term)
            if known is not None:
                return known
            return (0.0, float("inf")) if isinstance(term, e.SizeVar) else _UNKNOWN
        if isinstance(term, e.FloorMod) and isinstance(term.b, e.IntImm) and term.b.value > 0:
            return 0, term.b.value - 1
        if isinstance(term, e.FloorDiv) and isinstance(term.b, e.IntImm) and term.b.value > 0:
            low, high = self.bound(self.of(term.a))
            return _quotient(low, term.b.value), _quotient(high, term.b.value)
        if isinstance(term, e.Cast):  # a thread among loops of 64 bits
            wider = term.dtype.is_int and term.value.dtype.is_int and term.dtype.bits > term.value.dtype.bits
            return self.bound(self.of(term.value)) if wider else _UNKNOWN
        if isinstance(term, (e.Min, e.Max)):
            (a, b), (c, d) = self.bound(self.of(term.a)), self.bound(self.of(term.b))
            pick = min if isinstance(term, e.Min) else max
            return pick(a, c), pick(b, d)
        return _UNKNOWN

    def at_least(self, form: Linear, value: int) -> bool:
        """True when the form is proven to be >= value."""
        if self.bound(form)[0] >= value:
            return True
        if not form.terms:
            return False
        return bool(self.analyzer.can_prove_greater_equal(self.expr(form), value))

    # -- intervals ------------------------------------------------------------------------------------------------

    def point(self, x: Expr) -> Interval:
        """The interval of one value."""
        return Interval(self.of(x), ZERO)

    def box(self, low: Expr, extent: Expr) -> Interval:
        """The interval [low, low + extent)."""
        return Interval(self.of(low), self.of(extent).shifted(-1))

    def divide(self, x: Interval, c: int, dtype: str) -> Interval:
        """All values of v // c for v in x."""
        whole, rest = _by_divisor(x.low, c)
        low, width = rest.value(), x.width.value()
        if low is not None and width is not None:
            first = low // c
            return Interval(whole.shifted(first), Linear((low + width) // c - first, {}))
        step = _common_step(rest, c)
        if width is not None and step > 1 and rest.const % step + width < step:
            # Every value is in one step, and the divisor is made of whole steps.
            inner = self.floordiv(_scaled_down(rest.shifted(-(rest.const % step)), step), c // step, dtype)
            return Interval(whole.plus(inner), ZERO)
        base = self.floordiv(x.low, c, dtype)
        if width is not None:
            # The offset within a step is unknown: at most one more step than the width needs.
            return Interval(base, Linear(-(-width // c), {}))
        top = self.floordiv(x.low.plus(x.width), c, dtype)
        return Interval(base, top.plus(base, -1))

    def remainder(self, x: Interval, c: int, dtype: str) -> Interval:
        """All values of v % c for v in x."""
        _, rest = _by_divisor(x.low, c)
        low, width = rest.value(), x.width.value()
        if low is not None and width is not None and low % c + width < c:
            return Interval(Linear(low % c, {}), x.width)
        if width == 0:
            return Interval(self.floormod(x.low, c, dtype), ZERO)
        step = _common_step(rest, c)
        if width is not None and step > 1 and rest.const % step + width < step:
            first = rest.const % step
            inner = self.floormod(_scaled_down(rest.shifted(-first), step), c // step, dtype)
            return Interval(inner.scaled(step).shifted(first), x.width)
        return Interval(ZERO, Linear(c - 1, {}))

    def evaluate(self, x: Expr, relax: Mapping[Var, Interval]) -> Interval | None:
        """All values of an expression while the variables of ``relax`` run over their intervals; None: anything."""
        return self.evaluate_form(self.of(x), relax, x.dtype)

    def evaluate_form(self, form: Linear, relax: Mapping[Var, Interval], dtype: str) -> Interval | None:
        """As :meth:`evaluate`, of a linear form."""
        low, width = Linear(form.const, {}), ZERO
        for term, c in form.terms.items():
            part = self._evaluate_term(term, relax, dtype)
            if part is None:
                return None
            if c > 0:
                low = low.plus(part.low, c)
            else:
                low = low.plus(part.low.plus(part.width), c)
            width = width.plus(part.width, abs(c))
        return Interval(self._joined(low), width)

    def _joined(self, form: Linear) -> Linear:
        """A form in which ``k*(a // k) + a % k`` is ``a`` again."""
        for term, c in form.terms.items():
            if not isinstance(term, e.FloorMod) or not isinstance(term.b, e.IntImm):
                continue
            for other, k in form.terms.items():
                if k == c * term.b.value and isinstance(other, e.FloorDiv) and other.a is term.a and other.b is term.b:
                    rest = {t: n for t, n in form.terms.items() if t is not term and t is not other}
                    return self._joined(Linear(form.const, rest).plus(self.of(term.a), c))
        return form

    def _evaluate_term(self, term: Expr, relax: Mapping[Var, Interval], dtype: str) -> Interval | None:
        if isinstance(term, Var):
            return relax.get(term) or Interval(Linear(0, {term: 1}), ZERO)
        used = [v for v in relax if v in free_vars(term)]
        if not used:
            return Interval(Linear(0, {term: 1}), ZERO)
        if isinstance(term, (e.FloorDiv, e.FloorMod)) and isinstance(term.b, e.IntImm) and term.b.value > 0:
            inner = self.evaluate(term.a, relax)
            if inner is None:
                return None
            step = self.divide if isinstance(term, e.FloorDiv) else self.remainder
            return step(inner, term.b.value, dtype)
        if isinstance(term, e.Mul):
            scaled = self._evaluate_scaled(term, relax)
            if scaled is not None:
                return scaled
        return self._evaluate_any(term, {v: relax[v] for v in used})

    def _evaluate_scaled(self, term: e.Mul, relax: Mapping[Var, Interval]) -> Interval | None:
        """The values of a product with a factor that stands still and is known to be >= 0, a symbolic split factor."""
        for moving, factor in ((term.a, term.b), (term.b, term.a)):
            still = free_vars(factor).isdisjoint(relax)
            if still and self.analyzer.const_int_bound(factor).min_value >= 0:
                inner = self.evaluate(moving, relax)
                return inner and Interval(self.times(inner.low, factor), self.times(inner.width, factor))
        return None

    def _evaluate_any(self, term: Expr, relax: dict[Var, Interval]) -> Interval | None:
        domains = {
            v: arith.IntervalSet(self.expr(i.low, v.dtype), self.expr(i.low.plus(i.width), v.dtype))
            for v, i in relax.items()
        }
        result = arith.eval_set(term, domains)
        if result.is_nothing() or not result.has_lower_bound() or not result.has_upper_bound():
            return None
        low, high = result.min_value, result.max_value
        first = self.of(self.analyzer.simplify(low))
        return Interval(first, self.of(self.analyzer.simplify(high)).plus(first, -1))

    def union(self, parts: Iterable[Interval | None]) -> Interval | None:
        """The smallest interval that covers all of them; None when that is not known."""
        result: Interval | None = None
        for part in parts:
            if part is None:
                return None
            if result is None:
                result = part
                continue
            result = self._cover(result, part)
            if result is None:
                return None
        return result

    def _cover(self, a: Interval, b: Interval) -> Interval | None:
        if a.low.same(b.low) and a.width.same(b.width):
            return a
        start = b.low.plus(a.low, -1)
        end = start.plus(b.width).plus(a.width, -1)
        low = self._smaller(start)
        high = self._smaller(end.scaled(-1))
        if low is None or high is None:
            return None
        first = b.low if low else a.low
        last = b.low.plus(b.width) if high else a.low.plus(a.width)
        return Interval(first, last.plus(first, -1))

    def _smaller(self, difference: Linear) -> bool | None:
        """True for a difference proven <= 0, False for one proven >= 0, None otherwise."""
        low, high = self.bound(difference)
        if high <= 0:
            return True
        return False if low >= 0 else None


def _quotient(value: float, c: int) -> float:
    return value if value in _UNKNOWN else value // c


def _common_step(form: Linear, c: int) -> int:
    """The largest number that divides ``c`` and every coefficient."""
    return math.gcd(c, *form.terms.values()) if form.terms else 1


def _scaled_down(form: Linear, by: int) -> Linear:
    """A form of which ``by`` divides all parts, divided by it."""
    return Linear(form.const // by, {term: c // by for term, c in form.terms.items()})


def _by_divisor(form: Linear, c: int) -> tuple[Linear, Linear]:
    """Split a form into (q, r) with form == c*q + r, taking every divisible term into q."""
    whole: dict[Expr, int] = {}
    rest: dict[Expr, int] = {}
    for term, k in form.terms.items():
        if k % c == 0:
            whole[term] = k // c
        else:
            rest[term] = k
    if not rest:
        return Linear(form.const // c, whole), Linear(form.const % c, {})
    return Linear(form.const // c, whole), Linear(form.const % c, rest)
