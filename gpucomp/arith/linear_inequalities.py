"""Systems of linear inequalities over the integers, by Fourier-Motzkin elimination."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from gpucomp.arith.analyzer import Analyzer
from gpucomp.arith.int_constraints import (
    Bound,
    IntConstraints,
    IntConstraintsTransform,
    best_range,
    ceil_divide,
    system_of,
)
from gpucomp.arith.linear_equations import Infeasible, bind_ranges, no_solution, widest
from gpucomp.arith.logic import operands, strip_likely
from gpucomp.arith.state import Form, Node, Terms
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, IterVar, Range, Var
from gpucomp.tir.functor import free_vars, substitute

_LIMIT = 256
"""Inequalities kept at once: what elimination adds follows from the rest, so that it may be dropped."""


def solve_linear_inequalities(
    equations: IntConstraints | Expr | Sequence[ExprLike],
    variables: Sequence[Var | IterVar] | None = None,
    ranges: Mapping[Var, Range] | None = None,
    deskew_range: bool = False,
) -> IntConstraints | IntConstraintsTransform:
    """Ranges of the unknowns of a system of linear inequalities (equations count as two of them).

    The range of a variable may mention the variables after it.  Everything that the ranges do not imply is kept among
    the relations, so that the result has the solutions of the system and no other.

    Args:
        equations: conditions such as ``x + y <= 20``, or a whole system.
        variables: the unknowns, in the order of elimination; all variables that occur, by default.
        ranges: what is known about unknowns, and about parameters.
        deskew_range: replace the unknowns by new ones whose ranges start at 0 and do not depend on each other.

    Returns:
        The system with ranges; with ``deskew_range`` the transform to the new variables.  A system without solutions
        gives no variables and the relation False.

    Raises:
        LowerError: the unknowns are no distinct integers, or an inequality is no condition.

    Source: Fourier-Motzkin elimination, A. Schrijver, Theory of Linear and Integer Programming, section 12.2.

    >>> from gpucomp import arith, te, tir
    >>> from gpucomp.tir import Range
    >>> x, y = te.var("x"), te.var("y")
    >>> box = {x: Range(0, 100), y: Range(0, 100)}
    >>> solved = arith.solve_linear_inequalities([x + y <= 20, x - y >= 10], [x, y], box)
    >>> solved.ranges[y], solved.ranges[x].min, solved.ranges[x].extent
    (Range(0, 6), y + 10, 11 - y * 2)
    """
    system = system_of(equations, variables, ranges)
    try:
        solution = _Elimination(system)
        return solution.deskewed() if deskew_range else solution.ranged()
    except Infeasible:
        nothing = no_solution(system)
        return nothing if deskew_range else nothing.dst


class _Elimination:
    """The inequalities "sum <= 0" of a system, and what each variable's turn leaves."""

    def __init__(self, system: IntConstraints) -> None:
        self.system = system
        self.dtype = widest(system.variables)
        self.ana = Analyzer()
        bind_ranges(self.ana, {v: r for v, r in system.ranges.items() if v not in system.variables})
        for domain in (system.ranges[v] for v in system.variables if v in system.ranges):
            if self.ana.can_prove(operators.compare(e.LE, domain.extent, 0)):
                raise Infeasible
        self.others: list[Expr] = []
        self.given: list[Form] = []
        for condition in system.conditions():
            for item in operands(e.And, condition):
                self._take(self.ana.simplify(strip_likely(item)))
        self.bounds = self._eliminate()

    def _take(self, condition: Node) -> None:
        """Note one condition as inequalities, or as something else that holds."""
        if isinstance(condition, e.IntImm):
            if not condition.value:
                raise Infeasible
            return
        order = self.ana.order_of(condition)
        if order is not None:
            self._add(condition, [(order[0], order[1] + 1)])
            return
        if isinstance(condition, e.EQ) and condition.a.dtype.is_int:
            terms, const = self.ana.difference_of(condition.a, condition.b)
            self._add(condition, [(terms, const), ({t: -k for t, k in terms.items()}, -const)])
            return
        self.others.append(condition)

    def _add(self, condition: Expr, forms: list[Form]) -> None:
        unknown = dict.fromkeys(self.system.variables)
        for terms, _ in forms:
            if any([t not in unknown and not free_vars(t).isdisjoint(unknown) for t in terms]):
                self.others.append(condition)
                return
        self.given += forms

    def _eliminate(self) -> dict[Var, tuple[list[Bound], list[Bound]]]:
        """Lower and upper bounds of each variable in terms of the variables after it."""
        current = _tightest(self.given)
        found: dict[Var, tuple[list[Bound], list[Bound]]] = {}
        for var in self.system.variables:
            above = [f for f in current if f[0].get(var, 0) > 0]
            below = [f for f in current if f[0].get(var, 0) < 0]
            rest = [f for f in current if not f[0].get(var, 0)]
            found[var] = [self._bound(var, f) for f in below], [self._bound(var, f) for f in above]
            if len(above) * len(below) <= _LIMIT:
                rest += [_without(var, x, y) for x in above for y in below]
            current = _tightest(rest)
        for terms, const in current:
            self._check_rest(terms, const)
        return found

    def _check_rest(self, terms: Terms, const: int) -> None:
        """What is left is about parameters only."""
        simple = self.ana.simplify(operators.compare(e.LE, self.ana.expr_of((terms, const), self.dtype), 0))
        if isinstance(simple, e.IntImm) and not simple.value:
            raise Infeasible

    def _bound(self, var: Var, form: Form) -> Bound:
        """k * var + rest <= 0 as c * var >= end or c * var <= end."""
        terms, const = form
        k = terms[var]
        sign = -1 if k > 0 else 1
        rest = {t: sign * c for t, c in terms.items() if t is not var}
        return operators.const(abs(k), self.dtype), self.ana.expr_of((rest, sign * const), self.dtype)

    def _best(self, var: Var, known: dict[Var, Range], ana: Analyzer) -> tuple[Range, float] | None:
        lows, highs = self.bounds[var]
        return best_range(lows, highs, known, ana)

    def ranged(self) -> IntConstraints:
        """The system with a range for each variable that has both bounds."""
        ana = self._facts()
        ranges: dict[Var, Range] = {}
        for var in reversed(self.system.variables):
            best = self._best(var, ranges, ana)
            if best is None:
                continue
            if best[1] <= 0:
                raise Infeasible
            ranges[var] = best[0]
            ana.bind(var, best[0], override=True)
        relations = self._relations(ana, {})
        return IntConstraints(self.system.variables, ranges, relations)

    def _facts(self) -> Analyzer:
        ana = Analyzer()
        bind_ranges(ana, {v: r for v, r in self.system.ranges.items() if v not in self.system.variables})
        return ana

    def _relations(self, ana: Analyzer, forward: dict[Var, Expr]) -> list[Expr]:
        """What the system says and the analyzer's facts do not imply."""
        found: dict[Expr, None] = {}
        conditions = [operators.compare(e.LE, self.ana.expr_of(f, self.dtype), 0) for f in _tightest(self.given)]
        for condition in [*conditions, *self.others]:
            simple = ana.simplify(substitute(condition, forward) if forward else condition)
            if isinstance(simple, e.IntImm):
                if not simple.value:
                    raise Infeasible
            elif not ana.can_prove(simple):
                found[simple] = None
        return list(found)

    def deskewed(self) -> IntConstraintsTransform:
        """New variables, each counted from a lower bound of the old one."""
        ana = self._facts()
        names: dict[Var, Var] = {v: Var(f"{v.name}_new", v.dtype) for v in self.system.variables}
        forward: dict[Var, Expr] = {}
        backward: dict[Var, Expr] = {}
        ranges: dict[Var, Range] = {}
        moved: list[Var] = []
        for var in reversed(self.system.variables):
            new = names[var]
            forward[var], backward[new] = new, var
            lows, highs = [[(c, ana.simplify(substitute(x, forward))) for c, x in ends] for ends in self.bounds[var]]
            best = best_range(lows, highs, ranges, ana)
            if best is None:
                if lows:  # from a lower bound on
                    low = ceil_divide(ana, lows[0][1], lows[0][0])
                    forward[var] = ana.simplify(operators.add(new, low))
                    backward[new] = self._from(var, low, names, backward)
                    ana.enter_constraint(operators.compare(e.GE, new, 0))
                    moved.append(new)
                continue
            domain, size = best
            if size <= 0:
                raise Infeasible
            forward[var] = ana.simplify(operators.add(new, domain.min))
            backward[new] = self._from(var, domain.min, names, backward)
            extent = domain.extent if size == math.inf else operators.const(int(size), new.dtype)
            if size == math.inf and not free_vars(extent).isdisjoint(backward):
                continue  # no bound but one that depends on other unknowns
            ranges[new] = Range.from_min_extent(operators.const(0, new.dtype), extent)
            ana.bind(new, ranges[new], override=True)
        variables = [names[v] for v in self.system.variables]
        forward = {v: operators.cast(v.dtype, forward[v]) for v in self.system.variables}
        relations = self._relations(ana, forward)
        relations += [operators.compare(e.GE, n, 0) for n in moved]
        backward = {n: backward[n] for n in variables}
        return IntConstraintsTransform(self.system, IntConstraints(variables, ranges, relations), forward, backward)

    def _from(self, var: Var, low: Expr, names: dict[Var, Var], backward: dict[Var, Expr]) -> Expr:
        """var - low, in old variables."""
        old = substitute(low, {n: x for n, x in backward.items() if n is not names[var]})
        return Analyzer().simplify(operators.subtract(var, old))


def _without(var: Var, above: Form, below: Form) -> Form:
    """The sum of two inequalities in which ``var`` cancels."""
    a, b = above[0][var], -below[0][var]
    g = math.gcd(a, b)
    x, y = b // g, a // g
    terms = {t: x * k for t, k in above[0].items()}
    for t, k in below[0].items():
        terms[t] = terms.get(t, 0) + y * k
    return {t: k for t, k in terms.items() if k}, x * above[1] + y * below[1]


def _tightest(forms: list[Form]) -> list[Form]:
    """Inequalities divided by their common factor, one for each left side; false constants refute the system."""
    best: dict[frozenset[tuple[Expr, int]], Form] = {}
    for terms, const in forms:
        if not terms:
            if const > 0:
                raise Infeasible
            continue
        g = math.gcd(*terms.values())
        scaled = {t: k // g for t, k in terms.items()}
        limit = -(-const // g)  # sum <= -const / g, rounded down
        key = frozenset(scaled.items())
        if key not in best or best[key][1] < limit:
            best[key] = scaled, limit
    return list(best.values())
