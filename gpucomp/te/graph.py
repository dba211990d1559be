"""Graphs of operations: order, readers, attachments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gpucomp.support.expect import expect, expect_each
from gpucomp.te.errors import needs_schedule, schedule_error
from gpucomp.te.operation import Operation
from gpucomp.te.stage import Stage
from gpucomp.te.tensor import Tensor
from gpucomp.tir.expr import IterVar

if TYPE_CHECKING:
    from gpucomp.te.state import Schedule

AttachPath = list[tuple[Stage, IterVar]]


def post_dfs_order(ops: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """All operations that the given ones depend on, and themselves, producers first.  Needs no recursion."""
    expect_each(ops, Operation, "PostDFSOrder", "pass operations: [C.op]")
    done: dict[Operation, None] = {}
    stack: list[tuple[Operation, bool]] = [(op, False) for op in reversed(ops)]
    while stack:
        op, expanded = stack.pop()
        if op in done:
            continue
        if expanded:
            done[op] = None
            continue
        stack.append((op, True))
        stack += [(t.op, False) for t in reversed(op.input_tensors) if t.op not in done]
    return tuple(done)


def create_read_graph(ops: tuple[Operation, ...]) -> dict[Operation, tuple[Tensor, ...]]:
    """For each operation that the given ones depend on: the tensors that it reads."""
    expect_each(ops, Operation, "CreateReadGraph", "pass operations: [C.op]")
    return {op: op.input_tensors for op in post_dfs_order(ops)}


def feed_graph(reads: Mapping[Operation, tuple[Tensor, ...]]) -> dict[Tensor, list[Operation]]:
    """For each tensor of a read graph: the operations that read it, in the order of the graph."""
    expect(reads, Mapping, "CreateFeedGraph", "pass what te.schedule.CreateReadGraph returns")
    feed: dict[Tensor, list[Operation]] = {}
    for op, tensors in reads.items():
        for tensor in tensors:
            feed.setdefault(tensor, []).append(op)
    return feed


def create_feed_graph(schedule: Schedule) -> dict[Tensor, list[Stage]]:
    """For each tensor: the stages that read it, in schedule order."""
    feed: dict[Tensor, list[Stage]] = {}
    for stage in schedule.stages:
        for tensor in stage.op.input_tensors:
            feed.setdefault(tensor, []).append(stage)
    return feed


def create_attach_path(schedule: Schedule) -> dict[Stage, AttachPath]:
    """For each stage: the loops that enclose its attach point, innermost first, with the stages that own them.

    Raises:
        ScheduleError: GC125 the attachments form a cycle, or an attach axis is no leaf any more.
    """
    needs_schedule(schedule, "CreateAttachPath")
    out: dict[Stage, AttachPath] = {}
    for stage in schedule.stages:
        path: AttachPath = []
        at = stage
        seen = [stage]
        while at.is_attached:
            parent, ivar = at.attach_stage, at.attach_ivar
            assert parent is not None
            assert ivar is not None
            if parent in seen:
                raise schedule_error(
                    "GC125",
                    f"the attachments {' inside '.join([s.name for s in [*seen, parent]])} form a cycle",
                    stage=at,
                    where=at.attach_span,
                    hint=f"s[{at.name}].compute_root()",
                )
            seen.append(parent)
            path += _enclosing(at, parent, ivar)
            at = parent
        out[stage] = path
    return out


def _enclosing(stage: Stage, parent: Stage, ivar: IterVar) -> AttachPath:
    for position, leaf in enumerate(parent.leaf_iter_vars):
        if leaf is ivar:
            return [(parent, iv) for iv in reversed(parent.leaf_iter_vars[: position + 1])]
    raise schedule_error(
        "GC125",
        f"stage {stage.name} is to be computed at axis {ivar.name!r} of stage {parent.name}, which has "
        "no such loop now",
        stage=parent,
        where=stage.attach_span,
        hint=f"s[{stage.name}].compute_at(s[{parent.name}], axis) after the primitive that removed {ivar.name!r}",
    )
