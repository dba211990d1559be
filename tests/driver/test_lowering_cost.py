"""Lowering stays cheap, and linear in stages.  Function calls are counted: milliseconds change with the machine."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable
from typing import Any  # Any: numpy arrays of any shape and dtype

import numpy as np
import pytest

import gpucomp
from gpucomp.driver.cache import compiled_functions
from tests.driver.blocks import Graph, chain, kernel_each, resnet_block, staged_tiles, untouched

# On 2026-11-22 the calls were 179, 303, 276 and 498 thousand: ci/lowering_cost.py prints them.
BUDGETS = [
    (untouched, "cuda", 260_000),
    (kernel_each, "cuda", 430_000),
    (staged_tiles, "cuda", 403_000),
    (staged_tiles, "llvm", 700_000),
]


def calls(make: Callable[[], Graph], schedule: Callable[[Graph], gpucomp.te.Schedule], target: str) -> int:
    """Function calls from tensor expressions to source text."""

    def lower() -> str:
        graph = make()
        return gpucomp.source(schedule(graph), list(graph.args), target)

    compiled_functions.clear()
    lower()  # imports, tables of visitors and templates
    compiled_functions.clear()
    profile = cProfile.Profile()
    profile.runcall(lower)
    return int(pstats.Stats(profile).total_calls)  # pyright: ignore[reportAttributeAccessIssue]  # missing in the stubs


@pytest.mark.parametrize(("schedule", "target", "budget"), BUDGETS)
def test_a_residual_block_of_23_stages_is_lowered_within_its_budget(
    schedule: Callable[[Graph], gpucomp.te.Schedule], target: str, budget: int
) -> None:
    assert len(resnet_block().stages) >= 20
    assert calls(resnet_block, schedule, target) <= budget


@pytest.mark.parametrize("schedule", [untouched, kernel_each, staged_tiles])
def test_the_cost_is_linear_in_stages(schedule: Callable[[Graph], gpucomp.te.Schedule]) -> None:
    few, many = (calls(lambda n=n: chain(n), schedule, "cuda") for n in (10, 40))
    assert many <= 4.4 * few


def test_the_measured_schedules_compute_the_same() -> None:
    rng = np.random.default_rng(0)
    graph = chain(5, channels=16, size=5)
    inputs = [rng.random([int(str(x)) for x in t.shape], np.float32) - 0.5 for t in graph.args[:-1]]
    results: list[np.ndarray[Any, Any]] = []
    for schedule in (untouched, kernel_each, staged_tiles):
        made = chain(5, channels=16, size=5)
        results.append(np.asarray(gpucomp.build(schedule(made), list(made.args), "llvm")(*inputs)))
    assert np.count_nonzero(results[0]) > 50
    np.testing.assert_allclose(results[1], results[0], rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(results[2], results[0], rtol=2e-5, atol=1e-6)
