"""Errors of passes know the line of the primitive that caused them; stage and axis are looked up here."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from gpucomp.support.diagnostics import LowerError, Span
from gpucomp.te.stage import Stage
from gpucomp.te.state import Schedule
from gpucomp.tir.expr import IterVar


@contextmanager
def located(inp: object) -> Generator[None]:
    """Add "stage C, axis 'j', loop nest ..." to errors whose place is a primitive of the schedule ``inp``."""
    try:
        yield
    except LowerError as error:
        if isinstance(inp, Schedule) and error.where is not None:
            error.context = _owner(inp, error.where) or error.context
        raise


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
