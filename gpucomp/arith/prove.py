"""Deciding the sign of a sum: bounds first, then divisions opened, extrema split, facts used."""

from __future__ import annotations

import math

from gpucomp.arith.division import Division
from gpucomp.arith.state import Form, Node, Terms
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr

_ATTEMPTS = 32  # sums that one question may look at
_OPEN_ENDED = -(1 << 29)  # a term that may be below this has no useful bound
_OPENED = frozenset((e.FloorDiv, e.FloorMod, e.Mul))
_COMPLEX = frozenset((e.FloorDiv, e.FloorMod, e.Min, e.Max, e.Select, e.Mul))


class Prove(Division):
    """Adds :meth:`_sign` and :meth:`_prove_nonnegative`."""

    def __init__(self) -> None:
        super().__init__()
        self._attempts = 0

    def _sign(self, terms: Terms, const: int, depth: int = 2) -> bool | None:
        """True if the sum is < 0 for sure, False if it is >= 0 for sure, else None."""
        low, high = self._sum_bound(terms, const)
        if high < 0:
            return True
        if low >= 0:
            return False
        if not terms or not (self._facts or self._has_complex(terms)):
            return None
        if self._prove_nonnegative(terms, const, depth):
            return False
        if self._prove_nonnegative({t: -k for t, k in terms.items()}, -const - 1, depth):
            return True
        return None

    def _has_complex(self, terms: Terms) -> bool:
        return not _COMPLEX.isdisjoint([type(t) for t in terms])

    def _prove_nonnegative(self, terms: Terms, const: int, depth: int) -> bool:
        self._attempts = _ATTEMPTS
        return self._nonnegative(terms, const, depth)

    def _nonnegative(self, terms: Terms, const: int, depth: int) -> bool:
        if self._sum_bound(terms, const)[0] >= 0:
            return True
        if depth <= 0 or self._attempts <= 0 or not terms:
            return False
        self._attempts -= 1
        key = (depth, const, frozenset(terms.items()))
        found = self._proofs.get(key)
        if found is None:
            found = self._search(terms, const, depth)
            if found or self._attempts > 0:  # an answer cut short by the budget is no answer
                self._proofs[key] = found
        return found

    def _search(self, terms: Terms, const: int, depth: int) -> bool:
        """Try what may help; what splits an extremum loses nothing, so the first one decides."""
        for atom, k in terms.items():
            kind = type(atom)
            if kind is e.Min or kind is e.Max:
                return self._split(terms, const, atom, (kind is e.Min) == (k > 0), depth)
            if kind is e.Select:
                return self._split_select(terms, const, atom, depth)
        for atom, k in terms.items():
            if type(atom) in _OPENED:
                opened = self._open(terms, const, atom, k)
                if opened is not None and self._nonnegative(*opened, depth - 1):
                    return True
        return bool(self._facts) and self._use_facts(terms, const, depth)

    def _split(self, terms: Terms, const: int, atom: Node, both: bool, depth: int) -> bool:
        """An extremum is one of its operands: ask about both, or about either where it bounds the sum."""
        one = self._nonnegative(*self._replace(terms, const, atom, self._form(atom.a)), depth)
        if one != both:
            return one
        return self._nonnegative(*self._replace(terms, const, atom, self._form(atom.b)), depth)

    def _split_select(self, terms: Terms, const: int, atom: Node, depth: int) -> bool:
        x, y = self._form(atom.true_value), self._form(atom.false_value)
        return self._nonnegative(*self._replace(terms, const, atom, x), depth) and self._nonnegative(
            *self._replace(terms, const, atom, y), depth
        )

    def _replace(self, terms: Terms, const: int, atom: Expr, form: Form) -> Form:
        rest = {t: k for t, k in terms.items() if t is not atom}
        return self._plus(rest, const, form, terms[atom])

    def _open(self, terms: Terms, const: int, atom: Node, k: int) -> Form | None:
        """A sum whose being >= 0 implies it for this one, without one division.

        n//c lies between (n - c + 1)/c and n/c; everything is scaled by c, and scaled sum > -c is enough.
        """
        kind = type(atom)
        if kind is e.FloorDiv:
            c = self._positive_divisor(atom)
            if c is None:
                return None
            n = self._form(atom.a)
            if not self._facts and n[0].keys().isdisjoint(terms):
                return None  # nothing can cancel, and the bound of the quotient was used already
            scale = c // math.gcd(c, k)
            rest = {t: j * scale for t, j in terms.items() if t is not atom}
            slack = scale - 1 - (k * scale // c * (c - 1) if k > 0 else 0)
            return self._plus(rest, const * scale + slack, n, k * scale // c)
        if kind is e.FloorMod and k < 0 and self._bound(atom.a)[0] >= 0:
            return self._replace(terms, const, atom, self._form(atom.a))
        if kind is e.FloorMod:
            return self._open_remainder(terms, const, atom, k)
        if kind is not e.Mul:
            return None
        factors = self._factors.get(atom)
        if factors is None or len(factors) != 2:
            return None
        for x, y in (factors, factors[::-1]):
            if type(x) is e.FloorDiv and x.b is y and self._bound(y)[0] >= 1:
                n = self._form(x.a)
                if k > 0:
                    n = self._plus(n[0], n[1] + 1, ({y: 1}, 0), -1)
                return self._replace(terms, const, atom, n)
        return None

    def _open_remainder(self, terms: Terms, const: int, atom: Node, k: int) -> Form | None:
        """n % s of a symbolic s > 0 lies in [0, s - 1]."""
        s = atom.b
        if self._positive_divisor(atom) is not None or self._bound(s)[0] < 1:
            return None
        if k > 0:
            return self._replace(terms, const, atom, ({}, 0))
        size = self._form(s)
        return self._replace(terms, const, atom, (size[0], size[1] - 1))

    def _use_facts(self, terms: Terms, const: int, depth: int) -> bool:
        """Subtract a multiple of a fact that eliminates one atom; what remains must be >= 0.

        Atoms without a useful constant bound must all be eliminated, in whatever order: the first one decides.
        """
        open_ended = [t for t, k in terms.items() if self._bound(t)[k < 0] * k <= _OPEN_ENDED]
        for atom in open_ended or terms:
            k = terms[atom]
            facts = [f for f in self._facts_of.get(atom, ()) if (f[0][atom] > 0) == (k > 0)]
            for fact, fact_const in facts:
                j = fact[atom]
                common = math.gcd(j, k)
                scale, m = abs(j) // common, abs(k) // common
                scaled = {t: c * scale for t, c in terms.items()} if scale > 1 else terms
                rest = self._plus(scaled, const * scale, (fact, fact_const), -m)
                if self._nonnegative(rest[0], rest[1] + scale - 1, depth - 1):
                    return True
            if facts and open_ended:
                return False
        return False
