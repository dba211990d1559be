"""Simplification of expressions, one visit per distinct node and context."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Final

from gpucomp.arith.bounds import type_range
from gpucomp.arith.match import MATCHERS
from gpucomp.arith.prove import Prove
from gpucomp.arith.state import Form, Impure, Node, Terms, TooLarge
from gpucomp.support.dtype import INT32, INT64, DType
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IntImm
from gpucomp.tir.functor import rebuild_binary, substitute
from gpucomp.tir.intrin import CallEffectKind, Op

_FLATTEN_LIMIT = 8
_DEEP_SUM = 64
_RECOMBINE_LIMIT = 48  # recombination looks at pairs of terms
_IF_THEN_ELSE: Final = Op.get("tir.if_then_else")


def boolean(value: bool, like: Expr | None = None) -> Expr:
    """A bool literal with the lanes of ``like``."""
    return operators.const(int(value), operators.BOOL if like is None else like.dtype)


class Simplify(Prove):
    """Adds :meth:`_simp` and a method per class of expressions."""

    _simp_table: ClassVar[dict[type, Callable[[Any, Any], Expr]]] = {}

    def _logical(self, node: e.BinaryOp) -> Expr:
        raise NotImplementedError

    def _vector(self, node: Expr) -> Expr:
        raise NotImplementedError

    def _simp(self, node: Expr) -> Expr:
        memo = self._memo
        done = memo.get(node)
        if done is not None:
            return done
        if self._outer is not None:
            done = self._outer[1].get(node)
            if done is not None and self._unaffected(node):
                memo[node] = done
                return done
        method = self._simp_table.get(type(node))
        try:
            done = self._children(node) if method is None else method(self, node)
        except TooLarge:
            done = self._children(node) if node.depth < _DEEP_SUM else node
        if MATCHERS[type(done)] is not None:
            done = self._rewritten(done)
        memo[node] = done
        if done is not node:
            memo[done] = done
        return done

    def _rewritten(self, node: Expr) -> Expr:
        """Apply the rule table to a node with simplified operands until nothing matches."""
        matcher = MATCHERS[type(node)]
        if matcher is None or node.dtype.lanes != 1:
            return node
        if type(node) is not e.Select and not (type(node) is e.Call and node.op is _IF_THEN_ELSE):
            dtype = node.dtype  # the other rules are about integers that do not wrap
            if (dtype is not INT32 and dtype is not INT64) or (self._met_data and self._is_data(node)):
                return node
        new = matcher(self, node)
        return node if new is None else self._simp(new)

    # -- leaves and generic nodes -----------------------------------------------------------------------------

    def _leaf(self, node: Expr) -> Expr:
        return node

    def _var(self, node: e.Var) -> Expr:
        self._met[node] = None
        replaced = self._replaced.get(node)
        if replaced is not None:
            return self._simp(replaced)
        low, high = self._bound(node)
        return IntImm(node.dtype, int(low)) if low == high else node

    def _children(self, node: Expr) -> Expr:
        """Simplify the operands and leave the node itself."""
        changed = False
        values: list[Any] = []
        for field, kind in node._kinds.items():
            old = getattr(node, field)
            new = old
            if isinstance(old, Expr):
                new = self._simp(old)
            elif kind == "exprs":
                items = tuple([self._simp(x) for x in old])
                new = old if all([x is y for x, y in zip(old, items, strict=True)]) else items
            changed = changed or new is not old
            values.append(new)
        return type(node)(*values) if changed else node

    def _reduce_node(self, node: e.Reduce) -> Expr:
        self._met_data = True
        for axis in node.axis:
            if axis.dom is not None and axis.var not in self._bound_to:
                self._bind_axis(axis)
        return self._children(node)

    def _bind_axis(self, axis: e.IterVar) -> None:
        raise NotImplementedError

    def _load(self, node: Expr) -> Expr:
        self._met_data = True
        return self._children(node)

    # -- sums and divisions -----------------------------------------------------------------------------------

    def _sum_node(self, node: e.BinaryOp) -> Expr:
        dtype = node.dtype
        if dtype.lanes != 1:
            return self._vector(node)
        if not dtype.is_int:
            return self._float(node)
        terms, const = self._gather(node)
        if len(terms) > 1 or const:
            terms, const = self._settle(terms, const, dtype)
        return self._build(terms, const, dtype)

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
        if len(terms) > 1:
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
        return self._build(terms, const, dtype)

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
            terms, const = self._form(a)
            if const % b.value == 0 and all([k % b.value == 0 for k in terms.values()]):
                if kind is e.Mod:
                    return IntImm(dtype, 0)
                return self._build({t: k // b.value for t, k in terms.items()}, const // b.value, dtype)
        return node if a is node.a and b is node.b else operators.division(kind, a, b)

    # -- extrema ----------------------------------------------------------------------------------------------

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
        items = self._operands(kind, x) + self._operands(kind, y)
        if len(items) > 2:
            return self._extremum_of_many(kind, items, dtype)
        if any([type(next(iter(f[0]), None)) is kind and len(f[0]) == 1 and not f[1] for f in items]):
            return {self._unordered(kind, [self._build(*x, dtype), self._build(*y, dtype)]): 1}, 0  # too long
        chosen = self._chosen(kind, x, y, dtype)
        return chosen if chosen is not None else self._pull(kind, x, y, dtype)

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
        """min(i + a + 1, i + b + 2) is i + 1 + min(a, b + 1)."""
        (p, i), (q, j) = x, y
        common: Terms = {}
        if not self._may_wrap(dtype, p) and not self._may_wrap(dtype, q):
            common = {t: k for t, k in p.items() if q.get(t) == k}
            if common:
                p = {t: k for t, k in p.items() if t not in common}
                q = {t: k for t, k in q.items() if t not in common}
            shift = 0
            if p and q:
                shift = min(i, j) if i > 0 and j > 0 else max(i, j) if i < 0 and j < 0 else 0
            i, j = i - shift, j - shift
        else:
            shift = 0
        atom = self._unordered(kind, [self._build(p, i, dtype), self._build(q, j, dtype)])
        better = self._rewritten(atom)
        if better is not atom:
            return self._plus(common, shift, self._form(better), 1)
        return self._merged(common, {atom: 1}), shift

    def _extremum_of_many(self, kind: type[e.BinaryOp], items: list[Form], dtype: DType) -> Form:
        if len(items) > _FLATTEN_LIMIT:
            parts = [self._build(*f, dtype) for f in items]
        else:
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
            if len(kept) == 1:
                return kept[0]
            if len(kept) == 2:
                return self._pull(kind, kept[0], kept[1], dtype)
            parts = [self._build(*f, dtype) for f in kept]
        return {self._unordered(kind, parts): 1}, 0

    def _unordered(self, kind: type[e.BinaryOp], parts: list[Expr]) -> Expr:
        """A tree of a commutative operator: one object whatever the order of its operands."""
        key = (kind, frozenset(parts))
        found = self._sums.get(key)
        if found is None:
            found = parts[0]
            for part in dict.fromkeys(parts[1:]):
                found = kind(found, part)
            self._sums[key] = found
        return found

    # -- comparisons ------------------------------------------------------------------------------------------

    def _comparison(self, node: e.BinaryOp) -> Expr:
        dtype = node.a.dtype
        if dtype.lanes != 1:
            return self._vector(node)
        a, b = self._simp(node.a), self._simp(node.b)
        kind = type(node)
        if not dtype.is_int:
            return self._other_comparison(node, a, b)
        terms, const = self._difference(self._form(a), self._form(b))
        terms, const = self._settle(terms, const, dtype)
        if kind is e.EQ or kind is e.NE:
            return self._equality(kind, terms, const, dtype, a, b)
        if kind is e.GT or kind is e.GE:
            terms, const = {t: -k for t, k in terms.items()}, -const
        if kind is e.LE or kind is e.GE:
            const -= 1
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
        sign = self._sign(terms, const)
        while sign is None:
            reduced = self._divided(terms, const)
            if reduced is None:
                break
            terms, const = reduced
            sign = self._sign(terms, const, 0)
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
        if self._facts or self._has_complex(terms):
            negated = {t: -k for t, k in terms.items()}
            if self._prove_nonnegative(terms, const - 1, 2) or self._prove_nonnegative(negated, -const - 1, 2):
                return boolean(not equal)
            if self._facts and self._prove_nonnegative(terms, const, 2) and self._prove_nonnegative(negated, -const, 2):
                return boolean(equal)
        if self._may_wrap(dtype, terms):
            return kind(a, b)
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

    # -- conditions -------------------------------------------------------------------------------------------

    def _not(self, node: e.Not) -> Expr:
        if node.dtype.lanes != 1:
            return self._children(node)
        return self._negation(self._simp(node.a))

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
        if type(c) is IntImm:
            return self._simp(node.true_value if c.value else node.false_value)
        x, y = self._simp(node.true_value), self._simp(node.false_value)
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

    # -- casts, calls, bindings -------------------------------------------------------------------------------

    def _cast(self, node: e.Cast) -> Expr:
        value = self._simp(node.value)
        dtype = node.dtype
        while type(value) is e.Cast and self._keeps(value.value, value.dtype):
            value = value.value
        return node if value is node.value else operators.cast(dtype, value)

    def _keeps(self, value: Expr, dtype: DType) -> bool:
        """True if converting an integer ``value`` to the integer type ``dtype`` never changes it."""
        if not (value.dtype.is_int and dtype.is_int):
            return False
        low, high = self._bound(value)
        limits = type_range(dtype.element)
        return limits[0] <= low and high <= limits[1]

    def _call(self, node: e.Call) -> Expr:
        op = node.op
        if not isinstance(op, Op):
            raise Impure
        if op.effect > CallEffectKind.ReadState and op.effect not in (
            CallEffectKind.SpecialCallArg,
            CallEffectKind.EmbedInfo,
        ):
            raise Impure
        if op.name == "tir.if_then_else":
            return self._if_then_else(node)
        if op.name != "tir.likely":
            self._met_data = True
            return self._children(node)
        value = self._simp(node.args[0])
        if type(value) is IntImm or value is node.args[0]:
            return value if type(value) is IntImm else node
        if type(value) is e.Call and value.op is op:
            return value
        return e.Call(node.dtype, op, (value,))

    def _if_then_else(self, node: e.Call) -> Expr:
        c = self._simp(node.args[0])
        if type(c) is IntImm:
            return self._simp(node.args[1] if c.value else node.args[2])
        x, y = self._simp(node.args[1]), self._simp(node.args[2])
        if x is y:
            return x
        old = node.args
        return node if c is old[0] and x is old[1] and y is old[2] else e.Call(node.dtype, node.op, (c, x, y))

    def _let(self, node: e.Let) -> Expr:
        value = self._simp(node.value)
        if isinstance(value, (e.Var, e.ConstExpr)):
            return self._simp(substitute(node.body, {node.var: value}))
        body = self._simp(node.body)
        return node if value is node.value and body is node.body else e.Let(node.var, value, body)


_NEGATED: Final[dict[type, type[e.BinaryOp]]] = {
    e.EQ: e.NE,
    e.NE: e.EQ,
    e.LT: e.GE,
    e.GE: e.LT,
    e.LE: e.GT,
    e.GT: e.LE,
}
_TABLE: Final[dict[type, Callable[[Any, Any], Expr]]] = {
    e.Var: Simplify._var,
    e.SizeVar: Simplify._var,
    e.IntImm: Simplify._leaf,
    e.FloatImm: Simplify._leaf,
    e.StringImm: Simplify._leaf,
    e.Add: Simplify._sum_node,
    e.Sub: Simplify._sum_node,
    e.Mul: Simplify._sum_node,
    e.FloorDiv: Simplify._floor,
    e.FloorMod: Simplify._floor,
    e.Div: Simplify._trunc,
    e.Mod: Simplify._trunc,
    e.Min: Simplify._extremum_node,
    e.Max: Simplify._extremum_node,
    e.EQ: Simplify._comparison,
    e.NE: Simplify._comparison,
    e.LT: Simplify._comparison,
    e.LE: Simplify._comparison,
    e.GT: Simplify._comparison,
    e.GE: Simplify._comparison,
    e.Not: Simplify._not,
    e.Select: Simplify._select,
    e.Cast: Simplify._cast,
    e.Call: Simplify._call,
    e.BufferLoad: Simplify._load,
    e.ProducerLoad: Simplify._load,
    e.Let: Simplify._let,
    e.Reduce: Simplify._reduce_node,
}
Simplify._simp_table.update(_TABLE)
