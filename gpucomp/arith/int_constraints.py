"""Systems of integer constraints, and the bounds of one variable that a system amounts to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gpucomp.arith.analyzer import Analyzer
from gpucomp.arith.bounds import ConstIntBound
from gpucomp.support.diagnostics import LowerError, caller_span
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, IntImm, IterVar, Range, Var
from gpucomp.tir.functor import ordered_vars

Ranges = Mapping[Var, Range]


class IntConstraints:
    """Variables, the ranges they run over, and further conditions on them.

    Args:
        variables: the unknowns, in the order in which solvers take them.
        ranges: variable -> range; a variable without one is any integer.  A range may mention later variables.
        relations: conditions (bool expressions) that hold besides.

    Raises:
        LowerError: a variable occurs twice, or is no integer; a relation is no condition.
    """

    __slots__ = ("ranges", "relations", "variables")

    variables: list[Var]
    ranges: dict[Var, Range]
    relations: list[Expr]

    def __init__(
        self,
        variables: Sequence[Var | IterVar],
        ranges: Mapping[Var, Range] | None = None,
        relations: Sequence[ExprLike] = (),
    ) -> None:
        self.variables = [v.var if isinstance(v, IterVar) else v for v in variables]
        self.ranges = dict(ranges or {})
        self.relations = [operators.convert(r) for r in relations]
        for i, var in enumerate(self.variables):
            if var in dict.fromkeys(self.variables[:i]):
                raise refused(
                    "GC350", f"unknown {var.name!r} of a system of constraints is named twice", "name it once"
                )
            if not var.dtype.is_int:
                raise refused("GC351", f"unknown {var.name!r} has type {var.dtype}", "solvers work over integers")
        for relation in self.relations:
            if not relation.dtype.is_bool or relation.dtype.lanes != 1:
                raise refused("GC352", f"`{relation}` is no condition", "pass comparisons such as x + y <= 20")

    def conditions(self) -> list[Expr]:
        """Everything the system says, ranges included, as a list of conditions."""
        found: list[Expr] = []
        for var in self.variables:
            domain = self.ranges.get(var)
            if domain is not None:
                found.append(e.GE(var, operators.cast(var.dtype, domain.min)))
                end = operators.add(domain.min, domain.extent)
                found.append(e.LT(var, operators.cast(var.dtype, end)))
        return found + self.relations

    def __repr__(self) -> str:
        names = ", ".join([v.name for v in self.variables])
        ranges = ", ".join([f"{v.name}: {r}" for v, r in self.ranges.items()])
        return f"IntConstraints([{names}], {{{ranges}}}, [{', '.join([str(r) for r in self.relations])}])"


class IntConstraintsTransform:
    """Two systems with the same solutions, and the substitutions that lead from one to the other.

    Attributes:
        src: the system that was given.
        dst: the system in new variables.
        src_to_dst: variable of ``src`` -> its value in terms of the variables of ``dst``.
        dst_to_src: variable of ``dst`` -> its value in terms of the variables of ``src``.
    """

    __slots__ = ("dst", "dst_to_src", "src", "src_to_dst")

    def __init__(
        self,
        src: IntConstraints,
        dst: IntConstraints,
        src_to_dst: Mapping[Var, Expr],
        dst_to_src: Mapping[Var, Expr],
    ) -> None:
        self.src = src
        self.dst = dst
        self.src_to_dst = dict(src_to_dst)
        self.dst_to_src = dict(dst_to_src)

    def __repr__(self) -> str:
        forward = ", ".join([f"{v.name} = {x}" for v, x in self.src_to_dst.items()])
        return f"IntConstraintsTransform({self.src} -> {self.dst}, {forward})"


class IntGroupBounds:
    """What a system says about one variable v: ``lower[i] <= coef*v``, ``coef*v == equal[i]``, ``coef*v <= upper[i]``.

    Args:
        coef: positive factor of the variable.
        lower: lower bounds, included.
        equal: values it must have.
        upper: upper bounds, included.
    """

    __slots__ = ("coef", "equal", "lower", "upper")

    def __init__(
        self, coef: ExprLike, lower: Sequence[ExprLike], equal: Sequence[ExprLike], upper: Sequence[ExprLike]
    ) -> None:
        self.coef = operators.convert(coef)
        self.lower = [operators.convert(x) for x in lower]
        self.equal = [operators.convert(x) for x in equal]
        self.upper = [operators.convert(x) for x in upper]
        if isinstance(self.coef, IntImm) and self.coef.value <= 0:
            raise refused(
                "GC353", f"coefficient {self.coef} of a group of bounds is not positive", "turn the bounds round"
            )

    @staticmethod
    def from_range(rng: Range) -> IntGroupBounds:
        """The bounds of a range; one value if its extent is 1."""
        if isinstance(rng.extent, IntImm) and rng.extent.value == 1:
            return IntGroupBounds(1, [], [rng.min], [])
        last = Analyzer().simplify(operators.subtract(operators.add(rng.min, rng.extent), 1))
        return IntGroupBounds(1, [rng.min], [], [last])

    def find_best_range(
        self, ranges_additional: Ranges | None = None, analyzer: Analyzer | None = None
    ) -> Range | None:
        """The range from one of the lower bounds to one of the upper bounds whose extent is smallest.

        Args:
            ranges_additional: ranges of variables that occur in the bounds.
            analyzer: facts to use besides.

        Returns:
            A range that contains all values the bounds allow; None without a lower or an upper bound.
        """
        lows = [(self.coef, x) for x in [*self.equal, *self.lower]]
        highs = [(self.coef, x) for x in [*self.equal, *self.upper]]
        found = best_range(lows, highs, ranges_additional or {}, analyzer or Analyzer())
        return found[0] if found else None

    def __repr__(self) -> str:
        return f"IntGroupBounds(coef={self.coef}, lower={self.lower}, equal={self.equal}, upper={self.upper})"


Bound = tuple[Expr, Expr]
"""A factor c > 0 and an end x: c * v >= x, or c * v <= x."""


def best_range(
    lows: Sequence[Bound], highs: Sequence[Bound], ranges: Ranges, ana: Analyzer
) -> tuple[Range, float] | None:
    """The range of least extent between a lower and an upper bound of a variable, and a constant bound of its extent.

    Of two bounds with one factor c the extent is (upper - lower) // c + 1: parameters cancel before the division.
    """
    best: tuple[tuple[float, int, int], Range] | None = None
    for c, x in lows:
        low = ceil_divide(ana, x, c)
        for d, y in highs:
            if c is d:
                extent = operators.add(operators.floordiv(ana.simplify(operators.subtract(y, x)), c), 1)
            else:
                extent = operators.add(operators.subtract(operators.floordiv(y, d), low), 1)
            extent = ana.simplify(extent)
            worst = _largest(ana, extent, ranges)
            rank = (worst, len(ordered_vars(extent)), low.depth + y.depth)
            if best is None or rank < best[0]:
                best = rank, Range.from_min_extent(low, extent)
    return (best[1], best[0][0]) if best else None


def ceil_divide(ana: Analyzer, a: Expr, divisor: Expr) -> Expr:
    """The smallest integer >= a / divisor, for a positive divisor."""
    if isinstance(divisor, IntImm) and divisor.value == 1:
        return ana.simplify(a)
    up = operators.add(a, operators.subtract(divisor, 1))
    return ana.simplify(operators.floordiv(up, divisor))


def _largest(ana: Analyzer, node: Expr, ranges: Ranges) -> float:
    """Constant upper bound of an expression, infinite if there is none."""
    if isinstance(node, IntImm):
        return node.value
    found = ana.int_set(node, ranges) if ranges else None
    top = ana.const_int_bound(found.max_value).max_value if found and found.has_upper_bound() else ConstIntBound.POS_INF
    top = min(top, ana.const_int_bound(node).max_value)
    return float("inf") if top >= (1 << 31) - 1 else top


def system_of(
    equations: IntConstraints | Expr | Sequence[ExprLike],
    variables: Sequence[Var | IterVar] | None,
    ranges: Mapping[Var, Range] | None,
) -> IntConstraints:
    """The arguments of a solver as a system; without ``variables`` all that occur are unknown."""
    if isinstance(equations, IntConstraints):
        return equations
    relations = [equations] if isinstance(equations, Expr) else [operators.convert(x) for x in equations]
    unknown = ordered_vars(*relations) if variables is None else variables
    return IntConstraints(unknown, ranges, relations)


def refused(code: str, message: str, hint: str) -> LowerError:
    """The error of a question that makes no sense, at the user's call."""
    return LowerError(message, code=code, where=caller_span(), hint=hint)
