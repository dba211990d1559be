"""Convolutions of any number of dimensions, in any layout: sums of products over windows (as in neural networks, the
filter is not mirrored).  All of them are :func:`conv`, but for those by depth and the transposed one.

``strides`` and ``dilation`` are numbers, or one for each spatial dimension; ``padding`` is what
:func:`~gpucomp.topi.nn.padding.window_padding` takes.  Factors and sums are in ``out_dtype``, the type of data if None.
Raises, all of them: TensorError GC216 shapes do not go together, GC222 an argument does not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import FunctionType
from typing import Final, Protocol

from gpucomp.te.api import compute, reduce_axis
from gpucomp.te.reduction import sum_of
from gpucomp.te.tensor import Tensor
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IterVar
from gpucomp.topi.nn.padding import Padding, dilate, pad_spatial, window_padding
from gpucomp.topi.transform import axis_numbers, layout_positions
from gpucomp.topi.utils import (
    Numbers,
    argument_error,
    get_const_int,
    maybe_int,
    numbers,
    same_extent,
    shape_error,
    tensor_of,
)

_SPATIAL: Final = {1: "W", 2: "HW", 3: "DHW"}


def conv(
    inp: Tensor,
    filt: Tensor,
    stride: Numbers,
    padding: Padding,
    dilation: Numbers,
    groups: int,
    data_layout: str,
    kernel_layout: str = "",
    out_dtype: str | None = None,
) -> Tensor:
    """A convolution.

    Args:
        inp: the data, laid out as ``data_layout``: N the batch, C the channels, and W, HW or DHW.
        filt: the weights, laid out as ``kernel_layout``: O the channels of the result, I those of the data in a group.
        stride: distance of windows.
        padding: elements of 0 around the data.
        dilation: distance of the elements of a window.
        groups: channels of the data and of the result fall in so many groups, which are convolved by themselves.
        data_layout: ``"NCHW"``, ``"NHWC"``, ``"NCW"``...
        kernel_layout: ``"OIHW"`` where the data have their channels before their rows, else ``"HWIO"``, if empty.
        out_dtype: type of factors, sums and result.
    """
    spatial = _SPATIAL.get(len(data_layout) - 2)
    if spatial is None:
        raise argument_error(f"conv: layout {data_layout!r}", "N, C, and W, HW or DHW: 'NCHW'")
    name = f"conv{len(spatial)}d_{data_layout.lower()}"
    data, weight = tensor_of(name, inp, len(data_layout)), tensor_of(name, filt, len(data_layout))
    n_at, c_at, *x_at = layout_positions(name, data_layout, "NC" + spatial)
    channels_first = data_layout.index("C") < data_layout.index(spatial[0])
    default = "OI" + spatial if channels_first else spatial + "IO"
    o_at, i_at, *k_at = layout_positions(name, kernel_layout or default, "OI" + spatial)
    windows = _Windows(name, [weight.shape[d] for d in k_at], stride, padding, dilation)
    outs, depth = weight.shape[o_at], weight.shape[i_at]
    per_group = outs if groups == 1 else get_const_int(outs) // groups
    if not same_extent(operators.multiply(depth, groups), data.shape[c_at]) or (
        groups != 1 and get_const_int(outs) % groups
    ):
        raise shape_error(name, f"the filter has the channels of the data, in {groups} groups", data, weight)
    padded = windows.pad(data, x_at)
    rc = reduce_axis((0, depth), "rc")

    def element(*i: Expr) -> Expr:
        f = i[c_at]
        channel = rc.var if groups == 1 else operators.add(operators.multiply(f // per_group, depth), rc.var)
        place, tap = list(i), list(i)  # every entry is set below
        place[n_at], place[c_at], tap[o_at], tap[i_at] = i[n_at], channel, f, rc.var
        for d, (x, k) in enumerate(zip(x_at, k_at, strict=True)):
            place[x], tap[k] = windows.place(d, i[x]), windows.steps[d].var
        return _product_sum(padded(*place), weight(*tap), out_dtype or data.dtype, [rc, *windows.steps])

    shape = list(data.shape)
    shape[c_at] = outs
    for d, x in enumerate(x_at):
        shape[x] = windows.count(d, padded.shape[x])
    return compute(shape, element, name=name, tag=name if groups == 1 else f"group_{name}")


class _Windows:
    """The windows of a convolution: extents, distances, padding, and the reduction over one of them."""

    def __init__(
        self, name: str, extents: Sequence[Expr], stride: Numbers, padding: Padding, dilation: Numbers
    ) -> None:
        count = len(extents)
        self.name = name
        self.stride = axis_numbers(f"{name}: stride", stride, count)
        self.dilation = axis_numbers(f"{name}: dilation", dilation, count)
        self.wide = [(k - 1) * d + 1 for k, d in zip(extents, self.dilation, strict=True)]
        self.before, self.after = window_padding(name, padding, self.wide)
        self.steps: list[IterVar] = [
            reduce_axis((0, k), f"r{_SPATIAL[count][d].lower()}") for d, k in enumerate(extents)
        ]

    def pad(self, data: Tensor, axes: Sequence[int]) -> Tensor:
        return pad_spatial(data, axes, self.before, self.after)

    def place(self, d: int, window: Expr) -> Expr:
        step = operators.multiply(self.steps[d].var, self.dilation[d])
        return operators.add(operators.multiply(window, self.stride[d]), step)

    def count(self, d: int, extent: Expr) -> Expr:
        room = operators.subtract(extent, self.wide[d])
        if (maybe_int(room) or 0) < 0:
            raise argument_error(
                f"{self.name}: a window of {self.wide[d]} elements over {extent}, padding included",
                "more padding, or a smaller window",
            )
        return operators.add(operators.floordiv(room, self.stride[d]), 1)


def _product_sum(x: Expr, w: Expr, dtype: str, axes: Sequence[IterVar]) -> Expr:
    return sum_of(operators.multiply(operators.cast(dtype, x), operators.cast(dtype, w)), axis=list(axes))


def conv1d(
    data: Tensor,
    kernel: Tensor,
    strides: Numbers = 1,
    padding: Padding = "VALID",
    dilation: Numbers = 1,
    groups: int = 1,
    data_layout: str = "NCW",
    kernel_layout: str = "",
    out_dtype: str | None = None,
) -> Tensor:
    """A convolution along one dimension; filters (O, I, W), or (W, I, O) for NWC."""
    return conv(data, kernel, strides, padding, dilation, groups, data_layout, kernel_layout, out_dtype)


def conv1d_ncw(
    data: Tensor,
    kernel: Tensor,
    strides: Numbers = 1,
    padding: Padding = "VALID",
    dilation: Numbers = 1,
    out_dtype: str | None = None,
) -> Tensor:
    """Data (N, C, W), filters (O, C, k)."""
    return conv(data, kernel, strides, padding, dilation, 1, "NCW", "", out_dtype)


def conv1d_nwc(
    data: Tensor,
    kernel: Tensor,
    strides: Numbers = 1,
    padding: Padding = "VALID",
    dilation: Numbers = 1,
    out_dtype: str | None = None,
) -> Tensor:
    """Data (N, W, C), filters (k, C, O)."""
    return conv(data, kernel, strides, padding, dilation, 1, "NWC", "", out_dtype)


def conv2d(
    input: Tensor,
    filter: Tensor,
    strides: Numbers,
    padding: Padding,
    dilation: Numbers,
    data_layout: str = "NCHW",
    kernel_layout: str = "",
    out_dtype: str | None = None,
) -> Tensor:
    """A convolution of images in the given layouts."""
    return conv(input, filter, strides, padding, dilation, 1, data_layout, kernel_layout, out_dtype)


class Conv2d(Protocol):
    """A convolution of images in the layouts that the name says."""

    def __call__(
        self,
        Input: Tensor,
        Filter: Tensor,
        stride: Numbers,
        padding: Padding,
        dilation: Numbers,
        out_dtype: str | None = ...,
    ) -> Tensor: ...  # public names


class GroupConv(Protocol):
    """A convolution in groups, in the layouts that the name says."""

    def __call__(
        self,
        Input: Tensor,
        Filter: Tensor,
        stride: Numbers,
        padding: Padding,
        dilation: Numbers,
        groups: int,
        out_dtype: str | None = ...,
    ) -> Tensor: ...  # public names


_DOCUMENTATION: Final = """{what}

