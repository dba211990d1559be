"""inject_virtual_thread: what is repeated, what is shared, what is enlarged."""

from __future__ import annotations

import pytest

from gpucomp.support.diagnostics import LowerError
from gpucomp.tir import operators
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import CommReducer, IntImm, SizeVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.intrin import barrier
from gpucomp.tir.stmt import (
    Allocate,
    AllReduce,
    AttrStmt,
    BufferStore,
    Evaluate,
    For,
    ForKind,
    IfThenElse,
    LetStmt,
    Stmt,
    seq,
)
from gpucomp.transform.flatten_storage import flatten_storage
from gpucomp.transform.inject_virtual_thread import inject_virtual_thread
from gpucomp.transform.simplify import simplify
from gpucomp.transform.vectorize_loop import vectorize_loop
from gpucomp.transform.walk import TRUE
from tests.transform.build import (
    allocate,
    apply,
    assert_same_meaning,
    func,
    internal,
    loop,
    nodes,
    numbers,
    store,
    thread,
    tiled_matmul,
)

i, j, k, tx, v, w = (Var(x) for x in ("i", "j", "k", "tx", "v", "w"))
A, C = decl_buffer((64,), name="A"), decl_buffer((64,), name="C")


def injected(body: Stmt) -> PrimFunc:
    f = func([A, C], body)
    done = inject_virtual_thread(f)
    assert not [x for x in nodes(done, AttrStmt) if x.attr_key == "virtual_thread"]
    assert_same_meaning(f, done, [numbers(64), numbers(64, seed=1)])
    return done


def size_of(f: PrimFunc, name: str) -> int:
    (memory,) = [x for x in nodes(f, Allocate) if x.buffer_var.name == name]
    extent = memory.extents[0]
    assert isinstance(extent, IntImm)
    return extent.value


def around(f: PrimFunc, buffer: str) -> list[list[str]]:
    """The loops around each store to a buffer, from the outside in."""
    out: list[list[str]] = []

    def walk(node: Stmt, above: list[str]) -> None:
        if isinstance(node, BufferStore) and node.buffer.name == buffer:
            out.append(above)
        for field in node._fields:
            value = getattr(node, field)
            for inner in value if type(value) is tuple else (value,):
                if isinstance(inner, Stmt):
                    walk(inner, [*above, node.loop_var.name] if isinstance(node, For) else above)

    walk(f.body, [])
    return out


def test_a_statement_that_uses_the_variable_is_repeated_in_an_unrolled_loop() -> None:
    f = injected(thread("vthread", v, 4, loop(i, 16, store(C, v * 16 + i, 1.0))))
    assert around(f, "C") == [["i", "v"]]
    assert nodes(f, For)[0].kind is ForKind.UNROLLED


def test_memory_that_depends_on_the_variable_gets_a_copy_for_each() -> None:
    t = internal("T", (4,))
    body = seq(
        loop(i, 4, store(t, i, 0.0)),
        loop(i, 4, store(t, i, t[i] + A[v * 4 + i])),
        loop(i, 4, store(C, v * 4 + i, t[i])),
    )
    f = injected(thread("vthread", v, 2, allocate(t, body)))
    assert size_of(f, "T") == 8
    assert around(f, "T") == [["i", "v"], ["i", "v"]]


def test_what_all_virtual_threads_share_is_produced_once() -> None:
    t = internal("T", (8,), "shared")
    body = seq(loop(i, 8, store(t, i, A[i])), loop(i, 8, store(C, v * 8 + i, t[i] * 2.0)))
    f = injected(thread("vthread", v, 2, allocate(t, body)))
    assert size_of(f, "T") == 8
    assert around(f, "T") == [["i"]]
    assert around(f, "C") == [["i", "v"]]


def test_dependence_passes_through_memory() -> None:
    t, u = internal("T", (4,)), internal("U", (4,))
    body = seq(
        loop(i, 4, store(t, i, A[v * 4 + i])),
        loop(i, 4, store(u, i, t[i] + 1.0)),
        loop(i, 4, store(C, v * 4 + i, u[i])),
    )
    f = injected(thread("vthread", v, 3, allocate(t, allocate(u, body))))
    assert (size_of(f, "T"), size_of(f, "U")) == (12, 12)


def test_memory_written_under_a_condition_on_the_variable_depends_on_it() -> None:
    t = internal("T", (1,))
    body = seq(store(t, 0, 1.0), IfThenElse(v.equal(1), store(t, 0, 5.0)), loop(i, 2, store(C, v * 2 + i, t[0])))
    f = injected(thread("vthread", v, 2, allocate(t, body)))
    assert size_of(f, "T") == 2


