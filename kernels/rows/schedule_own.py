"""Schedules of operators on long rows whose threads reduce their own parts first (``own_parts``).

A row waits in the shared memory of the blocks of a cluster.  Where there is one, a copy engine brings it there, and
the second-level cache is asked for the rows of later blocks meanwhile.
"""

from __future__ import annotations

from typing import Final

from gpucomp import te
from gpucomp.kernels.registry import Definition, extent
from gpucomp.kernels.rows.own_parts import OWN
from gpucomp.kernels.rows.tiles import Tile
from gpucomp.te import Schedule, Tensor
from gpucomp.tir.expr import IterVar

MANY_BLOCKS: Final = 64  # fewer have a multiprocessor each: the compiler is free to use its registers


def is_own(defn: Definition) -> bool:
    """True for definitions of ``own_parts``."""
    return any([len(t.shape) == OWN for t in defn.intermediates])


def schedule_own(defn: Definition, tile: Tile) -> Schedule:
    """Schedule a definition of ``own_parts`` that was made for the tile."""
    return _OwnParts(defn, tile).schedule(defn.outputs[0])


class _OwnParts:
    """One schedule while it is made."""

    def __init__(self, defn: Definition, tile: Tile) -> None:
        self.defn, self.tile = defn, tile
        self.s = te.create_schedule(defn.outputs[0].op)
        self.tx = te.thread_axis("threadIdx.x")
        self.rank = te.thread_axis("clusterIdx.x")

    def schedule(self, out: Tensor) -> Schedule:
        tile, stage, row = self.tile, self.s[out], out.op.axis[0]
        vector, lane = stage.split(out.op.axis[1], factor=tile.lanes)
        rank, vector = stage.split(vector, nparts=tile.cluster)
        chunk, thread = stage.split(vector, factor=tile.threads)
        stage.reorder(row, rank, thread, chunk, lane)
        stage.pragma(chunk, "unroll_factor", self.tile.abreast)
        stage.vectorize(lane)
        stage.bind(row, te.thread_axis("blockIdx.x"))
        stage.bind(rank, self.rank)
        stage.bind(thread, self.tx)
        if tile.blocks and (extent(out.shape[0]) or MANY_BLOCKS) * tile.cluster >= MANY_BLOCKS:
            stage.pragma(row, "min_blocks", tile.blocks)
        x, *found = self.defn.intermediates
        self.s[x].compute_inline()
        waiting = [self.s.cache_read(a, "shared.dyn", [x]) for a in self.defn.inputs if len(a.shape) > 1]
        done: list[te.Operation] = []
        for tensor in reversed(found):
            if tensor.op in done:
                continue
            done.append(tensor.op)
            self.s[tensor].compute_at(stage, row)
            self.s[tensor].set_scope("local")
            self._reduction(tensor)
        for copy in waiting:
            self._copy(copy, stage, row)
        return self.s

    def _reduction(self, tensor: Tensor) -> None:
        stage = self.s[tensor]
        axes = stage.op.reduce_axis
        if not axes:
            return
        if len(tensor.shape) == 1:
            stage.bind(axes[0], self.rank)
            stage.bind(axes[1], self.tx)
            return
        chunk, lane = axes
        stage.pragma(chunk, "unroll_factor", self.tile.abreast)
        stage.unroll(lane)
        for read in list(stage.op.input_tensors):
            if len(read.shape) == OWN:
                continue
            vector = self.s.cache_read(read, "local", [tensor])
            self.s[vector].compute_at(stage, chunk)
            self.s[vector].vectorize(vector.op.axis[-1])

    def _copy(self, copy: Tensor, stage: te.Stage, row: IterVar) -> None:
        own = self.s[copy]
        own.compute_at(stage, row)
        outer, column = copy.op.axis
        vector, lane = own.split(column, factor=self.tile.lanes)
        chunk, thread = own.split(vector, factor=self.tile.threads)
        own.bind(thread, self.tx)
        own.reorder(outer, thread, chunk, lane)
        own.pragma(chunk, "unroll_factor", self.tile.abreast)
        own.vectorize(lane)
        own.pragma(thread, "bulk_copy", 1)
        if self.tile.ahead:
            own.pragma(thread, "bulk_ahead_late" if self.tile.late else "bulk_ahead", self.tile.ahead)
