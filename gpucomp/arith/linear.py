"""Sums taken apart by variable: what solvers need to know about an expression."""

from __future__ import annotations

from collections.abc import Mapping

from gpucomp.arith.sets import Sets
from gpucomp.arith.state import UNLIMITED, Form, OutOfBudget, Terms
from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, IntImm, Var
from gpucomp.tir.functor import free_vars


class Linear(Sets):
    """Adds decomposition by variable."""

    def expr_of(self, form: Form, dtype: DType) -> Expr:
        """The expression of a sum."""
        return self._build(*self._settled((dict(form[0]), form[1]), dtype), dtype)

    def order_of(self, condition: Expr) -> Form | None:
        """The sum that a simplified comparison says is < 0."""
        return self._orders.get(condition)

    def difference_of(self, a: Expr, b: Expr) -> Form:
        """a - b of simplified integers."""
        return self._difference(self._form(a), self._form(b))

    def linear_parts(self, node: Expr, variables: Mapping[Var, None]) -> tuple[dict[Var, Form], Form] | None:
        """Coefficient of each variable and the rest, as sums; None where ``node`` is not linear in them."""
        self._allow(node)
        try:
            simple = self._simp(node)
        except OutOfBudget:
            return None
        finally:
            self._budget = UNLIMITED
        if not simple.dtype.is_int or simple.dtype.lanes != 1:
            return None
        terms, const = self._form(simple)
        coeffs: dict[Var, Form] = {}
        base: Terms = {}
        for atom, k in terms.items():
            free = free_vars(atom)
            if free.isdisjoint(variables.keys()):
                base[atom] = k
                continue
            split = self._split_product(atom, variables)
            if split is None:
                return None
            var, factor = split
            old = coeffs.get(var, ({}, 0))
            coeffs[var] = self._plus(old[0], old[1], factor, k)
        return coeffs, (base, const)

    def _split_product(self, atom: Expr, variables: Mapping[Var, None]) -> tuple[Var, Form] | None:
        """``atom`` as variable times something free of the variables."""
        if isinstance(atom, Var):
            return atom, ({}, 1)
        factors = self._factors.get(atom)
        if factors is None:
            return None
        moving = [f for f in factors if not free_vars(f).isdisjoint(variables.keys())]
        if len(moving) != 1 or not isinstance(moving[0], Var):
            return None
        fixed = tuple([f for f in factors if f is not moving[0]])
        return moving[0], ({self._product_of(fixed): 1}, 0)

    def isolate(self, order: Form, var: Var) -> tuple[Expr, int, Form] | None:
        """The one term of a sum in which ``var`` occurs: atom, coefficient and the other terms."""
        mine = [atom for atom in order[0] if var in free_vars(atom)]
        if len(mine) != 1:
            return None
        rest = {t: k for t, k in order[0].items() if t is not mine[0]}
        return mine[0], order[0][mine[0]], (rest, order[1])

    def unwrap(self, atom: Expr, var: Var, end: Expr, upper: bool) -> Form | None:
        """A sum that is < 0 exactly where ``atom <= end`` (or ``atom >= end``), without one operation.

        Handles floor division by a positive literal and products with something known to be positive.
        """
        if not end.dtype.is_int:
            return None
        limit = self._form(end)
        if type(atom) is e.FloorDiv:
            c = self._positive_divisor(atom)
            if c is None:
                return None
            n = self._form(atom.a)
            if upper:  # n <= end*c + c - 1
                return self._plus(n[0], n[1] - c, limit, -c)
            negated = {t: -k for t, k in n[0].items()}
            return self._plus(negated, -n[1] - 1, limit, c)  # n >= end*c
        factors = self._factors.get(atom)
        if factors is None:
            return None
        for f in factors:
            if self._bound(f)[0] < 1 or var in free_vars(f):
                continue
            left = self._without(factors, (f,))
            if left is None:
                continue
            return self._scaled_order(self._product_of(left), f, end, upper)
        return None

    def _scaled_order(self, atom: Expr, factor: Expr, end: Expr, upper: bool) -> Form:
        """atom * factor <= end, for factor > 0, is atom <= end // factor; >= is atom >= -(-end // factor)."""
        dtype = atom.dtype
        if upper:
            quotient = self._form(self._floor_of(e.FloorDiv, end, factor, dtype))
            return self._plus({atom: 1}, -1, quotient, -1)
        negated = self._simp(e.Sub(IntImm(dtype, 0), end))
        quotient = self._form(self._floor_of(e.FloorDiv, negated, factor, dtype))
        return self._plus({atom: -1}, -1, quotient, -1)
