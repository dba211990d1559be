"""The common base of IR nodes: identity, structure, modules, passes.

The standard public names below are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gpucomp.ir.module import IRModule
    from gpucomp.ir.structural import (
        assert_structural_equal,
        get_first_structural_mismatch,
        structural_equal,
        structural_hash,
    )
    from gpucomp.ir.types import PointerType, PrimType
    from gpucomp.tir.expr import GlobalVar, Range
    from gpucomp.tir.intrin import Op

__all__ = [
    "GlobalVar", "IRModule", "Op", "PointerType", "PrimType", "Range", "assert_structural_equal",
    "get_first_structural_mismatch", "structural_equal", "structural_hash",
]  # fmt: skip

_HOMES: Final[dict[str, str]] = {
    "IRModule": "gpucomp.ir.module",
    **dict.fromkeys(("PointerType", "PrimType"), "gpucomp.ir.types"),
    **dict.fromkeys(
        ("assert_structural_equal", "get_first_structural_mismatch", "structural_equal", "structural_hash"),
        "gpucomp.ir.structural",
    ),
    **dict.fromkeys(("GlobalVar", "Range"), "gpucomp.tir.expr"),
    "Op": "gpucomp.tir.intrin",
}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
