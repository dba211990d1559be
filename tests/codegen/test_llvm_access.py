"""Vector accesses, masks and guarded loads of the CPU backend: what they read and, above all, what they do not."""

from __future__ import annotations

import mmap

import numpy as np
import pytest
from numpy.typing import NDArray

from gpucomp.codegen.llvm import emit_cpu
from gpucomp.support.diagnostics import LowerError
from gpucomp.tir import expr as e
from gpucomp.tir import intrin
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import Expr, Var
from tests.codegen.cpu_run import function, run

LANES = 8
I32 = "int32"


def c(value: int) -> e.IntImm:
    return e.IntImm(I32, value)


def ramp(base: Expr | int, stride: Expr | int = 1, lanes: int = LANES) -> Expr:
    return e.Ramp(base if isinstance(base, Expr) else c(base), stride if isinstance(stride, Expr) else c(stride), lanes)


def vec(value: Expr | float, lanes: int = LANES) -> Expr:
    return e.Broadcast(value if isinstance(value, Expr) else e.FloatImm("float32", value), lanes)


def buffers(*names: str, dtype: str = "float32") -> list[Buffer]:
    return [decl_buffer((Var(f"n{name}", I32),), dtype, name) for name in names]


def load(buffer: Buffer, index: Expr, predicate: Expr | None = None) -> Expr:
    return e.BufferLoad(buffer, (index,), predicate)


def at_the_end_of_a_page(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], mmap.mmap]:
    """A copy whose last element is the last of accessible memory: reading on is a segmentation fault."""
    import ctypes

    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 2 * page)
    raw = np.frombuffer(memory, np.uint8)
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mprotect(ctypes.c_void_p(raw.ctypes.data + page), ctypes.c_size_t(page), 0) == 0
    place = np.frombuffer(memory, np.float32, len(values), page - values.nbytes)
    place = np.lib.stride_tricks.as_strided(place, place.shape, place.strides, writeable=True)
    place[:] = values
    return place, memory


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "bool", "float64"])
@pytest.mark.parametrize("stride", [1, -1, 2, 3, 4, -3, 0])
def test_loads_and_stores_of_every_constant_stride(stride: int, dtype: str) -> None:
    x, y = buffers("x", "y", dtype=dtype)
    start = 40
    values = (np.arange(80) % 2 if dtype == "bool" else np.arange(80)).astype(dtype)
    places = start + stride * np.arange(LANES)
    out = np.full(LANES, 1, dtype)
    run(function(s.BufferStore(y, load(x, ramp(start, stride)), (ramp(0),)), x, y), values, out)
    assert np.array_equal(out, values[places])
    if stride:
        scattered = np.ones(80, dtype)
        run(function(s.BufferStore(y, load(x, ramp(0)), (ramp(start, stride),)), x, y), values, scattered)
        expected = np.ones(80, dtype)
        expected[places] = values[:LANES]
        assert np.array_equal(scattered, expected)


@pytest.mark.parametrize("stride", [2, 3, 4])
def test_strided_loads_stop_at_their_last_element(stride: int) -> None:
    x, y = buffers("x", "y")
    func = function(s.BufferStore(y, load(x, ramp(0, stride)), (ramp(0),)), x, y)
    assert "gather" not in emit_cpu(func).source
    values, memory = at_the_end_of_a_page(np.arange((LANES - 1) * stride + 1, dtype=np.float32))
    out = np.full(LANES, np.nan, np.float32)
    run(func, values, out)
    assert np.array_equal(out, values[::stride])
    del values, memory


