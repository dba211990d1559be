"""Convolutions as matrix products: every layout and kind, odd sizes, split sums, epilogues."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest

import gpucomp
from gpucomp import te
from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.kernels.convolution.choice import choose_plan
from gpucomp.kernels.convolution.compute import ConvolutionDefinition, define
from gpucomp.kernels.convolution.plans import (
    CHANNELS_FIRST,
    CHANNELS_LAST,
    Plan,
    plans,
    plans_of,
)
from gpucomp.kernels.convolution.problem import Convolution, square
from gpucomp.kernels.convolution.schedule_gpu import schedule_direct
from gpucomp.kernels.convolution.schedule_implicit import schedule_implicit
from gpucomp.target import Target
from tests.codegen.devices import compile_cuda
from tests.kernels.convolutions import check, draw
from tests.tiers import tiered

H100 = Target("cuda -arch=sm_90a")
SMALL = 32 * 64  # elements of a tile
CASES = 48


def drawn(seed: int) -> tuple[Convolution, Plan]:
    """A convolution that is no smaller than a small tile, and a plan for it."""
    rng = random.Random(1000 + seed)
    while True:
        conv = draw(rng)
        channels = rng.choice([1, 2, 3, 7, 8, 11, 16, 24, 48])
        filters = rng.choice([32, 35, 36, 64])
        conv = replace(conv, channels=conv.groups * channels, filters=conv.groups * filters)
        found = [p for p in plans(conv, H100) if p.tile.m * p.tile.n <= SMALL]
        if found:
            return conv, rng.choice(found)


@pytest.mark.parametrize("seed", tiered(range(CASES), range(8)))
def test_any_convolution_is_exact(seed: int) -> None:
    conv, plan = drawn(seed)
    defn = define(conv, "float32")
    check(schedule_implicit(defn, plan), defn, "interp", H100)


@pytest.mark.parametrize("seed", tiered(range(24), range(4)))
def test_packed_filters_are_exact_too(seed: int) -> None:
    rng = random.Random(seed)
    while True:
        conv = replace(drawn(rng.randrange(10**6))[0], groups=1, filters=rng.choice([33, 34, 35, 39, 67]))
        found = [p for p in plans(conv, H100) if p.tile.m * p.tile.n <= SMALL]
        if not conv.transposed and found:
            break
    defn = define(conv, "float32", pack=True)
    check(schedule_implicit(defn, rng.choice(found)), defn, "llvm" if seed % 4 == 3 else "interp", H100)


def test_odd_filters_are_packed_on_cuda_and_copied_as_vectors() -> None:
    for name, batch, size in (("conv2d", 64, 99), ("conv2d_nhwc", 64, 99), ("conv3d", 30, 30)):
        operator = registry.get(name)
        odd, even = ((batch, 16, size, o, 3, 2) for o in (67, 64))
        defn = operator.define(odd, "float32", H100)
        assert isinstance(defn, ConvolutionDefinition)
        assert defn.packed is not None
        assert [int(str(x)) for x in defn.packed.shape[-2:]] == [16, 68]
        source = gpucomp.source(operator.schedule(defn, H100), defn.args, H100)
        assert re.search(r"gc_cp_async(_zero)?_16\(\(?packed_shared", source)
        for shape, target in ((even, H100), (odd, Target("opencl")), (odd, Target("llvm"))):
            other = operator.define(shape, "float32", target)
            assert isinstance(other, ConvolutionDefinition)
            assert other.packed is None


@pytest.mark.slow
def test_each_tile_is_exact_at_a_layer_of_its_own_size() -> None:
    # One image of 16x16, a filter more than fits a tile: every tile once, over its edges.
    for last in (False, True):
        for tile in CHANNELS_LAST if last else CHANNELS_FIRST:
            rows, columns = (tile.n, tile.m) if last else (tile.m, tile.n)
            conv = Convolution(
                1, 16, (3, columns // 2 + 1), rows + 1, (1, 2), (1, 1), (0, 0), (1, 1), channels_last=last
            )
            plan = plans_of(conv, tile, H100)[0]
            defn = define(conv, "float32")
            check(schedule_implicit(defn, plan), defn, "interp", H100)


@pytest.mark.opencl
@pytest.mark.parametrize("seed", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_processors_run_it_too(seed: int) -> None:
    conv, plan = drawn(seed)
    defn = define(conv, "float32")
    check(schedule_implicit(defn, plan), defn, "opencl", Target("opencl"))
    check(schedule_implicit(defn, plan), defn, "llvm", H100)


LAYERS = (
    (32, 3, 224, 64, 7, 2), (32, 64, 56, 128, 3, 2), (32, 256, 56, 64, 1, 1), (32, 512, 7, 512, 3, 1),
    (1, 256, 14, 512, 1, 2),
)  # fmt: skip


@pytest.mark.parametrize("last", [False, True], ids=["nchw", "nhwc"])
@pytest.mark.parametrize("arch", tiered(["sm_80", "sm_90a"], ["sm_90a"]))
@pytest.mark.parametrize("shape", tiered(LAYERS, LAYERS[:1]), ids=str)
def test_nothing_is_spilled(shape: tuple[int, ...], arch: str, last: bool) -> None:
    target = Target(f"cuda -arch={arch}")
    operator = registry.get("conv2d_nhwc" if last else "conv2d")
    defn = operator.define(shape, "float32")
    image = compile_function(operator.schedule(defn, target), defn.args, target, "conv").general.image
    assert "cp.async" in image.source
    assert all([used.spill_bytes == 0 for used in compile_cuda(image, arch).values()])


def test_other_types_targets_and_sizes_take_the_direct_schedule() -> None:
    conv = square((2, 64, 14, 64, 3, 1))
    assert choose_plan(define(conv, "float32"), H100) is not None
    assert choose_plan(define(conv, "float16"), H100) is None
    assert choose_plan(define(conv, "float32"), Target("cuda -arch=sm_75")) is None
    assert choose_plan(define(conv, "float32"), Target("opencl")) is None
    assert choose_plan(define(square((2, 64, te.var("h"), 64, 3, 1)), "float32"), H100) is None
    assert choose_plan(define(square((2, 64, 14, 7, 3, 1)), "float32"), H100) is None


def test_a_plan_says_why() -> None:
    few, many = (choose_plan(define(square((n, 64, 56, 64, 3, 2)), "float32"), H100) for n in (1, 32))
    assert few is not None
    assert many is not None
    assert few.parts > 1
    assert f"{few.parts} parts of the channels" in few.reason
    assert many.parts == 1
    assert "filters are brought into the order of slabs" in many.reason
    first = choose_plan(define(square((32, 3, 224, 64, 7, 2)), "float32"), H100)
    assert first is not None
    assert (first.channels, first.taps_inside, first.tile.k) == (3, True, 21)


@pytest.mark.cuda
@pytest.mark.parametrize("seed", range(CASES))
def test_a_gpu_computes_any_convolution(seed: int) -> None:
    conv, plan = drawn(seed)
    defn = define(conv, "float32")
    target = Target.from_device("cuda:0")
    check(schedule_implicit(defn, plan), defn, "cuda", target)
    check(schedule_direct(defn, target), defn, "cuda", target)


@pytest.mark.parametrize(("width", "rows"), [(7, True), (8, False)])
def test_results_of_odd_images_are_stored_by_rows_of_the_tile(width: int, rows: bool) -> None:
    conv = replace(square((3, 16, width, 64, 1, 1)), bias=True, relu=True)
    plan = next(p for p in plans(conv, H100) if (p.tile.m, p.tile.n, p.parts) == (32, 64, 1))
    defn = define(conv, "float32")
    schedule = schedule_implicit(defn, plan)
    source = compile_function(schedule, defn.args, H100, "conv").general.image.source
    assert ("Y_shared[" in source) is rows
    check(schedule, defn, "interp", H100)


@pytest.mark.parametrize(
    ("name", "shape", "factor"),
    [
        ("conv3d", (1, 3, 20, 64, 7, 2), 8),
        ("conv2d", (1, 7, 20, 64, 7, 2), 8),
        ("conv2d", (1, 3, 64, 64, 7, 2), None),
    ],
)
def test_many_steps_of_a_slab_are_unrolled_by_a_few(name: str, shape: tuple[int, ...], factor: int | None) -> None:
    operator = registry.get(name)
    defn = operator.define(shape, "float32", H100)
    source = gpucomp.source(operator.schedule(defn, H100), defn.args, H100)
    hint = re.search(r"#pragma unroll *(\d*)\n *for \(int rx_rc_inner_fused = 0", source)
    assert hint is not None
    assert hint[1] == str(factor or "")
