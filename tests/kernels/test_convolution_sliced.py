"""Convolutions whose sums are split within a block: every layout, odd sizes, parts, packed filters, epilogues."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest

import gpucomp
from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.kernels.convolution.choice import choose, packs
from gpucomp.kernels.convolution.compute import define
from gpucomp.kernels.convolution.plans import Plan
from gpucomp.kernels.convolution.problem import Convolution, square
from gpucomp.kernels.convolution.schedule_sliced import schedule_sliced
from gpucomp.kernels.convolution.sliced_plans import plans
from gpucomp.target import Target
from tests.codegen.devices import compile_cuda
from tests.kernels.convolutions import check, draw
from tests.tiers import tiered

H100 = Target("cuda -arch=sm_90a")
SMALL = 32 * 64  # elements of a tile


def drawn(seed: int) -> tuple[Convolution, Plan]:
    """A convolution that is no smaller than most of a small tile, and a plan for it."""
    rng = random.Random(2000 + seed)
    while True:
        conv = draw(rng)
        conv = replace(
            conv, groups=1, channels=rng.choice([8, 11, 16, 19, 33, 48]), filters=rng.choice([17, 30, 33, 64])
        )
        found = [p for p in plans(conv, H100) if p.tile.m * p.tile.n <= SMALL]
        if found:
            return conv, rng.choice(found)


@pytest.mark.parametrize("seed", tiered(range(32), range(6)))
def test_any_convolution_is_exact(seed: int) -> None:
    conv, plan = drawn(seed)
    defn = define(conv, "float32", pack=plan.repacked and int(str(conv.filters)) % 4 > 0)
    check(schedule_sliced(defn, plan, H100), defn, "llvm" if seed % 2 else "interp", H100)


@pytest.mark.opencl
@pytest.mark.parametrize("seed", [3, pytest.param(8, marks=pytest.mark.slow)])
def test_opencl_runs_it_too(seed: int) -> None:
    conv, plan = drawn(seed)
    defn = define(conv, "float32")
    check(schedule_sliced(defn, plan, H100), defn, "opencl", Target("opencl"))


def test_rows_that_no_vector_fits_are_stored_by_neighbouring_threads() -> None:
    # Rows of 41 * 41 pixels; 204 filters are no multiple of a tile.
    operator = registry.get("conv2d")
    defn = operator.define((3, 24, 41, 204, 1, 1), "float32", H100)
    source = gpucomp.source(operator.schedule(defn, H100), defn.args, H100)
    assert len(re.findall(r"\n +Y\[", source)) == 1
    assert "Y_local_rf" in source


def test_small_and_odd_convolutions_are_split_within_blocks() -> None:
    for shape, last in (
        ((3, 24, 41, 204, 1, 1), False),
        ((13, 235, 54, 42, 1, 2), False),
        ((6, 31, 38, 47, 3, 2), False),
        ((3, 50, 30, 101, 1, 1), True),
    ):
        plan = choose(replace(square(shape), channels_last=last), "float32", H100)
        assert plan is not None
        assert plan.sliced
        assert plan.tile.slices > 1 or shape[1] < 32


def test_large_convolutions_are_not() -> None:
    for shape in ((32, 64, 56, 64, 3, 1), (32, 256, 56, 64, 1, 1), (32, 3, 224, 64, 7, 2), (32, 64, 56, 128, 3, 2)):
        plan = choose(square(shape), "float32", H100)
        assert plan is not None
        assert not plan.sliced


def test_filters_of_many_taps_and_pixels_are_packed_before() -> None:
    assert packs(square((5, 16, 63, 271, 5, 1)), "float32", H100)
    assert not packs(square((6, 31, 38, 47, 3, 2)), "float32", H100)
    assert not packs(square((30, 19, 50, 25, 1, 2)), "float32", H100)


def test_other_convolutions_have_no_such_plans() -> None:
    conv = square((2, 32, 14, 64, 3, 1))
    assert plans(conv, H100)
    assert not plans(replace(conv, groups=2), H100)
    assert not plans(replace(conv, channels=7), H100)
    assert not plans(replace(conv, filters=7), H100)
    assert not plans(replace(conv, transposed=True), H100)


@pytest.mark.parametrize("last", [False, True], ids=["nchw", "nhwc"])
@pytest.mark.parametrize("arch", tiered(["sm_80", "sm_90a"], ["sm_90a"]))
@pytest.mark.parametrize("part", tiered(range(6), [0]))
def test_nothing_is_spilled(arch: str, last: bool, part: int) -> None:
    target = Target(f"cuda -arch={arch}")
    conv = replace(square((2, 40, 29, 67, 3, 2)), channels_last=last)
    defn = define(conv, "float32")
    found = [plan for plan in plans(conv, target) if plan.parts == 1 and not plan.repacked]
    for plan in found[part::6]:
        image = compile_function(schedule_sliced(defn, plan, target), defn.args, target, "main").general.image
        assert all([used.spill_bytes == 0 for used in compile_cuda(image, arch).values()])


def test_a_block_of_two_warps_does_not_spill() -> None:
    operator = registry.get("conv2d")
    defn = operator.define((3, 24, 41, 204, 1, 1), "float32", H100)
    image = compile_function(operator.schedule(defn, H100), defn.args, H100, "main").general.image
    assert all([used.spill_bytes == 0 for used in compile_cuda(image, "sm_90a").values()])


@pytest.mark.cuda
@pytest.mark.parametrize("seed", range(32))
def test_a_gpu_computes_any_convolution(seed: int) -> None:
    conv, plan = drawn(seed)
    defn = define(conv, "float32", pack=plan.repacked and int(str(conv.filters)) % 4 > 0)
    target = Target.from_device("cuda:0")
    check(schedule_sliced(defn, plan, target), defn, "cuda", target)
