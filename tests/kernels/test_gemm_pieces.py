"""fp32 products in two pieces, side by side in one result."""

from __future__ import annotations

import re

import numpy as np
import pytest

from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.kernels.gemm.schedule_simt import applies
from gpucomp.kernels.gemm.side_by_side import cut, cut_of, pieces_of, schedule_pieces
from gpucomp.kernels.gemm.tiles import Choice
from gpucomp.kernels.registry import extent
from gpucomp.target import Target
from tests.codegen.devices import compile_cuda
from tests.kernels.running import run, whole_inputs, wide
from tests.kernels.test_gemm_simt import TINY

H100 = Target("cuda -arch=sm_90a")


def choice(k: int, parts: int) -> Choice:
    return Choice(TINY, parts, -(-k // (TINY.k * parts)) * TINY.k, 0.0, "")


@pytest.mark.parametrize("how", ["interp", "llvm"])
@pytest.mark.parametrize(("name", "axis"), [("matmul", 1), ("matmul_nt", 0), ("matmul_tn", 1), ("matmul_tt", 0)])
def test_pieces_with_tiles_of_their_own_are_exact(name: str, axis: int, how: str) -> None:
    shape = (72, 84, 40)
    operator = registry.get(name)
    defn = cut(operator.define(shape), axis, 32)
    inputs = whole_inputs(defn)
    schedule = schedule_pieces(defn, H100, [choice(40, 1), choice(40, 2)])
    assert np.array_equal(wide(run(schedule, defn, inputs, how)), operator.reference(inputs, shape)[0])


@pytest.mark.parametrize("axis", [0, 1])
def test_each_piece_computes_what_follows_the_product(axis: int) -> None:
    operator, shape = registry.get("matmul_bias_gelu"), (64, 68, 32)
    defn = cut(operator.define(shape), axis, 32)
    inputs = operator.make_inputs(shape, "float32", np.random.default_rng(3))
    want = wide(operator.reference(inputs, shape)[0])
    got = wide(run(schedule_pieces(defn, H100, [choice(32, 1), choice(32, 1)]), defn, inputs, "interp"))
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["matmul", "matmul_bias_gelu"])
def test_a_last_round_of_few_blocks_is_a_piece_of_its_own(name: str) -> None:
    operator = registry.get(name)
    for shape in ((4096, 11008, 4096), (11008, 4096, 4096)):
        defn = operator.define(shape, "float32", H100)
        head, tail = pieces_of(defn)
        assert [extent(size) for size in head.outputs[0].shape] == [
            10496 if size == 11008 else size for size in shape[:2]
        ]
        for piece in (head, tail):
            chosen = applies(piece, H100)
            assert chosen is not None
            assert chosen.tile.resident * 132 * 0.9 < int(chosen.reason.split(": ")[1].split()[0])
        assert operator.why(defn, H100).count("a multiprocessor") == 2


def test_products_of_even_rounds_other_types_and_targets_stay_whole() -> None:
    matmul = registry.get("matmul")
    for shape in ((4096, 4096, 4096), (8192, 8192, 8192), (1024, 1024, 1024), (16, 4096, 4096), (4095, 4097, 4099)):
        assert cut_of(matmul.define(shape), H100) is None
    assert cut_of(registry.get("matmul_tn").define((4096, 11008, 4096)), H100) is None
    assert cut_of(matmul.define((4096, 11008, 4096)), Target("cuda -arch=sm_80")) is None
    assert not pieces_of(matmul.define((4096, 11008, 4096), "float16", H100))
    assert not pieces_of(matmul.define((4096, 11008, 4096), "float32", Target("opencl")))
    assert not pieces_of(matmul.define((4096, 11008, 4096), "float32", Target("llvm")))


def test_both_kernels_write_one_result_and_spill_nothing() -> None:
    for arch in ("sm_80", "sm_90a"):
        target = Target(f"cuda -arch={arch}")
        matmul = registry.get("matmul")
        defn = cut(matmul.define((4096, 11008, 4096)), 1, 10496)
        image = compile_function(matmul.schedule(defn, target), defn.args, target, "pieces").general.image
        assert len(re.findall(r"^ +float\* __restrict__ C[,)]", image.source, re.M)) == 2  # the tail in parts first
        assert all([used.spill_bytes == 0 for used in compile_cuda(image, arch).values()])


@pytest.mark.cuda
@pytest.mark.parametrize("shape", [(2048, 11008, 512), (3072, 3072, 1024)], ids=str)
@pytest.mark.parametrize("name", ["matmul", "matmul_nt", "matmul_bias_gelu"])
def test_a_gpu_computes_products_in_pieces(name: str, shape: tuple[int, int, int]) -> None:
    operator = registry.get(name)
    target = Target.from_device("cuda:0")
    defn = cut(operator.define(shape), 1, 2816)
    inputs = operator.make_inputs(shape, "float32", np.random.default_rng(1))
    got = wide(run(operator.schedule(defn, target), defn, inputs, "cuda"))
    want = wide(operator.reference(inputs, shape)[0])
    assert np.abs(got - want).max() <= 1e-4 * np.sqrt(np.square(want).mean())
