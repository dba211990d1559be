"""Gradients: against finite differences in float64, and at the cost of the operation itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any  # Any: expressions of several kinds in the programs under test

import numpy as np
import pytest

import gpucomp
from gpucomp import te, tir
from gpucomp.analysis.flops import estimate_tir_flops
from gpucomp.support.diagnostics import TensorError
from gpucomp.te import Tensor
from gpucomp.tir.expr import Expr, IntImm
from gpucomp.tir.interp import interpret
from tests.requirements import require_pocl
from tests.te.helpers import Array, small_ints

F = "float64"
Graph = tuple[list[Tensor], Tensor]


def ints(extents: Sequence[Expr]) -> list[int]:
    """The values of literals."""
    return [x.value for x in extents if isinstance(x, IntImm)]


def loops(op: te.Operation) -> list[int]:
    """Extents of the axes that are summed over."""
    return ints([a.dom.extent for a in op.reduce_axis if a.dom is not None])


def compiled(tensor: Tensor, inputs: Sequence[Tensor]) -> Callable[..., Array]:
    """The tensor as a function of those inputs that it reads."""
    read = te.create_schedule(tensor.op).trace.ops
    used = [x for x in inputs if x.op in read]
    build = gpucomp.build(te.create_schedule(tensor.op), [*used, tensor], target="llvm")
    shape = ints(tensor.shape)

    def call(*arrays: Array) -> Array:
        out = np.full(shape, 77, F)
        build(*[a for a, x in zip(arrays, inputs, strict=True) if x.op in read], out)
        return out

    return call


def values_for(inputs: Sequence[Tensor], seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(0.2, 1.5, ints(x.shape)) * rng.choice([-1, 1], ints(x.shape))
            for x in inputs]  # fmt: skip


def check(graph: Graph, *, arrays: list[Array] | None = None, lead: tuple[int, ...] = ()) -> list[Tensor]:
    """Compare with central differences; also run the interpreter, which sees what is read out of bounds."""
    inputs, out = graph
    given = values_for(inputs) if arrays is None else arrays
    head = te.placeholder((*lead, *out.shape), F, name="H")
    grads = te.gradient(out, inputs, head)
    forward = compiled(out, inputs)
    h = np.random.default_rng(9).uniform(-1, 1, ints(head.shape))
    axes = list(range(len(lead), h.ndim))
    for which, grad in enumerate(grads):
        assert ints(grad.shape) == [*lead, *given[which].shape]
        got = compiled(grad, [*inputs, head])(*given, h)
        want = np.empty(got.shape)
        step = 1e-6
        for at in np.ndindex(given[which].shape):
            sides = []
            for sign in (1, -1):
                moved = [a.copy() for a in given]
                moved[which][at] += sign * step
                sides.append(forward(*moved))
            want[(..., *at)] = np.tensordot(h, (sides[0] - sides[1]) / (2 * step), (axes, list(range(len(axes)))))
        np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-7)
        func = te.lower_schedule(te.create_schedule(grad.op), _arguments(grad, [*inputs, head]))
        again = np.full(got.shape, 77.0)
        interpret(func, [*[a for a, x in zip([*given, h], [*inputs, head], strict=True) if x in _reads(grad)], again])
        np.testing.assert_allclose(again, got, rtol=1e-12, atol=1e-12)
    return grads


def _reads(tensor: Tensor) -> list[Tensor]:
    return [op.output(0) for op in te.create_schedule(tensor.op).trace.ops if isinstance(op, te.PlaceholderOp)]


def _arguments(tensor: Tensor, inputs: Sequence[Tensor]) -> list[Tensor]:
    return [*[x for x in inputs if x in _reads(tensor)], tensor]


def flops(tensors: Sequence[Tensor], inputs: Sequence[Tensor]) -> float:
    """Operations of the innermost arithmetic: what is stored, whatever the conditions."""
    sch = te.create_schedule([t.op for t in tensors])
    used = [x for x in inputs if x.op in sch.trace.ops]
    return estimate_tir_flops(te.lower_schedule(sch, [*used, *tensors]))


def ph(*shape: int, name: str = "A") -> Tensor:
    return te.placeholder(shape, F, name=name)


def rx(extent: int, name: str = "k") -> Any:
    return te.reduce_axis((0, extent), name)


# -- expressions -----------------------------------------------------------------------------------------------------

POSITIVE = ["log", "log2", "log10", "sqrt", "rsqrt", "log1p"]
SMALL = ["asin", "acos", "atanh"]
ANYWHERE = [
    "exp", "exp2", "exp10", "expm1", "sin", "cos", "tan", "atan", "sinh", "cosh", "tanh", "asinh", "erf", "sigmoid",
    "abs", "floor", "ceil", "trunc", "round", "nearbyint",
]  # fmt: skip


def test_every_function_of_one_value() -> None:
    a, b, c, d = (ph(4, name=n) for n in "abcd")
    total: Any = 0.0
    names = [(n, lambda i: te.abs(a[i])) for n in POSITIVE]
    names += [(n, lambda i: b[i] * 0.5) for n in SMALL]
    names += [(n, lambda i: c[i]) for n in ANYWHERE]
    names += [("acosh", lambda i: te.abs(d[i]) + 1.5)]

    def body(i: Any) -> Any:
        nonlocal total
        for n, arg in names:
            total = total + getattr(te, n)(arg(i))
        return total

    check(([a, b, c, d], te.compute((4,), body, name="Y")))


def test_functions_of_two_values_and_operators() -> None:
    a, b = ph(5, name="a"), ph(5, name="b")
    pos = te.compute((5,), lambda i: te.abs(a[i]) + 0.1, name="P")
    y = te.compute(
        (5,),
        lambda i: (
            te.power(pos[i], b[i]) + tir.atan2(a[i], b[i]) + tir.hypot(a[i], b[i]) + te.fmod(a[i] * 3.0, b[i])
            + tir.copysign(a[i], b[i]) + tir.fma(a[i], b[i], a[i]) + a[i] / b[i] - a[i] * b[i]
            + tir.max(a[i], b[i]) * 2.0 + tir.min(a[i], b[i]) + te.power(a[i], 3.0) + te.power(a[i], 2.0)
        ),
        name="Y",
    )  # fmt: skip
    check(([a, b], y))


def test_select_and_if_then_else_with_conditions_on_values_and_indices() -> None:
    a, b = ph(6, name="a"), ph(6, name="b")
    y = te.compute(
        (6,),
        lambda i: te.Select(a[i] > 0.0, a[i] * b[i], te.exp(b[i])) + te.if_then_else(i >= 2, a[i - 2] * b[i - 1], b[i]),
        name="Y",
    )
    check(([a, b], y))


def test_casts_between_floats_pass_and_integers_stop() -> None:
    a = te.placeholder((5,), "float32", name="A")
    wide = te.compute((5,), lambda i: a[i].astype(F) * 2.0 + a[i].astype("int32").astype(F), name="W")
    head = te.placeholder((5,), F, name="H")
    [grad] = te.gradient(wide, [a], head)
    assert grad.dtype == "float32"
    out, h = np.full(5, 77, "float32"), np.arange(5.0)
    func = te.lower_schedule(te.create_schedule(grad.op), [head, grad])
    interpret(func, [h, out])
    np.testing.assert_array_equal(out, (2 * h).astype("float32"))


# -- data movement ---------------------------------------------------------------------------------------------------


def test_broadcasts_transposes_slices_and_several_uses() -> None:
    a, v = ph(4, 6, name="A"), ph(6, name="v")
    y = te.compute((6, 3), lambda i, j: a[j, i] * v[i] + a[j + 1, 5 - i] - v[i] * v[5 - i], name="Y")
    check(([a, v], y))


def test_strided_and_padded_reads() -> None:
    a = ph(13)
    y = te.compute((7,), lambda i: te.if_then_else(te.all(i > 0, i < 6), a[i * 2 - 1] * a[i * 2], a[i]), name="Y")
    check(([a], y))


@pytest.mark.parametrize(("w", "v"), [(6, 4), (8, 3), (5, 5)])
def test_a_reshape_costs_one_operation_for_each_element(w: int, v: int) -> None:
    a = ph(24, v)
    n = 24 * v // w
    y = te.compute((n, w), lambda i, j: a[(i * w + j) // v, (i * w + j) % v] * 3.0, name="Y")
    [grad] = check(([a], y))
    assert grad.op.reduce_axis == ()


def test_upsampling_sums_over_what_an_element_became() -> None:
    a = ph(3, 4)
    y = te.compute((8, 8), lambda i, j: a[i // 3, j // 2], name="Y")
    [grad] = check(([a], y))
    assert loops(grad.op) == [3, 2]


def test_remainders_and_packed_layouts() -> None:
    a, b = ph(4, name="a"), ph(3, 2, 4, name="b")
    y = te.compute((3, 11), lambda i, j: a[j % 4] * b[i, j // 8, j % 4], name="Y")
    check(([a, b], y))


def test_gathers_by_a_condition_cost_one_read() -> None:
    a, b = ph(5, 7), ph(5, name="B")
    k = rx(7)
    y = te.compute(
        (5,), lambda i: te.sum(te.if_then_else(tir.all(k.var.equal(i + 1), i < 5), a[i, k] * b[i], 0.0), axis=k)
    )
    da, db = check(([a, b], y))
    assert da.op.reduce_axis == ()
    assert db.op.reduce_axis == ()


def test_gathers_by_an_index_from_memory() -> None:
    a, where = ph(5, 3), te.placeholder((4,), "int32", name="I")
    y = te.compute((4, 3), lambda i, j: a[where[i], j] * a[where[i], 2 - j], name="Y")
    head = te.placeholder((4, 3), F, name="H")
    [grad] = te.gradient(y, [a], head)
    x, rows, h = values_for([a])[0], np.array([4, 1, 1, 0], "int32"), np.arange(12.0).reshape(4, 3)
    want = np.zeros((5, 3))
    for i, r in enumerate(rows):
        for j in range(3):
            want[r, j] += h[i, j] * x[r, 2 - j]
            want[r, 2 - j] += h[i, j] * x[r, j]
    out = np.full((5, 3), 77.0)
    func = te.lower_schedule(te.create_schedule(grad.op), [a, where, head, grad])
    interpret(func, [x, rows, h, out])
    np.testing.assert_allclose(out, want)


# -- reductions ------------------------------------------------------------------------------------------------------


def test_the_gradient_of_a_matrix_product_is_two_matrix_products() -> None:
    a, b, k = ph(5, 7, name="A"), ph(7, 3, name="B"), rx(7)
    c = te.compute((5, 3), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="C")
    grads = check(([a, b], c))
    head = te.placeholder((5, 3), F, name="H")
    assert flops([c], [a, b]) == 2 * 5 * 7 * 3
    assert flops(te.gradient(c, [a, b], head), [a, b, head]) == 2 * 2 * 5 * 7 * 3
    assert [len(g.op.reduce_axis) for g in grads] == [1, 1]


def conv2d(stride: int, padding: int, size: int = 7, window: int = 3, dilation: int = 1, dtype: str = F) -> Graph:
    x = te.placeholder((2, 2, size, size), dtype, name="X")
    w = te.placeholder((3, 2, window, window), dtype, name="W")
    p, full = padding, size + 2 * padding
    padded = te.compute(
        (2, 2, full, full),
        lambda n, c, i, j: te.if_then_else(
            te.all(i >= p, i < size + p, j >= p, j < size + p), x[n, c, i - p, j - p], 0.0
        ),
        name="P",
    )
    out = (full - (window - 1) * dilation - 1) // stride + 1
    rc, ri, rj = rx(2, "rc"), rx(window, "ri"), rx(window, "rj")
    y = te.compute(
        (2, 3, out, out),
        lambda n, o, i, j: te.sum(
            padded[n, rc, i * stride + ri * dilation, j * stride + rj * dilation] * w[o, rc, ri, rj], axis=[rc, ri, rj]
        ),
        name="Y",
    )
    return [x, w], y


@pytest.mark.parametrize(
    ("stride", "padding", "dilation"),
    [
        (2, 1, 1),
        (1, 2, 2),
        *[pytest.param(*how, marks=pytest.mark.slow) for how in [(1, 1, 1), (3, 2, 1), (2, 0, 2)]],
    ],
)
def test_convolutions(stride: int, padding: int, dilation: int) -> None:
    check(conv2d(stride, padding, dilation=dilation))


def test_the_gradient_of_a_strided_convolution_visits_only_the_windows_that_hold_an_element() -> None:
    inputs, y = conv2d(2, 0, size=8, window=4)
    dx, dw = te.gradient(y, inputs, te.placeholder(y.shape, F, name="H"))
    read = [op for op in te.create_schedule(dx.op).trace.ops if op.reduce_axis]
    extents = [sorted(loops(op)) for op in read]
    assert extents == [[2, 2, 3]]  # 4/2 windows in each direction, 3 output channels
    assert sorted(loops(dw.op)) == [2, 3, 3]


def test_where_and_init_of_a_sum() -> None:
    a, b = ph(4, 6, name="A"), ph(4, name="B")
    k = te.reduce_axis((1, 8), "k")
    y = te.compute((4,), lambda i: te.sum(a[i, k - 1] * a[i, k - 1], axis=k, where=k < 6, init=b[i] * 2.0), name="Y")
    check(([a, b], y))


@pytest.mark.parametrize("reducer", [te.max, te.min, te.prod])
def test_other_reductions_over_two_axes(reducer: Any) -> None:
    a, b = ph(3, 4, 2, name="A"), ph(2, name="B")
    k, m = rx(4, "k"), te.reduce_axis((0, 2), "m")
    y = te.compute((3,), lambda i: reducer(a[i, k, m] * b[m], axis=[k, m]), name="Y")
    check(([a, b], y))


def test_max_pooling_with_overlapping_windows() -> None:
    a = ph(9)
    k = rx(3)
    y = te.compute((4,), lambda i: te.max(a[i * 2 + k], axis=k), name="Y")
    check(([a], y), arrays=[np.random.default_rng(3).permutation(9).astype(F)])


def test_the_first_of_equal_elements_gets_the_gradient_of_a_maximum() -> None:
    a, k = ph(2, 4), rx(4)
    y = te.compute((2,), lambda i: te.max(a[i, k], axis=k), name="Y")
    [jacobian] = te.gradient(y, [a])
    got = compiled(jacobian, [a])(np.array([[1.0, 3, 3, 0], [2, 2, 2, 2]]))
    want = np.zeros((2, 2, 4))
    want[0, 0, 1] = want[1, 1, 0] = 1
    np.testing.assert_array_equal(got, want)


def test_the_gradient_of_a_product_is_right_at_zeros() -> None:
    a, k = ph(3, 4), rx(4)
    y = te.compute((3,), lambda i: te.prod(a[i, k], axis=k), name="Y")
    [grad] = te.gradient(y, [a], te.placeholder((3,), F, name="H"))
    x = np.array([[2.0, 0, 3, 5], [0, 1, 0, 7], [2, 3, 4, 5]])
    head = te.create_schedule(grad.op).trace.ops
    [h] = [op.output(0) for op in head if op.name == "H"]
    got = compiled(grad, [a, h])(x, np.ones(3))
    np.testing.assert_allclose(got, [[0, 30, 0, 0], [0, 0, 0, 0], [60, 40, 30, 24]])


def test_a_reducer_of_the_user() -> None:
    logsumexp = te.comm_reducer(
        lambda x, y: tir.max(x, y) + te.log1p(te.exp(-te.abs(x - y))), lambda t: te.const(-1e30, t), name="lse"
    )
    a, k = ph(3, 5), rx(5)
    y = te.compute((3,), lambda i: logsumexp(a[i, k] * 2.0, axis=k), name="Y")
    check(([a], y))


def test_the_value_of_an_argmax() -> None:
    argmax = te.comm_reducer(
        lambda x, y: (te.Select(x[1] >= y[1], x[0], y[0]), te.Select(x[1] >= y[1], x[1], y[1])),
        lambda t0, t1: (te.const(-1, t0), te.min_value(t1)),
    )
    a, k = ph(3, 5), rx(5)
    _, value = te.compute((3,), lambda i: argmax((k.var, a[i, k] * a[i, k]), axis=k), name="R")
    y = te.compute((3,), lambda i: value[i] * 2.0, name="Y")
    check(([a], y))


# -- graphs ----------------------------------------------------------------------------------------------------------


def test_softmax_with_a_head() -> None:
    a, k, m = ph(3, 5), rx(5, "k"), rx(5, "m")
    top = te.compute((3,), lambda i: te.max(a[i, k], axis=k), name="top")
    ex = te.compute((3, 5), lambda i, j: te.exp(a[i, j] - top[i]), name="ex")
    total = te.compute((3,), lambda i: te.sum(ex[i, m], axis=m), name="total")
    y = te.compute((3, 5), lambda i, j: ex[i, j] / total[i], name="Y")
    check(([a], y))


def test_a_head_of_higher_rank_puts_its_dimensions_first() -> None:
    a, b, k = ph(3, 4, name="A"), ph(4, 2, name="B"), rx(4)
    c = te.compute((3, 2), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="C")
    y = te.compute((3, 2), lambda i, j: te.tanh(c[i, j]) * a[i, j], name="Y")
    check(([a, b], y), lead=(2, 3))


def test_without_a_head_the_result_is_the_jacobian() -> None:
    a, b, k = ph(3, 4, name="A"), ph(4, 2, name="B"), rx(4)
    c = te.compute((3, 2), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="C")
    da, db = te.gradient(c, [a, b])
    x, y = values_for([a, b])
    want = np.einsum("ip,bj->ijpb", np.eye(3), y)
    np.testing.assert_allclose(compiled(da, [a, b])(x, y), want)
    np.testing.assert_allclose(compiled(db, [a, b])(x, y), np.einsum("ib,jq->ijbq", x, np.eye(2)))
    assert da.op.reduce_axis == ()


def test_with_respect_to_intermediate_results_and_the_output_itself() -> None:
    a = ph(4)
    b = te.compute((4,), lambda i: a[i] * 3.0, name="B")
    y = te.compute((4,), lambda i: b[i] * b[3 - i], name="Y")
    head = te.placeholder((4,), F, name="H")
    db, da, dy = te.gradient(y, [b, a, y], head)
    x, h = values_for([a])[0], np.array([1.0, -2, 3, 0.5])
    want = (h + h[::-1]) * x[::-1] * 3
    np.testing.assert_allclose(compiled(db, [a, head])(x, h), want)
    np.testing.assert_allclose(compiled(da, [a, head])(x, h), want * 3)
    np.testing.assert_allclose(compiled(dy, [a, head])(x, h), h)
    [eye] = te.gradient(y, [y])
    np.testing.assert_array_equal(compiled(eye, [])(), np.eye(4))


def test_an_input_without_influence_gets_zeros() -> None:
    a, b = ph(3, name="A"), ph(2, 5, name="B")
    y = te.compute((3,), lambda i: a[i] * 2.0, name="Y")
    [db] = te.gradient(y, [b], te.placeholder((4, 3), F, name="H"))
    np.testing.assert_array_equal(compiled(db, [])(), np.zeros((4, 2, 5)))


def test_symbolic_extents() -> None:
    n, m = te.size_var("n"), te.size_var("m")
    a, b = te.placeholder((n, m), F, name="A"), te.placeholder((m,), F, name="B")
    k = te.reduce_axis((0, m), "k")
    y = te.compute((n,), lambda i: te.sum(a[i, k] * b[k], axis=k), name="Y")
    head = te.placeholder((n,), F, name="H")
    da, db = te.gradient(y, [a, b], head)
    build = gpucomp.build(te.create_schedule([da.op, db.op]), [a, b, head, da, db], target="llvm")
    x, v, h = np.random.default_rng(0).uniform(size=(5, 3)), np.arange(3.0), np.arange(5.0)
    p, q = np.full((5, 3), 77.0), np.full(3, 77.0)
    build(x, v, h, p, q)
    np.testing.assert_allclose(p, np.outer(h, v))
    np.testing.assert_allclose(q, h @ x)


def test_gradients_run_on_a_device_with_default_schedules() -> None:
    require_pocl()
    inputs, y = conv2d(2, 1, dtype="float32")
    head = te.placeholder(y.shape, "float32", name="H")
    everything = [*inputs, head]
    arrays = [small_ints(ints(t.shape), seed=n) for n, t in enumerate(everything)]
    for grad in te.gradient(y, inputs, head):
        sch, args = te.create_schedule(grad.op), _arguments(grad, everything)
        given = [a for a, t in zip(arrays, everything, strict=True) if t in args]
        got = gpucomp.build(sch, args, target="opencl")(*given)
        want = np.full(ints(grad.shape), 77, "float32")
        gpucomp.build(sch, args, target="llvm")(*given, want)
        np.testing.assert_array_equal(got, want)


# -- mistakes --------------------------------------------------------------------------------------------------------


def test_what_has_no_gradient_is_refused() -> None:
    a, n = ph(4), te.placeholder((4,), "int32", name="N")
    y = te.compute((4,), lambda i: a[i] * 2.0, name="Y")
    z = te.compute((4,), lambda i: n[i] * 2, name="Z")
    odd = te.compute((4,), lambda i: tir.call_pure_extern(F, "mystery", a[i]), name="odd")
    wrong: Any = ["A"]
    k = rx(4)
    top = te.compute((4,), lambda i: te.max(a[k], axis=k, init=a[i]), name="top")
    for call, message in [
        (lambda: te.gradient(z, [n]), "'Z', holds int32"),
        (lambda: te.gradient(y, [n]), "'N', holds int32"),
        (lambda: te.gradient(y, [a], ph(3, name="H")), r"head 'H' does not fit output 'Y': shapes \(3\) and \(4\)"),
        (lambda: te.gradient(odd, [a]), "does not know the derivative of"),
        (lambda: te.gradient(top, [a]), "has an init and is no sum"),
        (lambda: te.gradient(y, wrong), "an input is a str, no tensor"),
    ]:
        with pytest.raises(TensorError, match=message) as caught:
            call()
        assert caught.value.code == "GC217"
