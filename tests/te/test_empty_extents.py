"""Tensors of no elements: schedules of them lower, calls with and without the outputs are right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from tests.requirements import require_pocl

Graph = tuple[te.Tensor, te.Tensor]
Primitives = Callable[[te.Schedule, Graph], object]


def elementwise(shape: tuple[int, ...]) -> Graph:
    a = te.placeholder(shape, name="A")
    return a, te.compute(shape, lambda i, j: a[i, j] + 1.0, name="B")


def row_sums(shape: tuple[int, ...]) -> Graph:
    a = te.placeholder(shape, name="A")
    k = te.reduce_axis((0, shape[1]), "k")
    return a, te.compute((shape[0],), lambda i: te.sum(a[i, k], axis=k), name="B")


def fused(s: te.Schedule, graph: Graph) -> None:
    b = graph[1]
    s[b].split(s[b].fuse(*b.op.axis), factor=4)


def fused_threads(s: te.Schedule, graph: Graph) -> None:
    b = graph[1]
    block, lane = s[b].split(s[b].fuse(*b.op.axis), factor=4)
    s[b].bind(block, te.thread_axis("blockIdx.x"))
    s[b].bind(lane, te.thread_axis("threadIdx.x"))


def staged(s: te.Schedule, graph: Graph) -> None:
    a, b = graph
    block, lane = s[b].split(b.op.axis[0], factor=4)
    tile = s.cache_read(a, "shared", [b])
    s[b].bind(block, te.thread_axis("blockIdx.x"))
    s[b].bind(lane, te.thread_axis("threadIdx.x"))
    s[tile].compute_at(s[b], block)


def untouched(s: te.Schedule, graph: Graph) -> None:
    """The default schedule of the target fuses the axes."""


@pytest.mark.parametrize("primitives", [untouched, fused, fused_threads, staged], ids=lambda f: f.__name__)
@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0)], ids=str)
@pytest.mark.parametrize("make", [elementwise, row_sums], ids=lambda f: f.__name__)
def test_a_kernel_over_no_elements_runs_with_and_without_its_output(
    make: Callable[[tuple[int, ...]], Graph], shape: tuple[int, int], primitives: Primitives
) -> None:
    require_pocl()
    x = np.ones(shape, "float32")
    expected = x + 1 if make is elementwise else x.sum(1)
    for target in ("llvm", "opencl"):
        if primitives is fused and target == "opencl":
            continue  # no threads
        graph = make(shape)
        s = te.create_schedule(graph[1].op)
        primitives(s, graph)
        module = gpucomp.build(s, list(graph), target)
        out = np.full(expected.shape, np.nan, "float32")
        module(x, out)
        np.testing.assert_array_equal(out, expected, err_msg=target)
        np.testing.assert_array_equal(module(x), expected, err_msg=target)
