"""te.compute and reductions in all their forms, on every backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any  # Any: reducers of the user's, results of several kinds

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.support.diagnostics import TensorError
from gpucomp.te import Schedule, Tensor
from gpucomp.te.reduction import Reducer
from tests.requirements import require_pocl
from tests.te.helpers import Array, check, small_ints


def everywhere(sch: Schedule, args: Sequence[Tensor], inputs: Sequence[Array], *expected: Array) -> None:
    """Interpreter, processor and a device."""
    check(sch, args, inputs, *expected)
    targets = ["llvm"]
    if any([stage.bound_thread(iv) is not None for stage in sch.stages for iv in stage.leaf_iter_vars]):
        require_pocl()
        targets.append("opencl")
    for target in targets:
        outputs = [np.full(x.shape, 77, x.dtype) for x in expected]
        gpucomp.build(sch, args, target=target)(*inputs, *outputs)
        for got, want in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(got, want)


def extreme(better: Callable[[Any, Any], Any], worst: Callable[[Any], Any]) -> Reducer:
    """A reducer of (place, value) pairs; of equal values the first place wins."""

    def combine(x: Any, y: Any) -> Any:
        left = te.any(better(x[1], y[1]), te.all(x[1].equal(y[1]), x[0] <= y[0]))
        return te.Select(left, x[0], y[0]), te.Select(left, x[1], y[1])

    return te.comm_reducer(combine, lambda t0, t1: (te.max_value(t0), worst(t1)), name="extreme")


ARGMAX = extreme(lambda a, b: a > b, te.min_value)
ARGMIN = extreme(lambda a, b: a < b, te.max_value)


def test_indices_as_varargs_and_their_names() -> None:
    a = te.placeholder((2, 3, 4), name="A")
    b = te.compute((2, 3, 4), lambda *i: a(*i) * 2.0, name="B", varargs_names=["x", "y", "z"])
    c = te.compute((2, 3, 4), lambda n, *rest: b(n, *rest) + n, name="C")
    assert [iv.name for iv in b.op.axis] == ["x", "y", "z"]
    assert c.op.axis[0].name == "n"
    data = small_ints((2, 3, 4))
    everywhere(te.create_schedule(c.op), [a, c], [data], data * 2 + np.arange(2, dtype="float32")[:, None, None])
    with pytest.raises(TensorError, match="varargs_names has 2 names for 3 indices"):
        te.compute((2, 3, 4), lambda *i: a(*i), varargs_names=["x", "y"])


def test_tags_of_a_scope_and_of_a_decorator() -> None:
    a = te.placeholder((4,), name="A")

    @te.tag_scope("decorated")
    def make() -> Tensor:
        return te.compute((4,), lambda i: a[i] + 1.0)

    with te.tag_scope(tag="scoped"):
        inner = te.compute((4,), lambda i: a[i] + 1.0)
        with pytest.raises(TensorError, match="tags do not nest"):
            make()
    assert (inner.op.tag, make().op.tag, make().op.tag) == ("scoped", "decorated", "decorated")
    assert te.compute((4,), lambda i: a[i]).op.tag == ""


def test_where_leaves_elements_out_and_init_is_where_it_starts() -> None:
    a, b = te.placeholder((5, 9), name="A"), te.placeholder((5,), name="B")
    k = te.reduce_axis((0, 12), "k")
    c = te.compute(
        (5,), lambda i: te.sum(a[i, k], axis=k, where=te.all(k < 9, a[i, k] > 0.0), init=b[i] * 2.0), name="C"
    )
    x, y = small_ints((5, 9)), small_ints((5,), seed=1)
    want = y * 2 + np.where(x > 0, x, 0).sum(1)
    everywhere(te.create_schedule(c.op), [a, b, c], [x, y], want)
    s = te.create_schedule(c.op)
    s[c].bind(c.op.axis[0], te.thread_axis("blockIdx.x"))
    _, inner = s[c].split(k, factor=4)
    s[c].bind(inner, te.thread_axis("threadIdx.x"))
    everywhere(s, [a, b, c], [x, y], want)


def argmax_graph(reducer: Reducer) -> tuple[Tensor, Tensor, Tensor]:
    a = te.placeholder((6, 37), name="A")
    k = te.reduce_axis((0, 37), "k")
    place, value = te.compute((6,), lambda i: reducer((k.var, a[i, k]), axis=k), name="R")
    return a, place, value


@pytest.mark.parametrize(("reducer", "numpy"), [(ARGMAX, "max"), (ARGMIN, "min")])
@pytest.mark.parametrize("schedule", ["serial", "threads", "rfactor"])
def test_argmax_and_argmin_take_the_first_of_equal_values(reducer: Reducer, numpy: str, schedule: str) -> None:
    a, place, value = argmax_graph(reducer)
    s = te.create_schedule(place.op)
    k = place.op.reduce_axis[0]
    if schedule == "threads":
        s[place].bind(place.op.axis[0], te.thread_axis("blockIdx.x"))
        s[place].bind(s[place].split(k, factor=8)[1], te.thread_axis("threadIdx.x"))
    if schedule == "rfactor":
        s.rfactor(place, s[place].split(k, factor=8)[0])
    x = small_ints((6, 37))
    arg, best = getattr(x, f"arg{numpy}")(1).astype("int32"), getattr(x, numpy)(1)
    everywhere(s, [a, place, value], [x], arg, best)


def test_a_tuple_reduction_with_a_condition_and_start_values() -> None:
    a, start = te.placeholder((4, 6), name="A"), te.placeholder((4,), name="S")
    k = te.reduce_axis((0, 6), "k")
    both = te.comm_reducer(lambda x, y: (x[0] + y[0], x[1] * y[1]), lambda t, u: (te.const(0, t), te.const(1, u)))
    p, q = te.compute((4,), lambda i: both((a[i, k], a[i, k]), axis=k, where=k > 1, init=(start[i], 2.0)), name="P")
    x, y = small_ints((4, 6)), small_ints((4,), seed=1)
    everywhere(te.create_schedule(p.op), [a, start, p, q], [x, y], y + x[:, 2:].sum(1), 2 * x[:, 2:].prod(1))


@pytest.mark.parametrize("schedule", ["serial", "threads", "rfactor"])
def test_a_condition_that_never_holds_leaves_everything_out(schedule: str) -> None:
    a, k = te.placeholder((1, 6), name="A"), te.reduce_axis((0, 6), "k")
    b = te.compute((1,), lambda i: te.sum(a[i, k], axis=k, where=i > 0), name="B")  # known once i is: 0
    never = te.compute((1,), lambda i: te.sum(a[i, k], axis=k, where=te.const(0, "bool"), init=3.0), name="N")
    for tensor, want in ((b, 0), (never, 3)):
        s = te.create_schedule(tensor.op)
        if schedule == "threads":
            s[tensor].bind(tensor.op.axis[0], te.thread_axis("blockIdx.x"))
            s[tensor].bind(k, te.thread_axis("threadIdx.x"))
        elif schedule == "rfactor" and want == 0:
            s.rfactor(tensor, k)
        everywhere(s, [a, tensor], [small_ints((1, 6)) + 10], np.array([want], "float32"))


def test_wrong_reductions_are_explained() -> None:
    a, k = te.placeholder((4, 6), name="A"), te.reduce_axis((0, 6), "k")
    pair: Any = te.comm_reducer(lambda x, y: (x[0] + y[0], x[1] + y[1]), lambda t, u: (te.const(0, t), te.const(0, u)))
    no_function: Any = 0.0
    text: Any = "a"
    one_of_one: Any = (1.0,)
    cases: list[tuple[Callable[[Any], Any], str, str]] = [
        (lambda i: te.sum(a[i, k], axis=k, where=a[i, k]), "GC220", "where has type float32, which is no condition"),
        (lambda i: te.sum(a[i, k], axis=k, init=text), "GC220", "init is .* needs one value"),
        (lambda i: te.sum(a[i, k], axis=k, init=one_of_one), "GC220", "1 values in a tuple, but the reduction needs"),
        (lambda i: pair((a[i, k], a[i, k]), axis=k, init=1.0), "GC220", "needs a tuple of 2 values"),
        (lambda i: te.sum((a[i, k], a[i, k]), axis=k), "GC213", "fidentity does not take 2 arguments"),
        (lambda i: te.comm_reducer(lambda x, y: x, no_function)(a[i, k], axis=k), "GC213", "is a float, no function"),
        (
            lambda i: te.comm_reducer(lambda x, y: x[0], lambda t, u: (0, 0))((a[i, k], a[i, k]), axis=k),
            "GC213", "fcombine gives one Var, not a tuple, for 2 values",
        ),
    ]  # fmt: skip
    for body, code, message in cases:
        with pytest.raises(TensorError, match=message) as caught:
            te.compute((4,), body)
        assert caught.value.code == code
