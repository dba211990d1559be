"""Simplified expressions, and bounds and congruences of their values."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from gpucomp.arith.bounds import ConstIntBound, ModularSet
from gpucomp.arith.linear import Linear
from gpucomp.arith.state import UNLIMITED, Impure, OutOfBudget, Step
from gpucomp.support.dtype import INT32, INT64
from gpucomp.support.recursion import ensure_recursion
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, IntImm, Var

DEEP = 60  # levels of an expression, from which on Python's stack may have to grow
_PASSES = 4  # after the first; no expression is known that needs more than two
_LEAVES = frozenset((Var, e.SizeVar, IntImm))
_BY_LITERAL = frozenset((e.Mul, e.FloorDiv, e.FloorMod))
_PLAIN = _BY_LITERAL | {e.Add, e.Sub, e.LT, e.LE, e.GT, e.GE}


@dataclass(frozen=True, slots=True)
class Explanation:
    """How an expression was simplified; prints as one line a step.

    Attributes:
        before, after: the expression and what it became.
        steps: rules and steps in order, those on operands before those on what holds them.
    """

    before: Expr
    after: Expr
    steps: list[Step]

    def __str__(self) -> str:
        return "\n".join([*map(str, self.steps), f"result: {self.before}  ->  {self.after}"])


class Answers(Linear):
    """Adds what is asked about one expression, and how an answer came about."""

    def const_int_bound(self, expr: ExprLike) -> ConstIntBound:
        """Constants between which the value lies (of every lane, for vectors)."""
        node = operators.convert(expr)
        if node.depth > DEEP:
            ensure_recursion(node.depth)
        return ConstIntBound.from_interval(self._bound(node))

    def modular_set(self, expr: ExprLike) -> ModularSet:
        """Coefficient and base such that the value is coeff * k + base for an integer k."""
        node = operators.convert(expr)
        if node.depth > DEEP:
            ensure_recursion(node.depth)
        return ModularSet(*self._congruence(node))

    def simplify(self, expr: ExprLike, steps: int = 2) -> Expr:
        """An equal expression, simplified; ``expr`` itself if there is nothing to do or it has effects.

        The result is a fixed point: more ``steps`` than one change nothing, and 0 steps do nothing.
        """
        node = expr if isinstance(expr, Expr) else operators.convert(expr)
        if steps <= 0:
            return node
        done = self._memo.get(node)
        if done is not None and (done is node or self._is_plain(done) or self._again.get(done) is done):
            return done
        if node.depth > DEEP:
            ensure_recursion(node.depth)
        self._allow(node)
        try:
            done = self._simp(node)
            return done if done is node or self._is_plain(done) else self._fixed_point(node, done)
        except Impure:
            return self._around_effects(node)
        except OutOfBudget:
            self._memo[node] = node
            return node
        finally:
            self._budget = UNLIMITED

    def _is_plain(self, node: Expr) -> bool:
        """True for sums of variables, quotients and remainders, and comparisons of them: these need no second look.

        Nor do very deep expressions get one: they would take twice as long.
        """
        found = self._plain.get(node)
        if found is None:
            kind = type(node)
            if kind in _LEAVES or node.depth > DEEP:
                found = True
            elif not isinstance(node, e.BinaryOp) or kind not in _PLAIN or node.a.dtype not in (INT32, INT64):
                found = False
            else:
                whole = kind not in _BY_LITERAL or type(node.b) is IntImm
                found = whole and self._is_plain(node.a) and self._is_plain(node.b)
            self._plain[node] = found
        return found

    def _fixed_point(self, node: Expr, done: Expr) -> Expr:
        """What ``done`` becomes when it is read again, until it stays: nearly always it does at once."""
        kept = self._memo, self._outer, self._trace
        self._memo, self._outer, self._trace = self._again, None, None
        if not self._again:
            self._again.update(self._assumed)
        first = done
        try:
            for _ in range(_PASSES):
                last, done = done, self._simp(done)
                if done is last:
                    break
                self._memo = dict(self._assumed)
            if done is not first and kept[2] is not None:
                self._memo, self._trace = dict(self._assumed), kept[2]
                self._simp(first)  # once more, to be told
        except OutOfBudget:
            pass  # the answer so far is right
        finally:
            self._memo, self._outer, self._trace = kept
        if done is not first:
            self._memo[node] = self._memo[done] = self._again[done] = done
        return done

    rewrite_simplify = simplify
    canonical_simplify = simplify

    def _around_effects(self, node: Expr) -> Expr:
        """Simplify the arguments of a call with effects; anything around such a call stays."""
        if type(node) is not e.Call:
            return node
        args = tuple([self.simplify(a) for a in node.args])
        same = all([x is y for x, y in zip(args, node.args, strict=True)])
        return node if same else e.Call(node.dtype, node.op, args)

    def explain(self, expr: ExprLike) -> Explanation:
        """Simplify afresh and tell how: which rules and steps were taken, in order, inner expressions first."""
        node = operators.convert(expr)
        with self.explaining() as steps:
            return Explanation(node, self.simplify(node), steps)

    @contextmanager
    def explaining(self) -> Generator[list[Step]]:
        """Within the ``with`` block all that simplification does is added to the list that it gives."""
        kept = self._memo, self._outer, self._trace
        steps: list[Step] = []
        self._memo, self._outer, self._trace = {}, None, steps
        if self._outer is not kept[1]:  # in a scope: what its constraint said stays
            known = {c: value for c, value in kept[0].items() if type(value) is IntImm and value.dtype.is_bool}
            self._memo.update(known)
        try:
            yield steps
        finally:
            self._memo, self._outer, self._trace = kept
