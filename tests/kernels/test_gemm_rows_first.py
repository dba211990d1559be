"""fp32 products whose operands are written out along rows by kernels of their own first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.kernels.gemm.layout import operands_of
from gpucomp.kernels.gemm.rows_first import plan_of, product_of_rows, rows_first, schedule_rows_first
from gpucomp.kernels.gemm.schedule_simt import applies
from gpucomp.kernels.gemm.tiles import WHOLE_TILES, candidates, choose, estimate
from gpucomp.target import Target
from tests.codegen.devices import compile_cuda
from tests.kernels.running import run, whole_inputs, wide
from tests.kernels.test_gemm_simt import TINY

H100 = Target("cuda -arch=sm_90a")
NAMES = ("matmul", "matmul_nt", "matmul_tn", "matmul_tt")
ODD = ((67, 71, 50), (68, 71, 36), (67, 76, 35), (130, 135, 132))


@pytest.mark.parametrize(  # one form of the large one: it is slow in the interpreter, and has no other loops there
    ("shape", "how"), [(shape, how) for shape in ODD for how in ("interp", "llvm") if how == "llvm" or shape[0] < 100]
)
@pytest.mark.parametrize("name", NAMES)
def test_products_of_operands_along_rows_are_exact(name: str, shape: tuple[int, int, int], how: str) -> None:
    operator = registry.get(name)
    defn = rows_first(operator.define(shape), H100, TINY.k)
    inputs = whole_inputs(defn)
    choice = replace(estimate(TINY, shape, 132, 1, 1, 0), gathered=shape[1] % 4 != 0)
    got = run(schedule_rows_first(defn, H100, choice), defn, inputs, how)
    assert np.array_equal(wide(got), operator.reference(inputs, shape)[0])


@pytest.mark.opencl
@pytest.mark.parametrize("how", ["interp", "opencl"])
def test_depths_that_are_filled_up_are_split_too(how: str) -> None:
    shape = (67, 71, 102)
    operator = registry.get("matmul_nt")
    defn = rows_first(operator.define(shape), H100, TINY.k)
    rows = product_of_rows(defn)
    assert rows is not None
    assert operands_of(rows).k == 112
    choice = replace(estimate(TINY, (67, 71, 112), 132, 3, 1, 0), gathered=True)
    inputs = whole_inputs(defn)
    got = run(schedule_rows_first(defn, H100, choice), defn, inputs, how)
    assert np.array_equal(wide(got), operator.reference(inputs, shape)[0])


def test_the_choice_is_that_of_the_plan_once_the_depth_is_filled_up() -> None:
    for name, shape in (
        ("matmul_nt", (1868, 1731, 1602)),
        ("matmul_nt", (3133, 4979, 1989)),
        ("matmul_tt", (4096,) * 3),
    ):
        product = registry.get(name).define(shape)
        plan = plan_of(product, H100)
        assert plan is not None
        defn = rows_first(product, H100, plan.choice.tile.k)
        rows = product_of_rows(defn)
        assert rows is not None
        choice = applies(rows, H100)
        assert choice is not None
        assert (choice.tile, choice.parts, choice.gathered) == (
            plan.choice.tile,
            plan.choice.parts,
            plan.choice.gathered,
        )
        assert registry.get(name).why(defn, H100).startswith("operands are written out along rows first; then ")


def test_small_ones_other_types_batches_and_other_devices_stay_as_they_are() -> None:
    for size in (4096, 8192):
        assert plan_of(registry.get("matmul_nt").define((size, size, size)), H100) is not None
        assert plan_of(registry.get("matmul_tn").define((size, size, size)), H100) is None
    for shape in ((256, 256, 256), (255, 257, 259), (16, 4096, 4096), (656, 4967, 469)):
        assert plan_of(registry.get("matmul_nt").define(shape), H100) is None
    assert plan_of(registry.get("batch_matmul").define((64, 513, 513, 513)), H100) is None
    assert plan_of(registry.get("matmul_int8").define((4096, 4096, 4096), "int8"), H100) is None
    assert not registry.get("matmul_nt").define((4096, 4096, 4096), "float32", Target("opencl")).intermediates


def test_rates_of_whole_rows_are_for_such_operands_of_odd_results_only() -> None:
    shape = (4096, 4097, 4096)
    assert [c.tile for c in candidates(shape, H100, 1, 0, whole=True) if c.tile not in WHOLE_TILES] == []
    assert candidates((4096, 4096, 4096), H100, 1, 0, whole=True) == candidates((4096, 4096, 4096), H100, 1, 0)
    direct, whole = choose(shape, H100, 1, 0), choose(shape, H100, 1, 0, whole=True)
    assert direct is not None
    assert whole is not None
    assert whole.microseconds < direct.microseconds


@pytest.mark.parametrize(
    ("name", "shape", "moved"),
    [
        ("matmul_nt", (1868, 1731, 1602), ["A_rows", "B_rows"]),
        ("matmul_tt", (1620, 2678, 2958), ["B_vectors", "B_rows"]),  # rows of an even length stay
        ("matmul", (1793, 3714, 3247), ["A_vectors", "A_rows"]),
        ("matmul", (1793, 3715, 3247), []),
        ("matmul", (4096, 4096, 4096), []),
        ("matmul_tn", (3189, 2197, 4906), []),
        ("matmul_nt", (8192, 8192, 8192), ["A_vectors", "A_rows", "B_vectors", "B_rows"]),
    ],
)
def test_what_is_along_k_or_in_odd_rows_is_written_out(
    name: str, shape: tuple[int, int, int], moved: list[str]
) -> None:
    defn = registry.get(name).define(shape, "float32", H100)
    assert [tensor.op.name for tensor in defn.intermediates] == moved


@pytest.mark.parametrize("shape", [(4096, 4096, 4096), (1868, 1731, 1602)], ids=str)
def test_the_copies_are_vectors_and_nothing_is_spilled(shape: tuple[int, int, int]) -> None:
    operator = registry.get("matmul_nt")
    for arch in ("sm_80", "sm_90a"):
        target = Target(f"cuda -arch={arch}")
        defn = rows_first(operator.define(shape), target, 16)
        image = compile_function(operator.schedule(defn, target), defn.args, target, "product").general.image
        assert image.source.count("__global__") >= 3
        assert "gc_cp_async_" in image.source
        assert "_4(void* to" not in image.source
        assert all([used.spill_bytes == 0 for used in compile_cuda(image, arch).values()])


@pytest.mark.cuda
@pytest.mark.parametrize(
    ("name", "shape"),
    [
        *[(name, shape) for name in NAMES for shape in ((1001, 1125, 509), (1003, 1126, 512))],
        *[(name, (1000, 1124, 508)) for name in NAMES if name != "matmul_tn"],  # whose operands are along rows
    ],
    ids=str,
)
def test_a_gpu_computes_products_of_operands_along_rows(name: str, shape: tuple[int, int, int]) -> None:
    operator = registry.get(name)
    target = Target.from_device("cuda:0")
    defn = rows_first(operator.define(shape), target, 16)
    assert defn.intermediates
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
