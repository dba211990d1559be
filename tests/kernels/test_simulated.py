"""Operators of the library in the simulator of OpenCL devices: no race, no stray or empty read.

Every kind of streaming operator, and each kind of product and convolution that the recorded kernels do not have.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from gpucomp.kernels import registry
from gpucomp.kernels.convolution.choice import choose_plan
from gpucomp.kernels.convolution.compute import ConvolutionDefinition
from gpucomp.kernels.convolution.winograd import WinogradDefinition
from gpucomp.kernels.gemm.schedule_skinny import is_skinny
from tests.kernels.run_matrix import CASES
from tests.kernels.run_streaming import STREAMING
from tests.kernels.simulator import Simulator
from tests.tiers import tiered

KINDS = ("implicit", "pipelined", "skinny", "sliced")


# Those have the schedule and the accesses of another one, and a step of arithmetic more or less.
ALIKE = {"gelu", "log_softmax", "row_mean", "row_min", "mean_all", "column_mean"}


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Generator[Simulator]:
    made = Simulator(tmp_path_factory.mktemp("oclgrind"))
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in STREAMING if name not in ALIKE])
def test_the_simulator_finds_nothing_in_an_operator(name: str, simulator: Simulator) -> None:
    _simulate(simulator, "run_streaming", name)


@pytest.mark.parametrize("name", tiered(CASES, ("int8",)))
def test_the_simulator_finds_nothing_in_a_product_or_a_convolution(name: str, simulator: Simulator) -> None:
    _simulate(simulator, "run_matrix", name)


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


def _simulate(simulator: Simulator, module: str, name: str) -> None:
    status, printed, found = simulator.run(f"tests.kernels.{module}", name)
    assert status == 0, printed
    assert found == "", found[:4000]
    assert printed.split() == ["ok", name]


def test_the_simulator_tells_of_a_stray_read(simulator: Simulator) -> None:
    status, printed, found = simulator.run("tests.kernels.run_stray", "stray")
    assert status == 0, printed
    assert "Invalid read of size 4" in found


def test_the_simulator_tells_of_a_wrong_program_and_goes_on(simulator: Simulator) -> None:
    status, printed, _ = simulator.run("tests.kernels.run_matrix", "no-such-case")
    assert status != 0
    assert "KeyError: 'no-such-case'" in printed
