"""Tensor intrinsics in place of loops give what the loops give."""

from __future__ import annotations

from typing import Any  # Any: schedules return axes and tensors in tuples of several kinds

import numpy as np
import pytest

import gpucomp
from gpucomp import te, tir
from gpucomp.driver.build import compile_function
from gpucomp.support.diagnostics import ScheduleError, TensorError
from gpucomp.target import Target
from gpucomp.te import trace
from tests.codegen.devices import compile_cuda
from tests.te.helpers import check, poisoned, small_ints
from tests.te.intrinsics import copy_intrin, gemm_intrin, gemv_intrin, loop, row_intrin, view

TARGETS = ["llvm", "opencl"]
BX, TX, TY = "blockIdx.x", "threadIdx.x", "threadIdx.y"


def everywhere(s: te.Schedule, args: Any, inputs: list[Any], want: Any, *targets: str) -> None:
    """Interpret, and run compiled for each target."""
    check(s, args, inputs, want)
    for target in targets:
        out = poisoned(want.shape, str(want.dtype))
        gpucomp.build(s, args, target)(*inputs, out)
        np.testing.assert_array_equal(out, want, err_msg=target)


def rows(m: int, n: int) -> tuple[te.Schedule, list[te.Tensor], list[Any], Any]:
    a, b = te.placeholder((m, n), name="A"), te.placeholder((m, n), name="B")
    c = te.compute((m, n), lambda i, j: a[i, j] * 2.0 + b[i, j], name="C")
    x, y = small_ints((m, n)), small_ints((m, n), seed=1)
    return te.create_schedule(c.op), [a, b, c], [x, y], x * 2 + y


def matmul(m: int, n: int, k: int, dtype: str = "float32") -> tuple[te.Schedule, list[te.Tensor], list[Any], Any]:
    a, b = te.placeholder((m, k), dtype, name="A"), te.placeholder((k, n), dtype, name="B")
    r = te.reduce_axis((0, k), "k")
    c = te.compute((m, n), lambda i, j: te.sum(a[i, r] * b[r, j], axis=r), name="C")
    x, y = small_ints((m, k), dtype), small_ints((k, n), dtype, seed=1)
    return te.create_schedule(c.op), [a, b, c], [x, y], x @ y


@pytest.mark.parametrize("vector", [True, False])
def test_an_elementwise_row(vector: bool) -> None:
    s, args, data, want = rows(5, 12)
    c = args[2]
    _, ji = s[c].split(c.op.axis[1], factor=4)
    s[c].tensorize(ji, row_intrin(4, vector=vector))
    everywhere(s, args, data, want, "llvm")


def test_an_elementwise_row_on_threads() -> None:
    s, args, data, want = rows(6, 16)
    c = args[2]
    jo, ji = s[c].split(c.op.axis[1], factor=4)
    s[c].bind(c.op.axis[0], te.thread_axis(BX))
    s[c].bind(jo, te.thread_axis(TX))
    s[c].tensorize(ji, row_intrin(4))
    everywhere(s, args, data, want, *TARGETS)
    assert "float4" in gpucomp.source(s, args, "cuda")


def test_operands_of_commutative_operations_may_come_in_either_order() -> None:
    a, b = te.placeholder((8,), name="A"), te.placeholder((8,), name="B")
    c = te.compute((8,), lambda i: b[i] + 2.0 * a[i], name="C")
    s = te.create_schedule(c.op)
    s[c].tensorize(c.op.axis[0], row_intrin(8))
    x, y = small_ints((8,)), small_ints((8,), seed=1)
    check(s, [a, b, c], [x, y], x * 2 + y)


@pytest.mark.parametrize("reset", [True, False])
def test_a_gemm_tile_with_the_reduction_outside(reset: bool) -> None:
    s, args, data, want = matmul(8, 12, 15)
    c = args[2]
    xo, yo, xi, yi = s[c].tile(c.op.axis[0], c.op.axis[1], 4, 6)
    ko, ki = s[c].split(c.op.reduce_axis[0], factor=5)
    s[c].reorder(xo, yo, ko, xi, yi, ki)
    s[c].tensorize(xi, gemm_intrin(4, 6, 5, reset=reset))
    everywhere(s, args, data, want, "llvm")


