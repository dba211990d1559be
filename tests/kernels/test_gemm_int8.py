"""Products of 8-bit integers by dot products of four bytes: every tile, odd sizes, ends of the range, code."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

import gpucomp
from gpucomp.driver.build import compile_function, lower_primfunc
from gpucomp.driver.variants import make_variants
from gpucomp.kernels import registry
from gpucomp.kernels.arrays import Array
from gpucomp.kernels.gemm.schedule_simt import applies
from gpucomp.kernels.gemm.tiles import TILES
from gpucomp.runtime.ndarray import NDArray
from gpucomp.support.dtype import DType
from gpucomp.target import Target
from gpucomp.te import lower_schedule
from tests import amd
from tests.codegen.devices import compile_cuda
from tests.kernels.running import H100, run
from tests.kernels.test_gemm_simt import TINY, with_tile

PRODUCT = registry.get("matmul_int8")
SLICED = TILES[-1]


def whole_range(shape: tuple[int, int, int]) -> list[Array]:
    """Bytes of the whole range; the first rows are all -128, whose products are the largest."""
    rng = np.random.default_rng(7)
    a, b = [rng.integers(-128, 128, s).astype(np.int8) for s in ((shape[0], shape[2]), (shape[1], shape[2]))]
    a[0], b[0] = -128, -128
    return [a, b]


def exact(a: Array, b: Array) -> Array:
    return a.astype(np.int64) @ b.astype(np.int64).T


@pytest.mark.parametrize("tile", [t for t in TILES if t.slices == 1], ids=lambda t: f"{t.m}x{t.n}x{t.k}t{t.threads}")
def test_every_tile_is_exact_past_its_edges(tile: object) -> None:
    chosen = next(t for t in TILES if t is tile)
    shape = (chosen.m + 1, chosen.n + 3, 12 * chosen.k + 20)
    defn = PRODUCT.define(shape, "int8")
    inputs = whole_range(shape)
    assert np.array_equal(run(with_tile(defn, chosen, shape), defn, inputs, "interp"), exact(*inputs))


def test_slices_and_parts_of_k_are_exact() -> None:
    for tile, parts, k in ((SLICED, 1, 512), (TINY, 3, 388)):
        shape = (tile.m + 1, tile.n + 3, k)
        defn = PRODUCT.define(shape, "int8")
        inputs = whole_range(shape)
        assert np.array_equal(run(with_tile(defn, tile, shape, parts), defn, inputs, "interp"), exact(*inputs))


@pytest.mark.opencl
@pytest.mark.parametrize("how", ["llvm", "opencl"])
def test_processors_and_opencl_run_it_too(how: str) -> None:
    shape = (67, 37, 76)
    defn = PRODUCT.define(shape, "int8")
    inputs = whole_range(shape)
    assert np.array_equal(run(with_tile(defn, TINY, shape), defn, inputs, how), exact(*inputs))


def test_rows_of_no_whole_words_take_the_general_schedule() -> None:
    assert applies(PRODUCT.define((256, 256, 256), "int8"), H100) is not None
    assert applies(PRODUCT.define((256, 256, 258), "int8"), H100) is None
    without = Target("cuda -arch=sm_90a").with_options(without=["dp4a"])
    assert applies(PRODUCT.define((256, 256, 256), "int8"), without) is None
    shape = (70, 37, 30)
    defn = PRODUCT.define(shape, "int8")
    inputs = whole_range(shape)
    assert np.array_equal(run(PRODUCT.schedule(defn, H100), defn, inputs, "interp"), exact(*inputs))


@pytest.mark.parametrize("arch", ["sm_80", "sm_90a"])
@pytest.mark.parametrize("shape", [(4096, 4096, 4096), (1000, 40, 520), (32, 4096, 4096)], ids=str)
def test_bytes_stay_in_words_from_memory_to_the_instruction(shape: tuple[int, int, int], arch: str) -> None:
    target = Target(f"cuda -arch={arch}")
    defn = PRODUCT.define(shape, "int8")
    image = compile_function(PRODUCT.schedule(defn, target), defn.args, target, "product").general.image
    assert "__dp4a(" in image.source
    assert "cp_async" in image.source
    assert "make_char4" not in image.source
    assert ">> 8" not in re.sub(r"blockIdx_x >> 8|threadIdx_x >> 8", "", image.source)
    assert all([used.spill_bytes == 0 for used in compile_cuda(image, arch).values()])


@pytest.mark.slow
@pytest.mark.parametrize("chip", ["gfx90a", "gfx942", "gfx1100"])
def test_amd_s_compiler_makes_dot_products_of_the_plain_sums(chip: str) -> None:
    target = Target("opencl")
    defn = PRODUCT.define((1024, 1024, 1024), "int8")
    text = amd.compile_for(chip, gpucomp.source(PRODUCT.schedule(defn, target), defn.args, target)).assembly
    assert len(re.findall(r"\bv_dot4\w*_i32_i\w*8", text)) >= 16
    assert "s_swappc" not in text
    assert not re.search(r"v_mul_i32_i24|v_mad_i32_i24", text)


@pytest.mark.cuda
@pytest.mark.parametrize(
    "shape",
    [(1024, 1024, 1024), (1000, 40, 520), (32, 4096, 4096), (257, 129, 1028), (130, 70, 30), (100, 33, 36), (1, 5, 4)],
    ids=str,
)
def test_a_gpu_computes_them_exactly(shape: tuple[int, int, int]) -> None:
    defn = PRODUCT.define(shape, "int8")
    inputs = whole_range(shape)
    got = run(PRODUCT.schedule(defn, Target.from_device("cuda:0")), defn, inputs, "cuda")
    assert np.array_equal(got, exact(*inputs))


def test_arrays_at_odd_addresses_have_a_form_of_their_own() -> None:
    defn = PRODUCT.define((130, 70, 260), "int8")
    func = lower_schedule(PRODUCT.schedule(defn, H100), defn.args, "product")
    (found,) = [v for v in make_variants(func, H100, lower_primfunc) if v.note.startswith("unaligned")]
    assert "gc_word_int32(make_char4(" in found.image.source
    assert compile_cuda(found.image, "sm_90a")


def at_an_odd_address(array: Array) -> NDArray:
    whole = gpucomp.nd.array(np.concatenate([np.zeros(1, array.dtype), array.ravel()]), gpucomp.cuda(0))
    start = whole.memory.address + 1
    memory = dataclasses.replace(whole.memory, address=start, handle=start)
    return NDArray(memory, array.shape, DType(array.dtype.name), gpucomp.cuda(0), allocation=whole.allocation)


@pytest.mark.cuda
def test_a_gpu_reads_bytes_at_odd_addresses() -> None:
    shape = (130, 70, 260)
    defn = PRODUCT.define(shape, "int8")
    inputs = whole_range(shape)
    target = Target.from_device("cuda:0")
    module = gpucomp.build(PRODUCT.schedule(defn, target), defn.args, target)
    out = module(*[at_an_odd_address(x) for x in inputs])
    assert isinstance(out, NDArray)
    assert np.array_equal(out.numpy(), exact(*inputs))
