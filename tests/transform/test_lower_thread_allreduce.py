"""Reductions over threads: every form against numpy, in the interpreter, on PoCL, and compiled for CUDA."""

from __future__ import annotations

from typing import Any  # arrays of any element type

import numpy as np
import pytest

from gpucomp.analysis import bank_conflicts
from gpucomp.codegen import emit_unit
from gpucomp.support.diagnostics import LowerError
from gpucomp.target import Target
from gpucomp.tir import expr as e
from gpucomp.tir import intrin
from gpucomp.tir import operators as op
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import CommReducer, Expr, IterVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import ir_transform, post_order
from gpucomp.tir.interp import interpret
from gpucomp.tir.stmt import ForKind, Stmt
from gpucomp.transform.lower_thread_allreduce import is_symmetric, lower_thread_allreduce
from gpucomp.transform.split_host_device import split_host_device
from tests.codegen.devices import compile_cuda, run_opencl

TRUE = op.const(1, "bool")
AXES = ("x", "y", "z")
Array = np.ndarray[Any, Any]


def reducer(kind: str, dtype: str = "int32") -> CommReducer:
    if kind == "argmax":
        i, j = Var("i"), Var("j")
        a, b = Var("a", dtype), Var("b", dtype)
        keep = e.GE(a, b)  # the left operand wins ties
        low = op.const(-(2**31), dtype)
        return CommReducer((i, a), (j, b), (e.Select(keep, i, j), e.Select(keep, a, b)), (op.const(-1), low))
    a, b = Var("a", dtype), Var("b", dtype)
    result = {"sum": a + b, "max": op.maximum(a, b)}[kind]
    low = op.const(0 if kind == "sum" else -1000, dtype)
    return CommReducer((a,), (b,), (result,), (low,))


def kernel(
    block: tuple[int, ...],
    reduced: tuple[int, ...],
    kind: str = "sum",
    dtype: str = "int32",
    rounds: int = 1,
    target: str = "opencl",
    guard: Any = None,
    limit: int | None = None,
) -> PrimFunc:
    """Each block reduces ``rounds`` times over its axes ``reduced``; every thread stores what it got."""
    size = int(np.prod(block))
    threads = [
        IterVar((0, n), f"threadIdx.{AXES[d]}", IterVar.ThreadIndex, f"threadIdx.{AXES[d]}")
        for d, n in enumerate(block)
    ]
    bx = IterVar((0, 3), "blockIdx.x", IterVar.ThreadIndex, "blockIdx.x")
    tid: Expr = op.const(0)
    for ax in reversed(threads):
        assert ax.dom is not None
        tid = tid * ax.dom.extent + ax
    k = Var("k")
    place = (bx * rounds + k) * size + tid
    a = decl_buffer([3 * rounds * size], dtype, "A")
    outs = [
        decl_buffer([3 * rounds * size], "int32" if kind == "argmax" and j == 0 else dtype, f"O{j}")
        for j in range(2 if kind == "argmax" else 1)
    ]
    results = tuple([decl_buffer([1], b.dtype, f"r{j}", scope="local") for j, b in enumerate(outs)])
    values: tuple[Expr, ...] = (tid, a[place]) if kind == "argmax" else (a[place],)
    condition = TRUE if limit is None else tid < limit
    reduce: Stmt = s.AllReduce(
        reducer(kind, dtype), values, condition, results, tuple([threads[d].var for d in reduced])
    )
    body: Stmt = s.seq(reduce, [s.BufferStore(o, r[0], (place,)) for o, r in zip(outs, results, strict=True)])
    for r in results:
        body = s.Allocate(r.data, r.dtype, (op.const(1),), TRUE, body)
    if guard is not None:
        body = s.IfThenElse(guard(*threads), body)
    body = s.For(k, 0, rounds, ForKind.SERIAL, body) if rounds > 1 else s.LetStmt(k, op.const(0), body)
    for ax in reversed([bx, *threads]):
        assert ax.dom is not None
        body = s.AttrStmt(ax, "thread_extent", ax.dom.extent, body)
    params = {Var(b.name, b.data.type_annotation): b for b in (a, *outs)}
    return PrimFunc(list(params), body, params, {"global_symbol": "f", "target": Target(target), "tir.noalias": True})


