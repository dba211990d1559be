"""Activations, and scales and shifts for each channel."""

from __future__ import annotations

from typing import SupportsIndex, overload

from gpucomp.te.api import compute
from gpucomp.te.tensor import Tensor
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir.expr import Expr, ExprLike
from gpucomp.topi.broadcast import Element, of_one, whole
from gpucomp.topi.tag import BROADCAST
from gpucomp.topi.utils import one_axis, same_extent, shape_error, tensor_of


@of_one
def relu(x: ExprLike) -> Expr:
    """``max(x, 0)``."""
    v = operators.convert(x)
    return operators.maximum(v, operators.const(0, v.dtype))


@overload
def leaky_relu(x: Tensor, alpha: float) -> Tensor: ...
@overload
def leaky_relu(x: Element, alpha: float) -> Expr: ...
def leaky_relu(x: ExprLike, alpha: float) -> Tensor | Expr:
    """``x`` above 0, ``alpha * x`` elsewhere."""

    def element(value: ExprLike) -> Expr:
        v = operators.convert(value)
        above = operators.compare(e.GT, v, operators.const(0, v.dtype))
        return intrin.select(above, v, operators.multiply(v, operators.const(alpha, v.dtype)))

    return whole("leaky_relu", element, x)


def prelu(x: Tensor, slope: Tensor, axis: SupportsIndex = 1) -> Tensor:
    """``x`` above 0, ``slope * x`` elsewhere, with one slope for each place along ``axis``."""
    at = _per_channel("prelu", x, slope, axis)

    def element(*i: Expr) -> Expr:
        v = x(*i)
        above = operators.compare(e.GT, v, operators.const(0, v.dtype))
        return intrin.select(above, v, operators.multiply(v, slope(i[at])))

    return compute(x.shape, element, name="T_prelu", tag=BROADCAST)


def bias_add(data: Tensor, bias: Tensor, axis: SupportsIndex = 1) -> Tensor:
    """``data + bias``, one bias for each place along ``axis``."""
    at = _per_channel("bias_add", data, bias, axis)
    return compute(data.shape, lambda *i: data(*i) + bias(i[at]), name="T_bias_add", tag=BROADCAST)


def scale_shift_nchw(Input: Tensor, Scale: Tensor, Shift: Tensor) -> Tensor:  # public names
    """``Input * Scale + Shift``, one of each a channel, the channels in dimension 1."""
    return _scale_shift("scale_shift_nchw", Input, Scale, Shift, 1)


def scale_shift_nhwc(Input: Tensor, Scale: Tensor, Shift: Tensor) -> Tensor:  # public names
    """``Input * Scale + Shift``, one of each a channel, the channels in dimension 3."""
    return _scale_shift("scale_shift_nhwc", Input, Scale, Shift, 3)


def _scale_shift(name: str, x: Tensor, scale: Tensor, shift: Tensor, axis: int) -> Tensor:
    tensor_of(name, x, 4)
    at = _per_channel(name, x, scale, axis)
    _per_channel(name, x, shift, axis)
    return compute(x.shape, lambda *i: x(*i) * scale(i[at]) + shift(i[at]), name="ScaleShift", tag=BROADCAST)


def _per_channel(name: str, data: Tensor, vector: Tensor, axis: SupportsIndex) -> int:
    """The axis, after a check that the vector has one element for each place along it."""
    tensor_of(name, vector, 1)
    at = one_axis(name, axis, tensor_of(name, data).ndim)
    if not same_extent(vector.shape[0], data.shape[at]):
        raise shape_error(name, f"one element for each place along axis {at}", data, vector)
    return at
