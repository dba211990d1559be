"""product_order: each product shares an operand with the one before, all are there, and what is left alone."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.arith import Analyzer
from gpucomp.driver.build import lower_primfunc
from gpucomp.target import Target
from gpucomp.te import Schedule, lower_schedule
from gpucomp.tir import operators as op
from gpucomp.tir.functor import free_vars, post_order, substitute
from gpucomp.tir.interp import interpret
from gpucomp.tir.stmt import AttrStmt, BufferStore, For, LetStmt

CUDA = Target("cuda -arch=sm_90a")
DEPTH = 5


def outer_products(
    rows: int, columns: int, pieces: int = 1, *, both: bool = False, order: int = 1
) -> tuple[Schedule, list[Any]]:
    """C = A @ B by one thread, whose fragments are rows and columns; the pragma on the loops of a step of k."""
    a, b = te.placeholder((rows, DEPTH), name="A"), te.placeholder((DEPTH, columns), name="B")
    k = te.reduce_axis((0, DEPTH), "k")

    def value(i: Any, j: Any) -> Any:  # Any: expressions
        product = a[i, k] * b[k, j]
        return te.sum(product * a[j, k] if both else product, axis=k)

    c = te.compute((rows, columns), value, name="C")
    s = te.create_schedule(c.op)
    acc = s.cache_write(c, "local")
    stage = s[c]
    i, j = stage.op.axis
    pi, i = stage.split(i, nparts=pieces)
    stage.reorder(pi, i, j)
    outer, i = stage.split(i, factor=rows // pieces)
    stage.bind(outer, te.thread_axis("threadIdx.x"))
    stage.bind(pi, te.thread_axis("vthread"))
    inner = s[acc]
    inner.compute_at(stage, outer)
    inner.reorder(inner.op.reduce_axis[0], *inner.op.axis)
    for axis in inner.op.axis:
        inner.unroll(axis)
    inner.pragma(inner.op.axis[0], "product_order", order)
    return s, [a, b, c]


def products(schedule: Schedule, args: list[Any], columns: int) -> list[tuple[int, int]]:
    """Rows and columns of the elements that the unrolled loops of a step of k add to, in their order."""
    f = lower_primfunc(lower_schedule(schedule, args, "main"), CUDA)
    node: Any = next(n for n in post_order(f.body) if isinstance(n, For) and n.loop_var.name == "k").body
    loops: list[For] = []
    while not isinstance(node, BufferStore):
        if isinstance(node, For):
            loops.append(node)
        node = node.body
    values = {n.var: n.value for n in post_order(f.body) if isinstance(n, LetStmt)}
    index, analyzer = node.indices[0], Analyzer()
    while values.keys() & free_vars(index):
        index = substitute(index, values)
    out: list[tuple[int, int]] = []
    for round_ in itertools.product(*[range(int(str(loop.extent))) for loop in loops]):
        place = {loop.loop_var: op.const(x) for loop, x in zip(loops, round_, strict=True)}
        out.append(divmod(int(str(analyzer.simplify(substitute(index, place)))), columns))
    return out


@pytest.mark.parametrize(("rows", "columns", "pieces"), [(4, 6, 1), (4, 8, 2), (6, 4, 1), (3, 5, 1)])
def test_each_product_shares_an_operand_with_the_one_before(rows: int, columns: int, pieces: int) -> None:
    s, args = outer_products(rows, columns, pieces)
    order = products(s, args, columns)
    assert sorted(order) == [(i, j) for i in range(rows) for j in range(columns)]
    assert all([a == c or b == d for (a, b), (c, d) in itertools.pairwise(order)])
    changes = sum([b != d if rows <= columns else a != c for (a, b), (c, d) in itertools.pairwise(order)])
    assert changes == max(rows, columns) - 1  # the longer operand changes least


@pytest.mark.parametrize(("rows", "columns", "pieces"), [(4, 6, 1), (6, 4, 2)])
def test_rows_go_one_after_the_other(rows: int, columns: int, pieces: int) -> None:
    s, args = outer_products(rows, columns, pieces, order=2)
    assert products(s, args, columns) == [(i, j) for i in range(rows) for j in range(columns)]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("target", [CUDA, Target("opencl"), Target("llvm")])
def test_the_results_stay(target: Target, order: int) -> None:
    s, args = outer_products(4, 6, 2, order=order)
    f = lower_primfunc(lower_schedule(s, args, "main"), target)
    assert not any([isinstance(n, AttrStmt) and n.attr_key.startswith("pragma") for n in post_order(f.body)])
    rng = np.random.default_rng(0)
    a, b = rng.integers(-4, 5, (4, DEPTH)).astype(np.float32), rng.integers(-4, 5, (DEPTH, 6)).astype(np.float32)
    got = np.full((4, 6), np.nan, np.float32)
    interpret(f, [a, b, got])
    assert np.array_equal(got, a @ b)


def test_an_element_that_both_operands_pick_leaves_the_order_as_it_is() -> None:
    s, args = outer_products(6, 6, both=True)
    assert "?" not in gpucomp.source(s, args, CUDA)
