"""Blocks to plain loops: the first step from scheduled blocks to code."""

from __future__ import annotations

from gpucomp.tir.block import open_blocks
from gpucomp.tir.function import PrimFunc


def lower_blocks(func: PrimFunc) -> PrimFunc:
    """Replace every block by what its instances do (see ``tir.block``).

    Loops, thread-bound ones included, stay as they are; a buffer of a block is realised whole around it.
    """
    return func.with_body(open_blocks(func.body))