def test_a_gemm_tile_with_loops_between_the_reduction_and_the_tile() -> None:
    s, args, data, want = matmul(8, 12, 6)
    c = args[2]
    xo, yo, xi, yi = s[c].tile(c.op.axis[0], c.op.axis[1], 4, 6)
    ko, ki = s[c].split(c.op.reduce_axis[0], factor=3)
    s[c].reorder(xo, ko, yo, xi, yi, ki)
    s[c].tensorize(xi, gemm_intrin(4, 6, 3))
    everywhere(s, args, data, want, "llvm")


@pytest.mark.parametrize("body", [True, False])
def test_a_gemm_tile_with_the_whole_reduction_inside(body: bool) -> None:
    s, args, data, want = matmul(8, 6, 5)
    c = args[2]
    xo, xi = s[c].split(c.op.axis[0], factor=2)
    yo, yi = s[c].split(c.op.axis[1], factor=3)
    s[c].reorder(xo, yo, xi, yi)
    s[c].tensorize(xi, gemm_intrin(2, 3, 5, body=body))
    everywhere(s, args, data, want, "llvm")


def test_a_gemm_tile_on_threads_with_tiles_in_shared_and_local_memory() -> None:
    s, args, data, want = matmul(16, 16, 8)
    a, b, c = args
    cl = s.cache_write(c, "local")
    sa, sb = s.cache_read(a, "shared", [cl]), s.cache_read(b, "shared", [cl])
    xo, yo, xi, yi = s[c].tile(c.op.axis[0], c.op.axis[1], 8, 8)
    xt, xv = s[c].split(xi, factor=2)
    yt, yv = s[c].split(yi, factor=4)
    s[c].reorder(xo, yo, xt, yt, xv, yv)
    f = s[c].fuse(xo, yo)
    s[c].bind(f, te.thread_axis(BX))
    s[c].bind(xt, te.thread_axis(TY))
    s[c].bind(yt, te.thread_axis(TX))
    s[cl].compute_at(s[c], yt)
    ko, ki = s[cl].split(s[cl].op.reduce_axis[0], factor=4)
    i, j = s[cl].op.axis
    s[cl].reorder(ko, i, j, ki)
    for t in (sa, sb):
        s[t].compute_at(s[cl], ko)
        fused = s[t].fuse(*s[t].op.axis)
        rest, tx = s[t].split(fused, factor=2)
        _, ty = s[t].split(rest, factor=4)
        s[t].bind(tx, te.thread_axis(TX))
        s[t].bind(ty, te.thread_axis(TY))
    s[sa].storage_align(s[sa].op.axis[0], 8, 1)
    s[cl].tensorize(i, gemm_intrin(2, 4, 4, scopes=("shared", "shared", "local")))
    out = poisoned(want.shape)
    for target in TARGETS:
        gpucomp.build(s, args, target)(*data, out)
        np.testing.assert_array_equal(out, want, err_msg=target)
    image = compile_function(s, args, Target("cuda")).variants[0].image
    assert "__shared__" in image.source
    assert all([r.spill_bytes == 0 for r in compile_cuda(image).values()])


@pytest.mark.parametrize("reset", [True, False])
def test_gemv_over_a_tile_of_rows(reset: bool) -> None:
    a, b = te.placeholder((8, 12), name="A"), te.placeholder((12,), name="B")
    k = te.reduce_axis((0, 12), "k")
    c = te.compute((8,), lambda i: te.sum(a[i, k] * b[k], axis=k), name="C")
    s = te.create_schedule(c.op)
    io, ii = s[c].split(c.op.axis[0], factor=4)
    ko, ki = s[c].split(k, factor=3)
    s[c].reorder(io, ko, ii, ki)
    s[c].tensorize(ii, gemv_intrin(4, 3, reset=reset))
    x, y = small_ints((8, 12)), small_ints((12,), seed=1)
    everywhere(s, [a, b, c], [x, y], x @ y, "llvm")


