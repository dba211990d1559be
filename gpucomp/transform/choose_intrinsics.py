"""Tensor intrinsics that call functions of a target: the call where the target has it, else what it means."""

from __future__ import annotations

from gpucomp.target import Target
from gpucomp.target.externs import extern_source
from gpucomp.target.host import has_intrinsic
from gpucomp.tir import operators
from gpucomp.tir.expr import Call, Expr, StringImm
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import Mutator
from gpucomp.transform.walk import is_call


def choose_intrinsics(func: PrimFunc) -> PrimFunc:
    """Decide ``T.provides("name", ...)`` for the function's target; without one, nothing is decided.

    Branches that the decision leaves out go with it.
    """
    target = func.attrs.get("target")
    if not isinstance(target, Target):
        return func
    return func.with_body(_Choose(target).stmt(func.body))


class _Choose(Mutator):
    def __init__(self, target: Target) -> None:
        super().__init__()
        self.target = target

    def _has(self, name: str) -> bool:
        if name.startswith("llvm."):
            return self.target.kind == "llvm" and has_intrinsic(name, self.target.features)
        return extern_source(name, self.target.kind) is not None

    def visit_call(self, node: Call) -> Expr:
        if not is_call(node, "provides"):
            return self.visit_expr(node)
        names = [a.value for a in node.args if isinstance(a, StringImm)]
        return operators.const(all([self._has(name) for name in names]), "bool")
