"""Rows of which a thread holds two, for one load of the weights that they share."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp.cli.measure import relative_error
from gpucomp.driver.build import lower_primfunc
from gpucomp.kernels import registry
from gpucomp.kernels.rows.schedule_gpu import tile_of
from gpucomp.target import Target
from gpucomp.te import lower_schedule
from gpucomp.tir.interp import interpret

H100 = Target("cuda -arch=sm_90")


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "together"),
    [
        ("layer_norm", (4096, 1024), "float16", 2),
        ("layer_norm", (4095, 1024), "bfloat16", 2),
        ("layer_norm", (32768, 128), "float16", 2),
        ("rms_norm", (32768, 128), "float16", 2),
        ("rms_norm", (4096, 1024), "float16", 1),  # half of the weights: nothing was gained
        ("layer_norm", (2048, 1024), "float16", 1),  # too few rows for half of the threads
        ("layer_norm", (8192, 768), "float16", 1),  # a quarter of the threads has one vector less
        ("layer_norm", (32768, 128), "float32", 1),
        ("layer_norm", (32768, 128), "bfloat16", 1),  # would spill
        ("softmax", (32768, 128), "float16", 1),
    ],
)
def test_short_rows_of_halves_with_weights_are_held_in_pairs(
    name: str, shape: tuple[int, int], dtype: str, together: int
) -> None:
    tile = tile_of(registry.get(name).define(shape, dtype), H100)
    assert tile.together == together
    assert ("two rows" in tile.why) == (together > 1)


@pytest.mark.opencl
@pytest.mark.parametrize(("name", "columns"), [("layer_norm", 1024), ("rms_norm", 128), ("add_layer_norm", 128)])
def test_an_odd_number_of_rows_in_pairs_is_right(name: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpucomp.kernels.rows.tiles.WAVE_TOGETHER", 0)
    operator, shape = registry.get(name), (37, columns)
    definition = operator.define(shape, "float16")
    assert tile_of(definition, H100).together == 2
    schedule = operator.schedule(definition, H100)
    inputs = operator.make_inputs(shape, "float16", np.random.default_rng(3))
    want = operator.reference(inputs, shape)[0]

    def check(got: np.ndarray) -> None:
        assert relative_error(got, want) <= operator.tolerance("float16")

    outputs = operator.make_outputs(shape, "float16")
    interpret(lower_primfunc(lower_schedule(schedule, definition.args, name), H100), [*inputs, *outputs])
    check(outputs[0])
    for device in ("cpu", "opencl:0"):
        place = gpucomp.device(device)
        arrays = [gpucomp.nd.array(a, place) for a in (*inputs, *operator.make_outputs(shape, "float16"))]
        gpucomp.build(schedule, definition.args, Target.from_device(place))(*arrays)
        check(arrays[-1].numpy())
