"""Rows of a buffer whose chunks change places: see ``Stage.storage_swizzle``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gpucomp.support.diagnostics import LowerError, Span
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IntImm
from gpucomp.tir.stmt import AttrStmt

SWIZZLE: Final = "buffer_swizzle"
LINE: Final = 128  # bytes of all banks


@dataclass(frozen=True, slots=True)
class Swizzle:
    """Chunk ``c`` of row ``r`` lies at ``c ^ (r // period % chunks)``.

    Attributes:
        axis: dimension that numbers rows.
        vector: elements of a chunk.
        chunks: that change places with each other, a power of two.
        period: rows that are permuted alike.
        span: of the primitive.
    """

    axis: int
    vector: int
    chunks: int
    period: int
    span: Span | None

    def place(self, offsets: Sequence[Expr]) -> Expr:
        """The offset along the last dimension, of an element at ``offsets`` from the start of the memory."""
        last = offsets[-1]
        row = operators.floordiv(offsets[self.axis], self.period)
        turn = operators.floormod(row, self.chunks)
        place = operators.bitwise("bitwise_xor", operators.floordiv(last, self.vector), turn)
        return operators.add(operators.multiply(place, self.vector), operators.floormod(last, self.vector))


def make_swizzle(asked: AttrStmt, extents: Sequence[Expr], strides: Sequence[Expr]) -> Swizzle | None:
    """The permutation of a realised box; None where there is nothing to permute.

    Args:
        asked: ``SWIZZLE`` of (buffer, axis, vector, period); a period of 0 is chosen here.
        extents: of the box.
        strides: of the box in memory.

    Raises:
        LowerError: GC363 the rows are not made of a power of two of chunks.
    """
    buffer, axis, vector, period = asked.node
    width, nbytes = extents[-1], buffer.dtype.nbytes
    count = width.value // vector if isinstance(width, IntImm) and width.value % vector == 0 else 0
    if count < 1 or count & (count - 1):
        raise LowerError(
            f"storage_swizzle of {buffer.name!r} needs rows of 2, 4, 8... chunks of {vector} elements, but they "
            f"have {width} elements",
            code="GC363",
            where=asked.span,
            hint="tile the last dimension by a power of two, or pad: storage_align(axis, 32, 1)",
        )
    stride = strides[axis]
    row_bytes = stride.value * nbytes if isinstance(stride, IntImm) else LINE
    chunks = min(count, max(1, LINE // (vector * nbytes)))
    return None if chunks == 1 else Swizzle(axis, vector, chunks, period or max(1, LINE // row_bytes), asked.span)
