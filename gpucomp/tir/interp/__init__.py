"""The interpreter: the executable meaning of a PrimFunc, with checks for races, bounds and divergence."""

from __future__ import annotations

from gpucomp.tir.interp.api import Report, interpret
from gpucomp.tir.interp.lanes import KernelReport

__all__ = ["KernelReport", "Report", "interpret"]
