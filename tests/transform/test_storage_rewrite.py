"""storage_rewrite: where allocations go, and which of them share memory."""

from __future__ import annotations

import pytest

from gpucomp.ir.transform import PassContext
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import SizeVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.intrin import barrier
from gpucomp.tir.stmt import Allocate, AttrStmt, Evaluate, For, IfThenElse, Stmt, While, seq
from gpucomp.transform.flatten_storage import flatten_storage
from gpucomp.transform.inject_virtual_thread import inject_virtual_thread
from gpucomp.transform.simplify import simplify
from gpucomp.transform.storage_rewrite import storage_rewrite
from tests.transform.build import (
    PARALLEL,
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

i, j, k, tx = (Var(x) for x in ("i", "j", "k", "tx"))
A, C = decl_buffer((64,), name="A"), decl_buffer((64,), name="C")
n = SizeVar("n")


def rewritten(body: Stmt) -> PrimFunc:
    f = func([A, C], body)
    done = storage_rewrite(f)
    assert_same_meaning(f, done, [numbers(64), numbers(64, seed=1)])
    return done


def memory(f: PrimFunc) -> list[str]:
    return [x.buffer_var.name for x in nodes(f, Allocate)]


def parts(*names: str, size: int = 256, scope: str = "local") -> list[Buffer]:
    return [internal(x, (size,), scope) for x in names]


def around(buffers: list[Buffer], body: Stmt) -> Stmt:
    for buffer in buffers:
        body = allocate(buffer, body)
    return body


def copy(target: Buffer, source: Buffer, add: float = 0.0) -> Stmt:
    return loop(i, 8, store(target, i, source[i] + add))


def chain(x: Buffer, y: Buffer, z: Buffer) -> Stmt:
    """A -> x -> y -> z -> C, each read from the other end."""
    steps: list[Stmt] = []
    for target, source in ((x, A), (y, x), (z, y), (C, z)):
        steps.append(loop(i, 8, store(target, i, source[operators.const(7) - i] + 1.0)))
    return seq(*steps)


def test_memory_goes_to_the_start_of_the_threads() -> None:
    t, u = parts("T")[0], parts("U", scope="shared")[0]
    inner = seq(store(t, 0, A[k]), store(u, tx, t[0]), store(C, tx, u[tx]))
    f = rewritten(thread("threadIdx.x", tx, 8, loop(k, 4, allocate(t, allocate(u, inner)))))
    assert isinstance(f.body, AttrStmt)
    assert isinstance(f.body.body, Allocate)
    assert memory(f.body.body) == ["U", "T"]  # pyright: ignore[reportArgumentType]  # a statement will do
    assert not [x for loop_ in nodes(f, For) for x in nodes(loop_, Allocate)]


def test_memory_of_a_parallel_iteration_stays_inside_of_it() -> None:
    (t,) = parts("T")
    inner = seq(loop(i, 8, store(t, i, A[k * 8 + i])), loop(i, 8, store(C, k * 8 + i, t[operators.const(7) - i])))
    f = rewritten(loop(k, 4, loop(j, 2, allocate(t, inner)), PARALLEL))
    assert isinstance(f.body, For)
    assert isinstance(f.body.body, Allocate)


def test_memory_moves_out_of_a_serial_loop() -> None:
    t = internal("T", (8,), "global")
    f = rewritten(loop(k, 4, allocate(t, seq(copy(t, A), copy(C, t)))))
    assert isinstance(f.body, Allocate)


def test_memory_whose_size_depends_on_the_loop_stays() -> None:
    t = internal("T", (k + 1,), "global")
    f = func([A, C], loop(k, 4, allocate(t, seq(loop(i, k + 1, store(t, i, A[i])), store(C, k, t[k])))))
    assert storage_rewrite(f) is f


def test_a_buffer_whose_use_is_over_lends_its_memory() -> None:
    x, y, z = parts("X", "Y", "Z")
    f = rewritten(around([z, y, x], chain(x, y, z)))
    assert memory(f) == ["Y", "X"]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (internal("Z", (257,)), "size"),
        (internal("Z", (256,), "local", "float64"), "type"),
        (internal("Z", (256,), "global"), "scope"),
    ],
)
def test_buffers_that_differ_do_not_share(other: Buffer, why: str) -> None:
    x, y = parts("X", "Y")
    z = other
    steps = seq(
        loop(i, 8, store(x, i, A[i])),
        loop(i, 8, store(y, i, x[operators.const(7) - i])),
        loop(i, 8, store(z, i, operators.cast(z.dtype, y[operators.const(7) - i]))),
        loop(i, 8, store(C, i, operators.cast("float32", z[i]))),
    )
    assert len(memory(rewritten(around([z, y, x], steps)))) == 3, why


