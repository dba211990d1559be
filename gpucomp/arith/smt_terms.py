"""Integer expressions as terms of an SMT solver: unbounded integers where nothing wraps, else bit-vectors."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple  # Any: terms of the solver, nodes of a tested class

from gpucomp.arith.bounds import type_range
from gpucomp.arith.state import State
from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.functor import expr_children, substitute
from gpucomp.tir.intrin import Op

if TYPE_CHECKING:
    import z3

Term = Any  # Any: z3 terms are of different classes for each sort
Parts = tuple[Term, tuple[Term, ...], tuple[Term, ...]]
"""A value, the conditions under which it is defined, and those under which it does not overflow."""
_BIT_CALLS = frozenset(
    ["tir.shift_left", "tir.shift_right", "tir.clz", "tir.popcount"]
    + [f"tir.bitwise_{name}" for name in ("and", "or", "xor", "not")]
)


class Unsupported(Exception):
    """The expression has a part that no term stands for."""


class Meaning(NamedTuple):
    """What an expression means.

    Attributes:
        lanes: a term for each lane; one for scalars.
        defined: no division by zero, no shift by more than the width.
        fits: no signed operation of 32 or 64 bits on indices overflows (true of unbounded integers).
    """

    lanes: tuple[Term, ...]
    defined: Term
    fits: Term


def needs_bits(nodes: Iterable[Expr]) -> bool:
    """True if an expression shifts, masks, wraps or converts: things that bit-vectors decide."""
    state = State()
    seen: dict[Expr, None] = {}
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen[node] = None
        dtype = node.dtype
        if isinstance(node, e.Call) and getattr(node.op, "name", "") in _BIT_CALLS:
            return True
        if isinstance(node, e.Cast) and node.value.dtype.is_int and not _contains(dtype, node.value.dtype):
            return True
        arithmetic = isinstance(node, e.BinaryOp) and dtype.is_int
        if arithmetic and (dtype.code == "uint" or dtype.bits < 32 or state._is_data(node)):
            return True
        stack += expr_children(node)
    return False


def _contains(outer: DType, inner: DType) -> bool:
    (a, b), (c, d) = type_range(outer.element), type_range(inner.element)
    return a <= c and d <= b


class Terms:
    """Translates expressions; variables, loads and calls without a meaning here become constants of the solver.

    Args:
        bits: integers are bit-vectors of their width, otherwise unbounded.
    """

    def __init__(self, solver: Any, bits: bool) -> None:  # Any: the z3 module, imported by the caller
        self.z3: Any = solver  # Any: so that only callers need its stubs
        self.ctx: z3.Context = solver.Context()
        self.bits = bits
        self.leaves: dict[Expr, Term] = {}
        self.limits: list[Term] = []
        self._done: dict[Expr, Meaning] = {}
        self._state = State()
        self._true: Term = solver.BoolVal(True, self.ctx)

    # -- expressions ------------------------------------------------------------------------------------------

    def of(self, root: Expr) -> Meaning:
        """The meaning of an expression.

        Raises:
            Unsupported: it computes floats, or handles.
        """
        stack = [root]
        while stack:
            node = stack[-1]
            if node in self._done:
                stack.pop()
                continue
            if isinstance(node, e.Let):
                body = substitute(node.body, {node.var: node.value})
                if body not in self._done:
                    stack.append(body)
                    continue
                self._done[node] = self._done[body]
                continue
            missing = [] if self._is_leaf(node) else [c for c in expr_children(node) if c not in self._done]
            if missing:
                stack += missing
                continue
            self._done[node] = self._meaning(node)
            stack.pop()
        return self._done[root]

    def _is_leaf(self, node: Expr) -> bool:
        if isinstance(node, (Var, e.ConstExpr, e.BufferLoad, e.ProducerLoad, e.Reduce)):
            return True
        if not isinstance(node, e.Call):
            # Conditions on floats have no meaning here, but have a value.
            return isinstance(node, e.CmpOp) and not node.a.dtype.is_integral
        return getattr(node.op, "name", "") not in _CALLS

    def _meaning(self, node: Any) -> Meaning:
        dtype = node.dtype.element
        if not dtype.is_integral:
            raise Unsupported(f"{node} is of type {node.dtype}")
        if self._is_leaf(node):
            return self._leaf(node, dtype)
        if isinstance(node, e.Broadcast):
            inner = self._done[node.value]
            return inner._replace(lanes=inner.lanes * node.lanes)
        if isinstance(node, e.Ramp):
            return self._ramp(node, dtype)
        if isinstance(node, e.Select):
            return self._choice(node.condition, node.true_value, node.false_value)
        if isinstance(node, e.Call):
            if getattr(node.op, "name", "") == "tir.if_then_else":
                return self._choice(*node.args)
            return _CALLS[getattr(node.op, "name", "")](self, node, dtype)
        if isinstance(node, e.Not):
            return self._each([node.a], lambda a: (self.z3.Not(a), (), ()))
        if isinstance(node, e.Cast):
            source = node.value.dtype.element
            return self._each([node.value], lambda a: (self._convert(a, source, dtype), (), ()))
        if isinstance(node, e.BinaryOp):
            operation = _OPERATIONS[type(node)]
            inner_type = node.a.dtype.element
            strict = not self._wraps(node, dtype)
            return self._each([node.a, node.b], lambda a, b: operation(self, a, b, inner_type, strict))
        raise Unsupported(f"{type(node).__name__} has no translation")

    def _each(self, operands: list[Expr], fn: Callable[..., Parts]) -> Meaning:
        """Apply an operation lane by lane; it gives a term, when that is defined and when it does not overflow."""
        inner = [self._done[x] for x in operands]
        defined: list[Term] = [m.defined for m in inner]
        fits: list[Term] = [m.fits for m in inner]
        lanes: list[Term] = []
        for row in zip(*[m.lanes for m in inner], strict=True):
            value, meant, held = fn(*row)
            lanes.append(value)
            defined += meant
            fits += held
        return Meaning(tuple(lanes), self.all(defined), self.all(fits))

    def all(self, conditions: Iterable[Term]) -> Term:
        """The conjunction, without what is trivially true."""
        left = [c for c in dict.fromkeys(conditions) if c is not self._true]
        return self._true if not left else left[0] if len(left) == 1 else self.z3.And(*left)

    def _choice(self, condition: Expr, x: Expr, y: Expr) -> Meaning:
        """Only the branch that is taken has to be defined."""
        z, c, p, q = self.z3, self._done[condition], self._done[x], self._done[y]
        tests = c.lanes * len(p.lanes) if len(c.lanes) == 1 else c.lanes
        lanes = [z.If(t, a, b) for t, a, b in zip(tests, p.lanes, q.lanes, strict=True)]
        if len(set(tests)) > 1:
            return Meaning(
                tuple(lanes), self.all([c.defined, p.defined, q.defined]), self.all([c.fits, p.fits, q.fits])
            )
        pick = functools.partial(self._picked, tests[0])
        return Meaning(
            tuple(lanes), self.all([c.defined, pick(p.defined, q.defined)]), self.all([c.fits, pick(p.fits, q.fits)])
        )

    def _picked(self, test: Term, x: Term, y: Term) -> Term:
        return x if x is y else self.z3.If(test, x, y)

    def _ramp(self, node: e.Ramp, dtype: DType) -> Meaning:
        steps = [e.Add(node.base, e.Mul(node.stride, e.IntImm(dtype, lane))) for lane in range(node.lanes)]
        made = [self.of(step) for step in steps]
        return Meaning(
            tuple([m.lanes[0] for m in made]), self.all([m.defined for m in made]), self.all([m.fits for m in made])
        )

    # -- leaves -----------------------------------------------------------------------------------------------

    def number(self, value: int, dtype: DType) -> Term:
        if dtype.is_bool:
            return self.z3.BoolVal(bool(value), self.ctx)
        if self.bits:
            return self.z3.BitVecVal(value, dtype.bits, self.ctx)
        return self.z3.IntVal(value, self.ctx)

    def _leaf(self, node: Expr, dtype: DType) -> Meaning:
        if isinstance(node, e.IntImm):
            return Meaning((self.number(node.value, dtype),), self._true, self._true)
        if node.dtype.lanes != 1:
            raise Unsupported(f"{node} is a vector that is not computed here")
        name = f"{len(self.leaves)}:{node}"
        if dtype.is_bool:
            term: Term = self.z3.Bool(name, self.ctx)
        elif self.bits:
            term = self.z3.BitVec(name, dtype.bits, self.ctx)
        else:
            term = self.z3.Int(name, self.ctx)
            low, high = type_range(dtype)
            self.limits += [term >= int(low), term <= int(high)]
        if isinstance(node, e.SizeVar):
            self.limits.append(term >= 0)
        self.leaves[node] = term
        return Meaning((term,), self._true, self._true)

    # -- arithmetic -------------------------------------------------------------------------------------------

    def _wraps(self, node: Expr, dtype: DType) -> bool:
        return dtype.code != "int" or dtype.bits < 32 or self._state._is_data(node)

    def _convert(self, value: Term, source: DType, dtype: DType) -> Term:
        """An integer or bool as another type; wraps."""
        z = self.z3
        if source.is_bool:
            return value if dtype.is_bool else z.If(value, self.number(1, dtype), self.number(0, dtype))
        if dtype.is_bool:
            return value != self.number(0, source)
        if not self.bits:
            if _contains(dtype, source):
                return value
            full, low = 1 << dtype.bits, int(type_range(dtype)[0])
            return (value - low) % full + low
        if dtype.bits <= source.bits:
            return z.Extract(dtype.bits - 1, 0, value) if dtype.bits < source.bits else value
        extend = z.ZeroExt if source.code == "uint" else z.SignExt
        return extend(dtype.bits - source.bits, value)

    def less(self, a: Term, b: Term, dtype: DType) -> Term:
        return self.z3.ULT(a, b) if self.bits and dtype.code == "uint" else a < b

    def at_most(self, a: Term, b: Term, dtype: DType) -> Term:
        return self.z3.ULE(a, b) if self.bits and dtype.code == "uint" else a <= b

    def _sum(self, a: Term, b: Term, dtype: DType, strict: bool) -> Parts:
        z = self.z3
        fits = (z.BVAddNoOverflow(a, b, True), z.BVAddNoUnderflow(a, b)) if self.bits and strict else ()
        return a + b, (), fits

    def _difference(self, a: Term, b: Term, dtype: DType, strict: bool) -> Parts:
        z = self.z3
        fits = (z.BVSubNoOverflow(a, b), z.BVSubNoUnderflow(a, b, True)) if self.bits and strict else ()
        return a - b, (), fits

    def _product(self, a: Term, b: Term, dtype: DType, strict: bool) -> Parts:
        z = self.z3
        fits = (z.BVMulNoOverflow(a, b, True), z.BVMulNoUnderflow(a, b)) if self.bits and strict else ()
        return a * b, (), fits

    def _division(self, floor: bool, rest: bool, a: Term, b: Term, dtype: DType, strict: bool) -> Parts:
        zero = self.number(0, dtype)
        if not self.bits:
            return self._divided(floor, rest, a, b), (b != zero,), ()
        z = self.z3
        if dtype.code == "uint":
            return (z.URem(a, b) if rest else z.UDiv(a, b)), (b != zero,), ()
        fits = (z.BVSDivNoOverflow(a, b),) if strict else ()
        quotient, left = a / b, z.SRem(a, b)
        if not floor:
            return (left if rest else quotient), (b != zero,), fits
        between = z.And(left != zero, (left < zero) != (b < zero))  # truncation went up
        if rest:
            return z.If(between, left + b, left), (b != zero,), fits
        return z.If(between, quotient - 1, quotient), (b != zero,), fits

    def _divided(self, floor: bool, rest: bool, a: Term, b: Term) -> Term:
        """The solver's own division leaves a remainder that is never negative."""
        z = self.z3
        if not floor:
            return z.If(a >= 0, a % b, -((-a) % b)) if rest else z.If(a >= 0, a / b, -((-a) / b))
        if z.is_int_value(b):
            positive = b.as_long() > 0
            if rest:
                return a % b if positive else -((-a) % (-b))
            return a / b if positive else (-a) / (-b)
        return z.If(b > 0, a % b, -((-a) % (-b))) if rest else z.If(b > 0, a / b, (-a) / (-b))

    def _extremum(self, least: bool, a: Term, b: Term, dtype: DType, strict: bool) -> tuple[Term, tuple[()], tuple[()]]:
        return self.z3.If(self.at_most(a, b, dtype), *((a, b) if least else (b, a))), (), ()

    # -- calls ------------------------------------------------------------------------------------------------

    def _likely(self, node: e.Call, dtype: DType) -> Meaning:
        return self._done[node.args[0]]

    def _bitwise(self, node: e.Call, dtype: DType) -> Meaning:
        assert isinstance(node.op, Op)
        name = node.op.name
        if name == "tir.bitwise_not":
            return self._each(list(node.args), lambda a: (~a, (), ()))
        if name == "tir.bitwise_and":
            return self._each(list(node.args), lambda a, b: (a & b, (), ()))
        if name == "tir.bitwise_or":
            return self._each(list(node.args), lambda a, b: (a | b, (), ()))
        return self._each(list(node.args), lambda a, b: (a ^ b, (), ()))

    def _shift(self, node: e.Call, dtype: DType) -> Meaning:
        z, strict = self.z3, not self._wraps(node, dtype)
        assert isinstance(node.op, Op)
        left = node.op.name == "tir.shift_left"

        def shift(a: Term, b: Term) -> Parts:
            defined = (z.ULT(b, self.number(dtype.bits, dtype)),)
            if left:
                value = a << b
                return value, defined, ((value >> b) == a,) if strict else ()
            return (z.LShR(a, b) if dtype.code == "uint" else a >> b), defined, ()

        return self._each(list(node.args), shift)

    def _count(self, node: e.Call, dtype: DType) -> Meaning:
        z, source = self.z3, node.args[0].dtype.element
        assert isinstance(node.op, Op)
        leading = node.op.name == "tir.clz"

        def count(a: Term) -> Parts:
            total = self.number(source.bits if leading else 0, dtype)
            one = z.BitVecVal(1, 1, self.ctx)
            for i in range(source.bits):
                is_set = z.Extract(i, i, a) == one
                total = z.If(is_set, self.number(source.bits - 1 - i, dtype) if leading else total + 1, total)
            return total, (a != self.number(0, source),) if leading else (), ()

        return self._each(list(node.args), count)


