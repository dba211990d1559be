"""Sums of products as the normal form of integer expressions.

A sum maps atoms to integer coefficients.  An atom is anything that is no sum itself: a variable, a product of
atoms, a quotient, a remainder, a minimum, a load...  Every sum is turned back into one expression per analyzer
(:meth:`Sums._build`), so equal sums are the same object whatever the order of their terms was.
"""

from __future__ import annotations

import heapq

from gpucomp.arith import bounds as b
from gpucomp.arith.infer import Infer
from gpucomp.arith.state import Form, Node, Terms, TooLarge
from gpucomp.support.dtype import INT32, INT64, DType
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, IntImm

_STACK_LIMIT = 256  # after so many pops a part that is met again makes the walk an ordered one
_EXPAND_LIMIT = 24  # terms that the expansion of a product may have
_FACTOR_TERMS = 48  # a longer sum of products is not searched for common factors
_DEGREE_LIMIT = 16  # a product of more factors is one atom
_REUSE_LIMIT = 96  # a longer sum that was simplified before stays one atom inside another sum


class Sums(Infer):
    """Adds decomposition into sums and reconstruction."""

    def _quotient(self, terms: Terms, const: int, divisor: int, dtype: DType) -> Form:
        raise NotImplementedError

    def _remainder(self, terms: Terms, const: int, divisor: int, dtype: DType) -> Form:
        raise NotImplementedError

    def _settle(self, terms: Terms, const: int, dtype: DType) -> Form:
        raise NotImplementedError

    def _modulo(self, terms: Terms, const: int, dtype: DType) -> Form:
        raise NotImplementedError

    def _extremum(self, kind: type[e.BinaryOp], x: Form, y: Form, dtype: DType) -> Form:
        raise NotImplementedError

    # -- expression -> sum ------------------------------------------------------------------------------------

    def _form(self, node: Expr) -> Form:
        """The integer sum that a *simplified* scalar expression is; one atom if it may wrap."""
        form = self._forms.get(node)
        if form is None:
            if type(node) is IntImm:
                return {}, node.value
            return {node: 1}, 0
        terms, const = form
        if self._may_wrap(node.dtype, terms):
            low, high = self._sum_bound(terms, const)
            limits = b.type_range(node.dtype)
            if low < limits[0] or high > limits[1]:
                return {node: 1}, 0
        return form

    def _gather(self, root: Expr) -> Form:
        """Terms of an unsimplified tree of +, - and * whose other operands get simplified (fresh dict)."""
        terms: Terms = {}
        const = 0
        stack: list[tuple[Node, int]] = [(root, 1)]
        memo, forms = self._memo, self._forms
        pops = 0
        seen: dict[Expr, None] = {}  # what was taken apart, once there is a lot
        while stack:
            node, k = stack.pop()
            simple = memo.get(node)
            if simple is None:
                kind = type(node)
                if kind is e.Add:
                    stack.append((node.b, k))
                    stack.append((node.a, k))
                elif kind is e.Sub:
                    stack.append((node.b, -k))
                    stack.append((node.a, k))
                elif kind is e.Mul and type(node.b) is IntImm:
                    stack.append((node.a, k * node.b.value))
                elif kind is e.Mul and type(node.a) is IntImm:
                    stack.append((node.b, k * node.a.value))
                elif kind is e.Mul:
                    const += self._add_form(terms, self._product(node.a, node.b, node.dtype), k)
                    continue
                else:
                    simple = node if kind is IntImm else self._simp(node)
            if simple is not None:
                if simple in forms:
                    const += self._add_simple(terms, simple, k)
                elif type(simple) is IntImm:
                    const += k * simple.value
                else:
                    terms[simple] = terms.get(simple, 0) + k
                continue
            pops += 1
            if pops > _STACK_LIMIT:
                if node in seen:
                    return self._gather_ordered(root)
                seen[node] = None
        return {atom: k for atom, k in terms.items() if k} if 0 in terms.values() else terms, const

    def _gather_ordered(self, root: Expr) -> Form:
        """As :meth:`_gather`, but each distinct node once, parents before children: linear on shared graphs."""
        terms: Terms = {}
        const = 0
        weights: dict[Expr, int] = {root: 1}
        heap: list[tuple[int, int, Node]] = [(-root.depth, 0, root)]
        leaves: list[Expr] = []
        count = 0
        while heap:
            node = heapq.heappop(heap)[2]
            k = weights[node]
            kind = type(node)
            if node in self._memo:
                leaves.append(node)
                continue
            if kind is e.Add or kind is e.Sub:
                x, y = node.a, node.b
                children = ((x, k), (y, k if kind is e.Add else -k))
            elif kind is e.Mul and type(node.b) is IntImm:
                children = ((node.a, k * node.b.value),)
            elif kind is e.Mul and type(node.a) is IntImm:
                children = ((node.b, k * node.a.value),)
            else:
                leaves.append(node)
                continue
            for child, weight in reversed(children):  # so that leaves come out in the order of the text
                if child in weights:
                    weights[child] += weight
                else:
                    weights[child] = weight
                    count += 1
                    heapq.heappush(heap, (-child.depth, -count, child))
        for node in leaves:
            if type(node) is IntImm:
                const += weights[node] * node.value
            elif type(node) is e.Mul and node not in self._memo:
                const += self._add_form(terms, self._product(node.a, node.b, node.dtype), weights[node])
            else:
                const += self._add_simplified(terms, node, weights[node])
        return {atom: k for atom, k in terms.items() if k}, const

    def _add_simplified(self, terms: Terms, node: Expr, k: int) -> int:
        """Add ``k`` times the simplified ``node`` to ``terms``; returns what goes to the constant."""
        return self._add_simple(terms, self._simp(node), k)

    def _add_simple(self, terms: Terms, simple: Expr, k: int) -> int:
        """The same for what is simplified already."""
        form = self._forms.get(simple)
        if form is None:
            if type(simple) is IntImm:
                return k * simple.value
            terms[simple] = terms.get(simple, 0) + k
            return 0
        if len(form[0]) > _REUSE_LIMIT:
            terms[simple] = terms.get(simple, 0) + k
            return 0
        return self._add_form(terms, form, k)

    def _add_form(self, terms: Terms, form: Form, k: int) -> int:
        """Add ``k`` times a sum to ``terms`` in place; returns what goes to the constant."""
        for atom, c in form[0].items():
            terms[atom] = terms.get(atom, 0) + k * c
        return k * form[1]

    def _difference(self, x: Form, y: Form) -> Form:
        """x - y as a fresh sum without zero terms."""
        terms = dict(x[0])
        for atom, c in y[0].items():
            left = terms.get(atom, 0) - c
            if left:
                terms[atom] = left
            else:
                del terms[atom]
        return terms, x[1] - y[1]

    # -- products ---------------------------------------------------------------------------------------------

    def _product(self, x: Expr, y: Expr, dtype: DType) -> Form:
        """The product of two unsimplified expressions: expanded where that stays small."""
        return self._times(self._ring_form(self._simp(x)), self._ring_form(self._simp(y)), dtype)

    def _ring_form(self, node: Expr) -> Form:
        """The sum of a simplified expression, right modulo the type's range even where it wraps."""
        form = self._forms.get(node)
        if form is not None:
            return form
        return ({}, node.value) if type(node) is IntImm else ({node: 1}, 0)

    def _times(self, x: Form, y: Form, dtype: DType) -> Form:
        if not x[0]:
            return {atom: k * x[1] for atom, k in y[0].items()} if x[1] else {}, y[1] * x[1]
        if not y[0]:
            return {atom: k * y[1] for atom, k in x[0].items()} if y[1] else {}, y[1] * x[1]
        if (len(x[0]) + (x[1] != 0)) * (len(y[0]) + (y[1] != 0)) > _EXPAND_LIMIT:
            return {self._monomial(self._build(*x, dtype), self._build(*y, dtype)): 1}, 0
        self._spend(len(x[0]) * len(y[0]))
        terms: Terms = {}
        for p, j in x[0].items():
            for q, k in y[0].items():
                atom = self._monomial(p, q)
                terms[atom] = terms.get(atom, 0) + j * k
            if y[1]:
                terms[p] = terms.get(p, 0) + j * y[1]
        if x[1]:
            for q, k in y[0].items():
                terms[q] = terms.get(q, 0) + k * x[1]
        return {atom: k for atom, k in terms.items() if k}, x[1] * y[1]

    def _monomial(self, x: Expr, y: Expr) -> Expr:
        """The product of two atoms: one object for each multiset of factors."""
        factors = self._factors.get(x, (x,)) + self._factors.get(y, (y,))
        return self._product_of(factors if len(factors) <= _DEGREE_LIMIT else (x, y))

    def _product_of(self, factors: tuple[Expr, ...]) -> Expr:
        if len(factors) == 1:
            return factors[0]
        counts: dict[Expr, int] = {}
        for f in factors:
            counts[f] = counts.get(f, 0) + 1
        key = frozenset(counts.items())
        found = self._products.get(key)
        if found is None:
            found = factors[0]
            for f in factors[1:]:
                found = e.Mul(found, f)
            self._products[key] = found
            self._factors[found] = factors
        return found

    def _without(self, factors: tuple[Expr, ...], removed: tuple[Expr, ...]) -> tuple[Expr, ...] | None:
        left = list(factors)
        for r in removed:
            for i, f in enumerate(left):
                if f is r:
                    del left[i]
                    break
            else:
                return None
        return tuple(left)

    # -- sum -> expression ------------------------------------------------------------------------------------

    def _build(self, terms: Terms, const: int, dtype: DType) -> Expr:
        """The expression of a sum (takes ownership of ``terms``)."""
        if not terms:
            low, high = b.type_range(dtype)
            if not low <= const <= high and (dtype is INT32 or dtype is INT64):
                raise TooLarge
            return IntImm(dtype, const)
        if const == 0 and len(terms) == 1:
            for atom, k in terms.items():
                if k == 1:
                    return atom
        if self._met_data or (dtype is not INT32 and dtype is not INT64):
            opened = self._opened(terms, const, dtype)
            if opened is not None:
                return self._build(*opened, dtype)
        key = (const, frozenset(terms.items()))
        found = self._sums.get(key)
        if found is None:
            found = self._sums[key] = self._assemble(terms, const, dtype)
            self._forms[found] = (terms, const)
        return found

    def _opened(self, terms: Terms, const: int, dtype: DType) -> Form | None:
        """Terms that are sums themselves, which stayed whole because they may wrap, as a sum is read again."""
        forms = self._forms
        if not any([atom in forms and len(forms[atom][0]) <= _REUSE_LIMIT for atom in terms]):
            return None
        opened: Terms = {}
        for atom, k in terms.items():
            const += self._add_simple(opened, atom, k)
        opened = {atom: k for atom, k in opened.items() if k}
        if dtype is not INT32 and dtype is not INT64:
            opened, const = self._modulo(opened, const, dtype)
        return self._settle(opened, const, dtype) if len(opened) > 1 or const else (opened, const)

    def _assemble(self, terms: Terms, const: int, dtype: DType) -> Expr:
        if dtype is INT32 or dtype is INT64:
            low, high = b.type_range(dtype)
            if not (low < const <= high and low < min(terms.values()) and max(terms.values()) <= high):
                raise TooLarge
        if self._factors and 1 < len(terms) <= _FACTOR_TERMS:
            shared = self._shared_factor(terms)
            if shared is not None:
                return self._assemble_factored(terms, const, dtype, shared)
        return self._chain(list(terms.items()), const, dtype)

    def _chain(self, items: list[tuple[Expr, int]], const: int, dtype: DType) -> Expr:
        """Positive terms, then negative ones, then the constant."""
        result: Expr | None = None
        negative: list[tuple[Expr, int]] = []
        literals: dict[int, Expr] = {}
        for atom, k in items:
            if k < 0:
                negative.append((atom, k))
                continue
            term = atom
            if k != 1:
                literal = literals.get(k)
                if literal is None:
                    literal = literals[k] = IntImm(dtype, k)
                term = e.Mul(atom, literal)
            result = term if result is None else e.Add(result, term)
        if result is None:
            if const > 0 or dtype.code == "uint":
                result, const = IntImm(dtype, const), 0
            else:
                atom, k = negative.pop(0)
                result = e.Mul(atom, IntImm(dtype, k))
        for atom, k in negative:
            result = e.Sub(result, atom if k == -1 else e.Mul(atom, IntImm(dtype, -k)))
        if const > 0:
            return e.Add(result, IntImm(dtype, const))
        return e.Sub(result, IntImm(dtype, -const)) if const < 0 else result

    def _raw(self, form: Form, dtype: DType) -> Expr:
        """The expression of a sum as explanations show it; no table is touched."""
        return self._chain(list(form[0].items()), form[1], dtype) if form[0] else IntImm(dtype, form[1])

    def _note_division(
        self, step: str, kind: type[e.BinaryOp], terms: Terms, const: int, divisor: int, after: Expr, dtype: DType
    ) -> None:
        self._note(step, kind(self._raw((terms, const), dtype), IntImm(dtype, divisor)), after)

    def _shared_factor(self, terms: Terms) -> Expr | None:
        """A factor that at least two terms have, one of them a product; the most frequent, else None.

        Of several the one that stands last in the first term that has any of them: its group comes first and it stands
        outermost there, so the same one is found when the result is taken apart.
        """
        counts: dict[Expr, int] = {}
        products: dict[Expr, None] = {}
        for atom in terms:
            factors = self._factors.get(atom)
            for f in dict.fromkeys(factors or (atom,)):
                counts[f] = counts.get(f, 0) + 1
                if factors is not None:
                    products[f] = None
        most = max([counts[f] for f in products], default=0)
        if most < 2:
            return None
        for atom in terms:
            for f in reversed(self._factors.get(atom, (atom,))):
                if counts[f] == most and f in products:
                    return f
        return None

    def _assemble_factored(self, terms: Terms, const: int, dtype: DType, shared: Expr) -> Expr:
        """``i*n*8 + j*n + k`` as ``(i*8 + j)*n + k``."""
        inner: Terms = {}
        inner_const = 0
        rest: list[tuple[Expr, int]] = []
        place = 0
        for atom, k in terms.items():
            factors = self._factors.get(atom, (atom,))
            if shared not in dict.fromkeys(factors):
                rest.append((atom, k))
                continue
            if not inner and not inner_const:
                place = len(rest)
            left = list(factors)
            del left[[f is shared for f in factors].index(True)]
            if left:
                inner[self._product_of(tuple(left))] = k
            else:
                inner_const = k
        inner, inner_const = self._settle(inner, inner_const, dtype)
        if len(inner) == 1 and not inner_const:  # the terms were one
            ((left_over, k),) = inner.items()
            rest.insert(place, (self._monomial(left_over, shared), k))
            return self._build(dict(rest), const, dtype)
        group = e.Mul(self._build(inner, inner_const, dtype), shared)
        rest.insert(place, (group, 1))
        if self._shared_factor(dict(rest)) is None:
            return self._chain(rest, const, dtype)
        others = {atom: k for atom, k in rest if atom is not group}
        return e.Add(group, self._build(others, const, dtype))
