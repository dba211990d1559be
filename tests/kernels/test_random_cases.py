"""A slice of ``ci/kernel_cases``: operators at drawn shapes, layouts, strides, padding, dilation, groups, epilogues."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest

import gpucomp
from gpucomp.kernels import registry
from gpucomp.runtime.device import Device
from tests.kernels.random_cases import Workers, draw_case, draw_shape, operators, run_case, ways
from tests.requirements import require_pocl
from tests.tiers import tiered

SEED = 3


@pytest.mark.opencl
@pytest.mark.parametrize("index", tiered(range(24), range(8)))
def test_a_drawn_case_is_right_wherever_it_can_run(index: int) -> None:
    require_pocl()
    done = run_case(draw_case(SEED, index), index, [gpucomp.cpu(0), gpucomp.opencl(0)])
    assert not done.wrong, (done.text, done.wrong)
    assert "llvm" in done.ran


@pytest.mark.opencl
def test_a_case_that_pocl_5_got_wrong_is_right() -> None:
    """A transposed convolution, whose unrolled guarded stores were run for one thread of six."""
    require_pocl()
    done = run_case(draw_case(13, 449), 449, [gpucomp.opencl(0)])
    assert done.ran == ("gpu schedule, pocl",), done.wrong


def test_cases_come_from_the_seed_and_cover_every_kind() -> None:
    texts = [draw_case(SEED, index).text for index in range(40)]
    assert texts == [draw_case(SEED, index).text for index in range(40)]
    assert texts != [draw_case(SEED + 1, index).text for index in range(40)]
    names = {draw_case(SEED, index).name for index in range(120)}
    assert {"matmul with an epilogue", "conv2d", "batch_matmul", "depthwise_conv2d_nhwc"} <= names
    assert any(name.startswith("convolution, 3") for name in names)


def test_every_operator_of_products_and_convolutions_can_be_drawn() -> None:
    assert len(operators()) > 15
    for operator in operators():
        operator.check_shape(draw_shape(operator, random.Random(operator.name)))


def test_a_wrong_element_is_told() -> None:
    case = draw_case(SEED, 0)
    right = case.reference()
    object.__setattr__(case, "reference", lambda: np.where(np.arange(right.size).reshape(right.shape) == 0, 1e3, right))
    done = run_case(case, 0, [gpucomp.cpu(0)])
    assert done.wrong.startswith("llvm: an error of")


def test_a_shape_that_cannot_be_compiled_is_a_failure_with_its_message() -> None:
    case = draw_case(SEED, 1)
    object.__setattr__(case, "find", registry.get("softmax").find_schedule)
    done = run_case(case, 1, [gpucomp.cpu(0)])
    assert done.wrong.startswith("llvm: ")
    assert not done.ran


@pytest.mark.opencl
def test_processors_run_gpu_schedules_too() -> None:
    require_pocl()
    names = [
        [what for what, _, _ in ways(device, i, "float32")]
        for device in (gpucomp.cpu(0), gpucomp.opencl(0))
        for i in (2, 3)
    ]
    assert names == [["llvm"], ["llvm", "gpu schedule, llvm"], ["pocl"], ["gpu schedule, pocl"]]
    assert ways(gpucomp.opencl(0), 1, "float64") == []


@pytest.mark.slow
def test_processes_share_the_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "KERNEL_CASES_DEVICES", "cpu")
    found = sorted(Workers(SEED, [0, 1, 2], 2).run())
    assert [done.number for done in found] == [0, 1, 2]
    assert not [done.wrong for done in found if done.wrong]
    assert isinstance(gpucomp.cpu(0), Device)
