"""Threads that wait for each other, run one after the other: against the interpreter's threads and on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any  # Any: arrays of several element types; ints or expressions

import numpy as np
import pytest

from gpucomp.driver.build import lower_primfunc
from gpucomp.support.diagnostics import LowerError
from gpucomp.target import Target
from gpucomp.te import lower_schedule
from gpucomp.tir import operators as op
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import EQ, CommReducer, Expr, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.interp import interpret
from gpucomp.tir.stmt import Allocate, AllReduce, For, ForKind, IfThenElse, LetStmt, Stmt
from gpucomp.transform.serialize_threads import serialize_threads, thread_axis
from gpucomp.transform.thread_sync import barrier
from gpucomp.transform.walk import TRUE
from tests.codegen.cpu_run import function, run
from tests.golden.cases import CASES as GOLDEN
from tests.golden.support import assert_same, make_arrays, reference
from tests.golden.test_sources import INEXACT
from tests.tiers import tiered
from tests.transform import test_lower_thread_allreduce as reductions
from tests.transform.build import allocate, internal, loop, nodes, store, thread, tiled_matmul

Array = np.ndarray[Any, Any]
THREADS = 4
# Their smaller siblings (conv2d_2x4x8x4x1x1, matmul_32x32x32) stay in the quick tier.
LONG = {"conv2d_1x5x9x6x3x1_float32", "conv2d_1x3x11x4x3x2_float32", "matmul_symbolic", "matmul_33x37x21_float32"}
bx, tx, ty = Var("bx"), Var("tx"), Var("ty")


def in_threads(body: Stmt, blocks: Any = 3, threads: int = THREADS) -> Stmt:
    return thread("blockIdx.x", bx, blocks, thread("threadIdx.x", tx, threads, body))


def check(func: PrimFunc, *arrays: Array) -> list[Array]:
    """The serialized function has no threads left, and writes what the threads of the interpreter write."""
    serial = serialize_threads(func)
    assert serial is not func
    assert not nodes(serial, AllReduce)
    assert not [n for n in nodes(serial, Stmt) if thread_axis(n) is not None]
    assert "barrier" not in serial.script()
    want = [a.copy() for a in arrays]
    interpret(func, want)
    runs_as(serial, arrays, want)
    return want


def runs_as(serial: PrimFunc, arrays: Sequence[Array], want: Sequence[Array]) -> None:
    """Interpreter and CPU write what is expected."""
    for execute in (interpret, lambda f, x: run(f, *x)):
        got = [a.copy() for a in arrays]
        execute(serial, got)
        for x, y in zip(got, want, strict=True):
            np.testing.assert_array_equal(x, y)


def numbers(count: int, dtype: str = "float32") -> Array:
    return np.random.default_rng(count).integers(-9, 9, count).astype(dtype)


def flat(name: str, size: Any, scope: str = "global", dtype: str = "float32") -> Buffer:
    return internal(name, [size], scope, dtype)


def test_a_barrier_ends_the_loop_over_the_threads() -> None:
    a, b = flat("A", 12), flat("B", 12)
    shared = flat("S", THREADS, "shared")
    body = s.seq(
        store(shared, tx, a[bx * THREADS + tx]), barrier(), store(b, bx * THREADS + tx, shared[THREADS - 1 - tx])
    )
    func = function(in_threads(allocate(shared, body)), a, b)
    data = numbers(12)
    _, out = check(func, data, np.zeros(12, np.float32))
    np.testing.assert_array_equal(out, data.reshape(3, THREADS)[:, ::-1].ravel())
    assert len([n for n in nodes(serialize_threads(func), For) if n.loop_var is tx]) == 2


def test_without_barriers_a_kernel_stays_as_it_is() -> None:
    b = flat("B", 12)
    func = function(in_threads(store(b, bx * THREADS + tx, 1.0)), b)
    assert serialize_threads(func) is func


def test_of_several_kernels_only_those_with_barriers_change() -> None:
    a, b, shared = flat("A", 12), flat("B", 12), flat("S", THREADS, "shared")
    plain = in_threads(store(a, bx * THREADS + tx, op.cast(a.dtype, tx)))
    meeting = s.seq(store(shared, tx, a[bx * THREADS + tx]), barrier(), store(b, bx * THREADS + tx, shared[0]))
    func = function(s.seq(plain, in_threads(allocate(shared, meeting))), a, b)
    serial = serialize_threads(func)
    assert isinstance(serial.body, s.SeqStmt)
    assert serial.body[0] is plain
    out = np.zeros(12, np.float32)
    run(serial, np.zeros(12, np.float32), out)
    assert not out.any()
    run(serial, np.zeros(12, np.float32), out)


def test_memory_of_a_thread_outlives_a_barrier() -> None:
    a, b, mine, shared = flat("A", 12), flat("B", 12), flat("L", 2, "local"), flat("S", THREADS, "shared")
    body = s.seq(
        store(mine, 0, a[bx * THREADS + tx]),
        store(mine, 1, mine[0] * 2.0),
        store(shared, tx, mine[1]),
        barrier(),
        store(b, bx * THREADS + tx, mine[0] + mine[1] * 100.0 + shared[(tx + 1) % THREADS] * 10000.0),
    )
    check(function(in_threads(allocate(mine, allocate(shared, body))), a, b), numbers(12), np.zeros(12, np.float32))


def test_vector_accesses_of_a_threads_memory_stay_vectors() -> None:
    from gpucomp.tir.expr import Ramp

    a, b, mine, shared = flat("A", 48), flat("B", 48), flat("L", 4, "local"), flat("S", THREADS, "shared")
    place = Ramp((bx * THREADS + tx) * 4, op.const(1), 4)
    own = Ramp(op.const(0), op.const(1), 4)
    body = s.seq(
        store(mine, own, a[place]), store(shared, tx, mine[1]), barrier(), store(b, place, mine[own]),
        barrier(), store(b, (bx * THREADS + tx) * 4, shared[(tx + 1) % THREADS]),
    )  # fmt: skip
    check(function(in_threads(allocate(mine, allocate(shared, body))), a, b), numbers(48), np.zeros(48, np.float32))


@pytest.mark.parametrize("loads", [False, True])
def test_a_let_variable_outlives_a_barrier(loads: bool) -> None:
    a, b, shared, x = flat("A", 12), flat("B", 12), flat("S", THREADS, "shared"), Var("x", "float32")
    value = a[bx * THREADS + tx] if loads else op.cast("float32", tx * 3 + bx)
    body = s.seq(
        store(shared, tx, x),
        store(a, bx * THREADS + tx, 0.0),
        barrier(),
        store(b, bx * THREADS + tx, shared[THREADS - 1 - tx] + x * 100.0),
    )
    func = function(in_threads(allocate(shared, LetStmt(x, value, body))), a, b)
    check(func, numbers(12), np.zeros(12, np.float32))


def test_a_let_variable_of_the_whole_block_is_evaluated_once() -> None:
    a, b, shared, x = flat("A", 12), flat("B", 12), flat("S", THREADS, "shared"), Var("x", "float32")
    body = s.seq(
        store(shared, tx, x + tx.astype("float32")), barrier(), store(b, bx * THREADS + tx, shared[3 - tx] * x)
    )
    func = function(in_threads(allocate(shared, LetStmt(x, a[bx], body))), a, b)
    check(func, numbers(12), np.zeros(12, np.float32))
    assert len(nodes(serialize_threads(func), LetStmt)) == 1


def test_loops_around_a_barrier_stay_outside() -> None:
    a, b, total, shared, k = flat("A", 12), flat("B", 12), flat("L", 1, "local"), flat("S", THREADS, "shared"), Var("k")
    step = s.seq(
        store(shared, tx, a[k * THREADS + tx]),
        barrier(),
        store(total, 0, total[0] * 2.0 + shared[(tx + bx) % THREADS]),
        barrier(),
    )
    body = s.seq(store(total, 0, 0.0), loop(k, 3, step), store(b, bx * THREADS + tx, total[0]))
    func = function(in_threads(allocate(total, allocate(shared, body))), a, b)
    check(func, numbers(12), np.zeros(12, np.float32))
    assert len([n for n in nodes(serialize_threads(func), For) if n.loop_var is k]) == 1


def test_the_number_of_blocks_may_be_an_argument() -> None:
    n = Var("n")
    a, b, shared = flat("A", n), flat("B", n), flat("S", THREADS, "shared")
    at = bx * THREADS + tx
    body = s.seq(
        IfThenElse(at < n, store(shared, tx, a[at])),
        barrier(),
        IfThenElse(at < n, store(b, at, shared[tx] + shared[0])),
    )
    func = function(in_threads(allocate(shared, body), op.floordiv(n + 3, 4)), a, b)
    for size in (1, 9, 16):
        check(func, numbers(size), np.zeros(size, np.float32))


def test_axes_that_are_named_twice_are_one() -> None:
    again, one = Var("tx2"), Var("tz")
    a, b, shared = flat("A", 12), flat("B", 12), flat("S", THREADS, "shared")
    fill = thread("threadIdx.x", again, THREADS, store(shared, again, a[bx * THREADS + again]))
    body = s.seq(fill, barrier(), store(b, bx * THREADS + tx + one, shared[THREADS - 1 - tx]))
    func = function(in_threads(thread("threadIdx.z", one, 1, allocate(shared, body))), a, b)
    check(func, numbers(12), np.zeros(12, np.float32))


def total(values: Expr, result: Buffer, over: Sequence[Var] = (tx,), condition: Expr = TRUE) -> Stmt:
    x, y = Var("x", "float32"), Var("y", "float32")
    return AllReduce(
        CommReducer((x,), (y,), (x + y,), (op.const(0.0, "float32"),)), (values,), condition, (result,), over
    )


@pytest.mark.parametrize("kind", ["sum", "max", "argmax"])
@pytest.mark.parametrize(
    ("block", "reduced"), [((4,), (0,)), ((4, 3), (0,)), ((4, 3), (1,)), ((2, 3, 2), (0, 2)), ((1, 3), (0,))]
)
def test_reductions_give_each_thread_the_result_of_its_group(
    kind: str, block: tuple[int, ...], reduced: tuple[int, ...]
) -> None:
    limit = None if kind == "argmax" else 5  # the index of a group without elements is not defined
    func = reductions.kernel(block, reduced, kind, rounds=2, limit=limit)
    data = reductions.draw("int32", 6 * int(np.prod(block)))
    outs = [np.zeros(data.size, b.dtype.numpy) for b in reductions.outputs(func)]
    serial = serialize_threads(func)
    assert not nodes(serial, AllReduce)
    run(serial.with_attr("global_symbol", "kernel"), data, *outs)
    for got, want in zip(outs, reductions.expected(data, block, reduced, kind, limit=limit), strict=True):
        np.testing.assert_array_equal(got, want)


def rows(inner: Callable[[Buffer, Buffer, Buffer], Stmt]) -> PrimFunc:
    """A kernel of 3 x 4 threads with an element each; ``inner(A, B, R)`` may reduce into R[0]."""
    a, b, result = flat("A", 12), flat("B", 12), flat("R", 1, "local")
    body = allocate(result, inner(a, b, result))
    return function(thread("threadIdx.y", ty, 3, thread("threadIdx.x", tx, THREADS, body)), a, b)


@pytest.mark.parametrize("loads", [False, True])
def test_a_condition_around_a_reduction_chooses_groups(loads: bool) -> None:
    def inner(a: Buffer, b: Buffer, r: Buffer) -> Stmt:
        at = ty * THREADS + tx
        taken = s.seq(total(a[at], r), store(b, at, r[0]))
        if not loads:
            return IfThenElse(ty < 2, taken, store(b, at, -1.0))
        flag = flat("F", 1, "local", "int32")  # changes where it was tested: the choice was made before
        chosen = IfThenElse(flag[0] < 2, s.seq(store(flag, 0, 7), taken), store(b, at, -1.0))
        return allocate(flag, s.seq(store(flag, 0, ty), chosen, store(a, at, flag[0].astype("float32"))))

    data, empty = numbers(12), np.zeros(12, np.float32)
    sums = np.repeat(data.reshape(3, 4).sum(axis=1), 4)
    want = np.where(np.arange(12) < 8, sums, -1.0)
    after = np.repeat([7.0, 7.0, 2.0], 4) if loads else data
    runs_as(serialize_threads(rows(inner)), [data, empty], [after, want])


def test_reductions_on_both_sides_of_a_condition() -> None:
    def inner(a: Buffer, b: Buffer, r: Buffer) -> Stmt:
        at = ty * THREADS + tx
        left = s.seq(total(a[at], r), store(b, at, r[0]))
        right = s.seq(total(a[at] * 3.0, r), store(b, at, r[0] + 1.0))
        return IfThenElse(EQ(ty, op.const(1)), left, right)

    data, empty = numbers(12), np.zeros(12, np.float32)
    sums = np.repeat(data.reshape(3, 4).sum(axis=1), 4)
    want = np.where(np.arange(12) // 4 == 1, sums, sums * 3.0 + 1.0)
    runs_as(serialize_threads(rows(inner)), [data, empty], [data, want])


def test_each_group_may_take_its_own_number_of_steps() -> None:
    k = Var("k")

    def inner(a: Buffer, b: Buffer, r: Buffer) -> Stmt:
        at = ty * THREADS + tx
        step = s.seq(total(a[at] + k.astype("float32"), r), store(b, at, b[at] * 2.0 + r[0]))
        return loop(k, ty + 1, step, low=ty)

    data, empty = numbers(12), np.zeros(12, np.float32)
    want = np.zeros((3, 4), np.float32)
    for row, sum_ in enumerate(data.reshape(3, 4).sum(axis=1)):
        for k_now in range(row, 2 * row + 1):
            want[row] = want[row] * 2.0 + sum_ + 4.0 * k_now
    runs_as(serialize_threads(rows(inner)), [data, empty], [data, want.ravel()])


def test_a_loop_while_a_common_condition_holds() -> None:
    a, b, shared = flat("A", 12), flat("B", 12), flat("S", 1, "shared", "int32")
    first = EQ(tx, op.const(0))
    body = s.seq(
        IfThenElse(first, store(shared, 0, bx)),
        barrier(),
        s.While(
            shared[0] < 4,
            s.seq(
                store(b, bx * THREADS + tx, b[bx * THREADS + tx] + a[bx * THREADS + tx]),
                barrier(),
                IfThenElse(first, store(shared, 0, shared[0] + 1)),
                barrier(),
            ),
        ),
    )
    check(function(in_threads(allocate(shared, body)), a, b), numbers(12), np.zeros(12, np.float32))


def test_a_loop_while_a_condition_of_the_thread_holds_is_refused() -> None:
    def inner(a: Buffer, b: Buffer, r: Buffer) -> Stmt:
        return s.seq(store(r, 0, 0.0), s.While(r[0] < 1.0, total(a[tx], r)))

    with pytest.raises(LowerError, match="differs between them"):
        serialize_threads(rows(inner))


def test_a_number_of_threads_that_is_no_constant_is_refused() -> None:
    n = Var("n")
    a, shared = flat("A", n), flat("S", 64, "shared")
    body = s.seq(store(shared, tx, a[tx]), barrier(), store(a, tx, shared[0]))
    func = function(thread("threadIdx.x", tx, n, allocate(shared, body)), a)
    with pytest.raises(LowerError, match="constant extent"):
        serialize_threads(func)


def test_a_tiled_product_with_shared_memory_runs_on_the_cpu() -> None:
    func = tiled_matmul(
        20, 24, 16, vector=2, double_buffer=False, attrs={"target": Target("llvm"), "tir.noalias": True}
    )
    lowered = lower_primfunc(func, Target("llvm")).with_attr("global_symbol", "kernel")
    assert not [n for n in nodes(lowered, Stmt) if thread_axis(n) is not None]
    a, b, c = numbers(320).reshape(20, 16), numbers(384).reshape(16, 24), np.zeros((20, 24), np.float32)
    run(lowered, a, b, c)
    np.testing.assert_array_equal(c, a @ b)


@pytest.mark.parametrize("name", tiered(GOLDEN, set(GOLDEN) - LONG))
def test_schedules_for_a_gpu_run_on_the_cpu(name: str) -> None:
    import gpucomp

    case = GOLDEN[name]
    schedule, args = case.make(Target("cuda"))
    arrays = make_arrays(schedule, args, case.shapes, seed=4)
    want = reference(schedule, args, arrays)
    gpucomp.build(schedule, args, Target("llvm"), name=name)(*arrays)
    assert_same(arrays, want, args, INEXACT.get(name, 0.0))


def test_a_serialized_kernel_runs_its_blocks_in_parallel() -> None:
    schedule, args = GOLDEN["shared_stencil"].make(Target("cuda"))
    lowered = lower_primfunc(lower_schedule(schedule, args, "stencil"), Target("llvm"))
    assert [n.kind for n in nodes(lowered, For) if n.kind is ForKind.PARALLEL] == [ForKind.PARALLEL]
    assert {n.buffer_var.storage_scope for n in nodes(lowered, Allocate)} == {"global"}
