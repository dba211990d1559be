"""Cheaper forms of operations whose general form costs more than a target's instruction.

Floor division and its remainder become C's division where no operand is negative.  Divisors that are powers of
two stay as they are: emitters write shifts and masks for them, which floor whatever the sign is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gpucomp.support.dtype import FLOAT32
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir import stmt as s
from gpucomp.tir.expr import Expr, IntImm, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.intrin import dp4a_meaning, exp2
from gpucomp.tir.stmt import Stmt
from gpucomp.transform.walk import THREAD_KEYS, ScopedMutator, conjunction, is_call, positive_factors

_S = TypeVar("_S", s.For, s.AttrStmt)


def lower_intrin(func: PrimFunc) -> PrimFunc:
    """Rewrite floor division and remainder of operands that are proven not to be negative, and dot products of bytes
    and exponentials that flush for targets without an instruction.

    Ranges come from loops, threads, lets, and from the extents of argument buffers, which are not negative.
    """
    return func.with_body(_LowerIntrin(func).stmt(func.body))


class _LowerIntrin(ScopedMutator):
    def __init__(self, func: PrimFunc) -> None:
        super().__init__(func)
        self.lets: dict[Var, Expr] = {}
        features = getattr(func.attrs.get("target"), "features", ())
        self.has_dp4a, self.flushes = "dp4a" in features, "exp2_flushed" in features

    def visit_for(self, node: s.For) -> Stmt:
        if type(node.extent) is IntImm:
            return super().visit_for(node)
        return self._inside(node.extent, super().visit_for, node)

    def visit_attr_stmt(self, node: s.AttrStmt) -> Stmt:
        if node.attr_key not in THREAD_KEYS or type(node.value) is IntImm:
            return super().visit_attr_stmt(node)
        return self._inside(node.value, super().visit_attr_stmt, node)

    def _inside(self, extent: Expr, visit: Callable[[_S], Stmt], node: _S) -> Stmt:
        """Visit a loop, whose body runs only where no factor of the extent is 0."""
        factors = positive_factors(extent, self.analyzer)
        if not factors:
            return visit(node)
        memo, self.memo = self.memo, {}
        known = conjunction([e.GE(x, operators.const(1, x.dtype)) for x in factors])
        with self.analyzer.constraint_scope(known):
            done = visit(node)
        self.memo = memo
        return done

    def visit_let_stmt(self, node: s.LetStmt) -> Stmt:
        var, value = node.var, node.value
        if var.dtype.is_int and var.dtype.lanes == 1 and self.lets.get(var) is not value:
            if var in self.lets:
                self.forget()  # unrolled copies of a loop bind one variable to several values
            self.lets[var] = value
            self.analyzer.update(var, self.analyzer.const_int_bound(value), True)
        return super().visit_let_stmt(node)

    def visit_call(self, node: e.Call) -> Expr:
        if is_call(node, "dp4a") and not self.has_dp4a:
            return self.visit(dp4a_meaning(node))
        if is_call(node, "undef"):
            return operators.const(0, node.dtype)
        if is_call(node, "exp2_flushed") and not (self.flushes and node.dtype.element is FLOAT32):
            return exp2(self.visit(node.args[0]))
        return self.visit_expr(node)

    def visit_floor_div(self, node: e.FloorDiv) -> Expr:
        return self._division(node, e.Div)

    def visit_floor_mod(self, node: e.FloorMod) -> Expr:
        return self._division(node, e.Mod)

    def _division(self, node: e.BinaryOp, truncating: type[e.Div] | type[e.Mod]) -> Expr:
        a, b = self.visit(node.a), self.visit(node.b)
        if self._is_plain(node):
            return operators.division(truncating, a, b)
        return node if a is node.a and b is node.b else operators.division(type(node), a, b)

    def _is_plain(self, node: e.BinaryOp) -> bool:
        """True when both families of division agree and C's is no dearer."""
        kind = node.dtype
        if not kind.is_int or kind.lanes > 1:
            return False
        if kind.code == "uint":
            return True
        divisor = node.b
        if isinstance(divisor, IntImm):
            if divisor.value <= 0 or divisor.value & (divisor.value - 1) == 0:
                return False
        elif self.analyzer.const_int_bound(divisor).min_value <= 0:
            return False
        return self.analyzer.const_int_bound(node.a).min_value >= 0
