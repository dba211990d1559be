"""Programs with one mistake each: every kind of bad input that has a recorded error.

The line that makes the mistake ends in ``# cause``; the error must point at it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import gpucomp
from gpucomp import arith, te
from gpucomp.support.diagnostics import GpucompError
from gpucomp.te import Schedule, Tensor
from gpucomp.tir.expr import IterVar, Range


@dataclass(frozen=True)
class Mistake:
    """A program that must be refused.

    Attributes:
        program: raises the error when called.
        words: what the text must name besides: stages, axes, numbers, limits.
    """

    program: Callable[[], object]
    words: tuple[str, ...]

    def error(self) -> GpucompError:
        """The error of the program."""
        try:
            self.program()
        except GpucompError as error:
            return error
        raise AssertionError(f"{self.program.__name__} was accepted")


MISTAKES: dict[str, Mistake] = {}


def mistake(*words: str) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Register a program under its name."""

    def add(program: Callable[[], object]) -> Callable[[], object]:
        MISTAKES[program.__name__] = Mistake(program, words)
        return program

    return add


def row_sums() -> tuple[Schedule, Tensor, Tensor, Tensor]:
    """A[32, 64], B = sums of its rows, C = A - B, and a fresh schedule."""
    a = te.placeholder((32, 64), name="A")
    k = te.reduce_axis((0, 64), "k")
    b = te.compute((32,), lambda i: te.sum(a[i, k], axis=k), name="B")
    c = te.compute((32, 64), lambda i, j: a[i, j] - b[i], name="C")
    return te.create_schedule(c.op), a, b, c


def thread(dim: str = "x") -> IterVar:
    """A thread axis of the block."""
    return te.thread_axis(f"threadIdx.{dim}")


def block(dim: str = "x") -> IterVar:
    """A block axis."""
    return te.thread_axis(f"blockIdx.{dim}")


# -- schedules -------------------------------------------------------------------------------------------------------


@mistake("stage A.shared", "'ax1.inner'", "threadIdx.x", "32", "16", "stage C", "'j.inner'")
def two_binds_of_one_thread_axis_with_different_extents() -> object:
    s, a, _, c = row_sums()
    shared = s.cache_read(a, "shared", [c])
    i, j = c.op.axis
    s[c].bind(i, block())
    s[shared].compute_at(s[c], i)
    tx = thread()
    _, inner = s[c].split(j, factor=16)
    s[c].bind(inner, tx)
    _, fetch = s[shared].split(shared.op.axis[1], factor=32)
    s[shared].bind(fetch, tx)  # cause
    return gpucomp.lower(s, [a, c])


@mistake("threadIdx.x", "32", "64", "'j'", "stage C")
def a_thread_axis_whose_own_extent_differs() -> object:
    s, a, _, c = row_sums()
    s[c].bind(c.op.axis[1], te.thread_axis((0, 32), "threadIdx.x"))  # cause
    return gpucomp.lower(s, [a, c])


@mistake("split", "'i'", "stage C", "'i.outer'", "'i.inner'")
def splitting_an_axis_that_a_split_consumed() -> object:
    s, _, _, c = row_sums()
    s[c].split(c.op.axis[0], factor=4)
    return s[c].split(c.op.axis[0], factor=8)  # cause


@mistake("bind", "'i'", "stage C", "'i.outer'", "'i.inner'")
def binding_an_axis_that_a_split_consumed() -> object:
    s, _, _, c = row_sums()
    s[c].split(c.op.axis[0], factor=4)
    return s[c].bind(c.op.axis[0], thread())  # cause


@mistake("reorder", "'j'", "stage C", "'j.outer'", "'j.inner'")
def reordering_an_axis_that_a_split_consumed() -> object:
    s, _, _, c = row_sums()
    s[c].split(c.op.axis[1], factor=4)
    return s[c].reorder(c.op.axis[1], c.op.axis[0])  # cause


@mistake("split", "'j'", "stage C", "'i.j.fused'")
def splitting_an_axis_that_a_fuse_consumed() -> object:
    s, _, _, c = row_sums()
    s[c].fuse(*c.op.axis)
    return s[c].split(c.op.axis[1], factor=8)  # cause


