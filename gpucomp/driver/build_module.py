"""Lowering and building under their standard public names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any  # Any: tensors, variables or buffers

from gpucomp.driver.build import build, lower
from gpucomp.ir.module import IRModule
from gpucomp.te.binds import get_binds
from gpucomp.te.state import Schedule
from gpucomp.tir.buffer import Buffer

__all__ = ["build", "get_binds", "lower", "schedule_to_module"]


def schedule_to_module(
    sch: Schedule,
    args: Sequence[Any] | None = None,
    name: str = "main",
    binds: Mapping[Any, Buffer] | None = None,
) -> IRModule:
    """A schedule as a function over multi-dimensional buffers, before any pass; see :func:`gpucomp.lower`."""
    return lower(sch, args, name, binds, simple_mode=True)
