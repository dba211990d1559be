"""The library's schedules for processors: right for shapes that no tile divides, and made of vectors."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TypeGuard

import numpy as np
import pytest

import gpucomp
from gpucomp.cli.measure import relative_error
from gpucomp.driver.build import lower_primfunc
from gpucomp.kernels import registry
from gpucomp.kernels.convolution.compute import define
from gpucomp.kernels.convolution.problem import square
from gpucomp.kernels.convolution.schedule_cpu import schedule_conv2d
from gpucomp.kernels.convolution.schedule_pointwise_cpu import parts_of_channels
from gpucomp.kernels.convolution.tiles_cpu import Tile, choose
from gpucomp.kernels.gemm import schedule_few_rows
from gpucomp.kernels.gemm.schedule_cpu import MOST_TILES, TASK_TILES, tile_of, tiles_of_task
from gpucomp.kernels.processor import vector_bytes
from gpucomp.support.config import config
from gpucomp.target import Target
from gpucomp.te import lower_schedule
from gpucomp.tir.expr import Call, FloatImm
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import post_order
from gpucomp.tir.intrin import Op
from gpucomp.tir.stmt import BufferStore
from tests.kernels.convolutions import check, draw
from tests.kernels.running import CPU, compare
from tests.tiers import tiered

MATMUL = [(1, 40, 9), (1, 33, 5), (5, 64, 7), (24, 128, 6), (24, 100, 6), (50, 70, 11), (203, 65, 3), (60, 7, 20)]
# Up to 16 rows with all sums of a vector in registers; one row is a vector.
FEW_ROWS = [(1, 40, 128), (1, 4099, 65), (1, 1, 100), (2, 1, 64), (5, 64, 70), (13, 300, 129), (16, 260, 64)]
# Widths of 1 to 70 take vectors of 4, 8 and 16 lanes; some compute rows first.
CONV = [
    (1, 2, 1, 3, 1, 1), (1, 3, 7, 8, 3, 1), (2, 3, 14, 5, 3, 1), (1, 2, 20, 9, 3, 1), (1, 2, 31, 4, 3, 2),
    (1, 2, 32, 6, 5, 1), (1, 1, 40, 16, 3, 1), (1, 2, 70, 32, 1, 1), (2, 5, 13, 12, 1, 2), (1, 3, 30, 8, 1, 3),
    (1, 3, 23, 4, 7, 2), (12, 2, 9, 4, 3, 1),
]  # fmt: skip
SOFTMAX = [(1, 1), (3, 7), (2, 16), (5, 64), (4, 65), (2, 200)]


@pytest.mark.parametrize("shape", MATMUL)
def test_matrix_products_of_odd_shapes(shape: tuple[int, ...]) -> None:
    compare("matmul", shape)


@pytest.mark.parametrize("shape", FEW_ROWS)
@pytest.mark.parametrize("name", ["matmul", "matmul_bias_gelu"])
def test_products_of_few_rows(name: str, shape: tuple[int, ...]) -> None:
    compare(name, shape)


@pytest.mark.parametrize("shape", [(24, 70, 65), (29, 300, 100), (36, 64, 64)])
def test_more_rows_than_registers_are_two_blocks(shape: tuple[int, ...]) -> None:
    compare("matmul_bias_gelu", shape, schedule=lambda defn: schedule_few_rows.schedule_few_rows(defn, 16))


def test_more_rows_read_a_matrix_that_no_cache_holds() -> None:
    takes = schedule_few_rows.takes_few_rows
    assert takes(16, 64, 64, True)
    assert takes(32, 4096, 4096, False)
    assert not any([takes(32, 256, 256, False), takes(32, 4096, 4096, True), takes(37, 4096, 4096, False)])


@pytest.mark.parametrize("count", [1, 2, 40])
def test_products_of_few_rows_in_strips_for_any_number_of_threads(count: int) -> None:
    with config.override(num_threads=count):
        compare("matmul", (9, 4500, 70))


def test_narrower_vectors_where_the_processor_has_no_wider_ones() -> None:
    narrow = Target("llvm -without=avx512f")
    assert vector_bytes(Target("llvm -arch=znver5")) == 64
    assert vector_bytes(narrow) < 64
    for name, shape in (("matmul", (50, 70, 11)), ("conv2d", (1, 3, 14, 5, 3, 1)), ("conv2d", (1, 3, 14, 6, 1, 1))):
        widest = max([x.value.dtype.lanes for x in post_order(lowered(name, shape, narrow).body) if is_store(x)])
        assert 1 < widest <= vector_bytes(narrow) // 4
        compare(name, shape, target=narrow)


@pytest.mark.parametrize("seed", tiered(range(24), range(8)))
def test_convolutions_drawn_at_random(seed: int) -> None:
    rng = random.Random(100 + seed)
    conv = next(c for c in iter(lambda: draw(rng), None) if c.ndim == 2 and not c.channels_last)
    defn = define(conv, "float32")
    check(schedule_conv2d(defn, CPU), defn, "llvm", CPU)


def test_images_of_one_column() -> None:
    conv = replace(square((3, 3, 13, 8, 1, 1)), size=(13, 1), stride=(1, 3))
    defn = define(conv, "float32")
    check(schedule_conv2d(defn, CPU), defn, "llvm", CPU)


@pytest.mark.opencl
@pytest.mark.parametrize("shape", tiered([(50, 70, 11), (97, 129, 33), (13, 7, 8)], [(50, 70, 11)]))
def test_products_on_processors_through_opencl(shape: tuple[int, ...]) -> None:
    operator = registry.get("matmul")
    device = gpucomp.device("opencl", 0)
    target = Target("opencl").with_options(features=["cpu"])
    defn = operator.define(shape, "float32")
    module = gpucomp.build(operator.schedule(defn, target), defn.args, target)
    inputs = operator.make_inputs(shape, "float32", np.random.default_rng(5))
    arrays = [gpucomp.nd.array(x, device) for x in (*inputs, *operator.make_outputs(shape, "float32"))]
    module(*arrays)
    assert relative_error(arrays[-1].numpy(), operator.reference(inputs, shape)[0]) < operator.tolerance("float32")
    source = module.get_source()
    assert "*(float16*)(C_local" in source or shape[1] < 16  # PoCL takes what vload16 reads of an array apart
    assert "vload16(0, C_local" not in source
    assert "barrier" not in source


def test_tiles_fit_the_registers_and_leave_no_channel_over() -> None:
    assert choose(64, 112, 112, 16) == Tile(2, 8, 1, 16)
    for filters, height, width in ((64, 56, 56), (512, 7, 7), (13, 30, 9), (1, 1, 1), (3, 5, 200)):
        tile = choose(filters, height, width, 16)
        pixels = tile.rows * tile.vectors
        assert tile.channels * pixels + pixels + 1 <= 32
        assert filters % tile.channels == 0 or filters == 13


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_matrix_products_of_other_types(dtype: str) -> None:
    compare("matmul", (50, 70, 11), dtype)


@pytest.mark.parametrize("shape", CONV)
def test_convolutions_of_odd_shapes(shape: tuple[int, ...]) -> None:
    compare("conv2d", shape)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("shape", [(12, 5, 9, 12, 1, 1), (2, 3, 6, 36, 1, 2), (1, 4, 20, 7, 1, 1)])
def test_windows_of_one_pixel_for_any_number_of_threads(shape: tuple[int, ...], count: int) -> None:
    with config.override(num_threads=count):
        compare("conv2d", shape)


@pytest.mark.parametrize("shape", SOFTMAX)
def test_softmax_of_rows_of_any_length(shape: tuple[int, ...]) -> None:
    compare("softmax", shape)


def test_symbolic_sizes() -> None:
    compare("matmul", (50, 70, 11), symbolic=("m", "n", "k"))
    compare("conv2d", (1, 2, 31, 4, 3, 2), symbolic=("n", "c", "h", "", "", ""))
    compare("softmax", (4, 65), symbolic=("m", "n"))


def lowered(name: str, shape: tuple[int, ...], target: Target = CPU) -> PrimFunc:
    operator = registry.get(name)
    definition = operator.define(shape, "float32")
    return lower_primfunc(lower_schedule(operator.schedule(definition, target), definition.args, name), target)


def is_store(node: object) -> TypeGuard[BufferStore]:
    return isinstance(node, BufferStore)


@pytest.mark.parametrize(
    ("name", "shape"), [("matmul", (203, 65, 30)), ("conv2d", (1, 8, 29, 9, 3, 1)), ("conv2d", (1, 8, 29, 9, 3, 2))]
)
def test_tails_are_masked_vectors_and_not_loops_over_lanes(name: str, shape: tuple[int, ...]) -> None:
    func = lowered(name, shape)
    stores = [x for x in post_order(func.body) if isinstance(x, BufferStore)]
    # zeros past the border of an image are no lanes of anything
    assert all([x.value.dtype.lanes > 1 or isinstance(x.value, FloatImm) for x in stores])
    assert any([x.predicate is not None for x in stores])


def test_softmax_takes_each_exponential_once() -> None:
    func = lowered("softmax", (4, 128))
    powers = [x for x in post_order(func.body) if isinstance(x, Call) and x.op is Op.get("tir.exp2")]
    assert [x.dtype.lanes for x in powers] == [16]


@pytest.mark.parametrize(("count", "want"), [(1, [1, 1, 1]), (2, [2, 2, 1]), (3, [3, 1, 3])])
def test_few_groups_of_pixels_are_parts_of_channels_for_each_thread(count: int, want: list[int]) -> None:
    with config.override(num_threads=count):
        assert [parts_of_channels(groups, 64, 4) for groups in (1, 3, 4)] == want
        compare("conv2d", (1, 9, 14, 21, 1, 2))
        compare("conv2d", (2, 9, 20, 24, 1, 1))


def test_tiles_of_eight_rows_where_less_lies_past_the_edges() -> None:
    assert tile_of(1024, 1024, 16) == (6, 4)
    assert tile_of(1187, 903, 16) == (8, 3)
    assert tile_of(1000, 37, 16) == (8, 3)
    assert tile_of(None, 37, 16) == tile_of(1000, None, 16) == (6, 4)
    assert tile_of(10, 37, 16) == (5, 4)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_tasks_of_a_product_are_as_many_as_keep_threads_alike(count: int) -> None:
    with config.override(num_threads=count):
        for tiles in (1, 7, 23, 24, 73, 167, 198):
            each = tiles_of_task(6 * tiles, 6, 1)
            assert min(tiles, TASK_TILES) <= each <= MOST_TILES
        assert -(-167 // tiles_of_task(1000, 6, 1)) % count == 0


@pytest.mark.parametrize("name", ["matmul", "matmul_tn", "matmul_bias_gelu"])
@pytest.mark.parametrize("shape", [(51, 37, 40), (97, 48, 9), (203, 129, 33)])
def test_tiles_of_eight_rows_and_panels_that_need_no_copy(name: str, shape: tuple[int, ...]) -> None:
    compare(name, shape)


def test_a_matrix_of_a_panel_s_columns_is_not_copied() -> None:
    assert "B_global" not in str(lowered("matmul", (60, 64, 9), CPU))
    assert "B_global" in str(lowered("matmul", (60, 65, 9), CPU))
    compare("matmul", (60, 64, 9))
    compare("batch_matmul", (3, 61, 64, 9))
