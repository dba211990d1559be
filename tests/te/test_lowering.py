"""Schedules give what numpy gives."""

from __future__ import annotations

from typing import Any  # Any: indices of compute functions

import numpy as np
import pytest

from gpucomp import te, tir
from tests.te.helpers import Array, check, poisoned, run, small_ints

BX, BY, TX, TY = "blockIdx.x", "blockIdx.y", "threadIdx.x", "threadIdx.y"


def gemm(m: int, n: int, k: int) -> tuple[te.Tensor, te.Tensor, te.Tensor, te.Schedule, list[Array]]:
    a, b = te.placeholder((m, k), name="A"), te.placeholder((k, n), name="B")
    r = te.reduce_axis((0, k), "k")
    c = te.compute((m, n), lambda i, j: te.sum(a[i, r] * b[r, j], axis=r), name="C")
    x, y = small_ints((m, k)), small_ints((k, n), seed=1)
    return a, b, c, te.create_schedule(c.op), [x, y]


def test_an_untouched_chain_of_stages() -> None:
    a = te.placeholder((5, 7), name="A")
    b = te.compute((5, 7), lambda i, j: a[i, j] * 2.0, name="B")
    c = te.compute((5, 7), lambda i, j: b[i, j] + a[i, j], name="C")
    x = small_ints((5, 7))
    check(te.create_schedule(c.op), [a, c], [x], x * 3)


def test_a_scalar_result() -> None:
    a = te.placeholder((6,), name="A")
    k = te.reduce_axis((0, 6), "k")
    s = te.compute((), lambda: te.sum(a[k], axis=k), name="S")
    t = te.compute((6,), lambda i: a[i] - s(), name="T")
    x = small_ints((6,))
    check(te.create_schedule(t.op), [a, t], [x], x - x.sum())


@pytest.mark.parametrize("factors", [(4, 8, 2), (3, 5, 4), (64, 64, 64), (1, 1, 1)])
def test_matmul_tiled_on_one_thread(factors: tuple[int, int, int]) -> None:
    a, b, c, s, data = gemm(17, 23, 11)
    i, j = c.op.axis
    (k,) = c.op.reduce_axis
    xo, yo, xi, yi = s[c].tile(i, j, factors[0], factors[1])
    ko, ki = s[c].split(k, factor=factors[2])
    s[c].reorder(xo, yo, ko, xi, ki, yi)
    s[c].vectorize(yi)
    s[c].unroll(ki)
    check(s, [a, b, c], data, data[0] @ data[1])


def test_split_by_parts_and_fuse() -> None:
    a, b, c, s, data = gemm(10, 9, 8)
    f = s[c].fuse(*c.op.axis)
    fo, fi = s[c].split(f, nparts=7)
    s[c].parallel(fo)
    s[c].vectorize(fi)
    check(s, [a, b, c], data, data[0] @ data[1])


def test_packing_a_tile_by_cache_write_and_cache_read() -> None:
    a, b, c, s, data = gemm(16, 24, 12)
    cc = s.cache_write(c, "local")
    xo, yo, xi, yi = s[c].tile(c.op.axis[0], c.op.axis[1], 8, 8)
    s[cc].compute_at(s[c], yo)
    bb = s.cache_read(b, "global", [cc])
    (k,) = s[cc].op.reduce_axis
    i, j = s[cc].op.axis
    ko, ki = s[cc].split(k, factor=4)
    s[cc].reorder(ko, i, ki, j)
    s[bb].compute_at(s[cc], ko)
    s[cc].vectorize(j)
    del xo, xi, yi, ki
    func = check(s, [a, b, c], data, data[0] @ data[1])
    assert "T.realize(C_local[xo" not in func.script()
    assert "k_outer * 4:k_outer * 4 + 4" in func.script()


def bound(s: te.Schedule, t: te.Tensor, **threads: int) -> None:
    """Split the axes of a stage by the given numbers of threads, and bind block and thread parts."""
    for axis, (dim, count) in zip(s[t].op.axis, threads.items(), strict=True):
        outer, inner = s[t].split(axis, factor=count)
        s[t].bind(outer, te.thread_axis(f"blockIdx.{dim}"))
        s[t].bind(inner, te.thread_axis(f"threadIdx.{dim}"))


