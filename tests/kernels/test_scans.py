"""Scans of rows on GPUs: what threads keep, and who adds up the groups."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp.driver.build import lower_primfunc
from gpucomp.kernels import registry
from gpucomp.kernels.scans import schedule_gpu
from gpucomp.target import Target
from gpucomp.te import lower_schedule
from gpucomp.tir.interp import interpret
from tests.kernels.compile_table import Case, compile_case

OPERATOR = registry.get("cumulative_sum")


@pytest.mark.parametrize(("held", "few"), [(64, 64), (0, 64), (64, 1), (0, 1)])
@pytest.mark.parametrize(("shape", "dtype"), [((2, 700), "float32"), ((1, 4100), "float16"), ((3, 9), "float32")])
def test_scans_are_right_whoever_adds_up_groups(
    held: int, few: int, shape: tuple[int, int], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule_gpu, "HELD_VALUES", held)
    monkeypatch.setattr(schedule_gpu, "FEW_WITHOUT_SHUFFLES", few)
    monkeypatch.setattr(schedule_gpu, "THREADS", 64)
    target = Target("opencl")
    defn = OPERATOR.define(shape, dtype, target)
    func = lower_primfunc(lower_schedule(OPERATOR.schedule(defn, target), defn.args, "scan"), target)
    inputs, outputs = OPERATOR.make_inputs(shape, dtype, np.random.default_rng(2)), OPERATOR.make_outputs(shape, dtype)
    interpret(func, [*inputs, *outputs])
    wanted = OPERATOR.reference(inputs, shape)[0].astype(np.float64)
    scale = float(np.sqrt(np.square(wanted).mean()))
    tolerance = OPERATOR.tolerance(dtype)
    np.testing.assert_allclose(outputs[0].astype(np.float64), wanted, rtol=tolerance, atol=tolerance * scale)


def test_a_row_that_threads_hold_is_read_once() -> None:
    defn = OPERATOR.define((8, 2048), "float16", Target("cuda -arch=sm_90a"))
    held = gpucomp.source(OPERATOR.schedule(defn, "cuda -arch=sm_90a"), defn.args, "cuda -arch=sm_90a")
    kernel = held[held.index("__global__") :]
    assert kernel[: kernel.index("\n}\n")].count("(const uint4*)(A") == 1
    assert kernel[: kernel.index("\n}\n")].count("__syncthreads") == 1


@pytest.mark.parametrize("chip", ["gfx90a", "gfx1100"])
def test_the_default_shape_keeps_its_registers_on_chips_of_amd(chip: str) -> None:
    """Each of 64 conditions took a pair of scalar registers, of which a chip has 102."""
    case = Case("cumulative_sum", (4096, 4096), "float32")
    assert [taken.faults() for taken in compile_case(case, [chip])] == [[]]
