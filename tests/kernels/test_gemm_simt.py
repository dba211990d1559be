"""fp32 products by cp.async and fragments in registers: every tile, odd sizes, split sums, epilogues."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.kernels.arrays import poisoned
from gpucomp.kernels.gemm.schedule_simt import applies, schedule_simt
from gpucomp.kernels.gemm.schedule_sliced import schedule_sliced
from gpucomp.kernels.gemm.tiles import RAGGED_TILES, TILES, SimtTile, estimate
from gpucomp.kernels.registry import Definition
from gpucomp.target import Target
from gpucomp.te import Schedule
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, Var
from tests.codegen.devices import compile_cuda
from tests.kernels.running import H100, run, whole_inputs, wide
from tests.tiers import tiered

MATMUL = registry.get("matmul")
SHAPES = ((512, 512, 512), (1024, 1024, 1024), (4096, 4096, 4096), (4095, 4097, 4099), (1000, 37, 513))
TINY = next(tile for tile in TILES if (tile.m, tile.n, tile.slices) == (32, 32, 1))
LAYOUTS = ("matmul_nt", "matmul_tn", "matmul_tt", "batch_matmul")


def with_tile(defn: Definition, tile: SimtTile, shape: tuple[int, int, int], parts: int = 1) -> Schedule:
    """The schedule of a definition with a tile that the model need not choose."""
    if tile.slices > 1:
        return schedule_sliced(defn, tile)
    gathered = shape[1] % 4 != 0 and shape[1] >= tile.n
    return schedule_simt(defn, replace(estimate(tile, shape, 132, parts), gathered=gathered))


@pytest.mark.parametrize(
    ("tile", "parts"),
    [
        pytest.param(t, parts, id=f"{t.m}x{t.n}x{t.k}s{t.stages}t{t.threads}z{t.slices}-{parts}")
        for t in TILES
        for parts in ((1, 3) if t.slices == 1 else (1,))  # slices are not split over blocks
    ],
)
@pytest.mark.parametrize("over", [(0, 0, 0), (1, 3, 5)])
def test_every_tile_is_exact_at_its_own_size_and_past_its_edges(
    tile: object, over: tuple[int, int, int], parts: int
) -> None:
    chosen = next(t for t in TILES if t is tile)
    shape = (chosen.m + over[0], chosen.n + over[1], 3 * chosen.k * chosen.slices + over[2])
    defn = MATMUL.define(shape, "float32")
    a, b = inputs = whole_inputs(defn)
    got = run(with_tile(defn, chosen, shape, parts), defn, inputs, "interp")
    assert np.array_equal(got, wide(a) @ wide(b))


@pytest.mark.opencl
@pytest.mark.parametrize("how", ["llvm", "opencl"])
@pytest.mark.parametrize(
    ("shape", "parts"),
    [((67, 37, 75), 1), ((64, 64, 64), 2), pytest.param((129, 65, 83), 4, marks=pytest.mark.slow)],
)
def test_processors_and_opencl_run_it_too(shape: tuple[int, int, int], parts: int, how: str) -> None:
    defn = MATMUL.define(shape, "float32")
    a, b = inputs = whole_inputs(defn)
    got = run(with_tile(defn, TINY, shape, parts), defn, inputs, how)
    assert np.array_equal(got, wide(a) @ wide(b))


def test_a_product_of_few_tiles_is_two_kernels_without_atomics_and_gives_the_same_bits_again() -> None:
    shape = (1000, 37, 513)
    defn = MATMUL.define(shape, "float32")
    schedule = with_tile(defn, TINY, shape, 4)
    source = gpucomp.source(schedule, defn.args, H100)
    assert source.count("__global__") == 2
    assert "atomic" not in source
    inputs = MATMUL.make_inputs(shape, "float32", np.random.default_rng(5))
    module = gpucomp.build(schedule, defn.args, "llvm")
    first, second = poisoned((1000, 37), "float32"), poisoned((1000, 37), "float32")
    module(*inputs, first)
    module(*inputs, second)
    assert np.array_equal(first, second)
    want = wide(MATMUL.reference(inputs, shape)[0])
    assert np.abs(wide(first) - want).max() <= 1e-5 * np.sqrt(np.square(want).mean())


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("shape", [(64, 64, 48), (67, 37, 50)], ids=str)
@pytest.mark.parametrize("name", LAYOUTS)
def test_transposed_and_batched_operands_are_exact(name: str, shape: tuple[int, int, int], parts: int) -> None:
    operator = registry.get(name)
    full = (3, *shape) if name == "batch_matmul" else shape
    defn = operator.define(full, "float32")
    inputs = whole_inputs(defn)
    got = run(with_tile(defn, TINY, shape, parts), defn, inputs, "interp")
    assert np.array_equal(wide(got), operator.reference(inputs, full)[0])


@pytest.mark.parametrize("name", ["matmul", "matmul_nt", "matmul_bias_gelu"])
@pytest.mark.parametrize("shape", [(64, 32, 128), (67, 37, 75)], ids=str)
def test_slices_of_a_block_are_added_up_in_one_kernel(name: str, shape: tuple[int, int, int]) -> None:
    operator = registry.get(name)
    defn = operator.define(shape, "float32")
    schedule = with_tile(defn, TILES[-1], shape)
    source = gpucomp.source(schedule, defn.args, H100)
    assert source.count("__global__") == 1
    assert f"< {shape[2]})" not in source  # what slices read past the end is zero
    inputs = whole_inputs(defn)
    want = operator.reference(inputs, shape)[0]
    np.testing.assert_allclose(wide(run(schedule, defn, inputs, "interp")), wide(want), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["matmul", "matmul_nt"])
@pytest.mark.parametrize("tile", [t for t in TILES if t.slices == 1], ids=lambda t: f"{t.m}x{t.n}x{t.k}")
def test_slabs_that_are_transposed_need_one_barrier_each(tile: SimtTile, name: str) -> None:
    shape = (512, 512, 512)
    defn = registry.get(name).define(shape, "float32")
    source = gpucomp.source(with_tile(defn, tile, shape), defn.args, H100)
    before, loop = source.split("for (int k_outer", 1)
    assert before.count("__syncthreads") == 2
    assert loop.count("__syncthreads") == 1


@pytest.mark.parametrize(
    ("name", "shape", "in_turns"),
    [
        ("matmul", (128, 128, 64), False),
        ("matmul", (128, 127, 64), True),
        ("matmul_nt", (128, 128, 64), True),
        ("matmul_tn", (128, 128, 64), False),
        ("matmul_tn", (127, 129, 64), True),
    ],
)
def test_copies_of_four_bytes_start_in_turns(name: str, shape: tuple[int, int, int], in_turns: bool) -> None:
    defn = registry.get(name).define(shape, "float32")
    source = gpucomp.source(with_tile(defn, TINY, shape), defn.args, H100)
    assert ("if (k_inner == 1) {" in source) == in_turns


@pytest.mark.parametrize(("name", "n", "parts"), [("matmul_nt", 134, 1), ("batch_matmul", 133, 2)])
@pytest.mark.parametrize("tile", [t for t in RAGGED_TILES if t.slices == 1], ids=lambda t: f"{t.m}x{t.n}x{t.k}")
def test_odd_rows_are_stored_whole_with_a_barrier_before(tile: SimtTile, name: str, n: int, parts: int) -> None:
    shape = (256, n if n > tile.n else n + 128, 128)
    defn = registry.get(name).define((2, *shape) if name == "batch_matmul" else shape, "float32")
    choice = replace(estimate(tile, shape, 132, parts), gathered=True)
    source = gpucomp.source(schedule_simt(defn, choice), defn.args, H100)
    stores = source.split("_ptr += ")[-1].split("__global__")[0]
    assert 1 <= stores.count("__syncthreads") <= 2  # one more where the sums take the place of a slab
    assert "*(float4*)" in stores.split("__syncthreads")[-2]
    last = stores.split("__syncthreads")[-1]
    assert ("*(float2*)" in last) == (n % 2 == 0)
    assert last.count("for (") == 1  # rows only: a thread stores elements of one column


@pytest.mark.parametrize(("name", "parts"), [("matmul", 1), ("matmul", 2), ("batch_matmul", 1)])
def test_products_go_back_and_forth_in_batches_and_parts_too(name: str, parts: int) -> None:
    full = (3, 64, 64, 64) if name == "batch_matmul" else (64, 64, 64)
    defn = registry.get(name).define(full, "float32")
    source = gpucomp.source(with_tile(defn, TINY, (64, 64, 64), parts), defn.args, H100)
    assert "(j_c & 1) == 0 ? i_c : 3 - i_c" in source


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("shape", [(64, 36, 48), (67, 35, 50)])
def test_bias_and_gelu_are_computed_where_the_product_is_stored(shape: tuple[int, int, int], parts: int) -> None:
    operator = registry.get("matmul_bias_gelu")
    defn = operator.define(shape, "float32")
    schedule = with_tile(defn, TINY, shape, parts)
    assert gpucomp.source(schedule, defn.args, H100).count("__global__") == parts
    inputs = operator.make_inputs(shape, "float32", np.random.default_rng(2))
    want = operator.reference(inputs, shape)[0]
    np.testing.assert_allclose(wide(run(schedule, defn, inputs, "interp")), wide(want), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("parts", [1, 2])
def test_a_residual_a_relu_and_a_conversion_need_no_kernel_of_their_own(parts: int) -> None:
    m, n, _ = shape = (67, 36, 50)
    plain = MATMUL.define(shape, "float32")
    (product,) = plain.outputs
    residual = te.placeholder((m, n), "float32", "R")

    def positive(i: Var, j: Var) -> Expr:
        return operators.maximum(product[i, j], te.const(0, "float32"))

    def added(i: Var, j: Var) -> Expr:
        return (relu[i, j] + residual[i, j]).astype("float16")

    relu = te.compute((m, n), positive, name="relu")
    out = te.compute((m, n), added, name="out")
    defn = Definition((*plain.inputs, residual), (out,), (product, relu))
    schedule = with_tile(defn, TINY, shape, parts)
    assert gpucomp.source(schedule, defn.args, H100).count("__global__") == parts
    a, b, r = inputs = whole_inputs(defn)
    got = run(schedule, defn, inputs, "interp")
    want = np.maximum(wide(a) @ wide(b), 0) + wide(r)
    assert got.dtype == np.float16
    assert np.array_equal(got, want.astype(np.float16))


def test_other_types_targets_and_sizes_take_the_other_schedule() -> None:
    shape = (256, 256, 256)
    assert applies(MATMUL.define(shape), H100) is not None
    assert applies(MATMUL.define(shape, "float16"), H100) is None
    assert applies(MATMUL.define(shape), Target("cuda -arch=sm_75")) is None
    assert applies(MATMUL.define(shape), Target("opencl")) is None
    assert applies(MATMUL.define((te.var("m"), 256, 256)), H100) is None
    assert applies(MATMUL.define((7, 4096, 4096)), H100) is None


@pytest.mark.parametrize("arch", tiered(["sm_80", "sm_90a"], ["sm_90a"]))
@pytest.mark.parametrize("shape", tiered(SHAPES, SHAPES[:2]), ids=str)
def test_nothing_is_spilled(shape: tuple[int, int, int], arch: str) -> None:
    _check_no_spills(MATMUL, shape, arch)


@pytest.mark.parametrize("name", LAYOUTS)
def test_nothing_is_spilled_in_other_layouts(name: str) -> None:
    shape = (64, 512, 512, 512) if name == "batch_matmul" else (2048, 2048, 2048)
    _check_no_spills(registry.get(name), shape, "sm_90a")


def _check_no_spills(operator: registry.Operator, shape: tuple[int, ...], arch: str) -> None:
    target = Target(f"cuda -arch={arch}")
    defn = operator.define(shape, "float32")
    image = compile_function(operator.schedule(defn, target), defn.args, target, "product").general.image
    assert "cp.async" in image.source
    assert all([used.spill_bytes == 0 for used in compile_cuda(image, arch).values()])


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["matmul", "matmul_bias_gelu", "matmul_nt", "matmul_tn", "matmul_tt"])
@pytest.mark.parametrize("shape", [*SHAPES[:2], (1000, 37, 513), (333, 517, 129), (2047, 1025, 100)], ids=str)
def test_a_gpu_computes_the_product(shape: tuple[int, int, int], name: str) -> None:
    operator = registry.get(name)
    defn = operator.define(shape, "float32")
    inputs = operator.make_inputs(shape, "float32", np.random.default_rng(1))
    got = run(operator.schedule(defn, Target.from_device("cuda:0")), defn, inputs, "cuda")
    want = wide(operator.reference(inputs, shape)[0])
    assert np.abs(wide(got) - want).max() <= 1e-5 * np.sqrt(np.square(want).mean())