def test_gemv_where_the_stage_has_a_unit_axis_more() -> None:
    """A matrix product with one column of the tile at a time: the intrinsic knows nothing of columns."""
    s, args, data, want = matmul(8, 3, 6)
    c = args[2]
    i, j = c.op.axis
    io, ii = s[c].split(i, factor=4)
    s[c].reorder(j, io, ii, c.op.reduce_axis[0])
    a, b = te.placeholder((4, 6), name="a"), te.placeholder((6,), name="b")
    r = te.reduce_axis((0, 6), "r")
    g = te.compute((4,), lambda p: te.sum(a[p, r] * b[r], axis=r), name="g")

    def tile(ins: Any, outs: Any) -> Any:
        clear = loop(4, lambda p: tir.BufferStore(outs[0], 0.0, [p]))
        add = loop(4, lambda p: loop(6, lambda q: tir.BufferStore(outs[0], outs[0][p] + ins[0][p, q] * ins[1][q], [p])))
        return tir.SeqStmt((clear, add))

    def strided(t: te.Tensor) -> tir.Buffer:
        return tir.decl_buffer(t.shape, t.dtype, t.name, strides=[te.var("s") for _ in t.shape], offset_factor=1)

    s[c].tensorize(ii, te.decl_tensor_intrin(g.op, tile, "gemv", binds={t: strided(t) for t in (a, b, g)}))
    everywhere(s, args, data, want, "llvm")


def test_a_strided_copy_into_padded_memory() -> None:
    a = te.placeholder((8, 10), name="A")
    b = te.compute((8, 10), lambda i, j: a[i, j], name="B")
    c = te.compute((8, 10), lambda i, j: b[i, j] * 3.0, name="C")
    s = te.create_schedule(c.op)
    s[b].storage_align(b.op.axis[0], 8, 4)
    io, jo, ii, ji = s[b].tile(b.op.axis[0], b.op.axis[1], 4, 5)
    del io, jo, ji
    s[b].tensorize(ii, copy_intrin(4, 5))
    x = small_ints((8, 10))
    everywhere(s, [a, c], [x], x * 3, "llvm")


def test_strides_of_a_view_are_those_of_the_buffer_that_it_lies_in() -> None:
    """The statements write the stride and the offset that they see into the output."""
    a = te.placeholder((6, 4), name="A")
    b = te.compute((6, 4), lambda i, j: a[i, j], name="B")
    s = te.create_schedule(b.op)
    io, ii = s[b].split(b.op.axis[0], factor=2)
    del io
    x = te.placeholder((2, 4), name="x")
    y = te.compute((2, 4), lambda i, j: x[i, j], name="y")

    def tell(ins: Any, outs: Any) -> Any:
        seen = ins[0].strides[0] * 100 + ins[0].elem_offset
        return loop(2, lambda i: loop(4, lambda j: tir.BufferStore(outs[0], seen.astype("float32"), [i, j])))

    s[b].tensorize(ii, te.decl_tensor_intrin(y.op, tell, "tell", binds={x: view(x), y: view(y)}))
    big = np.zeros((6, 9), "float32")[:, 2:6]
    memory = tir.decl_buffer((6, 4), "float32", "A", strides=[9, 1])
    func = te.lower_schedule(s, [a, b], binds={a: memory})
    out = poisoned((6, 4))
    from gpucomp.tir.interp import interpret

    interpret(func, [big, out])
    np.testing.assert_array_equal(out, np.repeat([900, 918, 936], 2)[:, None] + np.zeros((1, 4)))


def test_one_tensor_read_at_two_places_by_one_intrinsic() -> None:
    a = te.placeholder((9,), name="A")
    c = te.compute((8,), lambda i: a[i + 1] * 2.0 + a[i], name="C")
    s = te.create_schedule(c.op)
    _, ii = s[c].split(c.op.axis[0], factor=4)
    s[c].tensorize(ii, row_intrin(4))
    x = small_ints((9,))
    everywhere(s, [a, c], [x], x[1:] * 2 + x[:-1], "llvm")


def test_a_window_declared_with_several_accesses() -> None:
    x = te.placeholder((6,), name="x")
    y = te.compute((4,), lambda i: x[i] + x[i + 2], name="y")

    def window(ins: Any, outs: Any) -> Any:
        return loop(4, lambda i: tir.BufferStore(outs[0], ins[0][i] + ins[0][i + 2], [i]))

    intrin = te.decl_tensor_intrin(y.op, window, "window")
    a = te.placeholder((14,), name="A")
    b = te.compute((12,), lambda i: a[i + 2] + a[i], name="B")
    s = te.create_schedule(b.op)
    _, ii = s[b].split(b.op.axis[0], factor=4)
    s[b].tensorize(ii, intrin)
    data = small_ints((14,))
    everywhere(s, [a, b], [data], data[2:] + data[:-2], "llvm")


