"""Which stages become kernels, which are computed inside of others, and by which rule."""

from __future__ import annotations

from dataclasses import dataclass

from gpucomp.driver.defaults import elementwise, groups, plain, reductions, turned
from gpucomp.driver.defaults.access import extent, reads_of, same_extent
from gpucomp.target import Target
from gpucomp.te.join import JoinOp
from gpucomp.te.operation import ComputeOp, Operation
from gpucomp.te.scan import ScanOp
from gpucomp.te.state import Schedule
from gpucomp.te.tensor import Tensor
from gpucomp.tir.expr import Reduce


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A stage that stays when the others are inlined.

    Attributes:
        origin: its operation as the schedule knows it.
        op: with what is inlined into it.
    """

    origin: ComputeOp
    op: ComputeOp

    @property
    def reduces(self) -> bool:
        """Whether it is a reduction."""
        return isinstance(self.op.body[0], Reduce)


class Plan:
    """A graph of operations while it is scheduled, and a line for each of its kernels."""

    def __init__(self, sch: Schedule, target: Target) -> None:
        self.sch, self.target = sch, target
        norm = sch.normalize()
        self.nodes = [
            Node(stage.origin_op, stage.op)
            for stage in norm.stages
            if type(stage.op) is ComputeOp and isinstance(stage.origin_op, ComputeOp)
        ]
        self.opaque = any([isinstance(stage.op, (ScanOp, JoinOp)) for stage in norm.stages])
        self.results = norm.outputs
        self.readers: dict[Operation, list[Operation]] = {}  # without what is inlined
        for stage in norm.stages:
            for tensor in stage.op.input_tensors:
                self.readers.setdefault(tensor.op, []).append(stage.op)
        self.users: dict[Operation, list[Operation]] = {}  # as the schedule knows them
        for op in sch.trace.ops:
            for tensor in op.input_tensors:
                self.users.setdefault(tensor.op, []).append(op)
        self.done: dict[ComputeOp, None] = {}
        self.lines: list[str] = []

    def make(self) -> list[str]:
        """Schedule all stages that are not inlined; returns a line for each kernel: what was chosen, and why."""
        if self.opaque:
            return [f"{node.origin.name}: {plain.schedule(self.sch, node.origin, self.target)}" for node in self.nodes]
        for node in self.nodes:
            if not node.reduces:
                self._group(node)
        for node in self.nodes:
            if node.op in self.done:
                continue
            if node.reduces:
                self._reduction(node)
            else:
                self.lines.append(f"{node.origin.name}: {self._injective(node)}")
        return self.lines

    def _group(self, node: Node) -> None:
        """Rows that are reduced and then gone over again, in one kernel."""
        reducing: dict[Operation, ComputeOp] = {n.origin: n.op for n in self.nodes if n.reduces}
        group = groups.find(node.origin, node.op, reducing, self.users, self.sch.trace.outputs)
        why = None if group is None else groups.schedule(self.sch, group, self.target)
        if group is None or why is None:
            return
        self.done.update(dict.fromkeys([node.op, *[reducing[x] for x in group.reductions]]))
        self.lines.append(f"{', '.join([x.name for x in (*group.reductions, node.origin)])}: {why}")

    def _injective(self, node: Node) -> str:
        turn = turned.find(node.origin, node.op, self.users)
        if turn is None:
            return elementwise.schedule(self.sch[node.origin], node.op, self.target)
        return turned.schedule(self.sch, node.origin, turn, self.target)

    def _reduction(self, node: Node) -> None:
        finish = self._finish(node)
        why = reductions.schedule(self.sch, node.origin, node.op, finish and finish.origin, self.target)
        if finish is not None:
            self.done[finish.op] = None
        what = node.origin.name if finish is None else f"{node.origin.name}, {finish.origin.name}"
        self.lines.append(f"{what}: {why}")

    def _finish(self, node: Node) -> Node | None:
        """What alone reads a reduction, element by element."""
        using = list(dict.fromkeys(self.readers.get(node.op, ())))
        if node.op in self.results or len(using) != 1:
            return None
        found = next((n for n in self.nodes if n.op is using[0]), None)
        if found is None or found.reduces or found.op in self.done or not finishes(found.op, node.op):
            return None
        return found


def finishes(op: ComputeOp, reduction: ComputeOp) -> bool:
    """Whether an operation computes each of its elements of one of the reduction's, in the same order."""
    mine = [axis for axis in op.axis if extent(axis) != 1]
    long = [i for i, axis in enumerate(reduction.axis) if extent(axis) != 1]
    if len(mine) != len(long) or not all([same_extent(a, reduction.axis[i]) for a, i in zip(mine, long, strict=True)]):
        return False
    own: list[Tensor] = list(reduction.outputs)
    for read in reads_of(op):
        if read.tensor not in own:
            continue
        if not all([read.indices[i] is axis.var for i, axis in zip(long, mine, strict=True)]):
            return False
    return True