@pytest.mark.parametrize("n", [256, 1, 100])
def test_vector_add_on_threads(n: int) -> None:
    a, b = te.placeholder((n,), name="A"), te.placeholder((n,), name="B")
    c = te.compute((n,), lambda i: a[i] + b[i], name="C")
    s = te.create_schedule(c.op)
    bound(s, c, x=32)
    x, y = small_ints((n,)), small_ints((n,), seed=1)
    check(s, [a, b, c], [x, y], x + y)


@pytest.mark.parametrize("n", [1, 31, 64, 100])
def test_symbolic_extents(n: int) -> None:
    size = te.var("n")
    a = te.placeholder((size,), name="A")
    b = te.compute((size,), lambda i: a[i] * 2.0, name="B")
    c = te.compute((size,), lambda i: b[i] + 1.0, name="C")
    s = te.create_schedule(c.op)
    bound(s, c, x=32)
    s[b].compute_at(s[c], s[c].leaf_iter_vars[1])
    x = small_ints((n,))
    func = check(s, [a, c], [x], x * 2 + 1)
    assert len(func.params) == 2


def test_a_scalar_argument_and_a_symbolic_factor() -> None:
    alpha, factor = te.var("alpha", "float32"), te.var("f")
    a = te.placeholder((20,), name="A")
    c = te.compute((20,), lambda i: a[i] * alpha, name="C")
    s = te.create_schedule(c.op)
    s[c].split(c.op.axis[0], factor=factor)
    x, y = small_ints((20,)), poisoned((20,))
    run(s, [a, alpha, factor, c], [x, 3.0, 6, y])
    np.testing.assert_array_equal(y, x * 3)


