"""Reductions on processors: parts in parallel, in vectors."""

from __future__ import annotations

from typing import Final

from gpucomp import te
from gpucomp.kernels.registry import Definition, extent
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor

PARTS: Final = 64
LANES: Final = 16
CHUNK: Final = 1 << 16  # elements that a task reduces
COLUMNS: Final = 256
ROWS: Final = 128  # of a task
TOGETHER: Final = 4
WIDE: Final = 4096  # columns whose sums stay in the first cache


def schedule_all(defn: Definition, target: Target) -> Schedule:
    """Each task reduces a chunk to one value; the values of chunks are reduced at the end."""
    s, partial, x = _chunks(defn)
    s[partial].parallel(partial.op.axis[0])
    _vectors(s, partial, x)
    return s


def schedule_all_opencl_cpu(defn: Definition, target: Target) -> Schedule:
    """One work-group of one work-item a chunk, then one for the values of chunks."""
    s, partial, x = _chunks(defn)
    (out,) = defn.outputs
    total = defn.intermediates[1]
    s[partial].bind(partial.op.axis[0], te.thread_axis("blockIdx.x"))
    _vectors(s, partial, x)
    s[out].bind(out.op.axis[0], te.thread_axis("blockIdx.x"))
    s[total].compute_at(s[out], out.op.axis[0])
    return s


def _chunks(defn: Definition) -> tuple[Schedule, Tensor, Tensor]:
    (out,) = defn.outputs
    x, total = defn.intermediates
    s = te.create_schedule(out.op)
    s[x].compute_inline()
    chunk, _ = s[total].split(s[total].op.reduce_axis[0], factor=CHUNK)
    return s, s.rfactor(total, chunk), x


def _vectors(s: Schedule, partial: Tensor, x: Tensor) -> None:
    stage = s[partial]
    at = partial.op.axis[0]
    for width in (PARTS, LANES):
        _, lane = s[partial].split(s[partial].op.reduce_axis[0], factor=width)
        narrower = s.rfactor(partial, lane)
        inner = s[narrower]
        inner.compute_at(stage, at)
        inner.set_scope("local")
        part = narrower.op.axis[0]
        inner.reorder(inner.op.reduce_axis[0], part)
        outer, vector = inner.split(part, factor=LANES)
        inner.unroll(outer)
        inner.vectorize(vector)


def schedule_columns(defn: Definition, target: Target) -> Schedule:
    """A task adds up some rows, whose sums stay in the first cache; the sums of tasks are added at the end."""
    s, partial = _row_blocks(defn)
    if partial is not None:
        s[partial].parallel(s[partial].leaf_iter_vars[0])
    (out,) = defn.outputs
    s[out].parallel(s[out].leaf_iter_vars[0])
    return s


def schedule_columns_opencl_cpu(defn: Definition, target: Target) -> Schedule:
    """The same tasks as work-groups of one work-item, in two kernels."""
    s, partial = _row_blocks(defn)
    if partial is not None:
        s[partial].bind(s[partial].leaf_iter_vars[0], te.thread_axis("blockIdx.x"))
    (out,) = defn.outputs
    s[out].bind(s[out].leaf_iter_vars[0], te.thread_axis("blockIdx.x"))
    return s


def _row_blocks(defn: Definition) -> tuple[Schedule, Tensor | None]:
    (out,) = defn.outputs
    x, total = defn.intermediates
    s = te.create_schedule(out.op)
    s[x].compute_inline()
    stage = s[out]
    size = extent(out.shape[0])
    block, inner = stage.split(out.op.axis[0], factor=COLUMNS if size is None or size > COLUMNS else LANES)
    _, lane = stage.split(inner, factor=LANES)
    stage.vectorize(lane)
    rows, partial = extent(x.shape[0]), None
    if rows is None or rows > ROWS:
        part, _ = s[total].split(s[total].op.reduce_axis[0], factor=ROWS)
        partial = s.rfactor(total, part)
        _add_rows(s, partial)
    s[total].compute_at(stage, block)
    _add_rows(s, total)
    return s, partial


def _add_rows(s: Schedule, tensor: Tensor) -> None:
    """Some rows at a time: a sum is loaded and stored once for all of them."""
    own = s[tensor]
    *parts, column = tensor.op.axis
    block, column = own.split(column, factor=WIDE)
    vectors, lane = own.split(column, factor=LANES)
    some, row = own.split(own.op.reduce_axis[0], factor=TOGETHER)
    own.reorder(*parts, block, some, vectors, row, lane)
    own.unroll(row)
    own.vectorize(lane)
