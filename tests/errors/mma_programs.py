"""Programs with one mistake each, about tiles that a warp holds in registers together."""

from __future__ import annotations

import gpucomp
from gpucomp import te, tir
from gpucomp.te import mma
from gpucomp.tir import PrimFunc
from tests.errors.programs import block, mistake, thread


@mistake("mma_m16n8k16", "bfloat16", "float16", "float32")
def adding_up_products_of_bfloat16_in_float16() -> object:
    return mma.mma_m16n8k16("bfloat16", "float16")  # cause


def copied() -> tuple[te.Schedule, te.Tensor, te.Tensor, te.Tensor]:
    """B = A, in tiles of a warp, and C = B."""
    a = te.placeholder((64, 16), "float16", "A")
    b = te.compute(a.shape, lambda i, j: a[i, j], name="B")
    c = te.compute(a.shape, lambda i, j: b[i, j], name="C")  # cause
    s = te.create_schedule(c.op)
    outer, _ = s[c].split(c.op.axis[0], factor=16)
    s[c].bind(outer, block())
    s[b].compute_at(s[c], outer)
    s[b].set_scope("mma.frag.a")
    return s, a, b, c


@mistake("stage C", "B", "mma.frag.a", "mma_store")
def reading_elements_that_other_threads_hold() -> object:
    s, a, _, c = copied()
    return te.lower_schedule(s, [a, c])


@mistake("stage C", "B", "mma.frag.a")
def adding_up_elements_of_tiles_in_registers() -> object:
    a = te.placeholder((64, 16), "float16", "A")
    b = te.compute(a.shape, lambda i, j: a[i, j], name="B")
    k = te.reduce_axis((0, 16), "k")
    c = te.compute((64,), lambda i: te.sum(b[i, k], axis=k), name="C")  # cause
    s = te.create_schedule(c.op)
    outer, _ = s[c].split(c.op.axis[0], factor=16)
    s[c].bind(outer, block())
    s[b].compute_at(s[c], outer)
    s[b].set_scope("mma.frag.a")
    return te.lower_schedule(s, [a, c])


@mistake("q", "no memory of this function")
def filling_memory_of_another_function() -> object:
    ib = tir.ir_builder.create()
    out = tir.decl_buffer((32,), "float32", "out")
    other = tir.decl_buffer((8,), "float32", "q", scope="local")
    lane = thread()
    ib.scope_attr(lane, "thread_extent", 32)
    ib.emit(out.vstore((lane.var,), tir.const(0.0, "float32")))
    ib.emit(tir.mma_fill("float32", 8, other.data, 0))  # cause
    func = PrimFunc([out.data], ib.get(), {out.data: out}, {"global_symbol": "f"})
    return gpucomp.source(func, target="cuda")
