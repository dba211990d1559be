"""Operators that treat each element by itself."""

from __future__ import annotations

from gpucomp.kernels.elementwise import compute, reference
from gpucomp.kernels.registry import Operator, register

add = register(
    Operator(
        name="add",
        family="elementwise",
        description="sum of two vectors",
        shape_names=("N",),
        default_shapes={"gpu": (1 << 26,), "cpu": (1 << 22,), "opencl-cpu": (1 << 20,)},
        small_shape=(1 << 18,),
        dtypes=("float32", "float16", "bfloat16", "float64", "int32"),
        compute=compute.add,
        input_shapes=lambda shape: (shape, shape),
        output_shapes=lambda shape: (shape,),
        output_dtypes=lambda dtype: (dtype,),
        reference=reference.add,
        numpy_peer=reference.add_peer,
        flops=lambda shape: shape[0],
        # Half a unit in the last place, and a little for the division by which errors are made relative.
        tolerances={"float32": 6.1e-8, "float16": 4.9e-4, "bfloat16": 4.0e-3, "float64": 1.2e-16, "int32": 0.0},
        schedules={
            "gpu": "schedule_gpu:schedule_elementwise",
            "cpu": "schedule_cpu:schedule_elementwise",
            "opencl-cpu": "schedule_cpu:schedule_elementwise_opencl_cpu",
        },
    )
)
