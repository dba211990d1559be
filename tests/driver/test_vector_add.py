"""The first program of people who come from TVM: only its import line changes."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp as tvm
from gpucomp import te


def test_the_vector_add_program_runs_with_its_import_line_changed() -> None:
    n = te.var("n")
    A = te.placeholder((n,), name="A")
    B = te.placeholder((n,), name="B")
    C = te.compute(A.shape, lambda i: A[i] + B[i], name="C")
    s = te.create_schedule(C.op)
    fadd = tvm.build(s, [A, B, C], target="llvm", name="myadd")
    dev = tvm.cpu(0)
    size = 1024
    a = tvm.nd.array(np.random.default_rng(0).uniform(size=size).astype(A.dtype), dev)
    b = tvm.nd.array(np.random.default_rng(1).uniform(size=size).astype(B.dtype), dev)
    c = tvm.nd.array(np.zeros(size, dtype=C.dtype), dev)
    fadd(a, b, c)
    np.testing.assert_allclose(c.numpy(), a.numpy() + b.numpy())
    evaluator = fadd.time_evaluator(fadd.entry_name, dev, number=2)
    assert evaluator(a, b, c).mean > 0


@pytest.mark.parametrize("target", ["opencl", pytest.param("cuda", marks=pytest.mark.cuda)])
@pytest.mark.opencl
def test_the_gpu_form_of_the_program_runs(target: str) -> None:
    tgt = tvm.target.Target(target, host="llvm")
    n = te.var("n")
    A = te.placeholder((n,), name="A")
    B = te.placeholder((n,), name="B")
    C = te.compute(A.shape, lambda i: A[i] + B[i], name="C")
    s = te.create_schedule(C.op)
    bx, tx = s[C].split(C.op.axis[0], factor=64)
    s[C].bind(bx, te.thread_axis("blockIdx.x"))
    s[C].bind(tx, te.thread_axis("threadIdx.x"))
    fadd = tvm.build(s, [A, B, C], tgt, name="myadd")
    dev = tvm.device(tgt.kind.name, 0)
    a = tvm.nd.array(np.arange(1000).astype(A.dtype), dev)
    b = tvm.nd.array(np.ones(1000, B.dtype), dev)
    c = tvm.nd.array(np.zeros(1000, dtype=C.dtype), dev)
    fadd(a, b, c)
    np.testing.assert_allclose(c.numpy(), a.numpy() + b.numpy())
    assert "myadd" in fadd.imported_modules[0].get_source()


def test_lowered_code_can_be_looked_at() -> None:
    A = te.placeholder((16,), name="A")
    C = te.compute(A.shape, lambda i: A[i] * 2.0, name="C")
    s = te.create_schedule(C.op)
    xo, xi = s[C].split(C.op.axis[0], factor=4)
    s[C].parallel(xo)
    s[C].vectorize(xi)
    text = str(tvm.lower(s, [A, C], simple_mode=True))
    assert "T.parallel(4)" in text
    assert "T.vectorized(4)" in text
    tgt = tvm.target.Target(target="llvm")
    with tvm.target.Target("llvm"):
        assert tvm.target.Target.current() == tgt
