"""Powers of two that may be flushed to zero: one instruction where there is one, exp2 elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.target import Target
from gpucomp.te import lower_schedule
from gpucomp.tir.interp import interpret
from gpucomp.tir.intrin import exp2_flushed


def powers(dtype: str = "float32") -> tuple[te.Schedule, list[te.Tensor]]:
    a = te.placeholder((40,), dtype, "A")
    b = te.compute((40,), lambda i: exp2_flushed(a[i]), name="B")
    s = te.create_schedule(b.op)
    if dtype != "float64":
        s[b].bind(b.op.axis[0], te.thread_axis("threadIdx.x"))
    return s, [a, b]


def test_cuda_has_one_instruction_for_it() -> None:
    text = gpucomp.source(*powers(), "cuda")
    assert "ex2.approx.ftz.f32" in text
    assert "exp2f(" not in text


@pytest.mark.parametrize(("target", "dtype", "name"), [("opencl", "float32", "exp2("), ("cuda", "float64", "exp2(")])
def test_others_take_exp2(target: str, dtype: str, name: str) -> None:
    s, args = powers(dtype)
    if dtype == "float64":
        s[args[1]].bind(args[1].op.axis[0], te.thread_axis("threadIdx.x"))
    text = gpucomp.source(s, args, target)
    assert name in text
    assert "ex2.approx" not in text


def test_its_meaning_is_a_power_of_two() -> None:
    s, args = powers()
    x, y = np.linspace(-100, 100, 40, dtype=np.float32), np.full(40, np.nan, np.float32)
    interpret(lower_schedule(s, args), [x, y])
    np.testing.assert_allclose(y, np.exp2(x.astype(np.float64)), rtol=1e-6)
    s = te.create_schedule(args[1].op)
    z = np.full(40, np.nan, np.float32)
    gpucomp.build(s, args, Target("llvm"))(x, z)
    np.testing.assert_allclose(z, np.exp2(x.astype(np.float64)), rtol=1e-6)
