"""Regions that begin where a tensor says: what that tensor holds is read only where the consumer runs.

A row ``double[at[i], j]`` that is computed for one ``i`` begins at ``at[i]``.  Past the end of an uneven split there
is no such element: the consumer does nothing there, and the producer must not look for its place either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpucomp.te.bound import Bounds
from gpucomp.te.nest import conjunction
from gpucomp.te.scopes import STORAGE_RANK, is_virtual
from gpucomp.te.stage import Stage
from gpucomp.tir.expr import Expr, IterVar, ProducerLoad
from gpucomp.tir.functor import expr_post_order, free_vars

if TYPE_CHECKING:
    from gpucomp.te.schedule_ops import Builder


def region_guard(builder: Builder, stage: Stage) -> Expr | None:
    """The conditions of the consumer that an attached stage shares, because its region begins where a load says.

    None for other regions, where another stage reads it too, and where threads share its memory: they must all reach
    its barriers.
    """
    bounds, parent = builder.bounds, stage.attach_stage
    if parent is None or not _begins_at_load(bounds, stage) or not _is_private(builder, stage):
        return None
    readers = [s for s in builder.schedule.stages if any([t in s.op.input_tensors for t in stage.op.outputs])]
    if readers != [parent]:
        return None
    work = builder.works[parent]
    place = next((i for i, x in enumerate(work.leaves) if x is stage.attach_ivar), None)
    if place is None:
        return None
    inside = work.leaves[place + 1 :]
    loops = {builder.loops.var(parent, x) for x in inside if not _is_thread(bounds, parent, x)}
    conditions = [*work.data_guards, *work.reduce_guards, *([work.value_guard] if work.value_guard is not None else [])]
    return conjunction([c for c in conditions if free_vars(c).isdisjoint(loops)])


def _begins_at_load(bounds: Bounds, stage: Stage) -> bool:
    starts = [bounds.doms[axis].min for axis in stage.op.region_axis]
    return any([isinstance(node, ProducerLoad) for node in expr_post_order(*starts)])


def _is_private(builder: Builder, stage: Stage) -> bool:
    """Whether no memory of the stage, or of what is computed inside of it, is shared by threads of its kernel."""
    bounds = builder.bounds
    threads = [u.axis.thread_tag for u in bounds.kernels[bounds.root_of(stage)].values()]
    if all([is_virtual(tag) for tag in threads]):
        return True
    children = [s for of_axis in builder.attached.get(stage, {}).values() for s in of_axis]
    own = STORAGE_RANK[bounds.scopes[stage]] >= STORAGE_RANK["local"]
    return own and all([_is_private(builder, child) for child in children])


def _is_thread(bounds: Bounds, stage: Stage, leaf: IterVar) -> bool:
    thread = stage.bound_thread(leaf)
    return thread is not None and not is_virtual(thread.thread_tag)
