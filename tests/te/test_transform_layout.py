"""Tensors in another order give the same results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any  # Any: indices of mapping functions

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.support.diagnostics import ScheduleError
from tests.te.backends import everywhere
from tests.te.helpers import check, small_ints

MAPS: list[Callable[..., Any]] = [
    lambda i, j: [j, i],
    lambda i, j: [i // 4, j // 4, i % 4, j % 4],
    lambda i, j: [i, j // 12, j // 4 % 3, j % 4],
    lambda i, j: [i * 17 + j],
]


def graph() -> tuple[te.Tensor, te.Tensor, te.Tensor]:
    a = te.placeholder((10, 17), name="A")
    b = te.compute((10, 17), lambda i, j: a[i, j] * 2.0, name="B")
    return a, b, te.compute((10, 15), lambda i, j: b[i, j] + b[i, j + 2], name="C")


@pytest.mark.parametrize("number", range(len(MAPS)))
@pytest.mark.parametrize("attached", [False, True])
def test_readers_find_the_elements_where_they_are(number: int, attached: bool) -> None:
    a, b, c = graph()
    s = te.create_schedule(c.op)
    axes = s[b].transform_layout(MAPS[number])
    assert [x.dom is not None for x in axes] == [True] * len(s[b].op.output(0).shape)
    if attached:
        s[b].compute_at(s[c], c.op.axis[0])
    x = small_ints((10, 17))
    check(s, [a, c], [x], 2 * x[:, :15] + 2 * x[:, 2:])


def test_sums_and_copies_of_other_memory_can_have_any_order() -> None:
    a = te.placeholder((6, 10), name="A")
    k = te.reduce_axis((0, 10), "k")
    b = te.compute((6,), lambda i: te.sum(a[i, k], axis=k), name="B")
    c = te.compute((6,), lambda i: b[i] + a[i, 0], name="C")
    s = te.create_schedule(c.op)
    local = s.cache_read(a, "local", [b])
    s[local].transform_layout(lambda i, j: [j, i])
    outer, inner = s[b].transform_layout(lambda i: [i // 4, i % 4])
    s[b].reorder(inner, outer)
    x = small_ints((6, 10))
    check(s, [a, c], [x], x.sum(1) + x[:, 0])


def test_one_layout_after_another() -> None:
    a, b, c = graph()
    s = te.create_schedule(c.op)
    s[b].transform_layout(lambda i, j: [j, i])
    s[b].transform_layout(lambda j, i: [i // 2, j, i % 2])
    x = small_ints((10, 17))
    check(s, [a, c], [x], 2 * x[:, :15] + 2 * x[:, 2:])


def test_the_trace_says_which_map() -> None:
    _, b, c = graph()
    s = te.create_schedule(c.op)
    _, _, inner = s[b].transform_layout(lambda i, j: [i // 2, j, i % 2])
    s[b].vectorize(inner)
    assert "transform_layout(lambda i, j: [i // 2, j, i % 2])" in s.trace.as_python()
    other = graph()
    again = te.trace.replay(s.trace, other[2])
    x = small_ints((10, 17))
    check(again, [other[0], other[2]], [x], 2 * x[:, :15] + 2 * x[:, 2:])


def test_every_backend_reads_the_padded_tile() -> None:
    a, b, c = graph()
    s = te.create_schedule(c.op)
    s[b].transform_layout(lambda i, j: [i // 4, j // 4, i % 4, j % 4])
    s[b].compute_at(s[c], c.op.axis[0])
    x = small_ints((10, 17))
    out = np.full((10, 15), 7, "float32")
    gpucomp.build(s, [a, c], "llvm")(x, out)
    np.testing.assert_array_equal(out, 2 * x[:, :15] + 2 * x[:, 2:])


@pytest.mark.parametrize(
    ("tensor", "word"),
    [
        ("C", "AXIS_SEPARATOR"),
        ("B", "digits are not all there"),
        ("split", "scheduled already"),
        ("prefetch", "axis 'i' of stage B is annotated already"),
        ("storage_align", "storage_align of stage B counts the dimensions"),
        ("storage_swizzle", "storage_swizzle of stage B counts the dimensions"),
    ],
)
def test_what_cannot_be_moved_is_refused(tensor: str, word: str) -> None:
    a, b, c = graph()
    s = te.create_schedule(c.op)
    rows = b.op.axis[0]
    first: dict[str, Callable[[], object]] = {
        "split": lambda: s[b].split(rows, 2),
        "prefetch": lambda: s[b].prefetch(a, rows, 1),
        "storage_align": lambda: s[b].storage_align(rows, 32, 1),
        "storage_swizzle": lambda: s[b].storage_swizzle(rows, 1),  # once gave another element of rows made one
    }
    first.get(tensor, lambda: None)()
    stage = s[c if tensor == "C" else b]
    with pytest.raises(ScheduleError, match=word) as caught:
        stage.transform_layout(lambda i, j: {"B": [i, j % 4], "C": [i, te.AXIS_SEPARATOR, j]}.get(tensor, [j, i]))
    assert caught.value.code == "GC117"


def test_arguments_in_another_order_and_padding_is_zero() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a, b, c = graph()
        s = te.create_schedule(c.op)
        s[b].compute_inline()
        s[a].transform_layout(lambda i, j: [j, i])
        s[c].transform_layout(lambda i, j: [i, j // 4, j % 4])
        return s, [a, c]

    x = small_ints((10, 17))
    expected = np.zeros((10, 16), "float32")
    expected[:, :15] = 2 * x[:, :15] + 2 * x[:, 2:]
    everywhere(program, [x.T.copy()], expected.reshape(10, 4, 4))


def test_a_reduction_of_symbolic_extent_in_tiles() -> None:
    n = te.var("n")
    a = te.placeholder((n, 7), name="A")
    k = te.reduce_axis((0, 7), "k")
    r = te.compute((n,), lambda i: te.sum(a[i, k], axis=k), name="R")
    c = te.compute((n,), lambda i: r[i] + 1.0, name="C")
    s = te.create_schedule(c.op)
    _, inner = s[r].transform_layout(lambda i: [i // 4, i % 4])
    s[r].reorder(k, inner)
    x = small_ints((9, 7))
    out = np.full(9, 77, "float32")
    gpucomp.build(s, [a, c], "llvm")(x, out)
    np.testing.assert_array_equal(out, x.sum(1) + 1)
    check(s, [a, c], [x], x.sum(1) + 1)