def test_the_loop_outside_keeps_its_predicate() -> None:
    s, args, data, want = rows(10, 8)
    c = args[2]
    io, ii = s[c].split(c.op.axis[0], factor=4)
    s[c].reorder(ii, io)
    s[c].tensorize(c.op.axis[1], row_intrin(8))
    everywhere(s, args, data, want, "llvm")


def test_one_intrinsic_in_two_stages_of_one_function() -> None:
    a, b = te.placeholder((8,), name="A"), te.placeholder((8,), name="B")
    c = te.compute((8,), lambda i: a[i] * 2.0 + b[i], name="C")
    d = te.compute((8,), lambda i: c[i] * 2.0 + b[i], name="D")
    s = te.create_schedule(d.op)
    intrin = row_intrin(4, vector=False)
    for t in (c, d):
        _, ti = s[t].split(t.op.axis[0], factor=4)
        s[t].tensorize(ti, intrin)
    x, y = small_ints((8,)), small_ints((8,), seed=1)
    everywhere(s, [a, b, d], [x, y], (x * 2 + y) * 2 + y, "llvm")


def test_a_symbolic_extent_that_is_a_multiple_of_the_tile() -> None:
    n = te.var("n")
    a, b = te.placeholder((n, 8), name="A"), te.placeholder((n, 8), name="B")
    c = te.compute((n, 8), lambda i, j: a[i, j] * 2.0 + b[i, j], name="C")
    s = te.create_schedule(c.op)
    s[c].tensorize(c.op.axis[1], row_intrin(8))
    x, y = small_ints((5, 8)), small_ints((5, 8), seed=1)
    out = poisoned((5, 8))
    gpucomp.build(s, [a, b, c], "llvm")(x, y, out)
    np.testing.assert_array_equal(out, x * 2 + y)


def any_length(dtype: str = "int32") -> te.TensorIntrin:
    """``y[i] = x[i] * 2`` for a row of any length."""
    n = te.var("n", dtype)
    x = te.placeholder((n,), name="x")
    y = te.compute((n,), lambda i: x[i] * 2.0, name="y")

    def twice(ins: Any, outs: Any) -> Any:
        i = tir.Var("i", dtype)
        return tir.For(i, tir.const(0, dtype), n, tir.ForKind.SERIAL, tir.BufferStore(outs[0], ins[0][i] * 2.0, [i]))

    return te.decl_tensor_intrin(y.op, twice, "twice")


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_an_intrinsic_of_symbolic_length(dtype: str) -> None:
    n, m = te.var("n", dtype), te.var("m", dtype)
    a = te.placeholder((m, n), name="A")
    intrin = any_length(dtype)
    loops = te.compute((m, n), lambda i, j: a[i, j] * 2.0, name="C")
    calls = te.compute((m, n), lambda i: intrin(a[i, 0:n]), name="C")
    x = small_ints((3, 7))
    for c in (loops, calls):
        s = te.create_schedule(c.op)
        if c is loops:
            s[c].tensorize(c.op.axis[1], intrin)
        f = gpucomp.build(s, [a, c], "llvm")
        for rows, columns in ((3, 7), (1, 1), (3, 0)):
            out = poisoned((rows, columns))
            f(np.ascontiguousarray(x[:rows, :columns]), out)
            np.testing.assert_array_equal(out, x[:rows, :columns] * 2)


def test_an_extent_of_a_wider_type_than_the_declared_one_is_refused() -> None:
    n = te.var("n", "int64")
    a = te.placeholder((3, n), name="A")
    c = te.compute((3, n), lambda i, j: a[i, j] * 2.0, name="C")
    s = te.create_schedule(c.op)
    s[c].tensorize(c.op.axis[1], any_length())
    with pytest.raises(ScheduleError, match=r"n: int32.*n: int64"):
        te.lower_schedule(s, [a, c])
    with pytest.raises(TensorError, match="extent n of type int64 for one of type int32"):
        te.compute((3, n), lambda i: any_length()(a[i, 0:n]), name="C")


