"""Errors of passes know the line of the primitive that caused them; stage and axis are looked up here."""

from __future__ import annotations

from gpucomp.support.diagnostics import LowerError, Span, caller_span
from gpucomp.te.stage import Stage
from gpucomp.te.state import Schedule
from gpucomp.tir.expr import IterVar


class located:
    """Where errors of passes come from: ``with located(schedule): ...``.

    Adds "stage C, axis 'j', loop nest ..." to errors whose place is a primitive of the schedule, and gives those
    without a place that of the user's call, so that no error is without one.
    """

    def __init__(self, inp: object) -> None:
        self.inp = inp

    def __enter__(self) -> None:
        """Nothing is set up."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, LowerError):
            return
        if error.where is None:
            error.where = caller_span()
        elif isinstance(self.inp, Schedule):
            error.context = _owner(self.inp, error.where) or error.context


def _owner(schedule: Schedule, place: Span) -> str | None:
    for stage in schedule.stages:
        for axis in stage.leaf_iter_vars:
            attr = stage.iter_var_attrs.get(axis)
            if attr is not None and (attr.bind_span is place or attr.kind_span is place):
                return _text(stage, axis)
    for stage in schedule.stages:
        if stage.span is place or stage.op.span is place:
            return _text(stage, None)
    return None


def _text(stage: Stage, axis: IterVar | None) -> str:
    which = "" if axis is None else f", axis {axis.name!r}"
    return f"stage {stage.name}{which}, {stage.nest_text()}"
