"""Scans of rows on GPUs: what threads keep, and who adds up the groups."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.cli.measure import relative_error
from gpucomp.driver.build import lower_primfunc
from gpucomp.kernels import registry
from gpucomp.kernels.scans import schedule_gpu
from gpucomp.target import Target
from gpucomp.te import lower_schedule
from gpucomp.tir.interp import interpret
from tests.kernels.compile_table import Case, compile_case
from tests.kernels.running import CPU, H100

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


@pytest.mark.opencl
@pytest.mark.parametrize(
    ("where", "shape", "dtype"),
    [("llvm", (2, 100_001), "float16"), ("gpu-on-llvm", (1, 131_072), "float32"),
     ("gpu-on-llvm", (1, 66_000), "float64"),
     ("opencl", (2, 66_001), "bfloat16"), ("opencl-cpu", (1, 70_000), "float32")],
)  # fmt: skip
def test_rows_too_long_for_the_memory_of_a_block_go_in_chunks(where: str, shape: tuple[int, int], dtype: str) -> None:
    _in_chunks(where, shape, dtype, symbolic=False)


@pytest.mark.opencl
@pytest.mark.parametrize("where", ["llvm", "gpu-on-llvm", "opencl", "opencl-cpu"])
def test_rows_of_any_length_go_in_chunks(where: str) -> None:
    _in_chunks(where, (3, 5003), "float32", symbolic=True)


def _in_chunks(where: str, shape: tuple[int, int], dtype: str, symbolic: bool) -> None:
    made_for = {"gpu-on-llvm": H100, "opencl-cpu": Target.from_device(gpucomp.opencl(0))}.get(where)
    target = made_for or Target(where)
    defn = OPERATOR.define([te.var("m"), te.var("n")] if symbolic else shape, dtype, target)
    assert len(defn.intermediates) == 9
    inputs = OPERATOR.make_inputs(shape, dtype, np.random.default_rng(2))
    module = gpucomp.build(OPERATOR.schedule(defn, target), defn.args, CPU if where == "gpu-on-llvm" else target)
    device = gpucomp.device("opencl" if "opencl" in where else "cpu", 0)
    arrays = [gpucomp.nd.array(a, device) for a in [*inputs, *OPERATOR.make_outputs(shape, dtype)]]
    module(*arrays)
    wanted = OPERATOR.reference(inputs, shape)[0]
    assert relative_error(arrays[1].numpy(), wanted) <= OPERATOR.tolerance(dtype)


@pytest.mark.parametrize("target", ["cuda -arch=sm_90a", "opencl"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_rows_of_every_length_fit_a_gpu(target: str, dtype: str) -> None:
    found = Target(target).with_options(features=["fp64"]) if target == "opencl" else Target(target)
    for length in (32_768, 65_536, 65_537, 1 << 28, 5 << 30):
        defn = OPERATOR.define((2, length), dtype, found)
        assert gpucomp.source(OPERATOR.schedule(defn, found), defn.args, found)


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


@pytest.mark.parametrize("length", [1, 3])
def test_rows_shorter_than_a_run_stay_in_registers(length: int) -> None:
    case = Case("cumulative_sum", (1000, length), "float16")
    assert [taken.faults() for taken in compile_case(case, ["sm_90a", "gfx942"])] == [[], []]
