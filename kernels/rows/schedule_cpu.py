"""Row-wise kernels on processors: rows in parallel, columns in vectors."""

from __future__ import annotations

from gpucomp import te
from gpucomp.kernels.registry import Definition
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor
from gpucomp.tir.expr import IterVar

PARTS, LANES = 64, 16  # four registers of 16 floats: independent sums hide the latency of an addition


def schedule_softmax(defn: Definition, target: Target) -> Schedule:
    """Schedule softmax over the last axis: four passes over a row, whose exponentials stay in the cache."""
    out = defn.outputs[0]
    s = te.create_schedule(out.op)
    stage = s[out]
    row, column = out.op.axis
    _, lane = stage.split(column, factor=LANES)
    stage.vectorize(lane)
    stage.parallel(row)
    maximum, powers, total = defn.intermediates
    s[powers].compute_at(stage, row)
    _, lane = s[powers].split(powers.op.axis[1], factor=LANES)
    s[powers].vectorize(lane)
    for reduction in (maximum, total):
        _vector_reduction(s, reduction, stage, row)
    return s


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


def schedule_softmax_opencl_cpu(defn: Definition, target: Target) -> Schedule:
    """One work-group of one work-item a row."""
    out = defn.outputs[0]
    s = te.create_schedule(out.op)
    stage = s[out]
    row, column = out.op.axis
    _, lane = stage.split(column, factor=LANES)
    stage.vectorize(lane)
    stage.bind(row, te.thread_axis("blockIdx.x"))
    maximum, powers, total = defn.intermediates
    s[powers].compute_inline()
    for reduction in (maximum, total):
        s[reduction].compute_at(stage, row)
    return s
