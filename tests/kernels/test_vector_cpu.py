"""Products of a matrix and a vector on processors, and sums along rows: several streams of rows side by side."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.driver.build import lower_primfunc
from gpucomp.kernels import registry
from gpucomp.kernels.gemm.layout import operands_of
from gpucomp.kernels.gemm.schedule_vector_cpu import LINES, STREAMS, takes_vector
from gpucomp.support.config import config
from gpucomp.te import lower_schedule
from gpucomp.tir.interp import interpret
from tests.kernels.running import CPU, compare
from tests.tiers import tiered

LAYOUTS = ["matmul", "matmul_nt", "matmul_tn", "matmul_tt"]
# One row, and one column; streams and their ends, lanes and lines that are left over.
PRODUCTS = [(1, 1, 32), (1, 130, 257), (1, 1000, 37), (1, 4099, 65), (77, 1, 129), (3, 1, 64), (300, 1, 1025)]
ROWS = [(1, 3), (77, 129), (1000, 33), (64, 64), (300, 1025)]


@pytest.mark.parametrize("shape", tiered(PRODUCTS, PRODUCTS[1:5:2]))
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_matrix_in_any_layout_times_a_vector(name: str, shape: tuple[int, ...]) -> None:
    operator = registry.get(name)
    assert takes_vector(operands_of(operator.define(shape, "float32")))
    compare(name, shape)


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
@pytest.mark.parametrize("name", ["matmul", "matmul_nt"])
def test_vectors_of_other_types(name: str, dtype: str) -> None:
    compare(name, (1, 70, 161), dtype)


def test_what_follows_the_product_is_computed_with_it() -> None:
    compare("matmul_bias_gelu", (1, 130, 257))
    compare("matmul_bias_gelu", (67, 1, 130))


def test_bytes_by_a_vector_are_exact() -> None:
    compare("matmul_int8", (50, 1, 260), "int8")
    compare("matmul_int8", (1, 50, 259), "int8")


@pytest.mark.parametrize("shape", tiered(ROWS, ROWS[1:3]))
@pytest.mark.parametrize("name", ["gemv", "row_sum", "row_mean", "row_max", "row_norm"])
def test_sums_along_rows(name: str, shape: tuple[int, ...]) -> None:
    compare(name, shape)


@pytest.mark.parametrize("count", [1, 2, 40])
def test_any_number_of_threads(count: int) -> None:
    with config.override(num_threads=count):
        compare("matmul", (1, 300, 130))
        compare("matmul_nt", (1, 301, 131))


def test_short_sums_and_batches_are_products_like_others() -> None:
    for name, shape in (("matmul", (1, 64, 31)), ("matmul_nt", (2, 64, 64)), ("batch_matmul", (3, 1, 64, 64))):
        assert not takes_vector(operands_of(registry.get(name).define(shape, "float32")))


def test_rows_and_columns_of_symbolic_number() -> None:
    n, k = te.var("n"), te.var("k")
    operator = registry.get("gemv")
    defn = operator.define((n, k), "float32")
    module = gpucomp.build(operator.schedule(defn, CPU), defn.args, CPU)
    for shape in ((5, 7), (130, 70)):
        inputs, (got,) = (
            operator.make_inputs(shape, "float32", np.random.default_rng(1)),
            operator.make_outputs(shape, "float32"),
        )
        module(*inputs, got)
        assert np.allclose(got, operator.reference(inputs, shape)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "shape"), [("matmul", (1, 37, 65)), ("matmul_nt", (1, 37, 65))])
def test_the_schedule_means_the_same_to_the_interpreter(name: str, shape: tuple[int, ...]) -> None:
    operator = registry.get(name)
    defn = operator.define(shape, "float32")
    inputs, (got,) = (
        operator.make_inputs(shape, "float32", np.random.default_rng(3)),
        operator.make_outputs(shape, "float32"),
    )
    lowered = lower_schedule(operator.schedule(defn, CPU), defn.args, name)
    interpret(lower_primfunc(lowered, CPU), [*inputs, got])
    assert np.allclose(got, operator.reference(inputs, shape)[0], rtol=1e-5, atol=1e-5)


def test_lines_of_one_stream_stand_together_and_streams_lie_apart() -> None:
    operator = registry.get("matmul")
    defn = operator.define((1, 256, 256), "float32")
    text = str(gpucomp.lower(operator.schedule(defn, CPU), defn.args, simple_mode=True))
    streams, lines = text.find(f"in T.unroll({STREAMS})"), text.rfind(f"in T.unroll({LINES})")
    assert 0 < streams < lines
