"""Deductions that cost more than they usually bring, switched by name."""

from __future__ import annotations

import enum


class Extension(enum.IntFlag):
    """What :attr:`gpucomp.arith.Analyzer.enabled_extensions` may hold.

    Chains of inequalities are always followed: ``TransitivelyProveInequalities`` is on and stays on.
    """

    NoExtensions = 0
    TransitivelyProveInequalities = 1
    ApplyConstraintsToBooleanBranches = 4
    """Each operand of a conjunction is simplified under those before it, of a disjunction under their negations."""
