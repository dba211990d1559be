"""Index expressions as sums of atoms with constant factors, with the intervals of those atoms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.intrin import Op

Interval = tuple[int, int]
INFINITE: Final = 1 << 62
ANY: Final[Interval] = (-INFINITE, INFINITE)


class Affine:
    """A sum ``const + factor * atom + ...``; atoms are variables, quotients, remainders, or opaque."""

    __slots__ = ("const", "terms")

    def __init__(self, terms: dict[Expr, int], const: int) -> None:
        self.terms = terms
        self.const = const

    def plus(self, other: Affine, factor: int = 1) -> Affine:
        """self + factor * other"""
        terms = dict(self.terms)
        for atom, c in other.terms.items():
            total = terms.get(atom, 0) + factor * c
            if total:
                terms[atom] = total
            else:
                terms.pop(atom, None)
        return Affine(terms, self.const + factor * other.const)

    def times(self, factor: int) -> Affine:
        """self * factor"""
        terms = {a: c * factor for a, c in self.terms.items()} if factor else {}
        return Affine(terms, self.const * factor)


class AffineForms:
    """Computes the affine forms of index expressions, given the intervals of variables.

    Args:
        ranges: interval of each variable, inclusive; others are unbounded.
        sums: intervals of sums of two variables, where those are narrower than what their own intervals say.
        limits: intervals of some variables in place of those in ``ranges``.
    """

    def __init__(
        self,
        ranges: Mapping[Var, Interval],
        sums: Mapping[tuple[Var, Var], Interval] | None = None,
        limits: Mapping[Var, Interval] | None = None,
    ) -> None:
        self.ranges = ranges
        self.sums: Mapping[tuple[Var, Var], Interval] = {} if sums is None else sums
        self._forms: dict[Expr, Affine] = {}
        self._bounds: dict[Expr, Interval] = {**limits} if limits else {}

    def form(self, node: Expr) -> Affine:
        """The affine form; equal expressions after canonical ordering share their atoms."""
        found = self._forms.get(node)
        if found is None:
            found = self._forms[node] = self._make(node)
        return found

    def _make(self, node: Expr) -> Affine:
        if isinstance(node, e.IntImm):
            return Affine({}, node.value)
        if isinstance(node, (e.Add, e.Sub)):
            return self.form(node.a).plus(self.form(node.b), 1 if isinstance(node, e.Add) else -1)
        if isinstance(node, e.Mul):
            a, b = self.form(node.a), self.form(node.b)
            if not b.terms:
                return a.times(b.const)
            if not a.terms:
                return b.times(a.const)
        if isinstance(node, (e.FloorDiv, e.FloorMod)):
            divisor = self.form(node.b)
            if not divisor.terms and divisor.const > 0:
                return self._divide(self.form(node.a), divisor.const, quotient=isinstance(node, e.FloorDiv))
        if isinstance(node, (e.Div, e.Mod)) and node.dtype.is_int:
            divisor = self.form(node.b)
            if not divisor.terms and divisor.const > 0 and self.interval(self.form(node.a))[0] >= 0:
                return self._divide(self.form(node.a), divisor.const, quotient=isinstance(node, e.Div))
        if isinstance(node, e.Cast) and node.value.dtype.is_int and node.dtype.bits >= node.value.dtype.bits:
            return self.form(node.value)
        return Affine({node: 1}, 0)

    def _divide(self, x: Affine, d: int, *, quotient: bool) -> Affine:
        """x // d or x % d: what ``d`` divides leaves, the rest stays as a quotient or remainder of itself."""
        whole = Affine({a: c for a, c in x.terms.items() if c % d == 0}, x.const // d * d)
        rest = Affine({a: c for a, c in x.terms.items() if c % d}, x.const % d)
        low, high = self.interval(rest)
        if low >= 0 and high < d:
            return Affine({a: c // d for a, c in whole.terms.items()}, whole.const // d) if quotient else rest
        # (g y + r) % (g m) is g (y % m) + r, where 0 <= r < g; the quotient needs y and m only.
        g = math.gcd(d, *rest.terms.values())
        inner = Affine({a: c // g for a, c in rest.terms.items()}, rest.const // g)
        base = self.expression(inner)
        divisor = operators.const(d // g, base.dtype)
        if not quotient:
            return Affine({e.FloorMod(base, divisor): g}, rest.const % g)
        outer = Affine({a: c // d for a, c in whole.terms.items()}, whole.const // d)
        return outer.plus(Affine({e.FloorDiv(base, divisor): 1}, 0))

    def expression(self, form: Affine) -> Expr:
        """The canonical expression of a form: equal forms give the same object."""
        total: Expr | None = None
        for atom in sorted(form.terms, key=_order):
            c = form.terms[atom]
            term = atom if c == 1 else operators.multiply(atom, operators.const(c, atom.dtype))
            total = term if total is None else operators.add(total, term)
        if total is None:
            return operators.const(form.const)
        return operators.add(total, operators.const(form.const, total.dtype)) if form.const else total

    def interval(self, form: Affine) -> Interval:
        """Smallest and largest value of a form."""
        low = high = form.const
        terms: Mapping[Expr, int] = form.terms
        for (first, second), (x, y) in self.sums.items():
            c = terms.get(first, 0)
            if c and terms.get(second) == c:
                terms = {atom: f for atom, f in terms.items() if atom is not first and atom is not second}
                low, high = low + min(c * x, c * y), high + max(c * x, c * y)
        for atom, c in terms.items():
            x, y = self.bounds(atom)
            low, high = low + min(c * x, c * y), high + max(c * x, c * y)
        return max(low, -INFINITE), min(high, INFINITE)

    def bounds(self, atom: Expr) -> Interval:
        """Interval of an atom."""
        found = self._bounds.get(atom)
        if found is None:
            if isinstance(atom, Var):
                return self.ranges.get(atom, ANY)
            found = self._bounds[atom] = self._atom_bounds(atom)
        return found

    def _atom_bounds(self, atom: Expr) -> Interval:
        if isinstance(atom, e.FloorMod) and isinstance(atom.b, e.IntImm):
            low, high = self.interval(self.form(atom.a))
            return (0, min(high, atom.b.value - 1)) if low >= 0 else (0, atom.b.value - 1)
        if isinstance(atom, e.FloorDiv) and isinstance(atom.b, e.IntImm):
            low, high = self.interval(self.form(atom.a))
            d = atom.b.value
            return (low // d if low > -INFINITE else low, high // d if high < INFINITE else high)
        if isinstance(atom, (e.Min, e.Max)):
            (a, b), (c, d) = self.interval(self.form(atom.a)), self.interval(self.form(atom.b))
            return (min(a, c), min(b, d)) if isinstance(atom, e.Min) else (max(a, c), max(b, d))
        if is_xor(atom):
            assert isinstance(atom, e.Call)
            (a, b), (c, d) = [self.interval(self.form(x)) for x in atom.args]
            return (0, (1 << max(b, d).bit_length()) - 1) if min(a, c) >= 0 and max(b, d) < INFINITE else ANY
        if isinstance(atom, e.Select):
            (a, b), (c, d) = self.interval(self.form(atom.true_value)), self.interval(self.form(atom.false_value))
            return min(a, c), max(b, d)
        return ANY


def is_xor(node: Expr) -> bool:
    """True for the exclusive or of the bits of two integers."""
    return isinstance(node, e.Call) and isinstance(node.op, Op) and node.op.name == "tir.bitwise_xor"


def _order(atom: Expr) -> tuple[str, str]:
    """Terms are sorted by kind and name, so that sums written in different orders become the same expression."""
    return (type(atom).__name__, atom.name) if isinstance(atom, Var) else (type(atom).__name__, str(atom))
