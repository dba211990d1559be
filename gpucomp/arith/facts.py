"""What an analyzer is told: values, ranges and sets of variables, and conditions that hold for a while."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from gpucomp.arith import bounds as b
from gpucomp.arith.answers import DEEP, Answers
from gpucomp.arith.bounds import INF, ConstIntBound, ModularSet
from gpucomp.arith.int_set import IntSet
from gpucomp.arith.logic import operands, strip_likely
from gpucomp.arith.state import UNLIMITED, Form, Impure, Layer, Node, OutOfBudget
from gpucomp.support.diagnostics import LowerError, caller_span
from gpucomp.support.recursion import ensure_recursion
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, IntImm, IterVar, Range, Var
from gpucomp.tir.functor import free_vars

Saved = dict[str, object]
"""What a constraint scope puts back when it ends."""

_SCOPED = (
    "_known",
    "_congruent",
    "_bound_to",
    "_replaced",
    "_facts",
    "_facts_of",
    "_assumed",
    "_memo",
    "_again",
    "_bounds",
    "_mods",
    "_proofs",
    "_met",
    "_outer",
)


class Facts(Answers):
    """Adds facts about variables, and scopes in which a condition holds."""

    def bind(self, var: Var | IterVar, value: ExprLike | Range, override: bool = False) -> None:
        """Say that ``var`` equals an expression, or runs over a range.

        Raises:
            LowerError: the variable is bound to something else already and ``override`` is false.
        """
        target = var.var if isinstance(var, IterVar) else var
        if not isinstance(value, Range):
            self._bind_value(target, self.simplify(operators.cast(target.dtype, value)), override)
            return
        low, extent = value.min, value.extent
        if type(low) is not IntImm:
            low = self.simplify(low)
        if type(extent) is not IntImm:
            extent = self.simplify(extent)
        if type(extent) is IntImm and extent.value == 1:
            self._bind_value(target, operators.cast(target.dtype, low), override)
        else:
            self._bind_range(target, low, extent, override)

    def _replace_binding(self, var: Var, new: tuple[object, ...], override: bool) -> bool:
        """Note what ``var`` is bound to; False if that is known already."""
        old = self._bound_to.get(var)
        if old is not None:
            if _same(old, new):
                return False
            if not override:
                raise self._twice(var)
            self._drop_facts(var)
        if var in self._met:
            self._forget()
        self._bound_to[var] = new
        self._known.pop(var, None)
        self._replaced.pop(var, None)
        return True

    def _bind_value(self, var: Var, new: Expr, override: bool) -> None:
        if new is not var and self._replace_binding(var, (new,), override):
            self._replaced[var] = new

    def _bind_range(self, var: Var, low: Expr, extent: Expr, override: bool) -> None:
        if not self._replace_binding(var, (low, extent), override):
            return
        if type(extent) is IntImm and type(low) is IntImm:
            self._known[var] = low.value, low.value + extent.value - 1
            return
        if low.dtype is not var.dtype:
            low, extent = operators.cast(var.dtype, low), operators.cast(var.dtype, extent)
        size, start = self._form(extent), self._form(low)
        at: Form = ({var: 1}, 0)
        end = self._plus(size[0], size[1] - 1, start, 1)
        first, last = self._sum_bound(*start)[0], self._sum_bound(*end)[1]
        self._known[var] = first, last
        if start[0]:
            self._add_fact(self._difference(at, start))
        if end[0]:
            self._add_fact(self._difference(end, at))

    def _bind_axis(self, axis: IterVar) -> None:
        assert axis.dom is not None
        self.bind(axis, axis.dom)

    def _twice(self, var: Var) -> LowerError:
        return LowerError(
            f"variable {var.name!r} is bound to two different things in one analysis",
            code="GC388",
            where=caller_span(),
            hint="pass override=True to replace what is known",
        )

    def update(self, var: Var | IterVar, info: ConstIntBound | ModularSet | IntSet, override: bool = False) -> None:
        """Set what is known about ``var``: a bound, a congruence, or an interval set with constant ends.

        Raises:
            LowerError: something else is known already and ``override`` is false.
        """
        target = var.var if isinstance(var, IterVar) else var
        if isinstance(info, ModularSet):
            new = info.coeff, info.base % info.coeff if info.coeff else info.base
            old = self._congruent.get(target)
            if old == new:
                return
            if old is not None and not override:
                raise self._twice(target)
            if target in self._met and (old is not None or new != b.ANY_INTEGER):
                self._forget()
            if new == b.ANY_INTEGER:  # nothing to know: an empty table of congruences keeps remainders quick
                self._congruent.pop(target, None)
            else:
                self._congruent[target] = new
            return
        if isinstance(info, ConstIntBound):
            interval = info.interval()
        else:
            low, high = self.const_int_bound(info.min_value), self.const_int_bound(info.max_value)
            interval = ConstIntBound(low.min_value, high.max_value).interval()
        if self._replace_binding(target, interval, override):
            self._known[target] = interval

    def declare_data(self, var: Var) -> None:
        """Say that ``var`` holds a loaded value: arithmetic on it may wrap, which index arithmetic does not."""
        if var in self._met:
            self._forget()
            self._data.clear()
        self._data[var] = self._met_data = True

    def _add_fact(self, fact: Form) -> None:
        """Record that a sum is >= 0."""
        self._facts = [*self._facts, fact]
        for atom in fact[0]:
            self._facts_of[atom] = [*self._facts_of.get(atom, ()), fact]

    def _drop_facts(self, var: Var) -> None:
        """Forget what was said about a variable that now stands for something else."""
        kept = [f for f in self._facts if not any([var in free_vars(t) for t in f[0]])]
        if len(kept) == len(self._facts):
            return
        self._facts, self._facts_of = [], {}
        for fact in kept:
            self._add_fact(fact)

    @contextmanager
    def constraint_scope(self, condition: ExprLike) -> Generator[None]:
        """Inside the ``with`` block ``condition`` holds."""
        saved = self.enter_constraint(condition)
        try:
            yield
        finally:
            self.exit_constraint(saved)

    def enter_constraint(self, condition: ExprLike) -> Saved | None:
        """Start a scope in which ``condition`` holds; give the result to :meth:`exit_constraint`."""
        node = operators.convert(condition)
        if node.depth > DEEP:
            ensure_recursion(node.depth)
        self._allow(node)
        try:
            simple = self._simp(node)
        except Impure:
            return None  # it may come out differently the next time
        except OutOfBudget:
            simple = node
        finally:
            self._budget = UNLIMITED
        return None if type(simple) is IntImm else self._enter(simple)

    def _enter(self, simple: Expr) -> Saved:
        """Start a scope in which a simplified condition holds."""
        saved: Saved = {name: getattr(self, name) for name in _SCOPED}
        self._outer = Layer(self._reach(simple), self._memo, self._bounds, self._outer)
        self._memo, self._bounds, self._mods, self._proofs, self._met = {}, {}, {}, {}, dict(self._met)
        self._known, self._congruent = dict(self._known), dict(self._congruent)
        self._bound_to, self._replaced = dict(self._bound_to), dict(self._replaced)
        self._facts_of, self._assumed, self._again = dict(self._facts_of), dict(self._assumed), {}
        for item in operands(e.And, simple):
            self._assume(strip_likely(item))
        return saved

    def exit_constraint(self, saved: Saved | None) -> None:
        """End the scope that :meth:`enter_constraint` started."""
        if saved is not None:
            self._leave(saved)

    def _leave(self, saved: Saved) -> None:
        met = self._met
        for name, value in saved.items():
            setattr(self, name, value)
        self._met.update(met)

    def _reach(self, condition: Expr) -> frozenset[Var]:
        """Variables that expressions must mention for their answers to be worked out afresh.

        Facts may carry a condition to further variables; answers about those stay right, though they might be
        sharper.
        """
        reach = free_vars(condition)
        for var, value in self._replaced.items():
            if not reach.isdisjoint(free_vars(value)):
                reach |= {var}
        return reach

    def _assume(self, condition: Expr) -> None:
        """Turn one condition that holds into facts."""
        self._memo[condition] = self._assumed[condition] = e.IntImm(operators.BOOL, 1)
        negation = self._negation_node(condition)
        if negation is not None:
            self._memo[negation] = self._assumed[negation] = e.IntImm(operators.BOOL, 0)
        order = self._orders.get(condition)
        if order is not None:
            self._learn({t: -k for t, k in order[0].items()}, -order[1] - 1)
            return
        if type(condition) is e.EQ and condition.a.dtype.is_int and condition.a.dtype.lanes == 1:
            terms, const = self._difference(self._form(condition.a), self._form(condition.b))
            self._learn(terms, const)
            self._learn({t: -k for t, k in terms.items()}, -const)
            self._learn_congruence(terms, const)

    def _negation_node(self, condition: Node) -> Expr | None:
        kind = type(condition)
        if kind is e.Not:
            return condition.a
        if kind is e.EQ:
            return e.NE(condition.a, condition.b)
        if kind is e.NE:
            return e.EQ(condition.a, condition.b)
        return None if kind in (e.LT, e.LE, e.GT, e.GE) else e.Not(condition)

    def _learn(self, terms: dict[Expr, int], const: int) -> None:
        """A sum is >= 0: note it, and what follows for each of its atoms from the bounds of the others."""
        if len(terms) > 1:
            self._add_fact((terms, const))
        bounds = {t: self._bound(t) for t in terms}
        total_high: b.Number = const + sum(
            [b.times(k, bounds[t][1] if k > 0 else bounds[t][0]) for t, k in terms.items()]
        )
        if total_high == INF:
            return
        for t, k in terms.items():
            low, high = bounds[t]
            rest = total_high - b.times(k, high if k > 0 else low)
            if k > 0:
                low = max(low, -(rest // k))
            else:
                high = min(high, rest // -k)
            if low <= high and (low, high) != bounds[t]:
                self._known[t] = low, high
                self._bounds.clear()

    def _learn_congruence(self, terms: dict[Expr, int], const: int) -> None:
        """x % c == r tells that x is r modulo c."""
        if len(terms) != 1:
            return
        ((atom, k),) = terms.items()
        if type(atom) is not e.FloorMod or abs(k) != 1 or type(atom.b) is not IntImm or atom.b.value <= 0:
            return
        old = self._congruent.get(atom.a, b.ANY_INTEGER)
        self._congruent[atom.a] = b.intersect_congruence((atom.b.value, (-const * k) % atom.b.value), old)
        self._mods.clear()


def _same(x: tuple[object, ...], y: tuple[object, ...]) -> bool:
    """Equality of bindings: expressions by identity, numbers by value."""
    if len(x) != len(y):
        return False
    return all(
        [p is q or (not isinstance(p, Expr) and not isinstance(q, Expr) and p == q) for p, q in zip(x, y, strict=True)]
    )
