"""A function that writes part of a buffer leaves the rest as the caller had it, wherever it runs."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import IterVar, Range
from gpucomp.tir.function import PrimFunc


def _writes_even_elements() -> PrimFunc:
    out = decl_buffer((32,), "float32", "O")
    tx = IterVar(Range(0, 16), "threadIdx.x", IterVar.ThreadIndex, "threadIdx.x")
    body = s.AttrStmt(tx, "thread_extent", 16, s.BufferStore(out, 1.0, (tx.var * 2,)))
    return PrimFunc((out.data,), body, {out.data: out}, {"global_symbol": "even"})


def _check(target: str) -> None:
    array = np.full(32, 7, np.float32)
    gpucomp.build(_writes_even_elements(), target=target)(array)
    np.testing.assert_array_equal(array, np.where(np.arange(32) % 2, 7, 1))


def test_on_the_processor() -> None:
    _check("llvm")


@pytest.mark.opencl
def test_on_opencl() -> None:
    _check("opencl")


@pytest.mark.cuda
def test_on_cuda() -> None:
    _check("cuda")
