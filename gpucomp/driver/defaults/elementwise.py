"""Stages that reduce nothing: each thread computes a vector of 16 bytes.

Where all reads go through rows that are made of such vectors, or through everything in order, loads are vectors too.
Elsewhere (rows of odd length that share a bias, windows, padding) the store is one, and so are the loads that lie as
it does; the others are taken lane by lane, and come out of the cache.
"""

from __future__ import annotations

import math
from typing import Final

from gpucomp.driver.defaults.access import VECTOR, Read, extent, lanes_of, product, reads_of
from gpucomp.target import Target
from gpucomp.te.api import thread_axis
from gpucomp.te.operation import ComputeOp
from gpucomp.te.stage import Stage
from gpucomp.tir.expr import IterVar
from gpucomp.tir.functor import expr_post_order

THREADS: Final = 256
LARGE: Final = 1 << 18  # elements, of which fewer are not worth a vector: more threads wait for memory then
TURNS: Final = 4  # elements of a thread that has no vectors
NODES: Final = 400  # of an expression, of which more are not written out for every lane


def schedule(stage: Stage, op: ComputeOp, target: Target) -> str:
    """Give the elements of an injective stage to threads; returns why so.

    Args:
        stage: to be scheduled.
        op: its operation with what is inlined into it.
        target: what for.
    """
    threads = min(THREADS, target.max_num_threads)
    total, reads = product(op.axis), reads_of(op)
    last = next((axis for axis in reversed(op.axis) if extent(axis) != 1), None)
    moving = [read.tensor for read in reads if last is not None and read.uses(last)]
    widest = max([body.dtype.nbytes for body in op.body] + [tensor.dtype.nbytes for tensor in moving])
    full, run = max(1, VECTOR // widest), run_of(op, reads)
    room = max(1, NODES // max(1, len(expr_post_order(*op.body))))
    small = total is not None and total < LARGE
    fused = stage.fuse(*stage.op.axis)
    lanes, how = lanes_of(run, widest), "loads and stores"
    if lanes < full and total is not None and last is not None and all([read.step(last) in (0, 1) for read in reads]):
        lanes, how = full, "stores, and loads where rows allow"
    while lanes > room or (lanes > 1 and small):
        lanes //= 2
    if lanes > 1:
        fused, vector = stage.split(fused, factor=lanes)
        stage.vectorize(vector)
        return _spread(stage, fused, threads, f"each thread a vector of {lanes} elements ({how})")
    if total is None or small or room < TURNS:
        why = "extents are not known" if total is None else "there are few" if small else "they are long expressions"
        return _spread(stage, fused, threads, f"each thread an element, for {why}")
    block, rest = stage.split(fused, factor=threads * TURNS)
    turn, thread = stage.split(rest, factor=threads)
    stage.unroll(turn)
    stage.bind(block, thread_axis("blockIdx.x"))
    stage.bind(thread, thread_axis("threadIdx.x"))
    return f"each thread {TURNS} elements, for they are not read side by side; blocks of {threads} threads"


def run_of(op: ComputeOp, reads: list[Read]) -> int:
    """Elements of the result that follow each other and are read so from every tensor that depends on them."""
    axes = op.axis
    for first in range(len(axes)):
        suffix = axes[first:]
        if not all([read.keeps(suffix) or not any([read.uses(axis) for axis in suffix]) for read in reads]):
            continue
        size = product(suffix)
        whole = first == 0 and all([read.keeps(suffix) and read.offset(suffix) == 0 for read in reads])
        if whole and (size is not None or len(axes) == 1):
            return VECTOR * -(-(size or 1) // VECTOR)  # the last vector may be short
        if size is None:
            continue
        return math.gcd(size, *[read.offset(suffix) for read in reads])
    return 1


def _spread(stage: Stage, fused: IterVar, threads: int, why: str) -> str:
    block, thread = stage.split(fused, factor=threads)
    stage.bind(block, thread_axis("blockIdx.x"))
    stage.bind(thread, thread_axis("threadIdx.x"))
    return f"{why}; blocks of {threads} threads"
