"""Bytes of dot products are kept in words where every access is of whole words, and only there."""

from __future__ import annotations

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.driver.build import lower_primfunc
from gpucomp.target import Target
from gpucomp.te import intrinsics, lower_schedule
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.functor import post_order
from gpucomp.tir.interp import interpret
from gpucomp.tir.stmt import Allocate
from tests.te.helpers import poisoned

CUDA = Target("cuda -arch=sm_80")


def products(kind: str, vectors: bool, first: int = 0) -> tuple[te.Schedule, list[te.Tensor]]:
    """Dot products of rows, whose words are copied to registers byte by byte or as vectors."""
    total = "int32" if kind == "int8" else "uint32"
    a, b = te.placeholder((6, 20), kind, "A"), te.placeholder((7, 20), kind, "B")
    r = te.reduce_axis((0, 16), "k")

    def product(i: Var, j: Var) -> Expr:
        return te.sum(a[i, r + first].astype(total) * b[j, r].astype(total), axis=r)

    c = te.compute((6, 7), product, name="C")
    s = te.create_schedule(c.op)
    acc = s.cache_write(c, "local")
    copies = [s.cache_read(x, "local", [acc]) for x in (a, b)]
    s[c].bind(c.op.axis[0], te.thread_axis("blockIdx.x"))
    s[c].bind(c.op.axis[1], te.thread_axis("threadIdx.x"))
    s[acc].compute_at(s[c], c.op.axis[1])
    outer, inner = s[acc].split(s[acc].op.reduce_axis[0], factor=4)
    for copy in copies:
        s[copy].compute_at(s[acc], outer)
        if vectors:
            s[copy].vectorize(copy.op.axis[1])
    s[acc].tensorize(inner, intrinsics.dp4a(dtypes=(kind, kind)))
    return s, [a, b, c]


def in_memory(s: te.Schedule, args: list[te.Tensor], target: Target) -> dict[str, str]:
    """The element types of the copies."""
    func = lower_primfunc(lower_schedule(s, args, "f"), target)
    found = [x for x in post_order(func.body) if isinstance(x, Allocate) and "local" in x.buffer_var.name]
    return {x.buffer_var.name: str(x.dtype) for x in found if x.buffer_var.name[0] in "AB"}


@pytest.mark.parametrize(("kind", "word"), [("int8", "int32"), ("uint8", "uint32")])
def test_copies_in_vectors_become_words_where_there_is_an_instruction(kind: str, word: str) -> None:
    s, args = products(kind, vectors=True)
    assert set(in_memory(s, args, CUDA).values()) == {word}
    assert set(in_memory(s, args, CUDA.with_options(without=["dp4a"])).values()) == {kind}
    assert "make_" not in gpucomp.source(s, args, CUDA)


def test_bytes_that_are_written_one_by_one_stay_bytes() -> None:
    s, args = products("int8", vectors=False)
    assert set(in_memory(s, args, CUDA).values()) == {"int8"}
    assert "make_char4" in gpucomp.source(s, args, CUDA)


@pytest.mark.parametrize("first", [0, 3])
@pytest.mark.parametrize("vectors", [True, False])
@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_words_mean_the_same(kind: str, vectors: bool, first: int) -> None:
    s, args = products(kind, vectors, first)
    random = np.random.default_rng(2)
    low = -128 if kind == "int8" else 0
    x, y = [random.integers(low, low + 256, (n, 20)).astype(kind) for n in (6, 7)]
    total = "int32" if kind == "int8" else "uint32"
    out = poisoned((6, 7), total)
    interpret(lower_primfunc(lower_schedule(s, args, "f"), CUDA), [x, y, out])
    np.testing.assert_array_equal(out, x[:, first : first + 16].astype(total) @ y[:, :16].astype(total).T)
