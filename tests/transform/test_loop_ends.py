"""The mark behind a loop with barriers, where one branch ends it and another one follows."""

from __future__ import annotations

import pytest

from gpucomp.target import Target
from gpucomp.tir import For, PrimFunc, Stmt, Var, intrin, operators
from gpucomp.tir.stmt import Evaluate, IfThenElse, seq
from gpucomp.transform.loop_ends import loop_ends

THREAD = Var("tx", "int32")


def branch() -> Stmt:
    return IfThenElse(THREAD < 3, Evaluate(intrin.barrier("warp")))


def kernel(body: Stmt, after: Stmt | None, target: str) -> PrimFunc:
    barrier = Evaluate(intrin.barrier("shared"))
    loop = For(Var("i", "int32"), operators.const(0), operators.const(4), 0, seq(barrier, body))
    return PrimFunc((THREAD,), seq(loop, after), {}, {"target": Target(target)})


def marks(func: PrimFunc) -> int:
    return loop_ends(func).script().count('"loop"')


@pytest.mark.parametrize(("target", "count"), [("opencl", 1), ("cuda", 0), ("llvm", 0)])
def test_only_opencl_has_marks(target: str, count: int) -> None:
    assert marks(kernel(branch(), branch(), target)) == count


@pytest.mark.parametrize("bare", ["in the loop", "behind it", "a barrier between"])
def test_there_is_none_without_a_branch_on_both_sides(bare: str) -> None:
    plain = Evaluate(intrin.barrier("warp"))
    after = branch() if bare == "in the loop" else plain
    if bare == "a barrier between":
        after = seq(Evaluate(intrin.barrier("shared")), branch())
    func = kernel(plain if bare == "in the loop" else branch(), after, "opencl")
    assert marks(func) == 0
    assert loop_ends(func).body is func.body