@pytest.mark.parametrize("stride", [2, 3, 4])
@pytest.mark.parametrize("count", [1, 3, LANES])
def test_masked_strided_loads_touch_only_what_their_lanes_want(stride: int, count: int) -> None:
    x, y, n = *buffers("x", "y"), Var("n", I32)
    func = function(s.BufferStore(y, load(x, ramp(0, stride), e.LT(ramp(0), vec(n))), (ramp(0),)), x, y, n)
    assert "gather" not in emit_cpu(func).source
    values, memory = at_the_end_of_a_page(np.arange(1, (count - 1) * stride + 2, dtype=np.float32))
    out = np.full(LANES, np.nan, np.float32)
    run(func, values, out, count)
    assert out.tolist() == values[::stride].tolist() + [0.0] * (LANES - count)
    del values, memory


def test_gather_scatter_and_strides_known_at_run_time() -> None:
    x, y = buffers("x", "y")
    index = buffers("index", dtype="int64")[0]
    step = Var("step", I32)
    body = s.seq(
        s.BufferStore(y, load(x, load(index, ramp(0))), (ramp(0),)),
        s.BufferStore(y, load(x, ramp(1, step)), (ramp(LANES),)),
        s.BufferStore(y, load(x, ramp(0)), (load(index, ramp(0)),)),
    )
    values = np.random.default_rng(0).standard_normal(100).astype(np.float32)
    where = np.array([50, 61, 52, 53, 99, 55, 58, 57])
    out = np.full(100, np.nan, np.float32)
    run(function(body, x, y, index, step), values, out, where, 7)
    assert np.array_equal(out[:LANES], values[where])
    assert np.array_equal(out[LANES : 2 * LANES], values[1 + 7 * np.arange(LANES)])
    assert np.array_equal(out[where], values[:LANES])
    assert np.isnan(out).sum() == 100 - 3 * LANES


@pytest.mark.parametrize("stride", [1, -1, 2, 3, 5])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
def test_masked_lanes_are_neither_read_nor_written(dtype: str, stride: int) -> None:
    import ml_dtypes

    kind = np.dtype(ml_dtypes.bfloat16) if dtype == "bfloat16" else np.dtype(dtype)
    x, y = buffers("x", "y", dtype=dtype)
    mask = buffers("mask", dtype="bool")[0]
    index = ramp(0 if stride > 0 else LANES - 1, stride)
    body = s.BufferStore(y, load(x, index, load(mask, ramp(0))), (index,), load(mask, ramp(0)))
    chosen = np.array([1, 0, 0, 1, 1, 0, 1, 0], bool)
    values, out = np.arange(1, 41).astype(kind), np.full(40, 77).astype(kind)
    places = (0 if stride > 0 else LANES - 1) + stride * np.arange(LANES)
    run(function(body, x, y, mask), values, out, chosen)
    expected = np.full(40, 77).astype(kind)
    expected[places[chosen]] = values[places[chosen]]
    assert np.array_equal(out, expected)


@pytest.mark.parametrize("lanes", [1, 2, 15])
@pytest.mark.parametrize(("wide", "narrow"), [("float32", "bfloat16"), (I32, "int16"), (I32, "int8"), ("int64", I32)])
def test_a_store_of_a_few_converted_lanes_leaves_what_stands_behind_them(wide: str, narrow: str, lanes: int) -> None:
    """The mask is constant: of such a store of one lane LLVM 22 made one of the wider type."""
    import ml_dtypes

    width = 16
    kinds = [np.dtype(getattr(ml_dtypes, name, None) or name) for name in (wide, narrow)]
    (x,), (y,) = buffers("x", dtype=wide), buffers("y", dtype=narrow)
    mask = e.LT(ramp(0, lanes=width), vec(c(lanes), width))
    value = e.Cast(f"{narrow}x{width}", load(x, ramp(0, lanes=width)))
    body = s.BufferStore(y, value, (ramp(0, lanes=width),), mask)
    values, out = np.arange(1, width + 1).astype(kinds[0]), np.full(2 * width, 77).astype(kinds[1])
    run(function(body, x, y), values, out)
    assert out.tolist() == [*range(1, lanes + 1), *[77] * (2 * width - lanes)]


