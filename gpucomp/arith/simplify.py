"""Simplification of expressions, one visit per distinct node and context."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final  # Any: methods of one class of nodes each, and fields of any class

from gpucomp.arith.bounds import type_range
from gpucomp.arith.matchers import MATCHERS, TELLING
from gpucomp.arith.prove import Prove
from gpucomp.arith.state import Impure, OutOfBudget, TooLarge
from gpucomp.arith.steps import STEP_OF_CLASS
from gpucomp.support.dtype import INT32, INT64, DType
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IntImm, Var
from gpucomp.tir.functor import free_vars, substitute
from gpucomp.tir.intrin import CallEffectKind, Op

_DEEP_SUM = 64  # a deeper sum that does not fit its type is left as it is, operands included
_NESTED_CHOICES = 2  # choices inside choices deeper than this do not learn from their conditions
SCOPE_STEPS = 25  # what a scope costs of the budget of a question
_TELLING: Final = frozenset((e.LT, e.LE, e.GT, e.GE, e.EQ, e.NE, e.And, e.Or))
_IF_THEN_ELSE: Final = Op.get("tir.if_then_else")


def boolean(value: bool, like: Expr | None = None) -> Expr:
    """A bool literal with the lanes of ``like``."""
    return operators.const(int(value), operators.BOOL if like is None else like.dtype)


class Simplify(Prove):
    """Adds :meth:`_simp` and a method per class of expressions."""

    _simp_table: ClassVar[dict[type, Callable[[Any, Any], Expr]]] = {}

    def _vector(self, node: Expr) -> Expr:
        raise NotImplementedError

    def _simp(self, node: Expr) -> Expr:
        memo = self._memo
        done = memo.get(node)
        if done is not None:
            return done
        if self._outer is not None:
            done = self._simplified_outside(node)
            if done is not None:
                memo[node] = done
                return done
        self._budget -= 1
        if self._budget < 0:
            raise OutOfBudget
        method = self._simp_table.get(type(node))
        try:
            done = self._children(node) if method is None else method(self, node)
        except TooLarge:
            done = self._children(node) if node.depth < _DEEP_SUM else node
        if MATCHERS[type(done)] is not None:
            done = self._rewritten(done)
        if done is not node:
            done = memo.setdefault(done, done)  # what a constraint says about the result holds too
        memo[node] = done
        if done is not node and self._trace is not None:
            step = "lanes" if node.dtype.lanes != 1 else STEP_OF_CLASS.get(type(node))
            if step is not None:  # else only operands changed, which is told already
                self._note(step, node, done)
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
        if self._trace is not None:
            matcher = TELLING[type(node)]
            assert matcher is not None
            told = matcher(self, node)
            if told is None:
                return node
            self._note(told[0], node, told[1])
            return self._simp(told[1])
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
        x, y = self._branches(c, node.args[1], node.args[2])
        if x is y:
            return x
        old = node.args
        return node if c is old[0] and x is old[1] and y is old[2] else e.Call(node.dtype, node.op, (c, x, y))

    def _branches(self, condition: Expr, x: Expr, y: Expr) -> tuple[Expr, Expr]:
        """Both branches of a choice, simplified under what the condition says where they mention what it is about."""
        if type(condition) not in _TELLING or self._nested >= _NESTED_CHOICES or condition.dtype.lanes != 1:
            return self._simp(x), self._simp(y)
        about = free_vars(condition)
        self._nested += 1
        try:
            return self._assuming(condition, x, about), self._assuming(None, y, about, condition)
        finally:
            self._nested -= 1

    def _assuming(self, holds: Expr | None, node: Expr, about: frozenset[Var], fails: Expr | None = None) -> Expr:
        if isinstance(node, e.ConstExpr) or about.isdisjoint(free_vars(node)):
            return self._simp(node)
        if fails is not None:
            holds = self._negation(fails)
        assert holds is not None
        self._spend(SCOPE_STEPS)
        saved = self._enter(holds)
        try:
            return self._simp(node)
        finally:
            self._leave(saved)

    def _negation(self, a: Expr) -> Expr:
        raise NotImplementedError

    def _enter(self, simple: Expr) -> dict[str, object]:
        raise NotImplementedError

    def _leave(self, saved: dict[str, object]) -> None:
        raise NotImplementedError

    def _let(self, node: e.Let) -> Expr:
        value = self._simp(node.value)
        if isinstance(value, (e.Var, e.ConstExpr)):
            return self._simp(substitute(node.body, {node.var: value}))
        if self._is_data(value):
            self._data[node.var] = self._met_data = True
        body = self._simp(node.body)
        return node if value is node.value and body is node.body else e.Let(node.var, value, body)


Simplify._simp_table.update(
    {
        e.Var: Simplify._var,
        e.SizeVar: Simplify._var,
        e.IntImm: Simplify._leaf,
        e.FloatImm: Simplify._leaf,
        e.StringImm: Simplify._leaf,
        e.Cast: Simplify._cast,
        e.Call: Simplify._call,
        e.BufferLoad: Simplify._load,
        e.ProducerLoad: Simplify._load,
        e.Reduce: Simplify._reduce_node,
        e.Let: Simplify._let,
    }
)
