"""Operators on rows, in numpy."""

from __future__ import annotations

import numpy as np

from gpucomp.kernels.arrays import Array, Floats
from gpucomp.kernels.rows.compute import EPSILON


def softmax(a: Floats) -> Floats:
    """See ``compute.softmax``; likewise below."""
    powers = np.exp(a - a.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def log_softmax(a: Floats) -> Floats:
    shifted = a - a.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def layer_norm(a: Floats, weight: Floats, bias: Floats) -> Floats:
    shifted = a - a.mean(axis=1, keepdims=True)
    variance = np.square(shifted).mean(axis=1, keepdims=True)
    return shifted / np.sqrt(variance + a.dtype.type(EPSILON)) * weight + bias


def add_layer_norm(a: Floats, residual: Floats, weight: Floats, bias: Floats) -> Floats:
    return layer_norm(a + residual, weight, bias)


def rms_norm(a: Floats, weight: Floats) -> Floats:
    squares = np.square(a).mean(axis=1, keepdims=True)
    return a / np.sqrt(squares + a.dtype.type(EPSILON)) * weight


def add_rms_norm(a: Floats, residual: Floats, weight: Floats) -> Floats:
    return rms_norm(a + residual, weight)


def row_sum(a: Floats) -> Floats:
    return a.sum(axis=1)


def row_mean(a: Floats) -> Floats:
    return a.mean(axis=1)


def row_max(a: Floats) -> Floats:
    return a.max(axis=1)


def row_min(a: Floats) -> Floats:
    return a.min(axis=1)


def row_variance(a: Floats) -> Floats:
    return a.var(axis=1)


def row_norm(a: Floats) -> Floats:
    return np.sqrt(np.square(a).sum(axis=1))


def row_argmax(a: Floats) -> Array:
    return a.argmax(axis=1).astype(np.int32)


def gemv(a: Floats, vector: Floats) -> Floats:
    return a @ vector
