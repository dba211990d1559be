"""The analyzer: what passes ask about integer expressions."""

from __future__ import annotations

from gpucomp.arith import bounds as b
from gpucomp.arith.answers import DEEP
from gpucomp.arith.extension import Extension
from gpucomp.arith.facts import Facts
from gpucomp.arith.int_set import NEG_INF, POS_INF, IntervalSet
from gpucomp.arith.logic import operands, strip_likely
from gpucomp.arith.sets import Domains
from gpucomp.arith.state import UNLIMITED, Impure, OutOfBudget
from gpucomp.support.recursion import ensure_recursion
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, IntImm, Var
from gpucomp.tir.functor import free_vars, substitute

_PROOF_DEPTH = 4
_SUBSTITUTE_STEPS = 2  # for each level of an expression in which a variable gets a value
_FEW_VALUES = 16  # a variable with at most so many is tried value by value


class Analyzer(Facts):
    """Knows facts about variables and answers questions about integer expressions.

    Make one per function and keep it: answers are remembered per expression for as long as the facts stay the
    same.  Signed 32- and 64-bit index arithmetic is taken not to overflow; unsigned and narrow types, and values
    that come from loads, wrap, and are only reasoned about where a bound proves that they do not.
    """

    @property
    def enabled_extensions(self) -> Extension:
        """Deductions that are made beyond the usual ones; assign to change."""
        return self._extensions

    @enabled_extensions.setter
    def enabled_extensions(self, extensions: Extension) -> None:
        if extensions is not self._extensions:
            self._extensions = Extension(extensions)
            self._forget()

    def int_set(self, expr: ExprLike, dom_map: Domains) -> IntervalSet:
        """The interval of the values that ``expr`` takes while variables run over their sets."""
        node = operators.convert(expr)
        if node.depth > DEEP:
            ensure_recursion(node.depth)
        self._allow(node)
        try:
            return self._set_of(node, dom_map)
        except (Impure, OutOfBudget):
            return IntervalSet(NEG_INF, POS_INF)
        finally:
            self._budget = UNLIMITED

    def can_prove(self, condition: ExprLike, strength: int = 0) -> bool:
        """True if ``condition`` holds for all values of its variables that the facts allow.

        Args:
            condition: a scalar condition.
            strength: 0 looks at bounds, congruences and chains of facts; each further level also tries the values of
                one variable that has few, one by one, and looks deeper into the facts.
        """
        simple = self.simplify(operators.convert(condition))
        self._allow(simple)
        try:
            return self._proven(simple, strength)
        except (Impure, OutOfBudget):
            return False
        finally:
            self._budget = UNLIMITED

    def _proven(self, simple: Expr, strength: int) -> bool:
        """Is a simplified condition provable with what is left of the budget?"""
        if self._holds(simple, _PROOF_DEPTH + 2 * strength):
            return True
        return strength > 0 and self._holds_for_each(simple, strength)

    def _holds_for_each(self, simple: Expr, strength: int) -> bool:
        """Is a simplified condition provable for each value of the variable that has the fewest?"""
        counts: list[tuple[int, int, str, Var]] = []
        for v in free_vars(simple):
            low, high = self._known.get(v, b.EVERYTHING)
            if high - low < _FEW_VALUES:
                counts.append((int(high - low), int(low), v.name, v))
        if not counts:
            return False
        span, low, _, v = min(counts)
        for value in range(low, low + span + 1):
            self._spend(_SUBSTITUTE_STEPS * simple.depth)
            case = self._simp(substitute(simple, {v: IntImm(v.dtype, value)}))
            if not self._proven(case, strength - 1):
                return False
        return True

    def _holds(self, simple: Expr, depth: int) -> bool:
        """Can a simplified condition be proven?"""
        if type(simple) is IntImm:
            return simple.value != 0
        if type(simple) is e.And:
            return all([self._holds(x, depth) for x in operands(e.And, simple)])
        if type(simple) is e.Or:
            return any([self._holds(x, depth) for x in operands(e.Or, simple)])
        order = self._orders.get(strip_likely(simple))
        if order is None:
            return False
        return self._prove_nonnegative({t: -k for t, k in order[0].items()}, -order[1] - 1, depth)

    def can_prove_equal(self, a: ExprLike, b_: ExprLike) -> bool:
        """True if both always have one value."""
        x, y = operators.match_types(a, b_)
        return x is y or self.can_prove(operators.compare(e.EQ, x, y))

    def can_prove_greater_equal(self, expr: ExprLike, bound: int) -> bool:
        """True if the value is always >= ``bound``."""
        node = operators.convert(expr)
        if node.dtype.lanes == 1 and self._bound_of(node)[0] >= bound:
            return True
        return self.can_prove(operators.compare(e.GE, node, bound))

    def can_prove_less(self, expr: ExprLike, bound: int) -> bool:
        """True if the value is always < ``bound``."""
        node = operators.convert(expr)
        if node.dtype.lanes == 1 and self._bound_of(node)[1] < bound:
            return True
        return self.can_prove(operators.compare(e.LT, node, bound))

    def _bound_of(self, node: Expr) -> b.Interval:
        if node.depth > DEEP:
            ensure_recursion(node.depth)
        return self._bound(node)
