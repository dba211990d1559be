"""Integer analysis: bounds, congruences, simplification, proofs, sets of values, systems of constraints."""

from __future__ import annotations

from gpucomp.arith.analyzer import Analyzer
from gpucomp.arith.bounds import ConstIntBound, ModularSet
from gpucomp.arith.extension import Extension
from gpucomp.arith.int_constraints import IntConstraints, IntConstraintsTransform, IntGroupBounds
from gpucomp.arith.int_set import NEG_INF, POS_INF, IntervalSet, IntSet
from gpucomp.arith.iter_detect import detect_iter_map, iter_map_simplify, normalize_to_iter_sum
from gpucomp.arith.iter_divide import inverse_affine_iter_map, subspace_divide
from gpucomp.arith.iter_map import (
    IterMapLevel,
    IterMapResult,
    IterMark,
    IterSplitExpr,
    IterSumExpr,
    normalize_iter_map_to_expr,
)
from gpucomp.arith.linear_equations import solve_linear_equations
from gpucomp.arith.linear_inequalities import solve_linear_inequalities
from gpucomp.arith.regions import (
    estimate_region_lower_bound,
    estimate_region_strict_bound,
    estimate_region_upper_bound,
)
from gpucomp.arith.solve import (
    deduce_bound,
    detect_clip_bound,
    detect_linear_equation,
    eval_set,
    intersect,
    union,
)
from gpucomp.arith.touched import domain_touched

__all__ = [
    "NEG_INF",
    "POS_INF",
    "Analyzer",
    "ConstIntBound",
    "Extension",
    "IntConstraints",
    "IntConstraintsTransform",
    "IntGroupBounds",
    "IntSet",
    "IntervalSet",
    "IterMapLevel",
    "IterMapResult",
    "IterMark",
    "IterSplitExpr",
    "IterSumExpr",
    "ModularSet",
    "deduce_bound",
    "detect_clip_bound",
    "detect_iter_map",
    "detect_linear_equation",
    "domain_touched",
    "estimate_region_lower_bound",
    "estimate_region_strict_bound",
    "estimate_region_upper_bound",
    "eval_set",
    "intersect",
    "inverse_affine_iter_map",
    "iter_map_simplify",
    "normalize_iter_map_to_expr",
    "normalize_to_iter_sum",
    "solve_linear_equations",
    "solve_linear_inequalities",
    "subspace_divide",
    "union",
]
