"""Depthwise convolutions: every backend, odd sizes, any padding, what compilers make of them, and the tiles."""

from __future__ import annotations

import re

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.kernels.arrays import Array, random_array
from gpucomp.kernels.depthwise.compute import depthwise_conv2d
from gpucomp.kernels.depthwise.reference import convolution
from gpucomp.kernels.depthwise.schedule_cpu import schedule_depthwise as schedule_cpu
from gpucomp.kernels.depthwise.schedule_cpu import schedule_depthwise_opencl_cpu
from gpucomp.kernels.depthwise.schedule_gpu import choose_tile, schedule_depthwise
from gpucomp.kernels.registry import Definition
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.target import Target
from tests.codegen.devices import compile_amd, compile_cuda
from tests.kernels import running
from tests.kernels.running import H100

OPENCL_CPU = Target("opencl").with_options(features=["cpu"])
LAYOUTS = ("NCHW", "NHWC")
# (N, C, H, W, k, stride, dil, M): MobileNet's nine layers, as they are numbered in the paper on TVM.
MOBILENET = tuple(
    (1, c, h, h, 3, stride, 1, 1)
    for c, h, stride in (
        (32, 112, 1), (64, 112, 2), (128, 56, 1), (128, 56, 2), (256, 28, 1), (256, 28, 2), (512, 14, 1), (512, 14, 2),
        (1024, 7, 1),
    )
)  # fmt: skip
# image (n, c, h, w), M, window, strides, padding (top, left, bottom, right), dilation
CASES = {
    "whole vectors": ((2, 8, 8, 16), 1, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1)),
    "no padding": ((1, 4, 9, 12), 1, (3, 3), (1, 1), (0, 0, 0, 0), (1, 1)),
    "odd sizes": ((2, 3, 7, 9), 1, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1)),
    "stride 2": ((1, 5, 13, 16), 1, (3, 3), (2, 2), (0, 0, 1, 1), (1, 1)),
    "a row of windows": ((2, 3, 1, 37), 1, (1, 5), (1, 3), (0, 2, 0, 2), (1, 1)),
    "5x5, dilation, uneven padding": ((1, 3, 17, 16), 1, (5, 5), (1, 2), (3, 9, 4, 1), (2, 1)),
    "9x9": ((1, 2, 11, 8), 1, (9, 9), (1, 1), (4, 4, 4, 4), (1, 1)),
    "two results a channel": ((1, 4, 10, 8), 2, (3, 3), (2, 1), (1, 1, 1, 1), (1, 2)),
    "three results a channel": ((2, 5, 6, 6), 3, (3, 3), (1, 1), (1, 1, 1, 1), (1, 1)),
}


