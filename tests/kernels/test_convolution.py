"""Convolutions of every kind: definition, reference and the direct schedules agree on every backend."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest

from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.kernels.arrays import Array
from gpucomp.kernels.convolution.compute import define
from gpucomp.kernels.convolution.problem import Convolution, numbers, square
from gpucomp.kernels.convolution.reference import convolution
from gpucomp.kernels.convolution.schedule_any import schedule_cpu, schedule_opencl_cpu
from gpucomp.kernels.convolution.schedule_gpu import schedule_direct, tile_for
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.target import Target
from tests.codegen.devices import compile_cuda
from tests.kernels.convolutions import check, draw, whole_inputs
from tests.tiers import tiered

CASES = 24
H100 = Target("cuda -arch=sm_90a")


def slowly(image: Array, weight: Array, conv: Convolution) -> Array:
    """The sum as the class states it, tap by tap."""
    channels, filters = numbers((conv.channels, conv.filters))
    per, depth = filters // conv.groups, channels // conv.groups
    if conv.channels_last:
        image, weight = np.moveaxis(image, -1, 1), np.moveaxis(weight, (-1, -2), (0, 1))
    batch, size, outs = image.shape[0], image.shape[2:], numbers(conv.out_size)
    made = np.zeros((batch, filters, *outs))
    taps = list(itertools.product(*[range(k) for k in conv.kernel]))
    for place in itertools.product(*[range(n) for n in (size if conv.transposed else outs)]):
        for tap in taps:
            steps = zip(place, conv.stride, tap, conv.dilation, conv.padding, strict=True)
            other = tuple([p * s + t * d - pad for p, s, t, d, pad in steps])
            inside = outs if conv.transposed else size
            if not all([0 <= q < n for q, n in zip(other, inside, strict=True)]):
                continue
            here = (slice(None), slice(None), *place)
            there = (slice(None), slice(None), *other)
            if conv.transposed:
                made[there] += np.matmul(image[here], weight[(slice(None), slice(None), *tap)])
                continue
            for o in range(filters):
                first = o // per * depth
                part = image[there][:, first : first + depth]
                made[(slice(None), o, *place)] += np.matmul(part, weight[(o, slice(None), *tap)])
    return np.moveaxis(made, 1, -1) if conv.channels_last else made


@pytest.mark.parametrize("seed", range(12))
def test_the_reference_is_the_sum_that_the_class_states(seed: int) -> None:
    rng = random.Random(seed)
    conv = draw(rng)
    image, weight, *more = [x.astype(np.float64) for x in whole_inputs(conv, "float32")]
    want = slowly(image, weight, conv)
    if conv.bias:
        bias = more.pop(0)
        want = np.add(want, bias.reshape([-1 if d == conv.channel_axis else 1 for d in range(conv.ndim + 2)]))
    if conv.residual:
        want = np.add(want, more.pop(0))
    (got,) = convolution(whole_inputs(conv, "float32"), conv)
    assert np.array_equal(got, np.maximum(want, 0) if conv.relu else want)


@pytest.mark.opencl
@pytest.mark.parametrize("how", ["llvm", "opencl"])
@pytest.mark.parametrize("seed", tiered(range(CASES), range(6)))
def test_the_gpu_schedule_is_right_for_any_convolution(seed: int, how: str) -> None:
    rng = random.Random(seed)
    defn = define(draw(rng), "float32")
    target = Target("cuda") if how == "llvm" else Target("opencl")
    check(schedule_direct(defn, target), defn, how, target)


@pytest.mark.opencl
@pytest.mark.parametrize("seed", tiered(range(CASES), range(6)))
def test_processors_are_right_for_any_convolution(seed: int) -> None:
    defn = define(draw(random.Random(seed)), "float32")
    check(schedule_cpu(defn, Target("llvm")), defn, "llvm", Target("llvm"))
    if seed % 4 == 0:
        here = Target("opencl").with_options(features=["cpu"])
        check(schedule_opencl_cpu(defn, here), defn, "opencl", here)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_element_types(dtype: str) -> None:
    conv = replace(square((1, 4, 6, 5, 3, 1)), bias=True, relu=True, channels_last=True)
    defn = define(conv, dtype)
    check(schedule_direct(defn, Target("cuda")), defn, "llvm", Target("cuda"), dtype)


@pytest.mark.parametrize("k", [7, 11])
def test_large_windows_fit_shared_memory(k: int) -> None:
    defn = define(square((1, 64, 28, 128, k, 2), 3), "float64")
    target = Target("opencl")
    tile = tile_for(defn, target)
    assert tile.reduce_channels == 1
    assert tile.by_taps is (k == 11)
    schedule_direct(defn, target).check(target)


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(ArgumentError, match="3 groups do not divide 4 channels"):
        replace(square((1, 4, 8, 6, 3, 1)), groups=3)
    with pytest.raises(ArgumentError, match=r"windows of \(5, 5\) over \(3, 3\)"):
        replace(square((1, 4, 3, 6, 5, 1)), padding=(0, 0))
    with pytest.raises(ArgumentError, match="no groups"):
        replace(square((1, 4, 3, 6, 3, 1)), transposed=True, groups=2)


def test_operators_mean_what_their_shapes_say() -> None:
    shapes = {
        "conv1d": (2, 4, 9, 6, 3, 2),
        "conv3d": (1, 2, 5, 4, 3, 1),
        "conv2d_nhwc": (2, 3, 7, 4, 3, 2),
        "group_conv2d": (1, 4, 7, 6, 3, 1, 2),
        "dilated_conv2d": (1, 4, 9, 6, 3, 1, 2),
        "conv2d_transpose": (1, 4, 5, 6, 4, 2),
    }
    results = {name: registry.get(name).output_shapes(shape)[0] for name, shape in shapes.items()}
    assert results == {
        "conv1d": (2, 6, 5),
        "conv3d": (1, 4, 5, 5, 5),
        "conv2d_nhwc": (2, 4, 4, 4),
        "group_conv2d": (1, 6, 7, 7),
        "dilated_conv2d": (1, 6, 9, 9),
        "conv2d_transpose": (1, 6, 10, 10),
    }


@pytest.mark.parametrize("kind", ["opencl", "cuda"])
@pytest.mark.parametrize(("per_group", "size"), [(17, (20, 20)), (127, (20, 20)), (127, (60,))])
def test_a_prime_number_of_filters_in_a_group_keeps_to_the_threads_of_a_block(
    kind: str, per_group: int, size: tuple[int, ...]
) -> None:
    ndim = len(size)
    three, ones = (3,) * ndim, (1,) * ndim
    target = Target(kind)
    defn = define(Convolution(1, 4, size, 2 * per_group, three, ones, ones, ones, groups=2), "float32")
    tile = tile_for(defn, target)
    assert (2 * per_group) % tile.channels == 0
    threads = tile.channels // tile.thread_channels * (tile.rows * tile.columns // tile.thread_columns)
    assert 1 < threads <= target.max_num_threads
    schedule_direct(defn, target).check(target)


def grouped(seed: int) -> Convolution:
    """A convolution whose groups have so many filters that slabs are copied ahead."""
    rng = random.Random(seed)
    while True:
        conv = draw(rng)
        if conv.ndim == 1 or conv.transposed:
            continue
        groups = rng.choice([2, 3])
        channels, filters = rng.choice([1, 2, 3, 5, 8, 13]), rng.choice([2, 4, 8, 12, 13, 14, 17, 18, 24, 27])
        conv = replace(conv, groups=groups, channels=groups * channels, filters=groups * filters)
        if tile_for(define(conv, "float32"), H100).stages > 1:
            return conv


@pytest.mark.parametrize("seed", tiered(range(24), range(4)))
def test_groups_whose_slabs_are_copied_ahead_are_exact(seed: int) -> None:
    defn = define(grouped(seed), "float32")
    assert tile_for(defn, H100).stages > 1
    check(schedule_direct(defn, H100), defn, "interp" if seed % 2 else "llvm", H100)


@pytest.mark.parametrize("arch", tiered(["sm_80", "sm_90a"], ["sm_90a"]))
@pytest.mark.parametrize(
    "shape",
    tiered(
        [(16, 108, 29, 108, 3, 1, 4), (16, 96, 31, 192, 5, 2, 8), (4, 68, 19, 68, 7, 1, 2)],
        [(16, 108, 29, 108, 3, 1, 4)],
    ),
    ids=str,
)
def test_odd_groups_spill_nothing(shape: tuple[int, ...], arch: str) -> None:
    target, operator = Target(f"cuda -arch={arch}"), registry.get("group_conv2d")
    defn = operator.define(shape, "float32", target)
    image = compile_function(operator.schedule(defn, target), defn.args, target, "conv").general.image
    assert "cp.async" in image.source
    assert all([used.spill_bytes == 0 for used in compile_cuda(image, arch).values()])
