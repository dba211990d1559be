"""Schedules for any target: those that nobody touched, which ``build`` gives the default of its target."""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp.te.state import Schedule, create_schedule
from gpucomp.te.tensor import Tensor
from gpucomp.te.user_input import listed


def schedule_injective(outs: Tensor | Sequence[Tensor]) -> Schedule:
    """A schedule of ``outs`` without a primitive: ``build`` for a target schedules it by its rule."""
    return create_schedule(listed(outs, Tensor))


schedule_reduce = schedule_softmax = schedule_dense = schedule_pool = schedule_extern = schedule_injective
