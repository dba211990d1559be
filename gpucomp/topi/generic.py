"""Schedules for any target: those that nobody touched, which ``build`` gives the default of its target."""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp.te.state import Schedule, create_schedule
from gpucomp.te.tensor import Tensor


def schedule_injective(outs: Tensor | Sequence[Tensor]) -> Schedule:
    """A schedule of ``outs`` without a primitive: ``build`` for a target schedules it by its rule."""
    return create_schedule([x.op for x in ([outs] if isinstance(outs, Tensor) else outs)])


schedule_reduce = schedule_softmax = schedule_dense = schedule_pool = schedule_extern = schedule_injective
