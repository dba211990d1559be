"""Questions about functions: limits, legality, conflicts, counts."""

from __future__ import annotations

from gpucomp.analysis.bank_conflicts import SharedAccess, bank_conflicts
from gpucomp.analysis.flops import estimate_tir_flops
from gpucomp.analysis.limits import KernelLimits, kernel_limits, numpy_function
from gpucomp.analysis.verify_gpu_code import KernelUse, kernel_uses, verify_gpu_code
from gpucomp.analysis.verify_memory import verify_memory
from gpucomp.analysis.well_formed import undefined_vars, verify_ssa, verify_well_formed

__all__ = [
    "KernelLimits",
    "KernelUse",
    "SharedAccess",
    "bank_conflicts",
    "estimate_tir_flops",
    "kernel_limits",
    "kernel_uses",
    "numpy_function",
    "undefined_vars",
    "verify_gpu_code",
    "verify_memory",
    "verify_ssa",
    "verify_well_formed",
]
