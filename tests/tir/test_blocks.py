"""Blocks: what they mean, how they print, and when two are equal."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp import te, tir
from gpucomp.analysis import verify_well_formed
from gpucomp.ir.structural import structural_equal, structural_hash
from gpucomp.support.diagnostics import TypeMismatchError, VerifyError
from gpucomp.tir import Block, BlockRealize, BufferRegion, BufferStore, For, ForKind, MatchBufferRegion, PrimFunc, Range
from gpucomp.tir.expr import IterVar
from gpucomp.tir.interp import interpret
from gpucomp.transform.lower_blocks import lower_blocks
from tests.requirements import require_pocl

TRUE = tir.const(1, "bool")


def axis(name: str, extent: int, kind: int = IterVar.DataPar) -> IterVar:
    return IterVar(Range(0, extent), tir.Var(name), kind)


def point(buffer: tir.Buffer, *indices: tir.Expr) -> BufferRegion:
    return BufferRegion(buffer, tuple([Range.from_min_extent(i, 1) for i in indices]))


def function(body: tir.Stmt, *buffers: tir.Buffer) -> PrimFunc:
    params = [tir.Var(f"{b.name}_handle", tir.PointerType(tir.PrimType(b.dtype), "global")) for b in buffers]
    return PrimFunc(tuple(params), body, dict(zip(params, buffers, strict=True)), {"global_symbol": "main"})


def row_sums(rows: int = 5, columns: int = 7, tile: int = 4) -> PrimFunc:
    """A row sum whose reduction loop is split by a tile that need not divide it."""
    a, b = tir.decl_buffer((rows, columns), name="A"), tir.decl_buffer((rows,), name="B")
    i, k = axis("vi", rows), axis("vk", columns, IterVar.CommReduce)
    body = BufferStore(b, b[i.var] + a[i.var, k.var], (i.var,))
    init = BufferStore(b, 0.0, (i.var,))
    block = Block((i, k), (point(a, i.var, k.var),), (point(b, i.var),), "B", body, init)
    x, ko, ki = tir.Var("i"), tir.Var("ko"), tir.Var("ki")
    at = ko * tile + ki
    nest: tir.Stmt = BlockRealize((x, at), at < columns, block)
    nest = For(ki, 0, tile, ForKind.SERIAL, nest)
    nest = For(ko, 0, -(-columns // tile), ForKind.SERIAL, nest)
    return function(For(x, 0, rows, ForKind.SERIAL, nest), a, b)


def test_a_reduction_block_starts_once_and_keeps_to_its_predicate() -> None:
    x = np.arange(35, dtype="float32").reshape(5, 7)
    for func in (row_sums(), lower_blocks(row_sums())):
        out = np.full(5, 77, "float32")
        interpret(func, [x, out])
        np.testing.assert_array_equal(out, x.sum(1))
    out = np.full(5, 77, "float32")
    gpucomp.build(row_sums(), target="llvm")(x, out)
    np.testing.assert_array_equal(out, x.sum(1))


def test_the_printed_form_shows_axes_regions_and_the_start() -> None:
    text = row_sums().script()
    assert text.splitlines()[2:] == [
        "    for i in T.serial(5):",
        "        for ko in T.serial(2):",
        "            for ki in T.serial(4):",
        '                with T.block("B"):',
        "                    vi = T.axis.spatial(5, i)",
        "                    vk = T.axis.reduce(7, ko * 4 + ki)",
        "                    T.where(ko * 4 + ki < 7)",
        "                    T.reads(A[vi, vk])",
        "                    T.writes(B[vi])",
        "                    with T.init():",
        "                        B[vi] = 0.0",
        "                    B[vi] = B[vi] + A[vi, vk]",
    ]


def test_equality_is_up_to_names_of_what_a_block_binds() -> None:
    assert structural_equal(row_sums(), row_sums())
    assert structural_hash(row_sums()) == structural_hash(row_sums())
    assert not structural_equal(row_sums(), row_sums(tile=3))
    assert not structural_equal(row_sums(), row_sums(columns=8))


def test_a_buffer_of_a_block_lives_in_it() -> None:
    a, b = tir.decl_buffer((6,), name="A"), tir.decl_buffer((6,), name="B")
    t = tir.decl_buffer((6,), name="t")
    v, w = axis("v", 6), axis("w", 6)
    first = Block((v,), (point(a, v.var),), (point(t, v.var),), "t", BufferStore(t, a[v.var] * 2.0, (v.var,)))
    second = Block((w,), (point(t, 5 - w.var),), (point(b, w.var),), "B", BufferStore(b, t[5 - w.var], (w.var,)))
    x, y = tir.Var("x"), tir.Var("y")
    body = tir.SeqStmt((
        For(x, 0, 6, ForKind.SERIAL, BlockRealize((x,), TRUE, first)),
        For(y, 0, 6, ForKind.SERIAL, BlockRealize((y,), TRUE, second)),
    ))  # fmt: skip
    func = function(BlockRealize((), TRUE, Block((), (), (), "root", body, None, (t,))), a, b)
    assert verify_well_formed(func)
    data, out = np.arange(6, dtype="float32"), np.full(6, 77, "float32")
    interpret(func, [data, out])
    np.testing.assert_array_equal(out, data[::-1] * 2)
    gpucomp.build(func, target="llvm")(data, out := np.full(6, 77, "float32"))
    np.testing.assert_array_equal(out, data[::-1] * 2)


def view_function(columns: int) -> PrimFunc:
    """Each 2 by 2 tile of A negated through a view with strides of its own."""
    a, b = tir.decl_buffer((4, columns), name="A"), tir.decl_buffer((4, columns), name="B")
    s, o = tir.Var("s"), tir.Var("o")
    sub = tir.decl_buffer((2, 2), name="sub", strides=[s, 1], elem_offset=o)
    i, j = axis("vi", 2), axis("vj", columns // 2)
    box = BufferRegion(b, (Range.from_min_extent(i.var * 2, 2), Range.from_min_extent(j.var * 2, 2)))
    p, q = tir.Var("p"), tir.Var("q")
    # The stride variable reaches the body as a value: every element also gets the row length of what it views.
    store = BufferStore(sub, s.astype("float32") - a[i.var * 2 + p, j.var * 2 + q], (p, q))
    body = For(p, 0, 2, ForKind.SERIAL, For(q, 0, 2, ForKind.SERIAL, store))
    block = Block((i, j), (), (box,), "neg", body, None, (), (MatchBufferRegion(sub, box),))
    x, y = tir.Var("x"), tir.Var("y")
    nest = For(y, 0, columns // 2, ForKind.SERIAL, BlockRealize((x, y), TRUE, block))
    return function(For(x, 0, 2, ForKind.SERIAL, nest), a, b)


def test_a_view_reads_and_writes_its_box() -> None:
    func = view_function(6)
    assert verify_well_formed(func)
    assert "sub = T.match_buffer(B[vi * 2:vi * 2 + 2, vj * 2:vj * 2 + 2], (2, 2)" in func.script()
    data, out = np.arange(24, dtype="float32").reshape(4, 6), np.full((4, 6), 77, "float32")
    interpret(func, [data, out])
    np.testing.assert_array_equal(out, 6 - data)
    gpucomp.build(func, target="llvm")(data, out := np.full((4, 6), 77, "float32"))
    np.testing.assert_array_equal(out, 6 - data)


def test_a_view_that_does_not_fit_its_box_is_refused() -> None:
    a = tir.decl_buffer((4,), name="A")
    sub = tir.decl_buffer((3,), name="sub")
    v = axis("v", 2)
    box = BufferRegion(a, (Range.from_min_extent(v.var * 2, 2),))
    block = Block((v,), (), (box,), "b", BufferStore(sub, 1.0, (0,)), None, (), (MatchBufferRegion(sub, box),))
    x = tir.Var("x")
    func = function(For(x, 0, 2, ForKind.SERIAL, BlockRealize((x,), TRUE, block)), a)
    with pytest.raises(TypeMismatchError, match="view 'sub' says 3 where the box that it names has 2"):
        lower_blocks(func)


def test_a_body_that_uses_a_loop_around_its_block_is_not_well_formed() -> None:
    a = tir.decl_buffer((4,), name="A")
    v, x = axis("v", 4), tir.Var("x")
    block = Block((v,), (), (point(a, v.var),), "A", BufferStore(a, x.astype("float32"), (v.var,)))
    with pytest.raises(VerifyError, match="variable x is used outside of what binds it"):
        verify_well_formed(function(For(x, 0, 4, ForKind.SERIAL, BlockRealize((x,), TRUE, block)), a))


def test_a_block_needs_a_value_for_each_variable() -> None:
    a = tir.decl_buffer((4,), name="A")
    block = Block((axis("v", 4),), (), (), "A", BufferStore(a, 1.0, (0,)))
    with pytest.raises(TypeMismatchError, match="block 'A' has 1 variables, but is given 0 values"):
        BlockRealize((), TRUE, block)


def test_substitution_reaches_values_predicate_and_what_a_block_declares() -> None:
    n, x = tir.Var("n"), tir.Var("x")
    a = tir.decl_buffer((8,), name="A")
    v = IterVar(Range(0, n), tir.Var("v"), IterVar.DataPar)
    block = Block((v,), (point(a, v.var + n),), (point(a, v.var),), "A", BufferStore(a, a[v.var + n], (v.var,)))
    before = BlockRealize((x,), x < n, block)
    after = tir.stmt_functor.substitute(before, {n: tir.const(4)})
    text = str(after)
    assert "spatial(4, x)" in text
    assert "T.where(x < 4)" in text
    assert "T.reads(A[v + 4])" in text
    assert tir.stmt_functor.substitute(before, {tir.Var("other"): tir.const(4)}) is before


def test_thread_bound_loops_around_blocks_run_on_a_device() -> None:
    require_pocl()
    a, b = te.placeholder((37, 5), name="A"), te.placeholder((5, 3), name="B")
    k = te.reduce_axis((0, 5), "k")
    c = te.compute((37, 3), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="C")
    func = te.create_prim_func([a, b, c])

    def bind(node: object) -> object:
        if isinstance(node, For) and node.loop_var.name == "i":
            thread = IterVar(Range(0, 37), node.loop_var, IterVar.ThreadIndex, "blockIdx.x")
            return node.replace(kind=ForKind.THREAD_BINDING, thread_binding=thread)
        return None

    func = func.with_body(tir.stmt_functor.ir_transform(func.body, None, bind))
    x = np.random.default_rng(0).integers(-3, 4, (37, 5)).astype("float32")
    y = np.random.default_rng(1).integers(-3, 4, (5, 3)).astype("float32")
    out = gpucomp.build(func, target="opencl")(x, y)
    np.testing.assert_array_equal(out, x @ y)
