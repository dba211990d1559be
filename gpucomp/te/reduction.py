"""What combines tensors along axes, for the layers above: :mod:`gpucomp.tir.reduction`."""

from __future__ import annotations

from gpucomp.tir.reduction import (
    Reducer,
    all_of,
    any_of,
    comm_reducer,
    max_of,
    min_of,
    product_of,
    sum_of,
)

__all__ = ["Reducer", "all_of", "any_of", "comm_reducer", "max_of", "min_of", "product_of", "sum_of"]
