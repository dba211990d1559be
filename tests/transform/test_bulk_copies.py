"""Copies to shared memory by the engine of a multiprocessor, and hints for what later blocks will copy."""

from __future__ import annotations

from typing import Any  # arrays of several element types

import numpy as np
import pytest

import gpucomp
from gpucomp import te
from gpucomp.codegen import emit_unit
from gpucomp.driver.build import lower_primfunc
from gpucomp.support.diagnostics import GpucompError
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor, lower_schedule
from gpucomp.tir import expr as e
from gpucomp.tir import intrin
from gpucomp.tir import stmt as s
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import ir_transform
from gpucomp.tir.interp import interpret
from gpucomp.transform.split_host_device import split_host_device
from tests.codegen.devices import compile_cuda
from tests.te.helpers import poisoned, small_ints

H100 = Target("cuda -arch=sm_90a")
THREADS = 32


def turned(
    columns: int, lanes: int = 8, again: int = 1, matrices: int = 1, **notes: int
) -> tuple[Schedule, list[Tensor]]:
    """Each row from its end to its beginning, through shared memory: threads read what others have copied."""
    inputs = [te.placeholder((12, columns), "float16", name=name) for name in "AR"[:matrices]]

    def element(i: Any, j: Any) -> Any:
        parts = [x[i, columns - 1 - j] for x in inputs]
        return parts[0] if matrices == 1 else parts[0] + parts[1]

    out = te.compute((12, columns), element, name="B")
    sch = te.create_schedule(out.op)
    block, row = sch[out].split(out.op.axis[0], factor=again)
    _, thread = sch[out].split(out.op.axis[1], factor=THREADS)
    sch[out].bind(block, te.thread_axis("blockIdx.x"))
    sch[out].bind(thread, te.thread_axis("threadIdx.x"))
    for a in inputs:
        copy = sch.cache_read(a, "shared", [out])
        own = sch[copy]
        own.compute_at(sch[out], row)
        vector, lane = own.split(copy.op.axis[1], factor=lanes)
        chunk, thread = own.split(vector, factor=THREADS)
        own.reorder(thread, chunk, lane)
        own.bind(thread, te.thread_axis("threadIdx.x"))
        own.vectorize(lane)
        for name, value in {"bulk_copy": 1, **notes}.items():
            own.pragma(thread, name, value)
    return sch, [*inputs, out]


def lowered(made: tuple[Schedule, list[Tensor]], target: Target = H100) -> PrimFunc:
    return lower_primfunc(lower_schedule(*made, "main"), target)


@pytest.mark.parametrize("columns", [512, 256, 1000, 264])
@pytest.mark.parametrize("notes", [{}, {"bulk_ahead": 2}, {"bulk_ahead_late": 2}])
def test_one_thread_copies_a_row(columns: int, notes: dict[str, int]) -> None:
    func = lowered(turned(columns, **notes))
    text = str(func)
    assert text.count("T.bulk_copy(") == text.count("T.bulk_wait()") == 1
    assert text.count("T.bulk_prefetch(") == len(notes)
    data = small_ints((12, columns)).astype(np.float16)
    out = poisoned(data.shape, "float16")
    interpret(func, [data, out])
    np.testing.assert_array_equal(out, data[:, ::-1])
    kernels, _ = split_host_device(func)
    source = emit_unit(kernels, H100)
    assert ("blockIdx_x + 2 < 12" in source.source) == bool(notes)
    assert compile_cuda(source)["main_kernel"].spill_bytes == 0


def test_two_copies_are_waited_for_together() -> None:
    func = lowered(turned(512, matrices=2))
    assert str(func).count("T.bulk_begin(2048)") == 1
    assert str(func).count("T.bulk_copy(") == 2
    data = [small_ints((12, 512)).astype(np.float16), small_ints((12, 512))[::-1].astype(np.float16)]
    out = poisoned((12, 512), "float16")
    interpret(func, [*data, out])
    np.testing.assert_array_equal(out, (data[0] + data[1])[:, ::-1])


@pytest.mark.parametrize(
    ("made", "target"),
    [
        (turned(512, lanes=4), H100),  # vectors of 8 bytes
        (turned(1001, lanes=1), H100),  # no vectors
        (turned(512, again=2), H100),  # twice in a kernel: the engine's barrier counts once
        (turned(512), Target("cuda -arch=sm_80")),
        (turned(512), Target("opencl")),
    ],
)
def test_what_the_engine_cannot_do_the_threads_do(made: tuple[Schedule, list[Tensor]], target: Target) -> None:
    func = lowered(made, target)
    assert "bulk_copy(" not in str(func)
    columns = int(str(made[1][0].shape[1]))
    data = small_ints((12, columns)).astype(np.float16)
    out = poisoned(data.shape, "float16")
    interpret(func, [data, out])
    np.testing.assert_array_equal(out, data[:, ::-1])


def test_a_hint_alone_leaves_the_copy_to_the_threads() -> None:
    sch, args = turned(512, bulk_ahead=3)
    text = gpucomp.source(sch, args, H100)
    plain = [line for line in text.splitlines() if "bulk" in line]
    assert any(["gc_bulk_prefetch(" in line for line in plain])
    sch, args = turned(512)
    assert "gc_bulk_prefetch" not in gpucomp.source(sch, args, H100)


def test_the_interpreter_finds_a_missing_barrier() -> None:
    def without(node: Any) -> Any:
        call = node.value
        is_barrier = isinstance(call, e.Call) and call.op is intrin.barrier("shared").op
        return s.NOOP if is_barrier else None

    func = lowered(turned(512))
    broken = func.with_body(ir_transform(func.body, None, without, (s.Evaluate,)))
    data = small_ints((12, 512)).astype(np.float16)
    with pytest.raises(GpucompError, match="data race"):
        interpret(broken, [data, poisoned((12, 512), "float16")])


def test_a_copy_past_the_end_is_out_of_bounds() -> None:
    def longer(node: Any) -> Any:
        call = node.value
        if not (isinstance(call, e.Call) and "bulk_copy" in str(call)):
            return None
        return s.Evaluate(e.Call(call.dtype, call.op, (*call.args[:2], e.IntImm(call.args[2].dtype, 520))))

    func = lowered(turned(512))
    broken = func.with_body(ir_transform(func.body, None, longer, (s.Evaluate,)))
    with pytest.raises(GpucompError, match="out of bounds"):
        interpret(broken, [small_ints((12, 512)).astype(np.float16), poisoned((12, 512), "float16")])
