"""The last step of a reduction over the blocks of a cluster: through shared memory that they read of each other.

Each block puts its value into a slot of its own shared memory; all blocks of the cluster meet; every thread reads the
slots of all blocks and combines them in the order of the blocks, so that all threads of the cluster get the same bits
in every run.  (NVIDIA, CUDA C++ Programming Guide, "Distributed Shared Memory": a block must have started before its
memory is read, and may not end while it is.)

Slots are memory of their own, so where no reduction runs twice in a kernel nothing overwrites them, and one more
meeting, after the last reduction, keeps every block alive until all have read.  A reduction inside of a loop or a
condition ends with a meeting itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir import stmt as s
from gpucomp.tir.buffer import Buffer, decl_buffer
from gpucomp.tir.expr import Expr, IntImm, IterVar, Var
from gpucomp.tir.functor import stmt_children
from gpucomp.tir.stmt import Stmt

CLUSTER: Final = "clusterIdx.x"


class ClusterExchange:
    """What the reductions over the blocks of a cluster need in one kernel.

    Args:
        rank: the number of a block in its cluster; ``None`` for kernels without clusters.
        size: blocks of a cluster.
        kernel: the statements of the kernel.
    """

    def __init__(self, rank: Var | None, size: int, kernel: Sequence[Stmt]) -> None:
        self.size = size
        self.slots: list[Buffer] = []
        nodes: list[tuple[s.AllReduce, bool]] = []
        if rank is not None and size > 1:
            for root in kernel:
                _collect(root, nested=False, out=nodes)
        self.open = len(nodes)
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

    def wrap(self, body: Stmt) -> Stmt:
        """Allocate the slots around a kernel."""
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
