"""What the families of primitives share: making axes and recording steps."""

from __future__ import annotations

from typing import Any  # Any: the trace records arguments of all primitives

from gpucomp.support.diagnostics import Span
from gpucomp.te.relation import IterVarRelation
from gpucomp.te.stage_state import StageState
from gpucomp.tir.expr import IterVar, Var


class StageBase(StageState):
    """A stage that can record what is done to it."""

    def _derived(self, name: str, like: IterVar) -> IterVar:
        return IterVar(None, Var(name, like.var.dtype), like.iter_type)

    def _add(self, rel: IterVarRelation, *axes: IterVar) -> None:
        self.relations.append(rel)
        self.relation_spans[rel] = self.schedule.current_span()
        self.all_iter_vars += axes

    def _record(
        self, primitive: str, args: tuple[Any, ...], kwargs: dict[str, Any], results: tuple[Any, ...]
    ) -> Span | None:
        return self.schedule.record(primitive, self.origin_op, args, kwargs, results)
