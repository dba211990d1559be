"""Comparisons, negations and choices: the sign of a difference decides, or is written in its shortest form."""

from __future__ import annotations

import math
from typing import Final

from gpucomp.arith.extrema import Extrema
from gpucomp.arith.simplify import Simplify, boolean
from gpucomp.arith.state import Form, Node, Terms
from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IntImm
from gpucomp.tir.functor import rebuild_binary

_NEGATED: Final[dict[type, type[e.BinaryOp]]] = {
    e.EQ: e.NE,
    e.NE: e.EQ,
    e.LT: e.GE,
    e.GE: e.LT,
    e.LE: e.GT,
    e.GT: e.LE,
}


class Compare(Extrema):
    """Adds the methods for comparisons, Not and Select."""

    def _comparison(self, node: e.BinaryOp) -> Expr:
        dtype = node.a.dtype
        if dtype.lanes != 1:
            return self._vector(node)
        a, b = self._simp(node.a), self._simp(node.b)
        kind = type(node)
        if not dtype.is_int:
            return self._other_comparison(node, a, b)
        terms, const = self._difference(self._form(a), self._form(b))
        if kind is e.EQ or kind is e.NE:
            return self._equality(kind, *self._settle(terms, const, dtype), dtype, a, b)
        if kind is e.GT or kind is e.GE:
            terms, const = {t: -k for t, k in terms.items()}, -const
        if kind is e.LE or kind is e.GE:
            const -= 1
        terms, const = self._settle(terms, const, dtype)
        if self._may_wrap(dtype, terms):
            sign = self._sign(terms, const)
            if sign is not None:
                return boolean(sign)
            return node if a is node.a and b is node.b else kind(a, b)
        return self._below_zero(terms, const, dtype)

    def _other_comparison(self, node: e.BinaryOp, a: Expr, b: Expr) -> Expr:
        """Comparisons of floats, bools and pointers."""
        kind = type(node)
        if a.dtype.is_bool and (kind is e.EQ or kind is e.NE):
            if a is b:
                return boolean(kind is e.EQ)
            for x, y in ((a, b), (b, a)):
                if type(x) is IntImm:
                    return y if bool(x.value) == (kind is e.EQ) else self._negation(y)
        return node if a is node.a and b is node.b else rebuild_binary(kind, a, b)

    def _below_zero(self, terms: Terms, const: int, dtype: DType) -> Expr:
        """The simplest comparison that says "this sum is < 0"."""
        # Proofs take terms in order: the one in which the result is read again.
        terms = {t: k for t, k in terms.items() if k > 0} | {t: k for t, k in terms.items() if k < 0}
        sign, scaled = self._sign(terms, const), False
        while sign is None:
            reduced = self._divided(terms, const)
            if reduced is None:
                break
            if self._trace is not None:
                zero = IntImm(dtype, 0)
                self._note(
                    "comparison-scaled",
                    e.LT(self._raw((terms, const), dtype), zero),
                    e.LT(self._raw(reduced, dtype), zero),
                )
            terms, const = self._settle(*reduced, dtype)
            sign, scaled = self._sign(terms, const, 0), True
        if scaled and sign is None:
            sign = self._sign(terms, const)  # what is left is shorter: a proof that was cut short may succeed
        if sign is not None:
            return boolean(sign)
        if self._has_complex(terms):
            fewer = self._without_extremum(terms, const)
            if fewer is not None:
                return self._below_zero(*self._settle(*fewer, dtype), dtype)
        return self._order(terms, const, dtype)

    def _without_extremum(self, terms: Terms, const: int) -> Form | None:
        """min(a, b) + r < 0 is a + r < 0 or b + r < 0: where one of them is known, the other is the answer."""
        atom: Node
        for atom, k in terms.items():
            kind = type(atom)
            if kind is not e.Min and kind is not e.Max:
                continue
            either = (kind is e.Min) == (k > 0)
            x = self._replace(terms, const, atom, self._form(atom.a))
            y = self._replace(terms, const, atom, self._form(atom.b))
            if self._sign(*x) is (not either):
                return y
            if self._sign(*y) is (not either):
                return x
        return None

    def _divided(self, terms: Terms, const: int) -> Form | None:
        """x < 0 is x//g < 0: drop a common factor and terms too small to matter."""
        g = math.gcd(*terms.values())
        if g > 1:
            return {t: k // g for t, k in terms.items()}, const // g
        limit = max([abs(k) for k in terms.values()])
        if limit == 1:
            return None
        for g in sorted({abs(k) for k in terms.values() if abs(k) > 1}, reverse=True):
            found = self._small_part(terms, const, g)
            if found is not None:
                return found[1], found[3]
        return None

    def _order(self, terms: Terms, const: int, dtype: DType) -> Expr:
        """Write "terms + const < 0" with both sides positive."""
        plus = {t: k for t, k in terms.items() if k > 0}
        minus = {t: -k for t, k in terms.items() if k < 0}
        if not minus:
            node: Expr = e.LT(self._build(plus, 0, dtype), IntImm(dtype, -const))
        elif not plus:
            node = e.GE(self._build(minus, 0, dtype), IntImm(dtype, const + 1))
        elif const == 1:
            node = e.LT(self._build(plus, 1, dtype), self._build(minus, 0, dtype))
        elif const == -1:
            node = e.LE(self._build(plus, 0, dtype), self._build(minus, 0, dtype))
        elif const > 0:
            node = e.LT(self._build(plus, const, dtype), self._build(minus, 0, dtype))
        else:
            node = e.LT(self._build(plus, 0, dtype), self._build(minus, -const, dtype))
        self._orders[node] = (terms, const)
        return node

    def _equality(self, kind: type[e.BinaryOp], terms: Terms, const: int, dtype: DType, a: Expr, b: Expr) -> Expr:
        equal = kind is e.EQ
        if not terms:
            return boolean((const == 0) == equal)
        low, high = self._sum_bound(terms, const)
        if low > 0 or high < 0:
            return boolean(not equal)
        if low == high == 0:
            return boolean(equal)
        coeff, base = self._sum_congruence(terms, const)
        if base % coeff if coeff else base:
            return boolean(not equal)
        if self._may_wrap(dtype, terms):
            zero = self._is_zero(terms, const)
            return kind(a, b) if zero is None else boolean(zero == equal)
        node = self._equation_of(kind, terms, const, dtype)
        if self._facts or self._has_complex(terms):
            # Proofs take terms in order: the one in which the result is read again.
            zero = self._is_zero(*self._difference(self._form(node.a), self._form(node.b)))
            if zero is not None:
                return boolean(zero == equal)
        return node

    def _is_zero(self, terms: Terms, const: int) -> bool | None:
        """False if a sum is provably never zero, True if it provably always is."""
        if not (self._facts or self._has_complex(terms)):
            return None
        negated = {t: -k for t, k in terms.items()}
        if self._prove_nonnegative(terms, const - 1, 2) or self._prove_nonnegative(negated, -const - 1, 2):
            return False
        if self._facts and self._prove_nonnegative(terms, const, 2) and self._prove_nonnegative(negated, -const, 2):
            return True
        return None

    def _equation_of(self, kind: type[e.BinaryOp], terms: Terms, const: int, dtype: DType) -> Node:
        """Write "terms + const == 0" (or !=) with both sides positive and no common factor."""
        g = math.gcd(const, *terms.values())
        if g > 1:
            terms, const = {t: k // g for t, k in terms.items()}, const // g
        plus = {t: k for t, k in terms.items() if k > 0}
        minus = {t: -k for t, k in terms.items() if k < 0}
        if not plus:
            plus, minus, const = minus, plus, -const
        if const > 0 and minus:
            return self._unordered(kind, [self._build(plus, const, dtype), self._build(minus, 0, dtype)])
        return self._unordered(kind, [self._build(plus, 0, dtype), self._build(minus, -const, dtype)])

    def _not(self, node: e.Not) -> Expr:
        a = self._simp(node.a)
        if type(a) is e.Broadcast:
            return e.Broadcast(self._negation(a.value), a.lanes)
        if node.dtype.lanes != 1:
            return node if a is node.a else operators.logical_not(a)
        return self._negation(a)

    def _negation(self, a: Node) -> Expr:
        """The negation of a simplified condition, simplified."""
        kind = type(a)
        if kind is IntImm:
            return boolean(not a.value)
        if kind is e.Not:
            return a.a
        flipped = _NEGATED.get(kind)
        if flipped is not None and (a.a.dtype.is_int or kind is e.EQ or kind is e.NE):
            return self._simp(flipped(a.a, a.b))
        if kind is e.And or kind is e.Or:
            other = e.Or if kind is e.And else e.And
            return self._simp(other(self._negation(a.a), self._negation(a.b)))
        return e.Not(a)

    def _select(self, node: e.Select) -> Expr:
        c = self._simp(node.condition)
        if type(c) is e.Broadcast:
            c = c.value  # one condition for all lanes
        if type(c) is IntImm:
            return self._simp(node.true_value if c.value else node.false_value)
        x, y = self._branches(c, node.true_value, node.false_value)
        if x is y:
            return x
        if type(c) is e.Not:
            c, x, y = c.a, y, x
        if x.dtype.is_int and x.dtype.lanes == 1:
            chosen = self._select_extremum(c, x, y)
            if chosen is not None:
                return chosen
        if x.dtype is operators.BOOL and c.dtype is operators.BOOL and type(x) is IntImm and type(y) is IntImm:
            return c if x.value else self._negation(c)
        return node if c is node.condition and x is node.true_value and y is node.false_value else e.Select(c, x, y)

    def _select_extremum(self, c: Expr, x: Expr, y: Expr) -> Expr | None:
        """Select(x < y, x, y) is min(x, y)."""
        order = self._orders.get(c)
        if order is None:
            return None
        p, q = self._form(x), self._form(y)
        if self._may_wrap(x.dtype, p[0]) or self._may_wrap(x.dtype, q[0]):
            return None
        for kind, (terms, const) in ((e.Min, self._difference(p, q)), (e.Max, self._difference(q, p))):
            if terms == order[0] and const - order[1] in (0, 1):
                return self._simp(kind(x, y))
        return None


Simplify._simp_table.update(dict.fromkeys(_NEGATED, Compare._comparison))
Simplify._simp_table.update({e.Not: Compare._not, e.Select: Compare._select})
