"""Sums over blocks by atomic additions: right everywhere, started once, refused where blocks cannot add."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.driver.build import lower_primfunc
from gpucomp.kernels.persistent import persistent_blocks
from gpucomp.support.diagnostics import LowerError, ScheduleError
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor, lower_schedule
from gpucomp.tir.interp import interpret
from tests.te.backends import rebuilt
from tests.te.everywhere import everywhere

Program = tuple[Schedule, list[Tensor]]
H100 = Target("cuda -arch=sm_90a")


def total(extent: int, how: str, dtype: str = "float32") -> Program:
    """The sum of a vector: threads of each block, then blocks."""
    a = te.placeholder((extent,), dtype, name="A")
    k = te.reduce_axis((0, extent), "k")
    c = te.compute((1,), lambda i: te.sum(a[k], axis=k), name="C")
    s = te.create_schedule(c.op)
    block, rest = s[c].split(s[c].op.reduce_axis[0], nparts=5)
    if how == "one stage":
        turn, thread = s[c].split(rest, factor=32)
        s[c].reorder(block, thread, turn)
        s[c].bind(thread, te.thread_axis("threadIdx.x"))
    else:
        part = s.rfactor(c, block)
        (block,) = s[c].op.reduce_axis
        s[part].compute_at(s[c], block)
        _, thread = s[part].split(s[part].op.reduce_axis[0], factor=32)
        s[part].bind(thread, te.thread_axis("threadIdx.x"))
    s[c].pragma(block, "atomic")
    s[c].bind(block, te.thread_axis("blockIdx.x"))
    return s, [a, c]


def column_sums(rows: int, columns: int) -> tuple[Schedule, list[Tensor], Tensor]:
    """Each block adds up some rows of some columns; a second stage reads the sums."""
    a = te.placeholder((rows, columns), name="A")
    k = te.reduce_axis((0, rows), "k")
    c = te.compute((columns,), lambda j: te.sum(a[k, j], axis=k, where=a[k, j] > -3), name="C")
    d = te.compute((columns,), lambda j: c[j] * 2.0, name="D")
    s = te.create_schedule(d.op)
    part, _ = s[c].split(s[c].op.reduce_axis[0], factor=8)
    by_part = s.rfactor(c, part)
    (part,) = s[c].op.reduce_axis
    block, thread = s[c].split(c.op.axis[0], factor=32)
    s[c].reorder(part, block, thread)
    s[c].bind(part, te.thread_axis("blockIdx.y"))
    s[c].bind(block, te.thread_axis("blockIdx.x"))
    s[c].bind(thread, te.thread_axis("threadIdx.x"))
    s[c].pragma(part, "atomic")
    s[by_part].compute_at(s[c], thread)
    block, thread = s[d].split(d.op.axis[0], factor=32)
    s[d].bind(block, te.thread_axis("blockIdx.x"))
    s[d].bind(thread, te.thread_axis("threadIdx.x"))
    return s, [a, d], c


@pytest.mark.parametrize("how", ["one stage", "rfactor"])
@pytest.mark.parametrize("extent", [1, 1003])
def test_blocks_add_up_a_vector(extent: int, how: str) -> None:
    s, args = total(extent, how)
    a = np.random.default_rng(0).integers(-4, 5, extent).astype("float32")
    everywhere(s, args, [a], [[a.sum()]], gpu=True)
    rebuilt(s, args)


def test_the_interpreter_finds_no_race_and_integers_add_up_too() -> None:
    s, args = total(203, "rfactor", "int32")
    a = np.arange(203, dtype="int32")
    out = np.full(1, -1, "int32")
    interpret(lower_primfunc(lower_schedule(s, args), H100), [a, out], races=True)
    assert out[0] == a.sum()


def test_conditions_ragged_edges_and_readers_of_the_sums() -> None:
    s, args, _ = column_sums(37, 70)
    a = np.random.default_rng(1).integers(-4, 5, (37, 70)).astype("float32")
    everywhere(s, args, [a], [2.0 * np.where(a > -3, a, 0).sum(0)], gpu=True)


def test_symbolic_sizes_and_results_of_several_dimensions() -> None:
    m, n = te.var("m"), te.var("n")
    a = te.placeholder((m, n, 3), name="A")
    k = te.reduce_axis((0, n), "k")
    c = te.compute((m, 3), lambda i, j: te.sum(a[i, k, j], axis=k), name="C")
    s = te.create_schedule(c.op)
    s[c].reorder(s[c].op.reduce_axis[0], *c.op.axis)
    s[c].bind(s[c].op.reduce_axis[0], te.thread_axis("blockIdx.x"))
    s[c].pragma(s[c].op.reduce_axis[0], "atomic")
    s[c].bind(c.op.axis[1], te.thread_axis("threadIdx.x"))
    x = np.random.default_rng(2).integers(-4, 5, (200, 5, 3)).astype("float32")
    everywhere(s, [a, c], [x], [x.sum(1)], gpu=True)


def test_the_source_starts_the_result_in_a_kernel_of_its_own_and_reads_constants() -> None:
    s, args = total(1 << 20, "rfactor")
    text = gpucomp.source(s, args, H100)
    assert text.count("__global__") == 2
    assert text.count("atomicAdd(") == 1
    assert "const float* __restrict__ A" in text


def test_what_blocks_cannot_add_up_is_refused() -> None:
    a = te.placeholder((64,), name="A")
    k = te.reduce_axis((0, 64), "k")
    largest = te.compute((1,), lambda i: te.max(a[k], axis=k), name="C")
    s = te.create_schedule(largest.op)
    s[largest].bind(s[largest].op.reduce_axis[0], te.thread_axis("blockIdx.x"))
    s[largest].pragma(s[largest].op.reduce_axis[0], "atomic")
    with pytest.raises(ScheduleError, match="blocks can only add"):
        gpucomp.lower(s, [a, largest])
    s, args = total(64, "one stage", "float16")
    with pytest.raises(LowerError, match="atomic_add of float16"):
        gpucomp.source(s, args, H100)


@pytest.mark.parametrize("extent", [1000, 100_001])
def test_a_fixed_number_of_blocks_goes_over_all_tiles(extent: int) -> None:
    a = te.placeholder((extent,), name="A")
    b = te.compute((extent,), lambda i: a[i] + 1.0, name="B")
    s = te.create_schedule(b.op)
    tile, thread = s[b].split(b.op.axis[0], factor=64)
    target = Target("cuda -arch=sm_90a -multi_processor_count=7")
    block, turn = persistent_blocks(s[b], tile, target, 3)
    s[b].bind(thread, te.thread_axis("threadIdx.x"))
    assert s[b].leaf_iter_vars[:2] == [block, turn]
    assert "grid (21, 1, 1)" in gpucomp.source(s, [a, b], target)
    x = np.arange(extent, dtype="float32")
    everywhere(s, [a, b], [x], [x + 1], gpu=True)
