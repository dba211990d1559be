"""Minima and maxima: the operand that always wins, shared terms pulled out, nests flattened."""

from __future__ import annotations

from gpucomp.arith.quotients import Quotients
from gpucomp.arith.simplify import Simplify
from gpucomp.arith.state import Form, Node, Terms
from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr
from gpucomp.tir.functor import rebuild_binary

_FLATTEN_LIMIT = 8


class Extrema(Quotients):
    """Adds the methods for Min and Max."""

    def _extremum_node(self, node: e.BinaryOp) -> Expr:
        dtype = node.dtype
        if dtype.lanes != 1:
            return self._vector(node)
        a, b = self._simp(node.a), self._simp(node.b)
        if a is b:
            return a
        if not dtype.is_int:
            return node if a is node.a and b is node.b else rebuild_binary(type(node), a, b)
        terms, const = self._extremum(type(node), self._form(a), self._form(b), dtype)
        if const or len(terms) > 1:
            terms, const = self._settle(terms, const, dtype)
        return self._build(terms, const, dtype)

    def _extremum(self, kind: type[e.BinaryOp], x: Form, y: Form, dtype: DType) -> Form:
        """Minimum or maximum of two sums."""
        self._spend(6 + len(x[0]) + len(y[0]))
        items = self._operands(kind, x) + self._operands(kind, y)
        if len(items) > _FLATTEN_LIMIT or any([self._is_extremum(kind, f) for f in items]):
            return self._tree(kind, [x, y], dtype)  # too long
        if len(items) > 2:
            return self._extremum_of_many(kind, items, dtype)
        chosen = self._chosen(kind, x, y, dtype)
        if chosen is None:
            return self._pull(kind, x, y, dtype)
        if self._trace is not None:
            self._note("extremum-decided", kind(self._raw(x, dtype), self._raw(y, dtype)), self._raw(chosen, dtype))
        return chosen

    def _operands(self, kind: type[e.BinaryOp], form: Form) -> list[Form]:
        """The operands of nested extrema of one kind; only the form itself if there are too many."""
        out: list[Form] = []
        stack = [form]
        while stack:
            item = stack.pop()
            atom: Node = next(iter(item[0])) if len(item[0]) == 1 and not item[1] else None
            if type(atom) is not kind or item[0][atom] != 1:
                out.append(item)
                continue
            stack += [self._form(atom.b), self._form(atom.a)]
            if len(out) + len(stack) > _FLATTEN_LIMIT:
                return [form]
        return out

    def _chosen(self, kind: type[e.BinaryOp], x: Form, y: Form, dtype: DType) -> Form | None:
        """The operand that always wins, if one does."""
        terms, const = self._difference(x, y)
        if not terms:
            return x if (const <= 0) == (kind is e.Min) else y
        terms, const = self._settle(terms, const, dtype)
        low, high = self._sum_bound(terms, const)
        if high <= 0:
            return x if kind is e.Min else y
        if low >= 0:
            return y if kind is e.Min else x
        if not (self._facts or self._has_complex(terms)):
            return None
        if self._prove_nonnegative(terms, const, 2):
            return y if kind is e.Min else x
        if self._prove_nonnegative({t: -k for t, k in terms.items()}, -const, 2):
            return x if kind is e.Min else y
        return None

    def _pull(self, kind: type[e.BinaryOp], x: Form, y: Form, dtype: DType) -> Form:
        """Minimum or maximum of two operands neither of which always wins."""
        merged = self._merged_pair(kind, x, y, dtype)
        return merged if merged is not None else self._tree(kind, [x, y], dtype)

    def _merged_pair(self, kind: type[e.BinaryOp], x: Form, y: Form, dtype: DType) -> Form | None:
        """min(i + a + 1, i + b + 2) is i + 1 + min(a, b + 1); None where two operands have nothing to share."""
        (p, i), (q, j) = x, y
        common: Terms = {}
        shift = 0
        if not self._may_wrap(dtype, p) and not self._may_wrap(dtype, q):
            common = {t: k for t, k in p.items() if q.get(t) == k}
            if common:
                p = {t: k for t, k in p.items() if t not in common}
                q = {t: k for t, k in q.items() if t not in common}
            if p and q:
                shift = min(i, j) if i > 0 and j > 0 else max(i, j) if i < 0 and j < 0 else 0
            i, j = i - shift, j - shift
            if self._trace is not None and (common or shift):
                inner = kind(self._raw((p, i), dtype), self._raw((q, j), dtype))
                self._note(
                    "extremum-pull",
                    kind(self._raw(x, dtype), self._raw(y, dtype)),
                    self._raw(({**common, inner: 1}, shift), dtype),
                )
            if (common or shift) and any([self._is_extremum(kind, f) for f in ((p, i), (q, j))]):
                return self._plus(common, shift, self._extremum(kind, (p, i), (q, j), dtype), 1)
        atom = self._unordered(kind, [self._build(p, i, dtype), self._build(q, j, dtype)])
        better = self._rewritten(atom)
        if better is not atom:
            return self._plus(common, shift, self._form(better), 1)
        return (self._merged(common, {atom: 1}), shift) if common or shift else None

    def _is_extremum(self, kind: type[e.BinaryOp], form: Form) -> bool:
        """True if a sum is one extremum of this kind and nothing else."""
        return (
            len(form[0]) == 1 and not form[1] and form[0].get(atom := next(iter(form[0]))) == 1 and type(atom) is kind
        )

    def _extremum_of_many(self, kind: type[e.BinaryOp], items: list[Form], dtype: DType) -> Form:
        """Operands of which none always wins and no two share anything, so that every subtree of them is final."""
        while len(items) > 2:
            self._spend(4 * len(items) * len(items))  # all pairs, twice
            items = self._undecided(kind, items, dtype)
            if len(items) < 3:
                break
            fewer = self._with_one_pair_merged(kind, items, dtype)
            if fewer is None:
                return self._tree(kind, items, dtype)
            items = fewer
        return items[0] if len(items) == 1 else self._pull(kind, items[0], items[1], dtype)

    def _undecided(self, kind: type[e.BinaryOp], items: list[Form], dtype: DType) -> list[Form]:
        """Without the operands that never win."""
        kept: list[Form] = []
        for new in items:
            rest: list[Form] = []
            for position, old in enumerate(kept):
                chosen = self._chosen(kind, old, new, dtype)
                if chosen is old:
                    rest += kept[position:]
                    break
                if chosen is None:
                    rest.append(old)
            else:
                rest.append(new)
            kept = rest
        return kept

    def _with_one_pair_merged(self, kind: type[e.BinaryOp], items: list[Form], dtype: DType) -> list[Form] | None:
        """The first two operands that share something as one, in the place of the first."""
        for place, x in enumerate(items):
            for other in range(place + 1, len(items)):
                merged = self._merged_pair(kind, x, items[other], dtype)
                if merged is None:
                    continue
                rest = [f for i, f in enumerate(items) if i != place and i != other]
                return rest[:place] + self._operands(kind, merged) + rest[place:]
        return None

    def _tree(self, kind: type[e.BinaryOp], items: list[Form], dtype: DType) -> Form:
        return {self._unordered(kind, [self._build(*f, dtype) for f in items]): 1}, 0

    def _unordered(self, kind: type[e.BinaryOp], parts: list[Expr]) -> Expr:
        """A tree of a commutative operator: one object whatever the order of its operands."""
        parts = list(dict.fromkeys(parts))
        key = (kind, frozenset(parts))
        found = self._sums.get(key)
        if found is None:
            found = parts[0] if len(parts) == 1 else kind(self._unordered(kind, parts[:-1]), parts[-1])
            self._sums[key] = found
        return found


Simplify._simp_table.update({e.Min: Extrema._extremum_node, e.Max: Extrema._extremum_node})
