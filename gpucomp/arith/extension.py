"""Deductions that cost more than they usually bring, switched by name."""

from __future__ import annotations

import enum


class Extension(enum.IntFlag):
    """What :attr:`gpucomp.arith.Analyzer.enabled_extensions` may hold.

    Chains of inequalities are always followed: ``TransitivelyProveInequalities`` is on and stays on.
    """

    NoExtensions = 0
    TransitivelyProveInequalities = 1
    ConvertBooleanToAndOfOrs = 2
    """Disjunctions of conjunctions become conjunctions of disjunctions, unless these are many or an operand may have no
    value (a load, a division by what may be zero) where those before it do not hold."""
    ApplyConstraintsToBooleanBranches = 4
    """Each operand of a conjunction is simplified under those before it, of a disjunction under their negations."""
    ComparisonOfProductAndSum = 8
    """A product of bounded factors is compared with sums of them, as in ``(a + b) * 3 < a * b``."""
