"""Swept boxes and touched domains, against enumeration."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import numpy as np
import pytest

from gpucomp import te
from gpucomp.arith import (
    IntervalSet,
    domain_touched,
    estimate_region_lower_bound,
    estimate_region_strict_bound,
    estimate_region_upper_bound,
)
from gpucomp.tir import decl_buffer
from gpucomp.tir import expr as e
from gpucomp.tir import stmt as s
from gpucomp.tir.expr import Expr, IntImm, IterVar, Range, SizeVar, Var
from tests.arith.evaluate import evaluate
from tests.arith.test_iter_map import TRUE, Iters, points, random_index

X, J, K = Var("i"), Var("j"), Var("k")
N = SizeVar("n")
Element = tuple[int, ...]


def touched(region: Sequence[Range], iters: Iters, predicate: Expr, known: dict[Var, int]) -> set[Element]:
    """Elements that a region sweeps."""
    found: set[Element] = set()
    for point in points(iters, predicate, known):
        spans = [range(evaluate(r.min, point), evaluate(r.min, point) + evaluate(r.extent, point)) for r in region]
        found |= set(itertools.product(*spans))
    return found


def elements(box: Sequence[IntervalSet], known: dict[Var, int]) -> set[Element]:
    """Elements of a box."""
    spans = [range(evaluate(x.min_value, known), evaluate(x.max_value, known) + 1) for x in box]
    return set(itertools.product(*spans))


def check(region: Sequence[Range], iters: Iters, predicate: Expr = TRUE, known: dict[Var, int] | None = None) -> bool:
    """Compare all three estimates with the truth; True if the exact one was found."""
    values = known or {}
    truth = touched(region, iters, predicate, values)
    strict = estimate_region_strict_bound(region, iters, predicate)
    lower = estimate_region_lower_bound(region, iters, predicate)
    if truth:
        if strict is not None:
            assert elements(strict, values) == truth, (region, strict)
        if lower is not None:
            assert elements(lower, values) <= truth, (region, lower)
    assert truth <= elements(estimate_region_upper_bound(region, iters, predicate), values)
    return strict is not None


def at(index: Expr, extent: int = 1) -> Range:
    """``extent`` elements from an index on."""
    return Range.from_min_extent(index, extent)


def test_boxes_are_exact() -> None:
    iters = {X: Range(0, 8), J: Range(0, 4), K: Range(2, 5)}
    assert check([at(X * 4 + J), at(K)], iters)
    assert check([at(X * 2 + K)], iters)  # overlapping windows
    assert check([at(X * 4, 4), at(J + 1, 3)], iters)
    assert check([at((X * 4 + J) // 8), at((X * 4 + J) % 8)], iters)
    assert check([at(X * 4 + J)], iters, X * 4 + J < 27)
    assert check([at(X), at(J)], iters, e.And(X < 5, J >= 1))
    for n in (1, 5, 8):
        assert check([at(X * 4 + J)], {X: Range(0, N), J: Range(0, 4)}, TRUE, {N: n})


def test_what_is_no_box_is_not_called_one() -> None:
    iters = {X: Range(0, 8), J: Range(0, 4)}
    assert not check([at(X), at(X)], iters)
    assert not check([at(X * 2)], iters)
    assert not check([at(X), at(J)], iters, X * 4 + J < 27)
    assert not check([at(X - J)], iters)
    assert not check([Range.from_min_extent(X, J + 1)], iters)


def test_a_lower_bound_takes_one_part_of_what_has_gaps() -> None:
    iters = {X: Range(0, 8), J: Range(0, 4)}
    lower = estimate_region_lower_bound([at(X * 8 + J)], iters)
    assert lower is not None
    assert elements(lower, {}) == {(i,) for i in range(4)}


def test_an_upper_bound_uses_the_predicate() -> None:
    iters = {X: Range(0, 8), J: Range(0, 8)}
    (upper,) = estimate_region_upper_bound([at((X * 8 + J) * 2)], iters, X * 8 + J < 50)
    assert (str(upper.min_value), str(upper.max_value)) == ("0", "98")
    (upper,) = estimate_region_upper_bound([at(e.Max(X, J))], iters)
    assert (str(upper.min_value), str(upper.max_value)) == ("0", "7")


def test_random_regions() -> None:
    rng = random.Random(19)
    exact = 0
    for _ in range(400):
        variables = [X, J, K][: rng.randint(1, 3)]
        iters = {v: Range.from_min_extent(rng.choice([0, 0, 1]), rng.choice([1, 2, 3, 4, 6])) for v in variables}
        region = [at(random_index(rng, variables, rng.randint(0, 2)), rng.choice([1, 1, 2, 3])) for _ in range(2)]
        predicate: Expr = TRUE
        if rng.random() < 0.4:
            left = random_index(rng, variables, 1)
            predicate = rng.choice([e.LT, e.GE])(left, IntImm("int32", rng.randint(1, 12)))
        exact += check(region, iters, predicate)
    assert exact > 60


A = decl_buffer((40, 40), "float32", "A")
B = decl_buffer((40,), "int32", "B")


def nest(body: s.Stmt, *loops: tuple[Var, Expr | int, Expr | int]) -> s.Stmt:
    """Loops around a body, outermost first."""
    for var, low, extent in reversed(loops):
        body = s.For(var, low, extent, s.ForKind.SERIAL, body)
    return body


def ends(box: list[Range]) -> list[tuple[str, str]]:
    """Start and extent as text."""
    return [(str(r.min), str(r.extent)) for r in box]


def test_loads_and_stores_are_told_apart() -> None:
    body = s.BufferStore(A, e.BufferLoad(A, (X + 2, J * 3)), (X, J + 1))
    loop = nest(body, (X, 0, 4), (J, 1, 5))
    assert ends(domain_touched(loop, A, True, False)) == [("2", "4"), ("3", "13")]
    assert ends(domain_touched(loop, A, False, True)) == [("0", "4"), ("2", "5")]
    assert ends(domain_touched(loop, A)) == [("0", "6"), ("2", "14")]
    assert domain_touched(loop, B) == []


def test_triangles_names_threads_and_vectors() -> None:
    store = s.BufferStore(B, 1, (J,))
    assert ends(domain_touched(nest(store, (X, 0, 8), (J, X, X + 1)), B)) == [("0", "15")]
    named = nest(s.LetStmt(J, X * 2 + 1, store), (X, 0, 8))
    assert ends(domain_touched(named, B)) == [("1", "15")]
    axis = IterVar(None, X, IterVar.ThreadIndex, "threadIdx.x")
    threads = s.AttrStmt(axis, "thread_extent", 16, s.BufferStore(B, 1, (X + 4,)))
    assert ends(domain_touched(threads, B)) == [("4", "16")]
    lanes = s.BufferStore(B, e.Broadcast(IntImm("int32", 1), 4), (e.Ramp(X * 4, 1, 4),))
    assert ends(domain_touched(nest(lanes, (X, 0, 3)), B)) == [("0", "12")]
    assert ends(domain_touched(s.BufferStore(B, 1, (N + 1,)), B)) == [("n + 1", "1")]


def test_an_index_from_memory_touches_the_whole_dimension() -> None:
    gather = s.BufferStore(A, 1.0, (X, e.BufferLoad(B, (X,))))
    assert ends(domain_touched(nest(gather, (X, 0, 4)), A)) == [("0", "4"), ("0", "40")]


@pytest.mark.parametrize("stride", [1, 2])
def test_blocks_and_reductions_touch_what_the_interpreter_reads(stride: int) -> None:
    a = te.placeholder((40,), name="A")
    k = te.reduce_axis((0, 3), "k")
    b = te.compute((8,), lambda i: te.sum(a[i * stride + k + 1], axis=k), name="B")
    func = te.create_prim_func([a, b])
    buffers = [func.buffer_map[p] for p in func.params]
    reads = np.unique([i * stride + j + 1 for i in range(8) for j in range(3)])
    assert ends(domain_touched(func.body, buffers[0])) == [(str(reads[0]), str(reads[-1] - reads[0] + 1))]
    assert ends(domain_touched(func.body, buffers[1])) == [("0", "8")]
