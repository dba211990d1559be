"""Convolutions."""

from __future__ import annotations

from gpucomp.kernels.convolution import compute, reference
from gpucomp.kernels.registry import Operator, Shape, register, sum_dtype


def _inputs(shape: Shape) -> tuple[Shape, ...]:
    n, c, h, o, k, _ = shape
    return (n, c, h, h), (o, c, k, k)


def _outputs(shape: Shape) -> tuple[Shape, ...]:
    size = reference.output_size(shape)
    return ((shape[0], shape[3], size, size),)


def _flops(shape: Shape) -> int:
    n, c, _, o, k, _ = shape
    return 2 * n * o * reference.output_size(shape) ** 2 * c * k * k


conv2d = register(
    Operator(
        name="conv2d",
        family="convolution",
        description="convolution of H x H images in NCHW layout, k x k filters, padding k // 2",
        shape_names=("N", "C", "H", "O", "k", "stride"),
        default_shapes={
            "gpu": (32, 128, 28, 128, 3, 1),
            "cpu": (4, 64, 56, 64, 3, 1),
            "opencl-cpu": (1, 32, 28, 32, 3, 1),
        },
        small_shape=(1, 32, 28, 32, 3, 1),
        dtypes=("float32", "float16", "bfloat16", "float64"),
        compute=compute.conv2d,
        input_shapes=_inputs,
        output_shapes=_outputs,
        output_dtypes=lambda dtype: (sum_dtype(dtype),),
        reference=reference.conv2d,
        numpy_peer=reference.conv2d_peer,
        flops=_flops,
        tolerances={"float32": 1e-4, "float16": 1e-4, "bfloat16": 1e-4, "float64": 1e-12},
        schedules={
            "gpu": "schedule_gpu:schedule_conv2d",
            "cpu": "schedule_cpu:schedule_conv2d",
            "opencl-cpu": "schedule_cpu:schedule_conv2d_opencl_cpu",
        },
    )
)
