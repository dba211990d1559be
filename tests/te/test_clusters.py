"""Reductions over the blocks of a cluster: what they mean, what they need, and what goes wrong without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any  # arrays of several element types

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.codegen import emit_unit
from gpucomp.driver.build import lower_primfunc
from gpucomp.support.diagnostics import GpucompError, LowerError, ScheduleError
from gpucomp.support.hostexpr import evaluate
from gpucomp.support.launch import LaunchStep
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor, lower_schedule
from gpucomp.tir import expr as e
from gpucomp.tir import stmt as s
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import ir_transform, post_order
from gpucomp.tir.interp import interpret
from gpucomp.transform.split_host_device import split_host_device
from tests.codegen.devices import compile_cuda
from tests.te.helpers import poisoned, small_ints

H100 = Target("cuda -arch=sm_90a")
Array = np.ndarray[Any, Any]
Made = tuple[Schedule, list[Tensor]]


def axis(tag: str) -> e.IterVar:
    return te.thread_axis(tag)


def divided(sch: Schedule, tensor: Tensor, loop: e.IterVar, cluster: int, threads: int) -> None:
    """Share a loop among the threads of the blocks of a cluster."""
    stage = sch[tensor]
    _, thread = stage.split(loop, factor=cluster * threads)
    rank, thread = stage.split(thread, factor=threads)
    stage.bind(rank, axis("clusterIdx.x"))
    stage.bind(thread, axis("threadIdx.x"))


def row_shares(rows: int, columns: int, cluster: int, threads: int, dtype: str = "float32") -> Made:
    """Each element less the sum of its row."""
    a = te.placeholder((rows, columns), dtype, name="A")
    k = te.reduce_axis((0, columns), "k")
    total = te.compute((rows,), lambda i: te.sum(a[i, k], axis=k), name="S")
    out = te.compute((rows, columns), lambda i, j: a[i, j] - total[i], name="B")
    sch = te.create_schedule(out.op)
    row, column = out.op.axis
    divided(sch, out, column, cluster, threads)
    sch[out].bind(row, axis("blockIdx.x"))
    sch[total].compute_at(sch[out], row)
    sch[total].set_scope("local")
    divided(sch, total, total.op.reduce_axis[0], cluster, threads)
    return sch, [a, out]


def gpu_form(made: Made, target: Target = H100) -> PrimFunc:
    return lower_primfunc(lower_schedule(*made, "main"), target)


def everywhere(make: Callable[[], Made], inputs: Sequence[Array], *wanted: Array, rtol: float = 0.0) -> None:
    """The loop nest, the kernel with its barriers, the kernel as launched, and loops of a processor agree."""

    def compare(run: Callable[[list[Any]], object], where: str) -> None:
        outputs = [poisoned(w.shape, str(t.dtype)) for w, t in zip(wanted, make()[1][len(inputs) :], strict=True)]
        run([*inputs, *outputs])
        for got, want in zip(outputs, wanted, strict=True):
            np.testing.assert_allclose(got, want, rtol=rtol, err_msg=where)

    compare(lambda arrays: interpret(lower_schedule(*make(), "main"), arrays, races=False), "loop nest")
    lowered = gpu_form(make())
    compare(lambda arrays: interpret(lowered, arrays), "lowered")
    kernels, _ = split_host_device(lowered)
    if len(kernels) == 1 and len(kernels[0].params) == len(make()[1]):
        names = [p.name for p in lowered.params]
        order = (
            [names.index(p.name) for p in kernels[0].params]
            if set(names) == {p.name for p in kernels[0].params}
            else list(range(len(names)))
        )
        compare(lambda arrays: interpret(kernels[0], [arrays[i] for i in order]), "device form")
    sch, args = make()
    compare(lambda arrays: gpucomp.build(sch, args, "llvm")(*arrays), "processor")


@pytest.mark.parametrize("cluster", [2, 4, 8])
@pytest.mark.parametrize("threads", [1, 8, 24, 64])
def test_rows_shared_by_the_blocks_of_a_cluster(cluster: int, threads: int) -> None:
    data = small_ints((3, 601))
    everywhere(lambda: row_shares(3, 601, cluster, threads), [data], data - data.sum(1, keepdims=True))


def test_a_cluster_of_one_block_is_none() -> None:
    data = small_ints((3, 50))
    everywhere(lambda: row_shares(3, 50, 1, 16), [data], data - data.sum(1, keepdims=True))
    assert "cluster" not in gpucomp.source(*row_shares(3, 50, 1, 16), "cuda -arch=sm_80")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int8", "uint8", "int16", "int32", "int64"])
def test_every_element_type_goes_between_blocks(dtype: str) -> None:
    assert f"gc_cluster_store_{dtype}" in gpucomp.source(*row_shares(3, 301, 4, 32, dtype), H100)
    pulled = gpucomp.source(*row_shares(3, 301, 4, 24, dtype), H100)
    assert f"gc_cluster_load_{dtype}" in pulled
    assert f"gc_cluster_store_{dtype}" not in pulled
    kernels, _ = split_host_device(gpu_form(row_shares(3, 301, 4, 32, dtype)))
    assert compile_cuda(emit_unit(kernels, H100))["main_kernel"].spill_bytes == 0
    if dtype in ("bfloat16", "int8", "uint8"):
        return
    data = small_ints((3, 301), "int32").astype(dtype) if dtype[0] != "u" else small_ints((3, 301)).astype(dtype)
    want = data - data.sum(1, keepdims=True, dtype=dtype)
    everywhere(lambda: row_shares(3, 301, 4, 32, dtype), [data], want)


def argmax_of_groups(groups: int, columns: int, cluster: int, threads: int) -> Made:
    """Rows on threadIdx.y: several reductions at a time in a block; pairs of values, of which the first wins ties."""
    a = te.placeholder((2 * groups, columns), "int32", name="A")

    def better(x: Any, y: Any) -> Any:
        keep = te_any(x[1] > y[1], te_all(x[1].equal(y[1]), x[0] < y[0]))
        return e.Select(keep, x[0], y[0]), e.Select(keep, x[1], y[1])

    from gpucomp.tir import all as te_all
    from gpucomp.tir import any as te_any

    argmax = te.comm_reducer(better, lambda i, v: (te.const(columns, i), te.min_value(v)), name="argmax")
    k = te.reduce_axis((0, columns), "k")
    index = te.compute((2 * groups, columns), lambda i, j: j + 0 * a[i, j], name="I")
    place, best = te.compute((2 * groups,), lambda i: argmax((index[i, k], a[i, k]), axis=k), name="M")
    sch = te.create_schedule(place.op)
    sch[index].compute_inline()
    block, row = sch[place].split(place.op.axis[0], factor=groups)
    divided(sch, place, place.op.reduce_axis[0], cluster, threads)
    sch[place].bind(block, axis("blockIdx.x"))
    sch[place].bind(row, axis("threadIdx.y"))
    return sch, [a, place, best]


@pytest.mark.parametrize(("groups", "threads"), [(1, 32), (2, 16), (3, 5)])
def test_tuples_and_several_rows_in_a_block(groups: int, threads: int) -> None:
    data = small_ints((2 * groups, 100), "int32")
    everywhere(lambda: argmax_of_groups(groups, 100, 4, threads), [data], data.argmax(1).astype("int32"), data.max(1))


def repeated(rounds: int) -> Made:
    """Blocks that take several rows one after the other, so that each slot is written again."""
    a = te.placeholder((6, 70), name="A")
    k = te.reduce_axis((0, 70), "k")
    total = te.compute((6,), lambda i: te.sum(a[i, k], axis=k), name="S")
    out = te.compute((6, 70), lambda i, j: a[i, j] - total[i], name="B")
    sch = te.create_schedule(out.op)
    block, row = sch[out].split(out.op.axis[0], factor=rounds)
    divided(sch, out, out.op.axis[1], 2, 32)
    sch[out].bind(block, axis("blockIdx.x"))
    sch[total].compute_at(sch[out], row)
    sch[total].set_scope("local")
    divided(sch, total, total.op.reduce_axis[0], 2, 32)
    return sch, [a, out]


def test_slots_may_be_written_again() -> None:
    data = small_ints((6, 70))
    everywhere(lambda: repeated(3), [data], data - data.sum(1, keepdims=True))
    assert meetings(gpu_form(repeated(3))) == 2


def meetings(func: PrimFunc) -> int:
    return len([n for n in post_order(func.body) if is_meeting(n)])


def is_meeting(node: object) -> bool:
    if not (isinstance(node, s.Evaluate) and isinstance(node.value, e.Call)):
        return False
    scope = node.value.args[0] if node.value.args else None
    return isinstance(scope, e.StringImm) and scope.value == "cluster"


def test_two_reductions_meet_three_times() -> None:
    a = te.placeholder((3, 200), name="A")
    k, j = te.reduce_axis((0, 200), "k"), te.reduce_axis((0, 200), "j")
    most = te.compute((3,), lambda i: te.max(a[i, k], axis=k), name="M")
    total = te.compute((3,), lambda i: te.sum(a[i, j] - most[i], axis=j), name="S")
    sch = te.create_schedule(total.op)
    sch[total].bind(total.op.axis[0], axis("blockIdx.x"))
    divided(sch, total, total.op.reduce_axis[0], 4, 16)
    sch[most].compute_at(sch[total], total.op.axis[0])
    sch[most].set_scope("local")
    divided(sch, most, most.op.reduce_axis[0], 4, 16)
    data = small_ints((3, 200))
    everywhere(lambda: (sch, [a, total]), [data], (data - data.max(1, keepdims=True)).sum(1))
    assert meetings(gpu_form((sch, [a, total]))) == 3


@pytest.mark.parametrize("drop", [0, 1])
def test_the_interpreter_finds_a_missing_meeting(drop: int) -> None:
    seen: list[s.Stmt] = []

    def without(node: Any) -> Any:
        if not is_meeting(node):
            return None
        seen.append(node)
        return s.NOOP if len(seen) - 1 == drop else None

    func = gpu_form(repeated(3))
    broken = func.with_body(ir_transform(func.body, None, without, (s.Evaluate,)))
    assert len(seen) == 2
    with pytest.raises(GpucompError, match=r"data race on cluster_slot|cluster_slot.* is read"):
        interpret(broken, [small_ints((6, 70)), poisoned((6, 70))])


def test_a_barrier_of_a_block_is_none_for_the_others_of_its_cluster() -> None:
    from gpucomp.tir import intrin

    def weaker(node: Any) -> Any:
        return s.Evaluate(intrin.barrier("shared")) if is_meeting(node) else None

    func = gpu_form(row_shares(3, 301, 2, 32))
    broken = func.with_body(ir_transform(func.body, None, weaker, (s.Evaluate,)))
    with pytest.raises(GpucompError, match="data race on cluster_slot"):
        interpret(broken, [small_ints((3, 301)), poisoned((3, 301))])


def test_blocks_of_a_cluster_are_sampled_together() -> None:
    data = small_ints((9, 301))
    out = poisoned((9, 301))
    report = interpret(gpu_form(row_shares(9, 301, 4, 32)), [data, out], blocks=2, max_lanes=1)
    (kernel,) = report.kernels
    assert kernel.grid == (36, 1, 1)
    assert kernel.blocks_run == [0, 1, 2, 3, 32, 33, 34, 35]
    np.testing.assert_array_equal(out[[0, 8]], (data - data.sum(1, keepdims=True))[[0, 8]])


def test_the_grid_has_the_blocks_of_all_clusters() -> None:
    _, program = split_host_device(gpu_form(row_shares(7, 301, 4, 32)))
    (launch,) = [step for step in program.steps if isinstance(step, LaunchStep)]
    assert [evaluate(x, {}) for x in launch.grid] == [28, 1, 1]
    source = gpucomp.source(*row_shares(7, 301, 4, 32), H100)
    assert "__cluster_dims__(4, 1, 1) __launch_bounds__(32) " in source
    assert "(int)(blockIdx.x / 4u)" in source
    assert "(int)(blockIdx.x % 4u)" in source


def test_shared_memory_belongs_to_one_block_of_a_cluster() -> None:
    """A stage in shared memory that reduces over a cluster is stored by the first thread of every block."""
    data = small_ints((3, 301))

    def shared() -> Made:
        sch, args = row_shares(3, 301, 4, 32)
        total = next(stage for stage in sch.stages if stage.name == "S")
        total.set_scope("shared")
        return sch, args

    everywhere(shared, [data], data - data.sum(1, keepdims=True))
    sch, args = row_shares(3, 301, 4, 32)
    staged = sch.cache_read(args[0], "shared", [args[1].op.input_tensors[1]])
    out = sch[args[1]]
    sch[staged].compute_at(out, args[1].op.axis[0])
    sch[staged].bind(staged.op.axis[1], axis("clusterIdx.x"))
    with pytest.raises(ScheduleError, match="shared memory, of which every block has its own"):
        lower_schedule(sch, args)


@pytest.mark.parametrize("target", ["cuda -arch=sm_80", "opencl"])
def test_a_target_without_clusters_is_refused(target: str) -> None:
    with pytest.raises(LowerError, match=r"clusterIdx\.x needs thread block clusters"):
        gpucomp.source(*row_shares(3, 301, 4, 32), target)


@pytest.mark.parametrize("size", [3, 6, 32])
def test_sizes_that_no_device_has_are_refused(size: int) -> None:
    with pytest.raises(LowerError, match=f"a cluster of {size} blocks asked"):
        gpucomp.source(*row_shares(3, 1301, size, 32), H100)


def test_sixteen_blocks_are_for_devices_that_have_them() -> None:
    assert "__cluster_dims__(16, 1, 1)" in gpucomp.source(*row_shares(3, 601, 16, 32), H100)
    with pytest.raises(LowerError, match="a power of two, 8 at most"):
        gpucomp.source(*row_shares(3, 601, 16, 32), "cuda -arch=sm_120")


def test_a_reduction_that_only_some_blocks_reach_is_refused() -> None:
    func = lower_schedule(*row_shares(3, 301, 4, 32), "main")
    rank = next(n.node.var for n in post_order(func.body) if isinstance(n, s.AttrStmt) and "cluster" in str(n.node))

    def guarded(node: Any) -> Any:
        return s.IfThenElse(rank < 2, node)

    broken = func.with_body(ir_transform(func.body, None, guarded, (s.AllReduce,)))
    with pytest.raises(LowerError, match="some of the threads that it combines do not reach it"):
        lower_primfunc(broken, H100)


@pytest.mark.cuda
@pytest.mark.parametrize("cluster", [2, 4, 8, 16])
def test_a_gpu_reduces_over_clusters(cluster: int) -> None:
    for rows, columns, threads in ((3, 1301, 64), (200, 70000, 256), (70000, 301, 16)):
        data = small_ints((rows, columns))
        out = poisoned(data.shape)
        gpucomp.build(*row_shares(rows, columns, cluster, threads), Target.from_device(gpucomp.cuda(0)))(data, out)
        np.testing.assert_array_equal(out, data - data.sum(1, keepdims=True))
    data = small_ints((6, 70))
    out = poisoned(data.shape)
    gpucomp.build(*repeated(3), Target.from_device(gpucomp.cuda(0)))(data, out)
    np.testing.assert_array_equal(out, data - data.sum(1, keepdims=True))