def test_buffers_in_use_at_once_do_not_share() -> None:
    x, y, z = parts("X", "Y", "Z")
    both = loop(i, 8, store(z, i, x[i] + y[operators.const(7) - i]))
    steps = seq(copy(x, A), copy(y, A, 1.0), both, copy(C, z), copy(C, x))
    assert len(memory(rewritten(around([z, y, x], steps)))) == 3


def test_a_buffer_filled_before_a_loop_lives_to_its_end() -> None:
    x, y, z = parts("X", "Y", "Z")
    inner = seq(
        loop(i, 8, store(y, i, x[operators.const(7) - i])), loop(i, 8, store(z, i, y[operators.const(7) - i])),
        loop(i, 8, store(C, i, z[i] + A[i])),
    )  # fmt: skip
    f = rewritten(allocate(x, seq(copy(x, A), loop(k, 2, allocate(y, allocate(z, inner))))))
    assert len(memory(f)) == 3  # Z must not write over X, which the next iteration reads; nor over Y


def test_a_buffer_carried_by_a_while_loop_is_not_lent() -> None:
    x, y, z = parts("X", "Y", "Z")
    mirror = loop(i, 8, store(z, i, y[operators.const(7) - i]))
    body = seq(copy(y, A), mirror, copy(C, z), store(x, 0, x[0] - 1.0))
    steps = seq(copy(x, A), store(x, 0, 3.0), While(x[0] > 0.0, body))
    f = rewritten(around([z, y, x], steps))
    assert len(memory(f)) == 3


def test_an_elementwise_statement_may_write_over_its_operand() -> None:
    x, y = parts("X", "Y")
    f = rewritten(around([y, x], seq(copy(x, A), copy(y, x, 1.0), copy(C, y))))
    assert memory(f) == ["X"]


def test_in_place_needs_the_same_index_on_both_sides() -> None:
    x, y = parts("X", "Y")
    shift = loop(i, 7, store(y, i, x[i + 1]))
    f = rewritten(around([y, x], seq(copy(x, A), shift, loop(i, 7, store(C, i, y[i])))))
    assert len(memory(f)) == 2


def test_in_place_needs_every_element_to_be_visited_once() -> None:
    x, y = parts("X", "Y")
    twice = loop(k, 2, loop(i, 8, store(y, i, x[i] + 1.0)))
    f = rewritten(around([y, x], seq(copy(x, A), twice, copy(C, y))))
    assert len(memory(f)) == 2
    overlapping = loop(k, 2, loop(i, 4, store(y, k * 3 + i, x[k * 3 + i] + 1.0)))
    g = rewritten(around([y, x], seq(copy(x, A), overlapping, loop(i, 7, store(C, i, y[i])))))
    assert len(memory(g)) == 2


def test_in_place_allows_no_other_reader_in_the_same_loop() -> None:
    x, y = parts("X", "Y")
    body = loop(i, 8, seq(store(y, i, x[i] + 1.0), store(C, i, x[i])))
    f = rewritten(around([y, x], seq(copy(x, A), body, copy(C, y))))
    assert len(memory(f)) == 2
    accumulate = seq(loop(i, 8, store(y, i, 0.0)), loop(i, 8, store(y, i, y[i] + x[i])))
    g = rewritten(around([y, x], seq(copy(x, A), accumulate, copy(C, y))))
    assert len(memory(g)) == 2


def test_uses_in_both_branches_count() -> None:
    x, y, z = parts("X", "Y", "Z")
    steps = seq(
        copy(x, A), IfThenElse(A[0] > 0.0, copy(y, x), copy(y, A)), loop(i, 8, store(z, i, y[operators.const(7) - i])),
        loop(i, 8, store(C, i, z[i])),
    )  # fmt: skip
    rewritten(around([z, y, x], steps))