def expected(
    data: Array, block: tuple[int, ...], reduced: tuple[int, ...], kind: str, limit: int | None = None
) -> list[Array]:
    size = int(np.prod(block))
    grid = data.reshape(-1, *reversed(block))  # x is the last axis
    axes = tuple(len(block) - d for d in reduced)
    tid = np.broadcast_to(np.arange(size).reshape(tuple(reversed(block))), grid.shape)
    inside = tid < (size if limit is None else limit)
    if kind == "sum":
        want = [np.where(inside, grid, 0).sum(axis=axes, keepdims=True, dtype=data.dtype)]
    elif kind == "max":
        want = [np.where(inside, grid, -1000).max(axis=axes, keepdims=True)]
    else:
        masked = np.where(inside, grid.astype(np.int64), -(2**31))
        best = masked.max(axis=axes, keepdims=True)
        first = np.where((masked == best) & inside, tid, 1 << 30).min(axis=axes, keepdims=True)
        first = np.where(first == 1 << 30, -1, first)  # no thread contributes: the identity element
        want = [first.astype(np.int32), best.astype(data.dtype)]
    return [np.broadcast_to(w, grid.shape).reshape(-1) for w in want]


def outputs(func: PrimFunc) -> list[Buffer]:
    return list(func.buffer_map.values())[1:]


CASES = [
    ((32,), (0,)),
    ((16, 4), (0,)),
    ((8, 3), (0,)),
    ((4, 4, 4), (0, 1)),
    ((256,), (0,)),
    ((64, 2), (0,)),
    ((512,), (0,)),
    ((1024,), (0,)),
    ((96,), (0,)),
    ((5,), (0,)),
    ((100,), (0,)),
    ((7, 3), (0,)),
    ((8, 6), (1,)),
    ((16, 23), (1,)),
    ((4, 3, 20), (2,)),
    ((3, 5, 2), (0, 2)),
    ((1, 8), (0,)),
]


def draw(dtype: str, count: int) -> Array:
    return np.random.default_rng(count).integers(-9, 9, count).astype(dtype)


@pytest.mark.parametrize("kind", ["sum", "argmax"])
@pytest.mark.parametrize(("block", "reduced"), CASES)
@pytest.mark.parametrize("target", ["cuda", "opencl"])
def test_every_thread_gets_numpys_result_in_the_interpreter(
    target: str, block: tuple[int, ...], reduced: tuple[int, ...], kind: str
) -> None:
    func = kernel(block, reduced, kind, target=target, rounds=2)
    data = draw("int32", 6 * int(np.prod(block)))
    lowered = lower_thread_allreduce(func)
    got = [np.zeros(data.shape, np.int32) for _ in outputs(func)]
    interpret(lowered, [data, *got])
    for mine, want in zip(got, expected(data, block, reduced, kind), strict=True):
        np.testing.assert_array_equal(mine, want)


@pytest.mark.opencl
@pytest.mark.parametrize("kind", ["sum", "argmax"])
@pytest.mark.parametrize(
    ("block", "reduced"),
    [
        ((7, 3), (0,)),
        *[pytest.param(b, r, marks=pytest.mark.slow) for b, r in [((64,), (0,)), ((8, 6), (1,)), ((100,), (0,))]],
    ],
)
def test_the_shared_memory_form_runs_on_pocl(block: tuple[int, ...], reduced: tuple[int, ...], kind: str) -> None:
    func = lower_thread_allreduce(kernel(block, reduced, kind, rounds=2, limit=20))
    kernels, _ = split_host_device(func)
    data = draw("int32", 6 * int(np.prod(block)))
    zeros = [np.zeros(data.shape, np.int32) for _ in outputs(func)]
    got = run_opencl(
        emit_unit(kernels, Target("opencl")),
        "f_kernel",
        (3, 1, 1),
        (*block, *(1,) * (3 - len(block))),
        [data, *zeros],
    )
    for mine, want in zip(got[1:], expected(data, block, reduced, kind, 20), strict=True):
        np.testing.assert_array_equal(mine, want)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64", "int8", "int64", "uint32"])
@pytest.mark.parametrize(("block", "reduced"), [((16, 4), (0,)), ((256,), (0,)), ((24,), (0,))])
def test_all_forms_compile_for_cuda(block: tuple[int, ...], reduced: tuple[int, ...], dtype: str) -> None:
    func = lower_thread_allreduce(kernel(block, reduced, "sum", dtype, target="cuda -arch=sm_90a"))
    kernels, _ = split_host_device(func)
    image = emit_unit(kernels, Target("cuda -arch=sm_90a"))
    assert compile_cuda(image)["f_kernel"].spill_bytes == 0


def count(func: PrimFunc, name: str) -> int:
    return sum(isinstance(n, e.Call) and getattr(n.op, "name", "") == f"tir.{name}" for n in post_order(func.body))


