"""Scans on processors: rows, and chunks of long ones, in parallel; the sums of runs stay in the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gpucomp import te
from gpucomp.kernels.registry import Definition, extent
from gpucomp.target import Target
from gpucomp.te import Schedule, Stage, Tensor
from gpucomp.tir.expr import IterVar

SUMS: Final = 32  # of a chunk side by side


def schedule_scan(defn: Definition, target: Target) -> Schedule:
    """A row or a chunk a task."""
    return _rows(defn, lambda stage, row: stage.parallel(row))


def schedule_scan_opencl_cpu(defn: Definition, target: Target) -> Schedule:
    """One work-group of one work-item a row or a chunk."""
    return _rows(defn, lambda stage, row: stage.bind(row, te.thread_axis("blockIdx.x")))


def _rows(defn: Definition, share: Callable[[Stage, IterVar], None]) -> Schedule:
    (out,) = defn.outputs
    s = te.create_schedule(out.op)
    *chunked, x, _, _, _, _, within = defn.intermediates
    row, j = out.op.axis
    place = row
    if chunked:
        place, _ = s[out].split(j, factor=int(str(chunked[0].shape[-1])))
        if extent(out.shape[1]) is not None:  # else a number of both would not tell what is read
            row = place = s[out].fuse(row, place)
        _chunks(s, chunked, share)
    share(s[out], row)
    s[x].compute_inline()
    for tensor in defn.intermediates[len(chunked) + 1 :]:
        s[tensor].compute_at(s[out], place)
    s[within].reorder(s[within].op.reduce_axis[0], within.op.axis[-1])
    s[within].vectorize(within.op.axis[-1])
    return s


def _chunks(s: Schedule, chunked: list[Tensor], share: Callable[[Stage, IterVar], None]) -> None:
    """The sums of chunks, and those before each."""
    y, parts, before = chunked
    s[y].compute_inline()
    _, side = s[parts].split(parts.op.reduce_axis[0], factor=SUMS)
    sums: Tensor = s.rfactor(parts, side, factor_axis=-1)
    i, c, side = sums.op.axis
    s[sums].reorder(i, c, *sums.op.reduce_axis, side)
    s[sums].vectorize(side)
    for tensor in (parts, before):
        share(s[tensor], s[tensor].fuse(*s[tensor].op.axis[:2]))
    s[sums].compute_at(s[parts], s[parts].leaf_iter_vars[0])
