"""Functions with long code stand once where loops are unrolled into many copies of a call."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.driver.build import compile_function
from gpucomp.target import Target
from tests.codegen.devices import compile_cuda
from tests.te.helpers import poisoned


def functions(name: str, copies: int, dtype: str = "float32") -> tuple[te.Schedule, list[te.Tensor]]:
    """A function of ``copies`` elements of each of 32 threads, unrolled."""
    a = te.placeholder((copies, 32), dtype, "A")
    b = te.compute((copies, 32), lambda i, j: getattr(te, name)(a[i, j]), name="B")
    s = te.create_schedule(b.op)
    i, j = b.op.axis
    s[b].reorder(j, i)
    s[b].bind(j, te.thread_axis("threadIdx.x"))
    s[b].unroll(i)
    return s, [a, b]


@pytest.mark.parametrize("name", ["tanh", "erf"])
def test_many_copies_of_a_long_function_are_one_that_is_called(name: str) -> None:
    for arch in ("sm_80", "sm_90a"):
        target = Target(f"cuda -arch={arch}")
        image = compile_function(*functions(name, 64), target).general.image
        assert f"= gc_once_{name}_1(A[" in image.source
        assert image.source.count(f"{name}f(") == 1
        assert all([used.spill_bytes == 0 for used in compile_cuda(image, arch).values()])


def test_few_copies_short_functions_and_other_targets_keep_the_function_where_it_is_used() -> None:
    assert "gc_once" not in gpucomp.source(*functions("tanh", 8), "cuda")
    assert "gc_once" not in gpucomp.source(*functions("exp", 64), "cuda")
    assert "gc_once" not in gpucomp.source(*functions("tanh", 64, "float64"), "cuda")
    assert "gc_once" not in gpucomp.source(*functions("tanh", 64), "opencl")


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", ["tanh", "erf"])
def test_a_gpu_computes_them(name: str, dtype: str) -> None:
    s, args = functions(name, 64, dtype)
    x = np.linspace(-4, 4, 2048).reshape(64, 32).astype(dtype)
    out = poisoned((64, 32), dtype)
    want = poisoned((64, 32), dtype)
    gpucomp.build(s, args, "llvm")(x, want)
    device = gpucomp.cuda(0)
    arrays = [gpucomp.nd.array(v, device) for v in (x, out)]
    gpucomp.build(s, args, "cuda")(*arrays)
    np.testing.assert_allclose(arrays[1].numpy(), want, rtol=2e-6 if dtype == "float32" else 2e-3, atol=1e-6)