def test_small_shared_buffers_do_not_share_and_large_ones_do() -> None:
    for size, expected in ((8, 3), (256, 2)):
        x, y, z = parts("X", "Y", "Z", size=size, scope="shared")
        sync = Evaluate(barrier("shared"))
        back = operators.const(7) - tx
        steps = seq(
            store(x, tx, A[tx]), sync, store(y, tx, x[back]), sync, store(z, tx, y[back]), sync, store(C, tx, z[back])
        )
        f = rewritten(thread("threadIdx.x", tx, 8, around([z, y, x], steps)))
        assert len(memory(f)) == expected
        assert_same_meaning(f, f, [numbers(64), numbers(64)], races=True)


@pytest.mark.parametrize(("scope", "expected"), [("shared.dyn", [("X", 256), ("Y", 512)]), ("shared", None)])
def test_dynamic_shared_memory_goes_to_a_larger_buffer(scope: str, expected: list[tuple[str, int]] | None) -> None:
    x, y, z = [internal(name, (size,), scope) for name, size in (("X", 256), ("Y", 300), ("Z", 512))]
    back = operators.const(7) - tx
    both = x[back] + y[back]
    sync = Evaluate(barrier("shared"))
    steps = seq(store(x, tx, A[tx]), store(y, tx, A[tx] + 1.0), sync, store(C, tx, both), sync, store(z, tx, A[tx]))
    f = rewritten(thread("threadIdx.x", tx, 8, around([z, y, x], seq(steps, sync, store(C, tx, z[back])))))
    made = [(node.buffer_var.name, int(str(node.extents[0]))) for node in nodes(f, Allocate)]
    assert sorted(made) == (expected or [("X", 256), ("Y", 300), ("Z", 512)])
    assert_same_meaning(f, f, [numbers(64), numbers(64)], races=True)


def test_memory_outside_of_a_parallel_loop_is_in_use_during_all_of_it() -> None:
    x, y, z = (internal(name, (64,), "global") for name in "XYZ")
    at = k * 8 + i
    pairs = ((x, A), (y, x), (z, y), (C, z))
    inner = seq([loop(i, 8, store(target, at, source[k * 8 + 7 - i])) for target, source in pairs])
    f = rewritten(around([z, y, x], loop(k, 8, inner, PARALLEL)))
    assert len(memory(f)) == 3


def test_sharing_can_be_switched_off() -> None:
    x, y, z = parts("X", "Y", "Z")
    with PassContext(config={"tir.disable_storage_rewrite": True}):
        assert len(memory(rewritten(around([z, y, x], chain(x, y, z))))) == 3


def test_memory_that_nothing_uses_goes() -> None:
    (t,) = parts("T")
    assert not memory(rewritten(allocate(t, copy(C, A))))


def test_memory_in_its_place_already_gives_the_same_object() -> None:
    (t,) = parts("T")
    f = func([A, C], thread("threadIdx.x", tx, 8, allocate(t, seq(copy(t, A), copy(C, t)))))
    assert storage_rewrite(f) is f


def test_the_kernels_of_one_function_have_their_own_memory() -> None:
    (t,) = parts("T")
    kernel = thread("threadIdx.x", tx, 8, loop(k, 1, allocate(t, seq(store(t, 0, A[tx]), store(C, tx, t[0])))))
    other = thread("threadIdx.x", j, 8, loop(k, 1, allocate(internal("U", (8,)), store(C, j, 2.0))))
    f = rewritten(seq(kernel, other))
    assert memory(f) == ["T"]


@pytest.mark.parametrize("shape", [(20, 17, 9), (16, 16, 16)])
def test_a_tiled_matmul_computes_the_same(shape: tuple[int, int, int]) -> None:
    m, columns, depth = shape
    f = apply(tiled_matmul(*shape), flatten_storage, simplify, inject_virtual_thread)
    done = storage_rewrite(f)
    assert_same_meaning(f, done, [numbers(m, depth), numbers(depth, columns, seed=1), numbers(m, columns)])
    assert not [x for loop_ in nodes(done, For) for x in nodes(loop_, Allocate)]


def test_short_arrays_of_a_thread_stay_apart_since_they_live_in_registers() -> None:
    x, y, z = parts("X", "Y", "Z", size=8)
    f = rewritten(around([z, y, x], chain(x, y, z)))
    assert sorted(memory(f)) == ["X", "Y", "Z"]
