"""Convolutions of many channels into a few: drawn ones on every backend, and which ones go this way."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.kernels.convolution.compute import ConvolutionDefinition, define
from gpucomp.kernels.convolution.problem import Convolution, numbers, square
from gpucomp.kernels.convolution.schedule_few_filters import FewTile, choose_few_filters, schedule_few_filters
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.target import Target
from tests.codegen.devices import compile_cuda
from tests.kernels.convolutions import check
from tests.tiers import tiered

H100 = Target("cuda -arch=sm_90a")
CASES = 24


def drawn(seed: int) -> tuple[Convolution, FewTile]:
    """A convolution that the schedule is for, and its tile: odd sizes and strides, of one to three dimensions."""
    rng = random.Random(seed)
    while True:
        ndim = rng.choice([1, 2, 2, 2, 3])
        transposed = rng.random() < 0.6
        kernel = tuple([rng.choice([1, 2, 3, 4, 5]) for _ in range(ndim)])
        stride = tuple([rng.choice([1, 2, 2, 3]) for _ in range(ndim)])
        sizes = [1, 5, 7, 33] if ndim < 3 else [2, 3, 5]
        try:
            conv = Convolution(
                batch=rng.choice([1, 2, 3]),
                channels=rng.choice([16, 17, 19, 24, 35, 64]),
                size=tuple([rng.choice(sizes) for _ in range(ndim)]),
                filters=rng.choice([1, 2, 3, 4]),
                kernel=kernel,
                stride=stride,
                padding=tuple([rng.choice([0, (k - 1) // 2, k - 1]) for k in kernel]),
                dilation=(1,) * ndim if transposed else tuple([rng.choice([1, 1, 2]) for _ in range(ndim)]),
                transposed=transposed,
                more=tuple([rng.randrange(s) for s in stride]) if transposed else (),
                bias=rng.random() < 0.3,
                residual=rng.random() < 0.2,
                relu=rng.random() < 0.3,
            )
        except ArgumentError:
            continue
        tile = choose_few_filters(conv, H100)
        if tile is not None:
            height = numbers(conv.phase_size)[-2] if ndim > 1 else 1
            taller = rng.choice([t for t in (1, 1, 2, 3) if t == 1 or t * tile.rows <= height])
            return conv, replace(tile, thread_rows=taller)


@pytest.mark.opencl
@pytest.mark.parametrize("seed", tiered(range(CASES), range(5)))
def test_every_backend_computes_any_of_them(seed: int) -> None:
    conv, tile = drawn(seed)
    defn = define(conv, "float32")
    check(schedule_few_filters(defn, tile), defn, "interp" if seed % 2 else "llvm", H100)
    opencl = Target("opencl")
    small = choose_few_filters(conv, opencl)
    if seed % 3 == 0 and small is not None:
        check(schedule_few_filters(defn, small), defn, "opencl", opencl)


@pytest.mark.parametrize("arch", tiered(["sm_80", "sm_90a"], ["sm_90a"]))
@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("conv2d_transpose", (16, 64, 32, 3, 4, 2)),
        ("conv2d_transpose", (16, 64, 32, 4, 3, 2)),
        ("conv2d", (16, 64, 64, 4, 5, 1)),
    ],
)
def test_nothing_is_spilled(name: str, shape: tuple[int, ...], arch: str) -> None:
    target, operator = Target(f"cuda -arch={arch}"), registry.get(name)
    defn = operator.define(shape, "float32", target)
    image = compile_function(operator.schedule(defn, target), defn.args, target, "conv").general.image
    assert all([used.spill_bytes == 0 for used in compile_cuda(image, arch).values()])


def test_many_blocks_have_several_rows_a_thread() -> None:
    conv = square((16, 64, 64, 3, 3, 1))
    few, many = (choose_few_filters(replace(conv, batch=n), H100) for n in (1, 16))
    assert few == FewTile(1, 32, 16, 4, 1)
    assert many == FewTile(1, 32, 8, 8, 4)


def test_gradients_of_images_go_this_way_and_many_filters_do_not() -> None:
    operator = registry.get("conv2d_transpose")
    few, many = (operator.define((1, 64, 32, o, 4, 2), "float32", H100) for o in (3, 64))
    assert isinstance(few, ConvolutionDefinition)
    assert isinstance(many, ConvolutionDefinition)
    assert choose_few_filters(few.problem, H100) == FewTile(1, 32, 16, 4, 1)
    assert choose_few_filters(many.problem, H100) is None
    assert "phases.rf" in [stage.op.name for stage in operator.schedule(few, H100).stages]
