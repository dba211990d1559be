"""Operators of neural networks."""

from __future__ import annotations

from gpucomp.topi.nn.conv import (
    conv,
    conv1d,
    conv1d_ncw,
    conv1d_nwc,
    conv2d,
    conv2d_hwcn,
    conv2d_nchw,
    conv2d_nhwc,
    conv2d_transpose_nchw,
    conv3d_ncdhw,
    conv3d_ndhwc,
    depthwise_conv2d_nchw,
    depthwise_conv2d_nhwc,
    group_conv2d_nchw,
    group_conv2d_nhwc,
)
from gpucomp.topi.nn.dense import batch_matmul, dense, matmul
from gpucomp.topi.nn.elemwise import bias_add, leaky_relu, prelu, relu, scale_shift_nchw, scale_shift_nhwc
from gpucomp.topi.nn.flatten import flatten
from gpucomp.topi.nn.norm import batch_norm, instance_norm, layer_norm, log_softmax, rms_norm, softmax
from gpucomp.topi.nn.padding import dilate, pad
from gpucomp.topi.nn.pooling import adaptive_pool, global_pool, pool1d, pool2d, pool3d

__all__ = [
    "adaptive_pool", "batch_matmul", "batch_norm", "bias_add", "conv", "conv1d", "conv1d_ncw", "conv1d_nwc", "conv2d",
    "conv2d_hwcn", "conv2d_nchw", "conv2d_nhwc", "conv2d_transpose_nchw", "conv3d_ncdhw", "conv3d_ndhwc", "dense",
    "depthwise_conv2d_nchw", "depthwise_conv2d_nhwc", "dilate", "flatten", "global_pool", "group_conv2d_nchw",
    "group_conv2d_nhwc", "instance_norm", "layer_norm", "leaky_relu", "log_softmax", "matmul", "pad", "pool1d",
    "pool2d", "pool3d", "prelu", "relu", "rms_norm", "scale_shift_nchw", "scale_shift_nhwc", "softmax",
]  # fmt: skip
