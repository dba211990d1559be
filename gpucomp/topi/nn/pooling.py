"""Maxima and means over windows.

``padding`` is what :func:`~gpucomp.topi.nn.padding.window_padding` takes.  Raises, all of them: TensorError GC222 an
argument does not fit.
"""

from __future__ import annotations

from typing import Any  # Any: arguments are numbers or lists of them; indices are expressions

from gpucomp.te.api import compute, reduce_axis
from gpucomp.te.reduction import all_of, max_of, sum_of
from gpucomp.te.tensor import Tensor
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir.expr import Expr
from gpucomp.topi.nn.padding import window_padding
from gpucomp.topi.tag import ELEMWISE
from gpucomp.topi.transform import axis_numbers, layout_positions
from gpucomp.topi.utils import argument_error, get_const_int, tensor_of


def pool1d(
    data: Tensor,
    kernel: Any,
    stride: Any,
    dilation: Any,
    padding: Any,
    pool_type: str,
    ceil_mode: bool = False,
    layout: str = "NCW",
    count_include_pad: bool = True,
) -> Tensor:
    """Windows along W; arguments as of :func:`pool2d`."""
    return _pool(
        "pool1d", data, kernel, stride, dilation, padding, pool_type, ceil_mode, layout, count_include_pad, "W"
    )


def pool2d(
    data: Tensor,
    kernel: Any,
    stride: Any,
    dilation: Any,
    padding: Any,
    pool_type: str,
    ceil_mode: bool = False,
    layout: str = "NCHW",
    count_include_pad: bool = True,
) -> Tensor:
    """The maximum or the mean of each window.

    Args:
        data: laid out as ``layout``.
        kernel: extents of a window.
        stride: distance of windows.
        dilation: distance of the elements of a window.
        padding: elements around the data, which no maximum sees.
        pool_type: ``"max"`` or ``"avg"``.
        ceil_mode: a last window that sticks out counts too.
        layout: ``"NCHW"``, ``"NHWC"``...
        count_include_pad: the mean counts elements outside of the data, as 0.
    """
    return _pool(
        "pool2d", data, kernel, stride, dilation, padding, pool_type, ceil_mode, layout, count_include_pad, "HW"
    )


def pool3d(
    data: Tensor,
    kernel: Any,
    stride: Any,
    dilation: Any,
    padding: Any,
    pool_type: str,
    ceil_mode: bool = False,
    layout: str = "NCDHW",
    count_include_pad: bool = True,
) -> Tensor:
    """Windows along D, H and W; arguments as of :func:`pool2d`."""
    return _pool(
        "pool3d", data, kernel, stride, dilation, padding, pool_type, ceil_mode, layout, count_include_pad, "DHW"
    )


def _check_type(name: str, pool_type: str) -> None:
    if pool_type not in ("max", "avg"):
        raise argument_error(f"{name}: pool_type {pool_type!r}", "'max' or 'avg'")


