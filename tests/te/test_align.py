"""Rows that start anywhere, in vectors that start where memory is aligned."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.driver.build import compile_function
from gpucomp.support.diagnostics import ScheduleError
from gpucomp.support.launch import BufferParam
from gpucomp.target import Target
from gpucomp.tir.expr import Expr, Var
from tests.te.backends import Program, everywhere
from tests.te.helpers import poisoned, small_ints

SHAPES = [(5, 13), (3, 8), (7, 1), (4, 67), (1, 9)]
Shape = tuple[int, int]


def doubled(shape: Shape) -> tuple[te.Tensor, te.Tensor]:
    a = te.placeholder(shape, name="A")
    return a, te.compute(shape, lambda i, j: a[i, j] * 2.0, name="B")


def in_vectors(shape: Shape, lanes: int) -> Program:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a, b = doubled(shape)
        s = te.create_schedule(b.op)
        vectors, lane = s[b].split(s[b].align(b.op.axis[1], lanes), factor=lanes)
        s[b].vectorize(lane)
        s[b].bind(b.op.axis[0], te.thread_axis("blockIdx.x"))
        _, thread = s[b].split(vectors, factor=4)
        s[b].bind(thread, te.thread_axis("threadIdx.x"))
        return s, [a, b]

    return program


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lanes", [2, 4, 8])
def test_every_element_is_computed_once(shape: Shape, lanes: int) -> None:
    x = small_ints(shape)
    everywhere(in_vectors(shape, lanes), [x], 2 * x, opencl=True)


def place_in_vectors(columns: int) -> Callable[[Var, Var], list[Expr]]:
    def place(i: Var, j: Var) -> list[Expr]:
        moved = j + i * columns % 4
        return [i, moved // 4 // 8, moved // 4 % 8, moved % 4]

    return place


def reduced(shape: Shape) -> Program:
    """What is left of each element when the largest of its row is taken away; the row is in registers."""

    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        rows, columns = shape
        a = te.placeholder(shape, name="A")
        x = te.compute(shape, lambda i, j: a[i, j] + 1.0, name="X")
        k = te.reduce_axis((0, columns), "k")
        largest = te.compute((rows,), lambda i: te.max(x[i, k.var], axis=k), name="largest")
        b = te.compute(shape, lambda i, j: x[i, j] - largest[i], name="B")
        s = te.create_schedule(b.op)
        thread = te.thread_axis("threadIdx.x")
        row, column = b.op.axis
        vectors, lane = s[b].split(s[b].align(column, 4), factor=4)
        chunk, t = s[b].split(vectors, factor=8)
        s[b].reorder(row, t, chunk, lane)
        s[b].bind(row, te.thread_axis("blockIdx.x"))
        s[b].bind(t, thread)
        s[b].vectorize(lane)
        vectors, lane = s[largest].split(s[largest].align(s[largest].op.reduce_axis[0], 4), factor=4)
        chunk, t = s[largest].split(vectors, factor=8)
        s[largest].reorder(t, chunk, lane)
        s[largest].bind(t, thread)
        s[largest].compute_at(s[b], row)
        s[x].compute_at(s[b], row)
        s[x].set_scope("local")
        *_, lane = s[x].transform_layout(place_in_vectors(columns))
        s[x].vectorize(lane)
        return s, [a, b]

    return program


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_are_reduced_from_aligned_copies(shape: Shape) -> None:
    values = small_ints(shape)
    shifted = values + 1
    everywhere(reduced(shape), [values], shifted - shifted.max(1, keepdims=True), opencl=True)


def transposed(shape: Shape) -> Program:
    """A transpose whose tiles end at multiples of eight elements of the result's memory."""

    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        rows, columns = shape
        a = te.placeholder(shape, name="A")
        b = te.compute((columns, rows), lambda i, j: a[j, i], name="B")
        s = te.create_schedule(b.op)
        shared = s.cache_read(a, "shared", [b])
        local = s.cache_read(a, "local", [shared])
        i, j = b.op.axis
        block_i, i = s[b].split(i, factor=16)
        block_j, j = s[b].split(s[b].align(j, 8), factor=8)
        j, lane = s[b].split(j, factor=4)
        s[b].reorder(block_i, block_j, i, j, lane)
        _, t = s[b].split(s[b].fuse(i, j), factor=16)
        thread = te.thread_axis("threadIdx.x")
        s[b].bind(block_i, te.thread_axis("blockIdx.y"))
        s[b].bind(block_j, te.thread_axis("blockIdx.x"))
        s[b].bind(t, thread)
        s[b].vectorize(lane)
        s[shared].compute_at(s[b], block_j)
        row, column = shared.op.axis
        vectors, lane = s[shared].split(s[shared].align(column, 4), factor=4)
        turn, t = s[shared].split(s[shared].fuse(row, vectors), factor=16)
        s[shared].bind(t, thread)
        s[shared].reorder(t, turn, lane)
        s[shared].unroll(turn)
        s[shared].pragma(turn, "loads_first")
        s[local].compute_at(s[shared], turn)
        s[local].vectorize(local.op.axis[1])
        return s, [a, b]

    return program


