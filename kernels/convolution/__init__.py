"""Convolutions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from gpucomp.kernels.convolution import choice, compute, reference, winograd_model
from gpucomp.kernels.convolution.problem import Convolution, numbers, square
from gpucomp.kernels.registry import Extent, Operator, Shape, register, sum_dtype
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.target import Target
from gpucomp.tir.expr import Expr

View = Callable[[tuple[Extent, ...]], Convolution]
NAMES: Final = ("N", "C", "H", "O", "k", "stride")
GPU: Final = "schedule_gpu:schedule_conv2d"
SCHEDULES: Final = {"gpu": GPU, "cpu": "schedule_any:schedule_cpu", "opencl-cpu": "schedule_any:schedule_opencl_cpu"}


def operator(
    name: str,
    description: str,
    view: View,
    default_shapes: Mapping[str, Shape],
    small_shape: Shape,
    shape_names: tuple[str, ...] = NAMES,
    schedules: Mapping[str, str] = SCHEDULES,
) -> Operator:
    """Register a kind of convolution: ``view`` says what the numbers of a shape mean."""
    plain = not view(small_shape).has_epilogue
    exact = {"float32": 1e-4, "float64": 1e-12}
    rounded = {"float16": 1e-4, "bfloat16": 1e-4} if plain else {"float16": 1e-3, "bfloat16": 8e-3}
    return register(
        Operator(
            name=name,
            family="convolution",
            description=description,
            shape_names=shape_names,
            default_shapes=default_shapes,
            small_shape=small_shape,
            dtypes=("float32", "float16", "bfloat16", "float64"),
            compute=lambda shape, dtype: compute.define(view(tuple(shape)), dtype),
            input_shapes=lambda shape: view(shape).input_shapes(),
            output_shapes=lambda shape: (numbers(view(shape).output_shape),),
            output_dtypes=lambda dtype: (sum_dtype(dtype) if plain else dtype,),
            reference=lambda inputs, shape: reference.convolution(inputs, view(shape)),
            numpy_peer=lambda inputs, shape: reference.peer(inputs, view(shape)),
            flops=lambda shape: view(shape).flops(),
            tolerances={**exact, **rounded},
            schedules=schedules,
            form=lambda shape, dtype, target: _form(view(tuple(shape)), dtype, target),
        )
    )


def _form(conv: Convolution, dtype: str, target: Target) -> compute.ConvolutionDefinition | None:
    """By Winograd's filtering, or with filters that are packed before; None where neither helps."""
    defn = winograd_model.define(conv, dtype, target)
    if defn is None and choice.packs(conv, dtype, target):
        return compute.define(conv, dtype, pack=True)
    return defn


def _number(value: Extent, what: str) -> int:
    if isinstance(value, Expr):
        raise ArgumentError(f"convolution: {what} has to be a number", code="GC640")
    return value


def _grouped(shape: tuple[Extent, ...]) -> Convolution:
    return replace(square(shape[:6]), groups=_number(shape[6], "groups"))


def _dilated(shape: tuple[Extent, ...]) -> Convolution:
    k, dilation = _number(shape[4], "k"), _number(shape[6], "dilation")
    return replace(square(shape[:6]), dilation=(dilation,) * 2, padding=(k // 2 * dilation,) * 2)


def _transposed(shape: tuple[Extent, ...]) -> Convolution:
    k, stride = _number(shape[4], "k"), _number(shape[5], "stride")
    padding = (k - 1) // 2
    more = max(0, stride + 2 * padding - k)
    return replace(square(shape), transposed=True, padding=(padding,) * 2, more=(more,) * 2)


_IMAGES: Final = {"gpu": (32, 128, 28, 128, 3, 1), "cpu": (4, 64, 56, 64, 3, 1), "opencl-cpu": (1, 32, 28, 32, 3, 1)}

conv2d = operator(
    "conv2d",
    "convolution of H x H images in NCHW layout, k x k filters, padding k // 2",
    square,
    _IMAGES,
    (1, 32, 28, 32, 3, 1),
    schedules={**SCHEDULES, "opencl-cpu": "schedule_cpu:schedule_conv2d_opencl_cpu"},
)

conv2d_nhwc = operator(
    "conv2d_nhwc",
    "convolution of H x H images in NHWC layout, filters (k, k, C, O), padding k // 2",
    lambda shape: replace(square(shape), channels_last=True),
    _IMAGES,
    (1, 32, 28, 32, 3, 1),
)

conv2d_bias_relu = operator(
    "conv2d_bias_relu",
    "relu(conv2d + V) in one kernel, V added to each channel",
    lambda shape: replace(square(shape), bias=True, relu=True),
    _IMAGES,
    (1, 32, 28, 32, 3, 1),
)

conv2d_bias_add_relu = operator(
    "conv2d_bias_add_relu",
    "relu(conv2d + V + R) in one kernel: the end of a residual block",
    lambda shape: replace(square(shape), bias=True, residual=True, relu=True),
    _IMAGES,
    (1, 32, 28, 32, 3, 1),
)

group_conv2d = operator(
    "group_conv2d",
    "conv2d of which channels and filters fall in groups",
    _grouped,
    {"gpu": (32, 256, 28, 256, 3, 1, 32), "cpu": (4, 64, 56, 64, 3, 1, 4), "opencl-cpu": (1, 32, 28, 32, 3, 1, 4)},
    (1, 32, 28, 32, 3, 1, 4),
    (*NAMES, "groups"),
)

dilated_conv2d = operator(
    "dilated_conv2d",
    "conv2d whose taps are ``dilation`` pixels apart, padding k // 2 * dilation",
    _dilated,
    {"gpu": (32, 128, 28, 128, 3, 1, 2), "cpu": (4, 64, 56, 64, 3, 1, 2), "opencl-cpu": (1, 32, 28, 32, 3, 1, 2)},
    (1, 32, 28, 32, 3, 1, 2),
    (*NAMES, "dilation"),
)

conv2d_transpose = operator(
    "conv2d_transpose",
    "transposed convolution in NCHW layout, filters (C, O, k, k), result H * stride wide",
    _transposed,
    {"gpu": (16, 512, 4, 256, 4, 2), "cpu": (1, 128, 8, 64, 4, 2), "opencl-cpu": (1, 16, 8, 16, 4, 2)},
    (1, 16, 8, 16, 4, 2),
)

conv1d = operator(
    "conv1d",
    "convolution of rows of L elements in NCW layout, padding k // 2",
    lambda shape: square(shape, 1),
    {"gpu": (32, 64, 1024, 128, 3, 1), "cpu": (4, 64, 1024, 64, 3, 1), "opencl-cpu": (1, 32, 256, 32, 3, 1)},
    (1, 32, 256, 32, 3, 1),
    ("N", "C", "L", "O", "k", "stride"),
)

conv3d = operator(
    "conv3d",
    "convolution of D x D x D volumes in NCDHW layout, padding k // 2",
    lambda shape: square(shape, 3),
    {"gpu": (4, 32, 28, 64, 3, 1), "cpu": (1, 16, 28, 16, 3, 1), "opencl-cpu": (1, 8, 12, 8, 3, 1)},
    (1, 8, 12, 8, 3, 1),
    ("N", "C", "D", "O", "k", "stride"),
)
