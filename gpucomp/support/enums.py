"""Enumerations whose members users may name by number."""

from __future__ import annotations

from enum import IntEnum

from gpucomp.support.diagnostics import TensorError, caller_span


class NumberedEnum(IntEnum):
    """An ``IntEnum`` that says which members it has when it is asked for another one."""

    @classmethod
    def _missing_(cls, value: object) -> NumberedEnum:
        raise TensorError(
            f"{cls.__name__} has no member {value!r}",
            code="GC225",
            where=caller_span(),
            hint="one of " + ", ".join([f"{cls.__name__}.{member.name}" for member in cls]),
        )
