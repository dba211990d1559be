"""Rows whose chunks change places: no bank conflicts, no padding, the same results, no more barriers than without."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.analysis import bank_conflicts
from gpucomp.driver.build import lower_primfunc
from gpucomp.support.diagnostics import LowerError
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor, lower_schedule
from gpucomp.tir.interp import interpret
from tests.kernels.running import wide
from tests.te.backends import rebuilt
from tests.te.everywhere import everywhere

H100 = Target("cuda -arch=sm_90a")
# Element type, side of the tile, elements of a vector, threads along x and y.
TILES = [
    ("float32", 32, 1, 32, 8),
    ("float32", 32, 4, 8, 32),
    ("float32", 64, 1, 64, 4),
    ("float64", 16, 1, 16, 16),
    ("float16", 16, 2, 8, 16),
    ("int8", 32, 4, 8, 32),
]


def transpose(
    dtype: str, side: int, lanes: int, tx: int, ty: int, how: str, shape: tuple[int, int] = (70, 130)
) -> tuple[Schedule, list[Tensor]]:
    """A transpose through a tile in shared memory, vectors on both sides."""
    n, m = shape
    a = te.placeholder((n, m), dtype, name="A")
    b = te.compute((m, n), lambda i, j: a[j, i], name="B")
    s = te.create_schedule(b.op)
    tile = s.cache_read(a, "shared", [b])
    outer, below, inner, right = s[b].tile(b.op.axis[0], b.op.axis[1], side, side)
    s[b].bind(outer, te.thread_axis("blockIdx.y"))
    s[b].bind(below, te.thread_axis("blockIdx.x"))
    s[tile].compute_at(s[b], below)
    x, y = te.thread_axis("threadIdx.x"), te.thread_axis("threadIdx.y")
    for stage, row, column in ((s[tile], s[tile].op.axis[0], s[tile].op.axis[1]), (s[b], inner, right)):
        column, vector = stage.split(column, factor=lanes)
        turn, row = stage.split(row, factor=ty)
        stage.reorder(turn, row, column, vector)
        stage.bind(column, x)
        stage.bind(row, y)
        stage.vectorize(vector)
    if how == "swizzle":
        s[tile].storage_swizzle(s[tile].op.axis[0], lanes, lanes)
    elif how == "pad":
        s[tile].storage_align(s[tile].op.axis[0], 32, 1)
    return s, [a, b]


@pytest.mark.parametrize("tile", TILES, ids=str)
def test_a_swizzled_tile_holds_what_a_plain_one_does(tile: tuple[str, int, int, int, int]) -> None:
    s, args = transpose(*tile, "swizzle")
    a = np.arange(70 * 130).reshape(70, 130).astype(tile[0])
    everywhere(s, args, [a], [wide(a.T)], gpu=tile[0] != "float64")
    rebuilt(s, args)


@pytest.mark.parametrize("tile", TILES[:4], ids=str)
def test_a_swizzle_leaves_no_conflict_and_costs_no_barrier(tile: tuple[str, int, int, int, int]) -> None:
    found = {}
    for how in ("plain", "swizzle"):
        func = lower_primfunc(lower_schedule(*transpose(*tile, how, (128, 128))), H100)
        found[how] = (func.script().count("barrier"), [x.has_conflicts for x in bank_conflicts(func)])
    assert any(found["plain"][1])
    assert not any(found["swizzle"][1])
    assert found["swizzle"][0] == found["plain"][0]


def test_a_swizzle_takes_no_memory_and_keeps_vectors_whole() -> None:
    text = gpucomp.source(*transpose(*TILES[1], "swizzle", (128, 128)), "cuda")
    assert "float A_shared[1024];" in text
    assert (
        "*(float4*)(A_shared + (threadIdx_y * 32 + (threadIdx_x ^ (threadIdx_y >> 2)) * 4)) = *(const float4*)(A + "
        in text
    )
    assert "float A_shared[1056];" in gpucomp.source(*transpose(*TILES[0], "pad", (128, 128)), "cuda")


def test_the_interpreter_finds_no_race() -> None:
    s, args = transpose("float32", 32, 1, 32, 8, "swizzle", (64, 32))
    a = np.random.default_rng(0).standard_normal((64, 32)).astype("float32")
    b = np.zeros((32, 64), "float32")
    interpret(lower_primfunc(lower_schedule(s, args), H100), [a, b], races=True)
    np.testing.assert_array_equal(b, a.T)


@pytest.mark.parametrize(("vector", "period"), list(itertools.product((1, 2, 8), (0, 1, 3))))
def test_any_chunk_and_period_is_a_permutation(vector: int, period: int) -> None:
    """Also in rings of a pipeline, behind a start that is not zero, and read by several stages."""
    n, k = 24, 64
    a, b = te.placeholder((n, k), name="A"), te.placeholder((n, k), name="B")
    r = te.reduce_axis((0, k), "r")
    c = te.compute((n, n), lambda i, j: te.sum(a[i, r] * b[j, r], axis=r), name="C")
    s = te.create_schedule(c.op)
    tiles = [s.cache_read(t, "shared", [c]) for t in (a, b)]
    block, row = s[c].split(c.op.axis[0], factor=8)
    s[c].bind(block, te.thread_axis("blockIdx.x"))
    s[c].bind(row, te.thread_axis("threadIdx.y"))
    s[c].bind(c.op.axis[1], te.thread_axis("threadIdx.x"))
    outer, _ = s[c].split(s[c].op.reduce_axis[0], factor=16)
    s[c].reorder(outer, s[c].leaf_iter_vars[-1])
    for tile in tiles:
        s[tile].compute_at(s[c], outer)
        x = s[tile].fuse(*s[tile].op.axis)
        x, t = s[tile].split(x, factor=n)
        _, u = s[tile].split(x, factor=8)
        s[tile].bind(t, te.thread_axis("threadIdx.x"))
        s[tile].bind(u, te.thread_axis("threadIdx.y"))
        s[tile].storage_swizzle(s[tile].op.axis[0], vector, period)
    s[c].pragma(outer, "software_pipeline", 2)
    rng = np.random.default_rng(1)
    x, y = [rng.integers(-3, 4, (n, k)).astype("float32") for _ in range(2)]
    everywhere(s, [a, b, c], [x, y], [wide(x @ y.T)], gpu=True)


def test_rows_that_are_no_power_of_two_of_chunks_are_refused() -> None:
    s, args = transpose("float32", 24, 1, 24, 8, "swizzle")
    with pytest.raises(LowerError, match=r"rows of 2, 4, 8... chunks of 1 elements, but they have 24 elements"):
        gpucomp.lower(s, args)


def test_a_pointer_into_permuted_rows_is_refused() -> None:
    n = 16
    a = te.placeholder((n, n), name="A")
    b = te.compute((n, n), lambda i, j: a[i, j], name="B")
    c = te.extern(
        (n, n), [b], lambda ins, outs: gpucomp.tir.call_packed("f", ins[0].access_ptr("r"), outs[0].access_ptr("w"))
    )
    s = te.create_schedule(c.op)
    s[b].storage_swizzle(b.op.axis[0])
    with pytest.raises(LowerError, match="whose rows are permuted by storage_swizzle"):
        gpucomp.lower(s, [a, c])
