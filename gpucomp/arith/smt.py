"""Proofs and counterexamples by an SMT solver (z3, extra ``verify``): what the analyzer is checked against.

Indices (signed, 32 and 64 bits) are integers that do not overflow; unsigned and narrow integers, conversions, shifts
and loaded values are bit-vectors that wrap.  Slower than the analyzer by orders of magnitude, and exact: an answer
is a proof, a counterexample with the values of the variables, or an honest "unknown" (time, floats).

>>> from gpucomp import tir
>>> from gpucomp.arith import smt
>>> x, y = tir.Var("x", "int32"), tir.Var("y", "int32")
>>> smt.prove((x * 4 + y) // 4 == x, {x: tir.Range(0, 8), y: tir.Range(0, 4)}).holds
True
>>> smt.prove(x % 4 < 3, {x: tir.Range(0, 8)}).values["x"] % 4
3
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar  # Any: terms of the solver

from gpucomp.arith.int_set import IntervalSet, IntSet, is_infinite
from gpucomp.arith.smt_terms import Meaning, Term, Terms, Unsupported, needs_bits
from gpucomp.support.diagnostics import LowerError, caller_span
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike, IterVar, Range, Var
from gpucomp.tir.functor import substitute

if TYPE_CHECKING:
    import z3

Ranges = Mapping[Var, Range | IntSet] | Mapping[IterVar, Range | IntSet] | Mapping[Var | IterVar, Range | IntSet]
"""Variable -> the values it takes; ends may mention other variables."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The statement holds for all values that the ranges allow."""

    holds: ClassVar[bool] = True
    seconds: float


