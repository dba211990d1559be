"""Borders and gaps: pad, dilate; and padding as convolutions and pools take it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, SupportsIndex  # Any: annotations are the user's

from gpucomp.te.api import compute
from gpucomp.te.reduction import all_of
from gpucomp.te.tensor import Tensor
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir.expr import Expr, ExprLike
from gpucomp.topi.transform import axis_numbers
from gpucomp.topi.utils import Extent, Numbers, argument_error, get_const_int, maybe_int, numbers, tensor_of

Padding = Numbers | Literal["VALID", "SAME"]


def pad(
    data: Tensor,
    pad_before: Sequence[Extent],
    pad_after: Sequence[Extent] | None = None,
    pad_value: ExprLike = 0.0,
    name: str = "PadInput",
    attrs: Mapping[str, Any] | None = None,
) -> Tensor:
    """``data`` with ``pad_before[d]`` and ``pad_after[d]`` (the same if None) elements more in dimension d.

    Raises:
        TensorError: GC222 not one number for each dimension, or a negative one.
    """
    data = tensor_of("nn.pad", data)
    before, after = list(pad_before), list(pad_before if pad_after is None else pad_after)
    negative = [x for x in [*before, *after] if (maybe_int(x) or 0) < 0]
    if len(before) != data.ndim or len(after) != data.ndim or negative:
        raise argument_error(
            f"nn.pad: {before} before and {after} after {data.name!r}, which has {data.ndim} dimensions",
            "one number >= 0 for each dimension; topi.strided_slice cuts off",
        )
    value = operators.cast(data.dtype, pad_value)

    def element(*i: Expr) -> Expr:
        conditions: list[Expr] = []
        for d, k in enumerate(i):
            if maybe_int(before[d]) != 0:
                conditions.append(operators.compare(e.GE, k, before[d]))
            if maybe_int(after[d]) != 0:
                conditions.append(operators.compare(e.LT, k, operators.add(data.shape[d], before[d])))
        inside = data(*[operators.subtract(k, b) for k, b in zip(i, before, strict=True)])
        return intrin.if_then_else(all_of(*conditions), inside, value) if conditions else inside

    shape = [operators.add(operators.add(s, b), a) for s, b, a in zip(data.shape, before, after, strict=True)]
    return compute(shape, element, name=name, tag="injective,pad", attrs=attrs)


def dilate(
    data: Tensor, strides: Sequence[SupportsIndex], dilation_value: ExprLike = 0.0, name: str = "DilatedInput"
) -> Tensor:
    """``data`` with ``strides[d] - 1`` values between its elements in dimension d.

    Raises:
        TensorError: GC222 not one stride >= 1 for each dimension.
    """
    data = tensor_of("nn.dilate", data)
    steps = axis_numbers("nn.dilate: strides", list(strides), data.ndim)
    value = operators.cast(data.dtype, dilation_value)

    def element(*i: Expr) -> Expr:
        hits = [operators.compare(e.EQ, operators.floormod(k, s), 0) for k, s in zip(i, steps, strict=True) if s > 1]
        item = data(*[operators.floordiv(k, s) for k, s in zip(i, steps, strict=True)])
        return intrin.if_then_else(all_of(*hits), item, value) if hits else item

    shape = [(x - 1) * s + 1 if s > 1 else x for x, s in zip(data.shape, steps, strict=True)]
    return compute(shape, element, name=name, tag="injective,dilate")


def window_padding(name: str, padding: Padding, windows: Sequence[Expr | int]) -> tuple[list[int], list[int]]:
    """Padding before and after each spatial dimension.

    ``padding`` is a number, one for each dimension, those before and then those after, ``"VALID"`` (none), or
    ``"SAME"`` (as many as a window has beyond its first element, the larger half before).
    """
    count = len(windows)
    if isinstance(padding, str):
        if padding not in ("VALID", "SAME"):
            raise argument_error(f"{name}: padding {padding!r}", "'VALID', 'SAME' or numbers")
        whole = [get_const_int(w) for w in windows] if padding == "SAME" else [1] * count
        return [w // 2 for w in whole], [(w - 1) // 2 for w in whole]
    several = isinstance(padding, Sequence) and len(padding) == 2 * count
    single = padding[0] if isinstance(padding, Sequence) and len(padding) == 1 else padding
    found = numbers(f"{name}: padding", single, 2 * count if several else count)
    if any([x < 0 for x in found]):
        raise argument_error(f"{name}: padding {padding}", "numbers >= 0")
    return (found[:count], found[count:]) if several else (found, found)


def pad_spatial(
    data: Tensor, axes: Sequence[int], before: Sequence[int], after: Sequence[int], value: ExprLike = 0.0
) -> Tensor:
    """``data`` padded in the given dimensions; itself if there is nothing to pad."""
    if not any([*before, *after]):
        return data
    wide_before, wide_after = [0] * data.ndim, [0] * data.ndim
    for axis, b, a in zip(axes, before, after, strict=True):
        wide_before[axis], wide_after[axis] = b, a
    return pad(data, wide_before, wide_after, value, name="pad_temp")
