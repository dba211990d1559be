"""Reductions of few long rows, which blocks share."""

from __future__ import annotations

import numpy as np
import pytest

from gpucomp.cli.measure import relative_error
from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.kernels.rows.schedule_parts import parts_of
from gpucomp.target import Target
from tests.codegen.devices import check_everywhere
from tests.kernels.running import H100, run

NAMES = ("row_sum", "row_norm", "row_max", "gemv", "row_mean", "row_min")


@pytest.mark.opencl
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("shape", "dtype"), [((1, 90_001), "float32"), ((3, 200_004), "float16")], ids=str)
def test_parts_of_rows_add_up(name: str, shape: tuple[int, int], dtype: str) -> None:
    operator = registry.get(name)
    defn = operator.define(shape, dtype)
    assert parts_of(defn, H100) is not None
    inputs = operator.make_inputs(shape, dtype, np.random.default_rng(5))
    (want,) = operator.reference(inputs, shape)
    for kind, target in (("llvm", H100), ("opencl", Target("opencl"))):
        got = run(operator.schedule(defn, target), defn, inputs, kind, Target(kind))
        assert relative_error(got, want) <= operator.tolerance(dtype)


def test_one_kernel_is_enough_for_short_rows_many_rows_and_several_reductions() -> None:
    def divided(name: str, shape: tuple[int, int]) -> bool:
        return parts_of(registry.get(name).define(shape, "float32"), H100) is not None

    assert divided("row_norm", (16, 1 << 20))
    assert not divided("row_norm", (16, 1 << 15))
    assert not divided("row_norm", (4096, 1 << 20))
    assert not divided("row_variance", (1, 1 << 20))
    assert not divided("softmax", (1, 1 << 20))


def test_nothing_is_spilled() -> None:
    operator, shape = registry.get("row_norm"), (16, 1_000_004)
    images = {
        kind: compile_function(operator.schedule(defn, target), defn.args, target, "f").general.image
        for kind, target in (("cuda", H100), ("opencl", Target("opencl")))
        for defn in [operator.define(shape, "float32", target)]
    }
    check_everywhere(images)
