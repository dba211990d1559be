"""Simplify a function in one walk: indices, conditions, trivial loops and branches that cannot be taken."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Final, TypeVar

from gpucomp.tir import operators
from gpucomp.tir.expr import (
    EQ,
    GE,
    GT,
    LE,
    LT,
    NE,
    Add,
    And,
    Broadcast,
    BufferLoad,
    Call,
    CmpOp,
    Expr,
    IntImm,
    IterVar,
    Mul,
    Not,
    Ramp,
    Select,
    Shuffle,
    Sub,
    Var,
    wrap_int,
)
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import expr_children, free_vars, substitute
from gpucomp.tir.intrin import if_then_else, likely
from gpucomp.tir.stmt import (
    NOOP,
    AllReduce,
    AssertStmt,
    AttrStmt,
    BufferStore,
    For,
    ForKind,
    IfThenElse,
    LetStmt,
    Stmt,
    is_noop,
)
from gpucomp.transform.walk import (
    FALSE,
    TRUE,
    ScopedMutator,
    conjunction,
    conjuncts,
    int_value,
    is_call,
    positive_factors,
)

_T = TypeVar("_T")
_ARITHMETIC: Final[dict[type[Expr], Callable[[int, int], int]]] = {
    Add: operator.add,
    Sub: operator.sub,
    Mul: operator.mul,
}
_NEGATED: Final[dict[type[Expr], type[CmpOp]]] = {LT: GE, GE: LT, LE: GT, GT: LE, EQ: NE, NE: EQ}


def simplify(func: PrimFunc) -> PrimFunc:
    """Simplify indices, extents, conditions and provably bounded integer values.

    Loop and thread variables are bound to their ranges, conditions hold inside the branches that they guard. Predicates
    that always hold go, as do branches that are never taken, loops of one iteration and loops of none. Integer data
    (anything read from memory, or not provably free of overflow) is left as it is written: it wraps, and the rules
    for indices assume no overflow.
    """
    return func.with_body(_Simplify(func).stmt(func.body))


class _Simplify(ScopedMutator):
    def __init__(self, func: PrimFunc) -> None:
        super().__init__(func)
        self.values: dict[Var, Expr] = {}
        self.indices: dict[Expr, Expr] = {}
        self.opaque: dict[Expr, bool] = {}

    def forget(self) -> None:
        super().forget()
        self.indices.clear()

    # -- expressions by the place where they stand ---------------------------------------------------------------

    def expr(self, node: Expr) -> Expr:
        """Simplify a value."""
        return super().expr(self.replaced(node))

    def replaced(self, node: Expr) -> Expr:
        """The expression with the variables of trivial loops replaced."""
        if not self.values or free_vars(node).isdisjoint(self.values):
            return node
        return substitute(node, self.values)

    def index(self, node: Expr) -> Expr:
        """Simplify an index or an extent, which does not overflow."""
        node = self.replaced(node)
        done = self.indices.get(node)
        if done is None:
            done = self.indices[node] = self._index(node)
        return done

    def _index(self, node: Expr) -> Expr:
        if isinstance(node, (Var, IntImm)):
            return node
        if isinstance(node, Ramp):
            return Ramp(self.index(node.base), self.index(node.stride), node.lanes)
        if isinstance(node, Broadcast):
            return Broadcast(self.index(node.value), node.lanes)
        if self.is_opaque(node):
            node = super().expr(node)
        return self.analyzer.simplify(node)

    def index_tuple(self, nodes: tuple[Expr, ...]) -> tuple[Expr, ...]:
        new = tuple([self.index(n) for n in nodes])
        return nodes if all([x is y for x, y in zip(nodes, new, strict=True)]) else new

    def condition(self, node: Expr) -> Expr:
        """Simplify a condition, conjunct by conjunct."""
        node = self.replaced(node)
        old = conjuncts(node)
        new: dict[Expr, None] = {}
        for item in old:
            for part in self._conjunct(item):
                if part is FALSE:
                    return FALSE
                if part is not TRUE:
                    new[part] = None
        if len(old) == len(new) and all([x is y for x, y in zip(old, new, strict=True)]):
            return node
        return conjunction(new)

    def _conjunct(self, node: Expr) -> list[Expr]:
        if is_call(node, "likely"):
            assert isinstance(node, Call)
            return [likely(part) for inner in conjuncts(node.args[0]) for part in self._conjunct(inner)]
        if node.dtype.lanes > 1 or self.is_opaque(node):
            return [self.visit(node)]
        return conjuncts(self.analyzer.simplify(node))

    # -- what may be simplified as an index ------------------------------------------------------------------------

    def is_opaque(self, node: Expr) -> bool:
        """True when the expression loads or calls."""
        known = self.opaque.get(node)
        if known is None:
            known = type(node) in (BufferLoad, Call) or any([self.is_opaque(c) for c in expr_children(node)])
            self.opaque[node] = known
        return known

    def cannot_overflow(self, node: Expr) -> bool:
        """True when every sum and product in the expression provably fits its type."""
        if isinstance(node, (Add, Sub, Mul)):
            # The analyzer's own bound of the result would take for granted what is asked here.
            x, y = self.analyzer.const_int_bound(node.a), self.analyzer.const_int_bound(node.b)
            combine = _ARITHMETIC[type(node)]
            ends = [combine(p, q) for p in (x.min_value, x.max_value) for q in (y.min_value, y.max_value)]
            if not all([wrap_int(value, node.dtype) == value for value in ends]):
                return False
        return all([self.cannot_overflow(c) for c in expr_children(node)])

    def visit(self, node: Expr) -> Expr:
        done = self.memo.get(node)
        if done is not None:
            return done
        if node.depth > 1 and node.dtype.is_int and node.dtype.lanes == 1 and not self.is_opaque(node):
            done = self.analyzer.simplify(node) if self.cannot_overflow(node) else node
        else:
            done = self._table[type(node)](self, node)
        self.memo[node] = done
        return done

    def visit_buffer_load(self, node: BufferLoad) -> Expr:
        indices = self.index_tuple(node.indices)
        predicate = None if node.predicate is None else self.visit(node.predicate)
        if indices is node.indices and predicate is node.predicate:
            return node
        return BufferLoad(node.buffer, indices, predicate)

    def visit_and(self, node: And) -> Expr:
        return self.condition(node)

    def visit_cmp_op(self, node: CmpOp) -> Expr:
        if node.a.dtype.is_int and node.dtype.lanes == 1 and not self.is_opaque(node) and self.cannot_overflow(node):
            return self.analyzer.simplify(node)
        return super().visit_binary_op(node)

    def visit_select(self, node: Select) -> Expr:
        # Both sides may be evaluated, so neither may be simplified under the condition: a clamped index must stay.
        condition = self.condition(node.condition)
        if isinstance(condition, IntImm):
            return self.visit(node.true_value if condition.value else node.false_value)
        x, y = self.visit(node.true_value), self.visit(node.false_value)
        if condition is node.condition and x is node.true_value and y is node.false_value:
            return node
        return x if x is y else Select(condition, x, y)

    def visit_shuffle(self, node: Shuffle) -> Expr:
        done = super().visit_expr(node)
        if not isinstance(done, Shuffle) or any([v is not done.vectors[0] for v in done.vectors]):
            return done
        first = done.vectors[0]
        return Broadcast(first, len(done.indices)) if first.dtype.lanes == 1 else done

    def visit_call(self, node: Call) -> Expr:
        if not is_call(node, "if_then_else"):
            return super().visit_expr(node)
        condition = self.condition(node.args[0])
        if isinstance(condition, IntImm):
            return self.visit(node.args[1] if condition.value else node.args[2])
        x = self.under(condition, lambda: self.visit(node.args[1]))
        y = self.under(_negation(condition), lambda: self.visit(node.args[2]))
        if condition is node.args[0] and x is node.args[1] and y is node.args[2]:
            return node
        return if_then_else(condition, x, y)

    def under(self, condition: Expr, action: Callable[[], _T]) -> _T:
        """Run ``action`` with ``condition`` known to hold; what is learnt there is forgotten afterwards."""
        known = [inner for item in conjuncts(condition) for inner in conjuncts(_plain(item)) if self._usable(inner)]
        if not known:
            return action()
        memo, indices = self.memo, self.indices
        self.memo, self.indices = {}, {}
        try:
            with self.analyzer.constraint_scope(conjunction(known)):
                return action()
        finally:
            self.memo, self.indices = memo, indices

    def _usable(self, condition: Expr) -> bool:
        """Memory may change between the test and the use, so conditions on loaded values are not remembered."""
        return condition.dtype.lanes == 1 and not isinstance(condition, IntImm) and not self.is_opaque(condition)

    # -- statements ----------------------------------------------------------------------------------------------

    def visit_buffer_store(self, node: BufferStore) -> Stmt:
        indices, value = self.index_tuple(node.indices), self.expr(node.value)
        predicate = None if node.predicate is None else self.expr(node.predicate)
        if indices is node.indices and value is node.value and predicate is node.predicate:
            return node
        return BufferStore(node.buffer, value, indices, predicate, node.span)

    def visit_for(self, node: For) -> Stmt:
        low, extent = self.index(node.min), self.index(node.extent)
        if self.analyzer.const_int_bound(extent).max_value <= 0:
            return NOOP
        if int_value(extent) == 1 and node.kind is not ForKind.THREAD_BINDING:
            return self.with_value(node.loop_var, low, node.body)
        self.bind_range(node.loop_var, low, extent)
        body = self.stmt(node.body) if type(extent) is IntImm else self.inside(extent, node.body)
        if is_noop(body):
            return NOOP
        if low is node.min and extent is node.extent and body is node.body:
            return node
        return node.replace(min=low, extent=extent, body=body)

    def inside(self, extent: Expr, body: Stmt) -> Stmt:
        """The body of a loop, which runs only where no factor of the extent is 0: quotients by them are exact there."""
        factors = positive_factors(extent, self.analyzer)
        if not factors:
            return self.stmt(body)
        known = conjunction([GE(x, operators.const(1, x.dtype)) for x in factors])
        return self.under(known, lambda: self.stmt(body))

    def with_value(self, var: Var, value: Expr, body: Stmt) -> Stmt:
        """The body with a variable replaced, simplified."""
        self.values[var] = operators.cast(var.dtype, value)
        done = self.stmt(body)
        del self.values[var]
        return done

    def visit_attr_stmt(self, node: AttrStmt) -> Stmt:
        if node.attr_key not in ("thread_extent", "virtual_thread") or not isinstance(node.node, IterVar):
            return super().visit_attr_stmt(node)
        extent, var = self.index(node.value), node.node.var
        if int_value(extent) == 1:
            body = self.with_value(var, operators.const(0, var.dtype), node.body)
            if node.attr_key == "virtual_thread":
                return body
        else:
            self.bind_range(var, operators.const(0, extent.dtype), extent)
            body = self.stmt(node.body) if type(extent) is IntImm else self.inside(extent, node.body)
        if extent is node.value and body is node.body:
            return node
        return AttrStmt(node.node, node.attr_key, extent, body, node.span)

    def visit_let_stmt(self, node: LetStmt) -> Stmt:
        value = self.expr(node.value)
        if isinstance(value, IntImm) or (isinstance(value, Var) and not value.dtype.is_handle):
            return self.with_value(node.var, value, node.body)
        if value.dtype.is_int and value.dtype.lanes == 1 and not self.is_opaque(value):
            self.analyzer.update(node.var, self.analyzer.const_int_bound(value), True)
            self.analyzer.update(node.var, self.analyzer.modular_set(value), True)
        body = self.stmt(node.body)
        return node if value is node.value and body is node.body else LetStmt(node.var, value, body, node.span)

    def visit_if_then_else(self, node: IfThenElse) -> Stmt:
        condition = self.condition(node.condition)
        if isinstance(condition, IntImm):
            chosen = node.then_case if condition.value else node.else_case
            return NOOP if chosen is None else self.stmt(chosen)
        then_case = self.under(condition, lambda: self.stmt(node.then_case))
        else_case = None
        if node.else_case is not None:
            otherwise = node.else_case
            else_case = self.under(_negation(condition), lambda: self.stmt(otherwise))
            else_case = None if is_noop(else_case) else else_case
        if is_noop(then_case) and else_case is None:
            return NOOP
        if condition is node.condition and then_case is node.then_case and else_case is node.else_case:
            return node
        return IfThenElse(condition, then_case, else_case, node.span)

    def visit_assert_stmt(self, node: AssertStmt) -> Stmt:
        condition = self.condition(node.condition)
        if condition is TRUE:
            return self.stmt(node.body)
        body = self.under(condition, lambda: self.stmt(node.body))
        if condition is node.condition and body is node.body:
            return node
        return AssertStmt(condition, node.message, body, node.span)

    def visit_all_reduce(self, node: AllReduce) -> Stmt:
        values, condition = self.exprs(node.values), self.condition(node.condition)
        if values is node.values and condition is node.condition:
            return node
        return node.replace(values=values, condition=condition)


def _plain(condition: Expr) -> Expr:
    return condition.args[0] if isinstance(condition, Call) and is_call(condition, "likely") else condition


def _negation(condition: Expr) -> Expr:
    """What holds where a condition does not, as a comparison where it is one."""
    plain = _plain(condition)
    flipped = _NEGATED.get(type(plain))
    if flipped is not None and isinstance(plain, CmpOp) and plain.a.dtype.is_int:
        return flipped(plain.a, plain.b)
    return operators.logical_not(plain) if not isinstance(plain, Not) else plain.a
