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
    """A task takes some columns, whose sums stay in the cache while the rows pass by."""
    s = _column_blocks(defn)
    (out,) = defn.outputs
    s[out].parallel(s[out].leaf_iter_vars[0])
    return s


def schedule_columns_opencl_cpu(defn: Definition, target: Target) -> Schedule:
    """One work-group of one work-item for some columns."""
    s = _column_blocks(defn)
    (out,) = defn.outputs
    s[out].bind(s[out].leaf_iter_vars[0], te.thread_axis("blockIdx.x"))
    return s


def _column_blocks(defn: Definition) -> Schedule:
    (out,) = defn.outputs
    x, total = defn.intermediates
    s = te.create_schedule(out.op)
    s[x].compute_inline()
    stage = s[out]
    size = extent(out.shape[0])
    block, inner = stage.split(out.op.axis[0], factor=COLUMNS if size is None or size > COLUMNS else LANES)
    _, lane = stage.split(inner, factor=LANES)
    stage.vectorize(lane)
    own = s[total]
    own.compute_at(stage, block)
    _, lane = own.split(total.op.axis[0], factor=LANES)
    own.reorder(own.op.reduce_axis[0], own.leaf_iter_vars[0], lane)
    own.vectorize(lane)
    return s