def test_a_warp_needs_neither_memory_nor_barriers() -> None:
    func = lower_thread_allreduce(kernel((32, 4), (0,), target="cuda"))
    assert count(func, "shuffle_xor") == 5
    assert count(func, "barrier") == 0
    assert not any(isinstance(n, s.Allocate) and n.buffer_var.storage_scope == "shared" for n in post_order(func.body))


def test_several_warps_take_one_barrier_and_one_more_in_a_loop() -> None:
    assert count(lower_thread_allreduce(kernel((256,), (0,), target="cuda")), "barrier") == 1
    assert count(lower_thread_allreduce(kernel((256,), (0,), target="cuda", rounds=3)), "barrier") == 2


def twice(func: PrimFunc, between: Stmt | None) -> PrimFunc:
    """The function with each reduction done a second time after ``between``."""

    def again(node: Stmt) -> Stmt | None:
        return s.seq(node, between, node) if isinstance(node, s.AllReduce) else None

    return func.with_body(ir_transform(func.body, None, again, (s.AllReduce,)))


@pytest.mark.parametrize(("between", "barriers"), [(None, 2), (s.Evaluate(intrin.barrier()), 3)])
def test_little_shared_memory_is_not_taken_again(between: Stmt | None, barriers: int) -> None:
    func = lower_thread_allreduce(twice(kernel((64,), (0,), target="cuda"), between))
    assert count(func, "barrier") == barriers
    data, got = draw("int32", 192), np.zeros(192, np.int32)
    interpret(func, [data, got])
    np.testing.assert_array_equal(got, expected(data, (64,), (0,), "sum")[0])


@pytest.mark.parametrize("between", [None, s.Evaluate(intrin.barrier())])
def test_much_shared_memory_is_taken_again_behind_a_barrier(between: Stmt | None) -> None:
    once = lower_thread_allreduce(kernel((100,), (0,), target="cuda"))
    func = lower_thread_allreduce(twice(kernel((100,), (0,), target="cuda"), between))
    assert count(func, "barrier") == 2 * count(once, "barrier") + 1
    allocated = [n for n in post_order(func.body) if isinstance(n, s.Allocate)]
    assert len([n for n in allocated if n.buffer_var.storage_scope == "shared"]) == 1
    data, got = draw("int32", 300), np.zeros(300, np.int32)
    interpret(func, [data, got])
    np.testing.assert_array_equal(got, expected(data, (100,), (0,), "sum")[0])


@pytest.mark.parametrize("block", [(32, 8), (32, 32), (64, 12)])
@pytest.mark.parametrize("kind", ["sum", "argmax"])
def test_threads_of_different_sums_side_by_side_meet_different_banks(block: tuple[int, int], kind: str) -> None:
    found = bank_conflicts(lower_thread_allreduce(kernel(block, (1,), kind, target="cuda")))
    assert {(access.wavefronts, access.ideal) for access in found} == {(1, 1)}


def test_an_unsymmetric_combiner_is_combined_in_order_of_the_threads() -> None:
    assert is_symmetric(reducer("sum"))
    assert not is_symmetric(reducer("argmax"))
    func = lower_thread_allreduce(kernel((32,), (0,), "argmax", target="cuda"))
    assert count(func, "shuffle_xor") == 0
    assert count(func, "shuffle_down") == 10


def test_part_of_a_warp_under_a_condition_names_its_own_lanes_only() -> None:
    func = kernel((8, 4), (0,), target="cuda", guard=lambda x, y: y.var < 3)
    lowered = lower_thread_allreduce(func)
    data = draw("int32", 96)
    got = np.zeros(96, np.int32)
    interpret(lowered, [data, got])
    want = expected(data, (8, 4), (0,), "sum")[0].reshape(3, 4, 8).copy()
    want[:, 3] = 0
    np.testing.assert_array_equal(got, want.reshape(-1))


def test_a_condition_on_other_threads_is_refused_where_barriers_are_needed() -> None:
    func = kernel((64, 4), (0,), target="cuda", guard=lambda x, y: y.var < 3)
    with pytest.raises(LowerError, match="waits for all threads of the block, but only those with"):
        lower_thread_allreduce(func)


def test_a_condition_on_the_reduced_threads_is_refused() -> None:
    func = kernel((32, 4), (0,), target="cuda", guard=lambda x, y: x.var < 30)
    with pytest.raises(LowerError, match="some of the threads that it combines do not reach it"):
        lower_thread_allreduce(func)


def test_a_function_without_reductions_is_returned_as_it_is() -> None:
    func = lower_thread_allreduce(kernel((32,), (0,)))
    assert lower_thread_allreduce(func) is func
