"""Regions: boxes of tensors, one interval for each dimension, and their union as the domain of an axis."""

from __future__ import annotations

from collections.abc import Sequence

from gpucomp.te.affine import Forms, Interval
from gpucomp.tir.expr import Range
from gpucomp.tir.functor import free_vars

Box = tuple[Interval | None, ...]  # None: all of the dimension, as far as is known


def union_domain(whole: Range, parts: Sequence[Interval | None], forms: Forms) -> tuple[Range, bool]:
    """The union of what is read of one dimension, within the tensor where that is proven, or the whole dimension.

    Args:
        whole: the dimension.
        parts: what is read of it.
        forms: what is known about the variables.

    Returns:
        The domain, and whether nothing was cut off.
    """
    union = forms.union(list(parts))
    if union is None:
        return whole, False
    low, last = union.low, forms.of(whole.extent).shifted(-1)
    high = low.plus(union.width)
    exact = True
    if forms.bound(low)[1] <= 0:
        exact = low.value() == 0
        low = low.scaled(0)
    if last.same(high):
        high = last
    elif forms.bound(last.plus(high, -1))[1] <= 0:
        exact = False
        high = last
    width = high.plus(low, -1)
    if any([v in forms.ranges for term in width.terms for v in free_vars(term)]):
        return whole, False  # an extent that changes from iteration to iteration cannot be allocated
    dtype = whole.extent.dtype
    if low.value() == 0 and width.same(last):
        return whole, exact
    return Range.from_min_extent(forms.expr(low, dtype), forms.expr(width.shifted(1), dtype)), exact
