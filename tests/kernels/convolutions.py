"""Convolutions drawn at random, and running them: for tests of every schedule."""

from __future__ import annotations

import random

import numpy as np

from gpucomp.kernels.arrays import Array, random_array
from gpucomp.kernels.convolution.compute import ConvolutionDefinition
from gpucomp.kernels.convolution.problem import Convolution
from gpucomp.kernels.convolution.reference import convolution
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.target import Target
from gpucomp.te import Schedule
from tests.kernels.running import run


def draw(rng: random.Random) -> Convolution:
    """A small convolution: odd sizes, any layout, stride, padding, dilation, groups, epilogue; or a transposed one."""
    while True:
        ndim = rng.choice([1, 2, 2, 2, 3])
        groups = rng.choice([1, 1, 1, 2, 3])
        kernel = tuple([rng.choice([1, 2, 3, 5]) for _ in range(ndim)])
        stride = tuple([rng.choice([1, 1, 2, 3]) for _ in range(ndim)])
        made = {
            "batch": rng.choice([1, 2, 3]),
            "channels": groups * rng.choice([1, 2, 3, 5, 8]),
            "size": tuple([rng.choice([1, 4, 7, 10, 13] if ndim < 3 else [3, 5, 6]) for _ in range(ndim)]),
            "filters": groups * rng.choice([1, 2, 3, 5, 8, 11]),
            "kernel": kernel,
            "stride": stride,
            "padding": tuple([rng.choice([0, k // 2, k - 1]) for k in kernel]),
            "dilation": tuple([rng.choice([1, 1, 2]) for _ in range(ndim)]),
            "groups": groups,
            "channels_last": rng.random() < 0.4,
            "bias": rng.random() < 0.3,
            "residual": rng.random() < 0.2,
            "relu": rng.random() < 0.3,
        }
        if rng.random() < 0.15:
            more = tuple([rng.randrange(s) for s in stride])
            made.update(transposed=True, groups=1, channels_last=False, dilation=(1,) * ndim, more=more)
            made.update(channels=made["channels"], filters=made["filters"])
        try:
            return Convolution(**made)  # pyright: ignore[reportArgumentType]  # the class checks them
        except ArgumentError:
            continue


def whole_inputs(conv: Convolution, dtype: str, seed: int = 3) -> list[Array]:
    """Small whole numbers: every sum is exact."""
    rng = np.random.default_rng(seed)
    return [random_array(shape, dtype, rng, whole=True) for shape in conv.input_shapes()]


def check(schedule: Schedule, defn: ConvolutionDefinition, how: str, target: Target, dtype: str = "float32") -> None:
    """Run a schedule on whole numbers; the result is bit for bit that of numpy in float64.

    Args:
        how: "interp", "llvm", or a device that is here ("opencl", "cuda").
    """
    conv = defn.problem
    inputs = whole_inputs(conv, dtype)
    result = run(schedule, defn, inputs, how, target)
    (want,) = convolution(inputs, conv)
    assert np.array_equal(result, want.astype(result.dtype)), conv
