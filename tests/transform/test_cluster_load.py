"""Shared memory of other blocks, in kernels written by hand: each block passes values on to the next of its cluster."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp.codegen import emit_unit
from gpucomp.driver.build import lower_primfunc
from gpucomp.support.diagnostics import GpucompError
from gpucomp.target import Target
from gpucomp.tir import expr as e
from gpucomp.tir import intrin
from gpucomp.tir import operators as op
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import Expr, IterVar, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.interp import interpret
from gpucomp.transform.split_host_device import split_host_device
from tests.codegen.devices import compile_cuda

H100 = Target("cuda -arch=sm_90a")
CLUSTERS, SIZE, THREADS = 3, 4, 40


def threads() -> list[IterVar]:
    """Blocks of clusters, blocks within them, and threads."""
    return [
        IterVar((0, n), Var(tag), IterVar.ThreadIndex, tag)
        for tag, n in (("blockIdx.x", CLUSTERS), ("clusterIdx.x", SIZE), ("threadIdx.x", THREADS))
    ]


def kernel(name: str, axes: list[IterVar], buffers: list[Buffer], body: s.Stmt) -> PrimFunc:
    """A function of buffers whose body all threads run."""
    for axis in reversed(axes):
        assert axis.dom is not None
        body = s.AttrStmt(axis, "thread_extent", axis.dom.extent, body)
    params = {Var(x.name, x.data.type_annotation): x for x in buffers}
    return PrimFunc(list(params), body, params, {"global_symbol": name, "tir.noalias": True})


def ring(rounds: int, *, last: bool = True, ahead: int = 1, atomic: bool = False) -> PrimFunc:
    """``rounds`` times: put the value into shared memory, take that of the block ``ahead``, add one."""
    a, b = (decl_buffer([CLUSTERS * SIZE * THREADS], "int32", name) for name in "AB")
    axes = threads()
    block, rank, thread = (axis.var for axis in axes)
    slots = decl_buffer([THREADS], "int32", "slots", scope="shared")
    value = decl_buffer([1], "int32", "value", scope="local")
    at = (block * SIZE + rank) * THREADS + thread
    zero = op.const(0)
    meet = s.Evaluate(intrin.barrier("cluster"))
    peer: Expr = e.FloorMod(rank + ahead, op.const(SIZE)) if ahead < SIZE else op.const(ahead)
    place = intrin.call_intrin("handle", "address_of", e.BufferLoad(slots, (thread,)))
    taken = intrin.call_intrin("int32", "cluster_load", place, peer)
    fill: s.Stmt = s.BufferStore(slots, value[zero], (thread,))
    if atomic:
        add = s.Evaluate(intrin.call_intrin("int32", "atomic_add", place, 1))
        fill = s.seq(fill, s.Evaluate(intrin.barrier("shared")), add)
    step = s.seq(fill, meet, s.BufferStore(value, taken + 1, (zero,)), meet if last else None)
    body: s.Stmt = s.seq(
        s.BufferStore(value, a[at], (zero,)),
        s.For(Var("k"), 0, rounds, s.ForKind.SERIAL, step),
        s.BufferStore(b, value[zero], (at,)),
    )
    for buffer in (value, slots):
        body = s.BufferRealize(buffer, [e.Range.from_min_extent(0, x) for x in buffer.shape], op.const(1, "bool"), body)
    return kernel("ring", axes, [a, b], body)


def handed_on(*, waits: bool = True, meets: bool = True, ahead: int = 1) -> PrimFunc:
    """Each block puts its values into the memory of the block ``ahead``."""
    a, b = (decl_buffer([CLUSTERS * SIZE * THREADS], "int32", name) for name in "AB")
    axes = threads()
    block, rank, thread = (axis.var for axis in axes)
    slots = decl_buffer([THREADS], "int32", "slots", scope="shared")
    at = (block * SIZE + rank) * THREADS + thread
    place = intrin.call_intrin("handle", "address_of", e.BufferLoad(slots, (thread,)))
    peer: Expr = e.FloorMod(rank + ahead, op.const(SIZE)) if ahead else op.const(0)
    body: s.Stmt = s.seq(
        s.Evaluate(intrin.barrier("cluster_arrive")),
        s.Evaluate(intrin.barrier("cluster_wait")) if waits else None,
        s.Evaluate(intrin.call_intrin("int32", "cluster_store", place, peer, a[at])),
        s.Evaluate(intrin.barrier("cluster" if meets else "shared")),
        s.BufferStore(b, slots[thread], (at,)),
    )
    body = s.BufferRealize(slots, [e.Range.from_min_extent(0, THREADS)], op.const(1, "bool"), body)
    return kernel("handed_on", axes, [a, b], body)


def test_blocks_write_to_the_memory_of_others() -> None:
    lowered = lower_primfunc(handed_on(), H100)
    out = np.full_like(DATA, -7)
    interpret(lowered, [DATA, out])
    np.testing.assert_array_equal(out, wanted(1, -1, 0))
    kernels, _ = split_host_device(lowered)
    image = emit_unit(kernels, H100)
    assert compile_cuda(image)["main_kernel" if "main_kernel" in image.source else "handed_on_kernel"].spill_bytes == 0


def test_what_another_block_wrote_is_read_after_a_meeting() -> None:
    for broken in (handed_on(meets=False), handed_on(ahead=0)):  # no meeting; all blocks write to one
        with pytest.raises(GpucompError, match="data race on slots"):
            interpret(lower_primfunc(broken, H100), [DATA, np.full_like(DATA, -7)])


DATA = np.arange(CLUSTERS * SIZE * THREADS, dtype=np.int32) * 3


def wanted(rounds: int, ahead: int = 1, step: int = 1) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    turned = np.roll(DATA.reshape(CLUSTERS, SIZE, THREADS), -rounds * ahead, axis=1)
    return turned.reshape(-1) + np.int32(rounds * step)


@pytest.mark.parametrize(("rounds", "ahead"), [(1, 1), (5, 1), (2, 3)])
def test_values_go_round_the_blocks_of_a_cluster(rounds: int, ahead: int) -> None:
    lowered = lower_primfunc(ring(rounds, ahead=ahead), H100)
    out = np.full_like(DATA, -7)
    interpret(lowered, [DATA, out])
    np.testing.assert_array_equal(out, wanted(rounds, ahead))
    out = np.full_like(DATA, -7)
    gpucomp.build(ring(rounds, ahead=ahead), target="llvm")(DATA, out)
    np.testing.assert_array_equal(out, wanted(rounds, ahead))
    kernels, _ = split_host_device(lowered)
    assert compile_cuda(emit_unit(kernels, H100))["ring_kernel"].spill_bytes == 0


def test_updates_by_atomics_count_as_writes() -> None:
    out = np.full_like(DATA, -7)
    interpret(lower_primfunc(ring(2, atomic=True), H100), [DATA, out])
    np.testing.assert_array_equal(out, wanted(2, step=2))


@pytest.mark.parametrize("atomic", [False, True])
def test_memory_that_another_block_still_reads_is_a_race(atomic: bool) -> None:
    lowered = lower_primfunc(ring(2, last=False, atomic=atomic), H100)
    with pytest.raises(GpucompError, match=r"data race on slots.* with no barrier of the cluster between"):
        interpret(lowered, [DATA, np.full_like(DATA, -7)])


def test_a_block_that_no_cluster_has_is_out_of_bounds() -> None:
    lowered = lower_primfunc(ring(1, ahead=SIZE), H100)
    with pytest.raises(GpucompError, match=r"the rank of a block in its cluster is at 4, outside of \[0, 4\)"):
        interpret(lowered, [DATA, np.full_like(DATA, -7)])


def test_other_languages_refuse_it() -> None:
    with pytest.raises(GpucompError, match="needs thread block clusters"):
        lower_primfunc(ring(1), Target("opencl"))


@pytest.mark.cuda
def test_a_gpu_passes_values_on() -> None:
    device = gpucomp.cuda(0)
    arrays = [gpucomp.nd.array(x, device) for x in (DATA, np.full_like(DATA, -7))]
    gpucomp.build(ring(5), target=Target.from_device(device))(*arrays)
    np.testing.assert_array_equal(arrays[1].numpy(), wanted(5))
