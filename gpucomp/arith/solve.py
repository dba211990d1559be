"""Questions that need no lasting analyzer: interval evaluation, linear equations, bounds from conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gpucomp.arith.analyzer import Analyzer
from gpucomp.arith.bounds import ConstIntBound
from gpucomp.arith.int_set import IntervalSet, IntSet, is_infinite
from gpucomp.arith.logic import operands, strip_likely
from gpucomp.arith.sets import Domains
from gpucomp.arith.state import Form
from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, IntImm, IterVar, Range, Var
from gpucomp.tir.functor import free_vars

_COMPARISONS = (e.LT, e.LE, e.GT, e.GE)
_NESTED_LIMIT = 16


def eval_set(expr: ExprLike, dom_map: Domains, analyzer: Analyzer | None = None) -> IntervalSet:
    """The interval of the values that ``expr`` takes while variables run over their sets.

    Args:
        expr: an integer expression; a vector stands for the values of its lanes.
        dom_map: variable or axis -> set or range; other variables are parameters, free to occur in the ends.
        analyzer: facts to use; none by default.
    """
    return (analyzer or Analyzer()).int_set(operators.convert(expr), dom_map)


def union(sets: Iterable[IntSet], analyzer: Analyzer | None = None) -> IntervalSet:
    """The smallest interval that contains all the sets."""
    return (analyzer or Analyzer()).union(sets)


def intersect(sets: Iterable[IntSet], analyzer: Analyzer | None = None) -> IntervalSet:
    """The interval of the values that lie in all the sets."""
    return (analyzer or Analyzer()).intersect(sets)


def _plain(variables: Sequence[Var | IterVar]) -> list[Var]:
    return [v.var if isinstance(v, IterVar) else v for v in variables]


def detect_linear_equation(
    expr: ExprLike, variables: Sequence[Var | IterVar], analyzer: Analyzer | None = None
) -> list[Expr]:
    """Write ``expr`` as coeff[0]*v[0] + ... + coeff[n-1]*v[n-1] + base, with coefficients free of the variables.

    Returns:
        The coefficients, then the base; the empty list if ``expr`` is not linear in the variables.
    """
    node = operators.convert(expr)
    plain = _plain(variables)
    names = dict.fromkeys(plain)
    ana = analyzer or Analyzer()
    parts = ana.linear_parts(node, names)
    if parts is None:
        return []
    coeffs, base = parts
    zero: Form = ({}, 0)
    return [ana.expr_of(coeffs.get(v, zero), node.dtype) for v in plain] + [ana.expr_of(base, node.dtype)]


def detect_clip_bound(expr: ExprLike, variables: Sequence[Var | IterVar]) -> list[Expr | None]:
    """Read a conjunction of conditions "variable <= or >= something free of the variables" as bounds.

    Returns:
        [min of v[0], max of v[0], min of v[1], ...] with None where there is no bound; the empty list if
        ``expr`` is no such conjunction.
    """
    plain = _plain(variables)
    ana = Analyzer()
    bounds: dict[Var, tuple[Expr | None, Expr | None]] = dict.fromkeys(plain, (None, None))
    for item in operands(e.And, operators.convert(expr)):
        condition = ana.simplify(strip_likely(item))
        if type(condition) is IntImm:
            if condition.value:
                continue
            return []
        mine = [v for v in plain if v in free_vars(condition)]
        if len(mine) != 1:
            return []
        interval = _solve(ana, mine[0], condition, {})
        if interval is None:
            return []
        old_low, old_high = bounds[mine[0]]
        low, high = interval
        if low is not None and old_low is not None:
            low = ana.simplify(operators.maximum(low, old_low))
        if high is not None and old_high is not None:
            high = ana.simplify(operators.minimum(high, old_high))
        bounds[mine[0]] = (old_low if low is None else low, old_high if high is None else high)
    return [end for v in plain for end in bounds[v]]


def deduce_bound(
    var: Var | IterVar,
    cond: ExprLike,
    hint_map: Mapping[Var, IntSet | Range] | None = None,
    relax_map: Mapping[Var, IntSet | Range] | None = None,
) -> IntervalSet:
    """An interval of values of ``var`` for which ``cond`` holds whatever the relaxed variables are.

    Args:
        var: the variable to solve for.
        cond: a comparison of integers, or a conjunction of such.
        hint_map: sets that are known to contain other variables; they may stay in the result.
        relax_map: variables that must not occur in the result, with all the values they take.

    Returns:
        The whole solution where ``cond`` is linear in ``var``; ``IntSet.nothing()`` where none was found.
    """
    target = var.var if isinstance(var, IterVar) else var
    ana = Analyzer()
    for known in (hint_map or {}), (relax_map or {}):
        for key, value in known.items():
            _tell(ana, key, value)
    low: Expr | None = None
    high: Expr | None = None
    for item in operands(e.And, operators.convert(cond)):
        condition = ana.simplify(strip_likely(item))
        if type(condition) is IntImm:
            if condition.value:
                continue
            return IntSet.nothing()
        interval = _solve(ana, target, condition, relax_map or {})
        if interval is None:
            return IntSet.nothing()
        first, last = interval
        if first is not None:
            low = first if low is None else ana.simplify(operators.maximum(low, first))
        if last is not None:
            high = last if high is None else ana.simplify(operators.minimum(high, last))
    everything = IntSet.everything()
    result = IntervalSet(everything.min_value if low is None else low, everything.max_value if high is None else high)
    return IntSet.nothing() if result.is_nothing() else result


def _tell(ana: Analyzer, key: Var | IterVar, value: IntSet | Range) -> None:
    """Constant ends of a set as a bound."""
    var = key.var if isinstance(key, IterVar) else key
    item = IntSet.from_range(value) if isinstance(value, Range) else value
    low, high = ConstIntBound.NEG_INF, ConstIntBound.POS_INF
    if not is_infinite(item.min_value):
        low = ana.const_int_bound(item.min_value).min_value
    if not is_infinite(item.max_value):
        high = ana.const_int_bound(item.max_value).max_value
    if low <= high:
        ana.update(var, ConstIntBound(low, high), override=True)


def _solve(
    ana: Analyzer, var: Var, condition: Expr, relax: Mapping[Var, IntSet | Range]
) -> tuple[Expr | None, Expr | None] | None:
    """Bounds on ``var`` that are equivalent to (without relaxing) or imply a simplified comparison."""
    kind = type(condition)
    if not isinstance(condition, e.BinaryOp) or var not in free_vars(condition):
        return None
    dtype = condition.a.dtype
    if kind in _COMPARISONS:
        order = ana.order_of(condition)
        return None if order is None else _solve_order(ana, var, order, dtype, relax)
    if kind is not e.EQ or not dtype.is_int or dtype.lanes != 1:
        return None
    terms, const = ana.difference_of(condition.a, condition.b)
    above = _solve_order(ana, var, (terms, const - 1), dtype, relax)
    below = _solve_order(ana, var, ({t: -k for t, k in terms.items()}, -const - 1), dtype, relax)
    if above is None or below is None:
        return None
    lows = [x for x in (above[0], below[0]) if x is not None]
    highs = [x for x in (above[1], below[1]) if x is not None]
    return lows[0] if lows else None, highs[0] if highs else None


def _solve_order(
    ana: Analyzer, var: Var, order: Form, dtype: DType, relax: Mapping[Var, IntSet | Range]
) -> tuple[Expr | None, Expr | None] | None:
    """Solve "sum < 0" for ``var``: None on failure."""
    for _ in range(_NESTED_LIMIT):
        found = ana.isolate(order, var)
        if found is None:
            return None
        atom, k, rest = found
        # k * atom + rest < 0; rest is replaced by its largest value.
        worst = _largest(ana, rest, dtype, relax)
        if worst is None:
            return None
        upper = k > 0
        zero = IntImm(dtype, 0)
        if upper:  # atom <= (-worst - 1) // k
            end = ana.simplify(operators.floordiv(operators.subtract(operators.subtract(zero, worst), 1), k))
        else:  # atom >= worst // -k + 1
            end = ana.simplify(operators.add(operators.floordiv(worst, -k), 1))
        if atom is var:
            return (None, end) if upper else (end, None)
        order_or_none = ana.unwrap(atom, var, end, upper)
        if order_or_none is None:
            return None
        order = order_or_none
    return None


def _largest(ana: Analyzer, rest: Form, dtype: DType, relax: Mapping[Var, IntSet | Range]) -> Expr | None:
    node = ana.expr_of(rest, dtype)
    if not relax or free_vars(node).isdisjoint(relax):
        return node
    values = ana.int_set(node, relax)
    return values.max_value if values.has_upper_bound() else None
