"""Reads outside of a tensor: found where they are certain, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any  # expressions of a user's function

import numpy as np
import pytest

from gpucomp import te
from gpucomp.support.diagnostics import TensorError
from gpucomp.te import lower_schedule

A = te.placeholder((8, 5), name="A")


def lower(extent: Any, element: Callable[..., Any]) -> None:
    b = te.compute((extent,), element, name="B")
    args = [A, b] if isinstance(extent, int) else [A, extent, b]
    lower_schedule(te.create_schedule(b.op), args)


@pytest.mark.parametrize(
    "element",
    [
        lambda i: A[i, 0],
        lambda i: A[i - 2, 0] * 2.0,
        lambda i: te.exp(A[9 - i * 2, 0].astype("float64")),
        lambda i: A[i // 2, i % 10],
        lambda i: A[i, 0] + te.if_then_else(i < 8, A[i, 1], 0.0),
    ],
)
def test_a_read_that_leaves_the_tensor_is_an_error(element: Callable[..., Any]) -> None:
    with pytest.raises(TensorError, match="'B' reads A outside") as caught:
        lower(10, element)
    assert caught.value.code == "GC204"


@pytest.mark.parametrize(
    "element",
    [
        lambda i: te.if_then_else(i < 8, A[i, 0], 0.0),
        lambda i: te.Select(i < 8, A[i, 0], 0.0),
        lambda i: A[i % 8, i // 2],
        lambda i: A[te.if_then_else(i < 8, i, 0), 0],
        lambda i: te.sum(A[i + K, 0], axis=K, where=i + K < 8),
        lambda i: A[i * (9 - i) // 3, 0],  # within at both ends
    ],
)
def test_what_has_a_condition_or_stays_inside_is_not(element: Callable[..., Any]) -> None:
    lower(10, element)


K = te.reduce_axis((0, 3), "k")


def test_symbolic_extents_are_not_judged() -> None:
    n = te.var("n")
    lower(n, lambda i: A[i, 0])


def test_an_empty_result_reads_nothing() -> None:
    b = te.compute((0, 9), lambda i, j: A[j, 0], name="B")
    lower_schedule(te.create_schedule(b.op), [A, b])


def test_extents_of_numpy_are_plain_numbers() -> None:
    size = np.prod((4, 5))
    x = te.placeholder((size,), name="X")
    k = te.reduce_axis((np.int64(0), size), "k")
    y = te.compute((1,), lambda i: te.sum(x[k], axis=k), name="Y")
    s = te.create_schedule(y.op)
    factor: Any = np.int64(8)
    outer, inner = s[y].split(k, factor=factor)
    assert [a.var.dtype for a in (k, outer, inner)] == ["int32"] * 3
    assert "int64" not in lower_schedule(s, [x, y]).script()
