"""Scans: values that depend on all values before them."""

from __future__ import annotations

from typing import Final

from gpucomp.kernels.arrays import as_a_user_runs, in_float64_by
from gpucomp.kernels.registry import Operator, register
from gpucomp.kernels.scans import compute, reference

TOLERANCES: Final = {"float32": 1e-5, "float16": 1e-3, "bfloat16": 8e-3, "float64": 1e-12}

cumulative_sum = register(
    Operator(
        name="cumulative_sum",
        family="scans",
        description="sums of all elements of a row up to each",
        shape_names=("M", "N"),
        default_shapes={"gpu": (4096, 4096), "cpu": (2048, 2048), "opencl-cpu": (1024, 1024)},
        small_shape=(512, 512),
        dtypes=tuple(TOLERANCES),
        compute=compute.cumulative_sum,
        input_shapes=lambda shape: (shape,),
        output_shapes=lambda shape: (shape,),
        output_dtypes=lambda dtype: (dtype,),
        reference=in_float64_by(reference.cumulative_sum),
        numpy_peer=as_a_user_runs(reference.cumulative_sum),
        flops=lambda shape: shape[0] * shape[1],
        tolerances=TOLERANCES,
        form=compute.for_gpus,
        schedules={
            "gpu": "schedule_gpu:schedule_scan",
            "cpu": "schedule_cpu:schedule_scan",
            "opencl-cpu": "schedule_cpu:schedule_scan_opencl_cpu",
        },
    )
)
