"""Ready-made tensor intrinsics mean what they declare on every target."""

from __future__ import annotations

from typing import Any  # Any: arrays of several element types

import numpy as np
import pytest

import gpucomp
from gpucomp import te, tir
from gpucomp.driver.build import compile_function
from gpucomp.support.diagnostics import TypeMismatchError
from gpucomp.target import Target
from gpucomp.te import intrinsics
from tests.codegen.devices import compile_cuda
from tests.te.helpers import check, poisoned, small_ints

BX, TX = "blockIdx.x", "threadIdx.x"


def byte_products(kind: str, m: int, n: int, k: int) -> tuple[te.Schedule, list[te.Tensor], list[Any], Any]:
    """C = A @ B.T of bytes, tiles of A and B in local memory, summed by dp4a."""
    total = "int32" if kind == "int8" else "uint32"
    a, b = te.placeholder((m, k), kind, "A"), te.placeholder((n, k), kind, "B")
    r = te.reduce_axis((0, k), "k")
    c = te.compute((m, n), lambda i, j: te.sum(a[i, r].astype(total) * b[j, r].astype(total), axis=r), name="C")
    s = te.create_schedule(c.op)
    cl = s.cache_write(c, "local")
    la, lb = s.cache_read(a, "local", [cl]), s.cache_read(b, "local", [cl])
    s[c].bind(c.op.axis[0], te.thread_axis(BX))
    s[c].bind(c.op.axis[1], te.thread_axis(TX))
    s[cl].compute_at(s[c], c.op.axis[1])
    ko, ki = s[cl].split(s[cl].op.reduce_axis[0], factor=4)
    for t in (la, lb):
        s[t].compute_at(s[cl], ko)
        s[t].vectorize(s[t].op.axis[1])
    s[cl].tensorize(ki, intrinsics.dp4a(dtypes=(kind, kind)))
    low = -128 if kind == "int8" else 0
    random = np.random.default_rng(3)
    x, y = [random.integers(low, low + 256, shape).astype(kind) for shape in ((m, k), (n, k))]
    return s, [a, b, c], [x, y], x.astype(total) @ y.astype(total).T


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_cuda_code_with_dot_products_of_bytes_compiles(kind: str) -> None:
    s, args, _, _ = byte_products(kind, 3, 5, 12)
    target = Target("cuda -arch=sm_80")
    image = compile_function(s, args, target).variants[0].image
    assert all([r.spill_bytes == 0 for r in compile_cuda(image, "sm_80").values()])


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_dot_products_of_bytes(kind: str) -> None:
    s, args, data, want = byte_products(kind, 3, 5, 12)
    check(s, args, data, want)
    for target in ("llvm", "opencl"):
        out = poisoned(want.shape, str(want.dtype))
        gpucomp.build(s, args, target)(*data, out)
        np.testing.assert_array_equal(out, want, err_msg=target)


def test_dot_products_of_bytes_are_one_instruction_where_the_target_has_it() -> None:
    s, args, _, _ = byte_products("int8", 3, 5, 12)
    text = gpucomp.source(s, args, "cuda -arch=sm_80")
    assert text.count("__dp4a(") == 1
    assert "__dp4a" not in gpucomp.source(s, args, Target("cuda").with_options(without=["dp4a"]))
    assert "dp4a" not in gpucomp.source(s, args, "opencl")


def test_dot_products_of_other_types_are_refused() -> None:
    x = tir.const(1, "int16x4")
    with pytest.raises(TypeMismatchError, match="dp4a of int16x4"):
        tir.dp4a(x, x, 0)


@pytest.mark.parametrize("outside", [True, False])
def test_a_product_of_tiles_in_vectors(outside: bool) -> None:
    m, n, k = 8, 16, 12
    a, b = te.placeholder((m, k), name="A"), te.placeholder((k, n), name="B")
    r = te.reduce_axis((0, k), "k")
    c = te.compute((m, n), lambda i, j: te.sum(a[i, r] * b[r, j], axis=r), name="C")
    s = te.create_schedule(c.op)
    xo, yo, xi, yi = s[c].tile(c.op.axis[0], c.op.axis[1], 4, 8)
    ko, ki = s[c].split(r, factor=4 if outside else 12)
    s[c].reorder(xo, yo, ko, xi, yi, ki)
    s[c].tensorize(xi, intrinsics.micro_gemm(4, 8, 4 if outside else 12))
    x, y = small_ints((m, k)), small_ints((k, n), seed=1)
    check(s, [a, b, c], [x, y], x @ y)
    for target in ("llvm",):
        out = poisoned((m, n))
        gpucomp.build(s, [a, b, c], target)(x, y, out)
        np.testing.assert_array_equal(out, x @ y)


def test_a_product_of_a_tile_and_a_vector() -> None:
    a, b = te.placeholder((8, 12), name="A"), te.placeholder((12,), name="B")
    r = te.reduce_axis((0, 12), "k")
    c = te.compute((8,), lambda i: te.sum(a[i, r] * b[r], axis=r), name="C")
    s = te.create_schedule(c.op)
    io, ii = s[c].split(c.op.axis[0], factor=4)
    ko, ki = s[c].split(r, factor=6)
    s[c].reorder(io, ko, ii, ki)
    s[c].bind(io, te.thread_axis(BX))
    s[c].tensorize(ii, intrinsics.gemv(4, 6))
    x, y = small_ints((8, 12)), small_ints((12,), seed=1)
    check(s, [a, b, c], [x, y], x @ y)
    out = poisoned((8,))
    gpucomp.build(s, [a, b, c], "opencl")(x, y, out)
    np.testing.assert_array_equal(out, x @ y)
