"""Which stages become kernels, which are computed inside of others, and by which rule."""

from __future__ import annotations

from dataclasses import dataclass

from gpucomp.driver.defaults import elementwise, groups, plain, reductions, turned
from gpucomp.te.operation import ComputeOp, Operation
from gpucomp.te.scan import ScanOp
from gpucomp.te.join import JoinOp
from gpucomp.te.state import Schedule
from gpucomp.te.tensor import Tensor
from gpucomp.te.tensor_compute import TensorComputeOp
from gpucomp.target import Target
from gpucomp.tir.expr import Reduce
from gpucomp.driver.defaults.access import product, reads_of


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
        return isinstance(self.op.body[0], Reduce)


def gpu_defaults(sch: Schedule, target: Target) -> list[str]:
    """Schedule all stages that are not inlined; returns a line for each kernel: what was chosen, and why."""
    norm = sch.normalize()
    opaque = any([isinstance(stage.op, (ScanOp, JoinOp)) for stage in norm.stages])
    nodes = [
        Node(stage.origin_op, stage.op)
        for stage in norm.stages
        if type(stage.op) is ComputeOp and isinstance(stage.origin_op, ComputeOp)
    ]
    if opaque:
        return [f"{node.origin.name}: {plain.schedule(sch, node.origin, target)}" for node in nodes]
    readers: dict[Operation, list[Operation]] = {}
    for stage in norm.stages:
        for tensor in stage.op.input_tensors:
            readers.setdefault(tensor.op, []).append(stage.op)
    uses: dict[Tensor, int] = {}
    for op in sch.trace.ops:
        for tensor in op.input_tensors:
            uses[tensor] = uses.get(tensor, 0) + 1
    results = set(norm.outputs)
    by_op = {node.op: node for node in nodes}
    done: dict[ComputeOp, None] = {}
    lines: list[str] = []
    users: dict[Operation, list[Operation]] = {}
    for op in sch.trace.ops:
        for tensor in op.input_tensors:
            users.setdefault(tensor.op, []).append(op)
    reducing = {node.origin: node.op for node in nodes if node.reduces}
    for node in nodes:
        if node.reduces:
            continue
        group = groups.find(node.origin, node.op, reducing, users, sch.trace.outputs)
        why = None if group is None else groups.schedule(sch, group, target)
        if group is not None and why is not None:
            lines.append(f"{', '.join([x.name for x in (*group.reductions, node.origin)])}: {why}")
            done.update(dict.fromkeys([node.op, *[reducing[x] for x in group.reductions]]))
    for node in nodes:
        if node.op in done:
            continue
        if not node.reduces:
            turn = turned.find(node.origin, node.op, uses)
            if turn is None:
                why = elementwise.schedule(sch[node.origin], node.op, target)
            else:
                why = turned.schedule(sch, node.origin, turn, target)
            lines.append(f"{node.origin.name}: {why}")
            continue
        finish = None
        using = dict.fromkeys(readers.get(node.op, ()))
        if node.op not in results and len(using) == 1:
            [reader] = using
            if reader in by_op and finishes(by_op[reader].op, node.op):
                finish = by_op[reader]
                done[finish.op] = None
        why = reductions.schedule(sch, node.origin, node.op, None if finish is None else finish.origin, target)
        what = node.origin.name if finish is None else f"{node.origin.name} with {finish.origin.name}"
        lines.append(f"{what}: {why}")
    return lines


def finishes(op: ComputeOp, reduction: ComputeOp) -> bool:
    """Whether an operation computes each element of one of the reduction's, so that both fit one kernel."""
    if isinstance(op.body[0], Reduce):
        return False
    mine, others = product(op.axis), product(reduction.axis)
    if mine is None or mine != others:
        return False
    long = [axis.var for axis in op.axis if not _single(axis)]
    for read in reads_of(op):
        if read.tensor.op is not reduction:
            continue
        places = [
            index for index, axis in zip(read.indices, reduction.axis, strict=True) if not _single(axis)
        ]
        if len(places) != len(long) or any([a is not b for a, b in zip(places, long, strict=True)]):
            return False
    return True


def _single(axis: object) -> bool:
    return product([axis]) == 1  # pyright: ignore
