"""Systems of linear equations over the integers."""

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
from gpucomp.arith.logic import operands, strip_likely
from gpucomp.arith.smith import Matrix, Smith, reduce_basis
from gpucomp.arith.state import Node
from gpucomp.support.dtype import INT32, DType
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, IntImm, IterVar, Range, Var
from gpucomp.tir.functor import free_vars, substitute


class Infeasible(Exception):
    """The system has no solution, whatever the values of its parameters are."""


def solve_linear_equations(
    equations: IntConstraints | Expr | Sequence[ExprLike],
    variables: Sequence[Var | IterVar] | None = None,
    ranges: Mapping[Var, Range] | None = None,
) -> IntConstraintsTransform:
    """All integer solutions of linear equations, by as many new variables as there is freedom.

    Relations that are no linear equations with constant coefficients are kept, in terms of the new variables.
    Variables that are not among ``variables`` are parameters.

    Args:
        equations: conditions such as ``x + 2*y == n``, or a whole system.
        variables: the unknowns; all variables that occur, by default.
        ranges: what is known about unknowns, and about parameters.

    Returns:
        The transform: ``dst`` has a solution for each one of ``src`` and no other.  Its ``ranges`` are as small as
        was found; bounds that they do not imply are among its ``relations``.  A system without solutions gives no
        variables and the relation False.

    Raises:
        LowerError: the unknowns are no distinct integers, or an equation is no condition.

    Source: Smith normal form, H. Cohen, A Course in Computational Algebraic Number Theory, section 2.4.

    >>> from gpucomp import arith, te, tir
    >>> x, y = te.var("x"), te.var("y")
    >>> solved = arith.solve_linear_equations([tir.EQ(x + y, 20), tir.EQ(x - y, 10)], [x, y])
    >>> solved.src_to_dst[x], solved.src_to_dst[y]
    (15, 5)
    """
    system = system_of(equations, variables, ranges)
    try:
        return _Solution(system).result()
    except Infeasible:
        return no_solution(system)


def no_solution(system: IntConstraints) -> IntConstraintsTransform:
    """The transform of a system that nothing solves."""
    return IntConstraintsTransform(system, IntConstraints([], {}, [e.IntImm(operators.BOOL, 0)]), {}, {})


def widest(variables: Sequence[Var]) -> DType:
    """A type that holds the values of all the variables."""
    found = INT32
    for var in variables:
        if var.dtype.bits > found.bits:
            found = var.dtype
    return found


def bind_ranges(ana: Analyzer, ranges: Mapping[Var, Range]) -> None:
    """Tell an analyzer about ranges; one without elements refutes the system."""
    for domain in ranges.values():
        extent = ana.simplify(domain.extent)
        if isinstance(extent, IntImm) and extent.value <= 0:
            raise Infeasible
    for var, domain in ranges.items():
        ana.bind(var, domain, override=True)


def combination(coefficients: Sequence[int], items: Sequence[Expr], base: Expr) -> Expr:
    """base + sum of coefficients[i] * items[i]"""
    total = base
    for k, item in zip(coefficients, items, strict=True):
        if k:
            total = operators.add(total, operators.multiply(item, k))
    return total


