"""Reductions of whole vectors, and of the columns of a matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from gpucomp.kernels.arrays import Array, as_a_user_runs, in_float64_by
from gpucomp.kernels.reductions import compute, reference
from gpucomp.kernels.registry import Definition, Extent, Operator, register

Define = Callable[[Sequence[Extent], str], Definition]

# Of a sum of random numbers, which is much smaller than the sum of their sizes.
SUMS: Final = {"float32": 2e-3, "float16": 4e-3, "bfloat16": 2e-2, "float64": 1e-10}
VALUES: Final = {"float32": 2e-6, "float16": 1e-3, "bfloat16": 8e-3, "float64": 1e-12}


def _all(define: Define, formula: Callable[..., Array], description: str, work: int, sums: bool = False) -> Operator:
    """Register a reduction of a vector of shape (N,) to one value."""
    tolerances = SUMS if sums else VALUES
    return register(
        Operator(
            name=formula.__name__,
            family="reductions",
            description=description,
            shape_names=("N",),
            default_shapes={"gpu": (1 << 26,), "cpu": (1 << 22,), "opencl-cpu": (1 << 20,)},
            small_shape=(1 << 18,),
            dtypes=tuple(tolerances),
            compute=define,
            input_shapes=lambda shape: (shape,),
            output_shapes=lambda shape: ((1,),),
            output_dtypes=lambda dtype: (dtype,),
            reference=in_float64_by(formula),
            numpy_peer=as_a_user_runs(formula),
            flops=lambda shape: work * shape[0],
            tolerances=tolerances,
            schedules={
                "gpu": "schedule_gpu:schedule_all",
                "cpu": "schedule_cpu:schedule_all",
                "opencl-cpu": "schedule_cpu:schedule_all_opencl_cpu",
            },
        )
    )


def _columns(define: Define, formula: Callable[..., Array], description: str) -> Operator:
    """Register a reduction of each column of a matrix of shape (M, N)."""
    tolerances = {"float32": 1e-5, "float16": 1e-3, "bfloat16": 8e-3, "float64": 1e-12}
    return register(
        Operator(
            name=formula.__name__,
            family="reductions",
            description=description,
            shape_names=("M", "N"),
            default_shapes={"gpu": (8192, 8192), "cpu": (2048, 2048), "opencl-cpu": (1024, 1024)},
            small_shape=(512, 512),
            dtypes=tuple(tolerances),
            compute=define,
            input_shapes=lambda shape: (shape,),
            output_shapes=lambda shape: ((shape[1],),),
            output_dtypes=lambda dtype: (dtype,),
            reference=in_float64_by(formula),
            numpy_peer=as_a_user_runs(formula),
            flops=lambda shape: shape[0] * shape[1],
            tolerances=tolerances,
            schedules={
                "gpu": "schedule_gpu:schedule_columns",
                "cpu": "schedule_cpu:schedule_columns",
                "opencl-cpu": "schedule_cpu:schedule_columns_opencl_cpu",
            },
        )
    )


sum_all = _all(compute.sum_all, reference.sum_all, "sum of a vector", 1, sums=True)
mean_all = _all(compute.mean_all, reference.mean_all, "mean of a vector", 1, sums=True)
max_all = _all(compute.max_all, reference.max_all, "largest element of a vector", 1)
norm_all = _all(compute.norm_all, reference.norm_all, "Euclidean norm of a vector", 2)
column_sum = _columns(compute.column_sum, reference.column_sum, "sum of each column")
column_mean = _columns(compute.column_mean, reference.column_mean, "mean of each column")
column_max = _columns(compute.column_max, reference.column_max, "largest element of each column")
