"""Conditions under which a schedule is made, for code that picks among schedules."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from gpucomp.support.diagnostics import TensorError, caller_span
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, ExprLike

_local = threading.local()


class SpecializedCondition:
    """``with te.SpecializedCondition([n > 32]):`` says what a schedule made inside may assume.

    Attributes:
        clauses: the conditions, all of which hold.
    """

    def __init__(self, conditions: ExprLike | Sequence[ExprLike]) -> None:
        items = list(conditions) if isinstance(conditions, (list, tuple)) else [conditions]
        self.clauses: tuple[Expr, ...] = tuple([operators.convert(c) for c in items])
        for clause in self.clauses:
            if not clause.dtype.is_bool:
                raise TensorError(
                    f"a specialised condition is a condition, got {clause} of type {clause.dtype}",
                    code="GC217",
                    where=caller_span(),
                    hint="te.SpecializedCondition([n > 32])",
                )

    @staticmethod
    def current() -> SpecializedCondition | None:
        """The innermost condition that holds in this thread."""
        stack = getattr(_local, "stack", ())
        return stack[-1] if stack else None

    def __enter__(self) -> SpecializedCondition:
        _local.stack = (*getattr(_local, "stack", ()), self)
        return self

    def __exit__(self, *exc: object) -> None:
        _local.stack = _local.stack[:-1]
