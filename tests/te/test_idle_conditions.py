"""Conditions that a factored reduction has, and that only leave out zeros, need no check; others do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpucomp import te
from gpucomp.driver.build import lower_primfunc
from gpucomp.target import Target
from gpucomp.te import Schedule, lower_schedule
from gpucomp.tir.functor import post_order
from gpucomp.tir.interp import interpret
from gpucomp.tir.stmt import BufferStore, IfThenElse

CUDA = Target("cuda -arch=sm_90a")
ROWS, COLUMNS, PARTS, STEPS = 8, 16, 2, 4


def product(depth: int, cached: tuple[bool, bool]) -> tuple[Schedule, list[Any]]:
    """C = A @ B in one block; two slices of four steps each; operands through shared memory as ``cached`` says."""
    a, b = te.placeholder((ROWS, depth), name="A"), te.placeholder((depth, COLUMNS), name="B")
    k = te.reduce_axis((0, depth), "k")

    def value(i: Any, j: Any) -> Any:  # Any: expressions
        return te.sum(a[i, k] * b[k, j], axis=k)

    c = te.compute((ROWS, COLUMNS), value, name="C")
    s = te.create_schedule(c.op)
    _, steps = s[c].split(s[c].op.reduce_axis[0], factor=PARTS * STEPS)
    part, _ = s[c].split(steps, factor=STEPS)
    partial = s.rfactor(c, part)
    s[partial].set_scope("shared")
    acc = s.cache_write(partial, "local")
    shared = [s.cache_read(x, "shared", [acc]) for x, wanted in zip((a, b), cached, strict=True) if wanted]
    tx = te.thread_axis("threadIdx.x")
    thread = s[c].fuse(*s[c].op.axis)
    outer, inner = s[c].split(thread, factor=PARTS * ROWS)
    s[c].bind(inner, tx)
    block, outer = s[c].split(outer, factor=COLUMNS)
    s[c].bind(block, te.thread_axis("blockIdx.x"))
    s[partial].compute_at(s[c], block)
    p, i, _ = s[partial].op.axis
    both = s[partial].fuse(p, i)
    s[partial].bind(both, tx)
    s[acc].compute_at(s[partial], both)
    ko, ki = s[acc].op.reduce_axis
    s[acc].reorder(ko, ki, *s[acc].op.axis)
    for x in shared:
        s[x].compute_at(s[acc], ko)
        _, t = s[x].split(s[x].fuse(*x.op.axis), factor=PARTS * ROWS)
        s[x].bind(t, tx)
    return s, [a, b, *[op.output(0) for op in s.outputs]]


@pytest.mark.parametrize("depth", [8, 13, 21])
@pytest.mark.parametrize("cached", [(True, True), (True, False), (False, False)])
def test_only_what_is_zero_past_the_end_is_added_without_a_check(depth: int, cached: tuple[bool, bool]) -> None:
    s, args = product(depth, cached)
    f = lower_primfunc(lower_schedule(s, args, "main"), CUDA)
    checked = any(
        [
            isinstance(n, IfThenElse)
            and any([isinstance(x, BufferStore) and x.buffer.name.endswith("local") for x in post_order(n.then_case)])
            for n in post_order(f.body)
        ]
    )
    assert checked is (depth % 8 != 0 and cached != (True, True))
    rng = np.random.default_rng(depth)
    a, b = [rng.integers(-4, 5, x).astype(np.float32) for x in ((ROWS, depth), (depth, COLUMNS))]
    got = np.full((ROWS, COLUMNS), np.nan, np.float32)
    interpret(f, [a, b, got])
    assert np.array_equal(got, a @ b)
