"""Transposes on processors: small tiles, of which both sides stay in the first cache."""

from __future__ import annotations

from typing import Final

from gpucomp import te
from gpucomp.kernels.registry import Definition
from gpucomp.target import Target
from gpucomp.te import Schedule
from gpucomp.tir.expr import IterVar

TILE: Final = 16


def schedule_transpose(defn: Definition, target: Target) -> Schedule:
    """Rows of tiles in parallel."""
    s, rows = _tiles(defn)
    s[defn.outputs[0]].parallel(rows)
    return s


def schedule_transpose_opencl_cpu(defn: Definition, target: Target) -> Schedule:
    """One work-group of one work-item a row of tiles."""
    s, rows = _tiles(defn)
    s[defn.outputs[0]].bind(rows, te.thread_axis("blockIdx.x"))
    return s


def _tiles(defn: Definition) -> tuple[Schedule, IterVar]:
    (out,) = defn.outputs
    s = te.create_schedule(out.op)
    stage = s[out]
    *outer, i, j = out.op.axis
    block_i, _, _, j = stage.tile(i, j, TILE, TILE)
    stage.vectorize(j)
    return s, stage.fuse(*outer, block_i)
