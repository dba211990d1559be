"""Schedules for GPUs: the default ones, as primitives, to which more can be added."""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp.driver.default_schedule import with_default_schedule
from gpucomp.target.target import Target
from gpucomp.te.state import Schedule
from gpucomp.te.tensor import Tensor
from gpucomp.topi import generic


def schedule_injective(outs: Tensor | Sequence[Tensor]) -> Schedule:
    """Injective operations inlined, what is left by the rules of ``docs/default-schedules.md``."""
    return with_default_schedule(generic.schedule_injective(outs), Target("cuda"))


schedule_reduce = schedule_softmax = schedule_dense = schedule_pool = schedule_injective
