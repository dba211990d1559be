"""Floor division and remainder of sums, and putting split indices together again.

For a constant divisor c the numerator is cut at the multiples of c: ``(8*i + j + 9) // 8 = i + 1 + (j + 1)//8``.
What is left is cut again at every divisor g of c below which the small terms stay: with 0 <= j < 4,
``(4*i + j) // 8 = i // 2`` and ``(4*i + j) % 8 = (i % 2)*4 + j``.  Digits have one form, ``(x // a) % b``; sums of
adjacent digits merge: ``x%4 + (x//4)%8*4 = x%32`` and ``x%4 + x//4*4 = x``.
"""

from __future__ import annotations

import math

from gpucomp.arith.bounds import INF, type_range
from gpucomp.arith.state import Form, Node, Terms
from gpucomp.arith.sums import Sums
from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, IntImm

_ROUNDS = 8
_SMALL_PART_TERMS = 24
_MERGES: dict[type, str] = {
    e.FloorMod: "digits-merge",
    e.FloorDiv: "remainder-from-quotient",
    e.Min: "extremum-absorb",
    e.Max: "extremum-absorb",
    e.Mul: "product-merge",
}


class Division(Sums):
    """Adds quotients, remainders and their recombination."""

    def _reduce(self, terms: Terms, divisor: int) -> tuple[Terms, Terms]:
        """Split coefficients at multiples of ``divisor``; remainders keep the sign of the coefficient."""
        whole: Terms = {}
        rest: Terms = {}
        for atom, k in terms.items():
            if -divisor < k < divisor:
                rest[atom] = k
                continue
            r = k % divisor if k > 0 else -(-k % divisor)
            whole[atom] = (k - r) // divisor
            if r:
                rest[atom] = r
        return whole, rest

    def _small_part(self, terms: Terms, const: int, limit: int) -> tuple[int, Terms, Terms, int, int] | None:
        """Find g | limit such that the terms that g does not divide stay within one multiple of g.

        Returns (g, terms / g, small terms, constant / g, constant of the small part), where the small part lies
        in [0, g); None if there is no such g.
        """
        if len(terms) > _SMALL_PART_TERMS:
            return None
        tried: list[int] = []
        for k in terms.values():
            g = math.gcd(k, limit)
            if g > 1 and g not in tried:
                tried.append(g)
        if not tried:
            return None
        tried.sort(reverse=True)
        for g in tried:
            small = {atom: k for atom, k in terms.items() if k % g}
            offset = const % g
            if small:
                low, high = self._sum_bound(small, offset)
                if low == -INF or high == INF or low // g != high // g:
                    continue
                shift = int(low // g)
            else:
                shift = 0
            big = {atom: k // g for atom, k in terms.items() if k % g == 0}
            return g, big, small, const // g + shift, offset - shift * g
        return None

    def _quotient(self, terms: Terms, const: int, divisor: int, dtype: DType) -> Form:
        """Floor quotient of a sum by a positive constant."""
        if divisor == 1:
            return terms, const
        if self._may_wrap(dtype, terms):
            return self._wrapping_quotient(terms, const, divisor, dtype)
        self._spend(4 + len(terms))
        total, rest = self._reduce(terms, divisor)
        whole_terms = terms, const
        total_const, const = divmod(const, divisor)
        if self._trace is not None:
            self._note_quotient(
                "quotient-cut", whole_terms, divisor, (total, total_const), (rest, const), divisor, dtype
            )
        for _ in range(_ROUNDS):
            if not rest:
                return total, total_const + const // divisor
            low, high = self._sum_bound(rest, const)
            if low != -INF and high != INF and low // divisor == high // divisor:
                if self._trace is not None:
                    value = IntImm(dtype, int(low // divisor))
                    self._note_division("quotient-in-range", e.FloorDiv, rest, const, divisor, value, dtype)
                return total, total_const + int(low // divisor)
            found = self._small_part(rest, const, divisor)
            if found is not None:
                old = rest, const
                g, rest, _, const, _ = found
                if self._trace is not None:
                    self._note_quotient(
                        "quotient-small-part", old, divisor, ({}, 0), (rest, const), divisor // g, dtype
                    )
                divisor //= g
                if divisor == 1:
                    return self._merged(total, rest), total_const + const
            else:
                inner = self._single_quotient(rest, const, divisor, dtype)
                if inner is None:
                    break
                if self._trace is not None:
                    nested = "quotient-of-quotient" if inner[2] else "quotient-of-remainder"
                    self._note_quotient(nested, (rest, const), divisor, ({}, 0), inner[:2], inner[2] or 1, dtype)
                rest, const, divisor = inner
                if divisor == 0:  # a finished sum
                    return self._merged(total, rest), total_const + const
            whole, rest = self._reduce(rest, divisor)
            carry, const = divmod(const, divisor)
            total, total_const = self._merged(total, whole), total_const + carry
        settled = self._settle(rest, const, dtype)
        if settled != (rest, const):
            return self._plus(total, total_const, self._quotient(*settled, divisor, dtype), 1)
        atom = e.FloorDiv(self._build(rest, const, dtype), IntImm(dtype, divisor))
        return self._plus(total, total_const, self._form(self._rewritten(atom)), 1)

    def _note_quotient(
        self, step: str, before: Form, divisor: int, whole: Form, rest: Form, next_divisor: int, dtype: DType
    ) -> None:
        """Report that before // divisor became whole + rest // next_divisor."""
        after = self._raw(rest, dtype)
        if next_divisor != 1:
            after = e.FloorDiv(after, IntImm(dtype, next_divisor))
        if whole[0] or whole[1]:
            after = e.Add(self._raw(whole, dtype), after)
        self._note_division(step, e.FloorDiv, *before, divisor, after, dtype)

    def _wrapping_quotient(self, terms: Terms, const: int, divisor: int, dtype: DType) -> Form:
        """For types that wrap: nothing that could leave the type's range on the way."""
        low, high = self._sum_bound(terms, const)
        if low != -INF and high != INF and low // divisor == high // divisor:
            return {}, int(low // divisor)
        if const % divisor == 0 and all([k % divisor == 0 for k in terms.values()]):
            return {atom: k // divisor for atom, k in terms.items()}, const // divisor
        return {e.FloorDiv(self._build(terms, const, dtype), IntImm(dtype, divisor)): 1}, 0

    def _wrapping_remainder(self, terms: Terms, const: int, divisor: int, dtype: DType) -> Form:
        low, high = self._sum_bound(terms, const)
        if low != -INF and high != INF and low // divisor == high // divisor:
            return terms, const - int(low // divisor) * divisor
        coeff, base = self._sum_congruence(terms, const)
        if coeff % divisor == 0:
            return {}, base % divisor
        return {e.FloorMod(self._build(terms, const, dtype), IntImm(dtype, divisor)): 1}, 0

    def _merged(self, x: Terms, y: Terms) -> Terms:
        if not x:
            return y
        result = dict(x)
        for atom, k in y.items():
            result[atom] = result.get(atom, 0) + k
        return {atom: k for atom, k in result.items() if k}

    def _single_quotient(self, terms: Terms, const: int, divisor: int, dtype: DType) -> tuple[Terms, int, int] | None:
        """Nested digits: (n//a + k)//c = (n + k*a)//(a*c), and (n%m)//c = (n//c) % (m//c) where c | m.

        Returns new terms, constant and divisor; divisor 0 marks a finished quotient.
        """
        if len(terms) != 1:
            return self._joined_quotient(terms, const, divisor, dtype)
        atom: Node
        ((atom, k),) = terms.items()
        kind = type(atom)
        if k != 1 or (kind is not e.FloorDiv and kind is not e.FloorMod):
            return None
        inner = self._positive_divisor(atom)
        if inner is None:
            return None
        n, n_const = self._form(atom.a)
        if kind is e.FloorDiv:
            if inner * divisor > type_range(dtype)[1]:
                return None
            return dict(n), n_const + const * inner, inner * divisor
        if const == 0 and inner % divisor == 0:
            digits, digits_const = self._quotient(n, n_const, divisor, dtype)
            return (*self._remainder(digits, digits_const, inner // divisor, dtype), 0)
        return None

    def _joined_quotient(self, terms: Terms, const: int, divisor: int, dtype: DType) -> tuple[Terms, int, int] | None:
        """(r + n//a)//c = (r*a + n)//(a*c): one division instead of two, where what it divides fits the type."""
        atom: Node
        for atom, k in terms.items():
            if type(atom) is not e.FloorDiv or k != 1:
                continue
            inner = self._positive_divisor(atom)
            if inner is None:
                continue
            rest = {t: j * inner for t, j in terms.items() if t is not atom}
            n = self._form(atom.a)
            if n[0].keys().isdisjoint(rest):
                continue  # nothing would be shared: a larger product in place of a second division
            joined, joined_const = self._plus(rest, const * inner, n, 1)
            low, high = self._sum_bound(joined, joined_const)
            least, most = type_range(dtype)
            if inner * divisor <= most and least <= low and high <= most:
                return joined, joined_const, inner * divisor
        return None

    def _positive_divisor(self, atom: Node) -> int | None:
        divisor = atom.b
        return divisor.value if type(divisor) is IntImm and divisor.value > 0 else None

    def _remainder(self, terms: Terms, const: int, divisor: int, dtype: DType) -> Form:
        """Floor remainder of a sum by a positive constant."""
        if divisor == 1:
            return {}, 0
        if self._may_wrap(dtype, terms):
            return self._wrapping_remainder(terms, const, divisor, dtype)
        self._spend(4 + len(terms))
        scale = 1  # the result is done + scale * (terms + const) % divisor
        done: Terms = {}
        done_const = 0
        _, rest = self._reduce(terms, divisor)
        if self._trace is not None:
            after = e.FloorMod(self._raw((rest, const % divisor), dtype), IntImm(dtype, divisor))
            self._note_division("remainder-cut", e.FloorMod, terms, const, divisor, after, dtype)
        const %= divisor
        for _ in range(_ROUNDS):
            if not rest:
                return done, done_const + scale * (const % divisor)
            low, high = self._sum_bound(rest, const)
            if self._trace is not None and low != -INF and high != INF and low // divisor == high // divisor:
                after = self._raw((rest, const - int(low // divisor) * divisor), dtype)
                self._note_division("remainder-in-range", e.FloorMod, rest, const, divisor, after, dtype)
            if low != -INF and high != INF and low // divisor == high // divisor:
                left = {atom: k * scale for atom, k in rest.items()}
                return self._merged(done, left), done_const + scale * (const - int(low // divisor) * divisor)
            if self._congruent:
                coeff, base = self._sum_congruence(rest, const)
                if coeff % divisor == 0:
                    value = IntImm(dtype, base % divisor)
                    self._note_division("remainder-congruent", e.FloorMod, rest, const, divisor, value, dtype)
                    return done, done_const + scale * (base % divisor)
            found = self._small_part(rest, const, divisor)
            if found is not None:
                old = rest, const
                g, rest, small, const, small_const = found
                if self._trace is not None:
                    digit = e.FloorMod(self._raw((rest, const), dtype), IntImm(dtype, divisor // g))
                    after = e.Add(e.Mul(digit, IntImm(dtype, g)), self._raw((small, small_const), dtype))
                    self._note_division("remainder-small-part", e.FloorMod, *old, divisor, after, dtype)
                done = self._merged(done, {atom: k * scale for atom, k in small.items()})
                done_const += scale * small_const
                scale *= g
                divisor //= g
            else:
                opened = self._open_remainders(rest, const, divisor)
                if opened is None:
                    break
                if self._trace is not None:
                    after = e.FloorMod(self._raw(opened, dtype), IntImm(dtype, divisor))
                    self._note_division("remainder-open", e.FloorMod, rest, const, divisor, after, dtype)
                rest, const = opened
            if divisor == 1:
                return done, done_const
            _, rest = self._reduce(rest, divisor)
            const %= divisor
        settled = self._settle(rest, const, dtype)
        if settled != (rest, const):
            last, last_const = self._remainder(*settled, divisor, dtype)
            return self._merged(done, {t: k * scale for t, k in last.items()}), done_const + last_const * scale
        atom = e.FloorMod(self._build(rest, const, dtype), IntImm(dtype, divisor))
        return self._merged(done, {atom: scale}), done_const

    def _sum_congruence(self, terms: Terms, const: int) -> tuple[int, int]:
        coeff, base = 0, const
        for atom, k in terms.items():
            p, q = self._congruence(atom)
            coeff = math.gcd(coeff, p * k)
            base += q * k
        return (coeff, base % coeff) if coeff else (0, base)

    def _open_remainders(self, terms: Terms, const: int, divisor: int) -> Form | None:
        """Modulo c, k*(n % m) is k*n where c divides k*m."""
        for atom, k in terms.items():
            if type(atom) is not e.FloorMod:
                continue
            inner = self._positive_divisor(atom)
            if inner is None or (k * inner) % divisor:
                continue
            rest = dict(terms)
            del rest[atom]
            n, n_const = self._form(atom.a)
            return self._merged(rest, {x: j * k for x, j in n.items()}), const + n_const * k
        return None

    # -- recombination ----------------------------------------------------------------------------------------

    def _recombine(self, terms: Terms, const: int, dtype: DType) -> Form:
        """Merge digits of one number, and let extrema absorb what cancels in them."""
        self._spend(4 + len(terms))
        for _ in range(2 * len(terms)):
            changed, merged = None, e.Expr
            for atom in terms:
                kind = merged = type(atom)
                if kind is e.FloorMod:
                    changed = self._merge_remainder(terms, const, atom, dtype)
                elif kind is e.FloorDiv:
                    changed = self._merge_quotient(terms, const, atom, dtype)
                elif kind is e.Min or kind is e.Max:
                    changed = self._absorb(terms, const, atom, dtype)
                elif kind is e.Mul:
                    changed = self._merge_product(terms, const, atom, dtype)
                if changed is not None:
                    break
            if changed is None:
                return terms, const
            if self._trace is not None:
                self._note(_MERGES[merged], self._raw((terms, const), dtype), self._raw(changed, dtype))
            terms, const = changed
        return terms, const

    def _merge_product(self, terms: Terms, const: int, atom: Node, dtype: DType) -> Form | None:
        """(n // s)*s + n % s is n, and n - (n // s)*s is n % s, for a divisor s that is no literal.

        Where digits of n were taken with several divisors, (n // (s*r))*s + (n // r) % s is n // r.
        """
        factors = self._factors.get(atom)
        if factors is None or len(factors) != 2:
            return None
        for x, y in (factors, factors[::-1]):
            if type(x) is not e.FloorDiv or self._bound(y)[0] < 1:
                continue
            if x.b is not y:
                digit = self._next_digit(terms, terms[atom], x, y, dtype)
                if digit is None:
                    continue
                rest = {t: k for t, k in terms.items() if t is not digit and t is not atom}
                return self._plus(rest, const, self._form(digit.a), terms[atom])
            a = terms[atom]
            digit = e.FloorMod(x.a, y)
            if terms.get(digit) == a:
                rest = {t: k for t, k in terms.items() if t is not digit and t is not atom}
                return self._plus(rest, const, self._form(x.a), a)
            return self._minus_whole(terms, const, atom, -a, self._form(x.a), {digit: 1})
        return None

    def _next_digit(self, terms: Terms, coef: int, high: e.FloorDiv, size: Expr, dtype: DType) -> e.FloorMod | None:
        """The term coef * ((n // r) % size) beside ``high`` = n // (size*r)."""
        for term, k in terms.items():
            if k != coef or type(term) is not e.FloorMod or term.b is not size:
                continue
            low = term.a
            if type(low) is not e.FloorDiv or low.a is not high.a or self._bound(low.b)[0] < 1:
                continue
            if self._product(size, low.b, dtype) == self._form(high.b):
                return term
        return None

    def _plus(self, terms: Terms, const: int, form: Form, k: int) -> Form:
        if k == 0:
            return terms, const
        return self._merged(terms, {x: j * k for x, j in form[0].items()}), const + k * form[1]

    def _merge_remainder(self, terms: Terms, const: int, atom: Node, dtype: DType) -> Form | None:
        """a*(n % c) + a*c*(n // c) is a*n; with (n // c) % d in place of n // c it is a*(n % (c*d))."""
        c = self._positive_divisor(atom)
        if c is None or len(terms) < 2:
            return None
        a = terms[atom]
        n, n_const = self._form(atom.a)
        target = a * c
        other: Node
        for other, k in terms.items():
            if k != target or other is atom:
                continue
            kind = type(other)
            if kind is e.FloorMod and self._positive_divisor(other) is not None:
                high, high_const = self._form(other.a)
                d = other.b.value
            elif kind is e.FloorDiv:
                (high, high_const), d = ({other: 1}, 0), 0
            else:
                continue
            q, q_const = self._quotient(n, n_const, c, dtype)
            if any([high.get(t) != j for t, j in q.items()]) or c * d > type_range(dtype)[1]:
                continue
            # high = q + more, so c*(high % d) + n % c = (c*more + n) % (c*d), and likewise without % d.
            more = {t: j for t, j in high.items() if t not in q}
            whole = self._plus(n, n_const, (more, high_const - q_const), c)
            if d:
                whole = self._remainder(*whole, c * d, dtype)
            rest = {t: j for t, j in terms.items() if t is not atom and t is not other}
            return self._plus(rest, const, whole, a)
        for x, j in n.items():
            if terms.get(x) != -a * j:
                return None
        # -a*n + a*(n % c) is -a*c*(n // c)
        rest = {t: k for t, k in terms.items() if t is not atom and t not in n}
        return self._plus(rest, const + a * n_const, self._quotient(n, n_const, c, dtype), target * -1)

    def _merge_quotient(self, terms: Terms, const: int, atom: Node, dtype: DType) -> Form | None:
        """a*n - a*c*(n // c) is a*(n % c)."""
        c = self._positive_divisor(atom)
        if c is None or len(terms) < 2:
            return None
        k = terms[atom]
        if k % c:
            return None
        n = self._form(atom.a)
        return self._minus_whole(terms, const, atom, -k // c, n, None, c, dtype)

    def _minus_whole(
        self,
        terms: Terms,
        const: int,
        atom: Expr,
        a: int,
        n: Form,
        digit: Terms | None,
        c: int = 0,
        dtype: DType | None = None,
    ) -> Form | None:
        """Replace a*n - a*(atom...) by a times the remainder, if all terms of a*n are there."""
        for x, j in n[0].items():
            if terms.get(x) != a * j:
                return None
        rest = {t: k for t, k in terms.items() if t is not atom and t not in n[0]}
        if digit is None:
            assert dtype is not None
            form = self._remainder(n[0], n[1], c, dtype)
        else:
            form = (digit, 0)
        return self._plus(rest, const - a * n[1], form, a)

    def _absorb(self, terms: Terms, const: int, atom: Node, dtype: DType) -> Form | None:
        """min(i*8 + 7, n) - i*8 is min(7, n - i*8): terms that cancel in one operand move inside."""
        k = terms[atom]
        x, y = self._form(atom.a), self._form(atom.b)
        inside: Terms = {}
        for t, j in terms.items():
            if t is not atom and j % k == 0 and (x[0].get(t) == -(j // k) or y[0].get(t) == -(j // k)):
                inside[t] = j // k
        shift = 0
        if const and const % k == 0 and any([not self._left(f, inside) for f in (x, y)]):
            shift = const // k
        if not inside and not shift:
            return None
        rest = {t: j for t, j in terms.items() if t is not atom and t not in inside}
        moved = (inside, shift)
        x, y = self._recombined(self._sum(x, moved), dtype), self._recombined(self._sum(y, moved), dtype)
        result = self._extremum(type(atom), x, y, dtype)
        return self._plus(rest, const - shift * k, result, k)

    def _recombined(self, form: Form, dtype: DType) -> Form:
        return self._settle(*form, dtype) if form[1] or len(form[0]) > 1 else form

    def _left(self, form: Form, inside: Terms) -> bool:
        """True if terms remain in ``form`` when ``inside`` is added."""
        return len(form[0]) != len(inside) or any([form[0].get(t) != -j for t, j in inside.items()])

    def _sum(self, x: Form, y: Form) -> Form:
        return self._merged(x[0], y[0]) if y[0] else x[0], x[1] + y[1]