@mistake("bind", "'i'", "stage C", "'i.j.fused'")
def binding_an_axis_that_a_fuse_consumed() -> object:
    s, _, _, c = row_sums()
    s[c].fuse(*c.op.axis)
    return s[c].bind(c.op.axis[0], block())  # cause


@mistake("reorder", "'i'", "stage C", "'i.j.fused'")
def reordering_an_axis_that_a_fuse_consumed() -> object:
    s, _, _, c = row_sums()
    s[c].fuse(*c.op.axis)
    return s[c].reorder(*c.op.axis)  # cause


@mistake("compute_at", "'i'", "stage C", "'i.outer'")
def computing_at_an_axis_that_a_split_consumed() -> object:
    s, _, b, c = row_sums()
    s[c].split(c.op.axis[0], factor=8)
    return s[b].compute_at(s[c], c.op.axis[0])  # cause


@mistake("stage B", "'i'", "stage C", "C.local")
def computing_at_a_stage_that_is_no_consumer() -> object:
    s, a, b, c = row_sums()
    s.cache_write(c, "local")
    s[b].compute_at(s[c], c.op.axis[0])  # cause
    return gpucomp.lower(s, [a, c])


@mistake("stage D", "'i'", "stage C")
def computing_at_a_stage_that_never_reads_it() -> object:
    a = te.placeholder((32,), name="A")
    c = te.compute((32,), lambda i: a[i] + 1.0, name="C")
    d = te.compute((32,), lambda i: a[i] * 2.0, name="D")
    e = te.compute((32,), lambda i: c[i] * d[i], name="E")
    s = te.create_schedule(e.op)
    s[d].compute_at(s[c], c.op.axis[0])  # cause
    return gpucomp.lower(s, [a, e])


@mistake("stage B", "'k'", "blockIdx.x", "reduction")
def a_reduction_axis_bound_to_blocks() -> object:
    s, a, b, c = row_sums()
    s[b].bind(b.op.reduce_axis[0], block())  # cause
    return gpucomp.lower(s, [a, c])


@mistake("stage B", "'k.inner'", "reduces", "'i'", "'k.outer'")
def a_reduction_axis_bound_inside_of_a_serial_one() -> object:
    s, a, b, c = row_sums()
    i, k = b.op.axis[0], b.op.reduce_axis[0]
    _, inner = s[b].split(k, factor=16)
    s[b].reorder(s[b].leaf_iter_vars[1], i, inner)
    s[b].bind(inner, thread())  # cause
    return gpucomp.lower(s, [a, c])


@mistake("stage C", "'i'", "extent n")
def vectorizing_an_extent_that_is_no_constant() -> object:
    n = te.var("n")
    a = te.placeholder((n,), name="A")
    c = te.compute((n,), lambda i: a[i] + 1.0, name="C")
    s = te.create_schedule(c.op)
    s[c].vectorize(c.op.axis[0])  # cause
    return gpucomp.lower(s, [a, c])


@mistake("stage C", "'i'", "'j'", "blockIdx")
def a_stage_that_no_thread_computes() -> object:
    a = te.placeholder((32, 64), name="A")
    b = te.compute((32, 64), lambda i, j: a[i, j] + 1.0, name="B")
    c = te.compute((32, 64), lambda i, j: b[i, j] * 2.0, name="C")  # cause
    s = te.create_schedule(c.op)
    s[b].bind(b.op.axis[0], block())
    return gpucomp.source(s, [a, c], "cuda -arch=sm_90")


# -- limits of the target --------------------------------------------------------------------------------------------


@mistake("2,048", "1,024", "sm_90", "threadIdx.x", "stage C", "'j'")
def more_threads_than_a_block_may_have() -> object:
    a = te.placeholder((8, 2048), name="A")
    c = te.compute((8, 2048), lambda i, j: a[i, j] + 1.0, name="C")
    s = te.create_schedule(c.op)
    s[c].bind(c.op.axis[0], block())
    s[c].bind(c.op.axis[1], thread())  # cause
    return gpucomp.source(s, [a, c], "cuda -arch=sm_90")


