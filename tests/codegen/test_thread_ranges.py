"""Compilers of C are told how many threads a block has where rounds of unrolled loops depend on it."""

from __future__ import annotations

import re

import pytest

import gpucomp
from gpucomp import te
from gpucomp.runtime.cuda_compile import compile_cuda


def rows(columns: int, *, unrolled: bool = True) -> tuple[te.Schedule, list[te.Tensor]]:
    """Threads that take elements of a row in turns."""
    a = te.placeholder((4, columns), name="A")
    b = te.compute((4, columns), lambda i, j: a[i, j] + 1.0, name="B")
    s = te.create_schedule(b.op)
    i, j = b.op.axis
    turn, thread = s[b].split(j, factor=64)
    s[b].reorder(thread, turn)
    s[b].bind(i, te.thread_axis("blockIdx.x"))
    s[b].bind(thread, te.thread_axis("threadIdx.x"))
    if unrolled:
        s[b].unroll(turn)
    return s, [a, b]


def test_a_round_that_some_threads_skip_tells_the_number_of_threads() -> None:
    assert "__builtin_assume(threadIdx_x >= 0 && threadIdx_x < 64);" in gpucomp.source(*rows(500), "cuda")


@pytest.mark.parametrize("made", [rows(512), rows(500, unrolled=False)])
def test_where_no_unrolled_round_depends_on_threads_nothing_is_told(made: tuple[te.Schedule, list[te.Tensor]]) -> None:
    assert "assume" not in gpucomp.source(*made, "cuda")


def test_opencl_has_no_word_for_it() -> None:
    assert "assume" not in gpucomp.source(*rows(500), "opencl")


def test_the_compiler_tests_the_last_round_only() -> None:
    told = gpucomp.source(*rows(500), "cuda -arch=sm_90a")
    untold = re.sub(r"  __builtin_assume.*\n", "", told)
    assert len(compile_cuda(told, "sm_90a")[0]) < len(compile_cuda(untold, "sm_90a")[0])
