"""Random and poisoned arrays."""

from __future__ import annotations

import numpy as np
import pytest

from gpucomp.kernels.arrays import poisoned, random_array


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64", "int32", "int8", "uint8", "bool"])
def test_poison_is_nothing_that_a_kernel_computes_from_random_inputs(dtype: str) -> None:
    made = poisoned((4,), dtype)
    values = random_array((1000,), dtype, np.random.default_rng(3))
    assert made.dtype == values.dtype
    assert not set(made.view(np.uint8).tobytes()) <= {0}
    if dtype != "bool":
        assert not np.isin(made, values).any()


def test_whole_numbers_are_whole_and_of_both_signs() -> None:
    values = random_array((1000,), "float16", np.random.default_rng(4), whole=True).astype(np.float64)
    assert np.array_equal(values, np.round(values))
    assert set(values) == set(range(-4, 5))
