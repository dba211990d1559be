"""Products of small matrices by the 32 threads of a warp together: fragments, and what threads exchange.

A tile of 16x16 elements that a warp holds in registers is a fragment: each thread has eight of its elements.  Which
ones is data (:class:`Fragment`, :data:`FRAGMENTS`); the interpreter, the intrinsics of ``te`` and the tests read it
from there.  Two intrinsics work on fragments, and all threads of a warp have to reach them:

* ``ldmatrix(x, trans)``: each thread gives a row of eight 16-bit elements; it gets its part of four 8x8 matrices, whose
  rows are those of threads 0-7, 8-15, 16-23 and 24-31 (transposed: whose columns they are).
* ``mma(a, b, c)``: ``c + a @ b`` of fragments.

Both are pure functions of vectors, so that every pass knows what they read and write: the row comes from an ordinary
load of shared memory, fragments from ordinary loads of registers.

Source: PTX ISA, "Matrix multiply-accumulate operation using mma instruction" (fragments of mma.m16n8k16), "ldmatrix".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gpucomp.support.diagnostics import TypeMismatchError
from gpucomp.tir import operators
from gpucomp.tir.expr import Call, Expr, ExprLike, IntImm
from gpucomp.tir.intrin import Op, call_intrin, register

WARP: Final = 32
TILE: Final = 16  # rows and columns of a fragment
LANE_ELEMENTS: Final = TILE * TILE // WARP
SCOPES: Final = ("mma.frag.a", "mma.frag.b", "mma.frag.c")
Index = NDArray[np.intp]

# Not to be moved to where only some threads of a warp are, but free to be left out: the value depends on nothing else.
register("tir.warp_ldmatrix", arity=2)
register("tir.warp_mma", arity=3)


@dataclass(frozen=True)
class Fragment:
    """Where the elements of a tile are: which bit of the number of a thread, or of its element, each bit of a place is.

    Attributes:
        row: the bits of the row, lowest first: "l2" is bit 2 of the thread's lane, "e0" bit 0 of its element's number.
        column: the bits of the column.
    """

    row: tuple[str, ...]
    column: tuple[str, ...]

    def places(self) -> tuple[Index, Index]:
        """Row and column of element ``e`` of thread ``t``, as arrays [t, e]."""
        lane, element = np.indices((WARP, LANE_ELEMENTS))

        def number(bits: tuple[str, ...]) -> Index:
            sources = [((lane if bit[0] == "l" else element) >> int(bit[1:])) & 1 for bit in bits]
            return np.asarray(sum([source << k for k, source in enumerate(sources)]))

        return number(self.row), number(self.column)

    def gather(self, tile: NDArray[np.generic]) -> NDArray[np.generic]:
        """The elements of each thread, of tiles (..., 16, 16)."""
        row, column = self.places()
        return tile[..., row, column]

    def scatter(self, held: NDArray[np.generic]) -> NDArray[np.generic]:
        """Tiles (..., 16, 16) of what threads hold, (..., 32, 8)."""
        row, column = self.places()
        tile = np.empty((*held.shape[:-2], TILE, TILE), held.dtype)
        tile[..., row, column] = held
        return tile

    def holder(self, row: Expr, column: Expr) -> tuple[Expr, Expr]:
        """Which thread has the element at a place, and as which of its elements."""
        parts: dict[str, Expr] = {"l": operators.const(0, row.dtype), "e": operators.const(0, row.dtype)}
        for place, bits in ((row, self.row), (column, self.column)):
            for low, source, to, count in _runs(bits):
                part = operators.floordiv(operators.floormod(place, 1 << (low + count)), 1 << low)
                parts[source] = operators.add(parts[source], operators.multiply(part, 1 << to))
        return parts["l"], parts["e"]


def _runs(bits: tuple[str, ...]) -> list[tuple[int, str, int, int]]:
    """Neighbouring bits that come from neighbouring ones: first bit, source, first bit there, and how many."""
    out: list[tuple[int, str, int, int]] = []
    for k, bit in enumerate(bits):
        source, at = bit[0], int(bit[1:])
        if out and out[-1][1] == source and out[-1][2] + out[-1][3] == at:
            out[-1] = (*out[-1][:3], out[-1][3] + 1)
        else:
            out.append((k, source, at, 1))
    return out


# Operand b is k x n.  Elements 2 e and 2 e + 1 of a thread are one register of 16-bit elements.
FRAGMENTS: Final = {
    "a": Fragment(("l2", "l3", "l4", "e1"), ("e0", "l0", "l1", "e2")),
    "b": Fragment(("e0", "l0", "l1", "e1"), ("l2", "l3", "l4", "e2")),
    "c": Fragment(("l2", "l3", "l4", "e1"), ("e0", "l0", "l1", "e2")),
}
# What a matrix instruction multiplies, and the types that it adds up in.
SUMS: Final = {"float16": ("float32", "float16"), "bfloat16": ("float32",)}


def warp_ldmatrix(row: ExprLike, trans: bool = False) -> Call:
    """Exchange rows of 8x8 matrices of 16-bit elements: see the module.

    Raises:
        TypeMismatchError: anything but eight 16-bit elements.
    """
    x = operators.convert(row)
    if x.dtype.lanes != LANE_ELEMENTS or x.dtype.bits != 16:
        raise TypeMismatchError(f"ldmatrix of {x.dtype}", hint="a vector of eight 16-bit elements: one row of a matrix")
    return call_intrin(x.dtype, "warp_ldmatrix", x, IntImm("bool", int(trans)))


def warp_mma(a: ExprLike, b: ExprLike, c: ExprLike) -> Call:
    """``c + a @ b`` of fragments; of the first eight columns where ``b`` and ``c`` have four elements.

    Raises:
        TypeMismatchError: types that no instruction takes.
    """
    x, y, z = [operators.convert(v) for v in (a, b, c)]
    sums = SUMS.get(str(x.dtype.element), ())
    lanes = tuple([v.dtype.lanes for v in (x, y, z)])
    whole = lanes in ((8, 8, 8), (8, 4, 4))
    if x.dtype.element is not y.dtype.element or str(z.dtype.element) not in sums or not whole:
        raise TypeMismatchError(
            f"mma of {x.dtype}, {y.dtype} and {z.dtype}",
            hint="float16x8 twice and float32x8 or float16x8; bfloat16x8 twice and float32x8; x4 last for half a tile",
        )
    return call_intrin(z.dtype, "warp_mma", x, y, z)


def is_collective(node: Expr) -> bool:
    """True for calls that all threads of a warp make together."""
    return isinstance(node, Call) and isinstance(node.op, Op) and node.op.name in ("tir.warp_ldmatrix", "tir.warp_mma")


# -- meaning: of arrays with one row for each thread of whole warps ----------------------------------------------------


def ldmatrix_meaning(rows: NDArray[np.generic], trans: bool) -> NDArray[np.generic]:
    """What each thread gets of rows (threads, 8)."""
    matrices = rows.reshape(-1, 4, 8, 8)
    if trans:
        matrices = matrices.swapaxes(2, 3)
    lane, element = np.indices((WARP, LANE_ELEMENTS))
    return matrices[:, element // 2, lane // 4, lane % 4 * 2 + element % 2].reshape(rows.shape)


def mma_meaning(a: NDArray[np.generic], b: NDArray[np.generic], c: NDArray[np.generic]) -> NDArray[np.generic]:
    """What each thread gets of a product of fragments: (threads, 8), or (threads, 4) of ``b`` and ``c``."""
    count = c.shape[-1]
    held = [np.zeros((len(x) // WARP, WARP, LANE_ELEMENTS), x.dtype) for x in (a, b, c)]
    for whole, x in zip(held, (a, b, c), strict=True):
        whole[..., : x.shape[-1]] = x.reshape(-1, WARP, x.shape[-1])
    x, y, z = [FRAGMENTS[name].scatter(h).astype(np.float32) for name, h in zip("abc", held, strict=True)]
    done = FRAGMENTS["c"].gather((z + np.matmul(x, y)).astype(c.dtype))
    return done[..., :count].reshape(c.shape)