_OPERATIONS: dict[type, Callable[..., Parts]] = {
    e.Add: Terms._sum,
    e.Sub: Terms._difference,
    e.Mul: Terms._product,
    e.FloorDiv: lambda s, a, b, t, strict: s._division(True, False, a, b, t, strict),
    e.FloorMod: lambda s, a, b, t, strict: s._division(True, True, a, b, t, strict),
    e.Div: lambda s, a, b, t, strict: s._division(False, False, a, b, t, strict),
    e.Mod: lambda s, a, b, t, strict: s._division(False, True, a, b, t, strict),
    e.Min: lambda s, a, b, t, strict: s._extremum(True, a, b, t, strict),
    e.Max: lambda s, a, b, t, strict: s._extremum(False, a, b, t, strict),
    e.EQ: lambda s, a, b, t, strict: (a == b, (), ()),
    e.NE: lambda s, a, b, t, strict: (a != b, (), ()),
    e.LT: lambda s, a, b, t, strict: (s.less(a, b, t), (), ()),
    e.LE: lambda s, a, b, t, strict: (s.at_most(a, b, t), (), ()),
    e.GT: lambda s, a, b, t, strict: (s.less(b, a, t), (), ()),
    e.GE: lambda s, a, b, t, strict: (s.at_most(b, a, t), (), ()),
    e.And: lambda s, a, b, t, strict: (s.z3.And(a, b), (), ()),
    e.Or: lambda s, a, b, t, strict: (s.z3.Or(a, b), (), ()),
}
_CALLS: dict[str, Callable[[Terms, e.Call, DType], Meaning]] = {
    "tir.likely": Terms._likely,
    "tir.if_then_else": Terms._likely,  # handled with Select
    "tir.shift_left": Terms._shift,
    "tir.shift_right": Terms._shift,
    "tir.bitwise_and": Terms._bitwise,
    "tir.bitwise_or": Terms._bitwise,
    "tir.bitwise_xor": Terms._bitwise,
    "tir.bitwise_not": Terms._bitwise,
    "tir.clz": Terms._count,
    "tir.popcount": Terms._count,
}
