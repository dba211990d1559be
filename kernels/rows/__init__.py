"""Operators on the rows of a matrix."""

from __future__ import annotations

from gpucomp.kernels.registry import Operator, register
from gpucomp.kernels.rows import compute, reference

softmax = register(
    Operator(
        name="softmax",
        family="rows",
        description="softmax of each row",
        shape_names=("M", "N"),
        default_shapes={"gpu": (4096, 4096), "cpu": (4096, 4096), "opencl-cpu": (1024, 1024)},
        small_shape=(512, 512),
        dtypes=("float32", "float16", "bfloat16", "float64"),
        compute=compute.softmax,
        input_shapes=lambda shape: (shape,),
        output_shapes=lambda shape: (shape,),
        output_dtypes=lambda dtype: (dtype,),
        reference=reference.softmax,
        numpy_peer=reference.softmax_peer,
        # For each element: comparison, subtraction, exponential, addition, division.
        flops=lambda shape: 5 * shape[0] * shape[1],
        tolerances={"float32": 1e-5, "float16": 1e-3, "bfloat16": 8e-3, "float64": 1e-12},
        schedules={
            "gpu": "schedule_gpu:schedule_softmax",
            "cpu": "schedule_cpu:schedule_softmax",
            "opencl-cpu": "schedule_cpu:schedule_softmax_opencl_cpu",
        },
    )
)
