"""Adjoints of one element of a graph, with the equations between indices solved.

``Y[i] = sum over k of g(i, k)`` reads ``X[f(i, k)]``.  What ``X[j]`` contributes to the result is then

    sum over all i, k with f(i, k) == j of Ybar[i] * dg/dX(i, k)

Taken literally that runs over every (i, k) for every j.  Solving ``f(i, k) == j`` for (i, k) leaves the loops over
what the equations do not fix: for a matrix product one axis, for a convolution the window and the output channels.
Divisions and remainders in f by constants become variables of their own first (``i == c*q + r``), so that reshapes,
upsampling and packed layouts are linear too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gpucomp import arith
from gpucomp.te.partials import conjuncts
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import EQ, And, Call, Expr, IntImm, IterVar, ProducerLoad, Range, Var
from gpucomp.tir.functor import Mutator, expr_post_order, free_vars, substitute

_TRUE = IntImm("bool", 1)


@dataclass(slots=True)
class Contribution:
    """``sum over axes of value`` where ``inside`` holds; 0 where ``chosen``, which may read memory, does not.

    Attributes:
        axes: what is left to sum over; each starts at 0.
        inside: conditions on indices alone.
        chosen: conditions that read tensors, defined where ``inside`` holds.
        value: defined where both hold.
    """

    axes: tuple[IterVar, ...]
    inside: Expr
    chosen: Expr
    value: Expr


@dataclass(slots=True)
class Sum:
    """``sum of value over all axes where equations and conditions hold``, yet to be solved.

    Attributes:
        axes: what to sum over.
        params: variables that stand still, with their ranges.
        equations: pairs of indices that must be equal.
        conditions: what else must hold.
        value: what is summed.
    """

    axes: Sequence[IterVar]
    params: Mapping[Var, Range]
    equations: list[tuple[Expr, Expr]]
    conditions: list[Expr]
    value: Expr

    def solve(self) -> Contribution | None:
        """The same sum over as few axes as the equations leave; None where nothing is summed."""
        return _Solver(self).run()


class _Solver:
    def __init__(self, task: Sum) -> None:
        self.task = task
        self.ranges: dict[Var, Range] = {a.var: _dom(a) for a in task.axes}
        self.unknowns = dict.fromkeys(self.ranges)
        self.ranges.update(task.params)
        self.known = _analyzer(self.ranges)
        self.rest: list[Expr] = []  # conditions that are no equations
        self.equations: list[Expr] = []
        self.ends: list[Expr] = []  # of axes whose extent differs from element to element
        self.parts: dict[tuple[Expr, int], tuple[Var, Var]] = {}

    def run(self) -> Contribution | None:
        for condition in self.task.conditions:
            self._sort(condition)
        for a, b in self.task.equations:
            self._equate(a, b)
        solved = arith.solve_linear_equations(self.equations, list(self.unknowns), self.ranges)
        if any([isinstance(r, IntImm) and not r.value for r in solved.dst.relations]):
            return None
        place: dict[Var, Expr] = {}
        axes = self._new_axes(solved, place)
        if axes is None:
            return self._unsolved()
        values: dict[Var, Expr] = {v: substitute(x, place) for v, x in solved.src_to_dst.items() if v in self.ranges}
        relations = [substitute(r, place) for r in solved.dst.relations]
        return self._finish(axes, values, [*self.ends, *relations, *[substitute(c, values) for c in self.rest]])

    def _sort(self, condition: Expr) -> None:
        """Equations between indices are solved, all else is checked."""
        for part in conjuncts(condition):
            if isinstance(part, EQ) and part.a.dtype.is_int and not _reads(part):
                self._equate(part.a, part.b)
            else:
                self.rest.append(part)

    def _equate(self, a: Expr, b: Expr) -> None:
        if _reads(a) or _reads(b):
            self.rest.append(operators.compare(EQ, a, b))
            return
        walker = _Parts(self)
        left, right = operators.match_types(walker.expr(a), walker.expr(b))
        self.equations.append(EQ(left, right))

    def part(self, whole: Expr, divisor: int) -> tuple[Var, Var] | None:
        """Variables (q, r) with ``whole == divisor*q + r`` and ``0 <= r < divisor``; None if q has no range."""
        key = (whole, divisor)
        found = self.parts.get(key)
        if found is not None:
            return found
        domain = self._quotients(whole, divisor)
        if domain is None:
            return None
        q, r = Var("q", whole.dtype), Var("r", whole.dtype)
        self.parts[key] = (q, r)
        for var, dom in ((q, domain), (r, Range.from_min_extent(operators.const(0, r.dtype), divisor))):
            self.ranges[var] = dom
            self.unknowns[var] = None
            self.known.bind(var, dom)
        total = operators.add(operators.multiply(q, divisor), r)
        self.equations.append(EQ(whole, total))
        return q, r

    def _quotients(self, whole: Expr, divisor: int) -> Range | None:
        bound = self.known.const_int_bound(whole)
        low, high = int(bound.min_value), int(bound.max_value)
        if -(1 << 31) < low and high < (1 << 31) - 1:
            first = low // divisor
            return Range.from_min_extent(operators.const(first, whole.dtype), high // divisor - first + 1)
        dom = self.ranges.get(whole) if isinstance(whole, Var) else None
        if dom is None or not e.is_const_int(dom.min, 0):
            return None
        return Range.from_min_extent(0, operators.floordiv(operators.add(dom.extent, divisor - 1), divisor))

    # -- the solution -------------------------------------------------------------------------------------------------

    def _new_axes(self, solved: arith.IntConstraintsTransform, place: dict[Var, Expr]) -> tuple[IterVar, ...] | None:
        """An axis from zero for each new variable; ``place`` gets the variables by them.  None: one has no range."""
        waiting = list(solved.dst.variables)
        own = dict.fromkeys(waiting)
        axes: list[IterVar] = []
        while waiting:
            ready = [v for v in waiting if v in solved.dst.ranges and self._is_placed(solved.dst.ranges[v], own, place)]
            if not ready:
                return None
            for v in ready:
                dom = solved.dst.ranges[v]
                low, exact = substitute(dom.min, place), self.known.simplify(substitute(dom.extent, place))
                extent = self._extent(exact)
                if extent is None:
                    return None
                var = Var(self._name(v, solved), v.dtype)
                if extent is not exact:
                    self.ends.append(operators.compare(e.LT, var, exact))
                if not e.is_const_int(extent, 1):
                    axes.append(IterVar(Range.from_min_extent(0, extent), var, IterVar.CommReduce))
                    place[v] = operators.add(low, var)
                    continue
                place[v] = low
                self.ends = [substitute(c, {var: operators.const(0, var.dtype)}) for c in self.ends]
            waiting = [v for v in waiting if v not in place]
        return tuple(axes)

    def _is_placed(self, dom: Range, own: Mapping[Var, None], place: Mapping[Var, Expr]) -> bool:
        return all([v in place for v in own if v in free_vars(dom.min) or v in free_vars(dom.extent)])

    def _extent(self, extent: Expr) -> Expr | None:
        """An extent that is the same for every element of the result, or None.  The relations hold the exact one."""
        if not any([v in free_vars(extent) for v in self.ranges]):
            return extent
        most = int(self.known.const_int_bound(extent).max_value)
        return None if most >= (1 << 31) - 1 else operators.const(max(most, 0), extent.dtype)

    def _name(self, var: Var, solved: arith.IntConstraintsTransform) -> str:
        """The name of the axis that a new variable takes the place of, where there is one."""
        same = [a.name for a in self.task.axes if solved.src_to_dst.get(a.var) is var]
        return same[0] if same else var.name

    def _unsolved(self) -> Contribution | None:
        """All axes run, and the equations are checked."""
        axes = tuple([IterVar(Range.from_min_extent(0, _dom(a).extent), Var(a.name, a.var.dtype), IterVar.CommReduce)
                      for a in self.task.axes])  # fmt: skip
        pairs = zip(self.task.axes, axes, strict=True)
        values: dict[Var, Expr] = {a.var: operators.add(_dom(a).min, b.var) for a, b in pairs}
        checks = [operators.compare(EQ, *operators.match_types(a, b)) for a, b in self.task.equations]
        return self._finish(axes, values, [substitute(c, values) for c in [*self.task.conditions, *checks]])

    def _finish(
        self, axes: tuple[IterVar, ...], values: dict[Var, Expr], conditions: list[Expr]
    ) -> Contribution | None:
        known = _analyzer({**self.task.params, **{a.var: _dom(a) for a in axes}})
        inside, chosen = _TRUE, _TRUE
        for condition in conditions:
            for part in conjuncts(condition):
                if _reads(part):
                    chosen = operators.logical(And, chosen, _Tidy(known).expr(part))
                    continue
                part = known.simplify(part)
                if isinstance(part, IntImm):
                    if not part.value:
                        return None
                    continue
                if not known.can_prove(part):
                    inside = operators.logical(And, inside, part)
        value = _Tidy(known).expr(substitute(self.task.value, values))
        return Contribution(axes, inside, chosen, value)


class _Parts(Mutator):
    """Replaces divisions and remainders of what is unknown by variables."""

    def __init__(self, solver: _Solver) -> None:
        super().__init__()
        self.solver = solver

    def visit_binary_op(self, node: e.BinaryOp) -> Expr:
        done = super().visit_binary_op(node)
        if not isinstance(done, (e.FloorDiv, e.FloorMod, e.Div, e.Mod)) or not isinstance(done.b, IntImm):
            return done
        solver, divisor = self.solver, done.b.value
        if divisor < 1 or not any([v in free_vars(done.a) for v in solver.unknowns]):
            return done
        if isinstance(done, (e.Div, e.Mod)) and not solver.known.can_prove_greater_equal(done.a, 0):
            return done
        pair = solver.part(done.a, divisor)
        if pair is None:
            return done
        return pair[0] if isinstance(done, (e.FloorDiv, e.Div)) else pair[1]


class _Tidy(Mutator):
    """Simplifies the indices of loads, and integer arithmetic elsewhere."""

    def __init__(self, known: arith.Analyzer) -> None:
        super().__init__()
        self.known = known

    def visit(self, node: Expr) -> Expr:
        if node.dtype.is_int and node.dtype.lanes == 1 and not isinstance(node, (Var, IntImm)) and not _reads(node):
            done = self.memo.get(node)
            if done is None:
                done = self.memo[node] = self.known.simplify(node)
            return done
        return super().visit(node)

    def visit_producer_load(self, node: ProducerLoad) -> Expr:
        indices = tuple([self.visit(i) for i in node.indices])
        return ProducerLoad(node.producer, indices)

    def visit_call(self, node: Call) -> Expr:
        if getattr(node.op, "name", "") != "tir.if_then_else":
            return super().visit_expr(node)
        condition = self.visit(node.args[0])
        if not _reads(condition):
            condition = self.known.simplify(condition)
        if isinstance(condition, IntImm):
            return self.visit(node.args[1] if condition.value else node.args[2])
        return Call(node.dtype, "tir.if_then_else", (condition, self.visit(node.args[1]), self.visit(node.args[2])))


def _reads(node: Expr) -> bool:
    return any([isinstance(n, (ProducerLoad, e.BufferLoad)) for n in expr_post_order(node)])


def _dom(axis: IterVar) -> Range:
    assert axis.dom is not None  # axes of operations have domains
    return axis.dom


def _analyzer(ranges: Mapping[Var, Range]) -> arith.Analyzer:
    known = arith.Analyzer()
    for var, dom in ranges.items():
        known.bind(var, dom)
    return known
