"""Kernels on the rows of a matrix on GPUs: a row is read once and stays in the registers of some threads.

Each thread holds vectors of 16 bytes, ``threads`` of them apart, so that a warp reads whole lines; reductions go
through shuffles, and through shared memory where a row has more than one warp.  Short rows share a block; where they
share weights too, a thread holds parts of two of them.  Rows that are too long for the registers of one block are
shared by a cluster of blocks, in registers or, if their elements are narrower there, in shared memory
(``schedule_shared``); without clusters each pass reads them again.  Few long rows that are reduced once go in parts
(``schedule_parts``).
"""

from __future__ import annotations

from typing import Final

from gpucomp import te
from gpucomp.kernels.registry import Definition, extent
from gpucomp.kernels.rows.schedule_own import is_own, schedule_own
from gpucomp.kernels.rows.schedule_parts import parts_of, schedule_parts
from gpucomp.kernels.rows.schedule_shared import reduces, schedule_shared
from gpucomp.kernels.rows.tiles import WAITING_ROW, Tile, choose_tile, cluster_tile, in_pairs, shared_tile
from gpucomp.kernels.rows.tiles_long import long_tile
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor
from gpucomp.tir.expr import Expr, IterVar

IN_FLIGHT: Final = 4


def tile_of(defn: Definition, target: Target) -> Tile:
    """The tile for an operator.  Long rows that are gone over more than once are shared by the blocks of a cluster."""
    m, n = defn.inputs[0].shape
    if is_own(defn):
        tile = own_tile(defn, target)
        assert tile is not None  # the definition was made for it
        return tile
    weights = sum([len(x.shape) == 1 for x in defn.inputs])
    nbytes = defn.inputs[0].dtype.nbytes
    once = passes(defn) < 2
    compares = any([t.dtype.is_int for t in defn.intermediates])
    tile = choose_tile(extent(m), extent(n), nbytes, target, weights=weights, once=once, compares=compares and not once)
    tile = in_pairs(tile, extent(m), extent(n), defn.inputs[0].dtype, weights)
    long = nbytes < 4 and tile.lanes * nbytes == 16 and tile.chunks * tile.threads * 16 > WAITING_ROW
    if (tile.held and not long) or once:
        return tile
    matrices = [x for x in defn.inputs if len(x.shape) > 1]
    sums, wide = reductions(defn), nbytes >= 4
    waiting = None if wide else shared_tile(extent(n), nbytes, len(matrices), sums, target, weights=weights > 0)
    return waiting or (tile if tile.held else cluster_tile(extent(n), nbytes, target) or tile)


def own_tile(defn: Definition, target: Target) -> Tile | None:
    """The tile where threads reduce their own parts of long rows first; None where rows are not long."""
    a = defn.inputs[0]
    matrices = sum([len(x.shape) > 1 for x in defn.inputs])
    return long_tile(extent(a.shape[1]), a.dtype.nbytes, matrices, len(defn.inputs) - matrices, target)


def why(defn: Definition, target: Target) -> str:
    """What led to the tile."""
    parts = parts_of(defn, target)
    return tile_of(defn, target).why if parts is None else parts.why


def schedule_rows(defn: Definition, target: Target) -> Schedule:
    """Schedule an operator on rows, whatever it computes: see ``compute.py`` for the kinds of its intermediates."""
    parts = parts_of(defn, target)
    if parts is not None:
        return schedule_parts(defn, parts)
    tile = tile_of(defn, target)
    if is_own(defn):
        return schedule_own(defn, tile)
    if tile.shared:
        return schedule_shared(defn, tile)
    return _Rows(defn, tile).schedule(defn.outputs[0])