def test_scalar_parameters_take_the_values_of_the_stage() -> None:
    a, f = te.placeholder((8,), name="A"), te.placeholder((2,), name="F")
    del f
    alpha = te.var("alpha", "float32")
    c = te.compute((8,), lambda i: a[i] * alpha, name="C")
    x = te.placeholder((4,), name="x")
    p = te.var("p", "float32")
    y = te.compute((4,), lambda i: x[i] * p, name="y")

    def scale(ins: Any, outs: Any, scalars: Any) -> Any:
        return loop(4, lambda i: tir.BufferStore(outs[0], ins[0][i] * scalars[0], [i]))

    s = te.create_schedule(c.op)
    _, ii = s[c].split(c.op.axis[0], factor=4)
    s[c].tensorize(ii, te.decl_tensor_intrin(y.op, scale, "scale", scalar_params=[p]))
    data, out = small_ints((8,)), poisoned((8,))
    gpucomp.build(s, [alpha, a, c], "llvm")(3.0, data, out)
    np.testing.assert_array_equal(out, data * 3)


def test_a_trace_with_an_intrinsic_replays_and_prints() -> None:
    s, args, data, want = rows(4, 8)
    c = args[2]
    _, ji = s[c].split(c.op.axis[1], factor=4)
    intrin = row_intrin(4)
    s[c].tensorize(ji, intrin)
    _, others, _, _ = rows(4, 8)
    again = trace.replay(s.trace, others[2])
    check(again, others, data, want)
    names: dict[str, Any] = {"te": te, "C": c, "row_4": intrin}
    exec(s.trace.as_python(), names)  # noqa: S102  # the text of this test's own trace
    check(names["s"], args, data, want)
    check(s.copy(), args, data, want)


def test_an_argmax_of_two_tensors_with_the_ordinary_start() -> None:
    def combine(x: Any, y: Any) -> Any:
        return tuple([te.Select(x[1] >= y[1], p, q) for p, q in zip(x, y, strict=True)])

    argmax = te.comm_reducer(combine, lambda t0, t1: (tir.const(-1, t0), te.min_value(t1)), "argmax")

    def largest(m: int, n: int) -> tuple[te.Tensor, te.Tensor, te.Tensor, te.Tensor]:
        places, values = te.placeholder((m, n), "int32", "I"), te.placeholder((m, n), name="V")
        r = te.reduce_axis((0, n), "r")
        found = te.compute((m,), lambda i: argmax((places[i, r], values[i, r]), axis=r), name="T")
        return places, values, found[0], found[1]

    tile = largest(4, 8)

    def update(ins: Any, outs: Any) -> Any:
        ib = tir.ir_builder.create()
        with ib.for_range(0, 4, "i") as i, ib.for_range(0, 8, "j") as j, ib.if_scope(ins[1][i, j] > outs[1][i]):
            for x, z in zip(ins, outs, strict=True):
                ib.emit(tir.BufferStore(z, x[i, j], [i]))
        return None, None, ib.get()

    intrin = te.decl_tensor_intrin(tile[2].op, update, "argmax", binds={t: view(t) for t in tile})
    args = largest(12, 24)
    t = args[2]
    s = te.create_schedule(t.op)
    io, ii = s[t].split(t.op.axis[0], factor=4)
    ro, ri = s[t].split(t.op.reduce_axis[0], factor=8)
    s[t].reorder(io, ro, ii, ri)
    s[t].tensorize(ii, intrin)
    data = np.random.default_rng(0).permutation(12 * 24).reshape(12, 24).astype("float32")
    out, best = poisoned((12,), "int32"), poisoned((12,))
    gpucomp.build(s, args, "llvm")(np.tile(np.arange(24, dtype="int32"), (12, 1)), data, out, best)
    np.testing.assert_array_equal(out, data.argmax(1))
    np.testing.assert_array_equal(best, data.max(1))


