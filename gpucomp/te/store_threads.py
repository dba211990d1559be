"""Which of the threads that share an element add to it, where a store predicate chooses among them.

A value that several threads store is the same value; but a serial reduction reads the element, adds, and stores it
again.  Where the predicate leaves one thread for each element, that thread does it; where the first thread is among
those that it leaves, the first one; any other predicate is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gpucomp.te.affine import Forms, Linear
from gpucomp.te.bound import Bounds, ThreadUse
from gpucomp.te.errors import schedule_error
from gpucomp.te.stage import Stage
from gpucomp.tir import operators
from gpucomp.tir.expr import EQ, GE, GT, LE, LT, And, CmpOp, Expr, Var, is_const_int
from gpucomp.tir.functor import free_vars, substitute


def first_of_chosen(stage: Stage, predicate: Expr, uses: list[ThreadUse], bounds: Bounds) -> list[Expr]:
    """Conditions that leave one of the threads for which a store predicate holds.

    Args:
        stage: a stage that adds to its elements in memory that the threads share.
        predicate: its store predicate, over the thread variables of the kernel.
        uses: the thread axes that it mentions and that no loop of the stage is bound to.
        bounds: result of ``infer_bound``.

    Raises:
        ScheduleError: GC104 several threads may be left, and the first of them need not be.
    """
    parts = list(_conjuncts(predicate))
    left = {use.axis.var: use for use in uses}
    for var in _pinned(parts, list(left), bounds.forms):
        del left[var]
    zeros: dict[Var, Expr] = {v: operators.const(0, v.dtype) for v in left}
    if not all([_holds_for_first(p, zeros, bounds.forms) for p in parts]):
        tag = next(iter(left.values())).axis.thread_tag
        raise schedule_error(
            "GC104",
            f"the store predicate of stage {stage.name} may hold for several threads of {tag}, which would all add "
            f"to the same elements: no loop of {stage.name} is bound to {tag}",
            stage=stage,
            where=stage.store_predicate_span or stage.span,
            hint=f"choose one thread: te.thread_axis('{tag}').equal(0); or bind a loop of {stage.name} to {tag}",
        )
    return [EQ(v, zero) for v, zero in zeros.items()]


def _conjuncts(x: Expr) -> Iterator[Expr]:
    if isinstance(x, And):
        yield from _conjuncts(x.a)
        yield from _conjuncts(x.b)
    else:
        yield x


def _pinned(parts: list[Expr], wanted: list[Var], forms: Forms) -> list[Var]:
    """The variables that have one value for any values of what is not ``wanted``."""
    rows = [form for part in parts for form in _not_negative(part, forms)]
    found: list[Var] = []
    for row in rows:
        used = [v for v in wanted if row.terms.get(v)]
        if used and _mentions(row, wanted) == used and forms.bound(row)[1] <= 0:  # each term at its only value
            found += [v for v in used if v not in found]
    again = True
    while again:
        again = False
        for v in [v for v in wanted if v not in found]:
            others = [w for w in wanted if w is not v and w not in found]
            mine = [r for r in rows if r.terms.get(v) and not _mentions(r, others) and _mentions(r, [v]) == [v]]
            if any([_width(a, b, v, forms) for a in mine for b in mine]):
                found.append(v)
                again = True
    return found


def _holds_for_first(part: Expr, zeros: Mapping[Var, Expr], forms: Forms) -> bool:
    """Whether a condition that holds for any thread holds for the first one."""
    if free_vars(part).isdisjoint(zeros):
        return True
    falling = _not_negative(part, forms)
    if falling and all([_mentions(r, list(zeros)) == [v for v in zeros if r.terms.get(v, 0) < 0] for r in falling]):
        return True
    first: Expr = substitute(part, zeros)
    rows = _not_negative(first, forms)
    return is_const_int(first, 1) or (bool(rows) and all([forms.at_least(r, 0) for r in rows]))


def _not_negative(x: Expr, forms: Forms) -> list[Linear]:
    """Forms that are >= 0 where a comparison holds."""
    if not isinstance(x, CmpOp) or not x.a.dtype.is_int:
        return []
    rest = forms.of(x.a).plus(forms.of(x.b), -1)
    match x:
        case EQ():
            return [rest, rest.scaled(-1)]
        case GE() | GT():
            return [rest.shifted(-1 if isinstance(x, GT) else 0)]
        case LE() | LT():
            return [rest.scaled(-1).shifted(-1 if isinstance(x, LT) else 0)]
        case _:
            return []


def _mentions(row: Linear, wanted: list[Var]) -> list[Var]:
    """Those of some variables that a form depends on, in whatever way."""
    return [v for v in wanted if any([v in free_vars(term) for term in row.terms])]


def _width(low: Linear, high: Linear, var: Var, forms: Forms) -> bool:
    """Whether ``low >= 0`` and ``high >= 0`` hold for one value of ``var`` at most: c*v >= a, c*v <= b, b - a < c."""
    c = low.terms[var]
    return c > 0 and high.terms[var] == -c and forms.bound(low.plus(high))[1] < c
