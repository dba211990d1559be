"""Matrix products."""

from __future__ import annotations

from gpucomp.kernels.gemm import compute, reference
from gpucomp.kernels.registry import Operator, register, sum_dtype

matmul = register(
    Operator(
        name="matmul",
        family="gemm",
        description="matrix product; 16-bit inputs are summed in float32",
        shape_names=("M", "N", "K"),
        default_shapes={"gpu": (4096, 4096, 4096), "cpu": (1024, 1024, 1024), "opencl-cpu": (512, 512, 512)},
        small_shape=(256, 256, 256),
        dtypes=("float32", "float16", "bfloat16", "float64"),
        compute=compute.matmul,
        input_shapes=lambda shape: ((shape[0], shape[2]), (shape[2], shape[1])),
        output_shapes=lambda shape: ((shape[0], shape[1]),),
        output_dtypes=lambda dtype: (sum_dtype(dtype),),
        reference=reference.matmul,
        numpy_peer=reference.matmul_peer,
        flops=lambda shape: 2 * shape[0] * shape[1] * shape[2],
        tolerances={"float32": 1e-4, "float16": 1e-4, "bfloat16": 1e-4, "float64": 1e-12},
        schedules={
            "gpu": "schedule_gpu:schedule_matmul",
            "cpu": "schedule_cpu:schedule_matmul",
            "opencl-cpu": "schedule_cpu:schedule_matmul_opencl_cpu",
        },
    )
)