def test_a_guarded_vector_load_at_the_edge_of_memory_reads_only_its_lanes() -> None:
    x, y = buffers("x", "y")
    n = Var("n", I32)
    i = Var("i", I32)
    lanes = ramp(i * LANES)
    inside = e.LT(lanes, vec(n))
    body = s.BufferStore(y, intrin.if_then_else(inside, load(x, lanes) * vec(2.0), vec(-1.0)), (lanes,))
    func = function(s.For(i, 0, 2, s.ForKind.SERIAL, body), x, y, n)
    for count in (1, 7, 8, 11):
        values, memory = at_the_end_of_a_page(np.arange(1, count + 1, dtype=np.float32))
        out = np.full(16, np.nan, np.float32)
        run(func, values, out, count)
        assert np.array_equal(out[:count], 2 * values)
        assert (out[count:] == -1).all()
        del values, memory


def test_a_scalar_load_under_a_vector_guard_runs_only_if_some_lane_needs_it() -> None:
    x, y = buffers("x", "y")
    n = Var("n", I32)
    far = load(x, n * 1_000_000)  # legal only for n == 0
    guard = e.LT(ramp(0) * vec(n), vec(c(1)))  # every lane for n == 0; lane 0 only otherwise
    none = e.LT(ramp(1) * vec(n), vec(c(1)))
    body = s.BufferStore(y, intrin.if_then_else(e.And(guard, none), vec(far), vec(-1.0)), (ramp(0),))
    func = function(body, x, y, n)
    values, out = np.array([5.0], np.float32), np.full(LANES, np.nan, np.float32)
    run(func, values, out, 0)
    assert (out == 5).all()
    run(func, values, out, 10**3)
    assert (out == -1).all()


