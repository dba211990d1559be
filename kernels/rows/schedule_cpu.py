"""Row-wise kernels on processors: rows in parallel, columns in vectors."""

from __future__ import annotations

from gpucomp import te
from gpucomp.kernels.registry import Definition
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor
from gpucomp.tir.expr import IterVar

LANES = 64  # four registers of 16 floats: independent sums hide the latency of an addition


def schedule_softmax(defn: Definition, target: Target) -> Schedule:
    """Schedule softmax over the last axis: three passes over a row that stays in the first-level cache."""
    out = defn.outputs[0]
    s = te.create_schedule(out.op)
    stage = s[out]
    row, column = out.op.axis
    _, lane = stage.split(column, factor=16)
    stage.vectorize(lane)
    stage.parallel(row)
    maximum, powers, total = defn.intermediates
    s[powers].compute_inline()
    for reduction in (maximum, total):
        _vector_reduction(s, reduction, stage, row)
    return s


def _vector_reduction(s: Schedule, tensor: Tensor, stage: te.Stage, row: IterVar) -> None:
    """Reduce ``LANES`` interleaved parts in vectors, then those to one value."""
    _, lane = s[tensor].split(tensor.op.reduce_axis[0], factor=LANES)
    partial = s.rfactor(tensor, lane)
    s[tensor].compute_at(stage, row)
    s[partial].compute_at(stage, row)
    inner = s[partial]
    part = partial.op.axis[0]
    inner.reorder(inner.op.reduce_axis[0], part)
    outer, vector = inner.split(part, factor=16)
    inner.unroll(outer)
    inner.vectorize(vector)


def schedule_softmax_opencl_cpu(defn: Definition, target: Target) -> Schedule:
    """One work-group of one work-item a row."""
    out = defn.outputs[0]
    s = te.create_schedule(out.op)
    stage = s[out]
    row, column = out.op.axis
    _, lane = stage.split(column, factor=16)
    stage.vectorize(lane)
    stage.bind(row, te.thread_axis("blockIdx.x"))
    maximum, powers, total = defn.intermediates
    s[powers].compute_inline()
    for reduction in (maximum, total):
        s[reduction].compute_at(stage, row)
    return s
