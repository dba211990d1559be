"""The interpreter gives each statement and expression its meaning, in every form of a function."""

from __future__ import annotations

import math
import time
from typing import Any  # Any: arrays of several element types; ints or expressions

import ml_dtypes
import numpy as np
import pytest

from gpucomp.ir.types import PointerType, PrimType
from gpucomp.support.diagnostics import ArgumentError, VerifyError
from gpucomp.support.dtype import BOOL, DType
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import CommReducer, Expr, FloatImm, IntImm, Ramp, Range, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.interp import interpret
from gpucomp.tir.stmt import (
    NOOP,
    Allocate,
    AllReduce,
    AssertStmt,
    AttrStmt,
    BufferRealize,
    BufferStore,
    Evaluate,
    For,
    ForKind,
    IfThenElse,
    LetStmt,
    Prefetch,
    Stmt,
    While,
    seq,
)
from tests.tir.kernels import matmul, matmul_inputs
from tests.transform.build import func, loop, nest, store, thread

RNG = np.random.default_rng(7)
Array = np.ndarray[Any, Any]


def f32(values: Any) -> Array:
    return np.array(values, np.float32)


def run1(value: Any, n: int = 8, *inputs: Array, dtype: str = "float32", lanes: bool = True) -> Array:
    """``out[i] = value(i, *buffers)`` for n threads (or a serial host loop)."""
    i = Var("i")
    buffers = [decl_buffer(x.shape, str(x.dtype), f"in{k}") for k, x in enumerate(inputs)]
    out = decl_buffer((n,), dtype, "out")
    body: Stmt = store(out, i, value(i, *buffers))
    body = thread("threadIdx.x", i, n, body) if lanes else loop(i, n, body)
    result = np.zeros(n, DType(dtype).numpy)
    interpret(func([*buffers, out], body), [*inputs, result])
    return result


def both(value: Any, n: int, *inputs: Array, dtype: str = "float32") -> Array:
    """As :func:`run1`, on threads and on the host, which must agree bit for bit."""
    one, two = (run1(value, n, *inputs, dtype=dtype, lanes=lanes) for lanes in (True, False))
    np.testing.assert_array_equal(one.view(np.uint8), two.view(np.uint8))
    return one


def test_a_tiled_matmul_with_shared_and_local_memory_is_right_and_affordable() -> None:
    a, b, c = matmul_inputs(64)
    kernel = matmul(64)
    begin = time.process_time()
    report = interpret(kernel, [a, b, c])
    spent = time.process_time() - begin
    np.testing.assert_array_equal(c, a @ b)
    assert spent < 1.0
    assert report.kernels[0].block == (16, 16, 1)
    assert report.kernels[0].barriers == 16


@pytest.mark.parametrize("max_lanes", [1, 300, 1 << 14])
def test_the_size_of_batches_does_not_change_the_result(max_lanes: int) -> None:
    a, b, c = matmul_inputs(128)
    interpret(matmul(128, tile=32, threads=8), [a, b, c], max_lanes=max_lanes)
    np.testing.assert_array_equal(c, a @ b)


def test_a_sample_of_blocks_writes_only_what_those_blocks_write() -> None:
    a, b, c = matmul_inputs(64)
    report = interpret(matmul(64, tile=16, threads=4), [a, b, c], blocks=2)
    assert report.kernels[0].blocks_run == [0, 15]
    want = a @ b
    np.testing.assert_array_equal(c[:16, :16], want[:16, :16])
    np.testing.assert_array_equal(c[48:, 48:], want[48:, 48:])
    assert not c[:16, 16:].any()
    assert not c[16:48].any()


def test_given_blocks_run_and_no_others() -> None:
    a, b, c = matmul_inputs(64)
    report = interpret(matmul(64, tile=16, threads=4), [a, b, c], blocks=[5])
    assert report.kernels[0].blocks_run == [5]
    np.testing.assert_array_equal(c[16:32, 16:32], (a @ b)[16:32, 16:32])
    assert np.count_nonzero(c) == np.count_nonzero(c[16:32, 16:32])


