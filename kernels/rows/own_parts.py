"""Operators on long rows in which each thread reduces its own part first, and the parts meet once.

A thread takes ``chunks`` vectors of a row, ``threads`` of them apart, in one of the ``cluster`` blocks that share the
row.  It goes over its part as often as it needs, waiting for nobody: for its largest element and then for the sum of
its powers, for its mean and then for the squares around that.  What the threads of a row found is combined by one
reduction of pairs (Milakov and Gimelshein 2018) or of counts, means and squares (Chan, Golub and LeVeque 1979), where
the definitions of ``compute`` wait for all threads after each step.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Final

from gpucomp import te
from gpucomp.kernels.registry import Definition, Extent, extent, sum_dtype
from gpucomp.kernels.rows.compute import EPSILON, LOG2_E
from gpucomp.kernels.rows.tiles import Tile
from gpucomp.te import Tensor
from gpucomp.te.reduction import Reducer
from gpucomp.tir import operators
from gpucomp.tir.expr import And, Expr, ExprLike, Var
from gpucomp.tir.intrin import exp2_flushed, log, sqrt

OWN: Final = 3  # dimensions of what threads have of their own: row, block, thread


class _Parts:
    """Tensors over the parts of rows, collected in the order of computation."""

    def __init__(self, shape: Sequence[Extent], dtype: str, tile: Tile, residual: bool = False) -> None:
        self.m, columns = shape
        self.n = extent(columns) or 0
        self.dtype, self.wide, self.tile = dtype, sum_dtype(dtype), tile
        a = te.placeholder((self.m, columns), dtype, "A")
        self.inputs = [a]
        if residual:
            more = te.placeholder((self.m, columns), dtype, "R")
            self.inputs.append(more)

        def element(i: Var, j: Var) -> Expr:
            parts = [x[i, j].astype(self.wide) for x in self.inputs[: 1 + residual]]
            return parts[0] + parts[1] if residual else parts[0]

        self.vectors = self.n // tile.lanes
        self.share = -(-self.vectors // tile.cluster)  # of a block
        self.x = te.compute((self.m, columns), element, name="X")
        self.made: list[Tensor] = [self.x]

    def per_column(self, name: str) -> Tensor:
        """An input of one value a column."""
        self.inputs.append(te.placeholder((self.n,), self.dtype, name))
        return self.inputs[-1]

    def own(self, name: str, reducer: Reducer, element: Callable[[Expr, tuple[Var, Var, Var]], Expr]) -> Tensor:
        """What each thread finds in its part by a reduction of ``element(value, (row, block, thread))``."""
        tile = self.tile
        chunk, lane = te.reduce_axis((0, tile.chunks), "c"), te.reduce_axis((0, tile.lanes), "l")

        def reduced(i: Var, r: Var, t: Var) -> Expr:
            place = chunk.var * tile.threads + t
            column = (r * self.share + place) * tile.lanes + lane.var
            value = element(operators.convert(self.x[i, column]), (i, r, t))
            return reducer(value, axis=[chunk, lane], where=self._inside(r, place))

        return self.each(name, reduced)

    def each(self, name: str, value: Callable[[Var, Var, Var], ExprLike]) -> Tensor:
        """One value a thread."""
        self.made.append(te.compute((self.m, self.tile.cluster, self.tile.threads), value, name=name))
        return self.made[-1]

    def count(self, r: Var, t: Var) -> Expr:
        """How many elements a thread has."""
        tile = self.tile
        if self._whole():
            return te.const(tile.chunks * tile.lanes, self.wide)
        own = operators.minimum(te.const(self.vectors) - r * self.share, self.share)
        chunks = operators.maximum(operators.floordiv(own - t + (tile.threads - 1), tile.threads), 0)
        return (chunks * tile.lanes).astype(self.wide)

    def _whole(self) -> bool:
        return self.tile.cluster * self.tile.threads * self.tile.chunks == self.vectors

    def _inside(self, r: Var, place: Expr) -> Expr | None:
        """Whether a block has a vector at that place of its share, where shares are not whole."""
        found: list[Expr] = []
        if self.tile.threads * self.tile.chunks > self.share:
            found.append(place < self.share)
        if self.share * self.tile.cluster > self.vectors:
            found.append(r * self.share + place < self.vectors)
        return functools.reduce(lambda a, b: operators.logical(And, a, b), found) if found else None

    def meet(
        self, name: str, reducer: Reducer, values: Callable[[Var, Var, Var], tuple[ExprLike, ...]]
    ) -> tuple[Tensor, ...]:
        """Combine what the threads of a row found; the first values are the first results."""
        r, t = te.reduce_axis((0, self.tile.cluster), "r"), te.reduce_axis((0, self.tile.threads), "t")

        def met(i: Var) -> tuple[Expr, ...]:
            return reducer(tuple([operators.convert(x) for x in values(i, r.var, t.var)]), axis=[r, t])

        found = te.compute((self.m,), met, name=name)
        self.made += found
        return found

    def sum_of(self, name: str, own: Tensor) -> Tensor:
        """The sum of what the threads of a row have."""
        r, t = te.reduce_axis((0, self.tile.cluster), "r"), te.reduce_axis((0, self.tile.threads), "t")
        return self.values(name, lambda i: te.sum(own[i, r.var, t.var], axis=[r, t]))

    def values(self, name: str, value: Callable[[Var], ExprLike]) -> Tensor:
        """One value a row."""
        self.made.append(te.compute((self.m,), value, name=name))
        return self.made[-1]

    def result(self, element: Callable[[Expr, Var, Var], Expr]) -> Definition:
        """The definition, whose result is ``element(value, row, column)``."""
        shape = self.x.shape
        out = te.compute(
            shape, lambda i, j: element(operators.convert(self.x[i, j]), i, j).astype(self.dtype), name="B"
        )
        return Definition(tuple(self.inputs), (out,), tuple(self.made))


def _powers(parts: _Parts) -> tuple[Tensor, Tensor]:
    """Of each row the largest element, times log2(e), and the sum of the powers of two of what is below it."""

    def merged(a: Sequence[Expr], b: Sequence[Expr]) -> tuple[Expr, ...]:
        base = operators.maximum(a[0], b[0])
        return base, a[1] * exp2_flushed(a[0] - base) + b[1] * exp2_flushed(b[0] - base)

    def nothing(base: str, total: str) -> tuple[Expr, ...]:
        return te.min_value(base), te.const(0, total)

    largest = parts.own("own_max", te.max, lambda x, _: x)
    lowest = te.min_value(parts.wide)  # a difference of infinities is none: threads may have nothing, or only those
    base = parts.each("own_base", lambda i, r, t: operators.maximum(largest[i, r, t] * LOG2_E, lowest))
    total = parts.own("own_sum", te.sum, lambda x, at: exp2_flushed(x * LOG2_E - base[at]))
    merge = te.comm_reducer(merged, nothing, name="powers")
    found = parts.meet("row_powers", merge, lambda i, r, t: (base[i, r, t], total[i, r, t]))
    return found[0], found[1]


def softmax(shape: Sequence[Extent], dtype: str, tile: Tile) -> Definition:
    """As ``compute.softmax``; the product with log2(e) is rounded after the subtraction, or not at all."""
    parts = _Parts(shape, dtype, tile)
    base, total = _powers(parts)
    inverse = parts.values("row_scale", lambda i: 1.0 / total[i])
    return parts.result(lambda x, i, j: exp2_flushed(x * LOG2_E - base[i]) * inverse[i])


def log_softmax(shape: Sequence[Extent], dtype: str, tile: Tile) -> Definition:
    """As ``compute.log_softmax``."""
    parts = _Parts(shape, dtype, tile)
    base, total = _powers(parts)
    shift = parts.values("row_shift", lambda i: base[i] * (1.0 / LOG2_E) + log(total[i]))
    return parts.result(lambda x, i, j: x - shift[i])


def layer_norm(shape: Sequence[Extent], dtype: str, tile: Tile, residual: bool = False) -> Definition:
    """As ``compute.layer_norm`` or, with a residual, ``compute.add_layer_norm``."""
    parts = _Parts(shape, dtype, tile, residual)

    def merged(a: Sequence[Expr], b: Sequence[Expr]) -> tuple[Expr, ...]:
        count, apart = a[0] + b[0], b[1] - a[1]
        share = b[0] / operators.maximum(count, te.const(1.0, parts.wide))
        return count, a[1] + apart * share, a[2] + b[2] + apart * apart * a[0] * share

    def nothing(*kinds: str) -> tuple[Expr, ...]:
        return tuple([te.const(0, kind) for kind in kinds])

    total = parts.own("own_total", te.sum, lambda x, _: x)
    one = te.const(1.0, parts.wide)
    mean = parts.each("own_mean", lambda i, r, t: total[i, r, t] / operators.maximum(parts.count(r, t), one))
    squares = parts.own("own_squares", te.sum, lambda x, at: (x - mean[at]) * (x - mean[at]))
    merge = te.comm_reducer(merged, nothing, name="moments")
    length, middle, around = parts.meet(
        "row_moments", merge, lambda i, r, t: (parts.count(r, t), mean[i, r, t], squares[i, r, t])
    )
    scale = parts.values("row_scale", lambda i: 1.0 / sqrt(around[i] / length[i] + EPSILON))
    weight, bias, wide = parts.per_column("W"), parts.per_column("V"), parts.wide
    return parts.result(lambda x, i, j: (x - middle[i]) * scale[i] * weight[j].astype(wide) + bias[j].astype(wide))


def rms_norm(shape: Sequence[Extent], dtype: str, tile: Tile, residual: bool = False) -> Definition:
    """As ``compute.rms_norm`` or, with a residual, ``compute.add_rms_norm``."""
    parts = _Parts(shape, dtype, tile, residual)
    own = parts.own("own_squares", te.sum, lambda x, _: x * x)
    total = parts.sum_of("row_squares", own)
    length = te.const(parts.n, parts.wide)
    scale = parts.values("row_scale", lambda i: 1.0 / sqrt(total[i] / length + EPSILON))
    weight, wide = parts.per_column("W"), parts.wide
    return parts.result(lambda x, i, j: weight[j].astype(wide) * (x * scale[i]))