def _pool(
    name: str,
    data: Tensor,
    kernel: Any,
    stride: Any,
    dilation: Any,
    padding: Any,
    pool_type: str,
    ceil_mode: bool,
    layout: str,
    count_include_pad: bool,
    letters: str,
) -> Tensor:
    data, count = tensor_of(f"nn.{name}", data, len(letters) + 2), len(letters)
    _check_type(name, pool_type)
    axes = layout_positions(name, layout, "NC" + letters)[2:]
    size = axis_numbers(f"{name}: kernel", kernel, count)
    step, gap = axis_numbers(f"{name}: stride", stride, count), axis_numbers(f"{name}: dilation", dilation, count)
    wide = [(k - 1) * g + 1 for k, g in zip(size, gap, strict=True)]
    before, after = window_padding(name, padding, wide)
    shape: list[Any] = list(data.shape)
    for axis, b, a, w, s in zip(axes, before, after, wide, step, strict=True):
        room = operators.add(data.shape[axis], b + a - w + (s - 1 if ceil_mode else 0))
        if (get_const_int(room) if isinstance(room, e.IntImm) else 0) < 0:
            raise argument_error(
                f"{name}: a window of {w} elements over {data.shape[axis]} with padding {b} and {a}",
                "more padding, or a smaller window",
            )
        shape[axis] = operators.add(operators.floordiv(room, s), 1)
    steps = [reduce_axis((0, k), f"r{x.lower()}") for k, x in zip(size, letters, strict=True)]

    def inside(i: tuple[Any, ...]) -> tuple[list[Any], Expr]:
        """The place of an element of a window, and whether it is one of the data."""
        place, conditions = list(i), list[Expr]()
        for axis, k, s, g, b in zip(axes, steps, step, gap, before, strict=True):
            place[axis] = i[axis] * s + operators.multiply(k.var, g) - b
            conditions.append(operators.compare(e.GE, place[axis], 0))
            conditions.append(operators.compare(e.LT, place[axis], data.shape[axis]))
        return place, all_of(*conditions)

    def largest(*i: Any) -> Expr:
        place, valid = inside(i)
        return max_of(intrin.if_then_else(valid, data(*place), _lowest(data.dtype)), axis=steps)

    def total(*i: Any) -> Expr:
        place, valid = inside(i)
        return sum_of(intrin.if_then_else(valid, data(*place), operators.const(0, data.dtype)), axis=steps)

    if pool_type == "max":
        return compute(shape, largest, name=f"{name}_max", tag=f"{name}_max")
    sums = compute(shape, total, name=f"{name}_sum", tag=f"{name}_sum")
    everything = 1
    for k in size:
        everything *= k

    def present(i: tuple[Any, ...]) -> Expr:
        """The number of elements of a window that are elements of the data, at least 1."""
        product: Expr = operators.const(1, "int32")
        for axis, k, s, g, b in zip(axes, size, step, gap, before, strict=True):
            first = i[axis] * s - b
            skipped = operators.maximum(operators.floordiv(operators.subtract(g - 1, first), g), 0)
            end = operators.floordiv(operators.subtract(data.shape[axis] - 1 + g, first), g)
            product = operators.multiply(product, operators.subtract(operators.minimum(end, k), skipped))
        return operators.maximum(product, 1)

    def mean(*i: Any) -> Expr:
        number = operators.const(everything, "int32") if count_include_pad else present(i)
        return operators.truncdiv(sums(*i), operators.cast(data.dtype, number))

    return compute(shape, mean, name=f"{name}_avg", tag=ELEMWISE)


def _lowest(dtype: Any) -> Expr:
    return operators.const(float("-inf"), dtype) if dtype.code in ("float", "bfloat") else intrin.min_value(dtype)


def global_pool(data: Tensor, pool_type: str, layout: str = "NCHW") -> Tensor:
    """The maximum or mean of each image; H and W become 1."""
    return adaptive_pool(data, (1, 1), pool_type, layout)


def adaptive_pool(data: Tensor, output_size: Any, pool_type: str, layout: str = "NCHW") -> Tensor:
    """So many windows along H and W as ``output_size`` says: window i is from floor(i*n/m) to ceil((i+1)*n/m)."""
    data = tensor_of("nn.adaptive_pool", data, 4)
    _check_type("adaptive_pool", pool_type)
    axes = layout_positions("adaptive_pool", layout, "NCHW")[2:]
    counts = axis_numbers("adaptive_pool: output_size", output_size, 2)
    extents = [get_const_int(data.shape[a]) for a in axes]
    widest = [_widest(n, m) for n, m in zip(extents, counts, strict=True)]
    steps = [reduce_axis((0, w), x) for w, x in zip(widest, ("rh", "rw"), strict=True)]
    shape: list[Any] = list(data.shape)
    for axis, m in zip(axes, counts, strict=True):
        shape[axis] = m

    def window(i: tuple[Any, ...], d: int) -> tuple[Expr, Expr]:
        n, m, x = extents[d], counts[d], i[axes[d]]
        return operators.floordiv(x * n, m), operators.floordiv((x + 1) * n + (m - 1), m)

    def reduced(*i: Any) -> Expr:
        place, conditions = list(i), list[Expr]()
        for d, axis in enumerate(axes):
            first, end = window(i, d)
            place[axis] = operators.add(first, steps[d].var)
            conditions.append(operators.compare(e.LT, place[axis], end))
        outside = _lowest(data.dtype) if pool_type == "max" else operators.const(0, data.dtype)
        reducer = max_of if pool_type == "max" else sum_of
        return reducer(intrin.if_then_else(all_of(*conditions), data(*place), outside), axis=steps)

    result = compute(shape, reduced, name=f"adaptive_pool_{pool_type}", tag=f"adaptive_pool_{pool_type}")
    if pool_type == "max":
        return result

    def mean(*i: Any) -> Expr:
        (a, b), (c, d) = window(i, 0), window(i, 1)
        return operators.truncdiv(result(*i), operators.cast(data.dtype, (b - a) * (d - c)))

    return compute(shape, mean, name="adaptive_pool_avg", tag=ELEMWISE)


def _widest(extent: int, count: int) -> int:
    widths = [-(-(i + 1) * extent // count) - i * extent // count for i in range(count)]
    return max(widths)