@pytest.mark.parametrize("vectors", [False, True])
def test_the_second_operand_of_and_and_or_is_read_only_when_it_decides(vectors: bool) -> None:
    x, y = buffers("x", "y")
    n, i = Var("n", I32), Var("i", I32)
    at: Expr = ramp(i * LANES) if vectors else i
    limit: Expr = vec(n) if vectors else n
    zero: Expr = vec(0.0) if vectors else e.FloatImm("float32", 0.0)
    both = e.And(e.LT(at, limit), e.GT(load(x, at), zero))
    either = e.Or(e.GE(at, limit), e.GT(load(x, at), zero))
    one = (lambda v: vec(v)) if vectors else (lambda v: e.FloatImm("float32", v))
    value = e.Select(both, one(1.0), one(0.0)) + e.Select(either, one(2.0), one(0.0))
    loop = s.For(i, 0, 16 // (LANES if vectors else 1), s.ForKind.SERIAL, s.BufferStore(y, value, (at,)))
    values, memory = at_the_end_of_a_page(np.array([1, -1, 2, -2, 0.5], np.float32))
    out = np.full(16, np.nan, np.float32)
    run(function(loop, x, y, n), values, out, 5)
    assert out.tolist() == [3, 0, 3, 0, 3] + [2] * 11
    del values, memory


def test_nested_guards_meet() -> None:
    x, y = buffers("x", "y")
    n, m = Var("n", I32), Var("m", I32)
    inner = intrin.if_then_else(e.LT(ramp(0), vec(n)), load(x, ramp(0)), vec(-1.0))
    body = s.BufferStore(y, intrin.if_then_else(e.GE(ramp(0), vec(m)), inner, vec(-2.0)), (ramp(0),))
    values, memory = at_the_end_of_a_page(np.array([1, 2, 3, 4, 5], np.float32))
    out = np.full(LANES, np.nan, np.float32)
    run(function(body, x, y, n, m), values, out, 5, 2)
    assert out.tolist() == [-2, -2, 3, 4, 5, -1, -1, -1]
    del values, memory


def test_a_scalar_guard_around_a_load_is_a_branch() -> None:
    x, y = buffers("x", "y")
    n, i = Var("n", I32), Var("i", I32)
    value = intrin.if_then_else(intrin.likely(e.LT(i, n)), load(x, i), e.FloatImm("float32", 9.0))
    loop = s.For(i, 0, 10, s.ForKind.SERIAL, s.BufferStore(y, value, (i,)))
    values, memory = at_the_end_of_a_page(np.array([1, 2, 3], np.float32))
    out = np.full(10, np.nan, np.float32)
    run(function(loop, x, y, n), values, out, 3)
    assert out.tolist() == [1, 2, 3] + [9] * 7
    del values, memory


def test_scalar_accesses_with_a_predicate_happen_only_where_it_holds() -> None:
    x, y = buffers("x", "y")
    n, i = Var("n", I32), Var("i", I32)
    loop = s.For(i, 0, 10, s.ForKind.SERIAL, s.BufferStore(y, load(x, i, e.LT(i, n)), (i,), e.LT(i, n + 2)))
    values, memory = at_the_end_of_a_page(np.array([1, 2, 3], np.float32))
    out = np.full(10, 77, np.float32)
    run(function(loop, x, y, n), values, out, 3)
    assert out.tolist() == [1, 2, 3, 0, 0] + [77] * 5
    del values, memory


def test_shuffles_pick_lanes_of_vectors_and_scalars() -> None:
    x, y = buffers("x", "y")
    a, b = load(x, ramp(0, 1, 4)), load(x, ramp(4, 1, 4))
    parts = [
        e.Shuffle((a, b), (7, 0, 5, 2)),
        e.Shuffle((a,), (3, 2, 1, 0)),
        e.Shuffle((load(x, c(6)), a, load(x, c(5))), (0, 2, 5, 5)),
        vec(e.Shuffle((b,), (1,)), 4),
    ]
    body = s.seq([s.BufferStore(y, part, (ramp(4 * k, 1, 4),)) for k, part in enumerate(parts)])
    out = np.full(16, np.nan, np.float32)
    run(function(body, x, y), np.arange(8, dtype=np.float32), out)
    assert out.tolist() == [7, 0, 5, 2, 3, 2, 1, 0, 6, 1, 5, 5, 5, 5, 5, 5]


def test_buffers_of_vectors_are_packed_without_padding() -> None:
    x, y = buffers("x", "y", dtype="float32x3")
    i = Var("i", I32)
    loop = s.For(i, 0, 4, s.ForKind.SERIAL, s.BufferStore(y, load(x, c(3) - i) + load(x, i), (i,)))
    values = np.arange(12, dtype=np.float32)
    out = np.full(12, np.nan, np.float32)
    run(function(loop, x, y), values, out)
    assert np.array_equal(out.reshape(4, 3), values.reshape(4, 3)[::-1] + values.reshape(4, 3))


def test_memory_is_read_again_after_it_was_written() -> None:
    (x,) = buffers("x")
    twice = load(x, c(0)) + load(x, c(0))
    body = s.seq([s.BufferStore(x, twice, (c(0),)), s.BufferStore(x, twice, (c(0),)), s.BufferStore(x, twice, (c(1),))])
    out = np.ones(2, np.float32)
    run(function(body, x), out)
    assert out.tolist() == [4, 8]


def test_unaligned_arrays_are_fine() -> None:
    x, y = buffers("x", "y")
    loaded = load(x, ramp(0, 1, 16))
    room = np.arange(40, dtype=np.float32)
    out = np.full(40, np.nan, np.float32)
    run(function(s.BufferStore(y, loaded, (ramp(0, 1, 16),)), x, y), room[1:], out[3:])
    assert np.array_equal(out[3:19], room[1:17])


def test_an_access_with_two_indices_is_not_flat() -> None:
    x = decl_buffer((4, 4), "float32", "x")
    with pytest.raises(LowerError, match="flat form"):
        emit_cpu(function(s.BufferStore(x, e.FloatImm("float32", 0.0), (c(0), c(0))), x))
