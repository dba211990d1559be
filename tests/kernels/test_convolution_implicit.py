"""Convolutions as matrix products: every layout and kind, odd sizes, split sums, epilogues."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from gpucomp.kernels.convolution.compute import define
from gpucomp.kernels.convolution.plans import Plan, plans_of
from gpucomp.kernels.convolution.problem import Convolution
from gpucomp.kernels.convolution.schedule_implicit import schedule_implicit
from gpucomp.kernels.gemm.tiles import TILES
from gpucomp.target import Target
from tests.kernels.convolutions import check, draw
from tests.tiers import tiered

H100 = Target("cuda -arch=sm_90a")
TINY = [t for t in TILES if t.m * t.n <= 64 * 64]
CASES = 40


def drawn(seed: int) -> tuple[Convolution, Plan]:
    """A convolution that is no smaller than a small tile, and a plan for it."""
    rng = random.Random(1000 + seed)
    while True:
        conv = draw(rng)
        if conv.transposed:
            continue
        channels = rng.choice([1, 2, 3, 7, 8, 11, 16, 24, 48])
        filters = rng.choice([32, 35, 36, 64])
        conv = replace(conv, channels=conv.groups * channels, filters=conv.groups * filters)
        plans = plans_of(conv, rng.choice(TINY), H100)
        if plans:
            return conv, rng.choice(plans)


@pytest.mark.opencl
@pytest.mark.parametrize("seed", tiered(range(CASES), range(8)))
def test_any_convolution_is_exact(seed: int) -> None:
    conv, plan = drawn(seed)
    defn = define(conv, "float32")
    check(schedule_implicit(defn, plan), defn, "llvm", H100)