def shared_gemm(
    m: int, n: int, k: int, tile: int = 16, step: int = 4, each: int = 4, vt: int = 1
) -> tuple[te.Schedule, list[te.Tensor], list[Array]]:
    a, b, c, s, data = gemm(m, n, k)
    aa, bb = s.cache_read(a, "shared", [c]), s.cache_read(b, "shared", [c])
    cl = s.cache_write(c, "local")
    tx, ty = te.thread_axis(TX), te.thread_axis(TY)
    vx, vy = te.thread_axis("vthread", name="vx"), te.thread_axis("vthread", name="vy")
    i, j = s[c].op.axis
    io, ii = s[c].split(i, factor=tile)
    jo, ji = s[c].split(j, factor=tile)
    vi, ii = s[c].split(ii, nparts=vt)
    vj, ji = s[c].split(ji, nparts=vt)
    ti, ii = s[c].split(ii, nparts=tile // each)
    tj, ji = s[c].split(ji, nparts=tile // each)
    s[c].reorder(io, jo, vi, vj, ti, tj, ii, ji)
    for axis, thread in [(io, te.thread_axis(BY)), (jo, te.thread_axis(BX)), (vi, vy), (vj, vx), (ti, ty), (tj, tx)]:
        s[c].bind(axis, thread)
    s[cl].compute_at(s[c], tj)
    ci, cj = s[cl].op.axis
    (ck,) = s[cl].op.reduce_axis
    ko, ki = s[cl].split(ck, factor=step)
    s[cl].reorder(ko, ki, ci, cj)
    for t in (aa, bb):
        s[t].compute_at(s[cl], ko)
        f = s[t].fuse(*s[t].op.axis)
        f, x = s[t].split(f, factor=tile // each)
        f, y = s[t].split(f, factor=tile // each)
        s[t].bind(x, tx)
        s[t].bind(y, ty)
    return s, [a, b, c], data


@pytest.mark.parametrize(("m", "n", "k"), [(32, 32, 8), (37, 41, 13), (5, 3, 2), (16, 48, 1)])
@pytest.mark.parametrize("vt", [1, 2])
def test_matmul_with_cooperative_fetch(m: int, n: int, k: int, vt: int) -> None:
    s, args, data = shared_gemm(m, n, k, vt=vt)
    func = check(s, args, data, data[0] @ data[1])
    text = func.script()
    assert text.count("T.launch_thread") == 4
    assert text.count('"shared"') == 2


def test_storage_is_as_small_as_the_attach_point_allows() -> None:
    s, args, _ = shared_gemm(64, 64, 64, vt=2)
    text = te.lower_schedule(s, args).script()
    assert "A_shared[blockIdx_y * 16:blockIdx_y * 16 + 16, k_outer * 4:k_outer * 4 + 4]" in text
    assert "C_local[blockIdx_y * 16 + vy * 8 + threadIdx_y * 2:blockIdx_y * 16 + vy * 8 + threadIdx_y * 2 + 2" in text
    assert "likely" not in text, "divisible extents need no checks"


def test_bind_before_compute_at_is_legal() -> None:
    a = te.placeholder((64,), name="A")
    b = te.compute((64,), lambda i: a[i] + 1.0, name="B")
    c = te.compute((64,), lambda i: b[i] * 2.0, name="C")
    s = te.create_schedule(c.op)
    tx = te.thread_axis(TX)
    s[b].bind(b.op.axis[0], tx)
    co, ci = s[c].split(c.op.axis[0], factor=16)
    s[b].compute_at(s[c], co)
    s[c].bind(co, te.thread_axis(BX))
    s[c].bind(ci, tx)
    x = small_ints((64,))
    func = check(s, [a, c], [x], (x + 1) * 2)
    assert '"float32", "shared"' in func.script()
    assert 'T.launch_thread("threadIdx.x", 16)' in func.script()


def softmax(rows: int, cols: int) -> tuple[list[te.Tensor], te.Schedule, Array, Array]:
    a = te.placeholder((rows, cols), name="A")
    k1, k2 = te.reduce_axis((0, cols), "k1"), te.reduce_axis((0, cols), "k2")
    top = te.compute((rows,), lambda i: te.max(a[i, k1], axis=k1), name="top")
    ex = te.compute((rows, cols), lambda i, j: te.exp(a[i, j] - top[i]), name="ex")
    total = te.compute((rows,), lambda i: te.sum(ex[i, k2], axis=k2), name="total")
    out = te.compute((rows, cols), lambda i, j: ex[i, j] / total[i], name="out")
    x = np.random.default_rng(0).standard_normal((rows, cols)).astype("float32")
    e = np.exp(x.astype("float64") - x.max(1, keepdims=True))
    return [a, top, ex, total, out], te.create_schedule(out.op), x, (e / e.sum(1, keepdims=True)).astype("float32")


def test_softmax_untouched_and_inlined() -> None:
    (a, _, ex, _, out), s, x, want = softmax(4, 9)
    s[ex].compute_inline()
    check(s, [a, out], [x], want, rtol=1e-5)


@pytest.mark.parametrize("cols", [64, 50, 7])
def test_softmax_with_cross_thread_reductions(cols: int) -> None:
    (a, top, ex, total, out), s, x, want = softmax(5, cols)
    tx = te.thread_axis(TX)
    s[out].bind(out.op.axis[0], te.thread_axis(BX))
    _, oi = s[out].split(out.op.axis[1], factor=16)
    s[out].bind(oi, tx)
    for t in (top, ex, total):
        s[t].compute_at(s[out], out.op.axis[0])
        axis = s[t].op.reduce_axis[0] if t is not ex else ex.op.axis[1]
        _, inner = s[t].split(axis, factor=16)
        s[t].bind(inner, tx)
    func = check(s, [a, out], [x], want, rtol=1e-5)
    assert func.script().count("T.launch_thread") == 2


def test_a_row_sum_bound_to_threads_directly() -> None:
    a = te.placeholder((6, 32), name="A")
    k = te.reduce_axis((0, 32), "k")
    b = te.compute((6,), lambda i: te.sum(a[i, k], axis=k), name="B")
    s = te.create_schedule(b.op)
    s[b].bind(b.op.axis[0], te.thread_axis(BX))
    s[b].bind(k, te.thread_axis(TX))
    x = small_ints((6, 32))
    check(s, [a, b], [x], x.sum(1))


@pytest.mark.parametrize("cols", [64, 50])
def test_rfactor_then_bind(cols: int) -> None:
    a = te.placeholder((6, cols), name="A")
    k = te.reduce_axis((0, cols), "k")
    b = te.compute((6,), lambda i: te.sum(a[i, k], axis=k), name="B")
    s = te.create_schedule(b.op)
    ko, ki = s[b].split(k, factor=16)
    bf = s.rfactor(b, ki)
    tx = te.thread_axis(TX)
    s[b].bind(b.op.axis[0], te.thread_axis(BX))
    s[b].bind(s[b].op.reduce_axis[0], tx)
    s[bf].compute_at(s[b], s[b].op.reduce_axis[0])
    s[b].set_store_predicate(tx.equal(0))
    x = small_ints((6, cols))
    func = check(s, [a, b], [x], x.sum(1))
    assert "local" in func.script()
    assert ko.name == "k.outer"


@pytest.mark.parametrize("factor_axis", [0, 1, -1])
def test_rfactor_at_root(factor_axis: int) -> None:
    a = te.placeholder((6, 21), name="A")
    k = te.reduce_axis((2, 21), "k")
    b = te.compute((6,), lambda i: te.sum(a[i, k], axis=k), name="B")
    s = te.create_schedule(b.op)
    _, ki = s[b].split(k, factor=4)
    bf = s.rfactor(b, ki, factor_axis)
    assert bf.op.axis[factor_axis].dom.extent.value == 4
    x = small_ints((6, 21))
    check(s, [a, b], [x], x[:, 2:].sum(1))


def argmax_rows(rows: int, cols: int) -> tuple[te.Tensor, te.Tensor, te.Tensor, te.Schedule]:
    a = te.placeholder((rows, cols), name="A")
    k = te.reduce_axis((0, cols), "k")

    def combine(x: tuple[te.Tensor, te.Tensor], y: tuple[te.Tensor, te.Tensor]) -> tuple[object, object]:
        first = te.any(x[1] > y[1], te.all(x[1] >= y[1], x[0] < y[0]))
        return te.Select(first, x[0], y[0]), te.Select(first, x[1], y[1])

    argmax = te.comm_reducer(combine, lambda t0, t1: (te.const(2**31 - 1, t0), te.min_value(t1)), "argmax")
    index, value = te.compute((rows,), lambda i: argmax((k.var, a[i, k]), axis=k), name="argmax")
    return a, index, value, te.create_schedule(index.op)


def test_argmax_with_two_outputs() -> None:
    a, index, value, s = argmax_rows(7, 13)
    x = small_ints((7, 13))
    check(s, [a, index, value], [x], x.argmax(1).astype("int32"), x.max(1))


def test_argmax_over_threads_and_with_rfactor() -> None:
    x = small_ints((7, 40))
    want = x.argmax(1).astype("int32"), x.max(1)
    a, index, value, s = argmax_rows(7, 40)
    _, ki = s[index].split(index.op.reduce_axis[0], factor=16)
    s[index].bind(ki, te.thread_axis(TX))
    s[index].bind(index.op.axis[0], te.thread_axis(BX))
    check(s, [a, index, value], [x], *want)
    a, index, value, s = argmax_rows(7, 40)
    _, ki = s[index].split(index.op.reduce_axis[0], factor=16)
    partial = s.rfactor(index, ki)
    assert len(partial) == 2
    check(s, [a, index, value], [x], *want)


def test_cache_write_of_several_outputs() -> None:
    a, index, value, s = argmax_rows(6, 9)
    cached = s.cache_write([index, value], "local")
    s[cached[0]].compute_at(s[index], index.op.axis[0])
    x = small_ints((6, 9))
    check(s, [a, index, value], [x], x.argmax(1).astype("int32"), x.max(1))


def test_where_leaves_elements_out() -> None:
    a = te.placeholder((5, 8), name="A")
    k = te.reduce_axis((0, 8), "k")
    b = te.compute((5,), lambda i: te.sum(a[i, k], axis=k, where=k.var <= i), name="B")
    x = small_ints((5, 8))
    check(te.create_schedule(b.op), [a, b], [x], np.tril(x).sum(1))


def test_an_initial_value_replaces_the_identity() -> None:
    a, c = te.placeholder((5, 8), name="A"), te.placeholder((5,), name="C")
    k = te.reduce_axis((0, 8), "k")
    b = te.compute((5,), lambda i: te.sum(a[i, k], axis=k, init=c[i]), name="B")
    x, y = small_ints((5, 8)), small_ints((5,), seed=3)
    check(te.create_schedule(b.op), [a, c, b], [x, y], x.sum(1) + y)


def conv(n: int, c: int, h: int, o: int, k: int, stride: int, pad: int) -> tuple[list[te.Tensor], list[Array], Array]:
    data, weight = te.placeholder((n, c, h, h), name="data"), te.placeholder((o, c, k, k), name="weight")
    out = (h + 2 * pad - k) // stride + 1
    padded = te.compute(
        (n, c, h + 2 * pad, h + 2 * pad),
        lambda b, ch, y, x: te.if_then_else(
            te.all(y >= pad, y < h + pad, x >= pad, x < h + pad), data[b, ch, y - pad, x - pad], 0.0
        ),
        name="padded",
    )
    rc, ry, rx = te.reduce_axis((0, c), "rc"), te.reduce_axis((0, k), "ry"), te.reduce_axis((0, k), "rx")
    result = te.compute(
        (n, o, out, out),
        lambda b, f, y, x: te.sum(
            padded[b, rc, y * stride + ry, x * stride + rx] * weight[f, rc, ry, rx], axis=[rc, ry, rx]
        ),
        name="conv",
    )
    x, w = small_ints((n, c, h, h)), small_ints((o, c, k, k), seed=1)
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    want = np.zeros((n, o, out, out), "float32")
    for dy in range(k):
        for dx in range(k):
            part = xp[:, :, dy : dy + stride * out : stride, dx : dx + stride * out : stride]
            want += np.einsum("nchw,oc->nohw", part[:, :, :out, :out], w[:, :, dy, dx])
    return [data, weight, padded, result], [x, w], want


@pytest.mark.parametrize(("stride", "pad"), [(1, 1), (2, 1), (1, 0), (2, 2)])
def test_conv2d_with_padding_attached_to_a_tile(stride: int, pad: int) -> None:
    (data, weight, padded, result), arrays, want = conv(1, 3, 9, 4, 3, stride, pad)
    s = te.create_schedule(result.op)
    _, _, y, x = result.op.axis
    _, xo, _, _ = s[result].tile(y, x, 2, 3)
    s[padded].compute_at(s[result], xo)
    func = check(s, [data, weight, result], arrays, want)
    assert f"{2 * stride - stride + 3}" in func.script()


def test_conv2d_on_threads_with_shared_input() -> None:
    (data, weight, padded, result), arrays, want = conv(2, 4, 10, 4, 3, 1, 1)
    s = te.create_schedule(result.op)
    s[padded].compute_inline()
    shared = s.cache_read(padded, "shared", [result])
    local = s.cache_write(result, "local")
    b, f, y, x = s[result].op.axis
    yo, yi = s[result].split(y, factor=4)
    xo, xi = s[result].split(x, factor=4)
    s[result].reorder(b, yo, xo, f, yi, xi)
    block = s[result].fuse(b, yo, xo)
    tx, ty = te.thread_axis(TX), te.thread_axis(TY)
    s[result].bind(block, te.thread_axis(BX))
    s[result].bind(yi, ty)
    s[result].bind(xi, tx)
    s[local].compute_at(s[result], xi)
    rc, _, _ = s[local].op.reduce_axis
    s[local].reorder(rc, *s[local].op.axis)
    s[shared].compute_at(s[local], rc)
    fused = s[shared].fuse(*s[shared].op.axis)
    fused, a1 = s[shared].split(fused, factor=4)
    _, a2 = s[shared].split(fused, factor=4)
    s[shared].bind(a1, tx)
    s[shared].bind(a2, ty)
    check(s, [data, weight, result], arrays, want)


def test_consumers_that_read_different_regions() -> None:
    a = te.placeholder((20,), name="A")
    b = te.compute((20,), lambda i: a[i] * 2.0, name="B")
    c = te.compute((16,), lambda i: b[i] + b[i + 3], name="C")
    s = te.create_schedule(c.op)
    _, ci = s[c].split(c.op.axis[0], factor=4)
    s[b].compute_at(s[c], s[c].leaf_iter_vars[0])
    x = small_ints((20,))
    func = check(s, [a, c], [x], 2 * (x[:16] + x[3:19]))
    assert ":i_outer * 4 + 7]" in func.script()
    assert ci.name == "i.inner"


def test_a_partial_tensor_starts_where_it_is_read() -> None:
    a = te.placeholder((20,), name="A")
    b = te.compute((20,), lambda i: a[i] * 2.0, name="B")
    c = te.compute((8,), lambda i: b[i + 5], name="C")
    s = te.create_schedule(c.op)
    bo, _ = s[b].split(b.op.axis[0], factor=3)
    s[b].bind(bo, te.thread_axis(BX))
    x = small_ints((20,))
    func = check(s, [a, c], [x], 2 * x[5:13])
    assert "B[5:13]" in func.script()


def test_an_intermediate_tensor_may_be_an_argument() -> None:
    a = te.placeholder((8,), name="A")
    b = te.compute((8,), lambda i: a[i] * 2.0, name="B")
    c = te.compute((8,), lambda i: b[i] + 1.0, name="C")
    s = te.create_schedule([b.op, c.op])
    x = small_ints((8,))
    func = check(s, [a, b, c], [x], x * 2, x * 2 + 1)
    assert "realize" not in func.script()


def test_indirect_reads_need_the_whole_tensor() -> None:
    a = te.placeholder((10,), name="A")
    index = te.placeholder((6,), "int32", name="index")
    b = te.compute((10,), lambda i: a[i] + 1.0, name="B")
    c = te.compute((6,), lambda i: b[index[i]], name="C")
    s = te.create_schedule(c.op)
    s[b].compute_at(s[c], c.op.axis[0])
    x, where = small_ints((10,)), np.array([3, 1, 9, 0, 0, 5], "int32")
    check(s, [a, index, c], [x, where], x[where] + 1)


def test_several_kernels_in_sequence() -> None:
    a = te.placeholder((40,), name="A")
    b = te.compute((40,), lambda i: a[i] * 2.0, name="B")
    c = te.compute((40,), lambda i: b[39 - i], name="C")
    s = te.create_schedule(c.op)
    bound(s, b, x=8)
    bound(s, c, x=16)
    x = small_ints((40,))
    func = check(s, [a, c], [x], 2 * x[::-1])
    text = func.script()
    assert text.count('T.launch_thread("threadIdx.x", 8)') == 1
    assert text.count('T.launch_thread("threadIdx.x", 16)') == 1


def test_a_shared_stage_without_threads_is_stored_by_one_of_them() -> None:
    a = te.placeholder((4, 16), name="A")
    k = te.reduce_axis((0, 16), "k")
    total = te.compute((4,), lambda i: te.sum(a[i, k], axis=k), name="total")
    c = te.compute((4, 16), lambda i, j: a[i, j] - total[i], name="C")
    s = te.create_schedule(c.op)
    s[c].bind(c.op.axis[0], te.thread_axis(BX))
    s[c].bind(c.op.axis[1], te.thread_axis(TX))
    s[total].compute_at(s[c], c.op.axis[0])
    x = small_ints((4, 16))
    func = check(s, [a, c], [x], x - x.sum(1, keepdims=True))
    assert "if threadIdx_x == 0" in func.script()


def test_pragmas_alignment_and_double_buffer_reach_the_function() -> None:
    s, args, _ = shared_gemm(32, 32, 8)
    stages = {st.name: st for st in s.stages}
    shared = stages["A.shared"]
    shared.storage_align(shared.op.axis[0], 32, 1)
    shared.double_buffer()
    local = stages["C.local"]
    local.pragma(local.leaf_iter_vars[0], "auto_unroll_max_step", 16)
    text = te.lower_schedule(s, args).script()
    assert "pragma_auto_unroll_max_step" in text
    assert "double_buffer_scope" in text
    assert "buffer_dim_align" in text


def test_lowering_leaves_the_schedule_as_it_was() -> None:
    s, args, data = shared_gemm(16, 16, 4)
    before = str(s.trace)
    check(s, args, data, data[0] @ data[1])
    check(s, args, data, data[0] @ data[1])
    assert str(s.trace) == before


@pytest.mark.parametrize(("m", "n", "k"), [(37, 41, 13), (33, 33, 33)])
def test_only_accesses_to_the_callers_memory_are_checked(m: int, n: int, k: int) -> None:
    s, args, data = shared_gemm(m, n, k)
    func = check(s, args, data, data[0] @ data[1])
    lines = [line.strip() for line in func.script().splitlines()]
    checked = [number for number, line in enumerate(lines) if "likely" in line]
    fetches = [number for number in checked if "shared[" in lines[number]]
    stores = [number for number in checked if lines[number].startswith("if ")]
    assert len(fetches) == 2
    assert len(stores) == 2
    assert fetches + stores == checked
    assert lines[stores[-1] + 1].startswith(("C[", "for"))


def test_a_reduction_that_does_not_add_products_keeps_its_check() -> None:
    a = te.placeholder((8, 13), name="A")
    r = te.reduce_axis((0, 13), "k")
    c = te.compute((8,), lambda i: te.max(a[i, r] - 100.0, axis=r), name="C")
    s = te.create_schedule(c.op)
    cached = s.cache_read(a, "local", [c])
    ko, _ = s[c].split(r, factor=4)
    s[cached].compute_at(s[c], ko)
    x = small_ints((8, 13))
    func = check(s, [a, c], [x], x.max(1) - 100)
    assert "if T.likely(k_outer * 4 + k_inner < 13)" in func.script()


def test_an_attached_stage_in_the_callers_memory_stays_inside_of_it() -> None:
    a = te.placeholder((10,), name="A")
    b = te.compute((10,), lambda i: a[i] + 1.0, name="B")
    c = te.compute((10,), lambda i: b[i] * 2.0, name="C")
    s = te.create_schedule(c.op)
    outer, _ = s[c].split(c.op.axis[0], factor=4)
    s[b].compute_at(s[c], outer)
    x = small_ints((10,))
    check(s, [a, b, c], [x], x + 1, (x + 1) * 2)


def test_zeros_past_the_end_do_not_hide_infinities() -> None:
    a, b = te.placeholder((4, 6), name="A"), te.placeholder((6, 4), name="B")
    r = te.reduce_axis((0, 6), "k")
    c = te.compute((4, 4), lambda i, j: te.sum(a[i, r] * b[r, j], axis=r), name="C")
    s = te.create_schedule(c.op)
    aa = s.cache_read(a, "local", [c])
    ko, _ = s[c].split(r, factor=4)
    s[c].reorder(ko, *s[c].op.axis)
    s[aa].compute_at(s[c], ko)
    x, y = small_ints((4, 6)), np.full((6, 4), np.inf, "float32")
    x[:] = 1
    check(s, [a, b, c], [x, y], np.full((4, 4), np.inf, "float32"))


def test_extents_of_64_bits() -> None:
    n = te.const(20, "int64")
    a = te.placeholder((n, n), name="A")
    k = te.reduce_axis((te.const(0, "int64"), n), "k")
    b = te.compute((n,), lambda i: te.sum(a[i, k], axis=k), name="B")
    c = te.compute((n,), lambda i: b[i] + 1.0, name="C")
    s = te.create_schedule(c.op)
    bound(s, c, x=8)
    s[b].compute_at(s[c], s[c].leaf_iter_vars[1])
    s[b].split(k, factor=3)
    x = small_ints((20, 20))
    check(s, [a, c], [x], x.sum(1) + 1)


@pytest.mark.parametrize("columns", [64, 50])
def test_a_tile_that_threads_keep_in_registers_holds_the_part_of_one_thread(columns: int) -> None:
    """What a thread reads of a tile is seen through the divisions that find its place in the tile."""
    chunks, threads, lanes = 2, 8, 4
    a = te.placeholder((5, columns), name="A")

    def element(i: Any, c: Any, t: Any, v: Any) -> Any:
        j = (c * threads + t) * lanes + v
        return tir.if_then_else(j < columns, a[i, j], 0.0)

    tile = te.compute((5, chunks, threads, lanes), element, name="tile")
    b = te.compute((5, columns), lambda i, j: tile[i, j // 32, j // 4 % 8, j % 4] * 2.0, name="B")
    s = te.create_schedule(b.op)
    j, vector = s[b].split(b.op.axis[1], factor=lanes)
    chunk, thread = s[b].split(j, factor=threads)
    s[b].bind(b.op.axis[0], te.thread_axis("blockIdx.x"))
    s[b].bind(thread, te.thread_axis("threadIdx.x"))
    s[b].reorder(b.op.axis[0], thread, chunk, vector)
    s[tile].compute_at(s[b], thread)
    x = small_ints((5, columns))
    func = check(s, [a, b], [x], x * 2)
    assert "tile[blockIdx_x:blockIdx_x + 1, 0:2, threadIdx_x:threadIdx_x + 1, 0:4]" in func.script()
