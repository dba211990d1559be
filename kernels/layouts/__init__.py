"""Operators that only move elements."""

from __future__ import annotations

from typing import Final

from gpucomp.kernels.arrays import in_float64_by
from gpucomp.kernels.layouts import compute, reference, tiles
from gpucomp.kernels.registry import Operator, register

DTYPES: Final = ("float32", "float16", "bfloat16", "float64", "int8", "int32")
SCHEDULES: Final = {
    "gpu": "schedule_gpu:schedule_transpose",
    "cpu": "schedule_cpu:schedule_transpose",
    "opencl-cpu": "schedule_cpu:schedule_transpose_opencl_cpu",
}

transpose = register(
    Operator(
        name="transpose",
        family="layouts",
        description="transpose of a matrix",
        shape_names=("M", "N"),
        default_shapes={"gpu": (8192, 8192), "cpu": (2048, 2048), "opencl-cpu": (1024, 1024)},
        small_shape=(512, 512),
        dtypes=DTYPES,
        compute=compute.transpose,
        input_shapes=lambda shape: (shape,),
        output_shapes=lambda shape: ((shape[1], shape[0]),),
        output_dtypes=lambda dtype: (dtype,),
        reference=in_float64_by(reference.transpose),
        numpy_peer=reference.peer(reference.transpose),
        flops=lambda shape: 0,
        tolerances=dict.fromkeys(DTYPES, 0.0),
        schedules=SCHEDULES,
        form=tiles.form,
    )
)
permute = register(
    Operator(
        name="permute",
        family="layouts",
        description="the last two axes of three change places",
        shape_names=("B", "M", "N"),
        default_shapes={"gpu": (16, 2048, 2048), "cpu": (4, 1024, 1024), "opencl-cpu": (4, 512, 512)},
        small_shape=(2, 512, 256),
        dtypes=DTYPES,
        compute=compute.permute,
        input_shapes=lambda shape: (shape,),
        output_shapes=lambda shape: ((shape[0], shape[2], shape[1]),),
        output_dtypes=lambda dtype: (dtype,),
        reference=in_float64_by(reference.permute),
        numpy_peer=reference.peer(reference.permute),
        flops=lambda shape: 0,
        tolerances=dict.fromkeys(DTYPES, 0.0),
        schedules=SCHEDULES,
        form=tiles.form,
    )
)
