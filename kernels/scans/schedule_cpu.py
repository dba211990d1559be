"""Scans on processors: rows in parallel; the sums of runs stay in the cache."""

from __future__ import annotations

from gpucomp import te
from gpucomp.kernels.registry import Definition
from gpucomp.target import Target
from gpucomp.te import Schedule
from gpucomp.tir.expr import IterVar


def schedule_scan(defn: Definition, target: Target) -> Schedule:
    """A row a task."""
    s, row = _rows(defn)
    s[defn.outputs[0]].parallel(row)
    return s


def schedule_scan_opencl_cpu(defn: Definition, target: Target) -> Schedule:
    """One work-group of one work-item a row."""
    s, row = _rows(defn)
    s[defn.outputs[0]].bind(row, te.thread_axis("blockIdx.x"))
    return s


def _rows(defn: Definition) -> tuple[Schedule, IterVar]:
    (out,) = defn.outputs
    s = te.create_schedule(out.op)
    row = out.op.axis[0]
    x, *sums = defn.intermediates
    s[x].compute_inline()
    for tensor in sums:
        s[tensor].compute_at(s[out], row)
    within = sums[-1]
    s[within].reorder(s[within].op.reduce_axis[0], within.op.axis[3])
    s[within].vectorize(within.op.axis[3])
    return s, row
