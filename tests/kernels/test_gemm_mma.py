"""16-bit products of the library on tensor cores."""

from __future__ import annotations

import numpy as np
import pytest

from gpucomp.driver.build import compile_function, lower_primfunc
from gpucomp.kernels import registry
from gpucomp.kernels.gemm.schedule_gpu import schedule_matmul
from gpucomp.kernels.gemm.schedule_mma import choice_of, schedule_mma
from gpucomp.kernels.gemm.tiles_mma import TILES, MmaChoice, MmaTile
from gpucomp.target import Target
from gpucomp.te import lower_schedule
from gpucomp.tir.interp import interpret
from tests.codegen.devices import compile_cuda
from tests.kernels.running import run, wide
from tests.tiers import slow

H100 = Target("cuda -arch=sm_90a")
SMALL = MmaChoice(MmaTile(64, 64, 32, 32, 32, 3, 1, 1.0, 1.0, spread=True), 0.0, "")


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("matmul", (100, 72, 136), "float16"),
        ("matmul", (40, 136, 40), "bfloat16"),
        ("matmul_nt", (33, 41, 64), "float16"),  # an odd number of columns
        ("matmul_tn", (104, 40, 72), "float16"),
        ("matmul_tn", (8, 40, 136), "float16"),
        ("matmul_tt", (40, 72, 40), "bfloat16"),
        ("batch_matmul", (2, 36, 72, 40), "float16"),
        ("matmul_bias_gelu", (72, 136, 40), "float16"),
    ],
)
def test_products_of_any_number_of_rows_and_columns_are_right(name: str, shape: tuple[int, ...], dtype: str) -> None:
    operator = registry.get(name)
    defn = operator.compute(shape, dtype)
    choice = SMALL if shape[-3] >= 32 else MmaChoice(TILES[-1], 0.0, "")
    func = lower_primfunc(lower_schedule(schedule_mma(defn, choice), defn.args), H100)
    inputs = operator.make_inputs(shape, dtype, np.random.default_rng(0))
    outputs = operator.make_outputs(shape, dtype)
    interpret(func, [*inputs, *outputs])
    for found, want in zip(outputs, operator.reference(inputs, shape), strict=True):
        error = np.abs(np.subtract(found, want, dtype=np.float64)).max() / np.abs(want).max()
        assert error <= operator.tolerance(dtype)


@pytest.mark.parametrize("tile", [TILES[0], *slow(*TILES[1:])])
def test_each_tile_compiles_without_spills(tile: MmaTile) -> None:
    operator = registry.get("matmul_nt")
    defn = operator.compute((300, 520, 136), "float16")
    schedule = schedule_mma(defn, MmaChoice(tile, 0.0, ""))
    image = compile_function(schedule, defn.args, H100, "product", None).general.image
    assert "mma.sync" in image.source
    (used,) = compile_cuda(image, "sm_90a").values()
    assert used.spill_bytes == 0
    assert used.registers * tile.threads * tile.resident <= 65536


def test_large_products_get_large_tiles_and_small_ones_small_tiles() -> None:
    operator = registry.get("matmul")
    found = [choice_of(operator.compute(shape, "float16"), H100) for shape in ((4096, 4096, 4096), (256, 256, 1024))]
    large, small = [choice.tile for choice in found if choice is not None]
    assert large.m * large.n == 128 * 256
    assert small.m * small.n <= 64 * 64
    said = operator.why(operator.compute((4096, 4096, 4096), "float16"), H100)
    assert said.startswith(f"tensor cores (mma.sync m16n8k16), {large.m}x{large.n}x{large.k}")


@pytest.mark.parametrize(
    ("shape", "dtype", "target"),
    [
        ((256, 252, 256), "float16", "cuda -arch=sm_90a"),  # rows of B are no whole pieces of 16 bytes
        ((256, 256, 252), "float16", "cuda -arch=sm_90a"),
        ((256, 256, 32), "float16", "cuda -arch=sm_90a"),
        ((256, 24, 256), "float16", "cuda -arch=sm_90a"),
        ((256, 256, 256), "float32", "cuda -arch=sm_90a"),
        ((256, 256, 256), "float16", "cuda -arch=sm_75"),
        ((256, 256, 256), "float16", "opencl"),
    ],
)
def test_other_products_keep_their_kernels(shape: tuple[int, ...], dtype: str, target: str) -> None:
    defn = registry.get("matmul").compute(shape, dtype)
    assert choice_of(defn, Target(target)) is None
    assert "mma" not in str(schedule_matmul(defn, Target(target)).trace)


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("matmul", (1, 136, 136)),
        ("matmul", (256, 256, 256)),
        ("matmul", (333, 264, 520)),
        ("matmul_nt", (77, 131, 136)),
        ("matmul_nt", (1111, 517, 2048)),
        ("matmul_tn", (104, 1000, 333)),
        ("matmul_tt", (136, 203, 72)),
        ("batch_matmul", (5, 100, 72, 136)),
        ("matmul_bias_gelu", (301, 136, 264)),
    ],
)
def test_a_gpu_computes_the_product(name: str, shape: tuple[int, ...], dtype: str) -> None:
    operator = registry.get(name)
    defn, target = operator.compute(shape, dtype), Target.from_device("cuda:0")
    assert choice_of(defn, target) is not None
    inputs = operator.make_inputs(shape, dtype, np.random.default_rng(1))
    got = wide(run(operator.schedule(defn, target), defn, inputs, "cuda"))
    want = wide(operator.reference(inputs, shape)[0])
    assert np.abs(got - want).max() <= operator.tolerance(dtype) * np.abs(want).max()
