"""Reductions of several rows over the same threads become one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from gpucomp import te
from gpucomp.codegen import emit_unit
from gpucomp.driver.build import lower_primfunc
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor, lower_schedule
from gpucomp.tir import operators
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import CommReducer, Expr, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import post_order
from gpucomp.tir.interp import interpret
from gpucomp.transform import join_reductions as module
from gpucomp.transform.join_reductions import join_reductions
from gpucomp.transform.split_host_device import split_host_device
from tests.codegen.devices import compile_cuda
from tests.te.helpers import poisoned, small_ints

H100 = Target("cuda -arch=sm_90a")


def rows_together(rows: int, cluster: int, threads: int, each: int = 4) -> tuple[Schedule, list[Tensor]]:
    """Rows less their sums and largest elements; a block has several rows, of which each thread adds up a part."""
    columns = cluster * threads * each
    a = te.placeholder((6, columns), "float32", name="A")

    def part(i: Var, r: Var, t: Var, c: Var) -> Expr:
        return operators.convert(a[i, (r * each + c) * threads + t])

    c, d = te.reduce_axis((0, each), "c"), te.reduce_axis((0, each), "d")
    shape = (6, cluster, threads)
    own = te.compute(shape, lambda i, r, t: te.sum(part(i, r, t, c.var), axis=c), name="own")
    top = te.compute(shape, lambda i, r, t: te.max(part(i, r, t, d.var), axis=d), name="top")

    def both(x: Sequence[Expr], y: Sequence[Expr]) -> tuple[Expr, ...]:
        return x[0] + y[0], operators.maximum(x[1], y[1])

    merge = te.comm_reducer(both, lambda x, y: (te.const(0, x), te.min_value(y)), name="both")
    r, t = te.reduce_axis((0, cluster), "r"), te.reduce_axis((0, threads), "t")

    def found(i: Var) -> tuple[Expr, ...]:
        return tuple([operators.convert(x[i, r.var, t.var]) for x in (own, top)])

    total, most = te.compute((6,), lambda i: merge(found(i), axis=[r, t]), name="S")
    out = te.compute((6, columns), lambda i, j: a[i, j] - total[i] - most[i], name="B")
    sch = te.create_schedule(out.op)
    rank, thread = te.thread_axis("clusterIdx.x"), te.thread_axis("threadIdx.x")
    block, row = sch[out].split(out.op.axis[0], factor=rows)
    share, inside = sch[out].split(out.op.axis[1], nparts=cluster)
    turn, lane = sch[out].split(inside, factor=threads)
    sch[out].reorder(block, share, lane, turn, row)
    sch[out].bind(block, te.thread_axis("blockIdx.x"))
    sch[out].bind(share, rank)
    sch[out].bind(lane, thread)
    sch[out].unroll(row)
    for tensor in (total, own, top):
        sch[tensor].compute_at(sch[out], block)
        sch[tensor].set_scope("local")
        sch[tensor].unroll(tensor.op.axis[0])
    sch[total].bind(r, rank)
    sch[total].bind(t, thread)
    return sch, [a, out]


@pytest.mark.parametrize(("rows", "cluster", "threads"), [(2, 4, 64), (3, 2, 32), (3, 1, 64), (2, 1, 24)])
def test_rows_of_a_block_meet_once(rows: int, cluster: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = small_ints((6, cluster * threads * 4))
    want = data - data.sum(1, keepdims=True) - data.max(1, keepdims=True)
    barriers: list[int] = []
    for most in (module.MOST_VALUES, 1):
        monkeypatch.setattr(module, "MOST_VALUES", most)
        func = lower_primfunc(lower_schedule(*rows_together(rows, cluster, threads), "main"), H100)
        out = poisoned(data.shape, "float32")
        interpret(func, [data, out])
        np.testing.assert_array_equal(out, want)
        barriers.append(str(func).count("T.barrier(") * (rows if most == 1 else 1))
        kernels, _ = split_host_device(func)
        assert compile_cuda(emit_unit(kernels, H100))["main_kernel"].spill_bytes == 0
    assert barriers[0] < barriers[1]


@pytest.mark.parametrize("chained", [False, True])
def test_rounds_that_need_the_one_before_stay_apart(chained: bool) -> None:
    own, kept, found = [decl_buffer([2], "float32", n, scope="local") for n in ("own", "kept", "found")]
    i, thread, x, y = Var("i"), Var("threadIdx.x"), Var("x", "float32"), Var("y", "float32")
    add = CommReducer((x,), (y,), (x + y,), (operators.const(0.0, "float32"),))
    value = own[i] + kept[0] if chained else own[i]
    reduce = s.AllReduce(add, (value,), operators.const(1, "bool"), (found,), (thread,))
    body = s.For(i, 0, 2, s.ForKind.UNROLLED, s.seq(reduce, s.BufferStore(kept, found[0], (i,))))
    joined = join_reductions(PrimFunc([], body, {}, {}))
    left = [node for node in post_order(joined.body) if isinstance(node, s.AllReduce)]
    assert len(left) == 1
    assert len(left[0].values) == (1 if chained else 2)
    assert (joined.body is body) == chained
