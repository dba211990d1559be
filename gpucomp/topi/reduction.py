"""Reductions over some or all dimensions.

``axis`` is None for all, an int, or several; negative ones count from the last. ``keepdims`` leaves extents of 1.
Raises, all of them: TensorError GC221, there is no such axis, or it is named twice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gpucomp.te import extreme
from gpucomp.te import reduction as te_reduction
from gpucomp.te.api import compute, reduce_axis
from gpucomp.te.tensor import Tensor
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IterVar
from gpucomp.topi.broadcast import as_condition
from gpucomp.topi.tag import COMM_REDUCE, COMM_REDUCE_IDX, INJECTIVE
from gpucomp.topi.utils import Axis, axes_of, flat_index, tensor_of


class _Plan:
    """Which dimensions go, and where the element of an output and a step of the reduction lies."""

    def __init__(self, name: str, data: Tensor, axis: Axis, keepdims: bool) -> None:
        self.data = tensor_of(name, data)
        self.axes = axes_of(name, axis, data.ndim)
        self.keepdims = keepdims
        kept = [(s, d in self.axes) for d, s in enumerate(data.shape)]
        self.shape = [1 if gone else s for s, gone in kept if keepdims or not gone]
        self.steps: list[IterVar] = [reduce_axis((0, data.shape[d]), f"k{d}") for d in self.axes]

    def indices(self, outer: tuple[Expr, ...]) -> list[Expr]:
        rest = [i for d, i in enumerate(outer) if not self.keepdims or d not in self.axes]
        steps, others = iter(self.steps), iter(rest)
        return [next(steps).var if d in self.axes else next(others) for d in range(self.data.ndim)]

    def place(self) -> Expr | int:
        """The place of a step among those that are reduced, in row-major order."""
        return flat_index([k.var for k in self.steps], [self.data.shape[d] for d in self.axes])


def _reduce(
    name: str, reducer: te_reduction.Reducer, data: Tensor, axis: Axis, keepdims: bool, value: Callable[[Expr], Expr]
) -> Tensor:
    plan = _Plan(name, data, axis, keepdims)

    def element(*i: Expr) -> Expr:
        item = value(data(*plan.indices(i)))
        return reducer(item, axis=plan.steps) if plan.steps else item

    return compute(plan.shape, element, name=f"{data.name}_{name}", tag=COMM_REDUCE)


def _same(value: Expr) -> Expr:
    return value


_every = te_reduction.comm_reducer(
    lambda x, y: operators.logical(e.And, x, y), lambda t: operators.const(1, t), name="all"
)
_some = te_reduction.comm_reducer(
    lambda x, y: operators.logical(e.Or, x, y), lambda t: operators.const(0, t), name="any"
)


def sum(data: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The sum, in the type of ``data``."""
    return _reduce("sum", te_reduction.sum_of, data, axis, keepdims, _same)


def prod(data: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The product, in the type of ``data``."""
    return _reduce("prod", te_reduction.product_of, data, axis, keepdims, _same)


def max(data: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The largest element; NaNs are passed over."""
    return _reduce("max", te_reduction.max_of, data, axis, keepdims, _same)


def min(data: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The smallest element; NaNs are passed over."""
    return _reduce("min", te_reduction.min_of, data, axis, keepdims, _same)


def all(data: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """No element is 0, a bool."""
    return _reduce("all", _every, data, axis, keepdims, as_condition)


def any(data: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Some element is not 0, a bool."""
    return _reduce("any", _some, data, axis, keepdims, as_condition)


def argmax(data: Tensor, axis: Axis = None, keepdims: bool = False, select_last_index: bool = False) -> Tensor:
    """The place (int32) of the largest element, of equal ones the first.

    A NaN counts as larger than every number.  Over several axes it is the place in row-major order of those.
    ``select_last_index`` takes the last of equal ones.
    """
    return _arg("argmax", data, axis, keepdims, select_last_index, smallest=False)


def argmin(data: Tensor, axis: Axis = None, keepdims: bool = False, select_last_index: bool = False) -> Tensor:
    """The place (int32) of the smallest element, of equal ones the first; otherwise as :func:`argmax`.

    A NaN counts as smaller than every number.
    """
    return _arg("argmin", data, axis, keepdims, select_last_index, smallest=True)


def _arg(
    name: str,
    data: Tensor,
    axis: Axis,
    keepdims: bool,
    last: bool,
    *,
    smallest: bool,
) -> Tensor:
    plan = _Plan(name, data, axis, keepdims)

    search = te_reduction.comm_reducer(
        partial(extreme.combine, smallest=smallest, last=last),
        partial(extreme.nothing, smallest=smallest, last=last),
        name=name,
    )

    def pair(*i: Expr) -> tuple[Expr, ...]:
        place, value = operators.cast("int32", operators.convert(plan.place())), data(*plan.indices(i))
        item = extreme.candidate(place, value, smallest=smallest, last=last)
        return search(item, axis=plan.steps) if plan.steps else item

    found = compute(plan.shape, pair, name=f"{data.name}_{name}_pair", tag=COMM_REDUCE_IDX)

    def place_of(*i: Expr) -> Expr:
        return extreme.place_of(found[0](*i), data.dtype)

    return compute(plan.shape, place_of, name=f"{data.name}_{name}", tag=INJECTIVE)
