"""create_prim_func: a graph as a function of blocks computes what the graph computes."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp import te, tir
from gpucomp.analysis import verify_well_formed
from gpucomp.ir.structural import structural_equal
from gpucomp.support.diagnostics import TensorError
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import post_order
from gpucomp.tir.interp import interpret
from tests.te.helpers import Array, small_ints


def same(func: PrimFunc, inputs: list[Array], *expected: Array) -> None:
    """Interpreter and processor give what is expected."""
    assert verify_well_formed(func)
    for call in (lambda *args: interpret(func, list(args)), gpucomp.build(func, target="llvm")):
        outputs = [np.full(e.shape, 77, e.dtype) for e in expected]
        call(*inputs, *outputs)
        for got, want in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(got, want)


def chain(width: str | None = None) -> tuple[PrimFunc, list[Array], Array]:
    a, b = te.placeholder((5, 7), name="A"), te.placeholder((7, 3), name="B")
    k = te.reduce_axis((0, 7), "k")
    c = te.compute((5, 3), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="C")
    d = te.compute((5, 3), lambda i, j: c[i, j] * 2.0 + te.if_then_else(i > 0, c[i - 1, j], 0.0) + i, name="D")
    x, y = small_ints((5, 7)), small_ints((7, 3), seed=1)
    z = x @ y
    above = np.vstack([np.zeros((1, 3), "float32"), z[:-1]])
    return te.create_prim_func([a, b, d], width), [x, y], z * 2 + above + np.arange(5, dtype="float32")[:, None]


@pytest.mark.parametrize("width", [None, "int32", "int64"])
def test_a_chain_of_stages_with_each_type_of_index(width: str | None) -> None:
    func, inputs, expected = chain(width)
    same(func, inputs, expected)
    assert ("T.int64" in func.script()) == (width == "int64")


def test_what_is_not_listed_is_a_buffer_of_the_root_block() -> None:
    text = chain()[0].script()
    assert "C = T.alloc_buffer((5, 3)" in text
    assert "T.reads(C[v_i_1 - 1:v_i_1 - 1 + 2, v_j_1])" in text
    assert "T.reads(A[v_i, v_k], B[v_k, v_j])" in text
    assert structural_equal(chain()[0], chain()[0])


def test_a_tuple_reduction_is_one_block_that_reads_before_it_writes() -> None:
    a = te.placeholder((6, 9), name="A")
    k = te.reduce_axis((0, 9), "k")
    argmax = te.comm_reducer(
        lambda x, y: (te.Select(x[1] >= y[1], x[0], y[0]), te.Select(x[1] >= y[1], x[1], y[1])),
        lambda t0, t1: (te.const(-1, t0), te.min_value(t1)),
    )
    index, value = te.compute((6,), lambda i: argmax((k.var, a[i, k]), axis=k), name="R")
    x = small_ints((6, 9))
    same(te.create_prim_func([a, index, value]), [x], x.argmax(1).astype("int32"), x.max(1))


def test_where_and_init_of_a_reduction() -> None:
    a, b = te.placeholder((4, 6), name="A"), te.placeholder((4,), name="B")
    k = te.reduce_axis((0, 8), "k")
    c = te.compute((4,), lambda i: te.sum(a[i, k], axis=k, where=k < 6, init=b[i]), name="C")
    x, y = small_ints((4, 6)), small_ints((4,), seed=1)
    same(te.create_prim_func([a, b, c]), [x, y], y + x.sum(1))


def test_several_results_and_symbolic_extents() -> None:
    n = te.var("n")
    a = te.placeholder((n,), name="A")
    p, q = te.compute((n,), lambda i: (a[i] + 1.0, a[i] * 2.0), name="P")
    x = small_ints((11,))
    same(te.create_prim_func([a, p, q]), [x], x + 1, x * 2)
    same(te.create_prim_func([a, p, q], "int64"), [x], x + 1, x * 2)


def test_indices_from_memory_read_the_whole_dimension() -> None:
    a, where = te.placeholder((5, 4), name="A"), te.placeholder((3,), "int32", name="I")
    g = te.compute((3, 4), lambda i, j: a[where[i], j], name="G")
    func = te.create_prim_func([a, where, g], "int64")
    assert (
        "A[T.int64(0):T.int64(0) + T.int64(5), v_j]" in func.script()
        or "A[T.int64(0):T.int64(5), v_j]" in func.script()
    )
    x, w = small_ints((5, 4)), np.array([4, 0, 3], "int32")
    same(func, [x, w], x[w])


def test_scalars_are_parameters() -> None:
    a, f = te.placeholder((5,), name="A"), te.var("f", "float32")
    b = te.compute((5,), lambda i: a[i] * f, name="B")
    x, out = small_ints((5,)), np.full(5, 77, "float32")
    interpret(te.create_prim_func([a, f, b]), [x, 3.0, out])
    np.testing.assert_array_equal(out, x * 3)


def test_a_missing_input_is_named() -> None:
    a = te.placeholder((5,), name="A")
    b = te.compute((5,), lambda i: a[i] * 2.0, name="B")
    with pytest.raises(TensorError, match=r"GC216.*input 'A' is read but missing from the arguments \(B\)"):
        te.create_prim_func([b])


@pytest.mark.parametrize(
    ("ops", "width", "message"),
    [
        (["A"], None, "takes tensors and variables, got str"),
        ([], None, "needs at least one tensor"),
        ([te.placeholder((2,), name="A")], "float32", "indices cannot have type float32"),
    ],
)
def test_wrong_arguments_are_explained(ops: list[object], width: str | None, message: str) -> None:
    with pytest.raises(TensorError, match=message):
        te.create_prim_func(ops, width)  # pyright: ignore[reportArgumentType]  # the misuse under test


def test_a_scan_has_no_form_as_a_block() -> None:
    state = te.placeholder((4, 3), name="state")
    first = te.compute((1, 3), lambda _, i: te.const(0.0, "float32"), name="first")
    step = te.compute((4, 3), lambda t, i: state[t - 1, i] + 1.0, name="step")
    with pytest.raises(TensorError, match=r"operation 'scan' \(ScanOp\) has no form as a block"):
        te.create_prim_func([te.scan(first, step, state)])


def test_names_of_buffers_and_blocks_are_unique() -> None:
    a = te.placeholder((3,), name="x")
    b = te.compute((3,), lambda i: a[i] + 1.0, name="x")
    c = te.compute((3,), lambda i: b[i] + 1.0, name="x")
    func = te.create_prim_func([a, c])
    names = [b.name for b in func.buffer_map.values()]
    assert len(set(names)) == len(names)
    blocks = [n.name_hint for n in post_order(func.body) if isinstance(n, tir.Block)]
    assert len(set(blocks)) == len(blocks) == 3
