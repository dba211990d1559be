"""Convolutions by Winograd's filtering: exact where it can be, its error, odd sizes, every backend; the choice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import gpucomp
from gpucomp.cli.measure import relative_error
from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.kernels.arrays import Array, random_array
from gpucomp.kernels.convolution import winograd, winograd_model
from gpucomp.kernels.convolution.problem import Convolution, square
from gpucomp.kernels.convolution.reference import convolution
from gpucomp.kernels.convolution.winograd import WinogradDefinition
from gpucomp.kernels.convolution.winograd_matrices import matrices
from gpucomp.kernels.convolution.winograd_schedule import schedule_winograd
from gpucomp.kernels.gemm.tiles import SimtTile
from gpucomp.support.config import config
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.target import Target
from tests.codegen.devices import compile_cuda
from tests.kernels import running
from tests.kernels.running import H100
from tests.tiers import tiered

LAYERS = ((64, 56, 64), (128, 28, 128), (256, 14, 256), (512, 7, 512))  # C, H, O of ResNet-18
# Batch, channels, rows, columns, filters, padding.
CASES = {
    "whole tiles": (4, 16, 16, 16, 64, (1, 1)),
    "odd sizes": (3, 17, 15, 22, 67, (1, 1)),
    "no padding": (3, 16, 19, 26, 33, (0, 0)),
    "wide padding": (1, 19, 20, 30, 65, (2, 3)),
    "few filters": (5, 16, 13, 14, 33, (1, 1)),
}


def smallest(defn: WinogradDefinition) -> SimtTile:
    """The first tile that is no larger than the products."""
    rows, columns = winograd.product_shape(defn.problem, defn.m)
    tiles = winograd_model.CHANNELS_LAST if defn.problem.channels_last else winograd_model.CHANNELS_FIRST
    return next(tile for tile in tiles if tile.m <= rows and tile.n <= columns)


def problem(case: str, last: bool) -> Convolution:
    n, c, h, w, o, padding = CASES[case]
    return Convolution(n, c, (h, w), o, (3, 3), (1, 1), padding, (1, 1), channels_last=last)


def make_inputs(conv: Convolution, *, whole: bool = False, seed: int = 5) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [random_array(shape, "float32", rng, whole=whole) for shape in conv.input_shapes()]


def run(defn: WinogradDefinition, tile: SimtTile, inputs: list[Array], how: str) -> Array:
    return running.run(schedule_winograd(defn, tile), defn, inputs, how)


def worst(got: Array, inputs: list[Array], conv: Convolution) -> float:
    return relative_error(got, convolution(inputs, conv)[0])


@pytest.mark.parametrize(("m", "r"), [(2, 3), (4, 3), (3, 2), (6, 3), (4, 5)])
def test_the_matrices_filter_rows(m: int, r: int) -> None:
    made = matrices(m, r)
    rng = np.random.default_rng(0)
    data, taps = rng.random(m + r - 1), rng.random(r)
    got = np.array(made.inverse) @ ((np.array(made.kernel) @ taps) * (np.array(made.data) @ data))
    np.testing.assert_allclose(got, np.correlate(data, taps, "valid"), atol=1e-12)


@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize(
    ("case", "how"), [*[(case, "interp") for case in CASES], pytest.param("odd sizes", "llvm", marks=pytest.mark.slow)]
)
def test_two_by_two_tiles_are_exact_for_small_whole_numbers(case: str, last: bool, how: str) -> None:
    conv = problem(case, last)
    defn, inputs = winograd.define(conv, "float32", 2), make_inputs(conv, whole=True)
    assert worst(run(defn, smallest(defn), inputs, how), inputs, conv) == 0


@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("case", CASES)
def test_four_by_four_tiles_stay_within_their_error(case: str, last: bool) -> None:
    conv = problem(case, last)
    defn, inputs = winograd.define(conv, "float32", 4), make_inputs(conv)
    assert worst(run(defn, smallest(defn), inputs, "interp"), inputs, conv) <= 2e-5


@pytest.mark.parametrize(
    ("channels", "bounds"), [(64, (2e-6, 2e-5)), pytest.param(512, (6e-6, 5e-5), marks=pytest.mark.slow)]
)
def test_errors_are_what_the_documentation_says(channels: int, bounds: tuple[float, float]) -> None:
    conv = square((2, channels, 16, 64, 3, 1))
    inputs = make_inputs(conv)
    for m, bound in zip((2, 4), bounds, strict=True):
        defn = winograd.define(conv, "float32", m)
        error = worst(run(defn, smallest(defn), inputs, "interp"), inputs, conv)
        assert bound / 40 < error <= bound
        assert error <= registry.get("conv2d").tolerance("float32")


@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("tile", range(5))
def test_every_tile_of_the_table_is_exact(tile: int, last: bool) -> None:
    chosen = (winograd_model.CHANNELS_LAST if last else winograd_model.CHANNELS_FIRST)[tile]
    tiles, filters = (chosen.m, chosen.n) if last else (chosen.n, chosen.m)
    conv = replace(
        square((1, 2 * chosen.k + 3, 16, filters + 5, 3, 1)), channels_last=last, size=(2 * tiles // 8 + 2, 16)
    )
    defn, inputs = winograd.define(conv, "float32", 2), make_inputs(conv, whole=True)
    assert worst(run(defn, chosen, inputs, "interp"), inputs, conv) == 0


@pytest.mark.parametrize("tile", winograd_model.CHANNELS_FIRST[:3], ids=lambda t: f"{t.stages} stages")
def test_of_as_many_slabs_as_copies_none_past_the_last_is_read(tile: SimtTile) -> None:
    defn = winograd.define(square((4, tile.stages * tile.k, 16, 64, 3, 1)), "float32")
    source = gpucomp.source(schedule_winograd(defn, tile), defn.args, H100)
    loop = source[source.index(f"for (int rc_outer = 0; rc_outer < {tile.stages};") :]
    last_step = loop[loop.index("wait_group") :]
    assert last_step.index(f"if (rc_outer < {tile.stages - 1})") < last_step.index("const float4")


@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
def test_products_go_back_and_forth_as_the_tile_says(last: bool) -> None:
    defn = winograd.define(replace(square((4, 64, 16, 64, 3, 1)), channels_last=last), "float32")
    tile = smallest(defn)
    turning = "& 1) == 0 ?"
    for order in (0, 1):
        source = gpucomp.source(schedule_winograd(defn, replace(tile, order=order)), defn.args, H100)
        assert (turning in source) == (order == 1)


@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
def test_bias_residual_and_relu_need_no_kernel_of_their_own(last: bool, m: int) -> None:
    conv = replace(problem("few filters", last), bias=True, residual=True, relu=True)
    defn, inputs = winograd.define(conv, "float32", m), make_inputs(conv)
    assert gpucomp.source(schedule_winograd(defn, smallest(defn)), defn.args, H100).count("__global__") == 4
    want = convolution(inputs, conv)[0].astype(np.float64)
    got = run(defn, smallest(defn), inputs, "interp").astype(np.float64)
    assert np.abs(got - want).max() <= 2e-5 * np.sqrt(np.square(want).mean())
    assert (want == 0).mean() > 0.2


@pytest.mark.opencl
@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("case", tiered(CASES, ("odd sizes",)))
def test_opencl_computes_it_too(case: str, last: bool) -> None:
    conv = problem(case, last)
    defn, inputs = winograd.define(conv, "float32", 4), make_inputs(conv)
    assert worst(run(defn, smallest(defn), inputs, "opencl"), inputs, conv) <= 2e-5


@pytest.mark.cuda
@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("case", CASES)
def test_a_gpu_computes_it(case: str, last: bool) -> None:
    conv = problem(case, last)
    for m, bound in ((2, 4e-6), (4, 2e-5)):
        defn, inputs = winograd.define(conv, "float32", m), make_inputs(conv)
        assert worst(run(defn, smallest(defn), inputs, "cuda"), inputs, conv) <= bound


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["sm_80", "sm_90a"])
@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
def test_nothing_is_spilled(last: bool, arch: str) -> None:
    target = Target(f"cuda -arch={arch}")
    for c, h, o in LAYERS:
        for batch in (1, 32):
            conv = replace(square((batch, c, h, o, 3, 1)), channels_last=last)
            for plan in winograd_model.plans(conv, target)[:1]:
                defn = winograd.define(conv, "float32", plan.m)
                image = compile_function(schedule_winograd(defn, plan.tile), defn.args, target, "conv").general.image
                assert "cp.async" in image.source
                used = compile_cuda(image, arch)
                assert len(used) == 4
                assert all([kernel.spill_bytes == 0 for kernel in used.values()]), (conv, used)


@pytest.mark.parametrize("name", ["conv2d", "conv2d_nhwc", "conv2d_bias_relu", "conv2d_bias_add_relu"])
def test_large_layers_go_by_it_on_cuda_and_only_there(name: str) -> None:
    operator = registry.get(name)
    for c, h, o in LAYERS[1:3]:
        defn = operator.define((32, c, h, o, 3, 1), "float32", H100)
        assert isinstance(defn, WinogradDefinition)
        assert defn.m == 4
        assert "1/" in defn.reason
        assert gpucomp.source(operator.schedule(defn, H100), defn.args, H100).count("__global__") == 4
        for target in ("opencl", "llvm", "cuda -arch=sm_75"):
            assert not isinstance(operator.define((32, c, h, o, 3, 1), "float32", target), WinogradDefinition)


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("conv2d", (32, 128, 28, 128, 3, 2), "float32"),
        ("conv2d", (32, 128, 28, 128, 1, 1), "float32"),
        ("conv2d", (32, 128, 28, 128, 5, 1), "float32"),
        ("conv2d", (32, 128, 28, 128, 3, 1), "float16"),
        ("conv2d", (32, 3, 28, 128, 3, 1), "float32"),
        ("dilated_conv2d", (32, 128, 28, 128, 3, 1, 2), "float32"),
        ("group_conv2d", (32, 128, 28, 128, 3, 1, 4), "float32"),
        ("conv1d", (32, 128, 28, 128, 3, 1), "float32"),
    ],
)
def test_other_convolutions_stay_direct(name: str, shape: tuple[int, ...], dtype: str) -> None:
    assert not isinstance(registry.get(name).define(shape, dtype, H100), WinogradDefinition)


def test_the_setting_turns_it_off() -> None:
    shape = (32, 128, 28, 128, 3, 1)
    with config.override(winograd=False):
        assert not isinstance(registry.get("conv2d").define(shape, "float32", H100), WinogradDefinition)
    assert isinstance(registry.get("conv2d").define(shape, "float32", H100), WinogradDefinition)
    assert not isinstance(registry.get("conv2d").define(shape, "float32"), WinogradDefinition)


def test_the_model_prefers_smaller_tiles_of_pixels_where_there_are_few() -> None:
    chosen = [winograd_model.choose(square((batch, 128, 28, 128, 3, 1)), "float32", H100) for batch in (1, 32)]
    assert [plan.m for plan in chosen if plan is not None] == [2, 4]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(
        ArgumentError, match=r"F\(4x4, 3x3\) of float32, windows \(5, 5\)(.|\n)*3x3 windows in one group"
    ):
        winograd.define(square((1, 16, 8, 32, 5, 1)), "float32")
    with pytest.raises(ArgumentError, match="of float16"):
        winograd.define(square((1, 16, 8, 32, 3, 1)), "float16")
    defn = winograd.define(square((1, 16, 8, 32, 3, 1)), "float32")
    with pytest.raises(ArgumentError, match="tile 128 x 128 of products 32 x 4"):
        schedule_winograd(defn, winograd_model.CHANNELS_FIRST[-1])
