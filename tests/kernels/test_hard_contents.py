"""What operators on rows make of numbers that random ones never are."""

from __future__ import annotations

import numpy as np
import pytest

from gpucomp.kernels import registry
from gpucomp.target import Target
from tests.kernels.running import H100, run


@pytest.mark.parametrize("shape", [(3, 1), (2, 7), (2, 1000)])
@pytest.mark.parametrize(("dtype", "value"), [("float32", 3e38), ("float32", -1e8), ("float16", 65504.0)])
def test_the_log_softmax_of_equal_numbers_does_not_depend_on_how_large_they_are(
    shape: tuple[int, int], dtype: str, value: float
) -> None:
    operator = registry.get("log_softmax")
    for target, how in ((Target("llvm"), "llvm"), (H100, "interp")):
        defn = operator.define(shape, dtype, target)
        got = run(operator.schedule(defn, target), defn, [np.full(shape, value, dtype)], how)
        np.testing.assert_allclose(got.astype(np.float64), -np.log(shape[1]), rtol=1e-3 if dtype == "float16" else 1e-6)
