"""Integer analysis: bounds, congruences, simplification, proofs, sets of values, systems of constraints."""

from __future__ import annotations

from gpucomp.arith.analyzer import Analyzer
from gpucomp.arith.bounds import ConstIntBound, ModularSet
from gpucomp.arith.int_constraints import IntConstraints, IntConstraintsTransform, IntGroupBounds
from gpucomp.arith.int_set import NEG_INF, POS_INF, IntervalSet, IntSet
from gpucomp.arith.linear_equations import solve_linear_equations
from gpucomp.arith.solve import (
    deduce_bound,
    detect_clip_bound,
    detect_linear_equation,
    eval_set,
    intersect,
    union,
)

__all__ = [
    "NEG_INF",
    "POS_INF",
    "Analyzer",
    "ConstIntBound",
    "IntConstraints",
    "IntConstraintsTransform",
    "IntGroupBounds",
    "IntSet",
    "IntervalSet",
    "ModularSet",
    "deduce_bound",
    "detect_clip_bound",
    "detect_linear_equation",
    "eval_set",
    "intersect",
    "solve_linear_equations",
    "union",
]
