"""Argument buffers of the user's: strides, offsets, repeated dimensions."""

from __future__ import annotations

from typing import Any  # Any: shapes and options go through as they are, and some are wrong on purpose

import numpy as np
import pytest

import gpucomp
from gpucomp import te, tir
from gpucomp.driver.build_module import get_binds, schedule_to_module
from gpucomp.support.diagnostics import GpucompError
from gpucomp.te.schedule import InferBound, ScheduleOps, VerifyCompactBuffer
from tests.te.everywhere import everywhere
from tests.te.helpers import small_ints


def added(shape: tuple[Any, ...]) -> tuple[te.Schedule, te.Tensor, te.Tensor, te.Tensor]:
    """C = A + B, one thread for each element."""
    a, b = te.placeholder(shape, name="A"), te.placeholder(shape, name="B")
    c = te.compute(shape, lambda *i: a(*i) + b(*i), name="C")
    s = te.create_schedule(c.op)
    outer, inner = s[c].split(s[c].fuse(*c.op.axis), factor=8)
    s[c].bind(outer, te.thread_axis("blockIdx.x"))
    s[c].bind(inner, te.thread_axis("threadIdx.x"))
    return s, a, b, c


def broadcast(name: str, ndim: int = 2, **options: Any) -> tir.Buffer:
    """A buffer of any extents that repeats."""
    shape = [te.var(f"{name}{k}") for k in range(ndim)]
    return tir.decl_buffer(shape, "float32", name, buffer_type="auto_broadcast", **options)


@pytest.mark.parametrize("shape", [(5, 1), (1, 7), (1, 1), (5, 7)])
def test_extents_of_one_repeat_on_every_backend(shape: tuple[int, int]) -> None:
    s, a, b, c = added((te.var("n"), te.var("m")))
    x, y = small_ints((5, 7)), small_ints(shape, seed=1)
    everywhere(s, [a, b, c], [x, y], [x.astype(np.float64) + y], gpu=True, binds={b: broadcast("Bb")})


def test_another_extent_than_one_or_that_of_the_tensor_is_refused() -> None:
    s, a, b, c = added((te.var("n"), te.var("m")))
    for target in ("llvm", "opencl"):
        f = gpucomp.build(s, [a, b, c], target, binds={b: broadcast("Bb")})
        with pytest.raises(GpucompError, match="Bb must have extent m along dimension 1, or 1"):
            f(small_ints((5, 7)), small_ints((5, 3)))


def test_strides_and_offsets_are_those_of_the_argument() -> None:
    s, a, b, c = added((5, 6))
    strided = tir.decl_buffer((5, 6), "float32", "Ab", strides=[te.var("s0"), te.var("s1")], elem_offset=te.var("off"))
    x, y = small_ints((7, 20))[1:6, 2:14:2], small_ints((5, 6), seed=1)
    everywhere(s, [a, b, c], [x, y], [x.astype(np.float64) + y], binds={a: strided})
    everywhere(s, [strided, b, c], [x, y], [x.astype(np.float64) + y], binds={a: strided})


def test_a_strided_output_leaves_what_lies_between() -> None:
    s, a, b, c = added((4, 3))
    out = tir.decl_buffer((4, 3), "float32", "Cb", strides=[te.var("s0"), te.var("s1")])
    f = gpucomp.build(s, [a, b, c], "llvm", binds={c: out})
    memory = np.full((4, 6), 77, np.float32)
    x, y = small_ints((4, 3)), small_ints((4, 3), seed=1)
    f(x, y, memory[:, ::2])
    np.testing.assert_array_equal(memory[:, ::2], x + y)
    np.testing.assert_array_equal(memory[:, 1::2], 77)


def test_get_binds_makes_symbolic_arguments_repeat_unless_memory_is_compact() -> None:
    s, a, b, c = added((te.var("n"), 7))
    fixed = tir.decl_buffer(a.shape, "float32", "A2")
    binds, listed = get_binds([a, b, c], binds={a: fixed})
    assert listed[0] is fixed
    assert [x.buffer_type for x in listed] == ["", "auto_broadcast", "auto_broadcast"]
    assert [x.buffer_type for x in get_binds([a, b, c], compact=True)[1]] == ["", "", ""]
    module = schedule_to_module(s, listed, "add", binds)
    assert list(module.functions) == ["add"]
    with pytest.raises(GpucompError, match="argument 1 is a int"):
        get_binds([a, 3])


def test_an_opaque_body_over_fresh_buffers_needs_compact_memory() -> None:
    def statement(**options: Any) -> tir.Stmt:
        a = te.placeholder((4,), name="A")

        def call(ins: Any, outs: Any) -> tir.Expr:
            return tir.call_packed("nothing", ins[0], outs[0])

        c = te.extern((4,), [a], call, name="C", **options)
        s = te.create_schedule(c.op).normalize()
        return ScheduleOps(s, InferBound(s))

    assert VerifyCompactBuffer(statement())
    assert not VerifyCompactBuffer(
        statement(in_buffers=[broadcast("x", 1)], out_buffers=[broadcast("y", 1)], dtype="float32")
    )
    s, _, _, _ = added((4, 3))
    plain = s.normalize()
    assert not VerifyCompactBuffer(ScheduleOps(plain, InferBound(plain)))


@pytest.mark.parametrize(
    ("buffer", "words"),
    [
        (tir.decl_buffer((5, 6), "float16", "Ab"), "float16 with 2 dimensions"),
        (tir.decl_buffer((5,), "float32", "Ab"), "float32 with 1 dimensions"),
        (tir.decl_buffer((5, 7), "float32", "Ab"), "7 along dimension 1"),
    ],
)
def test_a_buffer_that_does_not_fit_its_tensor_is_refused(buffer: tir.Buffer, words: str) -> None:
    s, a, b, c = added((5, 6))
    with pytest.raises(GpucompError, match=words):
        gpucomp.lower(s, [a, b, c], binds={a: buffer})
