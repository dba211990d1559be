"""Depthwise convolutions: each channel of an image by itself."""

from __future__ import annotations

from typing import Final

from gpucomp.kernels.depthwise import compute, reference
from gpucomp.kernels.registry import Operator, Shape, register

SCHEDULES: Final = {
    "gpu": "schedule_gpu:schedule_depthwise",
    "cpu": "schedule_cpu:schedule_depthwise",
    "opencl-cpu": "schedule_cpu:schedule_depthwise_opencl_cpu",
}
_TOLERANCES: Final = {"float32": 1e-5, "float16": 1e-3, "bfloat16": 8e-3, "float64": 1e-12}


def _operator(layout: str) -> Operator:
    filters = "(C, M, k, k)" if layout == "NCHW" else "(k, k, C, M)"

    def flops(shape: Shape) -> int:
        n, *sizes = reference.output_shape(shape, layout)
        return 2 * n * sizes[0] * sizes[1] * sizes[2] * shape[4] ** 2

    return Operator(
        name=f"depthwise_conv2d_{layout.lower()}",
        family="depthwise",
        description=f"{layout} images, M filters {filters} for each channel, padding dilation * (k // 2)",
        shape_names=("N", "C", "H", "W", "k", "stride", "dil", "M"),
        default_shapes={
            "gpu": (32, 256, 56, 56, 3, 1, 1, 1),
            "cpu": (4, 128, 56, 56, 3, 1, 1, 1),
            "opencl-cpu": (1, 64, 28, 28, 3, 1, 1, 1),
        },
        small_shape=(1, 64, 28, 28, 3, 1, 1, 1),
        dtypes=("float32", "float16", "bfloat16", "float64"),
        compute=compute.depthwise_conv2d_nchw if layout == "NCHW" else compute.depthwise_conv2d_nhwc,
        input_shapes=lambda s: (reference.image_shape(s, layout), reference.weight_shape(s, layout)),
        output_shapes=lambda s: (reference.output_shape(s, layout),),
        output_dtypes=lambda dtype: (dtype,),
        reference=reference.depthwise(layout),
        numpy_peer=reference.depthwise_peer(layout),
        flops=flops,
        tolerances=_TOLERANCES,
        schedules=SCHEDULES,
    )


depthwise_conv2d_nchw = register(_operator("NCHW"))
depthwise_conv2d_nhwc = register(_operator("NHWC"))
