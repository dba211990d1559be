"""Grids of as many blocks as run at a time, each of which goes over several tiles."""

from __future__ import annotations

from gpucomp import te
from gpucomp.target import Target
from gpucomp.tir.expr import IterVar


def persistent_blocks(
    stage: te.Stage, tile: IterVar, target: Target, per_multiprocessor: int = 8
) -> tuple[IterVar, IterVar]:
    """Bind a loop over tiles to a fixed number of blocks: block ``b`` takes tiles ``b``, ``b + blocks``, ...

    What a block sets up (weights, tables, addresses) is set up once, where stages are attached to the first of the
    loops that are returned; neighbouring blocks go on reading neighbouring tiles.  For kernels that only stream, a
    block for each tile is as fast or faster: see docs/benchmarks/streaming-forms.md.

    Args:
        stage: whose loop it is.
        tile: a loop that is no thread yet.
        target: its ``multi_processor_count`` counts.
        per_multiprocessor: blocks of each multiprocessor; more than fit run later, which is right too.

    Returns:
        The loop that is bound to ``blockIdx.x``, and the serial one over the tiles of a block inside of it.
    """
    blocks = target.limits["multi_processor_count"] * per_multiprocessor
    turn, block = stage.split(tile, factor=blocks)
    stage.reorder(block, turn)
    stage.bind(block, te.thread_axis("blockIdx.x"))
    return block, turn
