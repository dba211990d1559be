"""Untouched graphs of many kinds, and ways to run them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any  # Any: arrays of several element types

import numpy as np

import gpucomp
from gpucomp import te, tir
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor
from tests.golden.cases import argmax_reducer
from tests.golden.support import assert_same, make_arrays, reference

Graph = tuple[Schedule, list[Tensor]]
GRAPHS: dict[str, Callable[[], Graph]] = {}


def graph(make: Callable[[], list[Tensor]]) -> Callable[[], Graph]:
    """Register a function that gives arguments; the last are the outputs, which nothing reads."""

    def scheduled() -> Graph:
        args = make()
        read = {t for a in args for t in a.op.input_tensors}
        outputs = [a.op for a in args if a not in read and a.op.input_tensors]
        return te.create_schedule(list(dict.fromkeys(outputs))), args

    GRAPHS[make.__name__] = scheduled
    return scheduled


@graph
def chain() -> list[Tensor]:
    a = te.placeholder((5, 33), name="A")
    b = te.compute((5, 33), lambda i, j: a[i, j] + 1.0, name="B")
    return [a, te.compute((33, 5), lambda i, j: b[j, i] * b[j, i], name="C")]


@graph
def softmax() -> list[Tensor]:
    a = te.placeholder((4, 300), name="A")
    k, r = te.reduce_axis((0, 300), "k"), te.reduce_axis((0, 300), "r")
    top = te.compute((4,), lambda i: te.max(a[i, k], axis=k), name="top")
    shifted = te.compute((4, 300), lambda i, j: tir.exp(a[i, j] - top[i]), name="shifted")
    total = te.compute((4,), lambda i: te.sum(shifted[i, r], axis=r), name="total")
    return [a, te.compute((4, 300), lambda i, j: shifted[i, j] / total[i], name="B")]


@graph
def matmul() -> list[Tensor]:
    a, b = te.placeholder((9, 14), name="A"), te.placeholder((14, 6), name="B")
    k = te.reduce_axis((0, 14), "k")
    return [a, b, te.compute((9, 6), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="C")]


@graph
def whole_sum() -> list[Tensor]:
    a = te.placeholder((7, 90), name="A")
    i, j = te.reduce_axis((0, 7), "i"), te.reduce_axis((0, 90), "j")
    return [a, te.compute((1,), lambda _: te.sum(a[i, j], axis=[i, j]), name="B")]


@graph
def scalar_result() -> list[Tensor]:
    a = te.placeholder((600,), name="A")
    k = te.reduce_axis((0, 600), "k")
    return [a, te.compute((), lambda: te.max(a[k], axis=k), name="B")]


@graph
def best_of_rows() -> list[Tensor]:
    index, value = te.placeholder((5, 400), "int32", "index"), te.placeholder((5, 400), name="value")
    k = te.reduce_axis((0, 400), "k")
    best = argmax_reducer()
    where, top = te.compute((5,), lambda i: best((index[i, k], value[i, k]), axis=k), name="best")
    return [index, value, where, top]


@graph
def two_results() -> list[Tensor]:
    a = te.placeholder((21,), name="A")
    low, high = te.compute((21,), lambda i: (a[i] - 1.0, a[i] + 1.0), name="P")
    return [a, low, high]


@graph
def two_outputs_of_one_input() -> list[Tensor]:
    a = te.placeholder((10, 11), name="A")
    k = te.reduce_axis((0, 11), "k")
    sums = te.compute((10,), lambda i: te.sum(a[i, k], axis=k), name="sums")
    return [a, sums, te.compute((10, 11), lambda i, j: a[i, j] * 2.0, name="double")]


@graph
def padded() -> list[Tensor]:
    a = te.placeholder((6, 6), name="A")
    inside = lambda i, j: tir.all(i >= 1, i < 7, j >= 1, j < 7)  # noqa: E731  # used like a function of te
    p = te.compute((8, 8), lambda i, j: tir.if_then_else(inside(i, j), a[i - 1, j - 1], 0.0), name="P")
    y, x = te.reduce_axis((0, 3), "y"), te.reduce_axis((0, 3), "x")
    return [a, te.compute((6, 6), lambda i, j: te.sum(p[i + y, j + x], axis=[y, x]), name="B")]


@graph
def integers() -> list[Tensor]:
    a = te.placeholder((40,), "int64", "A")
    return [a, te.compute((40,), lambda i: (a[i] * 3 + i) // 4, name="B")]


@graph
def symbolic() -> list[Tensor]:
    n, m = te.var("n"), te.var("m")
    a = te.placeholder((n, m), name="A")
    k = te.reduce_axis((0, m), "k")
    b = te.compute((n,), lambda i: te.sum(a[i, k], axis=k), name="B")
    return [a, te.compute((n, m), lambda i, j: a[i, j] - b[i], name="C")]


SHAPES = {"n": 6, "m": 70}


def run(name: str, target: Target, device: gpucomp.Device) -> None:
    """Build an untouched graph, run it, compare with what its operators mean."""
    schedule, args = GRAPHS[name]()
    arrays = make_arrays(schedule, args, SHAPES, seed=6)
    want = reference(schedule, args, arrays)
    module = gpucomp.build(schedule, args, target, name=name)
    there = [gpucomp.nd.array(a, device) for a in arrays]
    module(*there)
    assert_same([a.numpy() for a in there], want, args, 3e-6 if name == "softmax" else 0.0)


def vector_add(dtype: str = "float32", names: str = "ABC", factor: int = 16, extent: Any = None) -> Graph:
    """C = A + B, with the schedule of a GPU."""
    n = te.var("n") if extent is None else extent
    a, b = te.placeholder((n,), dtype, names[0]), te.placeholder((n,), dtype, names[1])
    c = te.compute((n,), lambda i: a[i] + b[i], name=names[2])
    s = te.create_schedule(c.op)
    outer, inner = s[c].split(c.op.axis[0], factor=factor)
    s[c].bind(outer, te.thread_axis("blockIdx.x"))
    s[c].bind(inner, te.thread_axis("threadIdx.x"))
    return s, [a, b, c]


def numbers(*shape: int, dtype: str = "float32", seed: int = 0) -> np.ndarray[Any, Any]:
    """Small whole numbers."""
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(dtype)
