"""Types of variables: scalar types, and pointers that carry their storage scope."""

from __future__ import annotations

from dataclasses import dataclass

from gpucomp.support.dtype import DType


@dataclass(frozen=True, slots=True)
class PrimType:
    """A scalar or vector value of the given element type."""

    dtype: DType


@dataclass(frozen=True, slots=True)
class PointerType:
    """A pointer to elements of ``element_type`` in ``storage_scope`` ("global", "shared", "local", ...)."""

    element_type: PrimType
    storage_scope: str = "global"


Type = PrimType | PointerType
