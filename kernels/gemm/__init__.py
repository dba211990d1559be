"""Matrix products, alone and with what follows them."""

from __future__ import annotations

from typing import Final

from gpucomp.kernels.gemm import compute, reference
from gpucomp.kernels.registry import Operator, register, sum_dtype

SCHEDULES: Final = {
    "gpu": "schedule_gpu:schedule_matmul",
    "cpu": "schedule_cpu:schedule_matmul",
    "opencl-cpu": "schedule_cpu:schedule_matmul_opencl_cpu",
}

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
        schedules=SCHEDULES,
    )
)

matmul_bias_gelu = register(
    Operator(
        name="matmul_bias_gelu",
        family="gemm",
        description="gelu(A @ B + V) in one kernel, V added to each row",
        shape_names=("M", "N", "K"),
        default_shapes=matmul.default_shapes,
        small_shape=(256, 256, 256),
        dtypes=matmul.dtypes,
        compute=compute.matmul_bias_gelu,
        input_shapes=lambda shape: ((shape[0], shape[2]), (shape[2], shape[1]), (shape[1],)),
        output_shapes=lambda shape: ((shape[0], shape[1]),),
        output_dtypes=lambda dtype: (dtype,),
        reference=reference.matmul_bias_gelu,
        numpy_peer=reference.matmul_bias_gelu_peer,
        flops=lambda shape: shape[0] * shape[1] * (2 * shape[2] + 13),
        tolerances={"float32": 1e-4, "float16": 1e-3, "bfloat16": 8e-3, "float64": 1e-12},
        schedules=SCHEDULES,
    )
)
