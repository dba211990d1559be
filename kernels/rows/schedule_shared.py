"""Kernels on rows that wait in shared memory, of one block or of a cluster, in the type that they have in memory.

A row is copied once, and each pass converts it again as it goes.  The blocks of a cluster take consecutive parts of a
row, which meet in its reductions.  (Asynchronous copies to shared memory were slower by a tenth on an H100.)
"""

from __future__ import annotations

from gpucomp import te
from gpucomp.kernels.registry import Definition
from gpucomp.kernels.rows.tiles import UNROLLED, Tile
from gpucomp.te import Schedule, Tensor
from gpucomp.tir.expr import IterVar, Reduce


def schedule_shared(defn: Definition, tile: Tile) -> Schedule:
    """Schedule an operator on rows: see ``compute.py`` for the kinds of its intermediates."""
    return _SharedRows(defn, tile).schedule(defn.outputs[0])


class _SharedRows:
    """One schedule while it is made."""

    def __init__(self, defn: Definition, tile: Tile) -> None:
        self.defn, self.tile = defn, tile
        self.s = te.create_schedule(defn.outputs[0].op)
        self.tx = te.thread_axis("threadIdx.x")
        self.rank = te.thread_axis("clusterIdx.x")

    def schedule(self, out: Tensor) -> Schedule:
        stage, row = self.s[out], out.op.axis[0]
        columns: list[IterVar] = []
        if len(out.shape) > 1:
            columns = self._spread(stage, out.op.axis[1])
            *_, chunk, lane = columns
            stage.unroll(chunk)
            self._vectorize(stage, lane)
        stage.reorder(row, *columns)
        stage.bind(row, te.thread_axis("blockIdx.x"))
        if self.tile.blocks:
            stage.pragma(row, "min_blocks", self.tile.blocks)
        matrices = [t for t in self.defn.intermediates if len(t.shape) > 1]
        for tensor in matrices:
            self.s[tensor].compute_inline()
        waiting = [
            self.s.cache_read(x, "shared.dyn", [matrices[0]]) for x in self.defn.inputs if len(x.shape) > 1
        ]  # the first matrix is the input in the type of sums
        for tensor in self.defn.intermediates:
            if tensor in matrices:
                continue
            self.s[tensor].compute_at(stage, row)
            self.s[tensor].set_scope("local")
            if reduces(tensor):
                self._reduction(tensor)
        for copy in waiting:
            self._copy(copy, stage, row)
        return self.s

    def _spread(self, stage: te.Stage, axis: IterVar) -> list[IterVar]:
        """Blocks of the cluster, where there are some, and threads, all of them bound; vectors, and lanes of one."""
        tile, ranks = self.tile, list[IterVar]()
        vector, lane = stage.split(axis, factor=tile.lanes)
        if tile.cluster > 1:
            rank, vector = stage.split(vector, nparts=tile.cluster)
            stage.bind(rank, self.rank)
            ranks = [rank]
        chunk, thread = stage.split(vector, factor=tile.threads)
        stage.bind(thread, self.tx)
        return [*ranks, thread, *self._groups(stage, chunk), lane]

    def _groups(self, stage: te.Stage, chunk: IterVar) -> list[IterVar]:
        """Vectors of a thread, some of them at a time; the last loop is to be unrolled."""
        groups = -(-self.tile.chunks // UNROLLED)
        return [chunk] if groups == 1 else list(stage.split(chunk, factor=self.tile.chunks // groups))

    def _vectorize(self, stage: te.Stage, lane: IterVar) -> None:
        if self.tile.lanes > 1:
            stage.vectorize(lane)

    def _reduction(self, tensor: Tensor) -> None:
        """Each thread reduces its vectors, which it converts one by one."""
        stage = self.s[tensor]
        axes = self._spread(stage, stage.op.reduce_axis[0])
        stage.reorder(*axes)
        *_, chunk, lane = axes
        stage.unroll(chunk)
        stage.unroll(lane)
        for read in list(stage.op.input_tensors):
            if len(read.shape) == 1 and read not in self.defn.inputs:
                continue  # a value of the row
            vector = self.s.cache_read(read, "local", [tensor])
            self.s[vector].compute_at(stage, chunk)
            self._vectorize(self.s[vector], vector.op.axis[-1])

    def _copy(self, copy: Tensor, stage: te.Stage, row: IterVar) -> None:
        """Threads copy what they need themselves."""
        own = self.s[copy]
        own.compute_at(stage, row)
        outer, column = copy.op.axis
        vector, lane = own.split(column, factor=self.tile.lanes)
        chunk, thread = own.split(vector, factor=self.tile.threads)
        own.bind(thread, self.tx)
        chunks = self._groups(own, chunk)
        own.reorder(outer, thread, *chunks, lane)
        own.unroll(chunks[-1])
        self._vectorize(own, lane)


def reduces(tensor: Tensor) -> bool:
    """True for a value of each row that is computed by a reduction, of one value or of several together."""
    op = tensor.op
    return isinstance(op, te.ComputeOp) and isinstance(op.body[0], Reduce)
