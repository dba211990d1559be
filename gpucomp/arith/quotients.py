"""Sums, quotients and remainders as nodes: from their operands to a sum and back."""

from __future__ import annotations

import math

from gpucomp.arith.simplify import Simplify
from gpucomp.arith.state import Form, Terms
from gpucomp.support.dtype import INT32, INT64, DType
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IntImm
from gpucomp.tir.functor import rebuild_binary

_RECOMBINE_LIMIT = 48  # recombination looks at pairs of terms


class Quotients(Simplify):
    """Adds the methods for +, -, * and the divisions."""

    def _sum_node(self, node: e.BinaryOp) -> Expr:
        dtype = node.dtype
        if dtype.lanes != 1:
            return self._vector(node)
        if not dtype.is_int:
            return self._float(node)
        terms, const = self._gather(node)
        if dtype is not INT32 and dtype is not INT64:
            terms, const = self._modulo(terms, const, dtype)
        if len(terms) > 1 or const:
            terms, const = self._settle(terms, const, dtype)
        return self._build(terms, const, dtype)

    def _modulo(self, terms: Terms, const: int, dtype: DType) -> Form:
        """Coefficients and constant of a type that wraps, each in one form.

        For unsigned types the top sixteenth counts as negative: ``x - y * 3``, not ``x + y * 65533``.
        """
        full = 1 << dtype.bits
        high = full >> 1 if dtype.code == "int" else full - (full >> 4)
        low = high - full
        if any([not low <= k < high for k in terms.values()]):
            terms = {t: k for t, k in [(t, (k - low) % full + low) for t, k in terms.items()] if k}
        return terms, (const - low) % full + low

    def _settle(self, terms: Terms, const: int, dtype: DType) -> Form:
        """Recombine what can be, unless the type wraps."""
        if len(terms) > _RECOMBINE_LIMIT or not self._has_complex(terms) or self._may_wrap(dtype, terms):
            return terms, const
        return self._recombine(terms, const, dtype)

    def _float(self, node: e.BinaryOp) -> Expr:
        """Only what holds for every float: x*1, x - 0."""
        a, b = self._simp(node.a), self._simp(node.b)
        kind = type(node)
        if kind is e.Mul:
            if type(b) is e.FloatImm and b.value == 1.0:
                return a
            if type(a) is e.FloatImm and a.value == 1.0:
                return b
        elif kind is e.Sub and type(b) is e.FloatImm and b.value == 0.0 and math.copysign(1.0, b.value) > 0:
            return a
        return node if a is node.a and b is node.b else rebuild_binary(kind, a, b)

    def _floor(self, node: e.BinaryOp) -> Expr:
        """Floor quotient or remainder."""
        dtype = node.dtype
        if dtype.lanes != 1:
            return self._vector(node)
        if not dtype.is_int:
            return self._float(node)
        a, b = self._simp(node.a), self._simp(node.b)
        return self._floor_of(type(node), a, b, dtype)

    def _floor_of(self, kind: type[e.BinaryOp], a: Expr, b: Expr, dtype: DType) -> Expr:
        """Floor quotient or remainder of simplified operands."""
        if type(b) is not IntImm:
            return self._floor_symbolic(kind, a, b, dtype)
        c = b.value
        if c == 0:
            return kind(a, b)
        terms, const = self._form(a)
        if c < 0:
            if self._may_wrap(dtype, terms):
                return kind(a, b)  # the negated numerator might not fit
            return self._floor_negative(kind, terms, const, c, dtype)
        if kind is e.FloorDiv:
            terms, const = self._quotient(terms, const, c, dtype)
        else:
            terms, const = self._remainder(terms, const, c, dtype)
        if dtype is not INT32 and dtype is not INT64:
            terms, const = self._modulo(terms, const, dtype)
        if len(terms) > 1 or const:
            terms, const = self._settle(terms, const, dtype)
        return self._build(terms, const, dtype)

    def _floor_negative(self, kind: type[e.BinaryOp], terms: Terms, const: int, c: int, dtype: DType) -> Expr:
        """n // -c is -n // c and n % -c is -(-n % c)."""
        negated = {t: -k for t, k in terms.items()}
        if kind is e.FloorDiv:
            terms, const = self._quotient(negated, -const, -c, dtype)
        else:
            terms, const = self._remainder(negated, -const, -c, dtype)
            terms, const = {t: -k for t, k in terms.items()}, -const
        return self._build(*self._settle(terms, const, dtype), dtype)

    def _floor_symbolic(self, kind: type[e.BinaryOp], a: Expr, b: Expr, dtype: DType) -> Expr:
        """Division by something that is no literal, but known to be positive."""
        if self._bound(b)[0] < 1:
            return kind(a, b)
        terms, const = self._form(a)
        if self._may_wrap(dtype, terms):
            return kind(a, b)
        size = self._form(b)
        whole, whole_const, terms, const = self._divide_out(terms, const, size)
        step = self._whole_steps(terms, const, size, self._bound(b)[0])
        if step is not None:
            if kind is e.FloorMod:
                terms, const = self._plus(terms, const, size, -step)
                return self._build(*self._settle(terms, const, dtype), dtype)
            return self._build(whole, whole_const + step, dtype)
        if not terms and const == 0:
            atom: Expr = IntImm(dtype, 0)
        else:
            atom = self._rewritten(kind(self._build(terms, const, dtype), b))
        if kind is e.FloorMod:
            return atom
        if not whole and not whole_const:
            return atom
        more, more_const = self._form(atom)
        result = self._plus(whole, whole_const, (more, more_const), 1)
        return self._build(*self._settle(*result, dtype), dtype)

    def _whole_steps(self, terms: Terms, const: int, size: Form, least: float | int) -> int | None:
        """The quotient of a sum by a size >= ``least`` >= 1 if it is known to be 0 or -1."""
        low, high = self._sum_bound(terms, const)
        if 0 <= low and high < least:
            return 0
        if -least <= low and high < 0:
            return -1
        left, left_const = self._difference(size, (terms, const))
        if high >= 0 and self._prove_nonnegative(terms, const, 2):
            return 0 if self._prove_nonnegative(left, left_const - 1, 2) else None
        negated = {t: -k for t, k in terms.items()}
        if low < 0 and self._prove_nonnegative(negated, -const - 1, 2):
            more, more_const = self._plus(terms, const, size, 1)
            return -1 if self._prove_nonnegative(more, more_const, 2) else None
        return None

    def _divide_out(self, terms: Terms, const: int, size: Form) -> tuple[Terms, int, Terms, int]:
        """Whole multiples of ``size`` in a sum: quotient terms and constant, remaining terms and constant."""
        whole: Terms = {}
        whole_const = 0
        lead, lead_k = next(iter(size[0].items()))
        lead_factors = self._factors.get(lead, (lead,))
        for t, k in list(terms.items()):
            if k % lead_k or terms.get(t) != k:
                continue
            left = self._without(self._factors.get(t, (t,)), lead_factors)
            if left is None:
                continue
            q = k // lead_k
            factor: Form = ({self._product_of(left): q}, 0) if left else ({}, q)
            product, product_const = self._times(factor, size, t.dtype)
            if any([terms.get(p) != j for p, j in product.items()]):
                continue
            terms = {p: j for p, j in terms.items() if p not in product}
            const -= product_const
            whole, whole_const = self._plus(whole, whole_const, factor, 1)
        return whole, whole_const, terms, const

    def _trunc(self, node: e.BinaryOp) -> Expr:
        """Truncating division is floor division where both operands are known not to be negative."""
        dtype = node.dtype
        if dtype.lanes != 1:
            return self._vector(node)
        a, b = self._simp(node.a), self._simp(node.b)
        kind = type(node)
        if not dtype.is_int:
            if kind is e.Div and type(b) is e.FloatImm and b.value == 1.0:
                return a
            return node if a is node.a and b is node.b else rebuild_binary(kind, a, b)
        if self._bound(a)[0] >= 0 and self._bound(b)[0] >= 1:
            return self._floor_of(e.FloorDiv if kind is e.Div else e.FloorMod, a, b, dtype)
        if type(b) is IntImm and b.value != 0:
            if type(a) is IntImm:
                return operators.division(kind, a, b)
            terms, const = self._form(a)
            if const % b.value == 0 and all([k % b.value == 0 for k in terms.values()]):
                if kind is e.Mod:
                    return IntImm(dtype, 0)
                return self._build({t: k // b.value for t, k in terms.items()}, const // b.value, dtype)
        return node if a is node.a and b is node.b else operators.division(kind, a, b)


Simplify._simp_table.update(
    {
        e.Add: Quotients._sum_node,
        e.Sub: Quotients._sum_node,
        e.Mul: Quotients._sum_node,
        e.FloorDiv: Quotients._floor,
        e.FloorMod: Quotients._floor,
        e.Div: Quotients._trunc,
        e.Mod: Quotients._trunc,
    }
)