@pytest.mark.parametrize("shape", [(13, 21), (40, 9), (33, 35)])
def test_tiles_end_where_memory_is_aligned(shape: Shape) -> None:
    x = small_ints(shape)
    everywhere(transposed(shape), [x], x.T, opencl=True)


def with_rfactor() -> tuple[te.Schedule, list[te.Tensor]]:
    a, k = te.placeholder((5, 13), name="A"), te.reduce_axis((0, 13), "k")
    b = te.compute((5,), lambda i: te.sum(a[i, k.var], axis=k), name="B")
    s = te.create_schedule(b.op)
    s.rfactor(b, s[b].split(s[b].align(s[b].op.reduce_axis[0], 4), factor=4)[1])
    return s, [a, b]


def with_cache_write() -> tuple[te.Schedule, list[te.Tensor]]:
    a, b = doubled((5, 13))
    s = te.create_schedule(b.op)
    s[b].split(s[b].align(b.op.axis[1], 4), factor=4)
    s.cache_write(b, "local")
    return s, [a, b]


def with_aligned_producer() -> tuple[te.Schedule, list[te.Tensor]]:
    a = te.placeholder((5, 13), name="A")
    m = te.compute((5, 13), lambda i, j: a[i, j] * 2.0, name="M")
    b = te.compute((5, 13), lambda i, j: m[i, j] + 0.0, name="B")
    s = te.create_schedule(b.op)
    outer, _ = s[b].split(s[b].align(b.op.axis[1], 8), factor=4)
    s[m].compute_at(s[b], outer)
    s[m].split(s[m].align(s[m].op.axis[1], 4), factor=4)
    return s, [a, b]


def with_cache_write_of_a_sum() -> tuple[te.Schedule, list[te.Tensor]]:
    a, k = te.placeholder((5, 13), name="A"), te.reduce_axis((0, 13), "k")
    b = te.compute((5,), lambda i: te.sum(a[i, k.var], axis=k), name="B")
    s = te.create_schedule(b.op)
    s[b].split(s[b].align(k, 4), factor=4)
    copy = s.cache_write(b, "local")
    s[copy].compute_at(s[b], b.op.axis[0])
    return s, [a, b]


def fused() -> tuple[te.Schedule, list[te.Tensor]]:
    a, b = doubled((5, 13))
    s = te.create_schedule(b.op)
    s[b].split(s[b].fuse(b.op.axis[0], s[b].align(b.op.axis[1], 4)), factor=7)
    return s, [a, b]


@pytest.mark.parametrize(
    "program", [with_rfactor, with_cache_write, with_cache_write_of_a_sum, with_aligned_producer, fused]
)
def test_other_primitives_go_with_it(program: Program) -> None:
    x = small_ints((5, 13))
    everywhere(program, [x], x.sum(1) if program in (with_rfactor, with_cache_write_of_a_sum) else 2 * x)


