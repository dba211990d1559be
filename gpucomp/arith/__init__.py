"""Integer analysis: bounds, congruences, simplification, proofs, sets of values."""

from __future__ import annotations

from gpucomp.arith.analyzer import Analyzer
from gpucomp.arith.bounds import ConstIntBound, ModularSet

__all__ = ["Analyzer", "ConstIntBound", "ModularSet"]
