"""Transposes and other permutations: tiles go through shared memory, so that both sides move whole lines.

A tensor is read along another axis than the one along which the result is written: a block reads a tile of both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gpucomp.driver.defaults.access import VECTOR, Read, extent, known, lanes_of, product, reads_of
from gpucomp.target import Target
from gpucomp.te.api import thread_axis
from gpucomp.te.operation import ComputeOp, Operation
from gpucomp.te.stage import Stage
from gpucomp.te.state import Schedule
from gpucomp.te.tensor import Tensor
from gpucomp.tir.expr import IterVar

SIDE: Final = 64
THREADS: Final = 256
LEAST: Final = 8  # elements along either axis, of which fewer share a line anyway
LARGE: Final = 1 << 16  # elements of a result at least
SECTOR: Final = 32  # bytes that memory is written in
MANY_TILES: Final = 1056  # eight for each of 132 multiprocessors: of fewer, smaller ones keep more of them busy
ROOM: Final = 40 << 10  # bytes of shared memory for a tile


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """What is read across.

    Attributes:
        tensor: what is to be kept in shared memory.
        reader: the operation that reads it.
        across: axes of the result along which it is contiguous, the last of them fastest; all but the first whole.
        last: the axis along which the result is.
    """

    tensor: Tensor
    reader: ComputeOp
    across: list[IterVar]
    last: IterVar


def find(origin: ComputeOp, op: ComputeOp, users: Mapping[Operation, Sequence[Operation]]) -> Turn | None:
    """What an operation reads across; None where there is nothing, or too little to be worth a tile.

    Args:
        origin: as the schedule knows it.
        op: with what is inlined into it.
        users: the operations that read one.
    """
    total = product(op.axis)
    if not op.axis or total is None or total < LARGE or len(op.body) != 1:
        return None
    long = [i for i, axis in enumerate(op.axis) if extent(axis) != 1]
    last = op.axis[long[-1]]
    if (extent(last) or 0) < LEAST:
        return None
    for read in reads_of(op):
        steps = [read.step(axis) for axis in op.axis]
        if None in steps or steps[long[-1]] in (0, 1) or read.elements != total:
            continue
        order = [i for i in sorted(long, key=lambda i: steps[i] or 0) if (steps[i] or 0) > 0]
        if len(order) != len(long) or steps[order[0]] != 1:
            continue
        across, width = [order[0]], extent(op.axis[order[0]]) or 1
        for i in order[1:]:
            size = extent(op.axis[i]) or 1
            if i == long[-1] or steps[i] != width or width * size > SIDE:
                break
            across.insert(0, i)
            width *= size
        if width < LEAST:
            continue
        found = _directly(origin, read, users)
        if found is not None:
            return Turn(found[0], found[1], [origin.axis[i] for i in across], origin.axis[long[-1]])
    return None


def _directly(
    origin: ComputeOp, read: Read, users: Mapping[Operation, Sequence[Operation]]
) -> tuple[Tensor, ComputeOp] | None:
    """Where the turn happens: the tensor that is read so, and its reader, by way of stages that nothing else reads."""
    reader = origin
    while True:
        reads = [r for r in reads_of(reader) if _leads(r.tensor, read.tensor)]
        if len(reads) != 1:
            return None
        [one] = reads
        moves = [i for i, a in zip(one.indices, reader.axis, strict=False) if i is not a.var]
        if moves or len(one.indices) != len(reader.axis):
            return one.tensor, reader
        if not isinstance(one.tensor.op, ComputeOp) or len(users.get(one.tensor.op, ())) != 1:
            return None
        reader = one.tensor.op


def _leads(tensor: Tensor, source: Tensor) -> bool:
    """Whether a tensor is computed from another."""
    if tensor is source:
        return True
    return isinstance(tensor.op, ComputeOp) and any([_leads(t, source) for t in tensor.op.input_tensors])


def schedule(sch: Schedule, origin: ComputeOp, turn: Turn, target: Target) -> str:
    """Schedule an operation that reads across."""
    nbytes = turn.tensor.dtype.nbytes
    stage = sch[origin]
    last, columns, side, threads = turn.last, *_tile(turn, product(stage.op.axis) or 0, target)
    ragged = _ragged(turn, stage, target)
    shared = sch.cache_read(turn.tensor, "shared", [turn.reader])
    stage = sch[origin]
    stores = lanes_of(extent(turn.last), origin.body[0].dtype.nbytes)
    outer = [axis for axis in stage.op.axis if axis is not turn.last and not any([axis is a for a in turn.across])]
    head, *rest = turn.across
    if ragged[1]:
        last, stores = stage.align(last, SECTOR // nbytes), VECTOR // nbytes
    while side % stores:
        stores //= 2
    whole = math.prod([extent(axis) or 1 for axis in rest])
    block_i, head = stage.split(head, factor=columns // whole)
    block_j, last = stage.split(last, factor=side)
    group, lane = stage.split(last, factor=stores)
    # Blocks that follow each other write on in the same lines: what a line gets from two of them meets in the cache.
    stage.reorder(*outer, block_i, block_j, head, *rest, group, lane)
    block = stage.fuse(*outer, block_i, block_j)
    again, thread = stage.split(stage.fuse(head, *rest, group), factor=threads)
    stage.unroll(again)
    stage.bind(block, thread_axis("blockIdx.x"))
    stage.bind(thread, thread_axis("threadIdx.x"))
    stage.vectorize(lane)
    loads = _fetch(sch, turn, shared, block, stage, columns, threads, ragged[0])
    where = [what for what, yes in zip(("reads", "writes"), ragged, strict=True) if yes]
    counted = f"; {' and '.join(where)} are counted from aligned memory" if where else ""
    return (
        f"tiles of {columns} by {side} through shared memory, for it is read across; vectors of {loads} and {stores}"
        f"{counted}"
    )


def _tile(turn: Turn, count: int, target: Target) -> tuple[int, int, int]:
    """Elements along either side of a tile of ``count`` in all, and threads."""
    whole = math.prod([extent(axis) or 1 for axis in turn.across[1:]])
    first = extent(turn.across[0]) or 1
    most = SIDE if count >= MANY_TILES * SIDE * SIDE else SIDE // 2
    columns = min(first * whole, max(1, SIDE // whole) * whole)
    if whole == 1:  # a power of two, so that threads are told apart by bits
        columns = min(most, 1 << (first - 1).bit_length())
    while columns * SIDE * turn.tensor.dtype.nbytes > ROOM and columns > whole:
        columns = max(whole, columns // 2)
    side = min(most, 1 << ((extent(turn.last) or 1) - 1).bit_length())
    return columns, side, min(THREADS, target.max_num_threads)


def _ragged(turn: Turn, stage: Stage, target: Target) -> tuple[bool, bool]:
    """Whether rows of either side start anywhere in a vector, and are worth being counted from aligned memory."""
    nbytes = turn.tensor.dtype.nbytes
    sides = extent(turn.across[-1]) or 0, extent(turn.last) or 0
    same = nbytes == stage.op.output(0).dtype.nbytes and nbytes in (2, 4)
    if not same or len(turn.across) > 1 or min(sides) < 2 * SIDE or "readable_granules" not in target.features:
        return False, False
    stores = stage.op.axis[-1] is turn.last and sides[1] * nbytes % VECTOR > 0
    return sides[0] * nbytes % VECTOR > 0, stores


def _fetch(
    sch: Schedule, turn: Turn, shared: Tensor, block: IterVar, stage: Stage, columns: int, threads: int, ragged: bool
) -> int:
    """The stage that fills shared memory; returns the elements of its vectors."""
    nbytes = turn.tensor.dtype.nbytes
    vectors = sch.cache_read(turn.tensor, "local", [shared]) if ragged else None
    fetch = sch[shared]
    fetch.compute_at(stage, block)
    *rows, column = fetch.op.axis
    if rows:  # the dimension outside of those that are read whole
        fetch.storage_align(rows[max(0, len(rows) - len(turn.across))], columns, max(1, 4 // nbytes))
    loads = VECTOR // nbytes if ragged else lanes_of(known(turn.tensor.shape[-1]), nbytes)
    while columns % loads:
        loads //= 2
    if vectors is not None:
        column = fetch.align(column, loads)
    group, lane = fetch.split(column, factor=loads)
    again, thread = fetch.split(fetch.fuse(*rows, group), factor=threads)
    fetch.unroll(again)
    fetch.bind(thread, thread_axis("threadIdx.x"))
    if vectors is None:
        fetch.vectorize(lane)
        return loads
    fetch.reorder(thread, again, lane)
    fetch.unroll(lane)
    fetch.pragma(again, "loads_first")
    sch[vectors].compute_at(fetch, again)
    sch[vectors].vectorize(sch[vectors].op.axis[-1])
    return loads
