"""Programs with one mistake each, in the declaration or the use of a tensor intrinsic."""

from __future__ import annotations

from typing import Any  # Any: buffers and statements of the intrinsics

from gpucomp import te, tir
from gpucomp.target import register_extern
from tests.errors.programs import mistake, thread
from tests.te.intrinsics import copy_intrin, gemm_intrin, loop, row_intrin


def rows(m: object = 32, n: object = 64) -> tuple[te.Schedule, te.Tensor]:
    """C = A * 2 + B, which ``row_intrin`` computes row by row."""
    a, b = te.placeholder((m, n), name="A"), te.placeholder((m, n), name="B")
    c = te.compute((m, n), lambda i, j: a[i, j] * 2.0 + b[i, j], name="C")
    return te.create_schedule(c.op), c


def matmul() -> tuple[te.Schedule, te.Tensor]:
    """C = A @ B of 16 x 16."""
    a, b = te.placeholder((16, 16), name="A"), te.placeholder((16, 16), name="B")
    k = te.reduce_axis((0, 16), "k")
    c = te.compute((16, 16), lambda i, j: te.sum(a[i, k] * b[k, j], axis=k), name="C")
    return te.create_schedule(c.op), c


def lowered(s: te.Schedule) -> object:
    """Lower with all inputs and outputs."""
    tensors = [op.output(0) for op in s.trace.ops if isinstance(op, te.PlaceholderOp) or op in s.outputs]
    return te.lower_schedule(s, tensors)


@mistake("stage C", "row_16", "i(16)", "j(64)")
def tensorizing_loops_of_another_extent() -> object:
    s, c = rows()
    s[c].tensorize(c.op.axis[1], row_intrin(16))  # cause
    return lowered(s)


@mistake("stage C", "row_8", "2.0", "3.0")
def tensorizing_another_computation() -> object:
    a, b = te.placeholder((32, 64), name="A"), te.placeholder((32, 64), name="B")
    c = te.compute((32, 64), lambda i, j: a[i, j] * 3.0 + b[i, j], name="C")
    s = te.create_schedule(c.op)
    _, ji = s[c].split(c.op.axis[1], factor=8)
    s[c].tensorize(ji, row_intrin(8))  # cause
    return lowered(s)


@mistake("stage C", "gemm_4x4x16", "max")
def tensorizing_another_reduction() -> object:
    a, b = te.placeholder((16, 16), name="A"), te.placeholder((16, 16), name="B")
    k = te.reduce_axis((0, 16), "k")
    c = te.compute((16, 16), lambda i, j: te.max(a[i, k] * b[k, j], axis=k), name="C")
    s = te.create_schedule(c.op)
    _, _, xi, _ = s[c].tile(c.op.axis[0], c.op.axis[1], 4, 4)
    s[c].tensorize(xi, gemm_intrin(4, 4, 16))  # cause
    return lowered(s)


@mistake("stage C", "row_8", "'j.inner'", "60")
def tensorizing_a_tail() -> object:
    s, c = rows(32, 60)
    _, ji = s[c].split(c.op.axis[1], factor=8)
    s[c].tensorize(ji, row_intrin(8))  # cause
    return lowered(s)


@mistake("stage C", "'k.outer'", "gemm")
def tensorizing_a_part_of_a_reduction_without_an_update() -> object:
    s, c = matmul()
    a, b = te.placeholder((4, 4), name="a"), te.placeholder((4, 4), name="b")
    r = te.reduce_axis((0, 4), "r")
    t = te.compute((4, 4), lambda i, j: te.sum(a[i, r] * b[r, j], axis=r), name="t")
    body = gemm_intrin(4, 4, 4).body
    xo, yo, xi, yi = s[c].tile(c.op.axis[0], c.op.axis[1], 4, 4)
    ko, ki = s[c].split(c.op.reduce_axis[0], factor=4)
    s[c].reorder(xo, yo, ko, xi, yi, ki)
    s[c].tensorize(xi, te.decl_tensor_intrin(t.op, lambda ins, outs: body, "gemm"))  # cause
    return lowered(s)


@mistake("'c'", "row_8", "stride 1", "dimension 0", "64")
def tensorizing_over_strides_that_the_intrinsic_does_not_take() -> object:
    a, b = te.placeholder((32, 64), name="A"), te.placeholder((32, 64), name="B")
    c = te.compute((32, 64), lambda i, j: a[i, j] * 2.0 + b[i, j], name="C")
    s = te.create_schedule(c.op)
    j, i = c.op.axis[1], c.op.axis[0]
    io, ii = s[c].split(i, factor=8)
    s[c].reorder(j, io, ii)
    s[c].tensorize(ii, row_intrin(8))  # cause
    return lowered(s)


@mistake("'a'", "gather", "multiple of 8")
def tensorizing_at_an_offset_that_is_no_multiple() -> object:
    a = te.placeholder((16,), name="a")
    t = te.compute((16,), lambda i: a[i], name="t")

    def copy(ins: Any, outs: Any) -> Any:
        return loop(16, lambda i: tir.BufferStore(outs[0], ins[0][i], [i]))

    source = te.placeholder((68,), name="A")
    c = te.compute((64,), lambda i: source[i + 4], name="C")
    s = te.create_schedule(c.op)
    _, ii = s[c].split(c.op.axis[0], factor=16)
    buffer = tir.decl_buffer((16,), "float32", "a", offset_factor=8)
    s[c].tensorize(ii, te.decl_tensor_intrin(t.op, copy, "gather", binds={a: buffer}))  # cause
    return lowered(s)


