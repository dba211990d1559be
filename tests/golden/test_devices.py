"""Every golden kernel on every device that CI has: the processor, PoCL, the OpenCL simulator; compiled for AMD."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import gpucomp
from gpucomp.kernels import registry
from gpucomp.target import Target
from tests import amd
from tests.golden.cases import CASES
from tests.golden.support import assert_same, make_arrays, reference
from tests.golden.test_sources import INEXACT

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet

ROOT = Path(__file__).parents[2]
PARTS = 4
QUICK = (
    "matmul_33x37x21_float32",
    "softmax_5x50_float32",
    "conv2d_1x3x11x4x3x2_float32",
    "bfloat16_vectors",
    "row_sum_48_threads",
    "argmax_threads",
)
LIBRARY = {operator.name for operator in registry.all_operators()}
# Kernels of the library have schedules of their own for OpenCL on a processor; both forms must be right there.
POCL_TARGETS = {"gpu-form": Target("opencl"), "cpu-form": Target("opencl").with_options(features=["cpu"])}


def _run(name: str, target: Target, device: gpucomp.Device) -> None:
    case = CASES[name]
    schedule, args = case.make(target)
    arrays = make_arrays(schedule, args, case.shapes, seed=1)  # those of the other tests: one reference for all
    want = reference(schedule, args, arrays)
    module = gpucomp.build(schedule, args, target, name=name)
    device_arrays = [gpucomp.nd.array(a, device) for a in arrays]
    module(*device_arrays)
    assert_same([a.numpy() for a in device_arrays], want, args, INEXACT.get(name, 0.0))


@pytest.mark.parametrize("name", CASES)
def test_the_processor_computes_what_the_operators_mean(name: str) -> None:
    _run(name, Target("llvm"), gpucomp.cpu(0))


def _tier(name: str, form: str) -> ParameterSet:
    """For a first look some kernels will do, those of the library in the form made for such devices."""
    quick = name in QUICK and (form == "cpu-form") == (name.split("_")[0] in LIBRARY)
    return pytest.param(name, form, marks=[] if quick else [pytest.mark.slow])


@pytest.mark.opencl
@pytest.mark.parametrize(("name", "form"), [_tier(name, form) for name in CASES for form in POCL_TARGETS])
def test_pocl_computes_what_the_operators_mean(name: str, form: str) -> None:
    _run(name, POCL_TARGETS[form], gpucomp.opencl(0))


@pytest.mark.cuda
@pytest.mark.parametrize("name", CASES)
def test_the_gpu_computes_what_the_operators_mean(name: str) -> None:
    device = gpucomp.cuda(0)
    _run(name, Target.from_device(device), device)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_the_simulator_finds_no_race_and_no_stray_access(part: int, tmp_path: Path, require_tool: object) -> None:
    from tests.requirements import require_tool as find

    log = tmp_path / "oclgrind.log"
    command = [
        find("oclgrind"),
        "--data-races",
        "--uninitialized",
        # Its record of what is initialized knows no `freeze` and errs about vectors that the optimizer assembles.
        *("--build-options", "-cl-opt-disable"),
        *("--local-mem-size", "65536"),
        *("--log", str(log)),
        sys.executable,
        *("-m", "tests.golden.run_opencl"),
        *list(CASES)[part::PARTS],
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GPUCOMP_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280, check=False)
    # The simulator's exit code is 0 even when it finds faults: the log tells.
    found = log.read_text(encoding="utf-8") if log.exists() else ""
    assert done.returncode == 0, done.stdout + done.stderr
    assert found == "", found[:4000]
    assert done.stdout.count("ok ") == len(list(CASES)[part::PARTS])


# Wavefronts of 32, and of 64 on one or the other chip that has the same instructions and registers for these kernels.
AMD = [(name, chip) for number, name in enumerate(CASES) for chip in (("gfx90a", "gfx942")[number % 2], "gfx1100")]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "chip"), AMD)
def test_amd_code_has_no_calls_no_dynamic_stack_and_no_spills(name: str, chip: str) -> None:
    target = Target("opencl")
    schedule, args = CASES[name].make(target)
    assembly, remarks = amd.compile_for(chip, gpucomp.source(schedule, args, target, name))
    assert "s_swappc" not in assembly
    assert "Dynamic Stack: True" not in remarks
    spills = [
        line
        for line in remarks.splitlines()
        if "Spill" in line and not line.rstrip("] \n").split("[")[0].rstrip().endswith(": 0")
    ]
    assert spills == []
