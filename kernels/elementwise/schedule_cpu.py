"""Elementwise kernels on processors."""

from __future__ import annotations

from gpucomp import te
from gpucomp.kernels.processor import leaves_the_caches
from gpucomp.kernels.registry import Definition
from gpucomp.target import Target
from gpucomp.te import Schedule

CHUNK, LANES = 8192, 16


def schedule_elementwise(defn: Definition, target: Target) -> Schedule:
    """Chunks in parallel, vectors inside."""
    out = defn.outputs[0]
    s = te.create_schedule(out.op)
    for producer in defn.intermediates:
        s[producer].compute_inline()
    stage = s[out]
    chunk, inner = stage.split(stage.fuse(*out.op.axis), factor=CHUNK)
    vectors, lane = stage.split(inner, factor=LANES)
    stage.parallel(chunk)
    stage.vectorize(lane)
    if leaves_the_caches(defn):
        stage.pragma(vectors, "nontemporal")
    return s


def schedule_elementwise_opencl_cpu(defn: Definition, target: Target) -> Schedule:
    """One work-group of one work-item a chunk."""
    out = defn.outputs[0]
    s = te.create_schedule(out.op)
    for producer in defn.intermediates:
        s[producer].compute_inline()
    stage = s[out]
    chunk, inner = stage.split(stage.fuse(*out.op.axis), factor=CHUNK)
    vectors, lane = stage.split(inner, factor=LANES)
    stage.bind(chunk, te.thread_axis("blockIdx.x"))
    stage.vectorize(lane)
    if leaves_the_caches(defn):
        stage.pragma(vectors, "cache_hint", "streaming")
    return s
