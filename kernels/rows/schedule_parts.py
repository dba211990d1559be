"""Reductions of few long rows on GPUs in two kernels: blocks reduce parts of a row, then one block a row the parts.

A block on its own reads a long row at a fraction of what the memory gives.  Blocks take tiles of a row in turns, so
that at any time they read from one part of the memory; the order of additions is fixed, and so is the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gpucomp import te
from gpucomp.kernels.registry import Definition, extent, is_reduction, row_lanes
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor

THREADS: Final = 512
SUM_THREADS: Final = 256
VECTORS_IN_FLIGHT: Final = 4  # vectors that a thread loads before it adds the first
IN_TURNS: Final = 528  # blocks, four of them on each of the 132 multiprocessors that this was measured on
ROW_BYTES: Final = 1 << 18  # of a row at least; one block reads less about as fast as a second kernel starts


@dataclass(frozen=True, slots=True)
class Parts:
    """How a row is divided: ``tiles`` of ``threads`` threads with some vectors of ``lanes`` each, among ``blocks``."""

    lanes: int
    threads: int
    tiles: int
    blocks: int

    @property
    def why(self) -> str:
        """In words."""
        return f"few long rows: {self.tiles} tiles of each, which {self.blocks} blocks reduce in turns"


def parts_of(defn: Definition, target: Target) -> Parts | None:
    """How rows are divided; None where one kernel is as fast: short rows, many of them, or several reductions."""
    rows, columns = [extent(x) for x in defn.inputs[0].shape]
    total = defn.intermediates[-1]
    plain = len(defn.intermediates) == 2 and is_reduction(total) and len(defn.outputs[0].shape) == 1
    if rows is None or columns is None or not plain:
        return None
    nbytes = defn.inputs[0].dtype.nbytes
    lanes, threads = row_lanes(columns, nbytes), min(THREADS, target.max_num_threads)
    tiles = -(-columns // (threads * lanes * VECTORS_IN_FLIGHT))
    most = min(tiles, IN_TURNS // rows)
    if columns * nbytes < ROW_BYTES or most < 2:
        return None
    turns = -(-tiles // most)
    return Parts(lanes, threads, tiles, -(-tiles // turns))


def schedule_parts(defn: Definition, parts: Parts) -> Schedule:
    """Schedule a reduction of each row to one value."""
    (out,) = defn.outputs
    x, total = defn.intermediates
    s = te.create_schedule(out.op)
    (k,) = s[total].op.reduce_axis
    number, _ = s[total].split(k, factor=parts.threads * parts.lanes * VECTORS_IN_FLIGHT)
    _, block = s[total].split(number, factor=parts.blocks)
    partial: Tensor = s.rfactor(total, block)
    s[x].set_scope("local")
    loads = [x, *[s.cache_read(t, "local", [partial]) for t in defn.inputs if len(t.shape) == 1]]
    partial = s[partial].op.output(0)
    stage = s[partial]
    part, row = partial.op.axis
    turns, inside = partial.op.reduce_axis
    vector, lane = stage.split(inside, factor=parts.lanes)
    turn, thread = stage.split(vector, factor=parts.threads)
    stage.reorder(row, part, thread, turns, turn, lane)
    stage.bind(row, te.thread_axis("blockIdx.y"))
    stage.bind(part, te.thread_axis("blockIdx.x"))
    stage.bind(thread, te.thread_axis("threadIdx.x"))
    stage.unroll(turn)
    stage.unroll(lane)
    for load in loads:
        s[load].compute_at(stage, turn)
        if parts.lanes > 1:
            s[load].vectorize(load.op.axis[-1])

    finish, summed = s[out], s[total]
    finish.bind(out.op.axis[0], te.thread_axis("blockIdx.x"))
    summed.compute_at(finish, out.op.axis[0])
    summed.set_scope("local")
    few = 1 << (parts.blocks - 1).bit_length()
    _, thread = summed.split(summed.op.reduce_axis[0], factor=min(few, SUM_THREADS, parts.threads))
    summed.bind(thread, te.thread_axis("threadIdx.x"))
    return s
