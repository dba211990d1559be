"""Where tiles that a warp holds in registers together are in the registers of each thread.

A buffer in a scope of fragments is a matrix (or several) of 16x16 tiles; each thread has eight elements of a tile.  An
access names the tile by its first element, and by the lanes of a vector, 0 to 7, which of the elements of this thread
it means: ``C[i, j + 2 : j + 4]`` are elements 2 and 3 of the tile at (i, j).  Which elements of the matrix these are
says :mod:`gpucomp.tir.fragments`; only the statements of intrinsics need to know.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gpucomp.ir.types import PointerType, PrimType
from gpucomp.support.diagnostics import LowerError
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, IntImm, Ramp, Var
from gpucomp.tir.fragments import LANE_ELEMENTS, SCOPES, TILE
from gpucomp.tir.stmt import BufferRealize


@dataclass(frozen=True, slots=True)
class Registers:
    """A buffer of fragments in the registers of a thread.

    Attributes:
        flat: one-dimensional, private to each thread.
        extents: of the box in elements of the matrix.
        mins: of the box.
    """

    flat: Buffer
    extents: tuple[int, ...]
    mins: tuple[Expr, ...]

    def index(self, indices: Sequence[Expr]) -> Expr:
        """The index of an access into the flat buffer."""
        last = indices[-1]
        first = last.base if isinstance(last, Ramp) else last
        offsets = [operators.subtract(i, low) for i, low in zip((*indices[:-1], first), self.mins, strict=True)]
        *outer, row, column = offsets
        tiles: Expr = operators.const(0, row.dtype)
        parts = [*outer, operators.floordiv(row, TILE), operators.floordiv(column, TILE)]
        counts = [*self.extents[:-2], self.extents[-2] // TILE, self.extents[-1] // TILE]
        for part, count in zip(parts, counts, strict=True):
            tiles = operators.add(operators.multiply(tiles, count), part)
        place = operators.add(operators.multiply(tiles, LANE_ELEMENTS), operators.floormod(column, TILE))
        return Ramp(place, last.stride, last.lanes) if isinstance(last, Ramp) else place


def in_registers(node: BufferRealize, mins: tuple[Expr, ...], extents: Sequence[Expr]) -> Registers | None:
    """How a realised box is kept in registers; None for a buffer of another scope.

    Raises:
        LowerError: GC395 the box is not made of whole tiles.
    """
    buffer = node.buffer
    if buffer.scope() not in SCOPES:
        return None
    sizes = [x.value for x in extents if isinstance(x, IntImm)]
    if len(sizes) < 2 or sizes[-1] % TILE or sizes[-2] % TILE:
        shown = " x ".join([str(x) for x in extents])
        raise LowerError(
            f"buffer {buffer.name!r} in {buffer.scope()} holds {shown} elements, which are no tiles of {TILE}x{TILE}",
            code="GC395",
            where=node.span,
            hint=f"split rows and columns of what a warp computes by multiples of {TILE}",
        )
    element = buffer.dtype
    data = Var(buffer.data.name, buffer.data.dtype, PointerType(PrimType(element), "local"))
    size = operators.const(math.prod(sizes) // (TILE * TILE) * LANE_ELEMENTS, mins[0].dtype)
    zero = operators.const(0, size.dtype)
    flat = Buffer(data, element, (size,), (), zero, buffer.name, buffer.data_alignment, 1)
    return Registers(flat, tuple(sizes), mins)
