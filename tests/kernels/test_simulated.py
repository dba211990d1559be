"""Operators of the library in the simulator of OpenCL devices: no race, no stray or empty read.

Every kind of streaming operator, and each kind of product and convolution that the recorded kernels do not have.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gpucomp.kernels import registry
from gpucomp.kernels.convolution.choice import choose_plan
from gpucomp.kernels.convolution.compute import ConvolutionDefinition
from gpucomp.kernels.convolution.winograd import WinogradDefinition
from gpucomp.kernels.gemm.schedule_skinny import is_skinny
from tests.kernels.run_matrix import CASES
from tests.kernels.run_streaming import STREAMING
from tests.meta.source import ROOT
from tests.requirements import require_tool
from tests.tiers import tiered

KINDS = ("implicit", "pipelined", "skinny", "sliced")


# Those have the schedule and the accesses of another one, and a step of arithmetic more or less.
ALIKE = {"gelu", "log_softmax", "row_mean", "row_min", "mean_all", "column_mean"}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in STREAMING if name not in ALIKE])
def test_the_simulator_finds_nothing_in_an_operator(name: str, tmp_path: Path) -> None:
    _simulate("run_streaming", name, tmp_path)


@pytest.mark.parametrize("name", tiered(CASES, ("int8",)))
def test_the_simulator_finds_nothing_in_a_product_or_a_convolution(name: str, tmp_path: Path) -> None:
    _simulate("run_matrix", name, tmp_path)


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_of_the_kind_that_it_is_called_by(name: str) -> None:
    kind, case = name.split("-")[0], CASES[name]
    definition = case.define()
    why = registry.get(case.op).why(definition, case.scheduled)
    kinds = {"sliced": "slices of k" in why, "pipelined": " stages" in why and "slices" not in why}
    if isinstance(definition, ConvolutionDefinition):
        kinds["implicit"] = choose_plan(definition, case.scheduled) is not None
        assert not isinstance(definition, WinogradDefinition)
    elif registry.get(case.op).family == "gemm":
        kinds["skinny"] = is_skinny(definition, case.scheduled)
    assert [k for k, there in kinds.items() if there] == ([kind] if kind in KINDS else [])


def _simulate(module: str, name: str, folder: Path) -> None:
    """A process for each: the simulator's record of what is initialized errs about memory that it used before."""
    log = folder / "oclgrind.log"
    command = [
        *(require_tool("oclgrind"), "--data-races", "--uninitialized", "--build-options", "-cl-opt-disable"),
        *("--local-mem-size", "65536", "--log", str(log)),
        *(sys.executable, "-m", f"tests.kernels.{module}", name),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GPUCOMP_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    # The simulator's exit code is 0 even when it finds faults: the log tells.
    found = log.read_text(encoding="utf-8") if log.exists() else ""
    assert done.returncode == 0, done.stdout + done.stderr
    assert found == "", found[:4000]
    assert done.stdout.split() == ["ok", name]
