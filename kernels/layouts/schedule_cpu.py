"""Transposes on processors: tiles pass through the first cache, so that both sides of the memory see whole lines."""

from __future__ import annotations

from typing import Final

from gpucomp import te
from gpucomp.kernels.processor import leaves_the_caches
from gpucomp.kernels.registry import Definition
from gpucomp.target import Target
from gpucomp.te import Schedule
from gpucomp.tir.expr import IterVar

TILE_BYTES: Final = 256  # of a row of a tile: four lines, which the memory sends one after the other
LANES: Final = 16


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
    """A tile is copied by rows, then picked up by columns.

    Straight from the input, the elements of a column would lie a row apart: where that is a power of two they all
    compete for the same few places of a cache.
    """
    (a,), (out,) = defn.inputs, defn.outputs
    s = te.create_schedule(out.op)
    tile = min(64, TILE_BYTES // a.dtype.nbytes)
    staged = s.cache_read(a, "local", [out])
    stage = s[out]
    *outer, i, j = out.op.axis
    block_i, block_j, i, j = stage.tile(i, j, tile, tile)
    vectors, lane = stage.split(j, factor=LANES)
    stage.vectorize(lane)
    if leaves_the_caches(defn):
        stage.pragma(vectors, "nontemporal")
    fetch = s[staged]
    fetch.compute_at(stage, block_j)
    _, lane = fetch.split(staged.op.axis[-1], factor=LANES)
    fetch.vectorize(lane)
    return s, stage.fuse(*outer, block_i)
