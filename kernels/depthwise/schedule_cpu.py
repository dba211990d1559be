"""Depthwise convolutions on processors: vectors along rows (NCHW) or channels (NHWC), a few of them in registers.

A task copies the pixels that it needs, with the zeros around them, to a buffer that the second cache holds; what reads
them needs no conditions then.
"""

from __future__ import annotations

from typing import Final

from gpucomp import te
from gpucomp.kernels.gemm.epilogue import accumulator, product_of
from gpucomp.kernels.registry import Definition, extent
from gpucomp.target import Target
from gpucomp.te import Schedule
from gpucomp.tir.expr import IterVar

VECTOR_BYTES: Final = 64
BUFFER_BYTES: Final = 1 << 18  # of a task: a quarter of a second cache
ROWS: Final = 4
MOST_SUMS: Final = 8  # vectors: so many hide the latency of an addition
LEAST_TASKS: Final = 16


def schedule_depthwise(defn: Definition, target: Target) -> Schedule:
    """Planes (NCHW), or some rows of an image (NHWC), in parallel."""
    s, task = _schedule(defn)
    s[defn.outputs[0]].parallel(task)
    return s


def schedule_depthwise_opencl_cpu(defn: Definition, target: Target) -> Schedule:
    """The same tasks as work-groups of one work-item."""
    s, task = _schedule(defn)
    s[defn.outputs[0]].bind(task, te.thread_axis("blockIdx.x"))
    return s


def _schedule(defn: Definition) -> tuple[Schedule, IterVar]:
    first = product_of(defn).op.tag == "depthwise_conv2d_nchw"
    padded, out = defn.intermediates[0], defn.outputs[0]
    s = te.create_schedule(out.op)
    acc = accumulator(s, Definition(defn.inputs, defn.outputs, defn.intermediates[1:]))
    if all([extent(size) is not None for size in padded.shape[1:]]):
        s[padded].set_scope("local")
    lanes = VECTOR_BYTES // acc.dtype.nbytes
    stage = s[out]
    axes = list(out.op.axis)
    n, c, y, x = axes if first else [axes[i] for i in (0, 3, 1, 2)]
    chunk = task_rows(defn, first)
    yc, y = stage.split(y, factor=chunk)
    rows, vectors, lanes = _row_tile(chunk, extent(out.shape[3]), lanes) if first else (1, 1, lanes)
    yo, yi = stage.split(y, factor=rows)
    if first:
        xv, lane = stage.split(x, factor=lanes)
        xo, xi = stage.split(xv, factor=vectors)
        stage.reorder(n, c, yc, yo, xo, yi, xi, lane)
        task, at = stage.fuse(n, c, yc), xo
    else:
        channels = extent(out.shape[3])
        lanes = lanes if channels is None else min(lanes, 1 << (channels - 1).bit_length())
        cv, lane = stage.split(c, factor=lanes)
        xo, xi = stage.split(x, factor=2 * ROWS)
        stage.reorder(n, yc, yo, cv, xo, yi, xi, lane)
        task, at = stage.fuse(n, yc), xo
    stage.unroll(yi)
    stage.unroll(xi)
    stage.vectorize(lane)

    s[padded].compute_at(stage, task)
    _, pad_lane = s[padded].split(padded.op.axis[3], factor=lanes)
    s[padded].vectorize(pad_lane)
    inner = s[acc]
    inner.compute_at(stage, at)
    a0, a1, a2, last = acc.op.axis
    av, al = inner.split(last, factor=lanes)
    inner.storage_align(a2, lanes, 0)
    inner.reorder(a0, a1, *acc.op.reduce_axis, a2, av, al)
    # Of a few filters for each channel the vectors are put together lane by lane: their rows stay a loop.
    together = first or extent(out.shape[3]) == extent(defn.inputs[0].shape[3])
    for axis in (*acc.op.reduce_axis[0 if together else 1 :], a2, av):
        inner.unroll(axis)
    inner.vectorize(al)
    return s, task


def _row_tile(height: int | None, width: int | None, lanes: int) -> tuple[int, int, int]:
    """Rows, vectors and lanes that stay in registers: half vectors where those leave none over, few rows left over."""
    if width is None or height is None:
        return ROWS, 2, lanes
    if width % lanes and width % (lanes // 2) == 0:
        lanes //= 2
    lanes = min(lanes, 1 << (width - 1).bit_length())
    count = -(-width // lanes)
    vectors = max([v for v in range(1, 5) if count % v == 0])
    rows = max([r for r in range(1, MOST_SUMS // vectors + 1) if height % r == 0])
    return rows if rows > 1 else min(ROWS, height), vectors, lanes


def task_rows(defn: Definition, first: bool) -> int:
    """Rows of the result of a task: as many as its buffer holds the pixels of, and as leave several tasks."""
    image, out = defn.inputs[0], defn.outputs[0]
    at = 2 if first else 1
    sizes = [extent(size) for size in (*image.shape, out.shape[at], image.shape[0])]
    if None in sizes:
        return ROWS
    n, *dims, height, _ = [size or 1 for size in sizes]
    tasks = n * dims[0] if first else n
    row_bytes = image.dtype.nbytes * (dims[2] if first else dims[1] * dims[2])
    stride = max(1, dims[at - 1] // height)
    most = max(ROWS, BUFFER_BYTES // (row_bytes * stride) // ROWS * ROWS)
    chunks = max(-(-height // most), -(-LEAST_TASKS // tasks))
    each = -(-height // chunks)
    return min(height, -(-each // ROWS) * ROWS)
