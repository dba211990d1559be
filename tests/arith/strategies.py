"""Hypothesis strategies: integer expressions over a few variables with small domains."""

from __future__ import annotations

import random
from dataclasses import dataclass

from hypothesis import strategies as st

from gpucomp.arith import Analyzer
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, IntImm, Range, Var

X, Y, Z = VARIABLES = (Var("x"), Var("y"), Var("z"))
_ARITHMETIC = (e.Add, e.Sub, e.Mul, e.FloorDiv, e.FloorMod, e.Min, e.Max, e.Div, e.Mod)
_COMPARISONS = (e.LT, e.LE, e.GT, e.GE, e.EQ, e.NE)
_DIVISORS = st.sampled_from([1, 2, 3, 4, 8, 16, -3, -4])
_FACTORS = st.sampled_from([-4, -1, 0, 1, 2, 3, 4, 8, 16])


def number(value: int) -> IntImm:
    """An int32 literal."""
    return IntImm("int32", value)


@st.composite
def integers(draw: st.DrawFn, depth: int = 4) -> Expr:
    """An int32 expression."""
    if depth <= 0 or draw(st.integers(0, 7)) == 0:
        if draw(st.integers(0, 3)):
            return draw(st.sampled_from(VARIABLES))
        return number(draw(st.integers(-9, 17)))
    if draw(st.integers(0, 15)) == 0:
        return e.Select(draw(conditions(depth - 1)), draw(integers(depth - 1)), draw(integers(depth - 1)))
    cls = draw(st.sampled_from(_ARITHMETIC))
    a = draw(integers(depth - 1))
    if cls in (e.FloorDiv, e.FloorMod, e.Div, e.Mod) and draw(st.integers(0, 7)):
        return cls(a, number(draw(_DIVISORS)))
    if cls is e.Mul and draw(st.integers(0, 7)):
        return cls(a, number(draw(_FACTORS)))
    return cls(a, draw(integers(depth - 1)))


@st.composite
def conditions(draw: st.DrawFn, depth: int = 3) -> Expr:
    """A bool expression."""
    kind = draw(st.integers(0, 7)) if depth > 1 else 7
    if kind == 0:
        return e.And(draw(conditions(depth - 1)), draw(conditions(depth - 1)))
    if kind == 1:
        return e.Or(draw(conditions(depth - 1)), draw(conditions(depth - 1)))
    if kind == 2:
        return e.Not(draw(conditions(depth - 1)))
    return draw(st.sampled_from(_COMPARISONS))(draw(integers(depth - 1)), draw(integers(depth - 1)))


@dataclass
class Setting:
    """An analyzer with some of the variables bound, and the values that each may take."""

    analyzer: Analyzer
    domains: dict[Var, range]

    def points(self, rng: random.Random, count: int) -> list[dict[Var, int]]:
        """Random points of the domains."""
        return [{v: rng.choice(d) for v, d in self.domains.items()} for _ in range(count)]


@st.composite
def settings_of_facts(draw: st.DrawFn) -> Setting:
    """Domains for the variables; unbound ones range over a stretch around zero."""
    analyzer = Analyzer()
    domains: dict[Var, range] = {}
    for v in VARIABLES:
        if draw(st.integers(0, 3)) == 0:
            domains[v] = range(-20, 21)
            continue
        low, extent = draw(st.sampled_from([-9, -4, 0, 0, 0, 1])), draw(st.sampled_from([1, 2, 3, 4, 8, 16]))
        analyzer.bind(v, Range.from_min_extent(low, extent))
        domains[v] = range(low, low + extent)
    return Setting(analyzer, domains)