@mistake("2,048", "1,024", "threadIdx.x 32", "threadIdx.y 64", "stage C")
def more_threads_than_a_block_may_have_over_two_axes() -> object:
    s, a, b, c = row_sums()
    s[b].bind(b.op.axis[0], block())
    s[c].bind(c.op.axis[0], thread("x"))
    s[c].bind(c.op.axis[1], thread("y"))  # cause
    return gpucomp.source(s, [a, c], "cuda -arch=sm_90")


@mistake("128", "64", "threadIdx.z", "stage C", "'i'")
def more_threads_than_an_axis_of_the_block_may_have() -> object:
    a = te.placeholder((128,), name="A")
    c = te.compute((128,), lambda i: a[i] + 1.0, name="C")
    s = te.create_schedule(c.op)
    s[c].bind(c.op.axis[0], thread("z"))  # cause
    return gpucomp.source(s, [a, c], "cuda -arch=sm_90")


@mistake("65,536", "49,152", "sm_75", "A.shared")
def more_shared_memory_than_the_target_has() -> object:
    a = te.placeholder((128, 128), name="A")
    c = te.compute((128, 128), lambda i, j: a[j, i], name="C")
    s = te.create_schedule(c.op)
    shared = s.cache_read(a, "shared", [c])  # cause
    one, rest = s[c].split(s[c].fuse(*c.op.axis), nparts=1)
    _, inner = s[c].split(rest, factor=256)
    s[c].bind(one, block())
    s[c].bind(inner, thread())
    s[shared].compute_at(s[c], one)
    return gpucomp.source(s, [a, c], "cuda -arch=sm_75")


# -- arguments of a build --------------------------------------------------------------------------------------------


@mistake("'A'", "read")
def an_input_missing_from_the_arguments_of_build() -> object:
    s, _, _, c = row_sums()
    return gpucomp.build(s, [c], "llvm")  # cause


@mistake("'C'", "written")
def an_output_missing_from_the_arguments_of_build() -> object:
    s, a, _, _ = row_sums()
    return gpucomp.build(s, [a], "llvm")  # cause


@mistake("'n'")
def a_variable_missing_from_the_arguments_of_build() -> object:
    n = te.var("n")
    a = te.placeholder((n * 2,), name="A")
    c = te.compute((n * 2,), lambda i: a[i] + 1.0, name="C")
    return gpucomp.build(te.create_schedule(c.op), [a, c], "llvm")  # cause


# -- launches ---------------------------------------------------------------------------------------------------------


def add() -> gpucomp.Module:
    """C = A + B for vectors of one length, on the processor."""
    n = te.var("n")
    a, b = te.placeholder((n,), name="A"), te.placeholder((n,), name="B")
    c = te.compute((n,), lambda i: a[i] + b[i], name="C")
    return gpucomp.build(te.create_schedule(c.op), [a, b, c], "llvm", name="add")


def vector(n: int = 8, dtype: str = "float32") -> np.ndarray:
    """Numbers from 0."""
    return np.arange(n, dtype=dtype)


@mistake("add", "3", "1", "A", "B", "C")
def too_few_arguments_at_launch() -> object:
    return add()(vector())  # cause


@mistake("add", "4", "A", "B", "C")
def too_many_arguments_at_launch() -> object:
    return add()(vector(), vector(), vector(), vector())  # cause


@mistake("argument 2 (B)", "float64", "float32")
def a_wrong_dtype_at_launch() -> object:
    return add()(vector(), vector(dtype="float64"), vector())  # cause


@mistake("argument 3 (C)", "[9]", "8", "n = 8")
def a_wrong_shape_at_launch() -> object:
    return add()(vector(), vector(), vector(9))  # cause


@mistake("argument 1 (A)", "2 axes", "1 axis")
def a_wrong_number_of_axes_at_launch() -> object:
    return add()(vector().reshape(2, 4), vector(), vector())  # cause


@mistake("argument 2 (B)", "strides", "contiguous")
def an_array_that_is_not_contiguous_at_launch() -> object:
    return add()(vector(), vector(16)[::2], vector())  # cause


@mistake("argument 3 (C)", "read-only")
def an_output_that_is_read_only_at_launch() -> object:
    out = vector()
    out.flags.writeable = False
    return add()(vector(), vector(), out)  # cause


@mistake("argument 2 (B)", "int")
def a_number_where_an_array_belongs_at_launch() -> object:
    return add()(vector(), 3, vector())  # cause


