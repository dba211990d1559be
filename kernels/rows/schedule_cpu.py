"""Kernels on the rows of a matrix on processors: rows in parallel, columns in vectors."""

from __future__ import annotations

from typing import Final

from gpucomp import te
from gpucomp.kernels.gemm.schedule_vector_cpu import schedule_sums_of_rows
from gpucomp.kernels.processor import leaves_the_caches, vector_bytes
from gpucomp.kernels.registry import Definition, extent, is_reduction
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor
from gpucomp.tir.expr import IterVar

PARTS: Final = 64
LANES: Final = 16  # four registers of 16 floats: independent sums hide the latency of an addition
MOST_PRIVATE: Final = 16384  # elements of a row that a work-item of OpenCL keeps
ROWS: Final = 16  # of a task where the result has one value a row: a cache line is written by one thread


def schedule_rows(defn: Definition, target: Target) -> Schedule:
    """Schedule an operator on rows: each pass over a row in vectors; what it computes stays in the cache.

    The input in the type of sums (``X``) is recomputed by each pass; other matrices are computed once a row.
    """
    out = defn.outputs[0]
    s = te.create_schedule(out.op)
    if len(out.shape) == 1 and _sums_once(defn):
        x, total, *_ = defn.intermediates
        s[x].compute_inline()
        schedule_sums_of_rows(s, total, out, 0, vector_bytes(target) // total.dtype.nbytes)
        return s
    stage = s[out]
    row = out.op.axis[0]
    if len(out.shape) > 1:
        vectors, lane = stage.split(out.op.axis[1], factor=LANES)
        stage.vectorize(lane)
        stage.parallel(row)
        if leaves_the_caches(defn):
            stage.pragma(vectors, "nontemporal")
    else:
        block, row = stage.split(row, factor=ROWS)
        stage.parallel(block)
    for tensor in defn.intermediates:
        own = s[tensor]
        if tensor is defn.intermediates[0]:
            own.compute_inline()
        elif len(tensor.shape) > 1:
            own.compute_at(stage, row)
            _, lane = own.split(tensor.op.axis[1], factor=LANES)
            own.vectorize(lane)
        elif is_reduction(tensor):
            _vector_reduction(s, tensor, stage, row)
        else:
            own.compute_at(stage, row)
    return s


def _sums_once(defn: Definition) -> bool:
    """True where the only intermediates are the input and one reduction of it."""
    return len(defn.intermediates) == 2 and is_reduction(defn.intermediates[1])


def _vector_reduction(s: Schedule, tensor: Tensor, stage: te.Stage, row: IterVar) -> None:
    """Reduce ``PARTS`` interleaved parts in vectors, then those to one vector, then that to one value."""
    for width in (PARTS, LANES):
        _, lane = s[tensor].split(s[tensor].op.reduce_axis[0], factor=width)
        partial = s.rfactor(tensor, lane)
        inner = s[partial]
        inner.compute_at(stage, row)
        inner.set_scope("local")
        part = partial.op.axis[0]
        inner.reorder(inner.op.reduce_axis[0], part)
        outer, vector = inner.split(part, factor=LANES)
        inner.unroll(outer)
        inner.vectorize(vector)
    s[tensor].compute_at(stage, row)


def schedule_rows_opencl_cpu(defn: Definition, target: Target) -> Schedule:
    """One work-group of one work-item a row, or for some rows where the result has one value a row."""
    out = defn.outputs[0]
    s = te.create_schedule(out.op)
    stage = s[out]
    row = out.op.axis[0]
    if len(out.shape) > 1:
        vectors, lane = stage.split(out.op.axis[1], factor=LANES)
        stage.vectorize(lane)
        stage.bind(row, te.thread_axis("blockIdx.x"))
        if leaves_the_caches(defn):
            stage.pragma(vectors, "cache_hint", "streaming")
    else:
        block, row = stage.split(row, factor=ROWS)
        stage.bind(block, te.thread_axis("blockIdx.x"))
    columns = extent(defn.inputs[0].shape[1])
    for tensor in defn.intermediates:
        own = s[tensor]
        if len(tensor.shape) > 1 and (tensor is defn.intermediates[0] or not columns or columns > MOST_PRIVATE):
            own.compute_inline()
            continue
        own.compute_at(stage, row)
        own.set_scope("local")
        if len(tensor.shape) > 1:
            _, lane = own.split(tensor.op.axis[1], factor=LANES)
            own.vectorize(lane)
        elif is_reduction(tensor) and columns:
            _vector_reduction(s, tensor, stage, row)
    return s
