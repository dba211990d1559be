"""Elementwise kernels on GPUs: 16-byte loads, some of them in flight in each thread."""

from __future__ import annotations

import math

from gpucomp import te
from gpucomp.kernels.registry import Definition, extent, row_lanes
from gpucomp.target import Target
from gpucomp.te import Schedule
from gpucomp.tir.expr import Call
from gpucomp.tir.functor import expr_post_order

THREADS = 256
# Where nothing is computed that takes registers, and vectors are many, fewer and larger blocks gain half a percent.
MOST_THREADS = 1024
MANY_VECTORS = 1 << 22


def schedule_elementwise(defn: Definition, target: Target) -> Schedule:
    """Fuse all axes; each thread computes one vector of 16 bytes, or one element of a symbolic size."""
    out = defn.outputs[0]
    s = te.create_schedule(out.op)
    for producer in defn.intermediates:
        s[producer].compute_inline()
    stage = s[out]
    fused = stage.fuse(*out.op.axis)
    lanes = vector_lanes(defn)
    if lanes > 1:
        fused, vector = stage.split(fused, factor=lanes)
        stage.vectorize(vector)
    block, thread = stage.split(fused, factor=threads_of(defn, target))
    stage.bind(block, te.thread_axis("blockIdx.x"))
    stage.bind(thread, te.thread_axis("threadIdx.x"))
    return s


def why(defn: Definition, target: Target) -> str:
    """What led to the vectors and blocks, in one line."""
    lanes, threads = vector_lanes(defn), threads_of(defn, target)
    known = None not in [extent(size) for size in defn.outputs[0].shape]
    nbytes = lanes * max([tensor.dtype.nbytes for tensor in defn.args])
    vectors = f"a vector of {nbytes} bytes for each thread"
    if lanes == 1:
        vectors = "an element for each thread" + ("" if known else ": extents are not known")
    if known and nbytes < 16:
        vectors += ": rows that share an input along them are made of no wider ones"
    large = " of many vectors that are only moved, added or scaled" if threads > THREADS else ""
    return f"{vectors}; blocks of {threads} threads{large}"


def threads_of(defn: Definition, target: Target) -> int:
    """Threads of a block."""
    return min(_threads(defn, vector_lanes(defn)), target.max_num_threads)


def _threads(defn: Definition, lanes: int) -> int:
    """Threads of a block: many where many vectors are only added, scaled or copied."""
    op = defn.outputs[0].op
    vectors = math.prod([extent(size) or 0 for size in defn.outputs[0].shape]) // lanes
    if vectors < MANY_VECTORS or defn.intermediates or not isinstance(op, te.ComputeOp):
        return THREADS
    broadcast = any([len(tensor.shape) != len(defn.outputs[0].shape) for tensor in defn.inputs])
    calls = any([isinstance(node, Call) for value in op.body for node in expr_post_order(value)])
    return THREADS if broadcast or calls else MOST_THREADS


def vector_lanes(defn: Definition) -> int:
    """Lanes of a vector of 16 bytes of the widest input or output; 1 for symbolic extents.

    A vector may not cross a row where an input is broadcast along it: its loads would not be one access.
    """
    out = defn.outputs[0]
    sizes = [extent(size) for size in out.shape]
    if None in sizes:
        return 1
    nbytes = max(tensor.dtype.nbytes for tensor in defn.args)
    broadcast = any(len(tensor.shape) != len(out.shape) for tensor in defn.inputs)
    return row_lanes(sizes[-1], nbytes) if broadcast else max(1, 16 // nbytes)
