"""Reductions of rows and what is computed of each row with their results (softmax, norms), in one kernel.

A row is read once: it stays in the registers of the threads that share it, each of which holds vectors of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gpucomp.driver.defaults.access import Read, extent, known, lanes_of, product, reads_of, same_extent
from gpucomp.target import Target
from gpucomp.te.api import thread_axis
from gpucomp.te.graph import post_dfs_order
from gpucomp.te.operation import ComputeOp, Operation
from gpucomp.te.stage import Stage
from gpucomp.te.state import Schedule
from gpucomp.te.tensor import Tensor
from gpucomp.tir.expr import Expr, IterVar

BYTES: Final = 64  # of a row for each of its threads, at least
WARP: Final = 32  # threads of a row that may have less, for they need no barrier
MOST_VALUES: Final = 32  # of a row in the registers of a thread
BLOCK: Final = 128


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Stages that go over the rows of matrices together.

    Attributes:
        out: the operation that stores the result, as the schedule knows it.
        rows: how many of its axes are rows; the others are columns.
        reductions: likewise, in the order of computation.
        matrices: what is read at all rows and columns, each with those that read it.
        nbytes: of the widest element of a matrix.
    """

    out: ComputeOp
    rows: int
    reductions: list[ComputeOp]
    matrices: dict[Tensor, list[ComputeOp]]
    nbytes: int

    @property
    def columns(self) -> list[IterVar]:
        return list(self.out.axis[self.rows :])


def find(
    out: ComputeOp,
    op: ComputeOp,
    inlined: Mapping[Operation, ComputeOp],
    users: Mapping[Operation, Sequence[Operation]],
    results: Sequence[Operation],
) -> Group | None:
    """The group that an operation finishes; None where it finishes none.

    Args:
        out: as the schedule knows it.
        op: with what is inlined into it.
        inlined: the reductions that are stages, with what is inlined into them, by what the schedule knows.
        users: the operations that read one, as the schedule knows them.
        results: that leave the graph.
    """
    members = _members(out, users, results)
    reductions = [x for x in members if x in inlined]
    if not reductions or len(op.body) != 1:
        return None
    rows = _rows(op, [inlined[x] for x in reductions])
    if rows is None or not all([_fits(x, op, rows) for x in reductions]):
        return None
    matrices: dict[Tensor, list[ComputeOp]] = {}
    for member in members:
        for read in reads_of(member):
            mine = _is_matrix(read, member, out)
            if read.tensor.op in members:
                if not mine and not _at_row(read, member) and not _at_column(read, member, out, rows):
                    return None  # a thread would need other elements than its own
                continue
            if not mine:
                continue
            readers = matrices.setdefault(read.tensor, [])
            if member not in readers:
                readers.append(member)
    if not matrices:
        return None
    return Group(out, rows, reductions, matrices, max([t.dtype.nbytes for t in matrices]))


def _members(
    out: ComputeOp, users: Mapping[Operation, Sequence[Operation]], results: Sequence[Operation]
) -> list[ComputeOp]:
    """The operations that only ``out`` needs, itself included, in the order of computation."""
    members: dict[Operation, ComputeOp] = {out: out}
    grown = True
    while grown:
        grown = False
        for member in list(members.values()):
            for tensor in member.input_tensors:
                source = tensor.op
                if source in members or type(source) is not ComputeOp or source in results:
                    continue
                if all([user in members for user in users.get(source, ())]):
                    members[source] = source
                    grown = True
    return [members[op] for op in post_dfs_order((out,)) if op in members]


def _rows(op: ComputeOp, reductions: Sequence[ComputeOp]) -> int | None:
    """How many of the first axes are those at which it reads the reductions; None where that is not so."""
    found: int | None = None
    for read in reads_of(op):
        if read.tensor.op not in reductions:
            continue
        used = [i for i, axis in enumerate(op.axis) if extent(axis) != 1 and read.uses(axis)]
        last = max(used, default=-1) + 1
        long = [i for i in range(last) if extent(op.axis[i]) != 1]
        if used != long or (found is not None and found != last):
            return None
        found = last
    return found if found is not None and found < len(op.axis) else None


def _fits(reduction: ComputeOp, op: ComputeOp, rows: int) -> bool:
    """Whether a reduction is over the columns of ``op``, for each of its rows."""
    mine = [axis for axis in op.axis[:rows] if extent(axis) != 1]
    others = [axis for axis in reduction.axis if extent(axis) != 1]
    columns = op.axis[rows:]
    if len(mine) != len(others) or len(columns) != len(reduction.reduce_axis):
        return False
    pairs = [*zip(mine, others, strict=True), *zip(columns, reduction.reduce_axis, strict=True)]
    return all([same_extent(a, b) for a, b in pairs])