class _Solution:
    """One run of the solver."""

    def __init__(self, system: IntConstraints) -> None:
        self.system = system
        self.variables = system.variables
        self.dtype = widest(self.variables)
        self.ana = Analyzer()
        bind_ranges(self.ana, system.ranges)
        self.matrix: Matrix = []
        self.values: list[Expr] = []  # the equations say: row of the matrix . variables == value
        self.others: list[Expr] = []
        for var, domain in system.ranges.items():
            if var in self.variables and isinstance(self.ana.simplify(domain.extent), IntImm):
                self._fix(var, domain)
        for relation in system.relations:
            for item in operands(e.And, relation):
                self._take(strip_likely(item))

    def _fix(self, var: Var, domain: Range) -> None:
        """A range of one element is an equation."""
        if self.ana.can_prove_equal(domain.extent, 1):
            self._add_row(operators.subtract(var, domain.min), Analyzer())

    def _take(self, relation: Node) -> None:
        equation = isinstance(relation, e.EQ) and relation.a.dtype.is_int
        if not (equation and self._add_row(operators.subtract(relation.a, relation.b), self.ana)):
            self.others.append(relation)

    def _add_row(self, difference: Expr, ana: Analyzer) -> bool:
        parts = ana.linear_parts(difference, dict.fromkeys(self.variables))
        if parts is None or any([terms for terms, _ in parts[0].values()]):
            return False
        coeffs, (terms, const) = parts
        self.matrix.append([coeffs[v][1] if v in coeffs else 0 for v in self.variables])
        self.values.append(ana.expr_of(({t: -k for t, k in terms.items()}, -const), self.dtype))
        return True

    def result(self) -> IntConstraintsTransform:
        count = len(self.variables)
        zero = operators.const(0, self.dtype)
        smith = Smith(self.matrix or [[0] * count])
        values = self.values or [zero]
        conditions: list[Expr] = []
        fixed: list[Expr] = []
        for i, row in enumerate(smith.left):
            value = self.ana.simplify(combination(row, values, zero))
            divisor = smith.diagonal[i][i] if i < smith.rank else 0
            if divisor:
                conditions.append(e.EQ(operators.floormod(value, divisor), zero))
                fixed.append(self.ana.simplify(operators.floordiv(value, divisor)))
            else:
                conditions.append(e.EQ(value, zero))
        kernel = [row[smith.rank :] for row in smith.right]
        coordinates = smith.right_inverse[smith.rank :]
        reduce_basis(kernel, coordinates)
        particular = [combination(row[: smith.rank], fixed, zero) for row in smith.right]
        particular = [self.ana.simplify(p) for p in particular]
        self._shift(kernel, particular)
        names = [Var(f"n{i}", self.dtype) for i in range(count - smith.rank)]
        forward = {
            v: self.ana.simplify(operators.cast(v.dtype, combination(row, names, p)))
            for v, row, p in zip(self.variables, kernel, particular, strict=True)
        }
        offsets = [
            operators.subtract(operators.cast(self.dtype, v), p)
            for v, p in zip(self.variables, particular, strict=True)
        ]
        backward = {
            n: Analyzer().simplify(combination(row, offsets, zero)) for n, row in zip(names, coordinates, strict=True)
        }
        return self._finish(names, forward, backward, conditions)

    def _shift(self, kernel: Matrix, particular: list[Expr]) -> None:
        """Choose the particular solution that is smallest where the new variables lead: x = n0 instead of n0 + 7."""
        for column in range(len(kernel[0]) if kernel else 0):
            lead = next(i for i, row in enumerate(kernel) if row[column])
            steps = self.ana.simplify(operators.floordiv(particular[lead], kernel[lead][column]))
            if isinstance(steps, IntImm) or kernel[lead][column] == 1:
                for i, row in enumerate(kernel):
                    moved = operators.subtract(particular[i], operators.multiply(steps, row[column]))
                    particular[i] = self.ana.simplify(moved)

    def _finish(
        self, names: list[Var], forward: dict[Var, Expr], backward: dict[Var, Expr], conditions: list[Expr]
    ) -> IntConstraintsTransform:
        bounds = self._bounds(forward)
        ranges = self._ranges(names, backward, bounds)
        outer = {v: r for v, r in self.system.ranges.items() if v not in self.variables}
        ana = Analyzer()
        bind_ranges(ana, outer)
        bind_ranges(ana, ranges)
        renamed = [substitute(r, forward) for r in self.others]
        relations: dict[Expr, None] = {}
        for condition in [*conditions, *renamed, *bounds]:
            simple = ana.simplify(condition)
            if isinstance(simple, IntImm):
                if simple.value == 0:
                    raise Infeasible
                continue
            if not ana.can_prove(simple):
                relations[simple] = None
        return IntConstraintsTransform(self.system, IntConstraints(names, ranges, list(relations)), forward, backward)

    def _bounds(self, forward: dict[Var, Expr]) -> list[Expr]:
        """The ranges of the old variables as conditions on the new ones."""
        found: list[Expr] = []
        for var in self.variables:
            domain = self.system.ranges.get(var)
            if domain is not None:
                low, extent = substitute(domain.min, forward), substitute(domain.extent, forward)
                found.append(operators.compare(e.GE, forward[var], low))
                found.append(operators.compare(e.LT, forward[var], operators.add(low, extent)))
        return found

    def _ranges(self, names: list[Var], backward: dict[Var, Expr], bounds: list[Expr]) -> dict[Var, Range]:
        """A range for each new variable that has one, free of new variables."""
        ana = Analyzer()
        bind_ranges(ana, {v: r for v, r in self.system.ranges.items() if v not in self.variables})
        old = {v: self.system.ranges[v] for v in self.variables if v in self.system.ranges}
        unknown = dict.fromkeys([*self.variables, *names])
        ranges: dict[Var, Range] = {}
        for name in names:
            lower, upper = self._ends(ana, name, bounds, unknown)
            values = ana.int_set(backward[name], old)
            one = operators.const(1, self.dtype)
            if values.has_lower_bound() and free_vars(values.min_value).isdisjoint(unknown):
                lower.append((one, values.min_value))
            if values.has_upper_bound() and free_vars(values.max_value).isdisjoint(unknown):
                upper.append((one, values.max_value))
            best = best_range(_merged(ana, e.Max, lower), _merged(ana, e.Min, upper), {}, ana)
            if best is None:
                continue
            domain, size = best
            if size <= 0:
                raise Infeasible
            ranges[name] = domain if size == math.inf else Range.from_min_extent(domain.min, int(size))
        return ranges

    def _ends(
        self, ana: Analyzer, name: Var, bounds: list[Expr], unknown: dict[Var, None]
    ) -> tuple[list[Bound], list[Bound]]:
        """Lower and upper bounds of a new variable from conditions on it alone."""
        lower: list[Bound] = []
        upper: list[Bound] = []
        for condition in bounds:
            order = ana.order_of(ana.simplify(condition))
            found = None if order is None else ana.isolate(order, name)
            if found is None or found[0] is not name:
                continue
            _, k, (terms, const) = found  # k * name + rest < 0
            if not all([free_vars(t).isdisjoint(unknown) for t in terms]):
                continue
            if k > 0:
                end = ana.expr_of(({t: -c for t, c in terms.items()}, -const - 1), self.dtype)
                upper.append((operators.const(k, self.dtype), end))
            else:
                end = ana.expr_of((terms, const + 1), self.dtype)
                lower.append((operators.const(-k, self.dtype), end))
        return lower, upper


def _merged(ana: Analyzer, kind: type[e.BinaryOp], ends: list[Bound]) -> list[Bound]:
    """Different bounds, with the constants among them reduced to the one that counts."""
    constants: list[int] = []
    rest: dict[Bound, None] = {}
    for c, end in ends:
        whole = ceil_divide(ana, end, c) if kind is e.Max else ana.simplify(operators.floordiv(end, c))
        if isinstance(whole, IntImm):
            constants.append(whole.value)
        else:
            rest[c, end] = None
    if not constants:
        return list(rest)
    value = max(constants) if kind is e.Max else min(constants)
    dtype = ends[0][1].dtype
    return [(operators.const(1, dtype), operators.const(value, dtype)), *rest]
