"""Ramps and broadcasts: vector arithmetic as arithmetic on base and stride."""

from __future__ import annotations

from gpucomp.arith.logic import Logic
from gpucomp.arith.simplify import Simplify, boolean
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, IntImm
from gpucomp.tir.functor import rebuild_binary

_COMPARISONS = (e.EQ, e.NE, e.LT, e.LE, e.GT, e.GE)


class Vectors(Logic):
    """Adds :meth:`_vector`."""

    def _vector(self, node: Expr) -> Expr:
        """A binary operation of two vectors."""
        assert isinstance(node, e.BinaryOp)
        a, b = self._simp(node.a), self._simp(node.b)
        kind = type(node)
        if type(a) is e.Broadcast and type(b) is e.Broadcast:
            return e.Broadcast(self._simp(kind(a.value, b.value)), a.lanes)
        if kind is e.And or kind is e.Or:
            return self._mask(kind, a, b)
        if a.dtype.is_int and type(a) in (e.Ramp, e.Broadcast) and type(b) in (e.Ramp, e.Broadcast):
            done = self._lanes(kind, a, b)
            if done is not None:
                return done
        return node if a is node.a and b is node.b else rebuild_binary(kind, a, b)

    def _mask(self, kind: type[e.BinaryOp], a: Expr, b: Expr) -> Expr:
        """A conjunction or disjunction of masks, one of which may be the same in all lanes."""
        for this, other in ((a, b), (b, a)):
            if this is other:
                return this
            if type(this) is e.Broadcast and type(this.value) is IntImm:
                return other if bool(this.value.value) == (kind is e.And) else this
        return kind(a, b)

    def _lanes(self, kind: type[e.BinaryOp], a: Expr, b: Expr) -> Expr | None:
        """The result of an operation with a ramp, where it is a ramp or a broadcast itself."""
        lanes = a.dtype.lanes
        if kind is e.Add or kind is e.Sub:
            (p, s), (q, t) = self._parts(a), self._parts(b)
            base, stride = self._simp(kind(p, q)), self._simp(kind(s, t))
            return self._ramp_of(base, stride, lanes)
        if kind is e.Mul:
            if type(a) is e.Broadcast:
                a, b = b, a
            if type(a) is e.Ramp and type(b) is e.Broadcast:
                return self._ramp_of(self._simp(e.Mul(a.base, b.value)), self._simp(e.Mul(a.stride, b.value)), lanes)
            return None
        if kind is e.FloorDiv or kind is e.FloorMod:
            return self._divide_ramp(kind, a, b)
        if kind is e.Div or kind is e.Mod:
            if self._bound(a)[0] < 0 or self._bound(b)[0] < 1:
                return None
            return self._divide_ramp(e.FloorDiv if kind is e.Div else e.FloorMod, a, b)
        if kind in _COMPARISONS:
            return self._compare_lanes(kind, a, b)
        return self._extreme_lanes(kind, a, b) if kind is e.Min or kind is e.Max else None

    def _parts(self, node: Expr) -> tuple[Expr, Expr]:
        if type(node) is e.Ramp:
            return node.base, node.stride
        assert type(node) is e.Broadcast
        return node.value, IntImm(node.dtype.element, 0)

    def _ramp_of(self, base: Expr, stride: Expr, lanes: int) -> Expr:
        if type(stride) is IntImm and stride.value == 0:
            return e.Broadcast(base, lanes)
        return e.Ramp(base, stride, lanes)

    def _divide_ramp(self, kind: type[e.BinaryOp], a: Expr, b: Expr) -> Expr | None:
        """A ramp over a constant: lanes stay in step, or stay within one multiple."""
        if type(a) is not e.Ramp or type(b) is not e.Broadcast:
            return None
        c, stride = b.value, a.stride
        if type(c) is not IntImm or type(stride) is not IntImm or c.value <= 0:
            return None
        if self._may_wrap(a.dtype.element, {a.base: 1}):
            return None
        dtype = a.dtype.element
        if stride.value % c.value == 0:
            base = self._floor_of(kind, a.base, c, dtype)
            if kind is e.FloorMod:
                return e.Broadcast(base, a.lanes)
            return self._ramp_of(base, IntImm(dtype, stride.value // c.value), a.lanes)
        low, high = self._bound(self._floor_of(e.FloorMod, a.base, c, dtype))
        reach = stride.value * (a.lanes - 1)
        if not self._lanes_stay(a.base, int(stride.value), a.lanes, c.value, low + min(0, reach), high + max(0, reach)):
            return None
        base = self._floor_of(kind, a.base, c, dtype)
        return e.Broadcast(base, a.lanes) if kind is e.FloorDiv else e.Ramp(base, stride, a.lanes)

    def _lanes_stay(self, base: Expr, stride: int, lanes: int, c: int, low: float | int, high: float | int) -> bool:
        """True if base%c plus every lane's offset stays in [0, c)."""
        if low >= 0 and high < c:
            return True
        coeff, rest = self._congruence(base)
        if coeff % c == 0 or (coeff > 0 and c % coeff == 0):
            step = c if coeff % c == 0 else coeff
            first = rest % step
            last = first + stride * (lanes - 1)
            return 0 <= min(first, last) and max(first, last) < step
        return False

    def _compare_lanes(self, kind: type[e.BinaryOp], a: Expr, b: Expr) -> Expr | None:
        """A comparison that comes out alike in every lane."""
        lanes = a.dtype.lanes
        (p, s), (q, t) = self._parts(a), self._parts(b)
        if self._may_wrap(p.dtype, {p: 1, q: 1}):
            return None
        if type(s) is not IntImm or type(t) is not IntImm:
            return None
        step = (s.value - t.value) * (lanes - 1)
        if step == 0:
            return e.Broadcast(self._simp(kind(p, q)), lanes)
        first = self._simp(kind(p, q))
        last = self._simp(kind(e.Add(p, IntImm(p.dtype, step)), q))
        if type(first) is not IntImm or first is not last:
            return None
        if (kind is e.EQ and first.value) or (kind is e.NE and not first.value):
            return None
        if kind is e.EQ or kind is e.NE:
            return self._never_equal(kind, p, q, s.value - t.value, lanes)
        return boolean(bool(first.value), kind(a, b))

    def _never_equal(self, kind: type[e.BinaryOp], p: Expr, q: Expr, step: int, lanes: int) -> Expr | None:
        """Lanes that are all above or all below the other side differ from it."""
        terms, const = self._difference(self._form(p), self._form(q))
        low, high = self._sum_bound(terms, const)
        reach = step * (lanes - 1)
        if low + min(0, reach) > 0 or high + max(0, reach) < 0:
            return e.Broadcast(boolean(kind is e.NE), lanes)
        return None

    def _extreme_lanes(self, kind: type[e.BinaryOp], a: Expr, b: Expr) -> Expr | None:
        below = self._compare_lanes(e.LE, a, b)
        if type(below) is not e.Broadcast or type(below.value) is not IntImm:
            return None
        return a if bool(below.value.value) == (kind is e.Min) else b

    def _ramp(self, node: e.Ramp) -> Expr:
        base, stride = self._simp(node.base), self._simp(node.stride)
        if type(stride) is IntImm and stride.value == 0:
            return e.Broadcast(base, node.lanes)
        return node if base is node.base and stride is node.stride else e.Ramp(base, stride, node.lanes)


Simplify._simp_table.update({e.Ramp: Vectors._ramp})
