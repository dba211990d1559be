"""The last step of a reduction over the blocks of a cluster: through shared memory that they read of each other.

Each block puts its value into a slot of its own shared memory; all blocks of the cluster meet; every thread reads the
slots of all blocks and combines them in the order of the blocks, so that all threads of the cluster get the same bits
in every run.  (NVIDIA, CUDA C++ Programming Guide, "Distributed Shared Memory": a block must have started before its
memory is read, and may not end while it is.)

Blocks of whole warps that reduce all of their threads once do better: each warp puts its value into slots of all
blocks, for which they must have started and no more, and after one meeting every warp combines what is in the slots of
its own block.  No barrier of the block comes on top, and no block waits for others before it ends.

Slots are memory of their own, so where no reduction runs twice in a kernel nothing overwrites them, and one more
meeting, after the last reduction, keeps every block alive until all have read.  A reduction inside of a loop or a
condition ends with a meeting itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import Expr, IntImm, IterVar, Var
from gpucomp.tir.functor import stmt_children
from gpucomp.tir.stmt import Stmt

CLUSTER: Final = "clusterIdx.x"
Gather: TypeAlias = Callable[[list[Buffer], int], Stmt]


class ClusterExchange:
    """What the reductions over the blocks of a cluster need in one kernel.

    Args:
        rank: the number of a block in its cluster; ``None`` for kernels without clusters.
        size: blocks of a cluster.
        kernel: the statements of the kernel.
    """

    def __init__(self, rank: Var | None, size: int, kernel: Sequence[Stmt]) -> None:
        self.rank, self.size = rank, size
        self.slots: list[Buffer] = []
        nodes: list[tuple[s.AllReduce, bool]] = []
        if rank is not None and size > 1:
            for root in kernel:
                _collect(root, nested=False, out=nodes)
        self.open = self.count = len(nodes)
        self.started = False  # the kernel waits until the blocks of its cluster have started
        self.repeats = any([nested for _, nested in nodes])

    def exchange(self, node: s.AllReduce, first: Expr | None, group: Expr, groups: int) -> Stmt:
        """Combine the values of the blocks, which all of their threads hold in the results of ``node``.

        Args:
            node: the reduction.
            first: which of the threads that have one value puts it into the slot; ``None`` where each has its own.
            group: number of the group of threads whose value it is, of ``groups``.
        """
        zero = operators.const(0)
        slots = [decl_buffer([groups], v.dtype, "cluster_slot", scope="shared") for v in node.values]
        self.slots += slots
        own = s.seq([s.BufferStore(x, b[(zero,)], (group,)) for x, b in zip(slots, node.results, strict=True)])
        publish = own if first is None else s.IfThenElse(first, own)
        total: list[tuple[Var, ...]] = []
        for rank in range(self.size):
            total.append(tuple([Var(f"{b.name}_block_{rank}", b.dtype) for b in node.results]))
        value: tuple[Expr, ...] = total[0]
        for names in total[1:]:
            value = node.combiner(value, names)
        read: Stmt = s.seq([s.BufferStore(b, v, (zero,)) for b, v in zip(node.results, value, strict=True)])
        for rank in reversed(range(self.size)):  # all loads are under way before the first is used
            for slot, name in zip(reversed(slots), reversed(total[rank]), strict=True):
                place = intrin.call_intrin("handle", "address_of", e.BufferLoad(slot, (group,)))
                read = s.LetStmt(name, intrin.call_intrin(slot.dtype, "cluster_load", place, rank), read)
        self.open -= 1
        last = meeting() if self.repeats or self.open == 0 else None
        return s.seq(publish, meeting(), read, last)

    def pushes(self, warps: int, warp: int) -> bool:
        """Whether the values of so many warps of each block go to all blocks at once.

        Where a kernel reduces twice over its cluster, that is no faster on an H100, and slower for long rows.
        """
        return self.count == 1 and self.size <= warp and not (warps * self.size) & (warps * self.size - 1)

    def push(self, node: s.AllReduce, warps: Expr, lane: Expr, count: int, combined: Gather) -> Stmt:
        """Combine values that all lanes of a warp hold in the results of ``node``, over all warps of the cluster.

        Args:
            node: the reduction.
            warps: the number of the warp in its block, of ``count``.
            lane: the number of the thread in its warp.
            combined: makes the statements that combine so many values in shared memory within each warp.
        """
        assert self.rank is not None
        slots = [decl_buffer([count * self.size], v.dtype, "cluster_slot", scope="shared") for v in node.values]
        self.slots += slots
        own = operators.add(operators.multiply(self.rank, count), warps)
        zero = operators.const(0)
        sent: list[Stmt] = []
        for slot, result in zip(slots, node.results, strict=True):
            place = intrin.call_intrin("handle", "address_of", e.BufferLoad(slot, (own,)))
            value = e.BufferLoad(result, (zero,))
            sent.append(s.Evaluate(intrin.call_intrin("int32", "cluster_store", place, lane, value)))
        wait: Stmt | None = None
        if not self.started and not self.repeats:
            wait = s.Evaluate(intrin.barrier("cluster_wait"))
        self.started = True
        publish = s.IfThenElse(operators.compare(e.LT, lane, self.size), s.seq(*sent))
        self.open -= 1
        last = meeting() if self.repeats else None
        return s.seq(wait, publish, meeting(), combined(slots, count * self.size), last)

    def wrap(self, body: Stmt) -> Stmt:
        """Allocate the slots around a kernel, which says that it has started, where others write to its memory."""
        if self.started:
            waits = s.Evaluate(intrin.barrier("cluster_wait")) if self.repeats else None
            body = s.seq(s.Evaluate(intrin.barrier("cluster_arrive")), waits, body)
        for slot in reversed(self.slots):
            body = s.Allocate(slot.data, slot.dtype, slot.shape, operators.const(1, "bool"), body)
        return body


def meeting() -> Stmt:
    """All threads of all blocks of the cluster meet."""
    return s.Evaluate(intrin.barrier("cluster"))


def _collect(root: Stmt, *, nested: bool, out: list[tuple[s.AllReduce, bool]]) -> None:
    """Reductions over the blocks of a cluster, and whether they may run not at all or more than once."""
    tags: dict[Var, None] = {}
    stack = [(root, nested)]
    while stack:
        node, inside = stack.pop()
        axis = node.node if isinstance(node, s.AttrStmt) and node.attr_key == "thread_extent" else None
        if isinstance(axis, IterVar) and axis.thread_tag == CLUSTER:
            tags[axis.var] = None
        if isinstance(node, s.AllReduce):
            if any([var in tags for var in node.threads]):
                out.append((node, inside))
            continue
        once = isinstance(node, s.For) and isinstance(node.extent, IntImm) and node.extent.value == 1
        inside = inside or (isinstance(node, (s.For, s.While, s.IfThenElse)) and not once)
        stack += [(child, inside) for child in reversed(stmt_children(node)) if isinstance(child, Stmt)]
