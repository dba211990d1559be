"""Expressions over the lanes of a vectorised loop: a variable becomes a Ramp, what depends on it a vector."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from gpucomp.arith.analyzer import Analyzer
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import (
    GE,
    GT,
    LE,
    LT,
    Add,
    And,
    BinaryOp,
    Broadcast,
    BufferLoad,
    Call,
    Cast,
    CmpOp,
    Div,
    Expr,
    FloorDiv,
    FloorMod,
    Let,
    Max,
    Min,
    Mod,
    Mul,
    Not,
    Or,
    Ramp,
    Select,
    Shuffle,
    Sub,
    Var,
)
from gpucomp.tir.functor import Mutator, expr_post_order, free_vars, rebuild_binary, substitute
from gpucomp.tir.intrin import BINARY_MATH, BITWISE, PREDICATES, UNARY_MATH, Op
from gpucomp.transform.vector_access import ALIGNED_BYTES, first_element, is_aligned
from gpucomp.transform.walk import conjunction, conjuncts, int_value, is_call

# Intrinsics that mean the same on vectors, lane by lane.
_OTHERS: Final = ("fma", "exp2_flushed", "bitwise_not", "popcount", "clz", "reinterpret", "undef")
_LANEWISE: Final = frozenset(f"tir.{n}" for n in (*UNARY_MATH, *BINARY_MATH, *PREDICATES, *BITWISE, *_OTHERS))
_CHOICES: Final = frozenset({"tir.if_then_else", "tir.likely"})
_DIVISIONS: Final = frozenset({Div, Mod, FloorDiv, FloorMod})
# A gather is one scalar load for each lane; more than this and a loop is the better code.
MOST_GATHERED: Final = 16
# A processor loads every second to fourth element as so many vectors, out of which it picks.
MOST_STRIDE: Final = 4


class NotVectorizable(Exception):
    """The expression or statement has no vector form."""


class Lanes(Mutator):
    """Evaluates expressions for ``lanes`` consecutive values of ``var`` at once.

    What does not depend on ``var`` stays scalar. Integer vectors are kept as ``Ramp`` where they are one, so that an
    access of consecutive elements is seen as such.

    Args:
        var: the loop variable.
        base: its value in lane 0.
        lanes: number of lanes.
        predicated: the target has accesses that touch only some lanes.
        granules: the target may read an aligned vector in full, if one of its lanes may be read.
    """

    def __init__(self, var: Var, base: Expr, lanes: int, predicated: bool = False, granules: bool = False) -> None:
        super().__init__()
        self.var, self.base, self.lanes = var, base, lanes
        self.predicated, self.granules = predicated, granules
        self.mask: Expr | None = None  # lanes that may be touched, inside of a condition that differs between lanes
        self.lets: dict[Var, Var] = {}
        self.expanded: dict[Var, Buffer] = {}
        self.analyzer = Analyzer()

    def depends(self, node: Expr) -> bool:
        """True when lanes may differ."""
        free = free_vars(node)
        if self.var in free or not free.isdisjoint(self.lets):
            return True
        if not self.expanded:
            return False
        return any([isinstance(n, BufferLoad) and n.buffer.data in self.expanded for n in expr_post_order(node)])

    def visit(self, node: Expr) -> Expr:
        done = self.memo.get(node)
        if done is None:
            done = self._table[type(node)](self, node) if self.depends(node) else node
            self.memo[node] = done
        return done

    def lift(self, node: Expr) -> Expr:
        """The value in all lanes."""
        return node if node.dtype.lanes == self.lanes else Broadcast(node, self.lanes)

    def one_by_one(self, node: Expr) -> Expr:
        """A vector made of the scalar expression of each lane."""
        if self.lanes > MOST_GATHERED or self.expanded or self.mask is not None:
            raise NotVectorizable
        lanes = [self.at_lane(node, k) for k in range(self.lanes)]
        return Shuffle(tuple(lanes), tuple(range(self.lanes)))

    def at_lane(self, node: Expr, lane: int) -> Expr:
        """The scalar expression of one lane."""
        mapping: dict[Var, Expr] = {self.var: operators.add(self.base, lane)}
        for scalar, vector in self.lets.items():
            mapping[scalar] = Shuffle((vector,), (lane,))
        return substitute(node, mapping)

    # -- leaves and arithmetic -------------------------------------------------------------------------------------

    def visit_var(self, node: Var) -> Expr:
        if node is self.var:
            return Ramp(self.base, operators.const(1, self.base.dtype), self.lanes)
        return self.lets.get(node, node)

    def visit_binary_op(self, node: BinaryOp) -> Expr:
        a, b = self.visit(node.a), self.visit(node.b)
        cls = type(node)
        if a.dtype.lanes == 1 and b.dtype.lanes == 1:
            return node if a is node.a and b is node.b else rebuild_binary(cls, a, b)
        if a.dtype.is_int and cls not in (Min, Max):
            linear = self._linear(cls, a, b)
            if linear is not None:
                return linear
        return cls(self.lift(a), self.lift(b))

    def _linear(self, cls: type[Expr], a: Expr, b: Expr) -> Expr | None:
        """``cls(a, b)`` as a Ramp, or as a scalar when all lanes agree; None where it is neither."""
        if cls is Add or cls is Sub:
            x, y = base_and_step(a), base_and_step(b)
            if x is None or y is None:
                return None
            return self._ramp(rebuild_binary(cls, x[0], y[0]), rebuild_binary(cls, x[1], y[1]))
        if cls is Mul:
            ramp, factor = (a, b) if isinstance(a, Ramp) else (b, a)
            if not isinstance(ramp, Ramp) or factor.dtype.lanes != 1:
                return None
            return self._ramp(operators.multiply(ramp.base, factor), operators.multiply(ramp.stride, factor))
        if cls in _DIVISIONS and isinstance(a, Ramp):
            return self._divided(cls, a, b)
        return None

    def _ramp(self, base: Expr, step: Expr) -> Expr:
        return base if int_value(step) == 0 else Ramp(base, step, self.lanes)

    def _divided(self, cls: type[Expr], ramp: Ramp, divisor: Expr) -> Expr | None:
        """Quotient or remainder of a Ramp that crosses no multiple of the divisor."""
        step, by = int_value(ramp.stride), int_value(divisor)
        if step is None or by is None or step <= 0 or by <= 0:
            return None
        if cls in (Div, Mod) and self.analyzer.const_int_bound(ramp.base).min_value < 0:
            return None
        # base % by is one of rest, rest + period, ..., with the last one below by: no carry after that one, none ever.
        known = self.analyzer.modular_set(ramp.base)
        period = math.gcd(known.coeff, by)
        if known.base % period + step * (self.lanes - 1) >= period:
            return None
        if cls in (Div, FloorDiv):
            return rebuild_binary(FloorDiv if cls is FloorDiv else Div, ramp.base, divisor)
        return Ramp(rebuild_binary(FloorMod if cls is FloorMod else Mod, ramp.base, divisor), ramp.stride, self.lanes)

    def visit_cmp_op(self, node: CmpOp) -> Expr:
        a, b = self.visit(node.a), self.visit(node.b)
        if a.dtype.lanes == 1 and b.dtype.lanes == 1:
            return rebuild_binary(type(node), a, b)
        return type(node)(self.lift(a), self.lift(b))

    def visit_and(self, node: And) -> Expr:
        return self._logical(node)

    def visit_or(self, node: Or) -> Expr:
        return self._logical(node)

    def _logical(self, node: And | Or) -> Expr:
        a, b = self.visit(node.a), self.visit(node.b)
        if a.dtype.lanes == 1 and b.dtype.lanes == 1:
            return operators.logical(type(node), a, b)
        # The first operand guards the second; a vector operation would evaluate both.
        return type(node)(self.lift(a), self.lift(b)) if may_speculate(node.b) else self.one_by_one(node)

    def visit_not(self, node: Not) -> Expr:
        return operators.logical_not(self.visit(node.a))

    def visit_cast(self, node: Cast) -> Expr:
        value = self.visit(node.value)
        return operators.cast(node.dtype.with_lanes(value.dtype.lanes), value)

    def visit_select(self, node: Select) -> Expr:
        condition, x, y = self.visit(node.condition), self.visit(node.true_value), self.visit(node.false_value)
        if condition.dtype.lanes == 1 and x.dtype.lanes == 1 and y.dtype.lanes == 1:
            return Select(condition, x, y)
        return Select(condition, self.lift(x), self.lift(y))

    def visit_let(self, node: Let) -> Expr:
        return self.visit(substitute(node.body, {node.var: node.value}))

    # Vectors inside the loop body: an inner loop was vectorised already.

    def visit_ramp(self, node: Ramp) -> Expr:
        raise NotVectorizable

    def visit_broadcast(self, node: Broadcast) -> Expr:
        raise NotVectorizable

    def visit_shuffle(self, node: Shuffle) -> Expr:
        raise NotVectorizable

    # -- calls and loads -------------------------------------------------------------------------------------------

    def visit_call(self, node: Call) -> Expr:
        if not (isinstance(node.op, Op) and node.op.is_pure) or is_call(node, "address_of"):
            raise NotVectorizable
        if is_call(node, "if_then_else"):
            return self._choice(node)
        args = [self.visit(a) for a in node.args]
        if all([a.dtype.lanes == 1 for a in args]):
            return Call(node.dtype, node.op, tuple(args))
        if is_call(node, "likely"):
            return args[0]
        if node.op.name in _LANEWISE:
            return Call(node.dtype.with_lanes(self.lanes), node.op, tuple([self.lift(a) for a in args]))
        return self.one_by_one(node)

    def _choice(self, node: Call) -> Expr:
        condition = self.visit(node.args[0])
        if condition.dtype.lanes == 1:
            x, y = self.visit(node.args[1]), self.visit(node.args[2])
            if x.dtype.lanes == 1 and y.dtype.lanes == 1:
                return Call(node.dtype, node.op, (condition, x, y))
            return Call(node.dtype.with_lanes(self.lanes), node.op, (condition, self.lift(x), self.lift(y)))
        if may_speculate(node.args[1]) and may_speculate(node.args[2]):
            return Select(condition, self.lift(self.visit(node.args[1])), self.lift(self.visit(node.args[2])))
        if self.predicated:
            try:
                return self._masked_choice(node, condition)
            except NotVectorizable:
                pass
        whole = self._granule(node, condition) if self.granules else None
        if whole is not None:
            return whole
        slow = self.one_by_one(node)
        every = self.in_every_lane(node.args[0])
        if every is None:
            return slow
        fast = self.lift(self.visit(node.args[1]))
        return Call(fast.dtype, node.op, (every, fast, slow)) if _is_vector_load(fast) else slow

    def _granule(self, node: Call, condition: Expr) -> Expr | None:
        """A load of the vector that holds the lanes to be read, without a branch on lanes; the others are replaced.

        Memory is allocated in pieces of whole vectors, so that the lanes beside are readable too.
        """
        checks = conjuncts(node.args[0])
        differing = [_unmarked(c) for c in checks if self.depends(c)]
        value = self.visit(node.args[1])
        if not may_speculate(node.args[2]) or not _is_vector_load(value) or not self._overlap(differing):
            return None
        load = value.value if isinstance(value, Cast) else value
        if not isinstance(load, BufferLoad):
            return None
        first = first_element(load.buffer, load.indices)
        is_global = load.buffer.scope() == "global" and load.predicate is None
        if not is_global or first is None or not is_aligned(first, load.dtype, ALIGNED_BYTES, self.analyzer):
            return None
        some = [self._check_of(c, self.lanes - 1 if self._last_to_pass(c) == 0 else 0) for c in differing]
        guard = conjunction([*[c for c in checks if not self.depends(c)], *some])
        nothing = Broadcast(operators.const(0, load.dtype.element), self.lanes)
        whole: Expr = Call(load.dtype, node.op, (guard, load, nothing))
        whole = Cast(value.dtype, whole) if isinstance(value, Cast) else whole
        if is_call(node.args[2], "undef"):
            return whole
        return Select(condition, whole, self.lift(self.visit(node.args[2])))

    def _overlap(self, checks: list[Expr]) -> bool:
        """True for bounds of one quantity that grows by one from lane to lane, with room for a lane between them."""
        lows: list[Expr] = []
        highs: list[Expr] = []
        for check in checks:
            sides = self._linear_sides(check)
            step = None if sides is None else int_value(operators.subtract(sides[0][1], sides[1][1]))
            if sides is None or step not in (1, -1):
                return False
            # What the quantity of lane 0 is compared with, that quantity taken away.
            rest = operators.multiply(operators.subtract(sides[1][0], sides[0][0]), step)
            if isinstance(check, (LT, LE)) == (step == 1):
                highs.append(operators.add(rest, int(isinstance(check, (LE, GE)))))  # the first lane that fails
            else:
                lows.append(operators.add(rest, int(isinstance(check, (LT, GT)))))  # the first lane that passes
        return all([self.analyzer.can_prove(operators.compare(LT, low, high)) for low in lows for high in highs])

    def _masked_choice(self, node: Call, condition: Expr) -> Expr:
        """Both sides, each with loads in its own lanes only."""
        sides: list[Expr] = []
        for side, mask in ((node.args[1], condition), (node.args[2], operators.logical_not(condition))):
            if may_speculate(side):
                sides.append(self.lift(self.visit(side)))
                continue
            if not self.is_maskable(side) or self.loads_uniform(side):
                raise NotVectorizable
            with self.under(mask):
                sides.append(self.lift(self.visit(side)))
        return Select(condition, *sides)

    @contextmanager
    def under(self, mask: Expr) -> Generator[None]:
        """Inside, vector accesses touch the lanes of ``mask`` only."""
        saved = self.mask, self.memo
        self.mask, self.memo = mask if self.mask is None else And(self.mask, mask), {}
        try:
            yield
        finally:
            self.mask, self.memo = saved

    def is_maskable(self, node: Expr) -> bool:
        """True when an expression harms nothing in lanes whose loads are left out: no division by what they loaded."""
        for item in expr_post_order(node):
            if type(item) in _DIVISIONS and item.dtype.is_int and not _nonzero(item):
                return False
            if isinstance(item, Call) and not (isinstance(item.op, Op) and item.op.name in _LANEWISE | _CHOICES):
                return False
        return True

    def loads_uniform(self, node: Expr) -> bool:
        """True when an expression loads an element for all lanes together, which no mask of lanes holds back."""
        return any([isinstance(item, BufferLoad) and not self.depends(item) for item in expr_post_order(node)])

    def visit_buffer_load(self, node: BufferLoad) -> Expr:
        if node.predicate is not None or node.buffer.dtype.lanes > 1:
            raise NotVectorizable
        indices = [self.visit(i) for i in node.indices]
        place = self.place(node.buffer, indices, MOST_STRIDE if self.predicated else 1)
        if place is None:
            return self.one_by_one(node)
        return BufferLoad(*place, self.mask if place[1][-1].dtype.lanes > 1 else None)

    def place(self, buffer: Buffer, indices: list[Expr], stride: int = 1) -> tuple[Buffer, tuple[Expr, ...]] | None:
        """Where an access goes: one element, or some along the last dimension, at most ``stride`` apart; else None."""
        if buffer.data in self.expanded:
            if indices[-1].dtype.lanes > 1:
                raise NotVectorizable
            index = operators.multiply(indices[-1], self.lanes)
            return self.expanded[buffer.data], (Ramp(index, operators.const(1, index.dtype), self.lanes),)
        if any([i.dtype.lanes > 1 for i in indices[:-1]]):
            return None
        last = indices[-1] if indices else None
        if last is not None and last.dtype.lanes > 1:
            ramp = base_and_step(last)
            step = None if ramp is None else int_value(ramp[1])
            if ramp is None or step is None or not 1 <= step <= stride:
                return None
            indices = [*indices[:-1], Ramp(ramp[0], ramp[1], self.lanes)]
        return buffer, tuple(indices)

    # -- conditions -------------------------------------------------------------------------------------------------

    def in_every_lane(self, condition: Expr) -> Expr | None:
        """What holds exactly when all lanes pass a conjunction of linear bound checks; None for other conditions."""
        checks: list[Expr] = []
        for item in conjuncts(condition):
            inner = _unmarked(item)
            if not self.depends(inner):
                checks.append(item)
                continue
            lane = self._last_to_pass(inner)
            if lane is None:
                return None
            checks.append(self._check_of(inner, lane))
        return conjunction(checks)

    def in_some_lane(self, checks: list[Expr]) -> Expr | None:
        """What holds exactly when some lane passes linear bound checks of one direction; None for other conditions."""
        inner = [_unmarked(item) for item in checks]
        lanes = [self._last_to_pass(item) for item in inner]
        if None in lanes or len(dict.fromkeys(lanes)) != 1:
            return None
        first = 0 if lanes[0] else self.lanes - 1
        return conjunction([self._check_of(item, first) for item in inner])

    def _last_to_pass(self, check: Expr) -> int | None:
        """The lane, first or last, in which a linear bound check holds only if it holds in all lanes."""
        sides = self._linear_sides(check)
        if sides is None:
            return None
        step = int_value(operators.subtract(sides[0][1], sides[1][1]))
        if step is None:
            return None
        return self.lanes - 1 if (step > 0) == (type(check) in (LT, LE)) else 0

    def _linear_sides(self, check: Expr) -> tuple[tuple[Expr, Expr], tuple[Expr, Expr]] | None:
        if not isinstance(check, CmpOp) or type(check) not in (LT, LE, GT, GE) or not check.a.dtype.is_int:
            return None
        a, b = base_and_step(self.visit(check.a)), base_and_step(self.visit(check.b))
        return None if a is None or b is None else (a, b)

    def _check_of(self, check: Expr, lane: int) -> Expr:
        """A linear bound check as one lane makes it."""
        linear = self._linear_sides(check)
        assert linear is not None
        sides = [operators.add(x[0], operators.multiply(x[1], lane)) for x in linear]
        return operators.compare(type(check), sides[0], sides[1])


def _unmarked(node: Expr) -> Expr:
    """The condition inside of ``likely``."""
    return node.args[0] if isinstance(node, Call) and is_call(node, "likely") else node


def base_and_step(node: Expr) -> tuple[Expr, Expr] | None:
    """First lane and lane step of an integer expression; None for a vector without an even step."""
    if node.dtype.lanes == 1:
        return node, operators.const(0, node.dtype)
    if isinstance(node, Ramp):
        return node.base, node.stride
    if isinstance(node, Broadcast):
        return node.value, operators.const(0, node.value.dtype)
    if isinstance(node, Cast) and node.dtype.is_int and node.dtype.bits >= node.value.dtype.bits:
        inner = base_and_step(node.value)  # an index, which does not overflow: widening commutes with adding
        kind = node.dtype.element
        return None if inner is None else (operators.cast(kind, inner[0]), operators.cast(kind, inner[1]))
    if isinstance(node, (Add, Sub)):
        a, b = base_and_step(node.a), base_and_step(node.b)
        if a is not None and b is not None:
            return rebuild_binary(type(node), a[0], b[0]), rebuild_binary(type(node), a[1], b[1])
    if isinstance(node, Mul):
        a, b = base_and_step(node.a), base_and_step(node.b)
        if a is not None and b is not None:
            for x, y in ((a, b), (b, a)):
                if int_value(y[1]) == 0:
                    return operators.multiply(x[0], y[0]), operators.multiply(x[1], y[0])
    return None


def _is_vector_load(node: Expr) -> bool:
    """True for a load of consecutive elements, guarded or not, of its own type or another."""
    if isinstance(node, Cast):
        return _is_vector_load(node.value)
    if isinstance(node, Call) and is_call(node, "if_then_else"):
        return _is_vector_load(node.args[1])
    return isinstance(node, BufferLoad) and node.dtype.lanes > 1


def may_speculate(node: Expr) -> bool:
    """True when it does no harm to evaluate the expression where its guard fails: no load, division or foreign call."""
    for item in expr_post_order(node):
        kind = type(item)
        if kind is BufferLoad or (kind in _DIVISIONS and item.dtype.is_int and not _nonzero(item)):
            return False
        if isinstance(item, Call) and not (isinstance(item.op, Op) and item.op.name in _LANEWISE):
            return False
    return True


def _nonzero(node: Expr) -> bool:
    return isinstance(node, BinaryOp) and int_value(node.b) not in (None, 0)
