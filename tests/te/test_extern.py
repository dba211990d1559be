"""Opaque operations with a body of statements: alone, between other stages, with threads of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast  # Any, cast: options go through as they are, and some are wrong on purpose

import numpy as np
import pytest

import gpucomp
from gpucomp import te, tir
from gpucomp.support.diagnostics import GpucompError, TensorError
from gpucomp.te.schedule import AutoInlineInjective
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.stmt import Stmt
from tests.te.everywhere import everywhere
from tests.te.helpers import small_ints


def prefix_sums(ins: list[Buffer], outs: list[Buffer]) -> Stmt:
    """outs[0][i, j] = ins[0][i, 0] + ... + ins[0][i, j]"""
    ib = tir.ir_builder.create()
    a, b = ib.buffer_ptr(ins[0]), ib.buffer_ptr(outs[0])
    rows, columns = ins[0].shape
    with ib.for_range(0, rows, "i", kind="parallel") as i:
        total = ib.allocate("float32", (1,), "total")
        total[0] = 0.0
        with ib.for_range(0, columns, "j") as j:
            total[0] = total[0] + a[i, j]
            b[i, j] = total[0]
    return ib.get()


def row_maxima_on_threads(ins: list[Buffer], outs: list[Buffer]) -> Stmt:
    """outs[0][i] = max(ins[0][i, :]); outs[1][i] = where it is.  One block for each row, a tree in shared memory."""
    ib = tir.ir_builder.create()
    a, top, where = ib.buffer_ptr(ins[0]), ib.buffer_ptr(outs[0]), ib.buffer_ptr(outs[1])
    rows, columns = ins[0].shape
    bx, tx = te.thread_axis("blockIdx.x"), te.thread_axis("threadIdx.x")
    ib.scope_attr(bx, "thread_extent", rows)
    ib.scope_attr(tx, "thread_extent", 32)
    best = ib.allocate("float32", (32,), "best", scope="shared")
    at = ib.allocate("int32", (32,), "at", scope="shared")
    best[tx] = -1000.0
    at[tx] = 0
    with ib.for_range(0, (columns + 31) // 32, "k") as k:
        j = ib.let("j", k * 32 + tx)
        with ib.if_scope(j < columns), ib.if_scope(a[bx, j] > best[tx]):
            best[tx] = a[bx, j]
            at[tx] = j
    ib.emit(tir.call_intrin("int32", "tir.barrier", "shared"))
    with ib.if_scope(tx == 0):
        top[bx] = best[0]
        where[bx] = at[0]
        with ib.for_range(1, 32, "t") as t:
            better = tir.any(best[t] > top[bx], tir.all(best[t] >= top[bx], at[t] < where[bx]))
            with ib.if_scope(better):
                top[bx] = best[t]
                where[bx] = at[t]
    return ib.get()


def test_a_body_of_loops_runs_between_other_stages() -> None:
    n, m = te.var("n"), te.var("m")
    a = te.placeholder((n, m), name="A")
    b = te.compute((n, m), lambda i, j: a[i, j] + 1.0, name="B")
    c = te.extern((n, m), [b], prefix_sums, name="C")
    d = te.compute((n, m), lambda i, j: c[i, m - 1 - j] * 2.0, name="D")
    x = small_ints((5, 7))
    want = 2.0 * np.cumsum(x.astype(np.float64) + 1, axis=1)[:, ::-1]
    everywhere(te.create_schedule(d.op), [a, d], [x], [want])


def test_a_body_with_threads_is_a_kernel_between_kernels() -> None:
    a = te.placeholder((5, 45), name="A")
    b = te.compute((5, 45), lambda i, j: a[i, j] * 3.0, name="B")
    top, where = te.extern([(5,), (5,)], [b], row_maxima_on_threads, name="argmax", dtype=["float32", "int32"])
    c = te.compute((5,), lambda i: top[i] + where[i].astype("float32"), name="C")
    s = te.create_schedule(c.op)
    for stage in (s[b], s[c]):
        stage.bind(stage.fuse(*stage.op.axis), te.thread_axis("threadIdx.x")) if stage is s[c] else _flat(stage, b)
    x = np.random.default_rng(3).permutation(225).reshape(5, 45).astype(np.float32)
    best, at = 3.0 * x.max(1), x.argmax(1)
    everywhere(s, [a, c, where], [x], [best + at, at], gpu=True)
    text = gpucomp.source(s, [a, c, where], "cuda")
    assert text.count("__global__") == 3
    assert "__shared__" in text


def _flat(stage: te.Stage, tensor: te.Tensor) -> None:
    outer, inner = stage.split(stage.fuse(*tensor.op.axis), factor=64)
    stage.bind(outer, te.thread_axis("blockIdx.x"))
    stage.bind(inner, te.thread_axis("threadIdx.x"))


def test_an_untouched_graph_with_a_body_of_threads_gets_a_default_schedule_around_it() -> None:
    a = te.placeholder((3, 33), name="A")
    b = te.compute((3, 33), lambda i, j: a[i, j] - 1.0, name="B")
    top, _ = te.extern([(3,), (3,)], [b], row_maxima_on_threads, name="argmax", dtype=["float32", "int32"])
    c = te.compute((3,), lambda i: top[i] * 2.0, name="C")
    x = small_ints((3, 33))
    everywhere(te.create_schedule(c.op), [a, c], [x], [2.0 * (x.astype(np.float64).max(1) - 1)])
    from tests.requirements import require_pocl

    require_pocl()
    out = gpucomp.build(te.create_schedule(c.op), [a, c], "opencl")(x)
    np.testing.assert_array_equal(out, 2 * (x.max(1) - 1))


def test_what_a_body_reads_may_be_a_cached_copy_and_what_it_reads_may_inline() -> None:
    a = te.placeholder((4, 6), name="A")
    b = te.compute((4, 6), lambda i, j: a[i, j] + 1.0, name="B")
    c = te.compute((4, 6), lambda i, j: b[i, j] * 2.0, name="C")
    d = te.extern((4, 6), [c], prefix_sums, name="D")
    s = te.create_schedule(d.op)
    s[b].compute_inline()
    s.cache_read(c, "global", [d])
    x = small_ints((4, 6))
    everywhere(s, [a, d], [x], [np.cumsum(2.0 * (x.astype(np.float64) + 1), axis=1)])


def test_a_stage_that_is_attached_to_a_loop_may_be_opaque() -> None:
    a = te.placeholder((4, 6), name="A")
    b = te.extern((4, 6), [a], prefix_sums, name="B")
    c = te.compute((3, 4, 6), lambda k, i, j: b[i, j] + k, name="C")
    s = te.create_schedule(c.op)
    s[b].compute_at(s[c], c.op.axis[0])
    x = small_ints((4, 6))
    want = np.cumsum(x.astype(np.float64), axis=1) + np.arange(3)[:, None, None]
    everywhere(s, [a, c], [x], [want])


def test_one_body_is_lowered_twice_in_one_function() -> None:
    a = te.placeholder((4, 6), name="A")
    k = te.reduce_axis((0, 6), "k")
    b = te.compute((4, 6), lambda i, j: te.sum(te.if_then_else(k <= j, a[i, k] * 1.0, 0.0), k), name="B")
    func = te.create_prim_func([a, b])
    c = te.extern_primfunc([a], func, name="C")
    d = te.extern_primfunc([c], func, name="D")
    x = small_ints((4, 6))
    want = np.cumsum(np.cumsum(x.astype(np.float64), axis=1), axis=1)
    everywhere(te.create_schedule(d.op), [a, d], [x], [want])


def test_a_function_with_symbolic_extents_takes_those_of_its_tensors() -> None:
    n = te.var("n")
    p = te.placeholder((n,), name="P")
    q = te.compute((n,), lambda i: p[i] * p[i], name="Q")
    square = te.create_prim_func([p, q])
    a = te.placeholder((9,), name="A")
    b = te.extern_primfunc([a], square)
    x = small_ints((9,))
    assert repr(b) == "Tensor(shape=[9], dtype=float32, name=main)"
    everywhere(te.create_schedule(b.op), [a, b], [x], [np.square(x.astype(np.float64))])


def test_buffers_with_symbolic_strides_get_those_of_the_arguments() -> None:
    stride = te.var("stride")
    a = te.placeholder((4, 6), name="A")
    ab = tir.decl_buffer((4, 6), "float32", "Ab", strides=[stride, 1], elem_offset=te.var("off"))

    def body(ins: list[Buffer], outs: list[Buffer]) -> Stmt:
        ib = tir.ir_builder.create()
        b = ib.buffer_ptr(outs[0])
        flat = ib.buffer_ptr(ins[0])
        with ib.for_range(0, 4, "i") as i:
            b[i] = flat[i, 2] + stride.astype("float32")
        return ib.get()

    b = te.extern((4,), [a], body, name="B", in_buffers=[ab])
    x = small_ints((4, 6))
    everywhere(te.create_schedule(b.op), [a, b], [x], [x[:, 2].astype(np.float64) + 6])


def test_two_bodies_that_differ_only_in_what_they_read_are_two_kernels() -> None:
    a, b = te.placeholder((4, 6), name="A"), te.placeholder((4, 6), name="B")
    x, y = small_ints((4, 6)), small_ints((4, 6), seed=1)
    for source, values in ((a, x), (b, y)):
        c = te.extern((4, 6), [source], prefix_sums, name="C")
        d = te.compute((4, 6), lambda i, j, c=c: c[i, j] + a[i, j] + b[i, j], name="D")
        out = gpucomp.build(te.create_schedule(d.op), [a, b, d], "llvm")(x, y)
        np.testing.assert_array_equal(out, np.cumsum(values, axis=1) + x + y)


def _noop(ins: list[Buffer], outs: list[Buffer]) -> Stmt:
    return tir.ir_builder.create().get()


def _writes_input(ins: list[Buffer], outs: list[Buffer]) -> Stmt:
    ib = tir.ir_builder.create()
    ib.buffer_ptr(ins[0])[0, 0] = 1.0
    return ib.get()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda a: te.extern((4,), cast(Any, [a, 3]), _noop), "input 1 is a int"),
        (lambda a: te.extern((4,), [], _noop), "cannot be inferred from its inputs"),
        (lambda a: te.extern([(4,), (4,)], [a], _noop, dtype=["float32"]), "2 outputs, but 1 types"),
        (lambda a: te.extern((4,), [a], lambda i, o: None), "returns None"),
        (lambda a: te.extern((4,), [a], lambda i, o: a[0, 0] + 1.0), "reads tensor 'A'"),
        (
            lambda a: te.extern((4,), [a], _noop, in_buffers=tir.decl_buffer((4, 5), "float32", "X")),
            r"X is float32\[4, 5\], but stands for A, which is float32\[4, 6\]",
        ),
        (lambda a: te.extern((4,), [a], _writes_input), "writes its input 'A'"),
        (lambda a: te.extern((4,), [a], _noop, in_buffers=[]), "in_buffers needs 1 buffers"),
    ],
)
def test_a_malformed_extern_is_refused(make: Callable[[te.Tensor], Any], words: str) -> None:
    with pytest.raises(TensorError, match=words) as caught:
        make(te.placeholder((4, 6), name="A"))
    assert caught.value.where is not None
    assert caught.value.where.file == __file__


def test_a_stage_that_a_body_reads_cannot_be_inlined() -> None:
    a = te.placeholder((4, 6), name="A")
    b = te.compute((4, 6), lambda i, j: a[i, j] + 1.0, name="B")
    c = te.extern((4, 6), [b], prefix_sums, name="C")
    s = te.create_schedule(c.op)
    s[b].compute_inline()
    with pytest.raises(GpucompError, match=r"stage B is inlined, but C is no te\.compute"):
        gpucomp.lower(s, [a, c])


def test_a_body_without_threads_is_refused_on_a_gpu() -> None:
    a = te.placeholder((4, 6), name="A")
    c = te.extern((4, 6), [a], prefix_sums, name="C")
    with pytest.raises(GpucompError, match="runs on no thread of the GPU"):
        gpucomp.source(te.create_schedule(c.op), [a, c], "cuda")


def _copied(**options: Any) -> tuple[te.Tensor, te.Tensor, te.Tensor]:
    """C = a copy of B = A + 1 by the C library."""
    a = te.placeholder((6, 4), name="A")
    b = te.compute((6, 4), lambda i, j: a[i, j] + 1.0, name="B")
    size = tir.const(6 * 4 * 4, "int64")
    c = te.extern(
        (6, 4),
        [b],
        lambda i, o: tir.call_extern("handle", "memcpy", o[0].access_ptr("w"), i[0].access_ptr("r"), size),
        name="C",
        **options,
    )
    return a, b, c


def test_a_body_may_call_a_function_in_machine_code() -> None:
    a, _, c = _copied()
    x = small_ints((6, 4))
    out = gpucomp.build(te.create_schedule(c.op), [a, c], "llvm")(x)
    np.testing.assert_array_equal(out, x + 1)


def test_a_pointer_to_memory_with_gaps_is_not_passed_as_compact() -> None:
    a, b, c = _copied()
    s = te.create_schedule(c.op)
    s[b].storage_align(b.op.axis[0], 8, 1)
    with pytest.raises(GpucompError, match="a pointer to B is passed on, but B, for which it stands, is not compact"):
        gpucomp.lower(s, [a, c])


def test_automatic_inlining_keeps_what_a_body_reads() -> None:
    a = te.placeholder((4, 6), name="A")
    b = te.compute((4, 6), lambda i, j: a[i, j] + 1.0, name="B")
    c = te.compute((4, 6), lambda i, j: b[i, j] * 2.0, name="C")
    d = te.extern((4, 6), [c], prefix_sums, name="D")
    s = te.create_schedule(d.op)
    AutoInlineInjective(s)
    assert [str(s[t].attach_type.name) for t in (b, c, d)] == ["INLINE", "GROUP_ROOT", "GROUP_ROOT"]
    x = small_ints((4, 6))
    everywhere(s, [a, d], [x], [np.cumsum(2.0 * (x.astype(np.float64) + 1), axis=1)])


def test_a_schedule_with_an_opaque_stage_is_drawn_and_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    a = te.placeholder((4, 6), name="A")
    b = te.extern((4, 6), [a], prefix_sums, name="B")
    c = te.compute((4, 6), lambda i, j: b[i, j] * 2.0, name="C")
    s = te.create_schedule(c.op)
    s[b].compute_root()
    s[c].split(c.op.axis[0], factor=2)
    s.show()
    assert "B  float32[4, 6]  global 96 B  <- A" in capsys.readouterr().out
    again = te.trace.replay(s.trace, c)
    assert len(again.trace.steps) == 2
