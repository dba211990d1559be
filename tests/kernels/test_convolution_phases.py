"""Transposed convolutions by phases: odd windows, strides and sizes on every backend, and no zeros in between."""

from __future__ import annotations

import math
import random

import pytest

from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.kernels.convolution.compute import ConvolutionDefinition, define
from gpucomp.kernels.convolution.plans import plans
from gpucomp.kernels.convolution.problem import Convolution
from gpucomp.kernels.convolution.schedule_any import schedule_cpu, schedule_opencl_cpu
from gpucomp.kernels.convolution.schedule_gpu import schedule_direct
from gpucomp.kernels.convolution.schedule_implicit import schedule_implicit
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.target import Target
from gpucomp.tir.expr import IntImm
from tests.codegen.devices import check_everywhere
from tests.kernels.convolutions import check
from tests.tiers import tiered

H100 = Target("cuda -arch=sm_90a")
CASES = 24


def drawn(seed: int, *, large: bool = False) -> Convolution:
    """A transposed convolution of a stride above 1 in some dimension; ``large``: no smaller than a tile."""
    rng = random.Random(seed)
    while True:
        ndim = rng.choice([1, 2, 2, 3])
        kernel = tuple([rng.choice([1, 2, 3, 4, 5]) for _ in range(ndim)])
        stride = tuple([rng.choice([1, 2, 2, 3]) for _ in range(ndim)])
        sizes = ([7, 9, 12] if large else [1, 4, 5, 7]) if ndim < 3 else [2, 3]
        try:
            conv = Convolution(
                batch=rng.choice([1, 2, 3]),
                channels=rng.choice([1, 3, 8, 16, 24]),
                size=tuple([rng.choice(sizes) for _ in range(ndim)]),
                filters=rng.choice([32, 35, 64] if large else [1, 3, 8, 11]),
                kernel=kernel,
                stride=stride,
                padding=tuple([rng.choice([0, (k - 1) // 2, k - 1]) for k in kernel]),
                dilation=(1,) * ndim,
                transposed=True,
                more=tuple([rng.randrange(s) for s in stride]),
                bias=rng.random() < 0.3,
                residual=rng.random() < 0.2,
                relu=rng.random() < 0.3,
            )
        except ArgumentError:
            continue
        if conv.has_phases and (not large or any([p.tile.m * p.tile.n <= 2048 for p in plans(conv, H100)])):
            return conv


@pytest.mark.opencl
@pytest.mark.parametrize("seed", tiered(range(CASES), range(5)))
def test_every_backend_computes_any_of_them(seed: int) -> None:
    defn = define(drawn(seed), "float32")
    check(schedule_cpu(defn, Target("llvm")), defn, "llvm", Target("llvm"))
    check(schedule_direct(defn, H100), defn, "llvm", H100)
    if seed % 3 == 0:
        here = Target("opencl").with_options(features=["cpu"])
        check(schedule_opencl_cpu(defn, here), defn, "opencl", here)
        check(schedule_direct(defn, Target("opencl")), defn, "opencl", Target("opencl"))


@pytest.mark.parametrize("seed", tiered(range(CASES), range(6)))
def test_products_of_matrices_compute_any_of_them(seed: int) -> None:
    conv = drawn(seed, large=True)
    plan = random.Random(seed).choice([p for p in plans(conv, H100) if p.tile.m * p.tile.n <= 2048])
    defn = define(conv, "float32")
    check(schedule_implicit(defn, plan), defn, "interp", H100)


def test_phases_of_few_pixels_have_tiles_of_their_own() -> None:
    defn = registry.get("conv2d_transpose").define((1, 64, 4, 70, 4, 2), "float32")
    assert isinstance(defn, ConvolutionDefinition)
    for plan in plans(defn.problem, H100):
        assert plan.tile.n == 16
        check(schedule_implicit(defn, plan), defn, "interp", H100)


def test_a_window_that_the_stride_divides_is_multiplied_by_its_own_taps_only() -> None:
    shape = 2, 16, 8, 32, 4, 2
    operator = registry.get("conv2d_transpose")
    defn = operator.define(shape, "float32")
    product = defn.intermediates[-1]
    extents = [axis.dom.extent for axis in (*product.op.axis, *product.op.reduce_axis) if axis.dom is not None]
    done = math.prod([x.value for x in extents if isinstance(x, IntImm)])
    assert 2 * done == operator.flops(shape)


@pytest.mark.parametrize("shape", [(16, 256, 8, 128, 4, 2), (1, 128, 16, 64, 4, 2), (2, 19, 9, 40, 3, 2)], ids=str)
def test_nothing_is_spilled(shape: tuple[int, ...]) -> None:
    operator = registry.get("conv2d_transpose")
    images = {
        kind: compile_function(operator.schedule(defn, target), defn.args, target, "conv").general.image
        for kind, target in (("cuda", H100), ("opencl", Target("opencl")))
        for defn in [operator.define(shape, "float32", target)]
    }
    check_everywhere(images)


@pytest.mark.cuda
@pytest.mark.parametrize("seed", range(CASES))
def test_a_gpu_computes_any_of_them(seed: int) -> None:
    conv = drawn(seed, large=True)
    target = Target.from_device("cuda:0")
    defn = define(conv, "float32")
    check(schedule_direct(defn, target), defn, "cuda", target)
    for plan in [p for p in plans(conv, target) if p.tile.m * p.tile.n <= 2048][:2]:
        check(schedule_implicit(defn, plan), defn, "cuda", target)
