"""fp32 products whose operands are transposed by kernels of their own first."""

from __future__ import annotations

import numpy as np
import pytest

from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.kernels.gemm.side_by_side import pieces_of
from gpucomp.kernels.gemm.tiles import Choice
from gpucomp.kernels.gemm.transposed import gains, product_of_rows, schedule_transposed, transposed
from gpucomp.target import Target
from tests.codegen.devices import compile_cuda
from tests.kernels.running import run, whole_inputs, wide
from tests.kernels.test_gemm_simt import TINY

H100 = Target("cuda -arch=sm_90a")


@pytest.mark.parametrize("how", ["interp", "llvm"])
@pytest.mark.parametrize("name", ["matmul", "matmul_nt", "matmul_tt"])
def test_products_of_transposed_operands_are_exact(name: str, how: str) -> None:
    shape = (68, 76, 36)
    operator = registry.get(name)
    defn = transposed(operator.define(shape))
    inputs = whole_inputs(defn)
    schedule = schedule_transposed(defn, H100, Choice(TINY, 1, 36, 0.0, ""))
    assert np.array_equal(wide(run(schedule, defn, inputs, how)), operator.reference(inputs, shape)[0])


def test_large_products_are_transposed_first_where_their_rounds_are_even() -> None:
    operator = registry.get("matmul_nt")
    for size in (4096, 8192):
        defn = operator.define((size, size, size), "float32", H100)
        assert product_of_rows(defn) is not None
        assert len(defn.intermediates) == 2
        assert operator.why(defn, H100).startswith("operands along k are transposed first; then 128x128x8")
    assert len(registry.get("matmul_tt").define((4096, 4096, 4096), "float32", H100).intermediates) == 1
    assert pieces_of(operator.define((4096, 11008, 4096), "float32", H100))


def test_products_along_rows_small_ones_and_those_without_vectors_are_not() -> None:
    for name in ("matmul", "matmul_tn"):
        assert not gains(registry.get(name).define((4096, 4096, 4096)), H100)
    for shape in ((2048, 2048, 2048), (256, 256, 256), (4095, 4096, 4096), (16, 4096, 4096)):
        assert not gains(registry.get("matmul_nt").define(shape), H100)
    assert not registry.get("matmul_nt").define((4096, 4096, 4096), "float32", Target("opencl")).intermediates


def test_the_copies_are_vectors_and_nothing_is_spilled() -> None:
    operator = registry.get("matmul_nt")
    for arch in ("sm_80", "sm_90a"):
        target = Target(f"cuda -arch={arch}")
        defn = transposed(operator.define((4096, 4096, 4096)))
        image = compile_function(operator.schedule(defn, target), defn.args, target, "product").general.image
        assert image.source.count("__global__") == 3
        assert "gc_cp_async_16" in image.source
        assert "gc_cp_async_4" not in image.source
        assert all([used.spill_bytes == 0 for used in compile_cuda(image, arch).values()])


@pytest.mark.cuda
@pytest.mark.parametrize("name", ["matmul_nt", "matmul_tt"])
def test_a_gpu_computes_products_of_transposed_operands(name: str) -> None:
    operator, shape = registry.get(name), (1000, 1124, 508)
    target = Target.from_device("cuda:0")
    defn = transposed(operator.define(shape))
    inputs = operator.make_inputs(shape, "float32", np.random.default_rng(1))
    got = wide(run(operator.schedule(defn, target), defn, inputs, "cuda"))
    want = wide(operator.reference(inputs, shape)[0])
    assert np.abs(got - want).max() <= 1e-4 * np.sqrt(np.square(want).mean())


@pytest.mark.parametrize(("name", "shape"), [("matmul_nt", (4096, 4096, 4096)), ("matmul", (4096, 11008, 4096))])
def test_other_forms_are_taken_where_they_were_measured_only(name: str, shape: tuple[int, ...]) -> None:
    form = registry.get(name).form
    assert form(shape, "float32", H100) is not None
    for arch in ("sm_80", "sm_90"):
        assert form(shape, "float32", Target(f"cuda -arch={arch}")) is None
