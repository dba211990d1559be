"""What the tests of schedules share: run a lowered schedule on numpy arrays and compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any  # Any: arrays of several element types; arguments of several kinds

import numpy as np

from gpucomp import te
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.interp import interpret

Array = np.ndarray[Any, Any]


def small_ints(shape: Sequence[int], dtype: str = "float32", seed: int = 0) -> Array:
    """Floats with small integer values, whose sums and products are exact."""
    return np.random.default_rng(seed).integers(-3, 4, tuple(shape)).astype(dtype)


def poisoned(shape: Sequence[int], dtype: str = "float32") -> Array:
    """An output that no test can mistake for a result."""
    return np.full(tuple(shape), 77, dtype)


def run(sch: te.Schedule, args: Sequence[Any], arrays: Sequence[Any]) -> PrimFunc:
    """Lower and interpret; shared memory has no barriers at this stage, so races are not looked for."""
    func = te.lower_schedule(sch, args)
    interpret(func, arrays, races=False)
    return func


def check(
    sch: te.Schedule, args: Sequence[te.Tensor], inputs: Sequence[Array], *expected: Array, rtol: float = 0.0
) -> PrimFunc:
    """Run on inputs followed by outputs, and compare the outputs."""
    outputs = [poisoned(x.shape, str(x.dtype)) for x in expected]
    func = run(sch, args, [*inputs, *outputs])
    for got, want in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=rtol)
    return func
