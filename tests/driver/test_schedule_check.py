"""``s.check(target)`` finds what passes the target's limits, at the line of the primitive."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gpucomp import te
from gpucomp.support.diagnostics import LowerError

Act = Callable[[te.Schedule, te.Tensor, te.Tensor], object]


def graph() -> tuple[te.Schedule, te.Tensor, te.Tensor]:
    a = te.placeholder((64, 4096), name="A")
    b = te.compute((64, 4096), lambda i, j: a[i, j] * 2.0, name="B")
    c = te.compute((64, 4096), lambda i, j: b[i, j] + b[63 - i, 4095 - j], name="C")
    s = te.create_schedule(c.op)
    s[c].bind(c.op.axis[0], te.thread_axis("blockIdx.x"))
    return s, b, c


def too_many_threads(s: te.Schedule, b: te.Tensor, c: te.Tensor) -> None:
    s[b].compute_inline()
    s[c].bind(c.op.axis[1], te.thread_axis("threadIdx.x"))  # cause


def too_deep_a_block(s: te.Schedule, b: te.Tensor, c: te.Tensor) -> None:
    s[b].compute_inline()
    _, inner = s[c].split(c.op.axis[1], factor=128)
    s[c].bind(inner, te.thread_axis("threadIdx.z"))  # cause


def too_much_shared_memory(s: te.Schedule, b: te.Tensor, c: te.Tensor) -> None:
    outer, inner = s[c].split(c.op.axis[1], factor=256)
    s[c].bind(inner, te.thread_axis("threadIdx.x"))
    s[b].compute_at(s[c], c.op.axis[0])
    s[b].set_scope("shared")
    fetch = s[b].split(b.op.axis[1], factor=256)[1]
    s[b].bind(fetch, te.thread_axis("threadIdx.x"))
    s[b].double_buffer()
    s[b].storage_align(b.op.axis[0], 32, 1)
    del outer


@pytest.mark.parametrize(
    ("act", "code", "cause"),
    [
        (too_many_threads, "GC310", True),
        (too_deep_a_block, "GC311", True),
        (too_much_shared_memory, "GC312", False),
    ],
)
def test_a_limit_is_reported_where_it_was_passed(act: Act, code: str, cause: bool) -> None:
    s, b, c = graph()
    act(s, b, c)
    s.check()
    with pytest.raises(LowerError) as info:
        s.check("cuda -arch=sm_80")
    assert info.value.code == code
    assert info.value.where is not None
    assert info.value.where.file == __file__
    assert not cause or "# cause" in info.value.where.text
    assert info.value.hint


def test_what_fits_passes_and_the_schedule_stays_as_it_is() -> None:
    s, b, c = graph()
    s[b].compute_inline()
    s[c].bind(s[c].split(c.op.axis[1], factor=te.var("tile"))[1], te.thread_axis("threadIdx.x"))
    steps = len(s.trace)
    for target in ("cuda", "opencl", "llvm"):
        s.check(target)
    assert len(s.trace) == steps
    fresh, _, _ = graph()
    with pytest.raises(LowerError, match="unknown target kind"):
        fresh.check("cudda")
