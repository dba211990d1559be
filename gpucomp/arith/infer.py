"""Constant bounds and congruences of expressions, one visit per distinct node."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar  # Any: methods of one class of nodes each, in a table

from gpucomp.arith import bounds as b
from gpucomp.arith.bounds import ANY_INTEGER, EVERYTHING, INF, Congruence, Interval
from gpucomp.arith.state import State, Terms
from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr

_BIT_LIMIT = 64


class Infer(State):
    """Adds :meth:`_bound`, :meth:`_congruence` and their forms for sums."""

    # Node classes -> method; filled below the class.
    _bound_table: ClassVar[dict[type, Callable[[Any, Any], Interval]]] = {}
    _mod_table: ClassVar[dict[type, Callable[[Any, Any], Congruence]]] = {}

    # -- bounds -----------------------------------------------------------------------------------------------

    def _bound(self, node: Expr) -> Interval:
        found = self._bounds.get(node)
        if found is not None:
            return found
        if self._outer is not None:
            found = self._bound_outside(node)
            if found is not None:
                self._bounds[node] = found
                return found
        method = self._bound_table.get(type(node))
        found = b.type_range(node.dtype.element) if method is None else method(self, node)
        known = self._known.get(node)
        if known is not None:
            low, high = max(found[0], known[0]), min(found[1], known[1])
            if low <= high:  # contradictory facts (an empty loop, dead code) must not break the arithmetic
                found = low, high
        self._bounds[node] = found
        return found

    def _type_limits(self, dtype: DType) -> Interval:
        return b.type_range(dtype.element)

    def _bound_var(self, node: e.Var) -> Interval:
        self._met[node] = None
        replaced = self._replaced.get(node)
        if replaced is not None:
            return self._bound(replaced)
        return b.type_range(node.dtype.element)

    def _bound_size_var(self, node: e.SizeVar) -> Interval:
        low, high = self._bound_var(node)
        return max(low, 0), high

    def _bound_imm(self, node: e.IntImm) -> Interval:
        return node.value, node.value

    def _in_type(self, node: Expr, found: Interval) -> Interval:
        """An arithmetic result as its type holds it: clipped for indices, anything for data that may wrap."""
        low, high = b.type_range(node.dtype.element)
        if found[0] >= low and found[1] <= high:
            return found
        if node.dtype.bits < 32 or node.dtype.code != "int" or self._is_data(node):
            return low, high
        return max(found[0], low), min(found[1], high)

    def _bound_add(self, node: e.Add) -> Interval:
        form = self._forms.get(node)
        if form is not None:  # terms stand in an order of our own: no sum of some of them has to fit the type
            return self._in_type(node, self._sum_bound(*form))
        (a, c), (d, f) = self._bound(node.a), self._bound(node.b)
        return self._in_type(node, (a + d, c + f))

    def _bound_sub(self, node: e.Sub) -> Interval:
        form = self._forms.get(node)
        if form is not None:
            return self._in_type(node, self._sum_bound(*form))
        (a, c), (d, f) = self._bound(node.a), self._bound(node.b)
        return self._in_type(node, (a - f, c - d))

    def _bound_mul(self, node: e.Mul) -> Interval:
        x, y = self._bound(node.a), self._bound(node.b)
        product = b.multiply(x, y)
        if node.a is node.b and product[0] < 0:
            product = 0, product[1]
        return self._in_type(node, product)

    def _bound_floordiv(self, node: e.FloorDiv) -> Interval:
        return self._in_type(node, b.floordiv(self._bound(node.a), self._bound(node.b)))

    def _bound_floormod(self, node: e.FloorMod) -> Interval:
        x, y = self._bound(node.a), self._bound(node.b)
        low, high = b.floormod(x, y)
        if y[0] == y[1] and y[0] > 1 and low == 0 and high == y[0] - 1:
            coeff, base = self._congruence(node.a)
            step = math.gcd(coeff, int(y[0]))
            if step > 1:
                return base % step, int(y[0]) - step + base % step
        return self._in_type(node, (low, high))

    def _bound_div(self, node: e.Div) -> Interval:
        if not node.dtype.is_int:
            return EVERYTHING
        return self._in_type(node, b.truncdiv(self._bound(node.a), self._bound(node.b)))

    def _bound_mod(self, node: e.Mod) -> Interval:
        if not node.dtype.is_int:
            return EVERYTHING
        return self._in_type(node, b.truncmod(self._bound(node.a), self._bound(node.b)))

    def _bound_min(self, node: e.Min) -> Interval:
        x, y = self._bound(node.a), self._bound(node.b)
        return min(x[0], y[0]), min(x[1], y[1])

    def _bound_max(self, node: e.Max) -> Interval:
        x, y = self._bound(node.a), self._bound(node.b)
        return max(x[0], y[0]), max(x[1], y[1])

    def _union(self, x: Expr, y: Expr) -> Interval:
        (p, q), (r, s) = self._bound(x), self._bound(y)
        return min(p, r), max(q, s)

    def _bound_select(self, node: e.Select) -> Interval:
        return self._union(node.true_value, node.false_value)

    def _bound_cast(self, node: e.Cast) -> Interval:
        limits = b.type_range(node.dtype.element)
        if not node.value.dtype.is_integral or not node.dtype.is_integral:
            return limits
        low, high = self._bound(node.value)
        if limits[0] <= low and high <= limits[1]:
            return low, high
        if node.dtype.is_bool or low == -INF or high == INF:
            return limits
        full = 1 << node.dtype.bits
        turns = (low - limits[0]) // full  # all values wrap as often
        return (low - turns * full, high - turns * full) if (high - limits[0]) // full == turns else limits

    def _bound_ramp(self, node: e.Ramp) -> Interval:
        (a, c), (d, f) = self._bound(node.base), self._bound(node.stride)
        last = node.lanes - 1
        return self._in_type(node, (a + min(0, b.times(d, last)), c + max(0, b.times(f, last))))

    def _bound_broadcast(self, node: e.Broadcast) -> Interval:
        return self._bound(node.value)

    def _bound_let(self, node: e.Let) -> Interval:
        return self._bound(node.body)  # nothing about the variable: two Lets may bind it to different values

    def _bound_call(self, node: e.Call) -> Interval:
        limits = b.type_range(node.dtype.element)
        name = getattr(node.op, "name", "")
        if name == "tir.likely":
            return self._bound(node.args[0])
        if name == "tir.if_then_else":
            return self._union(node.args[1], node.args[2])
        if name in _BIT_BOUNDS:
            found = _BIT_BOUNDS[name](node.args[0].dtype.bits, *[self._bound(a) for a in node.args])
            return limits if found is None else self._in_type(node, found)
        if name == "tir.shift_right":
            x, (low, high) = self._bound(node.args[0]), self._bound(node.args[1])
            if 0 <= low and high < _BIT_LIMIT:
                return b.floordiv(x, (1 << int(low), 1 << int(high)))
        if name == "tir.shift_left":
            x, (low, high) = self._bound(node.args[0]), self._bound(node.args[1])
            if 0 <= low and high < _BIT_LIMIT:
                return self._in_type(node, b.multiply(x, (1 << int(low), 1 << int(high))))
        return limits

    def _sum_bound(self, terms: Terms, const: int) -> Interval:
        """Interval of a sum over the integers."""
        low: b.Number = const
        high: b.Number = const
        for atom, k in terms.items():
            p, q = self._bound(atom)
            if k == 1:
                low += p
                high += q
            elif k > 0:
                low += p * k
                high += q * k
            else:
                low += q * k
                high += p * k
        return low, high

    # -- congruences ------------------------------------------------------------------------------------------

    def _congruence(self, node: Expr) -> Congruence:
        found = self._mods.get(node)
        if found is not None:
            return found
        method = self._mod_table.get(type(node))
        found = ANY_INTEGER if method is None else method(self, node)
        known = self._congruent.get(node)
        if known is not None:
            found = b.intersect_congruence(found, known)
        self._mods[node] = found
        return found

    def _wrapped(self, node: Expr, found: Congruence) -> Congruence:
        """What remains of a congruence after the type wraps: its part that is a power of two."""
        dtype = node.dtype
        if (dtype.code == "int" and dtype.bits >= 32 and not self._is_data(node)) or found == ANY_INTEGER:
            return found
        coeff = math.gcd(found[0], 1 << dtype.bits)
        return coeff, found[1] % coeff

    def _mod_imm(self, node: e.IntImm) -> Congruence:
        return 0, node.value

    def _mod_var(self, node: e.Var) -> Congruence:
        self._met[node] = None
        replaced = self._replaced.get(node)
        return ANY_INTEGER if replaced is None else self._congruence(replaced)

    def _mod_add(self, node: e.Add) -> Congruence:
        return self._wrapped(node, b.add_congruence(self._congruence(node.a), self._congruence(node.b)))

    def _mod_sub(self, node: e.Sub) -> Congruence:
        negated = b.scale_congruence(self._congruence(node.b), -1)
        return self._wrapped(node, b.add_congruence(self._congruence(node.a), negated))

    def _mod_mul(self, node: e.Mul) -> Congruence:
        return self._wrapped(node, b.multiply_congruence(self._congruence(node.a), self._congruence(node.b)))

    def _mod_floordiv(self, node: e.FloorDiv) -> Congruence:
        (coeff, base), (k, divisor) = self._congruence(node.a), self._congruence(node.b)
        if k == 0 and divisor > 0 and coeff % divisor == 0:
            quotient = coeff // divisor
            rest = base // divisor
            return (quotient, rest % quotient) if quotient else (0, rest)
        return ANY_INTEGER

    def _mod_floormod(self, node: e.FloorMod) -> Congruence:
        (coeff, base), (k, divisor) = self._congruence(node.a), self._congruence(node.b)
        if k == 0 and divisor > 0:
            common = math.gcd(coeff, divisor)
            return (0, base % divisor) if common == divisor else (common, base % common)
        return ANY_INTEGER

    def _mod_union(self, node: Any) -> Congruence:
        return b.union_congruence(self._congruence(node.a), self._congruence(node.b))

    def _mod_select(self, node: e.Select) -> Congruence:
        return b.union_congruence(self._congruence(node.true_value), self._congruence(node.false_value))

    def _mod_cast(self, node: e.Cast) -> Congruence:
        if not node.value.dtype.is_integral or not node.dtype.is_integral:
            return ANY_INTEGER
        limits = b.type_range(node.dtype.element)
        low, high = self._bound(node.value)
        found = self._congruence(node.value)
        if limits[0] <= low and high <= limits[1]:
            return found
        coeff = math.gcd(found[0], 1 << node.dtype.bits) if not node.dtype.is_bool else 1
        return coeff, found[1] % coeff

    def _mod_broadcast(self, node: e.Broadcast) -> Congruence:
        return self._congruence(node.value)

    def _mod_ramp(self, node: e.Ramp) -> Congruence:
        (p, a), (q, c) = self._congruence(node.base), self._congruence(node.stride)
        coeff = math.gcd(p, q, c)
        return self._wrapped(node, (coeff, a % coeff) if coeff else (0, a))

    def _mod_let(self, node: e.Let) -> Congruence:
        return self._congruence(node.body)

    def _mod_call(self, node: e.Call) -> Congruence:
        name = getattr(node.op, "name", "")
        if name == "tir.likely":
            return self._congruence(node.args[0])
        if name == "tir.if_then_else":
            return b.union_congruence(self._congruence(node.args[1]), self._congruence(node.args[2]))
        if name == "tir.shift_left":
            k, shift = self._congruence(node.args[1])
            if k == 0 and 0 <= shift < node.dtype.bits:
                return self._wrapped(node, b.scale_congruence(self._congruence(node.args[0]), 1 << shift))
        if name == "tir.bitwise_and":
            k, mask = self._congruence(node.args[1])
            low_bit = mask & -mask
            if k == 0 and low_bit > 1:
                return low_bit, 0
        return ANY_INTEGER


def _and_bound(_: int, x: Interval, y: Interval) -> Interval | None:
    tops = [high for low, high in (x, y) if low >= 0]
    return (0, min(tops)) if tops else None


def _or_bound(_: int, x: Interval, y: Interval) -> Interval | None:
    if x[0] < 0 or y[0] < 0 or INF in (x[1], y[1]):
        return None
    return max(x[0], y[0]), (1 << max(int(x[1]).bit_length(), int(y[1]).bit_length())) - 1


def _xor_bound(bits: int, x: Interval, y: Interval) -> Interval | None:
    found = _or_bound(bits, x, y)
    return None if found is None else (0, found[1])


def _clz_bound(bits: int, x: Interval) -> Interval | None:
    if x[0] < 0 or x[1] == INF:
        return 0, bits
    return bits - int(x[1]).bit_length(), bits - int(x[0]).bit_length()


def _popcount_bound(bits: int, x: Interval) -> Interval | None:
    if x[0] < 0 or x[1] == INF:
        return 0, bits
    return min(1, x[0]), int(x[1]).bit_length()


_BIT_BOUNDS: dict[str, Callable[..., Interval | None]] = {
    "tir.bitwise_and": _and_bound,
    "tir.bitwise_or": _or_bound,
    "tir.bitwise_xor": _xor_bound,
    "tir.clz": _clz_bound,
    "tir.popcount": _popcount_bound,
}
"""Of the width of the operands and their bounds; None where the type says as much."""

Infer._bound_table.update(
    {
        e.Var: Infer._bound_var,
        e.SizeVar: Infer._bound_size_var,
        e.IntImm: Infer._bound_imm,
        e.Add: Infer._bound_add,
        e.Sub: Infer._bound_sub,
        e.Mul: Infer._bound_mul,
        e.FloorDiv: Infer._bound_floordiv,
        e.FloorMod: Infer._bound_floormod,
        e.Div: Infer._bound_div,
        e.Mod: Infer._bound_mod,
        e.Min: Infer._bound_min,
        e.Max: Infer._bound_max,
        e.Select: Infer._bound_select,
        e.Cast: Infer._bound_cast,
        e.Ramp: Infer._bound_ramp,
        e.Broadcast: Infer._bound_broadcast,
        e.Let: Infer._bound_let,
        e.Call: Infer._bound_call,
    }
)
Infer._mod_table.update(
    {
        e.IntImm: Infer._mod_imm,
        e.Var: Infer._mod_var,
        e.SizeVar: Infer._mod_var,
        e.Add: Infer._mod_add,
        e.Sub: Infer._mod_sub,
        e.Mul: Infer._mod_mul,
        e.FloorDiv: Infer._mod_floordiv,
        e.FloorMod: Infer._mod_floormod,
        e.Min: Infer._mod_union,
        e.Max: Infer._mod_union,
        e.Select: Infer._mod_select,
        e.Cast: Infer._mod_cast,
        e.Broadcast: Infer._mod_broadcast,
        e.Ramp: Infer._mod_ramp,
        e.Let: Infer._mod_let,
        e.Call: Infer._mod_call,
    }
)
