"""Questions about functions under their standard public names; more of them are in ``gpucomp.analysis``."""

from __future__ import annotations

from collections.abc import Mapping

from gpucomp.analysis import estimate_tir_flops, undefined_vars, verify_ssa, verify_well_formed
from gpucomp.analysis import verify_gpu_code as _check_gpu_code
from gpucomp.analysis import verify_memory as _check_memory
from gpucomp.support.diagnostics import LowerError
from gpucomp.tir.expr import Expr
from gpucomp.tir.function import PrimFunc

__all__ = [
    "estimate_tir_flops", "expr_deep_equal", "undefined_vars", "verify_gpu_code", "verify_memory", "verify_ssa",
    "verify_well_formed",
]  # fmt: skip


def expr_deep_equal(lhs: Expr, rhs: Expr) -> bool:
    """Whether two expressions are the same, with the same variables: equal expressions are one object."""
    return lhs is rhs


def verify_memory(func: PrimFunc) -> bool:
    """Whether memory is used under threads only; :func:`gpucomp.analysis.verify_memory` says where it is not."""
    try:
        return _check_memory(func)
    except LowerError:
        return False


def verify_gpu_code(func: PrimFunc, constraints: Mapping[str, int]) -> bool:
    """Whether the kernels of a function keep to limits; :func:`gpucomp.analysis.verify_gpu_code` names them and says
    which one is passed."""
    try:
        return _check_gpu_code(func, constraints)
    except LowerError:
        return False
