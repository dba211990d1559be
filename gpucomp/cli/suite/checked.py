"""Results of a suite beside the reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from gpucomp.cli.measure import relative_error
from gpucomp.cli.suite.rows import Row
from gpucomp.kernels.arrays import Array
from gpucomp.kernels.registry import Operator

# Rows that are checked where there are more: the first, the last, and some drawn.
CHECKED_ROWS: Final = 64


def worst_error(operator: Operator, row: Row, inputs: Sequence[Array], outputs: Sequence[Array], seed: int) -> float:
    """The largest relative error; of long matrices whose rows are independent, of some rows."""
    if operator.family != "rows" or row.shape[0] <= CHECKED_ROWS:
        wanted = operator.reference(inputs, row.shape)
        return max(relative_error(got, want) for got, want in zip(outputs, wanted, strict=True))
    count = row.shape[0]
    drawn = np.random.default_rng(seed).integers(0, count, CHECKED_ROWS - 2)
    some = np.unique(np.concatenate([drawn, [0, count - 1]]))
    parts = [x[some] if x.shape[0] == count and x.ndim > 1 else x for x in inputs]
    wanted = operator.reference(parts, (len(some), *row.shape[1:]))
    if any(not np.isfinite(x.astype(np.float64)).all() for x in outputs):
        return float("inf")
    return max(relative_error(got[some], want) for got, want in zip(outputs, wanted, strict=True))
