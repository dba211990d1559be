"""Kernels on the rows of a matrix on GPUs: a row lives in the registers of some threads and is read once.

Each thread holds vectors of 16 bytes, ``threads`` of them apart, so that a warp reads whole lines; reductions go
through shuffles, and through shared memory where a row has more than one warp.  Short rows share a block; rows that
are too long for the registers of one block are shared by a cluster of blocks, where the target has them; what is
longer still is read again by each pass, from the cache where it fits there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gpucomp import te
from gpucomp.kernels.registry import Definition, extent, row_lanes
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor
from gpucomp.tir.expr import Expr, IterVar, Reduce, Var

# Values that a thread keeps of one matrix; with twice as many, fewer than half of the threads fit a multiprocessor.
MOST_VALUES: Final = 32
MOST_EARLY: Final = 16  # values of weights that a thread holds from the start
BLOCK: Final = 128
IN_FLIGHT: Final = 4
WANTED_BYTES: Final = 64
ONE_WAVE_BYTES: Final = 32 << 20
CLUSTER_BLOCK: Final = 512  # threads of a block in a cluster: two blocks a multiprocessor, one waits, one works


@dataclass(frozen=True, slots=True)
class Tile:
    """How a row is spread.

    Attributes:
        lanes: elements of a vector.
        threads: of one row, in each block.
        chunks: vectors of a thread.
        rows: of a block.
        held: a row stays in registers.
        cluster: blocks that share a row.
    """

    lanes: int
    threads: int
    chunks: int
    rows: int
    held: bool
    cluster: int = 1

    @property
    def row_threads(self) -> int:
        """Threads of one row, in all of its blocks."""
        return self.threads * self.cluster


def choose_tile(rows: int | None, columns: int | None, nbytes: int, target: Target, *, weights: bool = False) -> Tile:
    """The tile for ``rows`` rows of ``columns`` elements of ``nbytes`` bytes.

    Vectors are as wide as the alignment of every row allows.  The threads of a row are as few as leave each of them
    64 bytes: with less in flight the memory waits, with more the last loads do.  It is 32 bytes where the matrix is so
    small that it is read in one wave, whose end all wait for, and where ``weights`` of columns wait in registers too.
    At least 128 threads a block, of several rows if need be, because a multiprocessor holds 16 to 32 blocks only.
    """
    limit = min(1024, target.max_num_threads)
    if columns is None:
        return Tile(1, min(256, limit), 1, 1, False)
    lanes = row_lanes(columns, nbytes)
    vectors, row_bytes = columns // lanes, columns * nbytes
    threads = 1
    while threads < limit and threads * WANTED_BYTES < row_bytes:
        threads *= 2
    one_wave = rows is not None and rows * row_bytes < ONE_WAVE_BYTES
    fewer = threads * 2 <= min(limit, vectors) and threads * WANTED_BYTES // 2 < row_bytes
    if fewer and (one_wave or (weights and threads < 256)):
        threads *= 2
    chunks = -(-vectors // threads)
    held = chunks * lanes <= 2 * MOST_VALUES and (threads < 1024 or chunks * lanes <= MOST_VALUES)
    return Tile(lanes, threads, chunks, max(1, min(BLOCK, limit) // threads), held)


def cluster_tile(columns: int | None, nbytes: int, target: Target) -> Tile | None:
    """The tile for rows that the registers of a cluster of blocks hold; ``None`` where there is none.

    Each thread holds 64 bytes, or up to 32 values in the largest cluster that every device can run, of 1,024 threads
    a block.
    """
    most = target.limits.get("max_cluster_size", 1) if "cluster" in target.features else 1
    if columns is None or most < 2:
        return None
    lanes = row_lanes(columns, nbytes)
    wanted = 1 << (-(-columns * nbytes // WANTED_BYTES) - 1).bit_length()
    cluster = min(most, max(2, wanted // CLUSTER_BLOCK))
    threads = min(1024, target.max_num_threads, max(target.thread_warp_size, wanted // cluster))
    chunks = -(-(columns // lanes) // (cluster * threads))
    if chunks * lanes > MOST_VALUES:
        return None
    return Tile(lanes, threads, chunks, 1, True, cluster)


def schedule_rows(defn: Definition, target: Target) -> Schedule:
    """Schedule an operator on rows, whatever it computes: see ``compute.py`` for the kinds of its intermediates."""
    out = defn.outputs[0]
    m, n = defn.inputs[0].shape
    weights = any(len(x.shape) == 1 for x in defn.inputs) and len(out.shape) > 1
    nbytes = defn.inputs[0].dtype.nbytes
    tile = choose_tile(extent(m), extent(n), nbytes, target, weights=weights)
    if not tile.held and _passes(defn) > 1:
        tile = cluster_tile(extent(n), nbytes, target) or tile
    return _Rows(defn, tile).schedule(out)


class _Rows:
    """One schedule while it is made."""

    def __init__(self, defn: Definition, tile: Tile) -> None:
        self.defn, self.tile = defn, tile
        self.s = te.create_schedule(defn.outputs[0].op)
        self.tx = te.thread_axis("threadIdx.x")
        self.ty = te.thread_axis("threadIdx.y")
        self.rank = te.thread_axis("clusterIdx.x")

    def schedule(self, out: Tensor) -> Schedule:
        row = self._result(out)
        stage = self.s[out]
        matrices = [t for t in self.defn.intermediates if len(t.shape) > 1]
        passes = [t for t in self.defn.intermediates if _reduces(t)]
        again = _passes(self.defn) > 1
        for tensor in self.defn.intermediates:
            if tensor in matrices:
                continue
            self.s[tensor].compute_at(stage, row)
            self.s[tensor].set_scope("local")
            if tensor in passes:
                self._reduction(tensor, matrices, again)
        for tensor in matrices:
            if again and self.tile.held:
                self._hold(tensor, stage, row)
            elif again:
                self.s[tensor].compute_inline()
        self._fetch_early(out, row)
        return self.s

    def _fetch_early(self, out: Tensor, row: IterVar) -> None:
        """Weights of columns are on their way while the row is reduced."""
        if len(out.shape) == 1 or not self.tile.held or self.tile.chunks * self.tile.lanes > MOST_EARLY:
            return
        for weights in [t for t in self.defn.inputs if len(t.shape) == 1]:
            early = self.s.cache_read(weights, "local", [out])
            self._hold(early, self.s[out], row)

    def _result(self, out: Tensor) -> IterVar:
        """The loops of the result; returns the one that is a row."""
        tile, stage = self.tile, self.s[out]
        row = out.op.axis[0]
        columns: list[IterVar] = []
        if len(out.shape) > 1:
            column = out.op.axis[1]
            column, lane = stage.split(column, factor=tile.lanes)
            chunk, thread = stage.split(column, factor=tile.row_threads)
            columns = [*self._bind(stage, thread), chunk, lane]
            if tile.held:
                stage.unroll(chunk)
            if tile.lanes > 1:
                stage.vectorize(lane)
        if tile.rows > 1:
            block, row = stage.split(row, factor=tile.rows)
            stage.bind(row, self.ty)
            stage.reorder(block, row, *columns)
            stage.bind(block, te.thread_axis("blockIdx.x"))
        else:
            stage.reorder(row, *columns)
            stage.bind(row, te.thread_axis("blockIdx.x"))
        return row

    def _bind(self, stage: te.Stage, thread: IterVar) -> list[IterVar]:
        """Bind what the threads of a row share, over several blocks if they have it."""
        ranks: list[IterVar] = []
        if self.tile.cluster > 1:
            rank, thread = stage.split(thread, factor=self.tile.threads)
            stage.bind(rank, self.rank)
            ranks = [rank]
        stage.bind(thread, self.tx)
        return [*ranks, thread]

    def _reduction(self, tensor: Tensor, matrices: list[Tensor], again: bool) -> None:
        """Spread the reduction over the threads of its row, as the row itself is."""
        tile, stage = self.tile, self.s[tensor]
        k, lane = stage.split(stage.op.reduce_axis[0], factor=tile.lanes)
        chunk, thread = stage.split(k, factor=tile.row_threads)
        turn: IterVar | None = None
        if not tile.held and tile.chunks > IN_FLIGHT:
            chunk, turn = stage.split(chunk, factor=IN_FLIGHT)
        stage.reorder(*self._bind(stage, thread), chunk, *([] if turn is None else [turn]), lane)
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

        def spread(*indices: Var) -> list[Expr]:
            *rows, j = indices
            vector = j // tile.lanes
            return [*rows, vector // tile.row_threads, vector % tile.row_threads, j % tile.lanes]

        *_, chunk, _, lane = own.transform_layout(spread)
        own.unroll(chunk)
        if tile.lanes > 1:
            own.vectorize(lane)


def _passes(defn: Definition) -> int:
    """How often an operator goes over its matrix."""
    return sum([_reduces(t) for t in defn.intermediates]) + (len(defn.outputs[0].shape) > 1)


def _reduces(tensor: Tensor) -> bool:
    op = tensor.op
    return isinstance(op, te.ComputeOp) and isinstance(op.body[0], Reduce)
