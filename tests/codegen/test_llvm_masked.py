"""Tails that LLVM stores as masked vectors touch no neighbours, whatever the type is narrowed from."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.kernels import registry
from gpucomp.support.dtype import DType


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "float16", "bfloat16"])
@pytest.mark.parametrize("columns", [17, 18, 33])
def test_a_tail_of_few_lanes_leaves_the_next_row_alone(columns: int, dtype: str) -> None:
    wide = "int64" if dtype == "int32" else "float32" if "float" in dtype else "int32"
    a = te.placeholder((5, columns), wide, "A")
    b = te.compute((5, columns), lambda i, j: (a[i, j] + te.const(1, wide)).astype(dtype), name="B")
    s = te.create_schedule(b.op)
    outer, lane = s[b].split(b.op.axis[1], factor=16)
    s[b].reorder(outer, b.op.axis[0], lane)  # tails last: what they store too far nothing mends
    s[b].vectorize(lane)
    x = np.arange(5 * columns).reshape(5, columns).astype(wide)
    kind = DType(dtype).numpy
    got = np.full((5, columns), 99, kind)
    gpucomp.build(s, [a, b], "llvm")(x, got)
    assert np.array_equal(got, (x + 1).astype(kind))


def test_the_product_that_was_wrong() -> None:
    operator = registry.get("matmul_bias_gelu")
    shape = (19, 17, 70)
    defn = operator.define(shape, "bfloat16")
    target = gpucomp.target.Target("llvm -without=avx512bf16")
    inputs = operator.make_inputs(shape, "bfloat16", np.random.default_rng(1))
    outputs = operator.make_outputs(shape, "bfloat16")
    gpucomp.build(operator.schedule(defn, target), defn.args, target)(*inputs, *outputs)
    (want,) = operator.reference(inputs, shape)
    scale = np.maximum(np.abs(want), np.sqrt(np.mean(np.square(want))))
    assert float(np.max(np.abs(np.subtract(outputs[0].astype(np.float64), want)) / scale)) < operator.tolerance(
        "bfloat16"
    )
