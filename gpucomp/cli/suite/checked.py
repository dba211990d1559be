"""Results of a suite beside the reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from gpucomp.cli.measure import relative_error
from gpucomp.cli.suite.row import Row
from gpucomp.kernels.arrays import Array, Shape
from gpucomp.kernels.registry import Operator

# Rows, or images, that are checked where there are more: the first, the last, and some drawn.
CHECKED_ROWS: Final = 64
# Families in which parts of the result along the first extent depend on the same parts of the inputs.
INDEPENDENT: Final = ("rows", "gemm", "convolution", "depthwise")
CHECKED_FLOPS: Final = 2e10  # of the reference, in float64


def worst_error(operator: Operator, row: Row, inputs: Sequence[Array], outputs: Sequence[Array], seed: int) -> float:
    """The largest relative error; where rows or images are independent and many, of some of them."""
    count = row.shape[0]
    most = min(CHECKED_ROWS, max(2, int(CHECKED_FLOPS * count / max(1, operator.flops(row.shape)))))
    if operator.family not in INDEPENDENT or count <= most:
        wanted = operator.reference(inputs, row.shape)
        return max(relative_error(got, want) for got, want in zip(outputs, wanted, strict=True))
    if any(not np.isfinite(x.astype(np.float32)).all() for x in outputs):
        return float("inf")
    drawn = np.random.default_rng(seed).integers(0, count, most - 2)
    some = np.unique(np.concatenate([drawn, [0, count - 1]]))
    more = (count + 1, *row.shape[1:])
    parts = _parts(inputs, operator.input_shapes(row.shape), operator.input_shapes(more), some)
    got = _parts(outputs, operator.output_shapes(row.shape), operator.output_shapes(more), some)
    wanted = operator.reference(parts, (len(some), *row.shape[1:]))
    return max(relative_error(x, want) for x, want in zip(got, wanted, strict=True))


def _parts(arrays: Sequence[Array], shapes: Sequence[Shape], more: Sequence[Shape], some: Array) -> list[Array]:
    """Of each array, the parts at ``some`` along the axis that grows with the first extent; all where none does."""
    out: list[Array] = []
    for array, shape, larger in zip(arrays, shapes, more, strict=True):
        axis = next((i for i, (x, y) in enumerate(zip(shape, larger, strict=True)) if x != y), None)
        out.append(array if axis is None else np.take(array, some.astype(np.int64), axis))
    return out
