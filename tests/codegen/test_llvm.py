"""CPU code against numpy: functions in flat form, written by hand, at odd sizes, with poisoned outputs."""

from __future__ import annotations

import numpy as np
import pytest

from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import Var
from tests.codegen.cpu_run import function, run


@pytest.mark.parametrize("n", [0, 1, 2, 7, 1000, 100_003])
@pytest.mark.parametrize("kind", [s.ForKind.SERIAL, s.ForKind.PARALLEL, s.ForKind.VECTORIZED, s.ForKind.UNROLLED])
def test_an_elementwise_loop_equals_numpy_at_every_size_and_kind_of_loop(n: int, kind: s.ForKind) -> None:
    size = Var("n", "int32")
    a, b, c = (decl_buffer((size,), "float32", name) for name in "abc")
    i = Var("i", "int32")
    func = function(s.For(i, 0, size, kind, s.BufferStore(c, a[i] + b[i], (i,))), a, b, c)
    rng = np.random.default_rng(n)
    x, y = rng.standard_normal((2, n)).astype("float32")
    out = np.full(n, np.nan, "float32")
    run(func, x, y, out)
    assert np.array_equal(out, x + y)
