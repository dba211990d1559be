"""Operators that read at places which data decide: take, gather, where, one_hot."""

from __future__ import annotations

from typing import Literal, SupportsIndex, overload

from gpucomp.te.api import compute
from gpucomp.te.tensor import Tensor
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir.expr import Expr, ExprLike
from gpucomp.topi.broadcast import Element, as_condition, whole
from gpucomp.topi.tag import INJECTIVE
from gpucomp.topi.utils import (
    Extent,
    argument_error,
    get_const_int,
    one_axis,
    product,
    same_extent,
    shape_error,
    tensor_of,
    unravel,
)

Mode = Literal["clip", "wrap", "fast"]


@overload
def where(condition: Tensor, x: ExprLike, y: ExprLike) -> Tensor: ...
@overload
def where(condition: ExprLike, x: Tensor, y: ExprLike) -> Tensor: ...
@overload
def where(condition: ExprLike, x: ExprLike, y: Tensor) -> Tensor: ...
@overload
def where(condition: Element, x: Element, y: Element) -> Expr: ...
def where(condition: ExprLike, x: ExprLike, y: ExprLike) -> Tensor | Expr:
    """``x`` where the condition is not 0, ``y`` elsewhere; shapes are broadcast.

    Both are read everywhere.  The result has the type in which ``x`` and ``y`` meet.

    Raises:
        TensorError: GC216 the shapes do not go together.
    """

    def element(c: ExprLike, a: ExprLike, b: ExprLike) -> Expr:
        left, right = operators.match_types(a, b)
        return intrin.select(as_condition(c), left, right)

    return whole("where", element, condition, x, y)


def take(
    a: Tensor, indices: Tensor, axis: SupportsIndex | None = None, batch_dims: int = 0, mode: Mode = "clip"
) -> Tensor:
    """The elements of ``a`` at ``indices`` along ``axis`` (None: of ``a`` in row-major order).

    Args:
        a: the data.
        indices: integers, a tensor.
        axis: the dimension that the indices run along.
        batch_dims: so many first dimensions of both are the same.
        mode: indices outside: "clip" to the nearest inside, "wrap" around; "fast" takes them as they are.

    Raises:
        TensorError: GC221 there is no such axis; GC222 another mode, indices that are no integers, or batch_dims that
            the shapes do not have.
    """
    a, places = tensor_of("take", a), tensor_of("take", indices)
    _check_indices("take", places)
    if mode not in ("clip", "wrap", "fast"):
        raise argument_error(f"take: mode {mode!r}", "'clip', 'wrap' or 'fast'")
    if axis is None:
        total = product(a.shape)
        return compute(
            places.shape,
            lambda *i: a(*unravel(_inside(places(*i), total, mode), a.shape)),
            name="T_take",
            tag=INJECTIVE,
        )
    at = one_axis("take", axis, a.ndim)
    if not 0 <= batch_dims <= min(at, places.ndim) or not all(
        [same_extent(s, t) for s, t in zip(a.shape[:batch_dims], places.shape[:batch_dims], strict=True)]
    ):
        raise argument_error(
            f"take: batch_dims={batch_dims} of {a.name!r} and {places.name!r}, along axis {at}",
            "so many first extents are equal, and axis comes after them",
        )
    width = places.ndim - batch_dims

    def element(*i: Expr) -> Expr:
        place = _inside(places(*i[:batch_dims], *i[at : at + width]), a.shape[at], mode)
        return a(*i[:at], place, *i[at + width :])

    shape = [*a.shape[:at], *places.shape[batch_dims:], *a.shape[at + 1 :]]
    return compute(shape, element, name="T_take", tag=INJECTIVE)


def _check_indices(name: str, indices: Tensor) -> None:
    if not indices.dtype.is_int:
        raise argument_error(f"{name}: indices {indices.name!r} have type {indices.dtype}", "topi.cast(x, 'int32')")


def _inside(index: Expr, extent: Expr | int, mode: Mode) -> Expr:
    if mode == "fast":
        return index
    if mode == "wrap":
        return operators.floormod(index, extent)
    return operators.minimum(operators.maximum(index, 0), operators.subtract(extent, 1))


def gather(data: Tensor, axis: SupportsIndex, indices: Tensor) -> Tensor:
    """``out[i, j, k] = data[i, indices[i, j, k], k]`` for axis 1; indices are inside.

    Args:
        data: of any type.
        axis: the dimension that the indices run along.
        indices: integers, with as many dimensions as the data.

    Returns:
        The shape of the indices, the type of the data.

    Raises:
        TensorError: GC216 not as many dimensions; GC221 there is no such axis; GC222 indices that are no integers.
    """
    data, indices = tensor_of("gather", data), tensor_of("gather", indices)
    _check_indices("gather", indices)
    at = one_axis("gather", axis, data.ndim)
    if indices.ndim != data.ndim:
        raise shape_error("gather", "as many dimensions in both", data, indices)
    return compute(indices.shape, lambda *i: data(*i[:at], indices(*i), *i[at + 1 :]), name="T_gather", tag=INJECTIVE)


def gather_nd(a: Tensor, indices: Tensor) -> Tensor:
    """``out[y, x] = a[indices[0, y], indices[1, y], x]``: the first dimension of ``indices`` holds coordinates.

    Args:
        a: of any type, with at least as many dimensions as a place has coordinates.
        indices: integers, (coordinates, ...).

    Returns:
        ``indices.shape[1:]``, then the dimensions of a that the coordinates leave.

    Raises:
        TensorError: GC216 more coordinates than dimensions, or none; GC222 indices that are no integers.
    """
    a, indices = tensor_of("gather_nd", a), tensor_of("gather_nd", indices)
    _check_indices("gather_nd", indices)
    count = get_const_int(indices.shape[0]) if indices.ndim else 0
    if not 1 <= count <= a.ndim:
        raise shape_error("gather_nd", "the first extent of indices is at most the dimensions of the data", a, indices)
    outer = indices.ndim - 1

    def element(*i: Expr) -> Expr:
        return a(*[indices(k, *i[:outer]) for k in range(count)], *i[outer:])

    return compute([*indices.shape[1:], *a.shape[count:]], element, name="T_gather_nd", tag=INJECTIVE)


def one_hot(
    indices: Tensor, on_value: ExprLike, off_value: ExprLike, depth: Extent, axis: SupportsIndex, dtype: str
) -> Tensor:
    """``on_value`` at the index along a new dimension ``axis`` of extent ``depth``, ``off_value`` elsewhere.

    Args:
        indices: integers; one outside of 0 .. depth - 1 gives ``off_value`` only.
        on_value: converted to ``dtype``, as ``off_value`` is.
        off_value: see ``on_value``.
        depth: extent of the new dimension.
        axis: where it stands in the result; -1 is the last.
        dtype: element type of the result.

    Raises:
        TensorError: GC221 there is no such axis; GC222 indices that are no integers.
    """
    indices = tensor_of("one_hot", indices)
    _check_indices("one_hot", indices)
    at = one_axis("one_hot", axis, indices.ndim + 1)
    on, off = operators.cast(dtype, on_value), operators.cast(dtype, off_value)

    def element(*i: Expr) -> Expr:
        hit = operators.compare(e.EQ, indices(*i[:at], *i[at + 1 :]), i[at])
        return intrin.select(hit, on, off)

    return compute([*indices.shape[:at], depth, *indices.shape[at:]], element, name="T_one_hot", tag=INJECTIVE)
