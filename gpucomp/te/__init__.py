"""Tensor expressions and their schedules."""

from __future__ import annotations

from gpucomp.te.api import (
    compute,
    const,
    placeholder,
    reduce_axis,
    size_var,
    tag_scope,
    thread_axis,
    var,
)
from gpucomp.te.operation import ComputeOp, Operation, PlaceholderOp
from gpucomp.te.reduction import all_of as all  # noqa: A004  # public name
from gpucomp.te.reduction import any_of as any  # noqa: A004  # public name
from gpucomp.te.reduction import comm_reducer
from gpucomp.te.reduction import max_of as max  # noqa: A004  # public name
from gpucomp.te.reduction import min_of as min  # noqa: A004  # public name
from gpucomp.te.reduction import product_of as prod
from gpucomp.te.reduction import sum_of as sum  # noqa: A004  # public name
from gpucomp.te.tensor import Tensor, TensorSlice
