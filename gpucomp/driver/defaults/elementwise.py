"""Stages that reduce nothing: each thread computes a vector of 16 bytes.

A vector does not cross the end of what all reads go through in one piece: a row, or several rows that are all read
whole or not at all (``run_of``).  Where that leaves single elements, a thread computes some of them, far apart.
"""

from __future__ import annotations

import math
from typing import Final

from gpucomp.driver.defaults.access import VECTOR, Read, lanes_of, product, reads_of
from gpucomp.te.api import thread_axis
from gpucomp.te.operation import ComputeOp
from gpucomp.te.stage import Stage
from gpucomp.target import Target
from gpucomp.tir.functor import expr_post_order

THREADS: Final = 256
LARGE: Final = 1 << 18  # elements, of which fewer are not worth a vector: more threads wait for memory then
TURNS: Final = 4  # elements of a thread that has no vectors
NODES: Final = 400  # of an expression, of which more are not written out for every lane


def run_of(op: ComputeOp, reads: list[Read]) -> int | None:
    """Elements of the result that follow each other and are read so from every tensor that depends on them."""
    axes = op.axis
    for first in range(len(axes)):
        suffix = axes[first:]
        if all([read.keeps(suffix) or not any([read.uses(axis) for axis in suffix]) for read in reads]):
            whole = first == 0 and all([read.keeps(suffix) for read in reads])
            size = product(suffix)
            if size is None or whole:
                return size and -(-size // VECTOR) * VECTOR  # the last vector may be short
            return math.gcd(size, *[read.offset(suffix) for read in reads])
    return 1


def schedule(stage: Stage, op: ComputeOp, target: Target) -> str:
    """Give the elements of an injective stage to threads; returns why so.

    Args:
        stage: to be scheduled.
        op: its operation with what is inlined into it.
        target: what for.
    """
    threads = min(THREADS, target.max_num_threads)
    total, reads = product(op.axis), reads_of(op)
    moving = [read.tensor for read in reads if op.axis and read.uses(op.axis[-1])]
    widest = max([body.dtype.nbytes for body in op.body] + [tensor.dtype.nbytes for tensor in moving])
    fused = stage.fuse(*stage.op.axis)
    if total is None:
        return _spread(stage, fused, threads, "one element a thread: extents are symbolic")
    run = run_of(op, reads)
    lanes = lanes_of(run, widest)
    nodes = len(expr_post_order(*op.body))
    while lanes > 1 and (total // lanes < LARGE // 4 or nodes * lanes > NODES):
        lanes //= 2
    if lanes > 1:
        fused, vector = stage.split(fused, factor=lanes)
        stage.vectorize(vector)
        return _spread(stage, fused, threads, f"vectors of {lanes} elements, one a thread")
    if total < LARGE or nodes * TURNS > NODES:
        return _spread(stage, fused, threads, "one element a thread")
    why = f"{TURNS} elements a thread: only {math.gcd(run or 1, VECTOR)} of a row follow each other in vectors"
    block, rest = stage.split(fused, factor=threads * TURNS)
    turn, thread = stage.split(rest, factor=threads)
    stage.unroll(turn)
    stage.bind(block, thread_axis("blockIdx.x"))
    stage.bind(thread, thread_axis("threadIdx.x"))
    return why


def _spread(stage: Stage, fused: object, threads: int, why: str) -> str:
    block, thread = stage.split(fused, factor=threads)  # pyright: ignore
    stage.bind(block, thread_axis("blockIdx.x"))
    stage.bind(thread, thread_axis("threadIdx.x"))
    return f"{why}; blocks of {threads} threads"
