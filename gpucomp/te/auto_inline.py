"""Inline what is cheap to compute again: each element of the result needs one element of each input.

The class of an operation is read off its indices.  *Elementwise*: every input is read at the output's own indices.
*Broadcast*: at some of them, in order.  *Injective*: at any index, without a reduction (transpose, slice, pad).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from gpucomp.te.errors import needs_schedule
from gpucomp.te.operation import ComputeOp, Operation
from gpucomp.te.stage import Stage
from gpucomp.te.stage_state import AttachType

if TYPE_CHECKING:
    from gpucomp.te.state import Schedule

_TAGS = {"elemwise": 0, "broadcast": 1, "injective": 2}


def injectivity(op: Operation) -> int | None:
    """0 elementwise, 1 broadcast, 2 injective; None for reductions, inputs and constants that are only stored.

    A tag that names a class ("elemwise", "broadcast", "injective") decides; otherwise the indices do.
    """
    if not isinstance(op, ComputeOp) or op.reduce_axis:
        return None
    if op.tag in _TAGS:
        return _TAGS[op.tag]
    own = [a.var for a in op.axis]
    worst = 0
    for _, accesses in op.reads:
        for indices in accesses:
            places = [next((p for p, v in enumerate(own) if v is i), -1) for i in indices]
            if -1 in places or any([a >= b for a, b in pairwise(places)]):
                return 2
            worst = max(worst, int(len(places) != len(own)))
    return worst


def _inline_up_to(schedule: Schedule, limit: int) -> None:
    needs_schedule(schedule, "AutoInline")
    needed = {t for stage in schedule.stages if not isinstance(stage.op, ComputeOp) for t in stage.op.input_tensors}
    for stage in schedule.stages:
        if any([t in needed for t in stage.op.outputs]):
            continue  # what is no te.compute reads it from memory
        if _is_free(stage) and (kind := injectivity(stage.op)) is not None and kind <= limit:
            stage.compute_inline()


def _is_free(stage: Stage) -> bool:
    """True for an intermediate stage that no primitive has touched."""
    touched = stage.relations or stage.scope or stage.double_buffered or stage.iter_var_attrs or stage.dim_align
    touched = (
        touched
        or stage.env_thread_axes
        or stage.rolls
        or stage.swizzle is not None
        or stage.store_predicate is not None
    )
    return not stage.is_output and not touched and stage.attach_type == AttachType.GROUP_ROOT


def auto_inline_elemwise(schedule: Schedule) -> None:
    """Inline every untouched intermediate stage that is elementwise."""
    _inline_up_to(schedule, 0)


def auto_inline_broadcast(schedule: Schedule) -> None:
    """Inline every untouched intermediate stage that is elementwise or a broadcast."""
    _inline_up_to(schedule, 1)


def auto_inline_injective(schedule: Schedule) -> None:
    """Inline every untouched intermediate stage that is no reduction."""
    _inline_up_to(schedule, 2)
