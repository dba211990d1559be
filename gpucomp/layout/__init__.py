"""Layouts: maps from the indices of a tensor to places."""

from __future__ import annotations

from gpucomp.layout.index_map import IndexMap, NotInvertible

__all__ = ["IndexMap", "NotInvertible"]
