"""What ``Schedule.check(target)`` does: lower a schedule for a target, for the errors alone."""

from __future__ import annotations

from gpucomp.driver.build import lower_primfunc
from gpucomp.driver.default_schedule import with_default_schedule
from gpucomp.driver.locate import located
from gpucomp.target import Target
from gpucomp.te.lower import lower_schedule
from gpucomp.te.operation import PlaceholderOp
from gpucomp.te.state import Schedule
from gpucomp.te.tensor import Tensor
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.functor import free_vars


def check_for_target(schedule: Schedule, target: str | Target) -> None:
    """Run the passes of ``target`` on a schedule whose arguments are its inputs, results and symbolic sizes.

    Raises:
        ScheduleError: the schedule is illegal.
        LowerError: it passes a limit of the target, or needs what the target lacks.
    """
    chosen = Target(target)
    sch = with_default_schedule(schedule, chosen)
    results = [t for op in sch.trace.outputs for t in op.outputs]
    with located(sch):
        func = lower_schedule(sch, [*_inputs(sch), *results, *_sizes(sch)], "main")
        lower_primfunc(func, chosen)


def _inputs(schedule: Schedule) -> list[Tensor]:
    """The inputs that the schedule reads once stages are inlined."""
    norm = schedule.normalize()
    read = {t for stage in norm.stages for t in stage.op.input_tensors}
    given = [op.output(0) for op in schedule.trace.ops if isinstance(op, PlaceholderOp)]
    return [t for t in given if norm.current(t) in read]


def _sizes(schedule: Schedule) -> list[Var]:
    """Variables in shapes and in the arguments of primitives, such as symbolic factors."""
    found: dict[Var, None] = {}
    for op in schedule.trace.ops:
        for x in op.output(0).shape:
            found.update(dict.fromkeys(sorted(free_vars(x), key=_name)))
    own = {iv.var for stage in schedule.stages for iv in stage.all_iter_vars}
    for step in schedule.trace.steps:
        if step.primitive not in ("split", "tile"):
            continue
        for x in (*step.args, *step.kwargs.values()):
            if isinstance(x, Expr):
                found.update(dict.fromkeys(sorted(free_vars(x) - own, key=_name)))
    return list(found)


def _name(v: Var) -> str:
    return v.name
