"""Programs with one mistake each, about reindex_cache_read; see ``programs``."""

from __future__ import annotations

from gpucomp import te
from tests.errors.programs import mistake, row_sums


def two_taps() -> tuple[te.Schedule, te.Tensor, te.Tensor]:
    """A[34], C[i] = A[i] + A[i + 2]."""
    a = te.placeholder((34,), name="A")
    c = te.compute((32,), lambda i: a[i] + a[i + 2], name="C")
    return te.create_schedule(c.op), a, c


@mistake("stage C", "2 elements", "A")
def a_reindexed_copy_of_what_is_read_twice() -> object:
    s, a, c = two_taps()
    return s.reindex_cache_read(a, "local", c, [c.op.axis[0]])  # cause


@mistake("stage B", "depends on k")
def a_reindexed_copy_without_an_axis() -> object:
    s, a, b, _ = row_sums()
    return s.reindex_cache_read(a, "local", b, [b.op.axis[0]])  # cause


@mistake("stage B", "'i'", "twice")
def a_reindexed_copy_with_an_axis_twice() -> object:
    s, a, b, _ = row_sums()
    return s.reindex_cache_read(a, "local", b, [b.op.axis[0], b.op.reduce_axis[0], b.op.axis[0]])  # cause


@mistake("stage B", "'j'")
def a_reindexed_copy_by_the_axis_of_another_stage() -> object:
    s, a, b, c = row_sums()
    return s.reindex_cache_read(a, "local", b, [c.op.axis[1]])  # cause


@mistake("stage C", "under a condition")
def a_reindexed_copy_of_what_is_read_sometimes() -> object:
    a = te.placeholder((30,), name="A")
    c = te.compute((32,), lambda i: te.if_then_else(i < 30, a[i], 0.0), name="C")
    s = te.create_schedule(c.op)
    return s.reindex_cache_read(a, "local", c, [c.op.axis[0]])  # cause


@mistake("stage B", "does not read")
def a_reindexed_copy_of_what_is_not_read() -> object:
    s, _, b, c = row_sums()
    return s.reindex_cache_read(c, "local", b, [b.op.axis[0]])  # cause
