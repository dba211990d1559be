"""Programs written with the builder, run by the interpreter and on the processor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import gpucomp
from gpucomp import te, tir
from gpucomp.support.diagnostics import GpucompError, TypeMismatchError
from gpucomp.tir.interp import interpret
from gpucomp.tir.ir_builder import BufferVar, IRBuilder

Program = Callable[[IRBuilder, BufferVar, BufferVar], None]


def outcome(program: Program, source: object, size: int) -> list[float]:
    """What a program writes into a fresh array; interpreter and processor must agree."""
    x = np.asarray(source, np.float32)
    a = tir.decl_buffer(x.shape, "float32", "A")
    b = tir.decl_buffer((size,), "float32", "B")
    ib = tir.ir_builder.create()
    program(ib, ib.buffer_ptr(a), ib.buffer_ptr(b))
    pa, pb = te.var("pa", "handle"), te.var("pb", "handle")
    func = tir.PrimFunc([pa, pb], ib.get(), {pa: a, pb: b}, {"global_symbol": "main"})
    first, second = np.full(size, np.nan, np.float32), np.full(size, np.nan, np.float32)
    interpret(func, [x, first])
    gpucomp.build(func, target="llvm")(x, second)
    np.testing.assert_array_equal(first, second)
    return first.tolist()


def test_loops_branches_and_lets_do_what_they_say() -> None:
    def program(ib: IRBuilder, a: BufferVar, b: BufferVar) -> None:
        with ib.for_range(1, 6, "i") as i:
            twice = ib.let("twice", a[i] * 2.0)
            with ib.if_scope(ib.likely(i % 2 == 0)):
                b[i] = twice
            with ib.else_scope():
                b[i] = twice + 1.0
        b[0] = -1.0

    assert outcome(program, range(6), 6) == [-1, 3, 4, 7, 8, 11]


@pytest.mark.parametrize("kind", ["serial", "parallel", "vectorized", "unroll"])
def test_every_kind_of_loop_computes_the_same(kind: str) -> None:
    def program(ib: IRBuilder, a: BufferVar, b: BufferVar) -> None:
        with ib.for_range(0, 8, "i", kind=kind) as i:
            b[i] = a[i] + 1.0

    assert outcome(program, range(8), 8) == list(range(1, 9))


def test_a_while_loop_runs_until_memory_says_stop() -> None:
    def program(ib: IRBuilder, a: BufferVar, b: BufferVar) -> None:
        count = ib.allocate("int32", (1,), "count")
        count[0] = 0
        with ib.while_loop(tir.all(count[0] < 5, a[count[0]] > 0.0)):
            count[0] = count[0] + 1
        b[0] = count[0].astype("float32")

    assert outcome(program, [3, 2, 1, 0, 7], 1) == [3]


def test_an_allocation_of_two_dimensions_takes_one_index_too() -> None:
    def program(ib: IRBuilder, a: BufferVar, b: BufferVar) -> None:
        with ib.new_scope():
            t = ib.allocate("float32", (2, 3), "t")
            with ib.for_range(0, 6, "i") as i:
                t[i] = a[5 - i]
            with ib.for_range(0, 2, "y") as y, ib.for_range(0, 3, "x") as x:
                b[y * 3 + x] = t[y, x] * a[0 * y]

    assert outcome(program, range(2, 8), 6) == [14, 12, 10, 8, 6, 4]


def test_a_python_if_on_a_traced_condition_is_an_error() -> None:
    ib = tir.ir_builder.create()
    b = ib.buffer_ptr(tir.decl_buffer((4,), "float32", "B"))
    with pytest.raises(GpucompError, match="is not known while the kernel is being built"), ib.for_range(0, 4) as i:
        b[i] = 1.0 if i < 2 else 2.0


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (lambda ib, b: b.__setitem__((0, 1, 2), 1.0), "B has 2 dimensions, but is indexed with 3"),
        (lambda ib, b: b.__setitem__((0.5, 1), 1.0), "indexed with a value of type float32"),
        (lambda ib, b: b.__setitem__((0, 1), tir.const(1, "int64")), "cannot store a value of type int64"),
        (lambda ib, b: ib.for_range(0, 4, kind="paralel").__enter__(), "unknown kind 'paralel'"),
        (lambda ib, b: ib.else_scope().__enter__(), "does not follow an if_scope"),
        (lambda ib, b: ib.if_scope(b[0, 0]).__enter__(), "has type float32, not bool"),
        (lambda ib, b: ib.scope_attr(b, "thread_extent", 4), "thread_extent of a BufferVar"),
    ],
)
def test_a_mistake_is_named_at_the_users_line(program: Callable[[IRBuilder, BufferVar], object], words: str) -> None:
    ib = tir.ir_builder.create()
    b = ib.buffer_ptr(tir.decl_buffer((4, 4), "float32", "B"))
    with pytest.raises(TypeMismatchError, match=words.replace("(", r"\(")) as caught:
        program(ib, b)
    assert caught.value.where is not None
    assert caught.value.where.file == __file__


def test_get_inside_of_an_open_block_is_an_error() -> None:
    ib = tir.ir_builder.create()
    with pytest.raises(TypeMismatchError, match="inside of an open scope"), ib.for_range(0, 4):
        ib.get()
