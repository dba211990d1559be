"""Memory of a warp: registers and shuffles where every access allows it, shared memory elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.driver.pipelines import GPU
from gpucomp.target import Target
from gpucomp.tir.interp import interpret
from tests.te.backends import everywhere
from tests.te.helpers import Array, small_ints
from tests.tiers import tiered

CUDA = Target("cuda -arch=sm_90")


def reversal(
    n: int, width: int, rows: int = 1, per_thread: int = 1
) -> tuple[te.Schedule, Sequence[te.Tensor], Array, Array]:
    """C[i] = 2 A[j] + 1, j the mirror image of i among ``width * per_thread`` neighbours, through warp memory."""
    size = width * per_thread
    a = te.placeholder((n,), name="A")
    b = te.compute((n,), lambda i: a[i] * 2.0, name="B")
    c = te.compute((n,), lambda i: b[i // size * size + (size - 1 - i % size)] + 1.0, name="C")
    s = te.create_schedule(c.op)
    tx, ty = te.thread_axis("threadIdx.x"), te.thread_axis("threadIdx.y")
    block, rest = s[c].split(c.op.axis[0], factor=size * rows)
    row, rest = s[c].split(rest, factor=size)
    again, lane = s[c].split(rest, factor=width)
    s[c].bind(block, te.thread_axis("blockIdx.x"))
    s[c].bind(row, ty)
    s[c].bind(lane, tx)
    s[b].compute_at(s[c], row)
    s[b].set_scope("warp")
    s[b].bind(s[b].split(s[b].op.axis[0], factor=width)[1], tx)
    del again
    x = small_ints((n,))
    i = np.arange(n)
    return s, [a, c], x, x[i // size * size + (size - 1 - i % size)] * 2 + 1


SHAPES = [
    (64, 32, 1, 1, True),
    (128, 32, 2, 2, True),
    (64, 16, 2, 1, True),
    (96, 16, 3, 1, False),
    (64, 64, 1, 1, False),
]


@pytest.mark.opencl
@pytest.mark.parametrize("shape", tiered(SHAPES, SHAPES[1::2]))
def test_warp_memory_is_right_on_every_backend(shape: tuple[int, int, int, int, bool]) -> None:
    def program() -> tuple[te.Schedule, Sequence[te.Tensor]]:
        s, args, _, _ = reversal(*shape[:4])
        return s, args

    _, _, x, expected = reversal(*shape[:4])
    # Before it is lowered, warp memory belongs to 32 lanes, whatever the extent of threadIdx.x.
    everywhere(program, [x], expected, opencl=True, interp=shape[1] == 32)


@pytest.mark.parametrize("shape", SHAPES)
def test_full_warps_exchange_and_others_share(shape: tuple[int, int, int, int, bool]) -> None:
    s, args, x, expected = reversal(*shape[:4])
    func = GPU(te.lower_schedule(s, args).with_attr("target", CUDA))
    text = func.script()
    assert ("shuffle(" in text) is shape[4]
    assert ('"shared"' in text) is not shape[4]
    assert "warp" not in text.replace("warp_size", "")
    out = np.full_like(expected, 77)
    interpret(func, [x, out])
    np.testing.assert_array_equal(out, expected)


def test_a_guard_on_the_thread_forbids_exchanges() -> None:
    a = te.placeholder((50,), name="A")
    b = te.compute((50,), lambda i: a[i] * 2.0, name="B")
    c = te.compute((50,), lambda i: b[49 - i] + b[i], name="C")
    s = te.create_schedule(c.op)
    tx = te.thread_axis("threadIdx.x")
    outer, lane = s[c].split(c.op.axis[0], factor=32)
    s[c].bind(lane, tx)
    s[b].compute_at(s[c], outer)
    s[b].set_scope("warp")
    s[b].bind(s[b].split(s[b].op.axis[0], factor=32)[1], tx)
    func = GPU(te.lower_schedule(s, [a, c]).with_attr("target", CUDA))
    assert "shuffle(" not in func.script()
    x = small_ints((50,))
    out = np.full_like(x, 77)
    interpret(func, [x, out])
    np.testing.assert_array_equal(out, x[::-1] * 2 + x * 2)


def test_cuda_source_holds_registers_and_a_shuffle() -> None:
    s, args, _, _ = reversal(64, 32)
    source = gpucomp.source(s, args, "cuda")
    assert "__shfl_sync(" in source
    assert "__shared__" not in source


def vectors_of_rows(columns: int) -> tuple[te.Schedule, Sequence[te.Tensor]]:
    """B in warp memory, written two elements at a time by one thread of each of two rows of threads."""
    a = te.placeholder((13, columns), name="A")
    b = te.compute((13, columns), lambda i, j: a[i, j] * 2.0, name="B")
    c = te.compute((13, columns), lambda i, j: b[i, j] + 1.0, name="C")
    s = te.create_schedule(c.op)
    block, rest = s[c].split(c.op.axis[0], factor=4)
    row, _ = s[c].split(rest, factor=2)
    s[c].bind(block, te.thread_axis("blockIdx.x"))
    s[c].bind(row, te.thread_axis("threadIdx.y"))
    s[c].reorder(row, c.op.axis[1])
    s[c].bind(c.op.axis[1], te.thread_axis("threadIdx.x"))
    s[b].compute_at(s[c], c.op.axis[1])
    s[b].set_scope("warp")
    s[b].vectorize(s[b].split(b.op.axis[1], factor=2)[1])
    return s, [a, c]


@pytest.mark.opencl
@pytest.mark.parametrize("columns", [4, 5])  # rows of 5: those of the second thread start off the vectors' alignment
def test_vectors_in_rows_of_their_own_need_no_barrier_between_their_stores(columns: int) -> None:
    x = small_ints((13, columns))
    everywhere(lambda: vectors_of_rows(columns), [x], x * 2 + 1, opencl=True, interp=False)
    func = GPU(te.lower_schedule(*vectors_of_rows(columns)).with_attr("target", Target("opencl")))
    out = np.full_like(x, 77)
    interpret(func, [x, out])
    np.testing.assert_array_equal(out, x * 2 + 1)
