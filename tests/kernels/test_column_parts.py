"""Reductions of columns in parts of the rows: how many, and that what they find is added up."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp.cli.measure import relative_error
from gpucomp.driver.build import compile_function, lower_primfunc
from gpucomp.kernels import registry
from gpucomp.target import Target
from gpucomp.te import lower_schedule
from gpucomp.tir.interp import interpret

H100 = Target("cuda -arch=sm_90")


def grids(shape: tuple[int, int], dtype: str) -> list[str]:
    operator = registry.get("column_sum")
    definition = operator.define(shape, dtype)
    data = compile_function(operator.schedule(definition, H100), definition.args, H100)
    text = data.variants[0].get().image.source
    return [line.split(": ", 1)[1] for line in text.splitlines() if line.startswith("//") and "grid" in line]


def test_narrow_matrices_are_cut_into_more_parts_which_threads_add_up_together() -> None:
    assert grids((8192, 8192), "float16") == [
        "grid (32, 16, 1), block (32, 8, 1)",
        "grid (64, 1, 1), block (128, 1, 1)",
    ]
    assert grids((32768, 256), "float16") == ["grid (1, 256, 1), block (32, 8, 1)", "grid (16, 1, 1), block (8, 16, 1)"]


@pytest.mark.opencl
@pytest.mark.parametrize("name", ["column_sum", "column_max"])
@pytest.mark.parametrize(("shape", "dtype"), [((5003, 40), "float16"), ((3000, 33), "float32"), ((1100, 7), "float32")])
def test_columns_in_many_parts_are_right(name: str, shape: tuple[int, int], dtype: str) -> None:
    operator = registry.get(name)
    definition = operator.define(shape, dtype)
    schedule = operator.schedule(definition, H100)
    inputs = operator.make_inputs(shape, dtype, np.random.default_rng(2))
    want = operator.reference(inputs, shape)[0]
    for device in ("cpu", "opencl:0"):
        place = gpucomp.device(device)
        arrays = [gpucomp.nd.array(a, place) for a in (*inputs, *operator.make_outputs(shape, dtype))]
        gpucomp.build(schedule, definition.args, Target.from_device(place))(*arrays)
        assert relative_error(arrays[-1].numpy(), want) <= operator.tolerance(dtype)
    outputs = operator.make_outputs(shape, dtype)
    if shape[0] < 2000:
        interpret(lower_primfunc(lower_schedule(schedule, definition.args, name), H100), [*inputs, *outputs])
        assert relative_error(outputs[0], want) <= operator.tolerance(dtype)
