"""Transposed convolutions by phases: a dense convolution for each kind of place that the result has.

A tap t of a transposed convolution of stride s reaches the places p with ``p + padding = q * s + t`` for a pixel q.
So places of one phase, those of equal ``p % s``, are reached by the same taps, every s-th of them, and neighbours among
them by neighbouring pixels: they are a convolution of stride 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp import te
from gpucomp.kernels.convolution.problem import Convolution
from gpucomp.kernels.registry import Extent, extent
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IterVar, Var
from gpucomp.tir.intrin import if_then_else
from gpucomp.tir.operators import const


def border(conv: Convolution) -> tuple[list[Extent], list[Extent]]:
    """Rows and columns of zeros before and after the image, so that every phase reads what there is."""
    before: list[Extent] = []
    after: list[Extent] = []
    for d, s in enumerate(conv.phases):
        before.append(max(0, conv.phase_taps[d] - 1 - conv.padding[d] // s))
        missing = conv.phase_size[d] + (s - 1 + conv.padding[d]) // s - conv.size[d]
        known = extent(missing)
        after.append(operators.maximum(missing, 0) if known is None else max(0, known))
    return before, after


def filled(weight: te.Tensor, conv: Convolution) -> te.Tensor | None:
    """The filters with zeros behind their taps, as many as all phases need; None where there are enough."""
    sizes = [t * s for t, s in zip(conv.phase_taps, conv.phases, strict=True)]
    short = [(d, k) for d, (k, size) in enumerate(zip(conv.kernel, sizes, strict=True)) if k < size]
    if not short:
        return None

    def element(*i: Var) -> Expr:
        inside = [i[2 + d] < k for d, k in short]
        return if_then_else(te.all(*inside), weight(*i), const(0, weight.dtype))

    names = ["rc", "o", *("z", "y", "x")[-conv.ndim :]]
    return te.compute([*weight.shape[:2], *sizes], element, name="filled", tag="injective,pad", varargs_names=names)


def product(source: te.Tensor, before: Sequence[Extent], weight: te.Tensor, conv: Convolution, wide: str) -> te.Tensor:
    """The sums of all phases: (N, O, phase in each spatial dimension, place in each)."""
    ndim = conv.ndim
    names = ("z", "y", "x")[-ndim:]
    channels = te.reduce_axis((0, conv.channels), "rc")
    taps = [te.reduce_axis((0, t), f"r{name}") for t, name in zip(conv.phase_taps, names, strict=True)]

    def element(*i: Var) -> Expr:
        pixel: list[Expr] = []
        tap: list[Expr] = []
        for d, s in enumerate(conv.phases):
            first = i[2 + d] + conv.padding[d]
            pixel.append(i[2 + ndim + d] + operators.floordiv(first, s) - taps[d].var + before[d])
            tap.append(operators.floormod(first, s) + taps[d].var * s)
        here, there = source(i[0], channels.var, *pixel), weight(channels.var, i[1], *tap)
        return te.sum(here.astype(wide) * there.astype(wide), axis=[channels, *taps])

    shape = (conv.batch, conv.filters, *conv.phases, *conv.phase_size)
    axes = ["b", "f", *[f"p{name}" for name in names], *names]
    return te.compute(shape, element, name="phases", varargs_names=axes)


def place(b: Var, f: Var, at: Sequence[Var], conv: Convolution) -> list[Expr]:
    """Where an element of the result is among the phases."""
    steps = list(zip(at, conv.phases, strict=True))
    return [b, f, *[operators.floormod(p, s) for p, s in steps], *[operators.floordiv(p, s) for p, s in steps]]


def split(stage: te.Stage, conv: Convolution) -> tuple[list[IterVar], list[IterVar]]:
    """The phases, and the places of each, of a stage with the axes of the result."""
    pairs = [stage.split(stage.op.axis[d], factor=s) for d, s in zip(conv.spatial_axes, conv.phases, strict=True)]
    return [phase for _, phase in pairs], [outer for outer, _ in pairs]
