"""How the operands of a product stand in shared memory and in registers.

Slabs are (.., K, rows): what is stored along k is transposed, so that a thread reads fragments of both as vectors.  Of
bytes whose products are added up four at a time, (.., K / 4, rows, 4): all counts of k are then of such words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gpucomp.kernels.gemm.layout import operands_of
from gpucomp.kernels.gemm.tiles import SimtTile
from gpucomp.kernels.registry import Definition, extent
from gpucomp.te import Schedule, Stage, Tensor
from gpucomp.tir.expr import IterVar


@dataclass(frozen=True)
class Staged:
    """Both operands in shared memory and in registers, and the sums, whose stage reads the registers.

    Attributes:
        shared, local: tensors of the first and the second operand.
        along_k: whether each is stored along k.
        words: neighbouring k of one 32-bit word.
        acc: the sums.
    """

    shared: tuple[Tensor, Tensor]
    local: tuple[Tensor, Tensor]
    along_k: tuple[bool, bool]
    words: int
    acc: Tensor

    @property
    def narrow(self) -> bool:
        """No operand is copied 16 bytes at a time."""
        return all([turned or _lanes(shared) < 4 for shared, turned in zip(self.shared, self.along_k, strict=True)])

    def fetch(self, s: Schedule, inner: Stage, slabs: IterVar, steps: IterVar, tile: SimtTile, tx: IterVar) -> None:
        """Copy slabs at one loop of the sums' stage by all threads of a block, and read fragments at another."""
        for shared, along_k, rows in zip(self.shared, self.along_k, (tile.m, tile.n), strict=True):
            s[shared].compute_at(inner, slabs)
            if along_k:
                # With loops of their own for rows and for k it shows that no two turns write to one place.
                apart = tile.k > 8 and rows * 8 % tile.threads == 0
                _fetch_turned(s[shared], shared, tile.threads, tx, self.words, apart=apart)
            else:
                fetch_rows(s[shared], shared, tile.threads, tx)
        for local in self.local:
            s[local].compute_at(inner, steps)
            *_, i, j = local.op.axis
            if self.words > 1:
                s[local].vectorize(s[local].fuse(i, j))
            else:
                s[local].unroll(i)
                s[local].vectorize(j)


def stage_operands(s: Schedule, defn: Definition, acc: Tensor, scope: str) -> Staged:
    """Give both operands of ``acc`` a stage in shared memory of ``scope``, and one in registers."""
    operands, words = operands_of(defn), factors_of_a_word(defn)
    along_k = (operands.a_along_k, operands.b_along_k)
    read = [s.cache_read(x, scope, [acc]) for x in defn.inputs[:2]]
    for shared, turned in zip(read, along_k, strict=True):
        if words > 1:
            s[shared].transform_layout(lambda *index: [*index[:-2], index[-1] // words, index[-2], index[-1] % words])
        elif turned:
            s[shared].transform_layout(lambda *index: [*index[:-2], index[-1], index[-2]])
    a_shared, b_shared = [s[x].op.output(0) for x in read]
    acc = s[acc].op.output(0)
    a_local, b_local = s.cache_read(a_shared, "local", [acc]), s.cache_read(b_shared, "local", [acc])
    return Staged((a_shared, b_shared), (a_local, b_local), along_k, words, s[acc].op.output(0))


def factors_of_a_word(defn: Definition) -> int:
    """How many neighbouring k one 32-bit word holds that one instruction multiplies and adds."""
    return 4 if str(defn.inputs[0].dtype) == "int8" else 1


def _lanes(tensor: Tensor) -> int:
    """Elements of a copy along rows: no vector crosses the end of a row."""
    return math.gcd(extent(tensor.shape[-1]) or 1, 4)


def fetch_rows(stage: Stage, tensor: Tensor, threads: int, tx: IterVar) -> None:
    """Copy a slab that is stored along rows: up to 16 bytes each, neighbours next to each other."""
    lanes = _lanes(tensor)
    fused, vector = stage.split(stage.fuse(*tensor.op.axis), factor=lanes)
    fused, thread = stage.split(fused, factor=threads)
    stage.bind(thread, tx)
    stage.unroll(fused)
    if lanes > 1:
        stage.vectorize(vector)


def _fetch_turned(stage: Stage, tensor: Tensor, threads: int, tx: IterVar, words: int, *, apart: bool) -> None:
    """Copy a slab that is stored along k: a warp copies eight neighbouring k of four rows, element by element."""
    axes = list(tensor.op.axis)
    if words > 1:
        stage.vectorize(axes.pop())
    *batch, k, i = axes
    stage.storage_align(k, 32 * words, 4 * words)
    outer, k = stage.split(k, factor=8)
    stage.reorder(*batch, outer, i, k)
    turns = [*batch, outer]
    fused, thread = stage.split(stage.fuse(*([] if apart else turns), i, k), factor=threads)
    stage.bind(thread, tx)
    for axis in (*(turns if apart else []), fused):
        stage.unroll(axis)


def read_fragments(s: Schedule, fragments: Sequence[Tensor], inner: Stage, step: IterVar) -> None:
    """Read what a thread needs for a step of its products from shared memory to registers, by whole vectors."""
    for local in fragments:
        s[local].compute_at(inner, step)
        *outer, last = local.op.axis
        for axis in outer:
            s[local].unroll(axis)
        s[local].vectorize(last)
