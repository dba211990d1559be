"""Programs with one mistake each that a pass or the emitter finds: thread axes, kernels' variables, operands."""

from __future__ import annotations

from collections.abc import Callable

import gpucomp
from gpucomp import arith, te, tir
from gpucomp.ir.module import IRModule
from gpucomp.ir.transform import PassContext
from gpucomp.target import Target
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import GlobalVar, IterVar, Var
from gpucomp.tir.ir_builder import BufferVar, IRBuilder
from gpucomp.tir.stmt import Stmt
from tests.errors.programs import block, mistake, thread

Body = Callable[[IRBuilder, BufferVar, BufferVar, IterVar], None]
M = te.var("m")


def _source(body: Body, *scalars: Var, threads: bool = True, target: str = "cuda") -> str:
    """The source of a body over two vectors of eight elements, in eight threads."""
    a = te.placeholder((8,), name="A")

    def made(ins: list[Buffer], outs: list[Buffer]) -> Stmt:
        ib = tir.ir_builder.create()
        x, y = ib.buffer_ptr(ins[0]), ib.buffer_ptr(outs[0])
        tx = te.thread_axis("threadIdx.x")
        if threads:
            ib.scope_attr(tx, "thread_extent", 8)
        body(ib, x, y, tx)
        return ib.get()

    c = te.extern((8,), [a], made, name="C")
    return gpucomp.source(te.create_schedule(c.op), [a, c, *scalars], target)


# -- loops and thread axes -------------------------------------------------------------------------------------------


@mistake("'i'", "extent m")
def a_loop_of_a_body_vectorised_over_an_open_extent() -> object:
    def body(ib: IRBuilder, x: BufferVar, y: BufferVar, tx: IterVar) -> None:
        with ib.for_range(0, M, "i", kind="vectorize") as i:  # cause
            y[i] = x[i]

    return _source(body, M)


@mistake("'vthread'", "extent m", "stage C")
def virtual_threads_of_an_open_extent() -> object:
    a = te.placeholder((64,), name="A")
    c = te.compute((64,), lambda i: a[i] + 1.0, name="C")
    s = te.create_schedule(c.op)
    outer, inner = s[c].split(c.op.axis[0], nparts=M)
    s[c].bind(inner, thread())
    s[c].bind(outer, te.thread_axis("vthread"))  # cause
    return gpucomp.source(s, [M, a, c], "cuda")


@mistake("threadIdx.x", "is m", "stage C", "'k'")
def a_reduction_over_threads_of_an_open_extent() -> object:
    a = te.placeholder((64, M), name="A")
    k = te.reduce_axis((0, M), "k")
    c = te.compute((64,), lambda i: te.sum(a[i, k], axis=k), name="C")
    s = te.create_schedule(c.op)
    s[c].bind(c.op.axis[0], block())
    s[c].bind(k, thread())  # cause
    return gpucomp.source(s, [a, c], "cuda")


@mistake("threadIdx.x", "8", "4")
def a_body_with_two_extents_of_one_thread_axis() -> object:
    def body(ib: IRBuilder, x: BufferVar, y: BufferVar, tx: IterVar) -> None:
        other = te.thread_axis("threadIdx.x")
        ib.scope_attr(other, "thread_extent", 4)  # cause
        y[other] = x[other]

    return _source(body)


@mistake("threadIdx.y", "'threadIdx.x'")
def a_body_whose_threads_are_counted_by_what_is_in_memory() -> object:
    def body(ib: IRBuilder, x: BufferVar, y: BufferVar, tx: IterVar) -> None:
        ib.scope_attr(te.thread_axis("threadIdx.y"), "thread_extent", tir.Cast("int32", x[tx]))  # cause
        y[tx] = x[tx]

    return _source(body)


@mistake("'vthread.q'", "clusterIdx.x")
def a_body_with_a_thread_axis_that_no_launch_has() -> object:
    def body(ib: IRBuilder, x: BufferVar, y: BufferVar, tx: IterVar) -> None:
        other = te.thread_axis("vthread.q")
        ib.scope_attr(other, "thread_extent", 4)  # cause
        y[other] = x[tx]

    return _source(body)


# -- what a kernel sees ----------------------------------------------------------------------------------------------


@mistake("'X'")
def a_body_that_reads_a_buffer_of_nobody() -> object:
    def body(ib: IRBuilder, x: BufferVar, y: BufferVar, tx: IterVar) -> None:
        other = ib.buffer_ptr(tir.decl_buffer((8,), "float32", "X"))
        y[tx] = other[tx]  # cause

    return _source(body)