@mistake("'c'", "row_8", "shared", "global")
def tensorizing_over_memory_of_another_scope() -> object:
    s, c = rows()
    _, ji = s[c].split(c.op.axis[1], factor=8)
    s[c].tensorize(ji, row_intrin(8, scope="shared"))  # cause
    return lowered(s)


@mistake("stage B", "'i.inner'", "copy_4x8")
def computing_a_stage_inside_of_a_tensorized_loop() -> object:
    a = te.placeholder((8, 8), name="A")
    b = te.compute((8, 8), lambda i, j: a[i, j] + 1.0, name="B")
    c = te.compute((8, 8), lambda i, j: b[i, j], name="C")
    s = te.create_schedule(c.op)
    _, ii = s[c].split(c.op.axis[0], factor=4)
    s[b].compute_at(s[c], ii)
    s[c].tensorize(ii, copy_intrin(4, 8))  # cause
    return lowered(s)


@mistake("stage C", "'j'", "bound to threadIdx.x", "copy_8x8")
def binding_a_loop_inside_of_a_tensorized_one() -> object:
    a = te.placeholder((8, 8), name="A")
    c = te.compute((8, 8), lambda i, j: a[i, j], name="C")
    s = te.create_schedule(c.op)
    s[c].bind(c.op.axis[1], thread())
    s[c].tensorize(c.op.axis[0], copy_intrin(8, 8))  # cause
    return lowered(s)


@mistake("stage C", "'i.outer'", "16 iterations")
def tensorizing_the_outer_part_of_a_split() -> object:
    a = te.placeholder((8, 8), name="A")
    c = te.compute((8, 8), lambda i, j: a[i, j], name="C")
    s = te.create_schedule(c.op)
    io, ii = s[c].split(c.op.axis[0], factor=4)
    s[c].reorder(ii, io, c.op.axis[1])
    s[c].tensorize(io, copy_intrin(2, 8))  # cause
    return lowered(s)


@mistake("stage C", "tensorize", "16")
def tensorizing_with_something_else() -> object:
    s, c = rows()
    s[c].tensorize(c.op.axis[1], 16)  # cause
    return s


@mistake("stage C", "'j'", "threadIdx.x")
def tensorizing_a_bound_axis() -> object:
    s, c = rows()
    s[c].bind(c.op.axis[1], thread())
    s[c].tensorize(c.op.axis[1], row_intrin(64))  # cause
    return s


@mistake("'wide'", "dimension 0 of a", "16")
def declaring_an_input_that_is_not_read_whole() -> object:
    a = te.placeholder((16,), name="a")
    t = te.compute((8,), lambda i: a[i], name="t")
    return te.decl_tensor_intrin(t.op, lambda ins, outs: None, "wide")  # cause


@mistake("'nothing'", "1 of them None")
def declaring_an_intrinsic_whose_function_returns_nothing() -> object:
    a = te.placeholder((16,), name="a")
    t = te.compute((16,), lambda i: a[i], name="t")
    return te.decl_tensor_intrin(t.op, lambda ins, outs: None, "nothing")  # cause


@mistake("'deep'", "'b'", "te.placeholder")
def declaring_an_intrinsic_over_computed_tensors() -> object:
    a = te.placeholder((16,), name="a")
    b = te.compute((16,), lambda i: a[i] + 1.0, name="b")
    t = te.compute((16,), lambda i: b[i], name="t")
    return te.decl_tensor_intrin(t.op, lambda ins, outs: None, "deep")  # cause


@mistake("'C'", "row_8", "(1, 4)", "a", "(8)")
def calling_an_intrinsic_with_a_region_of_another_shape() -> object:
    a, row = te.placeholder((6, 8), name="A"), row_intrin(8)
    return te.compute((6, 8), lambda i: row(a[i, 0:4], a[i, 0:8]), name="C")  # cause


@mistake("row_8", "2 regions", "got 1")
def calling_an_intrinsic_without_one_of_its_regions() -> object:
    a, row = te.placeholder((6, 8), name="A"), row_intrin(8)
    return te.compute((6, 8), lambda i: row(a[i, 0:8]), name="C")  # cause


@mistake("'C'", "row_8", "(9)", "(8)")
def calling_an_intrinsic_for_a_result_of_another_shape() -> object:
    a, row = te.placeholder((6, 8), name="A"), row_intrin(8)
    return te.compute((6, 9), lambda i: row(a[i, 0:8], a[i, 0:8]), name="C")  # cause


@mistake("stage C", "'i'", "tensorized")
def tensorizing_two_axes_of_one_stage() -> object:
    s, c = rows()
    s[c].tensorize(c.op.axis[0], row_intrin(64))
    s[c].tensorize(c.op.axis[1], row_intrin(64))  # cause
    return s


@mistake("stage C", "'j'", "tensorize")
def caching_a_tensor_whose_loops_are_tensorized() -> object:
    s, c = rows()
    s[c].tensorize(c.op.axis[1], row_intrin(64))
    return s.cache_write(c, "local")  # cause


@mistake("'scaled'", "'p'")
def declaring_a_scalar_that_the_declaration_does_not_use() -> object:
    a, p = te.placeholder((16,), name="a"), te.var("p")
    t = te.compute((16,), lambda i: a[i], name="t")
    return te.decl_tensor_intrin(t.op, lambda ins, outs, s: None, "scaled", scalar_params=[p])  # cause


@mistake("'cudda'", "cuda")
def registering_a_function_for_an_unknown_kind_of_target() -> object:
    register_extern("f", "cudda")  # cause
    return None