@pytest.mark.parametrize("n", [1, 7, 64, 100])
def test_a_guarded_tail_touches_nothing_beyond_the_end(n: int) -> None:
    a, out = decl_buffer((n,), "float32", "A"), decl_buffer((n,), "float32", "B")
    tx, bx = Var("tx"), Var("bx")
    i = bx * 32 + tx
    body: Stmt = IfThenElse(intrin.likely(i < n), store(out, i, a[i] + 1.0))
    kernel = func([a, out], thread("blockIdx.x", bx, (n + 31) // 32, thread("threadIdx.x", tx, 32, body)))
    x, y = RNG.random(n, np.float32), np.zeros(n, np.float32)
    interpret(kernel, [x, y])
    np.testing.assert_array_equal(y, x + np.float32(1))


def test_if_then_else_guards_the_load_inside() -> None:
    x = RNG.random(4, np.float32)

    def value(i: Var, a: Buffer) -> Expr:
        return intrin.if_then_else(operators.logical(e.And, i >= 2, i < 6), a[i - 2], 0.5)

    np.testing.assert_array_equal(both(value, 8, x), f32([0.5, 0.5, *x, 0.5, 0.5]))


def test_the_second_operand_of_and_and_or_is_guarded_by_the_first() -> None:
    x = f32([1, -1, 1, 1])

    def value(i: Var, a: Buffer) -> Expr:
        inside = e.And(i < 4, a[i] > 0.0)
        outside = e.Or(i >= 4, a[i] < 0.0)
        return e.Select(inside, 1.0, e.Select(outside, 2.0, 3.0))

    np.testing.assert_array_equal(both(value, 6, x), f32([1, 2, 1, 1, 2, 2]))


def test_symbolic_extents_are_bound_by_the_arguments() -> None:
    n = Var("n")
    a, b = decl_buffer((n,), "float32", "A"), decl_buffer((n,), "float32", "B")
    i = Var("i")
    kernel = func([a, b], loop(i, n, store(b, i, a[i] * 2.0)))
    for size in (0, 1, 5):
        x, y = RNG.random(size, np.float32), np.zeros(size, np.float32)
        interpret(kernel, [x, y])
        np.testing.assert_array_equal(y, x * 2)
    with pytest.raises(ArgumentError, match="extent 5"):
        interpret(kernel, [np.zeros(5, np.float32), np.zeros(4, np.float32)])


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([np.zeros(4, np.float32)], "takes 2 arguments"),
        ([np.zeros(4, np.float64), np.zeros(4, np.float32)], "must hold float32"),
        ([np.zeros((4, 1), np.float32), np.zeros(4, np.float32)], "must have 1 dimensions"),
        ([[1.0, 2.0], np.zeros(4, np.float32)], "must be a numpy array"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(args: list[Any], message: str) -> None:
    a, b = decl_buffer((4,), "float32", "A"), decl_buffer((4,), "float32", "B")
    with pytest.raises(ArgumentError, match=message):
        interpret(func([a, b], NOOP), args)


def test_arrays_that_are_not_contiguous_are_written_back() -> None:
    a, i, j = decl_buffer((3, 4), "int32", "A"), Var("i"), Var("j")
    x = np.zeros((4, 3), np.int32).T
    interpret(func([a], nest([(i, 3), (j, 4)], store(a, (i, j), i * 10 + j))), [x])
    np.testing.assert_array_equal(x, np.arange(3)[:, None] * 10 + np.arange(4))


def test_explicit_strides_are_read_from_the_argument() -> None:
    step = Var("step")
    a = decl_buffer((4,), "float32", "A", strides=[step])
    b, i = decl_buffer((4,), "float32", "B"), Var("i")
    x, y = RNG.random(12, np.float32), np.zeros(4, np.float32)
    interpret(func([a, b], loop(i, 4, store(b, i, a[i]))), [x[::3], y])
    np.testing.assert_array_equal(y, x[::3])


def test_a_parallel_loop_runs_each_iteration_with_its_own_allocations() -> None:
    a, b = decl_buffer((40, 5), "float32", "A"), decl_buffer((40,), "float32", "B")
    acc = decl_buffer((1,), "float32", "acc")
    i, k = Var("i"), Var("k")
    inner = seq(store(acc, 0, 0.0), loop(k, 5, store(acc, 0, acc[0] + a[i, k])), store(b, i, acc[0]))
    body = BufferRealize(acc, (Range(0, 1),), IntImm(BOOL, 1), inner)
    x, y = RNG.integers(0, 9, (40, 5)).astype(np.float32), np.zeros(40, np.float32)
    report = interpret(func([a, b], loop(i, 40, body, ForKind.PARALLEL)), [x, y])
    np.testing.assert_array_equal(y, x.sum(1))
    assert report.kernels[0].name == "parallel loop i"


def test_host_code_may_launch_several_kernels_and_keep_a_buffer_between_them() -> None:
    a, b, mid = (decl_buffer((64,), "float32", n) for n in ("A", "B", "mid"))
    t1, t2 = Var("t1"), Var("t2")
    first = thread("threadIdx.x", t1, 64, store(mid, t1, a[t1] + 1.0))
    second = thread("threadIdx.x", t2, 64, store(b, t2, mid[63 - t2]))
    body = BufferRealize(mid, (Range(0, 64),), IntImm(BOOL, 1), seq(first, second))
    x, y = RNG.random(64, np.float32), np.zeros(64, np.float32)
    report = interpret(func([a, b], body), [x, y])
    np.testing.assert_array_equal(y, (x + np.float32(1))[::-1])
    assert len(report.kernels) == 2


def test_realized_bounds_shift_the_indices() -> None:
    a, b = decl_buffer((64,), "float32", "A"), decl_buffer((64,), "float32", "B")
    tile = decl_buffer((64,), "float32", "tile", scope="shared")
    bx, tx = Var("bx"), Var("tx")
    i = bx * 16 + tx
    inner = seq(store(tile, i, a[i]), Evaluate(intrin.barrier("shared")), store(b, i, tile[bx * 16 + 15 - tx]))
    body = BufferRealize(tile, (Range.from_min_extent(bx * 16, 16),), IntImm(BOOL, 1), inner)
    x, y = RNG.random(64, np.float32), np.zeros(64, np.float32)
    interpret(func([a, b], thread("blockIdx.x", bx, 4, thread("threadIdx.x", tx, 16, body))), [x, y])
    np.testing.assert_array_equal(y, x.reshape(4, 16)[:, ::-1].reshape(-1))


def test_flat_form_reads_and_writes_vectors() -> None:
    a, b = decl_buffer((8, 16), "float32", "A"), decl_buffer((8, 16), "float32", "B")
    fa, fb = a.get_flattened_buffer(), b.get_flattened_buffer()
    data = Var("tmp", PointerType(PrimType(DType("float32")), "local"))
    tmp = decl_buffer((4,), "float32", "tmp", data=data)
    ty, tx, j = Var("ty"), Var("tx"), Var("j")
    base = ty * 16 + tx * 4
    load = BufferStore(tmp, fa.vload([base], "float32x4"), (Ramp(0, 1, 4),))
    twice = loop(j, 4, store(tmp, j, tmp[j] * 2.0))
    out = BufferStore(fb, tmp.vload([0], "float32x4") + e.Broadcast(FloatImm("float32", 1.0), 4), (Ramp(base, 1, 4),))
    body: Stmt = Allocate(data, DType("float32"), (IntImm("int32", 4),), IntImm(BOOL, 1), seq(load, twice, out))
    x, y = RNG.random((8, 16), np.float32), np.zeros((8, 16), np.float32)
    interpret(func([a, b], thread("threadIdx.y", ty, 8, thread("threadIdx.x", tx, 4, body))), [x, y])
    np.testing.assert_array_equal(y, x * 2 + np.float32(1))


def test_vector_stores_run_on_the_host_too() -> None:
    a, b = decl_buffer((4, 8), "int32", "A"), decl_buffer((4, 8), "int32", "B")
    i = Var("i")
    value = e.Mul(a.vload((i, 0), "int32x8"), Ramp(i, 1, 8))
    x, y = RNG.integers(0, 99, (4, 8)).astype(np.int32), np.zeros((4, 8), np.int32)
    interpret(func([a, b], loop(i, 4, b.vstore((i, 0), value))), [x, y])
    np.testing.assert_array_equal(y, x * (np.arange(4)[:, None] + np.arange(8)))


@pytest.mark.parametrize("lanes", [True, False])
def test_a_predicate_masks_vector_lanes(lanes: bool) -> None:
    a, i = decl_buffer((3, 4), "int32", "A"), Var("i")
    inside = e.LT(Ramp(i * 4, 1, 4), e.Broadcast(IntImm("int32", 10), 4))
    flat = a.get_flattened_buffer()
    body: Stmt = BufferStore(flat, e.Broadcast(i + 1, 4), (Ramp(i * 4, 1, 4),), inside)
    x = np.zeros((3, 4), np.int32)
    interpret(func([a], thread("threadIdx.x", i, 3, body) if lanes else loop(i, 3, body)), [x])
    np.testing.assert_array_equal(x.reshape(-1), [1] * 4 + [2] * 4 + [3, 3, 0, 0])


@pytest.mark.parametrize("lanes", [True, False])
def test_masked_lanes_may_point_outside_of_memory(lanes: bool) -> None:
    a, b, i = decl_buffer((10,), "int32", "A"), decl_buffer((12,), "int32", "B"), Var("i")
    index = Ramp(i * 4, 1, 4)
    inside = e.LT(index, e.Broadcast(IntImm("int32", 10), 4))
    body: Stmt = seq(
        BufferStore(b, e.BufferLoad(a, (index,), inside), (index,)),
        BufferStore(a, e.Broadcast(i + 1, 4), (index,), inside),
    )
    x, y = np.arange(5, 15, dtype=np.int32), np.full(12, -1, np.int32)
    interpret(func([a, b], thread("threadIdx.x", i, 3, body) if lanes else loop(i, 3, body)), [x, y])
    np.testing.assert_array_equal(x, [1] * 4 + [2] * 4 + [3, 3])
    np.testing.assert_array_equal(y[:10], np.arange(5, 15))


def test_shuffle_picks_lanes_of_vectors() -> None:
    def value(i: Var) -> Expr:
        vector = Ramp(i * 10, 1, 4)
        swapped = e.Shuffle((vector, e.Broadcast(IntImm("int32", 7), 2)), (3, 0, 5))
        return e.Shuffle((swapped,), (0,)) * 100 + e.Shuffle((swapped,), (1,)) + e.Shuffle((swapped,), (2,)) * 10000

    want = [(i * 10 + 3) * 100 + i * 10 + 70000 for i in range(8)]
    np.testing.assert_array_equal(both(value, 8, dtype="int32"), want)


def test_device_form_takes_raw_pointers_and_launch_extents() -> None:
    a = Var("A", PointerType(PrimType(DType("float32")), "global"))
    b = Var("B", PointerType(PrimType(DType("float32")), "global"))
    n = Var("n")
    va, vb = (decl_buffer((n,), "float32", v.name, data=v) for v in (a, b))
    bx, tx = Var("bx"), Var("tx")
    i = bx * 8 + tx
    blocks = (n + 7) // 8
    body = thread("blockIdx.x", bx, blocks, thread("threadIdx.x", tx, 8, IfThenElse(i < n, store(vb, i, va[i] * 3.0))))
    launch = {"blockIdx.x": blocks, "threadIdx.x": IntImm("int32", 8)}
    kernel = PrimFunc((a, b, n), body, {}, {"global_symbol": "triple", "calling_conv": 2, "launch": launch})
    x, y = RNG.random(29, np.float32), np.zeros(29, np.float32)
    report = interpret(kernel, [x, y, 29])
    np.testing.assert_array_equal(y, x * np.float32(3))
    assert report.kernels[0].grid == (4, 1, 1)


def test_virtual_threads_run_their_body_for_each_index() -> None:
    b, v, t = decl_buffer((12,), "int32", "B"), Var("v"), Var("t")
    body = thread("threadIdx.x", t, 4, thread("vthread", v, 3, store(b, v * 4 + t, v * 100 + t)))
    x = np.zeros(12, np.int32)
    interpret(func([b], body), [x])
    np.testing.assert_array_equal(x.reshape(3, 4), np.arange(3)[:, None] * 100 + np.arange(4))


def test_loops_may_have_extents_and_starts_that_differ_between_threads() -> None:
    b, t, k = decl_buffer((8,), "int32", "B"), Var("t"), Var("k")
    body = seq(store(b, t, 0), loop(k, t, store(b, t, b[t] + k), low=t))
    x = np.zeros(8, np.int32)
    interpret(func([b], thread("threadIdx.x", t, 8, body)), [x])
    np.testing.assert_array_equal(x, [sum(range(i, 2 * i)) for i in range(8)])


@pytest.mark.parametrize("lanes", [True, False])
def test_while_runs_each_thread_until_its_condition_fails(lanes: bool) -> None:
    b, t = decl_buffer((20,), "int32", "B"), Var("t")
    count = decl_buffer((1,), "int32", "count", scope="local")
    # Steps of the Collatz sequence of t + 1.
    step = e.Select(e.EQ(b[t] % 2, 0), b[t] // 2, b[t] * 3 + 1)
    body = seq(
        store(b, t, t + 1), store(count, 0, 0),
        While(b[t] > 1, seq(store(b, t, step), store(count, 0, count[0] + 1))), store(b, t, count[0]),
    )  # fmt: skip
    body = BufferRealize(count, (Range(0, 1),), IntImm(BOOL, 1), body)
    x = np.zeros(20, np.int32)
    interpret(func([b], thread("threadIdx.x", t, 20, body) if lanes else loop(t, 20, body)), [x])

    def steps(n: int) -> int:
        return 0 if n == 1 else 1 + steps(n // 2 if n % 2 == 0 else 3 * n + 1)

    np.testing.assert_array_equal(x, [steps(n + 1) for n in range(20)])


def test_a_let_keeps_the_value_that_memory_had() -> None:
    b, t, x = decl_buffer((4,), "int32", "B"), Var("t"), Var("x")
    acc = decl_buffer((1,), "int32", "acc", scope="local")
    inner = seq(store(acc, 0, t), LetStmt(x, acc[0], seq(store(acc, 0, 50), store(b, t, x + acc[0]))))
    body = BufferRealize(acc, (Range(0, 1),), IntImm(BOOL, 1), inner)
    out = np.zeros(4, np.int32)
    interpret(func([b], thread("threadIdx.x", t, 4, body)), [out])
    np.testing.assert_array_equal(out, np.arange(4) + 50)


def test_one_let_variable_may_be_bound_again() -> None:
    b, t, x = decl_buffer((2, 4), "int32", "B"), Var("t"), Var("x")
    both_lets = seq(*[LetStmt(x, t * k, store(b, (k, t), (x + 1) * 2)) for k in range(2)])
    out = np.zeros((2, 4), np.int32)
    interpret(func([b], thread("threadIdx.x", t, 4, both_lets)), [out])
    np.testing.assert_array_equal(out, [[2, 2, 2, 2], [2, 4, 6, 8]])


def test_let_expressions_bind_inside_their_body() -> None:
    x = Var("x")
    np.testing.assert_array_equal(both(lambda i: e.Let(x, i * 3, x * x + x), 5, dtype="int32"),
                                  [9 * i * i + 3 * i for i in range(5)])  # fmt: skip


def test_nests_of_more_loops_than_python_allows_still_run() -> None:
    b = decl_buffer((1,), "int32", "B")
    loops = [(Var(f"i{k}"), 2 if k % 8 == 0 else Var("one")) for k in range(30)]
    total: Any = sum([v for v, _ in loops[::8]], IntImm("int32", 1))
    one = Var("one")
    nested = nest([(v, 2 if x == 2 else e.Max(one, one)) for v, x in loops], store(b, 0, b[0] + total))
    body = seq(store(b, 0, 0), nested)
    x = np.zeros(1, np.int32)
    interpret(func([b], body, [one]), [x, 1])
    assert x[0] == 16 * 1 + 4 * 8


def test_a_sum_of_many_terms_does_not_exhaust_the_stack() -> None:
    def value(i: Var) -> Expr:
        total: Expr = i
        for k in range(3000):
            total = e.Add(total, e.Mul(i, IntImm("int32", k % 3)))
        return total

    np.testing.assert_array_equal(run1(value, 4, dtype="int32"), np.arange(4) * 3001)


# -- numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
def test_integer_data_wraps(kind: str, op: str) -> None:
    info = np.iinfo(kind)
    x = np.array([info.max, info.min, 3, info.max // 3, 100], kind)
    y = np.array([info.max, 1, 7, info.max // 2, 100], kind)
    with np.errstate(all="ignore"):
        want = {"Add": x + y, "Sub": x - y, "Mul": x * y}[op]
    np.testing.assert_array_equal(both(lambda i, a, b: getattr(e, op)(a[i], b[i]), 5, x, y, dtype=kind), want)


@pytest.mark.parametrize("kind", ["int8", "int32", "uint32", "int64"])
def test_integers_made_of_thread_indices_wrap_like_data(kind: str) -> None:
    def value(i: Var) -> Expr:
        x = operators.cast(kind, i) + operators.const(np.iinfo(kind).max - 2, kind)
        return e.Mul(x, x)

    with np.errstate(all="ignore"):
        x = np.arange(6).astype(kind) + np.array(np.iinfo(kind).max - 2, kind)
        np.testing.assert_array_equal(both(value, 6, dtype=kind), x * x)


@pytest.mark.parametrize("kind", ["int32", "int64"])
def test_the_four_divisions_round_as_they_say(kind: str) -> None:
    x = np.array([7, -7, 7, -7, 6, -6, 0, np.iinfo(kind).min], kind)
    y = np.array([2, 2, -2, -2, 3, 3, -5, 7], kind)
    quotients = [abs(int(a)) // abs(int(b)) * (1 if (a < 0) == (b < 0) else -1) for a, b in zip(x, y, strict=True)]
    args = (8, x, y)
    np.testing.assert_array_equal(both(lambda i, a, b: a[i] // b[i], *args, dtype=kind), x // y)
    np.testing.assert_array_equal(both(lambda i, a, b: a[i] % b[i], *args, dtype=kind), x % y)
    np.testing.assert_array_equal(both(lambda i, a, b: e.Div(a[i], b[i]), *args, dtype=kind), quotients)
    np.testing.assert_array_equal(both(lambda i, a, b: e.Mod(a[i], b[i]), *args, dtype=kind), np.fmod(x, y))


@pytest.mark.parametrize(("low", "high", "d"), [(-9, 9, 4), (0, 20, 7), (-20, -1, 3), (-5, 5, -3)])
def test_divisions_of_indices_by_literals(low: int, high: int, d: int) -> None:
    n = high - low + 1
    x = np.arange(low, high + 1)
    divisor = IntImm("int32", d)
    for lanes in (True, False):
        got = run1(lambda i: (i + low) // divisor * 1000 + (i + low) % divisor, n, dtype="int32", lanes=lanes)
        np.testing.assert_array_equal(got, x // d * 1000 + x % d)
        got = run1(lambda i: e.Div(i + low, divisor) * 1000 + e.Mod(i + low, divisor), n, dtype="int32", lanes=lanes)
        np.testing.assert_array_equal(got, np.trunc(x / d) * 1000 + np.fmod(x, d))


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32", "float64"])
def test_floats_are_rounded_after_each_operation(kind: str) -> None:
    t: Any = DType(kind).numpy
    x, y = RNG.random(32).astype(t), RNG.random(32).astype(t)
    got = both(lambda i, a, b: (a[i] * b[i] + a[i]) / (b[i] + 1.5) - a[i], 32, x, y, dtype=kind)
    np.testing.assert_array_equal(got, ((x * y).astype(t) + x).astype(t) / (y + t.type(1.5)) - x)
    assert got.dtype == t


def test_min_and_max_give_the_operand_that_is_a_number() -> None:
    x, y = f32([np.nan, 1, 2, np.nan]), f32([1, np.nan, 3, np.nan])
    np.testing.assert_array_equal(both(lambda i, a, b: e.Min(a[i], b[i]), 4, x, y), f32([1, 1, 2, np.nan]))
    np.testing.assert_array_equal(both(lambda i, a, b: e.Max(a[i], b[i]), 4, x, y), f32([1, 1, 3, np.nan]))


CASTS = [
    ("float32", "int32", [1.9, -1.9, 0.5, -0.0, 1e6]),
    ("float32", "float16", [1.0001, 65504.0, 1e6, -3.25]),
    ("float32", "bfloat16", [1.00390625, 3.14159, -1e30]),
    ("bfloat16", "float32", [1.5, -2.75]),
    ("int32", "int8", [127, 128, -129, 255, 256]),
    ("int32", "uint8", [-1, 256, 300]),
    ("int64", "int32", [2**31, -(2**31) - 1, 5]),
    ("uint32", "int32", [2**32 - 1, 2**31]),
    ("int32", "uint64", [-1, 7]),
    ("int32", "float32", [16777217, -5]),
    ("int8", "bool", [0, 2, -1]),
    ("bool", "float32", [True, False]),
    ("bool", "int32", [True, False]),
    ("uint8", "bfloat16", [255, 3]),
]  # fmt: skip


@pytest.mark.parametrize(("source", "target", "values"), CASTS)
def test_casts_convert_as_numpy_does(source: str, target: str, values: list[Any]) -> None:
    x = np.array(values).astype(DType(source).numpy)
    with np.errstate(all="ignore"):
        want = x.astype(DType(target).numpy)
    got = both(lambda i, a: operators.cast(target, a[i]), len(values), x, dtype=target)
    np.testing.assert_array_equal(got, want)


UNARY = {
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log2": np.log2, "log10": np.log10,
    "log1p": np.log1p, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin,
    "acos": np.arccos, "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh,
    "atanh": np.arctanh, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "nearbyint": np.rint, "fabs": np.abs,
    "exp10": lambda x: 10**x, "rsqrt": lambda x: 1 / np.sqrt(x), "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "erf": np.vectorize(math.erf), "round": lambda x: np.floor(x + 0.5),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", sorted(UNARY))
def test_unary_intrinsics_compute_their_function(name: str, kind: str) -> None:
    t: Any = DType(kind).numpy
    x = (RNG.random(16) * 0.9 + 0.05).astype(t)
    got = both(lambda i, a: intrin.call_intrin(kind, name, a[i]), 16, x, dtype=kind)
    want = UNARY[name](x.astype(np.float64))
    tolerance = {"float16": 2e-3, "bfloat16": 1e-2, "float32": 1e-6, "float64": 1e-14}[kind]
    np.testing.assert_allclose(got.astype(np.float64), want, rtol=tolerance, atol=tolerance)


def test_round_goes_away_from_zero_and_nearbyint_to_even() -> None:
    x = f32([0.5, 1.5, 2.5, -0.5, -2.5, 0.49999997, 8388609.0])
    np.testing.assert_array_equal(both(lambda i, a: intrin.round(a[i]), 7, x), f32([1, 2, 3, -1, -3, 0, 8388609]))
    np.testing.assert_array_equal(both(lambda i, a: intrin.nearbyint(a[i]), 7, x), np.rint(x))


def test_binary_intrinsics_compute_their_function() -> None:
    x, y = (RNG.random(16) + 0.5).astype(np.float32), (RNG.random(16) - 0.5).astype(np.float32)
    for name, fn in {
        "pow": np.power, "atan2": np.arctan2, "hypot": np.hypot, "fmod": np.fmod, "copysign": np.copysign,
        "nextafter": np.nextafter,
    }.items():  # fmt: skip
        got = both(lambda i, a, b, name=name: intrin.call_intrin("float32", name, a[i], b[i]), 16, x, y)
        np.testing.assert_allclose(got, fn(x, y), rtol=1e-6)


def test_predicates_tell_numbers_from_the_rest() -> None:
    x = f32([1, np.inf, -np.inf, np.nan])
    for name in ("isnan", "isinf", "isfinite"):
        got = both(lambda i, a, name=name: getattr(intrin, name)(a[i]), 4, x, dtype="bool")
        np.testing.assert_array_equal(got, getattr(np, name)(x))


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "uint32", "int64"])
def test_bit_operations_work_on_the_bits_of_the_type(kind: str) -> None:
    info = np.iinfo(kind)
    x = np.array([info.max, info.min, 5, 100, info.max // 3], kind)
    y = np.array([3, 1, 2, 7, 4], kind)
    for name, fn in {
        "shift_left": np.left_shift, "shift_right": np.right_shift, "bitwise_and": np.bitwise_and,
        "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor,
    }.items():  # fmt: skip
        got = both(lambda i, a, b, name=name: operators.bitwise(name, a[i], b[i]), 5, x, y, dtype=kind)
        np.testing.assert_array_equal(got, fn(x, y))
    np.testing.assert_array_equal(both(lambda i, a: operators.bitwise_not(a[i]), 5, x, dtype=kind), ~x)
    counts = [bin(int(v) & ((1 << info.bits) - 1)).count("1") for v in x]
    np.testing.assert_array_equal(both(lambda i, a: intrin.popcount(a[i]), 5, x, dtype=kind), counts)
    zeros = [info.bits - (int(v) & ((1 << info.bits) - 1)).bit_length() for v in x]
    np.testing.assert_array_equal(both(lambda i, a: intrin.clz(a[i]), 5, x, dtype="int32"), zeros)


def test_reinterpret_keeps_the_bits() -> None:
    x = RNG.random(6, np.float32)
    got = both(lambda i, a: intrin.reinterpret("uint32", a[i]), 6, x, dtype="uint32")
    np.testing.assert_array_equal(got, x.view(np.uint32))
    words = x.view(np.uint32)
    back = both(lambda i, a: intrin.reinterpret("float32", a[i]), 6, words)
    np.testing.assert_array_equal(back, x)
    halves = both(lambda i, a: e.Shuffle((intrin.reinterpret("float16x2", a[i]),), (1,)), 6, words, dtype="float16")
    np.testing.assert_array_equal(halves.view(np.uint16), (words >> 16).astype(np.uint16))


def test_fma_rounds_once() -> None:
    x = f32([1 + 2**-12])
    got = both(lambda i, a: intrin.fma(a[i], a[i], -1.0), 1, x)
    assert got[0] == np.float32(float(x[0]) * float(x[0]) - 1.0) != x[0] * x[0] - np.float32(1)


# -- threads ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "operand", "source"),
    [
        ("shuffle", 3, lambda w: w - w % 16 + 3),
        ("shuffle_xor", 5, lambda w: w ^ 5),
        ("shuffle_down", 4, lambda w: np.where(w % 16 < 12, w + 4, w)),
        ("shuffle_up", 2, lambda w: np.where(w % 16 >= 2, w - 2, w)),
    ],
)
def test_warp_shuffles_move_values_inside_segments(name: str, operand: int, source: Any) -> None:
    def value(i: Var, a: Buffer) -> Expr:
        return intrin.call_intrin("float32", name, IntImm("uint32", 2**32 - 1), a[i], operand, 16)

    x = RNG.random(96, np.float32)
    lane = np.arange(96)
    want = x[lane - lane % 32 + source(lane % 32)]
    np.testing.assert_array_equal(run1(value, 96, x), want)


def test_a_tree_of_shuffles_sums_a_warp() -> None:
    a, b, t = decl_buffer((64,), "float32", "A"), decl_buffer((64,), "float32", "B"), Var("t")
    acc = decl_buffer((1,), "float32", "acc", scope="local")
    steps = [
        store(acc, 0, acc[0] + intrin.call_intrin("float32", "shuffle_xor", IntImm("uint32", 0), acc[0], d, 32))
        for d in (16, 8, 4, 2, 1)
    ]
    body = BufferRealize(acc, (Range(0, 1),), IntImm(BOOL, 1), seq(store(acc, 0, a[t]), *steps, store(b, t, acc[0])))
    x, y = RNG.integers(0, 9, 64).astype(np.float32), np.zeros(64, np.float32)
    interpret(func([a, b], thread("threadIdx.x", t, 64, body)), [x, y])
    np.testing.assert_array_equal(y, np.repeat(x.reshape(2, 32).sum(1), 32))


def test_activemask_tells_who_takes_part() -> None:
    b, t = decl_buffer((40,), "uint32", "B"), Var("t")
    mask = intrin.call_intrin("uint32", "activemask")
    body = IfThenElse(e.EQ(t % 2, 0), store(b, t, mask), store(b, t, 0))
    x = np.zeros(40, np.uint32)
    interpret(func([b], thread("threadIdx.x", t, 40, body)), [x])
    np.testing.assert_array_equal(x[::2], [0x55555555] * 16 + [0x55] * 4)


def test_atomic_adds_of_all_threads_arrive() -> None:
    a, b, t = decl_buffer((100,), "int32", "A"), decl_buffer((7,), "int32", "B"), Var("t")
    c = decl_buffer((100,), "int32", "C")
    add = intrin.call_intrin("int32", "atomic_add", intrin.call_intrin("handle", "address_of", b[a[t] % 7]), 1)
    x = RNG.integers(0, 99, 100).astype(np.int32)
    y, old = np.zeros(7, np.int32), np.zeros(100, np.int32)
    interpret(func([a, b, c], thread("blockIdx.x", t, 100, store(c, t, add))), [x, y, old], max_lanes=16)
    np.testing.assert_array_equal(y, np.bincount(x % 7, minlength=7))
    for k in range(7):
        assert sorted(old[x % 7 == k]) == list(range(y[k]))


def all_reduce(combiner: CommReducer, values: tuple[Expr, ...], outs: list[Buffer], condition: Expr, tx: Var) -> Stmt:
    results = tuple(decl_buffer((1,), o.dtype, f"r{k}", scope="local") for k, o in enumerate(outs))
    body: Stmt = AllReduce(combiner, values, condition, results, (tx,))
    ty = Var("ty")
    body = seq(body, *[store(o, (ty, tx), r[0]) for o, r in zip(outs, results, strict=True)])
    for r in results:
        body = BufferRealize(r, (Range(0, 1),), IntImm(BOOL, 1), body)
    return thread("threadIdx.y", ty, 3, thread("threadIdx.x", tx, 13, body))


def test_a_cross_thread_sum_gives_every_thread_the_total_of_its_row() -> None:
    x, y = Var("x", "float32"), Var("y", "float32")
    add = CommReducer((x,), (y,), (x + y,), (FloatImm("float32", 0.0),))
    a, out = decl_buffer((13,), "float32", "A"), decl_buffer((3, 13), "float32", "out")
    tx = Var("tx")
    values = RNG.integers(0, 9, 13).astype(np.float32)
    got = np.zeros((3, 13), np.float32)
    interpret(func([a, out], all_reduce(add, (a[tx],), [out], tx < 11, tx)), [values, got])
    assert (got == values[:11].sum()).all()


def test_a_cross_thread_argmax_keeps_the_first_of_equal_values() -> None:
    (i0, i1), (v0, v1) = (Var("i0"), Var("i1")), (Var("v0", "float32"), Var("v1", "float32"))
    better = e.Or(v0 > v1, e.And(e.EQ(v0, v1), i0 < i1))
    argmax = CommReducer(
        (i0, v0), (i1, v1), (e.Select(better, i0, i1), e.Select(better, v0, v1)),
        (IntImm("int32", -1), FloatImm("float32", -math.inf)),
    )  # fmt: skip
    a, where, what = (
        decl_buffer((13,), "float32", "A"),
        decl_buffer((3, 13), "int32", "w"),
        decl_buffer((3, 13), "float32", "v"),
    )
    tx = Var("tx")
    values = f32([1, 5, 2, 5, 0, 3, 5, 1, 1, 1, 4, 4, 2])
    got, best = np.zeros((3, 13), np.int32), np.zeros((3, 13), np.float32)
    body = all_reduce(argmax, (tx, a[tx]), [where, what], IntImm(BOOL, 1), tx)
    interpret(func([a, where, what], body), [values, got, best])
    assert (got == 1).all()
    assert (best == 5).all()


def test_one_pool_of_shared_memory_may_hold_several_types() -> None:
    a, b = decl_buffer((32,), "float32", "A"), decl_buffer((32,), "float32", "B")
    pool = Var("pool", PointerType(PrimType(DType("uint8")), "shared"))
    floats = decl_buffer((32,), "float32", "floats", data=pool)
    halves = decl_buffer((32,), "float16", "halves", data=pool, elem_offset=64)
    t = Var("t")
    other = 31 - t
    body = seq(
        store(floats, t, a[t]), store(halves, t, operators.cast("float16", t)), Evaluate(intrin.barrier("shared")),
        store(b, t, floats[other] + operators.cast("float32", halves[other])),
    )  # fmt: skip
    body = Allocate(pool, DType("uint8"), (IntImm("int32", 192),), IntImm(BOOL, 1), body)
    x, y = RNG.random(64, np.float32)[:32], np.zeros(32, np.float32)
    interpret(func([a, b], thread("blockIdx.x", Var("bx"), 1, thread("threadIdx.x", t, 32, body))), [x, y])
    np.testing.assert_array_equal(y, (x + np.arange(32, dtype=np.float32))[::-1])


def test_warp_memory_is_one_copy_for_each_warp() -> None:
    a, b, t = decl_buffer((96,), "float32", "A"), decl_buffer((96,), "float32", "B"), Var("t")
    w = decl_buffer((32,), "float32", "w", scope="warp")
    body = seq(store(w, t % 32, a[t]), Evaluate(intrin.barrier("warp")), store(b, t, w[(t + 1) % 32]))
    body = BufferRealize(w, (Range(0, 32),), IntImm(BOOL, 1), body)
    x, y = RNG.random(96, np.float32), np.zeros(96, np.float32)
    interpret(func([a, b], thread("threadIdx.x", t, 96, body)), [x, y])
    np.testing.assert_array_equal(y, np.roll(x.reshape(3, 32), -1, axis=1).reshape(-1))


def test_buffers_of_vector_elements_hold_whole_vectors() -> None:
    a, b = decl_buffer((6,), "float32x4", "A"), decl_buffer((6,), "float32x4", "B")
    for body in (lambda t, s: thread("threadIdx.x", t, 6, s), lambda t, s: loop(t, 6, s)):
        t = Var("t")
        x, y = RNG.random((6, 4), np.float32), np.zeros((6, 4), np.float32)
        interpret(func([a, b], body(t, store(b, t, a[5 - t]))), [x, y])
        np.testing.assert_array_equal(y, x[::-1])


def test_bfloat16_arguments_come_from_ml_dtypes() -> None:
    x: Any = RNG.random(8).astype(ml_dtypes.bfloat16)
    got = run1(lambda i, a: a[i] * a[i], 8, x, dtype="bfloat16")
    np.testing.assert_array_equal(got, x * x)


def test_hints_change_nothing() -> None:
    b, i = decl_buffer((4,), "int32", "B"), Var("i")
    body = seq(Prefetch(b, (Range(0, 4),)), loop(i, 4, store(b, i, i)))
    body = AttrStmt(None, "pragma_anything", IntImm("int32", 1), body)
    x = np.zeros(4, np.int32)
    interpret(func([b], body), [x])
    np.testing.assert_array_equal(x, np.arange(4))


def test_assertions_are_checked() -> None:
    n = Var("n")
    with pytest.raises(VerifyError, match="n must be even does not hold"):
        interpret(func([], AssertStmt(e.EQ(n % 2, 0), "n must be even", NOOP), [n]), [3])
    interpret(func([], AssertStmt(e.EQ(n % 2, 0), "n must be even", NOOP), [n]), [4])


# -- host loops in lockstep -------------------------------------------------------------------------------------


def kernels_of(f: PrimFunc, args: list[Array]) -> list[str]:
    return [k.name for k in interpret(f, args).kernels]


def test_host_loops_whose_iterations_are_independent_run_in_lockstep() -> None:
    a, b, c = (decl_buffer((40, 40), "float32", n) for n in "ABC")
    i, j, k = Var("i"), Var("j"), Var("k")
    body = seq(store(c, (i, j), 0.0), loop(k, 40, store(c, (i, j), c[i, j] + a[i, k] * b[k, j])))
    x, y = (RNG.integers(-3, 4, (40, 40)).astype(np.float32) for _ in range(2))
    z = np.zeros((40, 40), np.float32)
    assert kernels_of(func([a, b, c], nest([(i, 40), (j, 40)], body)), [x, y, z]) == ["loop i"]
    np.testing.assert_array_equal(z, x @ y)


@pytest.mark.parametrize(
    ("index", "read", "lockstep"),
    [
        (lambda i, j: i * 2 + j, lambda i, j: i * 2 + j, True),
        (lambda i, j: i + j * 20, lambda i, j: i + j * 20, False),
        (lambda i, j: i * 2 + j + 1, lambda i, j: i * 2 + j, False),
        (lambda i, j: (i + j) % 20, lambda i, j: (i + j) % 20, False),
    ],
)
def test_host_loops_that_pass_values_on_run_in_order(index: Any, read: Any, lockstep: bool) -> None:
    a, i, j = decl_buffer((64,), "int32", "A"), Var("i"), Var("j")
    body = store(a, index(i, j), i * 3 - a[read(i, j)])
    x = np.arange(64, dtype=np.int32)
    want = x.copy()
    for p in range(20):
        for q in range(2):
            want[index(p, q)] = p * 3 - want[read(p, q)]
    assert kernels_of(func([a], nest([(i, 20), (j, 2)], body)), [x]) == (["loop i"] if lockstep else [])
    np.testing.assert_array_equal(x, want)


def test_a_running_sum_over_a_host_loop_stays_in_order() -> None:
    a, i = decl_buffer((50,), "int32", "A"), Var("i")
    x = np.arange(50, dtype=np.int32)
    assert kernels_of(func([a], loop(i, 49, store(a, i + 1, a[i + 1] + a[i]))), [x]) == []
    np.testing.assert_array_equal(x, np.cumsum(np.arange(50)))


# -- less common forms ------------------------------------------------------------------------------------------


def test_loops_bound_to_threads_are_threads() -> None:
    a, i, j = decl_buffer((4, 8), "int32", "A"), Var("i"), Var("j")
    body: Stmt = store(a, (i, j), i * 10 + j)
    for var, extent, tag in ((j, 8, "threadIdx.x"), (i, 4, "blockIdx.x")):
        axis = e.IterVar(Range(0, extent), var, e.IterVar.ThreadIndex, tag)
        body = For(var, IntImm("int32", 0), IntImm("int32", extent), ForKind.THREAD_BINDING, body, axis)
    x = np.zeros((4, 8), np.int32)
    report = interpret(func([a], body), [x])
    np.testing.assert_array_equal(x, np.arange(4)[:, None] * 10 + np.arange(8))
    assert (report.kernels[0].grid, report.kernels[0].block) == ((4, 1, 1), (8, 1, 1))


@pytest.mark.parametrize("kind", [ForKind.VECTORIZED, ForKind.UNROLLED, ForKind.SERIAL])
def test_every_kind_of_loop_runs_its_iterations(kind: ForKind) -> None:
    a, t, i = decl_buffer((4, 8), "int32", "A"), Var("t"), Var("i")
    x = np.zeros((4, 8), np.int32)
    interpret(func([a], thread("threadIdx.x", t, 4, loop(i, 8, store(a, (t, i), t * 10 + i), kind))), [x])
    np.testing.assert_array_equal(x, np.arange(4)[:, None] * 10 + np.arange(8))


def test_an_extent_of_one_is_repeated_by_auto_broadcast() -> None:
    s0, s1 = Var("s0"), Var("s1")
    a = decl_buffer((Var("m"), Var("n")), "float32", "A", strides=[s0, s1], buffer_type="auto_broadcast")
    b, i, j = decl_buffer((3, 4), "float32", "B"), Var("i"), Var("j")
    kernel = func([a, b], nest([(i, 3), (j, 4)], store(b, (i, j), a[i, j])))
    for shape in ((3, 4), (1, 4), (3, 1), (1, 1)):
        x, y = RNG.random(shape, np.float32), np.zeros((3, 4), np.float32)
        interpret(kernel, [x, y])
        np.testing.assert_array_equal(y, np.broadcast_to(x, (3, 4)))


def test_a_pointer_may_have_two_names() -> None:
    a, i = decl_buffer((4,), "int32", "A"), Var("i")
    alias = Var("p", PointerType(PrimType(DType("int32"))))
    view = decl_buffer((4,), "int32", "view", data=alias)
    x = np.zeros(4, np.int32)
    interpret(func([a], LetStmt(alias, a.data, loop(i, 4, store(view, i, i + 1)))), [x])
    np.testing.assert_array_equal(x, [1, 2, 3, 4])


def test_scalar_arguments_of_every_type_reach_the_kernel() -> None:
    out = decl_buffer((3,), "float64", "out")
    n, x, flag = Var("n", "int64"), Var("x", "float32"), Var("flag", "bool")
    body = seq(store(out, 0, n.astype("float64")), store(out, 1, x.astype("float64")),
               IfThenElse(flag, store(out, 2, operators.const(7.0, "float64"))))  # fmt: skip
    got = np.zeros(3)
    interpret(func([out], body, [n, x, flag]), [got, 2**40 + 1, 0.1, True])
    np.testing.assert_array_equal(got, [2**40 + 1, float(np.float32(0.1)), 7])


def test_kernels_inside_of_host_loops_see_the_loop_variable() -> None:
    a, k, t = decl_buffer((3, 4), "int32", "A"), Var("k"), Var("t")
    x = np.zeros((3, 4), np.int32)
    report = interpret(func([a], loop(k, 3, thread("threadIdx.x", t, 4, store(a, (k, t), k * 10 + t)))), [x])
    np.testing.assert_array_equal(x, np.arange(3)[:, None] * 10 + np.arange(4))
    assert len(report.kernels) == 3


def test_empty_grids_run_nothing() -> None:
    n, t = Var("n"), Var("t")
    a = decl_buffer((n,), "int32", "A")
    body = thread("blockIdx.x", t, n, store(a, t, 1))
    report = interpret(func([a], body), [np.zeros(0, np.int32)])
    assert report.kernels[0].blocks_run == []
