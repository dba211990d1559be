"""Direct two-dimensional convolution (NCHW) on processors: vectors along the rows of an image."""

from __future__ import annotations

from gpucomp import te
from gpucomp.kernels.registry import Definition, extent
from gpucomp.target import Target
from gpucomp.te import Schedule
from gpucomp.tir.expr import IterVar

CHANNELS, LANES = 4, 16


def _lanes(width: int | None) -> int:
    """The longest vector that divides the width, else a full one with a tail."""
    if width is None:
        return LANES
    best = max([d for d in range(1, LANES + 1) if width % d == 0])
    return best if best >= 4 else min(LANES, width)


def schedule_conv2d(defn: Definition, target: Target) -> Schedule:
    """Images and channel groups in parallel; a group of channels by a row of pixels in registers."""
    out = defn.outputs[0]
    s = te.create_schedule(out.op)
    acc = s.cache_write(out, "local")
    for padded in defn.intermediates:
        image = s[padded]
        image.parallel(image.fuse(*padded.op.axis[:2]))
    stage = s[out]
    n, o, y, x = out.op.axis
    lanes = _lanes(extent(out.shape[3]))
    oo, oi = stage.split(o, factor=CHANNELS)
    xo, xi = stage.split(x, factor=2 * lanes)
    xv, xl = stage.split(xi, factor=lanes)
    stage.reorder(n, oo, y, xo, oi, xv, xl)
    stage.parallel(stage.fuse(n, oo))
    stage.unroll(oi)
    stage.unroll(xv)
    if lanes > 1:
        stage.vectorize(xl)
    _accumulate(s, acc, stage, xo, lanes)
    return s


def schedule_conv2d_opencl_cpu(defn: Definition, target: Target) -> Schedule:
    """One work-group of one work-item for a group of channels and a row of pixels."""
    out = defn.outputs[0]
    s = te.create_schedule(out.op)
    acc = s.cache_write(out, "local")
    for padded in defn.intermediates:
        s[padded].bind(s[padded].fuse(*padded.op.axis[:2]), te.thread_axis("blockIdx.x"))
    stage = s[out]
    n, o, y, x = out.op.axis
    lanes = _lanes(extent(out.shape[3]))
    oo, oi = stage.split(o, factor=CHANNELS)
    xo, xi = stage.split(x, factor=lanes)
    stage.reorder(n, oo, y, xo, oi, xi)
    stage.bind(stage.fuse(n, oo), te.thread_axis("blockIdx.y"))
    stage.bind(y, te.thread_axis("blockIdx.x"))
    stage.unroll(oi)
    if lanes > 1:
        stage.vectorize(xi)
    _accumulate(s, acc, stage, xo, lanes)
    return s


def _accumulate(s: Schedule, acc: te.Tensor, stage: te.Stage, at: IterVar, lanes: int) -> None:
    inner = s[acc]
    inner.compute_at(stage, at)
    _, ao, _, ax = acc.op.axis
    av, al = inner.split(ax, factor=lanes)
    inner.reorder(*acc.op.reduce_axis, ao, av, al)
    inner.unroll(ao)
    inner.unroll(av)
    if lanes > 1:
        inner.vectorize(al)
