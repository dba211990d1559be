"""The analyzer: what passes ask about integer expressions."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from gpucomp.arith import bounds as b
from gpucomp.arith.bounds import INF, ConstIntBound, ModularSet
from gpucomp.arith.extension import Extension
from gpucomp.arith.int_set import NEG_INF, POS_INF, IntervalSet, IntSet
from gpucomp.arith.linear import Linear
from gpucomp.arith.logic import operands, strip_likely
from gpucomp.arith.sets import Domains
from gpucomp.arith.state import UNLIMITED, Form, Impure, Layer, Node, OutOfBudget, Step
from gpucomp.support.diagnostics import LowerError, caller_span
from gpucomp.support.dtype import INT32, INT64
from gpucomp.support.recursion import ensure_recursion
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, IntImm, IterVar, Range, Var
from gpucomp.tir.functor import free_vars, substitute


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


Saved = dict[str, object]
"""What a constraint scope puts back when it ends."""

_DEEP = 60
_PROOF_DEPTH = 4
_PASSES = 4  # after the first; no expression is known that needs more than two
_LEAVES = frozenset((Var, e.SizeVar, IntImm))
_BY_LITERAL = frozenset((e.Mul, e.FloorDiv, e.FloorMod))
_PLAIN = _BY_LITERAL | {e.Add, e.Sub, e.LT, e.LE, e.GT, e.GE}
_SUBSTITUTE_STEPS = 2  # for each level of an expression in which a variable gets a value
_FEW_VALUES = 16  # a variable with at most so many is tried value by value


class Analyzer(Linear):
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

    # -- facts ------------------------------------------------------------------------------------------------

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
        if node.depth > _DEEP:
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

    # -- questions --------------------------------------------------------------------------------------------

    def const_int_bound(self, expr: ExprLike) -> ConstIntBound:
        """Constants between which the value lies (of every lane, for vectors)."""
        node = operators.convert(expr)
        if node.depth > _DEEP:
            ensure_recursion(node.depth)
        return ConstIntBound.from_interval(self._bound(node))

    def modular_set(self, expr: ExprLike) -> ModularSet:
        """Coefficient and base such that the value is coeff * k + base for an integer k."""
        node = operators.convert(expr)
        if node.depth > _DEEP:
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
        if node.depth > _DEEP:
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
            if kind in _LEAVES or node.depth > _DEEP:
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

    def int_set(self, expr: ExprLike, dom_map: Domains) -> IntervalSet:
        """The interval of the values that ``expr`` takes while variables run over their sets."""
        node = operators.convert(expr)
        if node.depth > _DEEP:
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
        if node.depth > _DEEP:
            ensure_recursion(node.depth)
        return self._bound(node)


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


def _same(x: tuple[object, ...], y: tuple[object, ...]) -> bool:
    """Equality of bindings: expressions by identity, numbers by value."""
    if len(x) != len(y):
        return False
    return all(
        [p is q or (not isinstance(p, Expr) and not isinstance(q, Expr) and p == q) for p, q in zip(x, y, strict=True)]
    )
