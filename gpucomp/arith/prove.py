"""Deciding the sign of a sum: bounds first, then divisions opened, extrema split, facts used."""

from __future__ import annotations

import math

from gpucomp.arith.division import Division
from gpucomp.arith.extension import Extension
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
        """Try what may help.

        Cases that must all hold are split first: that loses nothing, so the first such atom decides.  Where one of two
        operands has to be chosen it may have to be another one in each case, so that comes after.
        """
        either: Expr | None = None
        self._spend(6 + len(terms))
        for atom, k in terms.items():
            kind = type(atom)
            if kind is e.Min or kind is e.Max:
                if (kind is e.Min) == (k > 0):
                    return self._split(terms, const, atom, True, depth)
                either = atom if either is None else either
            elif kind is e.Select:
                return self._split_select(terms, const, atom, depth)
        if either is not None:
            return self._split(terms, const, either, False, depth)
        for atom, k in terms.items():
            if type(atom) not in _OPENED:
                continue
            for opened in self._open(terms, const, atom, k):
                if self._nonnegative(*opened, depth - 1):
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

    def _open(self, terms: Terms, const: int, atom: Node, k: int) -> list[Form]:
        """Sums without one division, each of which is >= 0 only where this one is."""
        kind = type(atom)
        if kind is e.FloorDiv:
            opened = self._open_quotient(terms, const, atom, k)
        elif kind is e.FloorMod:
            return self._open_remainder(terms, const, atom, k)
        else:
            opened = self._open_product(terms, const, atom, k)
            if self._extensions & Extension.ComparisonOfProductAndSum:
                corners = self._open_corners(terms, const, atom, k)
                return corners if opened is None else [opened, *corners]
        return [] if opened is None else [opened]

    def _open_quotient(self, terms: Terms, const: int, atom: Node, k: int) -> Form | None:
        """n//c lies between (n - c + 1)/c and n/c; everything is scaled by c, and scaled sum > -c is enough."""
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

    def _open_product(self, terms: Terms, const: int, atom: Node, k: int) -> Form | None:
        """(n // s)*s lies between n - s + 1 and n."""
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

    def _open_corners(self, terms: Terms, const: int, atom: Node, k: int) -> list[Form]:
        """x*y between planes: where x >= p and y >= q it is at least p*y + q*x - p*q, and so at the other corners."""
        out: list[Form] = []
        if self._may_wrap(atom.dtype, {atom: 1}):
            return out  # the product may be another number
        factors = self._factors.get(atom, ())
        for x in dict.fromkeys(factors) if len(factors) > 2 else factors[:1]:
            rest = self._without(factors, (x,))
            assert rest is not None
            y = self._product_of(rest)
            sides = self._bound(x), self._bound(y)
            for corner in ((0, 0), (1, 1)) if k > 0 else ((1, 0), (0, 1)):
                p, q = sides[0][corner[0]], sides[1][corner[1]]
                if max(abs(p), abs(q)) > -_OPEN_ENDED:
                    continue  # no useful bound
                plane = self._plus(*self._plus({}, -int(p * q), self._form(y), int(p)), self._form(x), int(q))
                out.append(self._replace(terms, const, atom, plane))
        return out

    def _open_remainder(self, terms: Terms, const: int, atom: Node, k: int) -> list[Form]:
        """n % s of a symbolic s > 0 lies in [0, s - 1]; n % s <= n where n >= 0."""
        out: list[Form] = []
        s = atom.b
        if self._positive_divisor(atom) is None and self._bound(s)[0] >= 1:
            size = self._form(s)
            out.append(self._replace(terms, const, atom, ({}, 0) if k > 0 else (size[0], size[1] - 1)))
        if k < 0 and self._bound(atom.a)[0] >= 0 and self._bound(s)[0] >= 1:
            out.append(self._replace(terms, const, atom, self._form(atom.a)))
        return out

    def _facts_about(self, atom: Expr, positive: bool) -> list[Form]:
        """Facts in which ``atom`` has a coefficient of this sign; of products, facts times the other factors."""
        facts = [f for f in self._facts_of.get(atom, ()) if (f[0][atom] > 0) == positive]
        factors = self._factors.get(atom)
        if factors is None:
            return facts
        for f in dict.fromkeys(factors):
            known = [x for x in self._facts_of.get(f, ()) if (x[0][f] > 0) == positive]
            if not known:
                continue
            rest = self._without(factors, (f,))
            assert rest is not None
            other = self._product_of(rest)
            if self._bound(other)[0] >= 0:
                facts += [self._times(x, ({other: 1}, 0), atom.dtype) for x in known]
        return [x for x in facts if (x[0].get(atom, 0) > 0) == positive and atom in x[0]]

    def _use_facts(self, terms: Terms, const: int, depth: int) -> bool:
        """Subtract a multiple of a fact that eliminates one atom; what remains must be >= 0.

        Atoms without a useful constant bound must all be eliminated, in whatever order: the first one decides.
        """
        open_ended = [t for t, k in terms.items() if self._bound(t)[k < 0] * k <= _OPEN_ENDED]
        for atom in open_ended or terms:
            k = terms[atom]
            facts = self._facts_about(atom, k > 0)
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