class _Rows:
    """One schedule while it is made."""

    def __init__(self, defn: Definition, tile: Tile) -> None:
        self.defn, self.tile = defn, tile
        self.s = te.create_schedule(defn.outputs[0].op)
        self.tx = te.thread_axis("threadIdx.x")
        self.ty = te.thread_axis("threadIdx.y")
        self.rank = te.thread_axis("clusterIdx.x")
        self.columns = extent(defn.inputs[0].shape[1])

    def schedule(self, out: Tensor) -> Schedule:
        row = self._result(out)
        stage = self.s[out]
        matrices = [t for t in self.defn.intermediates if len(t.shape) > 1]
        sums = [t for t in self.defn.intermediates if reduces(t)]
        again = passes(self.defn) > 1
        for tensor in self.defn.intermediates:
            if tensor in matrices:
                continue
            self.s[tensor].compute_at(stage, row)
            self.s[tensor].set_scope("local")
            if tensor in sums:
                self._reduction(tensor, matrices, again)
            if self.tile.together > 1:
                self.s[tensor].unroll(tensor.op.axis[0])
        for tensor in matrices:
            if again and self.tile.held:
                self._hold(tensor, stage, row)
            elif again:
                self.s[tensor].compute_inline()
        self._fetch_early(out, row)
        return self.s

    def _fetch_early(self, out: Tensor, row: IterVar) -> None:
        """Weights of columns are on their way while the row is reduced."""
        if not self.tile.early:
            return
        for weights in [t for t in self.defn.inputs if len(t.shape) == 1]:
            early = self.s.cache_read(weights, "local", [out])
            self._hold(early, self.s[out], row)

    def _result(self, out: Tensor) -> IterVar:
        """The loops of the result; returns the one that is a row, or the rows that a thread holds together."""
        tile, stage = self.tile, self.s[out]
        row = out.op.axis[0]
        columns: list[IterVar] = []
        turn: IterVar | None = None
        if tile.together > 1:
            row, turn = stage.split(row, factor=tile.together)
            stage.unroll(turn)
        if len(out.shape) > 1:
            columns = self._spread(stage, out.op.axis[1])
            *_, chunk, lane = columns
            if tile.held:
                stage.unroll(chunk)
            else:  # written out whole, compilers keep what passes before read in registers that are not there
                stage.pragma(chunk, "unroll_factor", IN_FLIGHT)
            if tile.lanes > 1:
                stage.vectorize(lane)
            if turn is not None:  # next to each other: what is loaded for one row serves the others too
                columns.insert(-1, turn)
        if tile.rows > 1:
            block, row = stage.split(row, factor=tile.rows)
            stage.bind(row, self.ty)
            stage.reorder(block, row, *columns)
            stage.bind(block, te.thread_axis("blockIdx.x"))
        else:
            stage.reorder(row, *columns)
            stage.bind(row, te.thread_axis("blockIdx.x"))
        return row

    def _spread(self, stage: te.Stage, axis: IterVar) -> list[IterVar]:
        """Blocks of the cluster, where there are some, and threads, all of them bound; vectors, and lanes of one."""
        tile, ranks = self.tile, list[IterVar]()
        if tile.aligned:
            axis = stage.align(axis, tile.lanes)
        vector, lane = stage.split(axis, factor=tile.lanes)
        chunk, thread = stage.split(vector, factor=tile.row_threads)
        if tile.cluster > 1:
            rank, thread = stage.split(thread, factor=tile.threads)
            stage.bind(rank, self.rank)
            ranks = [rank]
        stage.bind(thread, self.tx)
        return [*ranks, thread, chunk, lane]

    def _reduction(self, tensor: Tensor, matrices: list[Tensor], again: bool) -> None:
        """Spread the reduction over the threads of its row, as the row itself is."""
        tile, stage = self.tile, self.s[tensor]
        *threads, chunk, lane = self._spread(stage, stage.op.reduce_axis[0])
        turn: IterVar | None = None
        if not tile.held and tile.chunks > IN_FLIGHT:
            chunk, turn = stage.split(chunk, factor=IN_FLIGHT)
            if again:  # see the loop of the result
                stage.pragma(chunk, "unroll_factor", 1)
        stage.reorder(*threads, chunk, *([] if turn is None else [turn]), lane)
        stage.unroll(turn if turn is not None else chunk)
        stage.unroll(lane)
        at = turn if turn is not None else chunk
        for source in self._loads(tensor, matrices, again):
            self.s[source].compute_at(stage, at)
            self.s[source].set_scope("local")
            if tile.lanes > 1:
                self.s[source].vectorize(source.op.axis[-1])

    def _loads(self, tensor: Tensor, matrices: list[Tensor], again: bool) -> list[Tensor]:
        """What a pass loads vector by vector: not what stays in registers anyway."""
        held = {self.s[t] for t in matrices}
        out: list[Tensor] = []
        for read in self.s[tensor].op.input_tensors:
            if self.s[read] in held and (not again or self.tile.held):
                out += [] if again else [read]  # its only reader
            elif self.s[read] in held or read in self.defn.inputs:
                out.append(self.s.cache_read(read, "local", [tensor]))
        return out

    def _hold(self, tensor: Tensor, stage: te.Stage, row: IterVar) -> None:
        """Keep a thread's part of a matrix in registers: chunk by chunk, vector by vector."""
        tile, own = self.tile, self.s[tensor]
        own.compute_at(stage, row)
        own.set_scope("local")

        def spread(*indices: Expr) -> list[Expr]:
            *rows, j = indices
            if tile.aligned and rows and self.columns is not None:
                j = j + rows[0] * self.columns % tile.lanes  # counted as the loops are
            vector = j // tile.lanes
            return [*rows, vector // tile.row_threads, vector % tile.row_threads, j % tile.lanes]

        *rows, chunk, _, lane = own.transform_layout(spread)
        own.unroll(chunk)
        if tile.together > 1 and rows:
            own.unroll(rows[0])
        if tile.lanes > 1:
            own.vectorize(lane)


def reductions(defn: Definition) -> int:
    """How many reductions of a row an operator needs, one after the other."""
    return sum([reduces(t) for t in defn.intermediates])


def passes(defn: Definition) -> int:
    """How often an operator goes over its matrix."""
    return reductions(defn) + (len(defn.outputs[0].shape) > 1)