Args:
    Input: the data, {data}.
    Filter: the weights, {weight}.
    stride: distance of windows, one number or one for each spatial dimension.
    padding: elements of 0 around the data: numbers, or "VALID" or "SAME".
    dilation: distance of the elements of a window.
    {groups}out_dtype: type of factors, sums and result; that of the data if None.

Raises:
    TensorError: GC216 the shapes do not go together, GC222 an argument does not fit.
"""
_GROUPS: Final = "groups: channels fall in so many groups, which are convolved by themselves.\n    "


def _document(function: FunctionType, name: str, what: str, layouts: tuple[str, str], groups: str = "") -> None:
    function.__name__ = function.__qualname__ = name
    data, weight = (f"({', '.join(layout.split())})" for layout in layouts)
    function.__doc__ = _DOCUMENTATION.format(what=what, data=data, weight=weight, groups=groups)


def _conv2d(name: str, layout: str, kernel: str, default: str | None = None) -> Conv2d:
    """:func:`conv` in these layouts; of a filter with M, each channel by itself."""

    def convolution(
        Input: Tensor,
        Filter: Tensor,
        stride: Numbers,
        padding: Padding,
        dilation: Numbers,
        out_dtype: str | None = default,
    ) -> Tensor:  # public names
        if "M" in kernel:
            return _depthwise(name, Input, Filter, layout, kernel, (stride, padding, dilation), out_dtype)
        return conv(Input, Filter, stride, padding, dilation, 1, layout, kernel, out_dtype)

    what = "A convolution of images."
    if "M" in kernel:
        what = "A convolution of each channel by itself, which gives M channels of the result."
    _document(convolution, name, what, (" ".join(layout), " ".join(kernel)))
    return convolution


def _group_conv(name: str, layout: str, kernel: str, default: str | None = None) -> GroupConv:
    """:func:`conv` in these layouts, in groups."""

    def convolution(
        Input: Tensor,
        Filter: Tensor,
        stride: Numbers,
        padding: Padding,
        dilation: Numbers,
        groups: int,
        out_dtype: str | None = default,
    ) -> Tensor:  # public names
        return conv(Input, Filter, stride, padding, dilation, groups, layout, kernel, out_dtype)

    what = "A convolution in groups; I are the channels of the data in a group."
    _document(convolution, name, what, (" ".join(layout), " ".join(kernel)), _GROUPS)
    return convolution


def _depthwise(
    name: str,
    data: Tensor,
    weight: Tensor,
    layout: str,
    kernel: str,
    how: tuple[Numbers, Padding, Numbers],
    out_dtype: str | None,
) -> Tensor:
    data, weight = tensor_of(name, data, 4), tensor_of(name, weight, 4)
    n_at, c_at, *x_at = layout_positions(name, layout, "NCHW")
    i_at, m_at, *k_at = layout_positions(name, kernel, "CMHW")
    if not same_extent(weight.shape[i_at], data.shape[c_at]):
        raise shape_error(name, "the filter has the channels of the data", data, weight)
    windows = _Windows(name, [weight.shape[d] for d in k_at], *how)
    padded, times = windows.pad(data, x_at), weight.shape[m_at]

    def element(*i: Expr) -> Expr:
        place, tap = list(i), list(i)
        channel, part = operators.floordiv(i[c_at], times), operators.floormod(i[c_at], times)
        place[n_at], place[c_at], tap[i_at], tap[m_at] = i[n_at], channel, channel, part
        for d, (x, k) in enumerate(zip(x_at, k_at, strict=True)):
            place[x], tap[k] = windows.place(d, i[x]), windows.steps[d].var
        return _product_sum(padded(*place), weight(*tap), out_dtype or data.dtype, windows.steps)

    shape = list(data.shape)
    shape[c_at] = operators.multiply(data.shape[c_at], times)
    for d, x in enumerate(x_at):
        shape[x] = windows.count(d, padded.shape[x])
    return compute(shape, element, name="DepthwiseConv2d", tag=name)


def conv2d_transpose_nchw(
    Input: Tensor, Filter: Tensor, strides: Numbers, padding: Padding, out_dtype: str | None, output_padding: Numbers
) -> Tensor:  # public names
    """The transpose of a convolution with ``strides`` and ``padding``: its gradient for the data.

    Data (N, C, H, W), filters (C, O, kh, kw); the result has ``(H - 1) * stride - padding + kh + output_padding`` rows.
    """
    name = "conv2d_transpose_nchw"
    data, weight = tensor_of(name, Input, 4), tensor_of(name, Filter, 4)
    if not same_extent(data.shape[1], weight.shape[0]):
        raise shape_error(name, "the first extent of the filter is that of the channels of the data", data, weight)
    extents = [get_const_int(k) for k in weight.shape[2:]]
    stride, more = axis_numbers(f"{name}: strides", strides, 2), numbers(f"{name}: output_padding", output_padding, 2)
    first, last = window_padding(name, padding, extents)
    before = [k - 1 - p for k, p in zip(extents, first, strict=True)]
    after = [k - 1 - p + m for k, p, m in zip(extents, last, more, strict=True)]
    if any([x < 0 for x in before + after]) or any([not 0 <= m < s for m, s in zip(more, stride, strict=True)]):
        raise argument_error(
            f"{name}: padding {padding} and output_padding {output_padding} for windows of {extents}, strides {stride}",
            "padding is smaller than the window, output_padding smaller than the stride",
        )
    spread = dilate(data, [1, 1, *stride]) if any([s > 1 for s in stride]) else data
    padded = pad_spatial(spread, [2, 3], before, after)
    rc = reduce_axis((0, data.shape[1]), "rc")
    steps = [reduce_axis((0, k), n) for k, n in zip(extents, ("rh", "rw"), strict=True)]

    def element(n: Expr, f: Expr, y: Expr, x: Expr) -> Expr:
        ry, rx = steps[0].var, steps[1].var
        tap = weight(rc.var, f, extents[0] - 1 - ry, extents[1] - 1 - rx)
        return _product_sum(padded(n, rc.var, y + ry, x + rx), tap, out_dtype or data.dtype, [rc, *steps])

    rows = [s - (k - 1) for s, k in zip(padded.shape[2:], extents, strict=True)]
    return compute([data.shape[0], weight.shape[1], *rows], element, name=name, tag=name)


conv2d_nchw = _conv2d("conv2d_nchw", "NCHW", "OIHW")
conv2d_nhwc = _conv2d("conv2d_nhwc", "NHWC", "HWIO", "float32")
conv2d_hwcn = _conv2d("conv2d_hwcn", "HWCN", "HWIO")
depthwise_conv2d_nchw = _conv2d("depthwise_conv2d_nchw", "NCHW", "CMHW")
depthwise_conv2d_nhwc = _conv2d("depthwise_conv2d_nhwc", "NHWC", "HWCM")
group_conv2d_nchw = _group_conv("group_conv2d_nchw", "NCHW", "OIHW")
group_conv2d_nhwc = _group_conv("group_conv2d_nhwc", "NHWC", "HWIO")
conv3d_ncdhw = _group_conv("conv3d_ncdhw", "NCDHW", "OIDHW")
conv3d_ndhwc = _group_conv("conv3d_ndhwc", "NDHWC", "DHWIO", "float32")