@mistake("argument 2 (B)", "null(0)", "cpu(0)", "add")
def an_array_of_another_device_at_launch() -> object:
    here, there = gpucomp.nd.array(vector()), gpucomp.nd.array(vector(), gpucomp.Device("null", 0))
    return add()(here, there, gpucomp.nd.array(vector()))  # cause


# -- devices ----------------------------------------------------------------------------------------------------------


@mistake("cpu(7)", "1")
def a_device_that_does_not_exist() -> object:
    return gpucomp.nd.array(vector(), gpucomp.cpu(7))  # cause


@mistake("'cudda'", "cuda")
def a_kind_of_device_that_does_not_exist() -> object:
    return gpucomp.device("cudda")  # cause


@mistake("'cudda'", "cuda")
def a_target_that_does_not_exist() -> object:
    s, a, _, c = row_sums()
    return gpucomp.build(s, [a, c], "cudda")  # cause


# -- solvers ----------------------------------------------------------------------------------------------------------


@mistake("'x'", "twice")
def an_unknown_that_is_named_twice() -> object:
    x = te.var("x")
    return arith.solve_linear_equations([x.equal(3)], [x, x])  # cause


@mistake("'x'", "float32")
def an_unknown_that_is_no_integer() -> object:
    return arith.IntConstraints([te.var("x", "float32")])  # cause


@mistake("x + 1")
def an_equation_that_is_no_condition() -> object:
    x = te.var("x")
    return arith.solve_linear_equations([x + 1], [x])  # cause


@mistake("-2")
def bounds_on_a_negative_multiple() -> object:
    return arith.IntGroupBounds(-2, [0], [], [8])  # cause


# -- iterator maps ----------------------------------------------------------------------------------------------------


@mistake("x", "float32")
def an_index_that_is_no_integer() -> object:
    x = te.var("x", "float32")
    return arith.detect_iter_map([x], {x: Range(0, 8)})  # cause


@mistake("`x + 1`")
def a_predicate_of_iterators_that_is_no_condition() -> object:
    x = te.var("x")
    return arith.detect_iter_map([x], {x: Range(0, 8)}, x + 1)  # cause


@mistake("1 indices", "2 values")
def an_inverse_at_too_many_values() -> object:
    x = te.var("x")
    return arith.inverse_affine_iter_map(arith.detect_iter_map([x], {x: Range(0, 8)}).indices, [x, x])  # cause


@mistake("`x * 2`")
def an_inverse_of_a_sum_that_nothing_detected() -> object:
    x = te.var("x")
    digit = arith.IterSplitExpr(arith.IterMark(x * 2, 8))
    return arith.inverse_affine_iter_map([arith.IterSumExpr([digit], 0)], [x])  # cause


# -- exact sets -------------------------------------------------------------------------------------------------------


@mistake("`x * y`", "x, y")
def a_condition_that_is_not_affine() -> object:
    from gpucomp.arith import poly

    x, y = te.var("x"), te.var("y")
    return poly.integer_set([x], [x * y < 8])  # cause


@mistake("1", "2")
def sets_of_different_dimensions() -> object:
    from gpucomp.arith import poly

    x, y = te.var("x"), te.var("y")
    return poly.integer_set([x]) | poly.integer_set([x, y])  # cause


@mistake("parameters")
def counting_points_that_depend_on_parameters() -> object:
    from gpucomp.arith import poly

    x, y = te.var("x"), te.var("y")
    return poly.integer_set([x], [x < y], {x: Range(0, 8)}).count()  # cause


@mistake("'surjectiv'", "Surjective")
def a_level_of_iterator_maps_that_does_not_exist() -> object:
    x = te.var("x")
    return arith.detect_iter_map([x], {x: Range(0, 8)}, check_level="surjectiv")  # cause


@mistake("argument 3 (C)", "strides", "C = numpy.ascontiguousarray(C) before the call")
def an_output_that_is_not_contiguous_at_launch() -> object:
    return add()(vector(), vector(), vector(16)[::2])  # cause


@mistake("argument 3 (C)", "float64", "C = C.astype('float32') before the call")
def an_output_of_a_wrong_dtype_at_launch() -> object:
    return add()(vector(), vector(), vector(dtype="float64"))  # cause
