"""Convolutions of every kind on processors: vectors along the last dimension of the result, sums in registers."""

from __future__ import annotations

from gpucomp import te
from gpucomp.kernels.convolution.compute import ConvolutionDefinition
from gpucomp.kernels.registry import Definition, extent
from gpucomp.target import Target
from gpucomp.te import Schedule
from gpucomp.tir.expr import IterVar

LANES = 16


def schedule_cpu(defn: Definition, target: Target) -> Schedule:
    """All but the last dimension of the result in parallel; a vector of it is summed in registers."""
    assert isinstance(defn, ConvolutionDefinition)
    s, rest = _vectors(defn)
    for made in defn.intermediates:
        if made is defn.spread and defn.padded is not None:
            s[made].compute_inline()
        elif made is not defn.product:
            s[made].parallel(s[made].fuse(*made.op.axis[:2]))
    s[defn.outputs[0]].parallel(rest)
    return s


def schedule_opencl_cpu(defn: Definition, target: Target) -> Schedule:
    """A work-group of one work-item for each row of the result."""
    assert isinstance(defn, ConvolutionDefinition)
    s, rest = _vectors(defn)
    for made in defn.intermediates:
        if made is defn.spread and defn.padded is not None:
            s[made].compute_inline()
        elif made is not defn.product:
            s[made].bind(s[made].fuse(*made.op.axis[:2]), te.thread_axis("blockIdx.x"))
    s[defn.outputs[0]].bind(rest, te.thread_axis("blockIdx.x"))
    return s


def _vectors(defn: ConvolutionDefinition) -> tuple[Schedule, IterVar]:
    """The schedule of the result in vectors, and its loop over all else."""
    out = defn.outputs[0]
    s = te.create_schedule(out.op)
    if defn.product is out:
        acc = s.cache_write(out, "local")
    else:
        acc = defn.product
        s[acc].set_scope("local")
    stage = s[out]
    *rest, last = out.op.axis
    width = extent(out.shape[-1])
    lanes = LANES if width is None else min(LANES, 1 << (width - 1).bit_length())
    each, lane = stage.split(last, factor=lanes)
    outer = stage.fuse(*rest)
    inner = s[acc]
    inner.compute_at(stage, each)
    acc = inner.op.output(0)
    _, inner_lane = inner.split(acc.op.axis[-1], factor=lanes)
    inner.reorder(*acc.op.reduce_axis, inner_lane)
    if lanes > 1:
        stage.vectorize(lane)
        inner.vectorize(inner_lane)
    return s, outer