def define(
    case: str, layout: str, dtype: str
) -> tuple[Definition, list[Array], np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    (n, c, h, w), m, (kh, kw), strides, padding, dilation = CASES[case]
    first = layout == "NCHW"
    shapes = [(n, c, h, w), (c, m, kh, kw)] if first else [(n, h, w, c), (kh, kw, c, m)]
    rng = np.random.default_rng(11)
    inputs = [random_array(shape, dtype, rng) for shape in shapes]
    image, weight = te.placeholder(shapes[0], dtype, "X"), te.placeholder(shapes[1], dtype, "W")
    defn = depthwise_conv2d(image, weight, layout, strides, padding, dilation)
    want = convolution(inputs[0], inputs[1], layout, strides, padding, dilation).astype(np.float64)
    return defn, inputs, want


def run(defn: Definition, inputs: list[Array], how: str) -> Array:
    """In the schedule made for a place; the interpreter takes the GPU's."""
    if how == "llvm":
        return running.run(schedule_cpu(defn, running.CPU), defn, inputs, how)
    if how == "opencl-cpu":
        return running.run(schedule_depthwise_opencl_cpu(defn, OPENCL_CPU), defn, inputs, "opencl", OPENCL_CPU)
    target = Target("opencl") if how == "opencl" else H100
    return running.run(schedule_depthwise(defn, target), defn, inputs, how, target)


def assert_close(got: Array, want: Array, dtype: str) -> None:
    tolerance = registry.get("depthwise_conv2d_nchw").tolerance(dtype)
    values, wanted = got.astype(np.float64), want.astype(np.float64)
    assert values.shape == wanted.shape
    scale = np.maximum(np.abs(wanted), np.sqrt(np.square(wanted).mean()))
    assert (np.abs(values - wanted) <= tolerance * scale).all()


@pytest.mark.parametrize("how", ["interp", "llvm"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", CASES)
def test_it_is_the_sum_in_its_definition(case: str, layout: str, how: str) -> None:
    for dtype in ("float32", "float16"):
        defn, inputs, want = define(case, layout, dtype)
        assert_close(run(defn, inputs, how), want, dtype)


@pytest.mark.opencl
@pytest.mark.parametrize("how", ["opencl", "opencl-cpu"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "case",
    [c if c in ("odd sizes", "two results a channel") else pytest.param(c, marks=pytest.mark.slow) for c in CASES],
)
def test_opencl_computes_it_too(case: str, layout: str, how: str) -> None:
    dtype = "float16" if case == "whole vectors" else "float32"
    defn, inputs, want = define(case, layout, dtype)
    assert_close(run(defn, inputs, how), want, dtype)


@pytest.mark.cuda
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", CASES)
def test_a_gpu_computes_it(case: str, layout: str) -> None:
    for dtype in ("float32", "float16"):
        defn, inputs, want = define(case, layout, dtype)
        assert_close(run(defn, inputs, "cuda"), want, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_of_whole_vectors_are_loaded_and_stored_as_vectors(layout: str, dtype: str) -> None:
    operator = registry.get(f"depthwise_conv2d_{layout.lower()}")
    defn = operator.define((32, 256, 56, 56, 3, 1, 1, 1), dtype)
    source = gpucomp.source(operator.schedule(defn, H100), defn.args, H100)
    kind = "float4" if dtype == "float32" else "uint4"
    assert f"*(const {kind}*)(X" in source
    assert f"*({kind}*)(" in source.replace(f"const {kind}", "")
    assert "__syncthreads" not in source


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["sm_80", "sm_90a"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_is_spilled(layout: str, arch: str) -> None:
    target = Target(f"cuda -arch={arch}")
    operator = registry.get(f"depthwise_conv2d_{layout.lower()}")
    shapes = [(32, *shape[1:]) for shape in MOBILENET[::3]]
    for shape in [
        *shapes,
        (32, 256, 56, 56, 3, 1, 1, 1),
        (8, 64, 60, 60, 5, 2, 1, 2),
        (8, 64, 60, 60, 5, 1, 2, 1),
        (8, 64, 60, 60, 7, 1, 1, 1),
        (8, 64, 60, 60, 3, 1, 1, 1),
    ]:
        for dtype in ("float32", "float16"):
            defn = operator.define(shape, dtype)
            image = compile_function(operator.schedule(defn, target), defn.args, target, "depthwise").general.image
            assert all([used.spill_bytes == 0 for used in compile_cuda(image, arch).values()]), (shape, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_amd_code_spills_nothing(layout: str) -> None:
    operator, target = registry.get(f"depthwise_conv2d_{layout.lower()}"), Target("opencl")
    for dtype in ("float32", "float16"):
        defn = operator.define((32, 144, 56, 56, 5, 2, 1, 1), dtype)
        image = compile_function(operator.schedule(defn, target), defn.args, target, "depthwise").general.image
        assert set(re.findall(r"\.[sv]gpr_spill_count: +(\d+)", compile_amd(image))) == {"0"}


def test_a_window_larger_than_the_image_is_refused() -> None:
    image, weight = te.placeholder((1, 4, 5, 5), name="X"), te.placeholder((4, 1, 3, 3), name="W")
    with pytest.raises(ArgumentError, match="a window of 3 elements, 3 apart, over 5, padding included"):
        depthwise_conv2d(image, weight, "NCHW", (1, 1), (0, 0, 0, 0), (3, 3))
    with pytest.raises(ArgumentError, match="a window of 3 elements, 3 apart, over 6, padding included"):
        depthwise_conv2d(image, weight, "NCHW", (1, 1), (1, 1, 0, 0), (3, 3))


def test_the_form_of_a_window_has_to_be_known() -> None:
    with pytest.raises(ArgumentError, match="k, stride, dilation and M have to be numbers"):
        registry.get("depthwise_conv2d_nchw").define((1, 4, 8, 8, te.var("k"), 1, 1, 1))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_batches_and_channels_may_be_symbolic(layout: str) -> None:
    operator = registry.get(f"depthwise_conv2d_{layout.lower()}")
    n, c = te.var("n"), te.var("c")
    defn = operator.define((n, c, 9, 8, 3, 1, 1, 1))
    shape = (2, 5, 9, 8, 3, 1, 1, 1)
    inputs = operator.make_inputs(shape, "float32", np.random.default_rng(4))
    (result,) = operator.make_outputs(shape, "float32")
    for schedule in (schedule_depthwise(defn, H100), schedule_cpu(defn, Target("llvm"))):
        gpucomp.build(schedule, defn.args, "llvm")(*inputs, result)
        assert_close(result, operator.reference(inputs, shape)[0], "float32")


@pytest.mark.parametrize(
    ("channels", "how", "expected"),
    [
        (94, (3, 1, 1), (4, 2, (64, 2, 1))),
        (130, (5, 1, 1), (4, 2, (32, 4, 1))),  # 65 vectors: a second block of 64 would have one
        (130, (5, 1, 2), (1, 4, (16, 8, 1))),  # too many pixels for registers
        (45, (7, 1, 1), (1, 4, (16, 8, 1))),
        (256, (3, 1, 1), (4, 2, (16, 8, 1))),
    ],
)
def test_channels_that_no_whole_vector_fits_are_read_by_more_neighbours(
    channels: int, how: tuple[int, int, int], expected: tuple[int, int, tuple[int, int, int]]
) -> None:
    defn = registry.get("depthwise_conv2d_nhwc").define((2, channels, 20, 20, *how, 1), "float32", H100)
    tile = choose_tile(defn, H100)
    assert (tile.rows, tile.columns, tile.block) == expected
    image = compile_function(schedule_depthwise(defn, H100), defn.args, H100, "main").general.image
    assert all([used.spill_bytes == 0 for used in compile_cuda(image).values()])