def test_a_copy_in_the_order_of_loops_has_no_rows_to_align_a_sum_by() -> None:
    a, k = te.placeholder((6, 13), name="A"), te.reduce_axis((0, 13), "k")
    b = te.compute((6,), lambda i: te.sum(a[i, k.var], axis=k), name="B")
    s = te.create_schedule(b.op)
    s[b].align(k, 4)
    s[b].split(b.op.axis[0], 2)
    with pytest.raises(ScheduleError, match="reduction axis 'k' of stage B is aligned by the elements of the result"):
        s.cache_write(b, "local")


def test_a_part_of_rows_of_whole_vectors_ends_where_it_ends() -> None:
    def program() -> tuple[te.Schedule, list[te.Tensor]]:
        a = te.placeholder((8,), name="A")
        b = te.compute((8,), lambda i: a[i] + 3.0, name="B")
        c = te.compute((4,), lambda i: b[(3 - i) * 2] * 2.0, name="C")  # reads 7 elements of B
        s = te.create_schedule(c.op)
        _, lane = s[b].split(s[b].align(b.op.axis[0], 2), factor=2)
        s[b].vectorize(lane)
        return s, [a, c]

    x = small_ints((8,))
    everywhere(program, [x], 2 * (x[[6, 4, 2, 0]] + 3))


def test_the_length_of_rows_may_be_a_variable() -> None:
    n = te.var("n")
    a = te.placeholder((5, n), name="A")
    b = te.compute((5, n), lambda i, j: a[i, j] * 2.0, name="B")
    s = te.create_schedule(b.op)
    s[b].vectorize(s[b].split(s[b].align(b.op.axis[1], 4), factor=4)[1])
    x, got = small_ints((5, 13)), poisoned((5, 13))
    gpucomp.build(s, [a, b], "llvm")(x, got)
    np.testing.assert_array_equal(got, 2 * x)


def test_cuda_moves_whole_vectors_and_asks_for_aligned_arrays() -> None:
    a, b = doubled((64, 1001))
    s = te.create_schedule(b.op)
    local = s.cache_read(a, "local", [b])
    vectors, lane = s[b].split(s[b].align(b.op.axis[1], 4), factor=4)
    s[local].compute_at(s[b], vectors)
    s[local].vectorize(local.op.axis[1])
    s[b].vectorize(lane)
    s[b].bind(b.op.axis[0], te.thread_axis("blockIdx.x"))
    s[b].bind(vectors, te.thread_axis("threadIdx.x"))
    made = compile_function(s, [a, b], Target("cuda -arch=sm_90a"), "f", None)
    first = made.general
    assert len(re.findall(r"\*\(const float4\*\)\(A", first.image.source)) == 1
    assert len(re.findall(r"\*\(float4\*\)\(B", first.image.source)) == 1
    assert [p.alignment for p in first.program.params if isinstance(p, BufferParam)] == [16, 16]
    unaligned = made.variants[-1].get()
    assert "float4" not in unaligned.image.source


def test_all_turns_load_before_the_first_stores() -> None:
    s, args = transposed((130, 67))()
    source = compile_function(s, args, Target("cuda -arch=sm_90a"), "f", None).general.image.source
    load, store = source.index("*(const float4*)(A"), source.index("A_shared[", source.index("*(const float4*)(A"))
    assert load < source.index("for (", load) < store  # another loop begins between the two
    assert source.count("*(const float4*)(A") == 1


def test_only_the_innermost_dimension_can_be_aligned() -> None:
    _, b = doubled((5, 13))
    s = te.create_schedule(b.op)
    with pytest.raises(ScheduleError, match="not its innermost dimension"):
        s[b].align(b.op.axis[0], 4)
    with pytest.raises(ScheduleError, match="a power of two"):
        s[b].align(b.op.axis[1], 3)
    s[b].align(b.op.axis[1], 4)
    with pytest.raises(ScheduleError, match="is gone: align"):
        s[b].split(b.op.axis[1], factor=4)


def test_the_loop_is_rounded_up_to_whole_vectors() -> None:
    a, b = doubled((5, 13))
    s = te.create_schedule(b.op)
    s[b].align(b.op.axis[1], 4)
    assert "T.serial(16)" in te.lower_schedule(s, [a, b]).script()