def test_a_packed_function_as_an_update() -> None:
    @gpucomp.register_func("tests.tensorize.zero", override=True)
    def _(c: Any) -> None:
        c.copyfrom(np.zeros(c.shape, "float32"))

    @gpucomp.register_func("tests.tensorize.gemm", override=True)
    def _(c: Any, a: Any, b: Any) -> None:
        c.copyfrom(c.numpy() + a.numpy() @ b.numpy())

    a, b = te.placeholder((4, 3), name="a"), te.placeholder((3, 6), name="b")
    r = te.reduce_axis((0, 3), "r")
    t = te.compute((4, 6), lambda i, j: te.sum(a[i, r] * b[r, j], axis=r), name="t")

    def calls(ins: Any, outs: Any) -> Any:
        zero = tir.call_packed("tests.tensorize.zero", outs[0])
        return None, zero, tir.call_packed("tests.tensorize.gemm", outs[0], *ins)

    intrin = te.decl_tensor_intrin(t.op, calls, "packed", binds={x: view(x) for x in (a, b, t)})
    s, args, data, want = matmul(8, 12, 6)
    c = args[2]
    xo, yo, xi, yi = s[c].tile(c.op.axis[0], c.op.axis[1], 4, 6)
    ko, ki = s[c].split(c.op.reduce_axis[0], factor=3)
    s[c].reorder(xo, yo, ko, xi, yi, ki)
    s[c].tensorize(xi, intrin)
    everywhere(s, args, data, want, "llvm")


def test_a_padded_reduction_runs_past_its_end() -> None:
    """Both factors are zero past the end of k: the last tile needs no check, and may be tensorized."""
    s, args, data, want = matmul(8, 12, 10)
    a, b, c = args
    la, lb = s.cache_read(a, "global", [c]), s.cache_read(b, "global", [c])
    xo, yo, xi, yi = s[c].tile(c.op.axis[0], c.op.axis[1], 4, 6)
    ko, ki = s[c].split(c.op.reduce_axis[0], factor=4)
    s[c].reorder(xo, yo, ko, xi, yi, ki)
    for t in (la, lb):
        s[t].compute_at(s[c], ko)
    s[c].tensorize(xi, gemm_intrin(4, 6, 4))
    func = check(s, args, data, want)
    assert "A_global[i_outer * 4:i_outer * 4 + 4, k_outer * 4:k_outer * 4 + 4]" in func.script()


@pytest.mark.parametrize("inside", [True, False])
def test_a_condition_over_what_is_read(inside: bool) -> None:
    x = te.placeholder((4,), name="x")
    p = te.var("p")
    y = te.compute((4,), lambda i: te.if_then_else(p > 0, x[i], 0.0), name="y")

    def some(ins: Any, outs: Any, scalars: Any) -> Any:
        value = ins[0].vload([0], "float32x4")
        kept = tir.Select(scalars[0] > 0, value, tir.const(0, "float32x4"))
        return outs[0].vstore([0], kept)

    intrin = te.decl_tensor_intrin(y.op, some, "some", scalar_params=[p])
    rows = 4 if inside else 3
    a = te.placeholder((rows, 4), name="A")
    c = te.compute((4, 4), lambda i, j: te.if_then_else(3 - i > 0, a[i, j], 0.0), name="C")
    s = te.create_schedule(c.op)
    s[c].tensorize(c.op.axis[1], intrin)
    data = small_ints((rows, 4))
    want = np.concatenate([data[:3], np.zeros((1, 4), "float32")])
    if inside:
        everywhere(s, [a, c], [data], want, "llvm")
        return
    with pytest.raises(ScheduleError, match="may read A from i to i, where stage C has a condition"):
        te.lower_schedule(s, [a, c])


def test_a_tile_on_virtual_threads() -> None:
    s, args, data, want = matmul(16, 12, 8)
    c = args[2]
    xo, yo, xi, yi = s[c].tile(c.op.axis[0], c.op.axis[1], 4, 6)
    ko, ki = s[c].split(c.op.reduce_axis[0], factor=4)
    s[c].reorder(xo, yo, ko, xi, yi, ki)
    s[c].bind(xo, te.thread_axis("vthread"))
    s[c].bind(yo, te.thread_axis(TX))
    s[c].tensorize(xi, gemm_intrin(4, 6, 4))
    everywhere(s, args, data, want, *TARGETS)


def test_a_later_mark_takes_the_intrinsic_away() -> None:
    s, args, data, want = rows(4, 8)
    c = args[2]
    s[c].tensorize(c.op.axis[1], row_intrin(8))
    s[c].unroll(c.op.axis[1])
    func = check(s, args, data, want)
    assert "T.unroll(8)" in func.script()
