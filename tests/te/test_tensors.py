"""Tensors, operations and reductions: what the language accepts, and what it says about the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpucomp import te
from gpucomp.support.diagnostics import GpucompError, TensorError, UndecidedComparison
from gpucomp.te.operation import ComputeOp, PlaceholderOp
from gpucomp.te.schedule import AutoInlineBroadcast, AutoInlineElemWise, AutoInlineInjective
from gpucomp.te.stage_state import AttachType
from gpucomp.tir import expr as e
from tests.te.helpers import check, small_ints


def test_a_placeholder_has_shape_dtype_and_name() -> None:
    n = te.var("n")
    a = te.placeholder((n, 4), name="A")
    assert isinstance(a.op, PlaceholderOp)
    assert a.shape[0] is n
    assert a.dtype == "float32"
    assert a.ndim == 2
    assert te.placeholder(5, "int8").dtype == "int8"
    assert a == a
    assert a != te.placeholder((n, 4), name="A")


def test_elements_are_written_in_three_ways() -> None:
    a = te.placeholder((3, 4), name="A")
    i = te.var("i")
    assert a[i, 2].as_expr() is a(i, 2)
    assert a[i][2].as_expr() is a(i, 2)
    assert isinstance(a[i, 0] + 1, e.Add)
    assert isinstance(a[i, 0] == a[i, 1], e.EQ)
    scalar = te.placeholder((), name="s")
    assert isinstance(scalar + 1.0, e.Add)


def test_numpy_scalars_mix_with_elements() -> None:
    a = te.placeholder((3,), name="A")
    two: Any = np.float32(2)  # the reflected operator answers, which numpy's stubs do not know
    expr = two * a[0]
    assert isinstance(expr, e.Mul)


def nothing(i: e.Var) -> Any:
    return None


def tensor_errors() -> list[tuple[str, Any]]:
    a = te.placeholder((3, 4), name="A")
    k = te.reduce_axis((0, 4), "k")
    return [
        ("'A' has 2 dimensions, but is indexed with 1", lambda: a(1)),
        ("'A' has 2 dimensions, but is indexed with 3", lambda: a[1, 2, 3]),
        ("index 4 is outside of dimension 1 of tensor 'A', whose extent is 4", lambda: a(0, 4)),
        ("index 0 of tensor 'A' has type float32", lambda: a(1.5, 0)),
        ("indexed with a slice", lambda: a[0, :] + 1),
        ("used where one element is needed", lambda: te.compute((3,), lambda i: a + 1)),
        ("extent 0 of placeholder 'B' is -1", lambda: te.placeholder((-1,), name="B")),
        ("extent 0 of placeholder 'B' has type float32", lambda: te.placeholder((1.5,), name="B")),
        ("takes 1 indices", lambda: te.compute((3, 4), lambda i: a[i, 0], name="C")),
        ("returns None", lambda: te.compute((3,), nothing, name="C")),
        (
            "reduction inside of another expression",
            lambda: te.compute((3,), lambda i: te.sum(a[i, k], axis=k) + 1.0, name="C"),
        ),
        ("unknown thread tag 'threadIdx.w'", lambda: te.thread_axis("threadIdx.w")),
        ("a domain is (begin, end)", lambda: te.reduce_axis((0, 1, 2))),
    ]


@pytest.mark.parametrize("number", range(13))
def test_a_malformed_definition_is_refused(number: int) -> None:
    part, act = tensor_errors()[number]
    with pytest.raises(TensorError) as caught:
        act()
    assert part in caught.value.message
    assert caught.value.where is not None
    assert caught.value.where.file == __file__


def test_a_branch_on_an_unknown_value_is_refused_at_its_line() -> None:
    a = te.placeholder((3,), name="A")

    def body(i: Any) -> te.TensorSlice | e.Expr:
        if i == 0:  # the branch
            return a[i]
        return a[i] + 1.0

    with pytest.raises(UndecidedComparison) as caught:
        te.compute((3,), body)
    assert caught.value.where is not None
    assert "# the branch" in caught.value.where.text


def test_index_names_come_from_the_function() -> None:
    a = te.compute((2, 3), lambda row, col: row + col, name="A")
    assert [x.name for x in a.op.axis] == ["row", "col"]
    b = te.compute((2, 3, 4), lambda x, *rest: x + rest[1], name="B")
    assert [x.name for x in b.op.axis] == ["x", "i1", "i2"]
    c = te.compute((2, 3), lambda *ij: ij[0] + ij[1], varargs_names=["p", "q"])
    assert [x.name for x in c.op.axis] == ["p", "q"]
    scale = 2
    d = te.compute((4,), lambda i, scale=scale: i * scale, name="D")
    assert [x.name for x in d.op.axis] == ["i"]


def test_what_an_operation_reads_is_listed_once_in_order() -> None:
    a, b = te.placeholder((5,), name="A"), te.placeholder((5,), name="B")
    c = te.compute((4,), lambda i: b[i] + a[i] * b[i + 1] + b[i], name="C")
    assert isinstance(c.op, ComputeOp)
    assert c.op.input_tensors == (b, a)
    assert [len(accesses) for _, accesses in c.op.reads] == [2, 1]


def test_the_identity_of_max_is_minus_infinity() -> None:
    a = te.placeholder((2, 3), name="A")
    k = te.reduce_axis((0, 3), "k")
    b = te.compute((2,), lambda i: te.max(a[i, k], axis=k), name="B")
    x = np.full((2, 3), -np.inf, "float32")
    check(te.create_schedule(b.op), [a, b], [x], x.max(1))
    ints = te.placeholder((2, 3), "int8", name="A")
    c = te.compute((2,), lambda i: te.min(ints[i, k], axis=k), name="C")
    y = small_ints((2, 3), "int8")
    check(te.create_schedule(c.op), [ints, c], [y], y.min(1))


def test_a_reducer_combines_two_values_directly() -> None:
    a = te.placeholder((3,), name="A")
    assert isinstance(te.max(a[0], a[1]), e.Max)


def test_a_reducer_that_changes_the_type_is_refused() -> None:
    a = te.placeholder((3,), "int32", name="A")
    bad = te.comm_reducer(lambda x, y: x * 1.5 + y, lambda t: te.const(0, t), name="bad")
    k = te.reduce_axis((0, 3), "k")
    with pytest.raises(TensorError, match="reducer 'bad' combines two int32 to a float32"):
        te.compute((1,), lambda i: bad(a[k], axis=k))


def test_half_a_tuple_reduction_is_refused() -> None:
    a = te.placeholder((2, 3), name="A")
    k = te.reduce_axis((0, 3), "k")
    both = te.comm_reducer(lambda x, y: (x[0] + y[0], x[1] + y[1]), lambda s, t: (te.const(0, s), te.const(0, t)))
    with pytest.raises(TensorError, match="not the elements of one reduction"):
        te.compute((2,), lambda i: both((a[i, k], a[i, k]), axis=k)[0])


def test_tags_come_from_the_argument_or_the_scope() -> None:
    a = te.placeholder((2,), name="A")
    with te.tag_scope("broadcast"):
        b = te.compute((2,), lambda i: a[i], name="B")
        c = te.compute((2,), lambda i: a[i], name="C", tag="mine")
    assert (b.op.tag, c.op.tag) == ("broadcast", "mine")
    assert te.compute((2,), lambda i: a[i]).op.tag == ""
    with pytest.raises(TensorError, match="do not nest"), te.tag_scope("x"), te.tag_scope("y"):
        pass
    assert te.compute((2,), lambda i: a[i]).op.tag == ""


def test_automatic_inlining_goes_by_the_class_of_the_operation() -> None:
    a, v = te.placeholder((4, 4), name="A"), te.placeholder((4,), name="V")
    b = te.compute((4, 4), lambda i, j: a[i, j] + 1.0, name="elementwise")
    c = te.compute((4, 4), lambda i, j: b[i, j] * v[j], name="broadcast")
    d = te.compute((4, 4), lambda i, j: c[j, i], name="transpose")
    k = te.reduce_axis((0, 4), "k")
    r = te.compute((4,), lambda i: te.sum(d[i, k], axis=k), name="sum")
    out = te.compute((4,), lambda i: r[i] + 1.0, name="out")
    for inline, names in [
        (AutoInlineElemWise, ["elementwise"]),
        (AutoInlineBroadcast, ["elementwise", "broadcast"]),
        (AutoInlineInjective, ["elementwise", "broadcast", "transpose"]),
    ]:
        s = te.create_schedule(out.op)
        inline(s)
        assert [x.name for x in s.stages if x.attach_type == AttachType.INLINE] == names
        x, y = small_ints((4, 4)), small_ints((4,), seed=2)
        check(s, [a, v, out], [x, y], ((x + 1) * y).sum(0) + 1)


def test_a_long_chain_of_stages_and_a_deep_body_need_no_deep_stack() -> None:
    t = a = te.placeholder((2,), name="A")
    for n in range(400):
        t = te.compute((2,), lambda i, t=t: t[i] + 1.0, name=f"t{n}")
    s = te.create_schedule(t.op)
    for stage in s.stages[1:-1]:
        stage.compute_inline()
    x = small_ints((2,))
    check(s, [a, t], [x], x + 400)


def test_errors_of_the_language_are_of_one_family() -> None:
    assert issubclass(TensorError, GpucompError)


def test_a_reduction_over_what_is_no_axis_is_refused_not_taken_for_a_value() -> None:
    a = te.placeholder((8, 8), name="A")
    with pytest.raises(TensorError, match=r"GC215.*no reduction axis"):
        te.compute((8,), lambda i: te.sum(a[i, i], axis=i), name="B")
    with pytest.raises(TensorError, match=r"GC215.*needs one axis"):
        te.compute((8,), lambda i: te.max(a[i, i]), name="B")
    assert te.max(te.var("x", "float32"), te.var("y", "float32")).dtype == "float32"


def test_extents_of_numpy_are_plain_numbers() -> None:
    size = np.prod((4, 5))
    factor: Any = np.int64(8)
    x = te.placeholder((size,), name="X")
    k = te.reduce_axis((np.int64(0), size), "k")
    y = te.compute((1,), lambda i: te.sum(x[k], axis=k), name="Y")
    s = te.create_schedule(y.op)
    outer, inner = s[y].split(k, factor=factor)
    assert [a.var.dtype for a in (k, outer, inner)] == ["int32"] * 3
    assert "int64" not in te.lower_schedule(s, [x, y]).script()
