"""Matrix products on GPUs without tensor cores.

One block computes a tile of the result.  Its threads fetch slabs of both operands into shared memory with 16-byte
loads; each thread owns four 4x4 (or two) sub-tiles, placed a half tile apart as virtual threads, so that the
fragments of a warp are read from shared memory without bank conflicts.  The scheme is the classical one of
V. Volkov and J. Demmel, "Benchmarking GPUs to tune dense linear algebra", SC 2008.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from gpucomp import te
from gpucomp.kernels.gemm.epilogue import accumulator, inline_epilogue
from gpucomp.kernels.gemm.layout import operands_of
from gpucomp.kernels.gemm.rows_first import product_of_rows, schedule_rows_first
from gpucomp.kernels.gemm.rows_first import why as why_rows
from gpucomp.kernels.gemm.schedule_mma import choice_of, schedule_mma
from gpucomp.kernels.gemm.schedule_simt import applies, schedule_simt
from gpucomp.kernels.gemm.schedule_skinny import is_skinny, schedule_skinny
from gpucomp.kernels.gemm.schedule_sliced import schedule_sliced
from gpucomp.kernels.gemm.schedule_strips import takes_strips
from gpucomp.kernels.gemm.schedule_strips import why as why_strips
from gpucomp.kernels.gemm.side_by_side import pieces_of, schedule_pieces
from gpucomp.kernels.gemm.side_by_side import why as why_pieces
from gpucomp.kernels.registry import Definition
from gpucomp.target import Target
from gpucomp.te import Schedule, Stage, Tensor
from gpucomp.tir.expr import IterVar


@dataclass(frozen=True)
class GemmTile:
    """Tile sizes in elements.

    Attributes:
        m, n, k: slab of one block.
        thread_m, thread_n: sub-tile that a thread holds in one piece.
        vthread_m, vthread_n: pieces of a thread along each side.
        double_buffer: fetch the next slab while the present one is used.
        pad: elements added to each row of the first operand's slab.
    """

    m: int = 128
    n: int = 128
    k: int = 16
    thread_m: int = 4
    thread_n: int = 4
    vthread_m: int = 2
    vthread_n: int = 2
    double_buffer: bool = True
    pad: int = 4

    @property
    def shared_elements(self) -> int:
        """Elements of both slabs, padding and second buffers included."""
        return (self.m * (self.k + self.pad) + self.k * self.n) * (2 if self.double_buffer else 1)

    def threads(self, m: int | None, n: int | None) -> tuple[int, int]:
        """Threads along rows and columns; a matrix smaller than the tile (None: symbolic) takes fewer."""
        return (
            _threads(m, self.m, self.vthread_m, self.thread_m),
            _threads(n, self.n, self.vthread_n, self.thread_n),
        )


def _threads(size: int | None, tile: int, pieces: int, each: int) -> int:
    part = -(-min(tile, size or tile) // pieces)
    return -(-part // each)


LARGE = GemmTile()
MEDIUM = GemmTile(m=64, n=64, vthread_m=1, vthread_n=1)
SMALL = GemmTile(m=32, n=32, thread_m=2, thread_n=2, vthread_m=1, vthread_n=1)


def choose_tile(m: int | None, n: int | None, item_bytes: int, target: Target) -> GemmTile:
    """The largest tile that still gives every multiprocessor of a big GPU work; symbolic sizes count as large.

    Args:
        m, n: extents of the result, None where symbolic.
        item_bytes: size of an element of the operands.
        target: whose limits bound the tile; a shallower slab is taken where shared memory is small.
    """
    tile = LARGE
    if target.max_num_threads < 256 or (m is not None and n is not None and m * n <= 256 * 256):
        tile = SMALL
    elif m is not None and n is not None and (m * n) // (LARGE.m * LARGE.n) < 128:
        tile = MEDIUM
    if tile is LARGE and item_bytes == 8 and target.thread_warp_size == 1:
        tile = MEDIUM  # 64 sums of float64 are more than the registers of an unknown machine may hold
    while tile.shared_elements * item_bytes > target.max_shared_memory_per_block and tile.k > 4:
        tile = replace(tile, k=tile.k // 2)
    return tile


def why(defn: Definition, target: Target) -> str:
    """What led to the tile, where the model of pipelined products chose it."""
    pieces = pieces_of(defn)
    if pieces:
        return why_pieces(pieces, target)
    if product_of_rows(defn) is not None:
        return why_rows(defn, target)
    if is_skinny(defn, target):
        operands = operands_of(defn)
        return why_strips(operands, target) if takes_strips(operands) else ""
    choice = choice_of(defn, target) or applies(defn, target)
    return "" if choice is None else choice.reason


def schedule_matmul(defn: Definition, target: Target, tile: GemmTile | None = None) -> Schedule:
    """Schedule ``C = A @ B`` (any sizes, symbolic ones too), and what follows it, for the threads of a GPU.

    Unless ``tile`` is given, float32 products on CUDA devices of at most 16 rows go to
    :mod:`gpucomp.kernels.gemm.schedule_skinny`, and on devices since sm_80 others, that are not smaller than the tiles
    there, to :mod:`gpucomp.kernels.gemm.schedule_simt`, and 16-bit products to tensor cores
    (:mod:`gpucomp.kernels.gemm.schedule_mma`); definitions in pieces
    (:mod:`gpucomp.kernels.gemm.side_by_side`) do so piece by piece, those of operands along rows
    (:mod:`gpucomp.kernels.gemm.rows_first`) after the kernels that write those.
    """
    if pieces_of(defn):
        return schedule_pieces(defn, target)
    if product_of_rows(defn) is not None:
        return schedule_rows_first(defn, target)
    if tile is None and is_skinny(defn, target):
        return schedule_skinny(defn, target)
    matrices = choice_of(defn, target) if tile is None else None
    if matrices is not None:
        return schedule_mma(defn, matrices)
    choice = applies(defn, target) if tile is None else None
    if choice is not None:
        return schedule_sliced(defn, choice.tile) if choice.tile.slices > 1 else schedule_simt(defn, choice)
    (a, b), c = defn.inputs[:2], defn.outputs[0]
    operands = operands_of(defn)
    m, n, depth = operands.m, operands.n, operands.k
    tile = tile or choose_tile(m, n, a.dtype.nbytes, target)
    s = te.create_schedule(c.op)
    acc = accumulator(s, defn)
    inline_epilogue(s, defn)
    a_shared, b_shared = s.cache_read(a, "shared", [acc]), s.cache_read(b, "shared", [acc])
    a_local, b_local = s.cache_read(a_shared, "local", [acc]), s.cache_read(b_shared, "local", [acc])

    stage = s[c]
    *batch, i, j = stage.op.axis
    block_i, i = stage.split(i, factor=tile.m)
    block_j, j = stage.split(j, factor=tile.n)
    virtual_i, i = stage.split(i, nparts=tile.vthread_m)
    virtual_j, j = stage.split(j, nparts=tile.vthread_n)
    thread_i, i = stage.split(i, factor=tile.thread_m)
    thread_j, j = stage.split(j, factor=tile.thread_n)
    stage.reorder(*batch, block_i, block_j, virtual_i, virtual_j, thread_i, thread_j, i, j)
    ty, tx = te.thread_axis("threadIdx.y"), te.thread_axis("threadIdx.x")
    if batch:  # the grid's y and z are too short for some batches
        block_j = stage.fuse(*batch, block_i, block_j)
    else:
        stage.bind(block_i, te.thread_axis("blockIdx.y"))
    stage.bind(block_j, te.thread_axis("blockIdx.x"))
    stage.bind(virtual_i, te.thread_axis("vthread", name="vy"))
    stage.bind(virtual_j, te.thread_axis("vthread", name="vx"))
    stage.bind(thread_i, ty)
    stage.bind(thread_j, tx)
    stage.unroll(i)
    stage.vectorize(j)

    inner = s[acc]
    inner.compute_at(stage, thread_j)
    *_, ai, aj = acc.op.axis
    ko, ki = inner.split(acc.op.reduce_axis[0], factor=tile.k)
    # Of 16-bit operands that both lie along k, four steps of fragments are more than registers hold.
    crowded = operands.transpose_b and not operands.transpose_a and a.dtype.nbytes == 2 and tile is LARGE
    kq, kr = inner.split(ki, factor=2 if crowded else 4)
    inner.reorder(ko, kq, kr, ai, aj)
    if target.thread_warp_size == 1:  # an unknown machine: some compilers unroll this loop, and then spill
        inner.pragma(kq, "unroll_factor", 1)
    for axis in (kr, ai, aj):
        inner.unroll(axis)

    deep = min(tile.k, depth or tile.k)
    rows = min(tile.m, m or tile.m) if operands.transpose_a else deep
    columns = deep if operands.transpose_b else min(tile.n, n or tile.n)
    for shared, row in ((a_shared, rows), (b_shared, columns)):
        s[shared].compute_at(inner, ko)
        _fetch(s[shared], shared, (ty, tx), tile.threads(m, n), row)
        if tile.double_buffer:
            s[shared].double_buffer()
    for shared, along_k in ((a_shared, not operands.transpose_a), (b_shared, operands.transpose_b)):
        if tile.pad and along_k:
            s[shared].storage_align(shared.op.axis[-2], 2 * tile.pad, tile.pad)
    for local in (a_local, b_local):
        s[local].compute_at(inner, kq)
        s[local].unroll(local.op.axis[-2])
        s[local].vectorize(local.op.axis[-1])
    return s


def _fetch(stage: Stage, tensor: Tensor, threads: tuple[IterVar, IterVar], counts: tuple[int, int], row: int) -> None:
    """All threads of a block fetch a slab together, up to 16 bytes each at a time, neighbours next to each other."""
    lanes = math.gcd(row, 4 if tensor.dtype.nbytes < 8 else 2)  # no vector crosses the end of a row
    fused = stage.fuse(*tensor.op.axis)
    fused, vector = stage.split(fused, factor=lanes)
    fused, tx = stage.split(fused, factor=counts[1])
    _, ty = stage.split(fused, factor=counts[0])
    stage.bind(ty, threads[0])
    stage.bind(tx, threads[1])
    if lanes > 1:
        stage.vectorize(vector)
