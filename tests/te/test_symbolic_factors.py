"""Split factors that are variables: kernel arguments, or given values after lowering."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any  # Any: factors are numbers or expressions

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.analysis import kernel_limits, kernel_uses
from gpucomp.ir.structural import assert_structural_equal
from gpucomp.support.diagnostics import ArgumentError, LowerError, ScheduleError
from gpucomp.te import Schedule, Tensor
from gpucomp.tir.expr import Var

EVERY_DEVICE = [
    "llvm",
    pytest.param("opencl", marks=pytest.mark.opencl),
    pytest.param("cuda", marks=pytest.mark.cuda),
]
NAMES = ("ty", "tx", "tm", "tn", "tk")


def two_stages(factor: Any, extent: Any = 64, *, threads: bool, inline: bool) -> tuple[Schedule, list[Tensor]]:
    """B = A + 1, C = B * 2, with the loop of C split."""
    a = te.placeholder((extent,), name="A")
    b = te.compute((extent,), lambda i: a[i] + 1.0, name="B")
    c = te.compute((extent,), lambda i: b[i] * 2.0, name="C")
    s = te.create_schedule(c.op)
    outer, inner = s[c].split(c.op.axis[0], factor=factor)
    if threads:
        s[c].bind(outer, te.thread_axis("blockIdx.x"))
        s[c].bind(inner, te.thread_axis("threadIdx.x"))
    if inline:
        s[b].compute_inline()
        return s, [a, c]
    s[b].compute_at(s[c], outer)
    if threads:
        s[b].bind(s[b].op.axis[0], te.thread_axis("threadIdx.x"))
    return s, [a, c]


def matmul(ty: Any, tx: Any, tm: Any, tn: Any, tk: Any, *, n: int = 24) -> tuple[Schedule, list[Tensor]]:
    """ty x tx threads, each with tm x tn sums, over slices of tk in shared memory."""
    a, b = te.placeholder((n, n), name="A"), te.placeholder((n, n), name="B")
    k = te.reduce_axis((0, n), "k")
    c = te.compute((n, n), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="C")
    s = te.create_schedule(c.op)
    sums = s.cache_write(c, "local")
    fetched = [s.cache_read(x, "shared", [sums]) for x in (a, b)]
    i, j = c.op.axis
    iq, im = s[c].split(i, factor=tm)
    io, it = s[c].split(iq, factor=ty)
    jq, jm = s[c].split(j, factor=tn)
    jo, jt = s[c].split(jq, factor=tx)
    s[c].reorder(io, jo, it, jt, im, jm)
    for axis, tag in ((io, "blockIdx.y"), (jo, "blockIdx.x"), (it, "threadIdx.y"), (jt, "threadIdx.x")):
        s[c].bind(axis, te.thread_axis(tag))
    s[sums].compute_at(s[c], jt)
    ko, ki = s[sums].split(s[sums].op.reduce_axis[0], factor=tk)
    s[sums].reorder(ko, ki, *s[sums].op.axis)
    for x in fetched:
        s[x].compute_at(s[sums], ko)
        y, yi = s[x].split(s[x].op.axis[0], nparts=ty)
        z, zi = s[x].split(s[x].op.axis[1], nparts=tx)
        s[x].reorder(y, z, yi, zi)
        s[x].bind(y, te.thread_axis("threadIdx.y"))
        s[x].bind(z, te.thread_axis("threadIdx.x"))
    return s, [a, b, c]


def sketch() -> tuple[list[Var], gpucomp.tir.PrimFunc]:
    """The matrix product with all tile sizes open."""
    tiles = [te.var(name) for name in NAMES]
    s, args = matmul(*tiles)
    return tiles, gpucomp.lower(s, [*tiles, *args], simple_mode=True)["main"]


# -- as arguments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("extent", "inline"), [(64, True), (61, False), (None, True), (None, False)])
def test_a_factor_may_be_an_argument_of_a_loop_nest(extent: int | None, inline: bool) -> None:
    f = te.var("f")
    s, args = two_stages(f, te.var("n") if extent is None else extent, threads=False, inline=inline)
    module = gpucomp.build(s, [f, *args], "llvm")
    x = np.random.default_rng(0).random(extent or 61, np.float32)
    for value in (1, 7, 8, 64, 100):
        np.testing.assert_array_equal(np.asarray(module(value, x)), (x + 1) * 2)


@pytest.mark.parametrize("target", EVERY_DEVICE)
def test_a_factor_may_be_the_number_of_threads(target: str) -> None:
    f = te.var("f")
    s, args = two_stages(f, 61, threads=True, inline=True)
    module = gpucomp.build(s, [f, *args], target)
    x = np.random.default_rng(0).random(61, np.float32)
    for value in (1, 7, 32, 100):
        np.testing.assert_array_equal(np.asarray(module(value, x)), (x + 1) * 2)


@pytest.mark.parametrize("value", [0, -8])
def test_a_factor_below_one_is_refused_by_the_call(value: int) -> None:
    f = te.var("f")
    s, args = two_stages(f, threads=False, inline=True)
    with pytest.raises(ArgumentError, match="GC617") as caught:
        gpucomp.build(s, [f, *args], "llvm")(value, np.zeros(64, np.float32))
    assert "argument 1 (f)" in str(caught.value)
    assert caught.value.hint


def test_a_factor_that_is_an_extent_too_may_be_zero() -> None:
    n, m = te.var("n"), te.var("m")
    a = te.placeholder((m, n), name="A")
    b = te.compute((m, n), lambda i, j: a[i, j] + 1.0, name="B")
    s = te.create_schedule(b.op)
    s[b].split(s[b].fuse(*b.op.axis), nparts=m)
    module = gpucomp.build(s, [a, b], "llvm")
    for shape in ((3, 4), (3, 0), (1, 1)):
        np.testing.assert_array_equal(module(np.ones(shape, np.float32)), np.full(shape, 2, np.float32))


# -- given values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [True, False])
@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize("value", [7, 8, 64])
def test_a_sketch_with_a_value_is_the_schedule_with_that_value(threads: bool, inline: bool, value: int) -> None:
    f = te.var("f")
    s, args = two_stages(f, threads=threads, inline=inline)
    given = gpucomp.lower(s, [f, *args], simple_mode=True)["main"].specialize({f: value})
    assert f not in given.params
    direct = two_stages(value, threads=threads, inline=inline)
    assert_structural_equal(gpucomp.lower(given)["main"], gpucomp.lower(*direct)["main"], map_free_vars=True)


@pytest.mark.parametrize("values", [(4, 4, 2, 2, 8), (8, 4, 3, 2, 5), (2, 3, 1, 4, 24), (1, 1, 1, 1, 1)])
def test_a_tiled_product_with_five_open_factors(values: Sequence[int]) -> None:
    tiles, func = sketch()
    given = func.specialize(dict(zip(tiles, values, strict=True)))
    direct = matmul(*values)
    lowered = gpucomp.lower(given)["main"]
    assert_structural_equal(lowered, gpucomp.lower(*direct)["main"], map_free_vars=True)
    a, b = np.random.default_rng(0).random((2, 24, 24), np.float32)
    np.testing.assert_allclose(np.asarray(gpucomp.build(given, target="llvm")(a, b)), a @ b, rtol=1e-5)


@pytest.mark.opencl
def test_a_tiled_product_with_given_factors_on_opencl() -> None:
    tiles, func = sketch()
    given = func.specialize(dict(zip(tiles, (4, 8, 3, 2, 5), strict=True)))
    a, b = np.random.default_rng(0).random((2, 24, 24), np.float32)
    np.testing.assert_allclose(np.asarray(gpucomp.build(given, target="opencl")(a, b)), a @ b, rtol=1e-5)


# -- limits ----------------------------------------------------------------------------------------------------------


def test_limits_are_expressions_of_the_factors() -> None:
    tiles, func = sketch()
    [limits] = kernel_limits(func)
    compute = limits.function(tiles)
    rows = np.array([(4, 4, 2, 2, 8), (8, 4, 3, 2, 5), (2, 3, 1, 4, 24)])
    many = compute(*rows.T)
    for position, values in enumerate(rows.tolist()):
        ty, tx, tm, tn, tk = values
        [use] = kernel_uses(func.specialize(dict(zip(tiles, values, strict=True))))
        assert many["threads"][position] == ty * tx == use.threads
        assert many["shared_bytes"][position] == 4 * tk * (ty * tm + tx * tn) == use.shared
        assert many["local_bytes"][position] == 4 * tm * tn == use.local
        assert many["blocks"][position] == -(-24 // (ty * tm)) * -(-24 // (tx * tn))
    with pytest.raises(LowerError, match="GC304"):
        limits.function(tiles[:2])


# -- where a number is needed ----------------------------------------------------------------------------------------


def test_a_vector_needs_a_constant_factor() -> None:
    f = te.var("f")
    s, args = two_stages(f, threads=False, inline=True)
    s[args[1]].vectorize(s[args[1]].leaf_iter_vars[1])
    with pytest.raises(ScheduleError, match=r"GC123.*its extent f is no constant"):
        gpucomp.lower(s, [f, *args])


def test_memory_of_a_symbolic_size_asks_for_values() -> None:
    f = te.var("f")
    s, args = two_stages(f, threads=True, inline=False)
    with pytest.raises(LowerError, match="extent f along dimension 0, which has no constant bound") as caught:
        gpucomp.build(s, [f, *args], "opencl")
    assert "specialize({f: 16})" in str(caught.value.hint)


def test_a_factor_that_is_no_argument_is_named() -> None:
    s, args = two_stages(te.var("f"), threads=False, inline=True)
    with pytest.raises(ScheduleError, match=r"GC131.*'f'"):
        gpucomp.lower(s, args)


def test_a_factor_is_never_given_less_than_one() -> None:
    tiles, func = sketch()
    with pytest.raises(LowerError, match="an integer >= 1"):
        func.specialize({tiles[0]: 0})