def _at_row(read: Read, member: ComputeOp) -> bool:
    """Whether the result of a reduction is read for the own row, which is what comes first among the axes."""
    places = [i for i, size in zip(read.indices, read.tensor.shape, strict=True) if known(size) != 1]
    data = [axis.var for axis in member.axis if extent(axis) != 1]
    return len(places) <= len(data) and all([p is v for p, v in zip(places, data, strict=False)])


def _at_column(read: Read, member: ComputeOp, out: ComputeOp, rows: int) -> bool:
    """Whether weights of columns are read for the own column."""
    columns = member.root_iter_vars[-(len(out.axis) - rows) :]
    return len(read.indices) == len(columns) and all([i is a.var for i, a in zip(read.indices, columns, strict=True)])


def _is_matrix(read: Read, member: ComputeOp, out: ComputeOp) -> bool:
    """Whether a tensor, of the extents of ``out``, is read at the own row and column."""
    data = member.root_iter_vars
    if len(read.indices) != len(data) or any([i is not a.var for i, a in zip(read.indices, data, strict=True)]):
        return False
    lengths = [axis.dom.extent for axis in data if axis.dom is not None]
    for size, length in zip(read.tensor.shape, lengths, strict=True):
        if size is not length and (known(size) is None or known(size) != known(length)):
            return False
    pairs = list(zip(_long(data), _long(out.axis), strict=False))
    return len(_long(data)) == len(_long(out.axis)) and all([same_extent(a, b) for a, b in pairs])


def _long(axes: Sequence[IterVar]) -> list[IterVar]:
    return [axis for axis in axes if extent(axis) != 1]


def schedule(sch: Schedule, group: Group, target: Target) -> str | None:
    """Schedule a group; returns why so, None (and does nothing) where a row is too long or too short."""
    length = product(group.columns)
    if length is None or length < 2:
        return None
    lanes = lanes_of(extent(group.columns[-1]), group.nbytes)
    vectors = -(-length // lanes)
    limit = min(1024, target.max_num_threads)
    wanted = max(1, -(-length * group.nbytes // BYTES))
    threads = 1
    while threads < limit and threads < wanted:
        threads *= 2
    while threads < min(WARP, limit) and threads < vectors:
        threads *= 2
    chunks = -(-vectors // threads)
    if chunks * lanes * len(group.matrices) > MOST_VALUES:
        return None
    per_block = max(1, min(BLOCK, limit) // threads)
    held = [sch.cache_read(tensor, "local", readers) for tensor, readers in group.matrices.items()]
    stage = sch[group.out]
    axes = list(stage.op.axis)
    row = stage.fuse(*axes[: group.rows])
    column = stage.fuse(*axes[group.rows :])
    thread, chunk, lane = _spread(stage, column, threads, lanes)
    block, row = stage.split(row, factor=per_block)
    stage.reorder(block, row, thread, chunk, lane)
    stage.bind(block, thread_axis("blockIdx.x"))
    if per_block > 1:
        stage.bind(row, thread_axis("threadIdx.y"))
    stage.unroll(chunk)
    if lanes > 1:
        stage.vectorize(lane)
    for reduction in group.reductions:
        own = sch[reduction]
        own.compute_at(stage, row)
        own.set_scope("local")
        thread, chunk, lane = _spread(own, own.fuse(*own.op.reduce_axis), threads, lanes)
        own.reorder(thread, chunk, lane)
        own.unroll(chunk)
        own.unroll(lane)
    for copy in held:
        _hold(sch[copy], stage, row, group, threads, lanes)
    return f"rows of {length}, each read once: it stays in registers of {threads} threads, in vectors of {lanes}" + (
        f"; {per_block} rows a block" if per_block > 1 else ""
    )


def _spread(stage: Stage, axis: IterVar, threads: int, lanes: int) -> tuple[IterVar, IterVar, IterVar]:
    vector, lane = stage.split(axis, factor=lanes)
    chunk, thread = stage.split(vector, factor=threads)
    stage.bind(thread, thread_axis("threadIdx.x"))
    return thread, chunk, lane


def _hold(own: Stage, stage: Stage, row: IterVar, group: Group, threads: int, lanes: int) -> None:
    """Keep a thread's part of a matrix in registers: chunk by chunk, vector by vector."""
    own.compute_at(stage, row)
    sizes = [extent(axis) or 1 for axis in group.columns]

    def flat(*indices: Expr) -> list[Expr]:
        columns = indices[group.rows :]
        at, stride = columns[-1], 1
        for index, size in zip(columns[-2::-1], sizes[:0:-1], strict=True):
            stride *= size
            at = index * stride + at
        return [*indices[: group.rows], at]

    def spread(*indices: Expr) -> list[Expr]:
        *rows, at = indices
        vector = at // lanes
        return [*rows, vector // threads, vector % threads, at % lanes]

    if len(sizes) > 1:
        own.transform_layout(flat)
    *_, chunk, _, lane = own.transform_layout(spread)
    own.unroll(chunk)
    if lanes > 1:
        own.vectorize(lane)
