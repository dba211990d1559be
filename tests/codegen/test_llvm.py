"""Statements of the CPU backend: loops of every kind, temporaries, parallel tasks, GPU schedules as a fallback."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.codegen.llvm import emit_cpu, kernel_params
from gpucomp.ir.types import PointerType, PrimType
from gpucomp.runtime.cpu import device_api
from gpucomp.support.diagnostics import DeviceError, LowerError
from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir import intrin
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import Add, Expr, IterVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.stmt import ForKind, Stmt
from tests.codegen.cpu_run import function, run

TRUE = e.IntImm("bool", 1)


def i32(name: str) -> Var:
    return Var(name, "int32")


def f32(value: float) -> Expr:
    return e.FloatImm("float32", value)


def array(name: str, extent: Expr | int | None = None, dtype: str = "float32") -> Buffer:
    return decl_buffer((i32(f"n_{name}") if extent is None else extent,), dtype, name)


def serial(var: Var, extent: Expr | int, body: Stmt, kind: ForKind = ForKind.SERIAL) -> s.For:
    return s.For(var, 0, extent, kind, body)


def temporary(
    name: str, extent: Expr | int, body: Callable[[Buffer], Stmt], scope: str = "global", dtype: str = "float32"
) -> Stmt:
    buffer = decl_buffer((extent,), dtype, name, scope=scope)
    return s.Allocate(buffer.data, buffer.dtype, buffer.shape, TRUE, body(buffer))


@pytest.mark.parametrize("n", [0, 1, 2, 7, 1000, 100_003])
@pytest.mark.parametrize("kind", [ForKind.SERIAL, ForKind.PARALLEL, ForKind.VECTORIZED, ForKind.UNROLLED])
def test_an_elementwise_loop_equals_numpy_at_every_size_and_kind_of_loop(n: int, kind: ForKind) -> None:
    size = i32("n")
    a, b, c = (array(name, size) for name in "abc")
    i = i32("i")
    func = function(serial(i, size, s.BufferStore(c, a[i] + b[i], (i,)), kind), a, b, c)
    x, y = np.random.default_rng(n).standard_normal((2, n)).astype("float32")
    out = np.full(n, np.nan, "float32")
    run(func, x, y, out)
    assert np.array_equal(out, x + y)


def test_loops_begin_where_they_are_told_and_negative_extents_run_nothing() -> None:
    y, n, i = array("y"), i32("n"), i32("i")
    body = s.For(i, n - 2, 4 - n, ForKind.SERIAL, s.BufferStore(y, f32(1.0), (i,)))
    for value, expected in ((2, [1, 1, 0, 0, 0]), (3, [0, 1, 0, 0, 0]), (4, [0] * 5), (9, [0] * 5)):
        out = np.zeros(5, np.float32)
        run(function(body, y, n), out, value)
        assert out.tolist() == expected


@pytest.mark.parametrize("kind", [ForKind.SERIAL, ForKind.PARALLEL])
def test_loops_over_64_bit_variables(kind: ForKind) -> None:
    n, i = Var("n", "int64"), Var("i", "int64")
    y = decl_buffer((n,), "int64", "y")
    out = np.zeros(100, np.int64)
    run(function(serial(i, n, s.BufferStore(y, i * i, (i,)), kind), y), out)
    assert np.array_equal(out, np.arange(100) ** 2)


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize("kind", [ForKind.SERIAL, ForKind.VECTORIZED])
def test_a_reduction_loop_may_be_regrouped_only_where_the_schedule_says_so(kind: ForKind, marked: bool) -> None:
    x, y, i = array("x"), array("y", 1), i32("i")
    notes = {"reassociate": True} if marked else None
    loop = s.For(i, 0, x.shape[0], kind, s.BufferStore(y, y[0] + x[i], (0,)), None, notes)
    body = s.seq(s.BufferStore(y, f32(0.0), (0,)), loop)
    func = function(body, x, y)
    text = emit_cpu(func).source
    assert ("reassoc" in text) == (marked or kind is ForKind.VECTORIZED)
    assert "nnan" not in text
    assert "ninf" not in text
    values, out = np.arange(1000, dtype=np.float32), np.zeros(1, np.float32)
    run(func, values, out)
    assert out[0] == values.sum()


def test_branches_lets_and_while_loops() -> None:
    x, y, i = array("x"), array("y"), i32("i")
    t = Var("t", "float32")
    count = array("count", 1, "int32")
    clipped = s.LetStmt(
        t,
        x[i] * 2.0,
        s.IfThenElse(e.GT(t, f32(4.0)), s.BufferStore(y, f32(4.0), (i,)), s.BufferStore(y, t, (i,))),
    )
    halve = s.While(
        e.GT(x[0], f32(1.0)), s.seq(s.BufferStore(x, x[0] / 2.0, (0,)), s.BufferStore(count, count[0] + 1, (0,)))
    )
    values, out, steps = np.arange(5, dtype=np.float32), np.full(5, np.nan, np.float32), np.zeros(1, np.int32)
    values[0] = 100.0
    run(function(s.seq(serial(i, x.shape[0], clipped), halve), x, y, count), values, out, steps)
    assert out.tolist() == [4, 2, 4, 4, 4]
    assert steps[0] == 7
    assert values[0] == 100 / 128


def test_a_let_inside_an_expression_is_computed_anew_after_a_store() -> None:
    x, t = array("x", 4), Var("t", "float32")
    square = e.Let(t, x[0] + f32(1.0), e.Mul(t, t))
    body = s.seq([s.BufferStore(x, square, (0,)), s.BufferStore(x, square, (1,))])
    out = np.array([1, 0, 0, 0], np.float32)
    run(function(body, x), out)
    assert out[:2].tolist() == [4, 25]


def test_a_failed_assertion_is_an_error_with_its_message_and_stops_the_kernel() -> None:
    n, y = i32("n"), array("y")
    body = s.AssertStmt(e.LT(n, e.IntImm("int32", 10)), "n must be below 10", s.BufferStore(y, f32(1.0), (0,)))
    out = np.zeros(1, np.float32)
    run(function(body, y, n), out, 3)
    assert out[0] == 1
    out[0] = 0
    with pytest.raises(DeviceError, match="n must be below 10"):
        run(function(body, y, n), out, 10)
    assert out[0] == 0


@pytest.mark.parametrize("extent", [16, 100_000, None], ids=["stack", "heap", "symbolic"])
@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bool", "float16"])
def test_temporaries_of_every_size_hold_their_values(extent: int | None, parallel: bool, dtype: str) -> None:
    n, rows = i32("n"), i32("rows")
    size: Expr | int = n if extent is None else extent
    y = decl_buffer((rows * n,), dtype, "y")
    r, i, j = i32("r"), i32("i"), i32("j")

    def body(buffer: Buffer) -> Stmt:
        fill = serial(i, n, s.BufferStore(buffer, e.Cast(dtype, e.FloorMod(i + r, e.IntImm("int32", 2))), (i,)))
        return s.seq(fill, serial(j, n, s.BufferStore(y, buffer[j], (r * n + j,))))

    loop = serial(r, rows, temporary("t", size, body, dtype=dtype), ForKind.PARALLEL if parallel else ForKind.SERIAL)
    out = np.ones(5 * 16, dtype)
    run(function(loop, y, n, rows), out, 16, 5)
    expected = (np.arange(16)[None, :] + np.arange(5)[:, None]) % 2
    assert np.array_equal(out.reshape(5, 16), expected.astype(dtype))


@pytest.mark.parametrize("parallel", [False, True])
def test_a_temporary_that_does_not_fit_in_memory_is_an_error(parallel: bool) -> None:
    n, y, r = Var("n", "int64"), array("y"), i32("r")
    kind = ForKind.PARALLEL if parallel else ForKind.SERIAL
    body = serial(r, 4, temporary("t", n, lambda t: s.BufferStore(t, f32(0.0), (Var("zero", "int64") * 0,))), kind)
    with pytest.raises(DeviceError, match="not enough memory"):
        run(function(body, y, n), np.zeros(1, np.float32), 2**60)


def test_nested_parallel_loops_run_and_captured_values_of_every_type_arrive() -> None:
    y, rows, cols = array("y"), i32("rows"), i32("cols")
    flag, factor = Var("flag", "bool"), Var("factor", "float64")
    r, k = i32("r"), i32("k")
    value = e.Select(flag, e.Cast("float32", factor), f32(0.0)) + e.Cast("float32", r * cols + k)
    inner = s.For(k, 0, cols, ForKind.PARALLEL, s.BufferStore(y, value, (r * cols + k,)))
    out = np.full(70, np.nan, np.float32)
    run(function(s.For(r, 0, rows, ForKind.PARALLEL, inner), y, rows, cols, flag, factor), out, 7, 10, True, 0.5)
    assert np.array_equal(out, np.arange(70, dtype=np.float32) + 0.5)


def test_parallel_loops_inside_an_unrolled_one_see_its_literal() -> None:
    y, u, r = array("y"), i32("u"), i32("r")
    inner = s.For(r, 3, 5, ForKind.PARALLEL, s.BufferStore(y, e.Cast("float32", u * 10 + r), (u * 5 + r - 3,)))
    out = np.full(10, np.nan, np.float32)
    run(function(s.For(u, 0, 2, ForKind.UNROLLED, inner), y), out)
    assert out.tolist() == [3, 4, 5, 6, 7, 13, 14, 15, 16, 17]


def test_a_register_tile_leaves_memory() -> None:
    x, y = array("x"), array("y")
    k, m, v = i32("k"), i32("m"), i32("v")

    def lanes(base: Expr) -> Expr:
        return e.Ramp(base, e.IntImm("int32", 1), 8)

    def body(acc: Buffer) -> Stmt:
        place = (lanes(m * 16 + v * 8),)

        def tile(value: Expr, into: Buffer) -> Stmt:
            return serial(m, 4, serial(v, 2, s.BufferStore(into, value, place)))

        loaded = e.BufferLoad(x, (lanes(k * 16 + v * 8),)) * e.Broadcast(x[k * 16 + m], 8)
        return s.seq(
            tile(e.Broadcast(f32(0.0), 8), acc),
            serial(k, i32_n, tile(e.BufferLoad(acc, place) + loaded, acc)),
            tile(e.BufferLoad(acc, place), y),
        )

    i32_n = i32("n")
    func = function(temporary("acc", 64, body, scope="local"), x, y, i32_n)
    from gpucomp.runtime import cpu_jit

    loop_text = cpu_jit.optimised_text(emit_cpu(func).source)
    assert "alloca" not in loop_text
    values = np.random.default_rng(0).integers(-4, 4, (10, 16)).astype(np.float32)
    out = np.full(64, np.nan, np.float32)
    run(func, values.ravel(), out, 10)
    expected = np.einsum("km,kv->mv", values[:, :4], values)
    assert np.array_equal(out.reshape(4, 16), expected)


def test_a_register_tile_leaves_memory_even_under_a_mask() -> None:
    from gpucomp.runtime import cpu_jit

    x, y, k, n, valid = array("x"), array("y"), i32("k"), i32("n"), i32("valid")
    zero, one = e.IntImm("int32", 0), e.IntImm("int32", 1)
    mask = e.LT(e.Ramp(zero, one, 8), e.Broadcast(valid, 8))
    lanes = e.Ramp(zero, one, 8)

    def body(acc: Buffer) -> Stmt:
        row = e.BufferLoad(x, (e.Ramp(k * valid, one, 8),), mask)
        total = e.BufferLoad(acc, (lanes,), mask) + row
        return s.seq(
            s.BufferStore(acc, e.Broadcast(f32(0.0), 8), (lanes,), mask),
            serial(k, n, s.BufferStore(acc, total, (lanes,), mask)),
            s.BufferStore(y, e.BufferLoad(acc, (lanes,), mask), (lanes,), mask),
        )

    func = function(temporary("acc", 8, body, scope="local"), x, y, n, valid)
    assert "alloca" not in cpu_jit.optimised_text(emit_cpu(func).source)
    for width in (1, 5, 8):
        values = np.arange(10 * width, dtype=np.float32).reshape(10, width)
        out = np.full(8, 77, np.float32)
        run(func, values.ravel(), out, 10, width)
        assert out[:width].tolist() == values.sum(0).tolist()
        assert (out[width:] == 77).all()


def test_a_masked_access_that_may_leave_a_small_buffer_stays_masked() -> None:
    y, n = array("y"), i32("n")
    lanes = e.Ramp(e.IntImm("int32", 4), e.IntImm("int32", 1), 8)
    mask = e.LT(lanes, e.Broadcast(n, 8))

    def body(small: Buffer) -> Stmt:
        return s.seq(
            s.BufferStore(small, e.Broadcast(f32(1.0), 8), (lanes,), mask),
            s.BufferStore(y, e.BufferLoad(small, (lanes,), mask), (lanes,), mask),
        )

    func = function(temporary("small", 8, body, scope="local"), y, n)
    assert "llvm.masked.store" in emit_cpu(func).source
    out = np.zeros(12, np.float32)
    run(func, out, 8)
    assert out.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0]


@pytest.mark.slow
def test_a_sum_of_ten_thousand_terms_is_no_problem() -> None:
    x, y, n = array("x"), array("y", 1), 10_000
    total: Expr = x[0]
    for k in range(1, n):
        total = total + x[k]
    whole = emit_cpu(function(s.BufferStore(y, total, (0,)), x, y))
    assert whole.source.count(" fadd ") == n - 1
    # LLVM's choice of instructions takes eight seconds for all of it: a part runs.
    part, out = 2000, np.zeros(1, np.float32)
    for _ in range(n - part):
        assert isinstance(total, Add)
        total = total.a
    run(function(s.BufferStore(y, total, (0,)), x, y), np.arange(n, dtype=np.float32), out)
    assert out[0] == part * (part - 1) // 2


def test_shared_subexpressions_are_written_once() -> None:
    x, y = array("x"), array("y", 1)
    value: Expr = x[0]
    for _ in range(30):
        value = value + value
    func = function(s.BufferStore(y, value, (0,)), x, y)
    assert emit_cpu(func).source.count("fadd") == 30
    out = np.zeros(1, np.float32)
    run(func, np.ones(1, np.float32), out)
    assert out[0] == 2.0**30


# -- schedules made for a GPU ---------------------------------------------------------------------------------


def bound(tag: str, var: Var, extent: Expr | int, body: Stmt) -> s.AttrStmt:
    size = extent if isinstance(extent, Expr) else e.IntImm("int32", extent)
    return s.AttrStmt(IterVar(None, var, IterVar.ThreadIndex, tag), "thread_extent", size, body)


def test_thread_axes_become_loops_and_local_buffers_belong_to_one_thread() -> None:
    n, x, y = i32("n"), array("x"), array("y")
    block, thread, i = i32("blockIdx.x"), i32("threadIdx.x"), i32("i")
    at = block * 32 + thread

    def body(mine: Buffer) -> Stmt:
        write = bound(
            "threadIdx.x", thread, 32, serial(i, 2, s.BufferStore(mine, x[at] * e.Cast("float32", i + 1), (i,)))
        )
        read = s.IfThenElse(e.LT(at, n), s.BufferStore(y, mine[0] + mine[1], (at,)))
        return s.seq(write, bound("threadIdx.x", thread, 32, read))

    kernel = bound(
        "blockIdx.x", block, e.FloorDiv(n + 31, e.IntImm("int32", 32)), temporary("mine", 2, body, scope="local")
    )
    values = np.arange(128, dtype=np.float32)
    out = np.full(128, np.nan, np.float32)
    run(function(kernel, x, y, n), values, out, 100)
    assert np.array_equal(out[:100], 3 * values[:100])
    assert np.isnan(out[100:]).all()


def test_device_functions_with_pointer_parameters_run_too() -> None:
    pointer = Var("a", PointerType(PrimType(DType("float32")), "global"))
    n, block = i32("n"), i32("blockIdx.x")
    view = decl_buffer((n,), "float32", "a", data=pointer)
    body = bound("blockIdx.x", block, n, s.BufferStore(view, view[block] + 1.0, (block,)))
    func = PrimFunc((pointer, n), body, {}, {"global_symbol": "bump kernel-1", "calling_conv": 2}, None)
    image = emit_cpu(func)
    assert image.kernels[0].arg_types == ("float32*", "int32")
    out = np.zeros(10, np.float32)
    device_api().load(0, image).functions["bump kernel-1"]((1, 1, 1), (1, 1, 1), 0, None, (out.ctypes.data, 10))
    assert (out == 1).all()


@pytest.mark.parametrize(
    "statement",
    [
        s.Evaluate(intrin.barrier("shared")),
        s.Evaluate(intrin.call_intrin("float32", "shuffle_down", 0, 1.0, 1, 32)),
    ],
    ids=["barrier", "shuffle"],
)
def test_threads_that_must_run_together_are_refused_with_the_mend(statement: Stmt) -> None:
    y, thread = array("y"), i32("threadIdx.x")
    body = bound("threadIdx.x", thread, 32, s.seq(s.BufferStore(y, f32(0.0), (thread,)), statement))
    with pytest.raises(LowerError, match="run together") as caught:
        emit_cpu(function(body, y))
    assert "schedule without thread bindings" in (caught.value.hint or "")


# -- the function itself --------------------------------------------------------------------------------------


def test_arguments_are_the_buffers_then_numbers_then_shape_and_stride_variables() -> None:
    n, m, k, stride = (i32(name) for name in ("n", "m", "k", "stride"))
    a = decl_buffer((n, m), "float32", "a", strides=(stride, 1))
    b = decl_buffer((m * 2, k), "int8", "b")
    alpha = Var("alpha", "float16")
    func = function(s.NOOP, a, alpha, b, n)
    names = [var.name for var in kernel_params(func)]
    assert names == ["a_handle", "b_handle", "alpha", "n", "m", "stride", "k"]
    types = emit_cpu(func).kernels[0].arg_types
    assert types == ("float32*", "int8*", "float16", "int32", "int32", "int32", "int32")


def test_buffers_may_overlap_unless_the_function_says_they_do_not() -> None:
    x, y, i = array("x"), array("y"), i32("i")
    func = function(serial(i, 8, s.BufferStore(y, x[i] + 1.0, (i,))), x, y, **{"tir.noalias": False})
    assert "noalias" not in emit_cpu(func).source
    room = np.zeros(9, np.float32)
    run(func, room[:8], room[1:])
    assert room.tolist() == list(range(9))


def test_a_variable_without_a_definition_is_named() -> None:
    y = array("y")
    with pytest.raises(LowerError, match="'ghost'"):
        emit_cpu(function(s.BufferStore(y, f32(0.0), (i32("ghost"),)), y))


def test_what_is_not_flat_is_refused() -> None:
    y = array("y")
    node = s.BufferRealize(y, (), TRUE, s.NOOP)
    with pytest.raises(LowerError, match="BufferRealize"):
        emit_cpu(function(node, y))


def test_the_same_function_gives_the_same_text() -> None:
    x, y, i = array("x"), array("y"), i32("i")
    func = function(
        serial(i, x.shape[0], s.BufferStore(y, intrin.exp(x[i]) + x[i] * x[i], (i,)), ForKind.PARALLEL), x, y
    )
    assert emit_cpu(func).source == emit_cpu(func).source


@pytest.mark.parametrize("name", ["3", "a b", 'say "x"', "back\\slash", "1.body", "for"])
def test_a_function_of_any_name_is_compiled(name: str) -> None:
    a = te.placeholder((64,), name="A")
    b = te.compute((64,), lambda i: a[i] + 1.0, name="B")
    s = te.create_schedule(b.op)
    s[b].parallel(b.op.axis[0])  # a task has a symbol of its own, made of the name
    module = gpucomp.build(s, [a, b], "llvm", name=name)
    x = np.ones(64, "float32")
    np.testing.assert_array_equal(module[name](x), x + 1)