@mistake("'h'")
def a_pointer_among_the_arguments_of_build() -> object:
    a = te.placeholder((8,), name="A")
    c = te.compute((8,), lambda i: a[i] + 1.0, name="C")
    s = te.create_schedule(c.op)
    return gpucomp.source(s, [a, c, te.var("h", "handle")], "cuda")  # cause


@mistake("a packed call", "t", "shared")
def a_packed_call_that_is_given_memory_of_a_kernel() -> object:
    def body(ib: IRBuilder, x: BufferVar, y: BufferVar, tx: IterVar) -> None:
        shared = ib.allocate("float32", 8, "t", scope="shared")
        ib.emit(tir.call_packed("f", shared, y))  # cause

    return _source(body, threads=False)


@mistake("'g'")
def a_body_that_calls_another_function_of_its_module() -> object:
    def body(ib: IRBuilder, x: BufferVar, y: BufferVar, tx: IterVar) -> None:
        y[tx] = tir.Call("float32", GlobalVar("g"), (x[tx],))  # cause

    return _source(body)


@mistake("'my func'")
def an_external_function_with_a_space_in_its_name() -> object:
    def body(ib: IRBuilder, x: BufferVar, y: BufferVar, tx: IterVar) -> None:
        y[tx] = tir.call_extern("float32", "my func", x[tx])  # cause

    return _source(body)


@mistake("'x'")
def a_function_of_text() -> object:
    def body(ib: IRBuilder, x: BufferVar, y: BufferVar, tx: IterVar) -> None:
        y[tx] = tir.call_intrin("float32", "tir.exp", tir.StringImm("x"))  # cause

    return _source(body)


# -- operands of intrinsics ------------------------------------------------------------------------------------------


@mistake("address_of", "1.0")
def the_address_of_a_number() -> object:
    def body(ib: IRBuilder, x: BufferVar, y: BufferVar, tx: IterVar) -> None:
        y[tx] = tir.call_extern("float32", "f", tir.call_intrin("handle", "tir.address_of", 1.0))  # cause

    return _source(body)


@mistake("atomic_add", "address_of", "1.0")
def an_atomic_addition_to_a_number() -> object:
    def body(ib: IRBuilder, x: BufferVar, y: BufferVar, tx: IterVar) -> None:
        ib.emit(tir.call_intrin("float32", "tir.atomic_add", 1.0, 2.0))  # cause

    return _source(body)


@mistake("prefetch", "1.0")
def a_prefetch_of_a_number() -> object:
    def body(ib: IRBuilder, x: BufferVar, y: BufferVar, tx: IterVar) -> None:
        ib.emit(tir.call_intrin("handle", "tir.prefetch", 1.0, 0, 3, 1))  # cause

    return _source(body)


@mistake("ptx_wait_group", "got m")
def waiting_for_an_open_number_of_copies() -> object:
    def body(ib: IRBuilder, x: BufferVar, y: BufferVar, tx: IterVar) -> None:
        ib.emit(tir.call_intrin("handle", "tir.ptx_wait_group", M))  # cause

    return _source(body, M)


# -- around the passes -----------------------------------------------------------------------------------------------


def _function(name: str) -> IRModule:
    a = te.placeholder((8,), name="A")
    c = te.compute((8,), lambda i: a[i] + 1.0, name="C")
    return gpucomp.lower(te.create_schedule(c.op), [a, c], name, simple_mode=True)


@mistake("f, g", "module['f']")
def the_source_of_two_functions() -> object:
    module = IRModule({**_function("f").functions, **_function("g").functions})
    return gpucomp.source(module)  # cause


@mistake("'tir.noaliaz'", "tir.noalias")
def a_setting_of_passes_that_there_is_not() -> object:
    return PassContext(config={"tir.noaliaz": True})  # cause


@mistake("no current target", "with gpucomp.target.Target")
def the_current_target_where_there_is_none() -> object:
    return Target.current(allow_none=False)  # cause


@mistake("'x'", "override=True")
def two_values_of_one_variable_in_one_analysis() -> object:
    x, analyzer = te.var("x"), arith.Analyzer()
    analyzer.bind(x, tir.const(3))
    analyzer.bind(x, tir.const(4))  # cause
    return analyzer
