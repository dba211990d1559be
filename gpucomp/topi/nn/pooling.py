"""Maxima and means over windows.

``padding`` is what :func:`~gpucomp.topi.nn.padding.window_padding` takes.  Raises, all of them: TensorError GC222 an
argument does not fit.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol

from gpucomp.support.dtype import DType
from gpucomp.te.api import compute, reduce_axis
from gpucomp.te.reduction import all_of, max_of, sum_of
from gpucomp.te.tensor import Tensor
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir.expr import Expr
from gpucomp.topi.nn.padding import Padding, window_padding
from gpucomp.topi.tag import ELEMWISE
from gpucomp.topi.transform import axis_numbers, layout_positions
from gpucomp.topi.utils import Numbers, argument_error, get_const_int, maybe_int, tensor_of

PoolType = Literal["max", "avg"]


class Pool(Protocol):
    """A maximum or a mean of windows, along as many dimensions as the name says."""

    def __call__(
        self,
        data: Tensor,
        kernel: Numbers,
        stride: Numbers,
        dilation: Numbers,
        padding: Padding,
        pool_type: PoolType,
        ceil_mode: bool = False,
        layout: str = ...,
        count_include_pad: bool = True,
    ) -> Tensor: ...


def _pool(name: str, letters: str) -> Pool:
    """The pool along the dimensions ``letters``, whose default layout has them last."""

    def pool(
        data: Tensor,
        kernel: Numbers,
        stride: Numbers,
        dilation: Numbers,
        padding: Padding,
        pool_type: PoolType,
        ceil_mode: bool = False,
        layout: str = "NC" + letters,
        count_include_pad: bool = True,
    ) -> Tensor:
        checked = tensor_of(f"nn.{name}", data, len(letters) + 2)
        _check_type(name, pool_type)
        windows = _Windows(name, letters, checked, layout, (kernel, stride, dilation, padding), ceil_mode)
        return windows.largest() if pool_type == "max" else windows.mean(count_include_pad)

    pool.__name__ = pool.__qualname__ = name
    pool.__doc__ = _DOCUMENTATION.format(dimensions=" and ".join(letters), last="NC" + letters, first=f"N{letters}C")
    return pool


_DOCUMENTATION = """The maximum or the mean of each window along {dimensions}.

    Args:
        data: laid out as ``layout``.
        kernel: extents of a window.
        stride: distance of windows.
        dilation: distance of the elements of a window.
        padding: elements around the data, which no maximum sees.
        pool_type: ``"max"`` or ``"avg"``.
        ceil_mode: a last window that sticks out counts too.
        layout: ``"{last}"``, ``"{first}"``...
        count_include_pad: the mean counts elements outside of the data, as 0.

    Returns:
        The result, of the type of the data; means of integers are rounded towards 0.

    Raises:
        TensorError: GC222 an argument does not fit, or a window is larger than the data with their padding.
    """


class _Windows:
    """Places and extents of the windows of one pool."""

    def __init__(
        self,
        name: str,
        letters: str,
        data: Tensor,
        layout: str,
        how: tuple[Numbers, Numbers, Numbers, Padding],
        ceil_mode: bool,
    ) -> None:
        count = len(letters)
        self.name, self.data = name, data
        self.axes = layout_positions(name, layout, "NC" + letters)[2:]
        self.size = axis_numbers(f"{name}: kernel", how[0], count)
        self.step = axis_numbers(f"{name}: stride", how[1], count)
        self.gap = axis_numbers(f"{name}: dilation", how[2], count)
        wide = [(k - 1) * g + 1 for k, g in zip(self.size, self.gap, strict=True)]
        self.before, after = window_padding(name, how[3], wide)
        self.shape = list(data.shape)
        for axis, b, a, w, s in zip(self.axes, self.before, after, wide, self.step, strict=True):
            room = operators.add(data.shape[axis], b + a - w + (s - 1 if ceil_mode else 0))
            if (maybe_int(room) or 0) < 0:
                raise argument_error(
                    f"{name}: a window of {w} elements over {data.shape[axis]} with padding {b} and {a}",
                    "more padding, or a smaller window",
                )
            self.shape[axis] = operators.add(operators.floordiv(room, s), 1)
        self.steps = [reduce_axis((0, k), f"r{x.lower()}") for k, x in zip(self.size, letters, strict=True)]

    def element(self, i: tuple[Expr, ...], outside: Expr) -> Expr:
        """An element of window ``i``, ``outside`` where the data have none."""
        place, conditions = list(i), list[Expr]()
        for axis, k, s, g, b in zip(self.axes, self.steps, self.step, self.gap, self.before, strict=True):
            place[axis] = i[axis] * s + operators.multiply(k.var, g) - b
            conditions.append(operators.compare(e.GE, place[axis], 0))
            conditions.append(operators.compare(e.LT, place[axis], self.data.shape[axis]))
        return intrin.if_then_else(all_of(*conditions), self.data(*place), outside)

    def largest(self) -> Tensor:
        lowest, tag = _lowest(self.data.dtype), f"{self.name}_max"
        return compute(self.shape, lambda *i: max_of(self.element(i, lowest), axis=self.steps), name=tag, tag=tag)

    def mean(self, count_outside: bool) -> Tensor:
        """Means over all elements of the windows, or over those that the data have."""
        dtype, tag = self.data.dtype, f"{self.name}_sum"
        zero, everything = operators.const(0, dtype), operators.const(math.prod(self.size), "int32")
        sums = compute(self.shape, lambda *i: sum_of(self.element(i, zero), axis=self.steps), name=tag, tag=tag)

        def element(*i: Expr) -> Expr:
            number = everything if count_outside else self.present(i)
            return operators.truncdiv(sums(*i), operators.cast(dtype, number))

        return compute(self.shape, element, name=f"{self.name}_avg", tag=ELEMWISE)

    def present(self, i: tuple[Expr, ...]) -> Expr:
        """The number of elements of window ``i`` that are elements of the data, at least 1."""
        number = operators.const(1, "int32")
        for axis, k, s, g, b in zip(self.axes, self.size, self.step, self.gap, self.before, strict=True):
            first = i[axis] * s - b
            skipped = operators.maximum(operators.floordiv(operators.subtract(g - 1, first), g), 0)
            end = operators.floordiv(operators.subtract(self.data.shape[axis] - 1 + g, first), g)
            number = operators.multiply(number, operators.subtract(operators.minimum(end, k), skipped))
        return operators.maximum(number, 1)


pool1d = _pool("pool1d", "W")
pool2d = _pool("pool2d", "HW")
pool3d = _pool("pool3d", "DHW")


def _check_type(name: str, pool_type: str) -> None:
    if pool_type not in ("max", "avg"):
        raise argument_error(f"{name}: pool_type {pool_type!r}", "'max' or 'avg'")


def _lowest(dtype: DType) -> Expr:
    return operators.const(float("-inf"), dtype) if dtype.code in ("float", "bfloat") else intrin.min_value(dtype)


def global_pool(data: Tensor, pool_type: PoolType, layout: str = "NCHW") -> Tensor:
    """The maximum or mean of each image; H and W become 1."""
    return adaptive_pool(data, (1, 1), pool_type, layout)


def adaptive_pool(data: Tensor, output_size: Numbers, pool_type: PoolType, layout: str = "NCHW") -> Tensor:
    """So many windows along H and W as ``output_size`` says: window i is from floor(i*n/m) to ceil((i+1)*n/m)."""
    data = tensor_of("nn.adaptive_pool", data, 4)
    _check_type("adaptive_pool", pool_type)
    axes = layout_positions("adaptive_pool", layout, "NCHW")[2:]
    counts = axis_numbers("adaptive_pool: output_size", output_size, 2)
    extents = [get_const_int(data.shape[a]) for a in axes]
    widest = [_widest(n, m) for n, m in zip(extents, counts, strict=True)]
    steps = [reduce_axis((0, w), x) for w, x in zip(widest, ("rh", "rw"), strict=True)]
    shape = list(data.shape)
    for axis, m in zip(axes, counts, strict=True):
        shape[axis] = operators.const(m)

    def window(i: tuple[Expr, ...], d: int) -> tuple[Expr, Expr]:
        n, m, x = extents[d], counts[d], i[axes[d]]
        return operators.floordiv(x * n, m), operators.floordiv((x + 1) * n + (m - 1), m)

    def reduced(*i: Expr) -> Expr:
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

    def mean(*i: Expr) -> Expr:
        (a, b), (c, d) = window(i, 0), window(i, 1)
        return operators.truncdiv(result(*i), operators.cast(data.dtype, (b - a) * (d - c)))

    return compute(shape, mean, name="adaptive_pool_avg", tag=ELEMWISE)


def _widest(extent: int, count: int) -> int:
    widths = [-(-(i + 1) * extent // count) - i * extent // count for i in range(count)]
    return max(widths)
