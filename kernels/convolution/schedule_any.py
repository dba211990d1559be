"""Convolutions of every kind on processors: which schedule takes one, and the one that takes all.

That one has vectors along the last dimension of the result, sums in registers, and no tile.
"""

from __future__ import annotations

from gpucomp import te
from gpucomp.kernels.convolution.compute import ConvolutionDefinition
from gpucomp.kernels.convolution.schedule_channels_last_cpu import Share, schedule_channels_last, takes_channels_last
from gpucomp.kernels.convolution.schedule_cpu import schedule_conv2d, schedule_conv2d_opencl_cpu, work_group
from gpucomp.kernels.convolution.schedule_phases_cpu import schedule_phases
from gpucomp.kernels.processor import vector_bytes
from gpucomp.kernels.registry import Definition, extent
from gpucomp.target import Target
from gpucomp.te import Schedule, Stage

LANES = 16


def schedule_cpu(defn: Definition, target: Target) -> Schedule:
    """Tiles in registers; of channels last, in groups or of few filters, vectors of the last dimension."""
    assert isinstance(defn, ConvolutionDefinition)
    if defn.problem.has_phases:
        return schedule_phases(defn, vector_bytes(target) // defn.product.dtype.nbytes, Stage.parallel)
    if not defn.problem.channels_last:
        return schedule_conv2d(defn, target)
    if takes_channels_last(defn):
        return schedule_channels_last(defn, vector_bytes(target) // defn.product.dtype.nbytes, Stage.parallel)
    return _vectors(defn, Stage.parallel)


def schedule_opencl_cpu(defn: Definition, target: Target) -> Schedule:
    """The same in work-groups of one work-item."""
    assert isinstance(defn, ConvolutionDefinition)
    if defn.problem.has_phases:
        return schedule_phases(defn, vector_bytes(target) // defn.product.dtype.nbytes, work_group)
    if not defn.problem.channels_last:
        return schedule_conv2d_opencl_cpu(defn, target)
    if takes_channels_last(defn):
        return schedule_channels_last(defn, vector_bytes(target) // defn.product.dtype.nbytes, work_group)
    return _vectors(defn, work_group)


def _vectors(defn: ConvolutionDefinition, share: Share) -> Schedule:
    """All but the last dimension of the result shared among threads; a vector of it is summed in registers."""
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
    for made in defn.intermediates:
        if made is not defn.product:
            share(s[made], s[made].fuse(*made.op.axis[:2]))
    share(stage, outer)
    return s