def test_straight_line_code_is_repeated_as_a_whole() -> None:
    t = internal("T", (1,))
    body = seq(store(t, 0, A[v]), store(C, v, t[0]))
    f = injected(thread("vthread", v, 2, body=loop(i, 2, allocate(t, body))))
    assert len([x for x in nodes(f, For) if x.loop_var is v]) >= 1


def test_nested_virtual_threads_enlarge_by_those_that_matter() -> None:
    a, b, c = internal("a", (2,)), internal("b", (2,)), internal("c", (4,))
    body = seq(
        loop(i, 2, store(a, i, A[v * 2 + i])),
        loop(j, 2, store(b, j, A[w * 2 + j + 8])),
        loop(i, 2, loop(j, 2, store(c, i * 2 + j, a[i] * b[j]))),
        loop(i, 2, loop(j, 2, store(C, v * 32 + i * 16 + w * 2 + j, c[i * 2 + j]))),
    )
    for buffer in (c, b, a):
        body = allocate(buffer, body)
    f = injected(thread("vthread", v, 2, thread("vthread", w, 3, body)))
    assert (size_of(f, "a"), size_of(f, "b"), size_of(f, "c")) == (4, 6, 24)
    assert around(f, "a") == [["i", "v"]]
    assert around(f, "b") == [["j", "w"]]
    assert around(f, "C") == [["i", "j", "v", "w"]]


def test_a_barrier_is_not_repeated() -> None:
    t = internal("T", (8,), "shared")
    body = seq(store(t, tx, A[tx]), Evaluate(barrier("shared")), store(C, v * 8 + tx, t[operators.const(7) - tx]))
    f = inject_virtual_thread(func([A, C], thread("threadIdx.x", tx, 8, thread("vthread", v, 2, allocate(t, body)))))
    (found,) = nodes(f, Evaluate)
    assert found not in [s for x in nodes(f, For) for s in nodes(x, Evaluate)]
    assert_same_meaning(f, f, [numbers(64), numbers(64)], races=True)


def test_a_loop_whose_length_depends_on_the_variable_is_inside() -> None:
    f = injected(thread("vthread", v, 3, loop(i, v + 1, store(C, v * 8 + i, 1.0))))
    assert around(f, "C") == [["v", "i"]]


def test_a_bound_variable_that_depends_is_inside() -> None:
    x = Var("x")
    f = injected(thread("vthread", v, 3, LetStmt(x, v * 8, loop(i, 2, store(C, x + i, 1.0)))))
    assert around(f, "C") == [["v", "i"]]


def test_a_second_binding_to_the_same_virtual_thread_adds_nothing() -> None:
    f = injected(thread("vthread", v, 2, thread("vthread", v, 2, store(C, v, 1.0))))
    assert around(f, "C") == [["v"]]


def test_one_virtual_thread_is_none() -> None:
    f = injected(thread("vthread", v, 1, store(C, v + 3, 1.0)))
    assert not nodes(f, For)


def test_a_reduction_across_threads_is_repeated_when_it_stands_alone() -> None:
    x, y = Var("x", "float32"), Var("y", "float32")
    add = CommReducer((x,), (y,), (x + y,), (operators.const(0.0, "float32"),))
    r = internal("R", (1,))
    body = allocate(r, seq(AllReduce(add, (A[v * 8 + tx],), TRUE, (r,), (tx,)), store(C, v, r[0])))
    f = func([A, C], thread("threadIdx.x", tx, 8, thread("vthread", v, 2, body)))
    done = inject_virtual_thread(f)
    assert_same_meaning(f, done, [numbers(64), numbers(64, seed=1)])
    assert size_of(done, "R") == 1


def test_a_symbolic_virtual_thread_is_an_error_that_names_it() -> None:
    n = SizeVar("n")
    with pytest.raises(LowerError, match="virtual thread 'v' has extent n, which is no constant"):
        inject_virtual_thread(func([C], thread("vthread", v, n, store(C, v, 1.0)), [n]))


@pytest.mark.parametrize("vthreads", [(1, 2), (2, 1), (2, 2), (4, 2)])
@pytest.mark.parametrize("vector", [1, 4])
def test_a_tiled_matmul_computes_the_same(vthreads: tuple[int, int], vector: int) -> None:
    f = apply(tiled_matmul(20, 17, 9, vthreads=vthreads, vector=vector), flatten_storage, simplify, vectorize_loop)
    args = [numbers(20, 9), numbers(9, 17, seed=1), numbers(20, 17)]
    assert_same_meaning(f, inject_virtual_thread(f), args)