@dataclass(frozen=True, slots=True)
class Counterexample:
    """Values for which the statement is false.

    Attributes:
        values: name of a variable (or text of a load) -> value; a second variable of one name gets ``#2``.
        at: the same by expression.
    """

    holds: ClassVar[bool] = False
    seconds: float
    values: dict[str, int]
    at: dict[Expr, int]


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer: the solver gave up, or the expression is none of integers and truth values."""

    holds: ClassVar[bool] = False
    seconds: float
    reason: str


Answer = Proof | Counterexample | Unknown


def available() -> bool:
    """True if the solver can be imported."""
    try:
        _solver_module()
    except LowerError:
        return False
    return True


def _solver_module() -> Any:  # Any: the module
    try:
        import z3
    except ImportError as error:
        raise LowerError(
            f"proofs need the z3 solver, which cannot be imported ({error})",
            code="GC389",
            where=caller_span(),
            hint='pip install "gpucomp[verify]"',
        ) from None
    return z3


def prove(
    cond: ExprLike,
    ranges: Ranges | None = None,
    *,
    assume: Iterable[ExprLike] = (),
    timeout: float = 10.0,
    unbounded: bool = False,
) -> Answer:
    """Does ``cond`` hold wherever it has a meaning (no division by zero, no overflow of an index)?

    Args:
        cond: a condition; of a vector, every lane has to hold.
        ranges: the values that variables take; others take all values of their type.
        assume: conditions that hold.
        timeout: seconds after which the answer is :class:`Unknown`.
        unbounded: variables without a range take all integers, not only those of their type.

    Raises:
        LowerError: z3 is not installed.
    """
    node = operators.convert(cond)
    question = _Question([node], ranges, assume)
    return question.answer(lambda t: (t.of(node), t.of(node).lanes), timeout, unbounded)


def prove_equal(
    a: ExprLike,
    b: ExprLike,
    ranges: Ranges | None = None,
    *,
    assume: Iterable[ExprLike] = (),
    timeout: float = 10.0,
    unbounded: bool = False,
) -> Answer:
    """May ``b`` stand in place of ``a``: wherever ``a`` has a meaning, ``b`` has one too, and the same value?"""
    x, y = operators.convert(a), operators.convert(b)
    if x.dtype is not y.dtype:
        x, y = operators.match_types(x, y)
    question = _Question([x, y], ranges, assume)

    def goal(terms: Terms) -> tuple[Meaning, Sequence[Term]]:
        first, second = terms.of(x), terms.of(y)
        same = [p == q for p, q in zip(first.lanes, second.lanes, strict=True)]
        return first, [second.defined, *same]

    return question.answer(goal, timeout, unbounded)


def prove_bounds(
    expr: ExprLike, low: ExprLike, high: ExprLike, ranges: Ranges | None = None, *, timeout: float = 10.0
) -> Answer:
    """Does ``expr`` lie in [low, high]?"""
    node = operators.convert(expr)
    inside = e.And(operators.compare(e.LE, low, node), operators.compare(e.LE, node, high))
    return prove(inside, ranges, timeout=timeout)


def prove_disjoint(
    a: ExprLike,
    b: ExprLike,
    threads: Sequence[Var | IterVar],
    ranges: Ranges,
    *,
    shared: Sequence[Var | IterVar] = (),
    assume: Iterable[ExprLike] = (),
    timeout: float = 10.0,
) -> Answer:
    """Do two threads never meet: is ``a`` in one thread another index than ``b`` in any other thread?

    Args:
        a, b: indices; the same expression twice asks whether each thread has an element of its own.
        threads: variables that tell threads apart; two threads differ in at least one of them.
        ranges: values of threads and loop variables.  Loop variables of the two threads move independently.
        shared: variables that have a range but the same value in both threads; those without a range always do.
        assume: conditions that hold in each of the threads.

    Returns:
        A proof, or the two threads that meet: the second one's variables carry a prime.
    """
    x, y = operators.convert(a), operators.convert(b)
    known = _ranges(ranges)
    same = dict.fromkeys([_variable(v) for v in shared])
    tells = [_variable(v) for v in threads]
    copies: dict[Var, Expr] = {v: Var(f"{v.name}'", v.dtype) for v in [*tells, *known] if v not in same}
    other: dict[Var, Range | IntSet] = {}
    for v, found in known.items():
        copy = copies.get(v)
        if isinstance(copy, Var):
            other[copy] = _substituted(found, copies)
    differ: Expr | None = None
    for v in tells:
        if v in same:
            continue
        this = e.NE(v, copies[v])
        differ = this if differ is None else e.Or(differ, this)
    if differ is None:
        return Unknown(0.0, "no variable tells the threads apart")
    conditions = [operators.convert(c) for c in assume]
    conditions += [substitute(c, copies) for c in conditions]
    meet = operators.compare(e.NE, x, substitute(y, copies))
    return prove(meet, {**known, **other}, assume=[*conditions, differ], timeout=timeout)


def _variable(v: Var | IterVar) -> Var:
    return v.var if isinstance(v, IterVar) else v


def _ranges(ranges: Ranges | None) -> dict[Var, Range | IntSet]:
    return {_variable(v): found for v, found in (ranges or {}).items()}


def _substituted(found: Range | IntSet, copies: Mapping[Var, Expr]) -> Range | IntSet:
    if isinstance(found, Range):
        return Range.from_min_extent(substitute(found.min, copies), substitute(found.extent, copies))
    return IntervalSet(substitute(found.min_value, copies), substitute(found.max_value, copies))


Goal = Callable[[Terms], tuple[Meaning, Sequence[Term]]]
"""Gives the meaning that is taken to be defined, and the terms that have to hold."""


class _Question:
    """Facts and expressions of one question."""

    def __init__(self, nodes: list[Expr], ranges: Ranges | None, assume: Iterable[ExprLike]) -> None:
        facts = [operators.convert(c) for c in assume]
        for v, found in _ranges(ranges).items():
            if isinstance(found, Range):
                low: Expr | None = found.min
                high: Expr | None = operators.subtract(operators.add(found.min, found.extent), 1)
            else:
                low = None if is_infinite(found.min_value) else found.min_value
                high = None if is_infinite(found.max_value) else found.max_value
            if low is not None:
                facts.append(operators.compare(e.LE, low, v))
            if high is not None:
                facts.append(operators.compare(e.LE, v, high))
        self.nodes = nodes
        self.facts = facts

    def answer(self, goal: Goal, timeout: float, unbounded: bool) -> Answer:
        z = _solver_module()
        began = time.perf_counter()
        terms = Terms(z, needs_bits([*self.nodes, *self.facts]))
        try:
            assumed, wanted = goal(terms)
            facts = [terms.of(f) for f in self.facts]
        except Unsupported as error:
            return Unknown(time.perf_counter() - began, str(error))
        solver: z3.Solver = z.Solver(ctx=terms.ctx)
        solver.set("timeout", max(1, int(timeout * 1000)))
        if not unbounded:
            solver.add(*terms.limits)
        solver.add(assumed.defined, assumed.fits)
        for fact in facts:
            solver.add(fact.defined, *fact.lanes)
        solver.add(z.Not(terms.all(wanted)))
        result = solver.check()
        seconds = time.perf_counter() - began
        if result == z.unsat:
            return Proof(seconds)
        if result != z.sat:
            return Unknown(seconds, solver.reason_unknown())
        return self._counterexample(terms, solver.model(), seconds)

    def _counterexample(self, terms: Terms, model: Any, seconds: float) -> Counterexample:
        values: dict[str, int] = {}
        at: dict[Expr, int] = {}
        for node, term in sorted(terms.leaves.items(), key=lambda leaf: str(leaf[0])):
            found = model.eval(term, model_completion=True)
            at[node] = _number(terms.z3, found, node)
            plain = node.name if isinstance(node, Var) else str(node)
            name, place = plain, 1
            while name in values:
                place += 1
                name = f"{plain}#{place}"
            values[name] = at[node]
        return Counterexample(seconds, values, at)


def _number(z: Any, found: Any, node: Expr) -> int:
    if node.dtype.is_bool:
        return int(z.is_true(found))
    if z.is_bv_value(found) and node.dtype.code == "int":
        return found.as_signed_long()
    return found.as_long()
