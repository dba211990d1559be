"""Searches for the place of an extreme element that know NaN: what they compare, and how a place comes out of it.

A NaN counts as more extreme than every number, as for numpy and torch.  So that no more is compared than for numbers,
a NaN is replaced by the infinity that it stands for, and its place by one that wins against those of infinities: 2^31
less (where the last of equal elements is looked for, and larger places win: all others are 2^31 less).
"""

from __future__ import annotations

from typing import Final, TypeAlias

from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir.expr import Expr, ExprLike

Pair: TypeAlias = tuple[Expr, Expr]
_SIGN: Final = -(1 << 31)
_FLOATS: Final = ("float", "bfloat")


def candidate(where: ExprLike, element: ExprLike, *, smallest: bool = False, last: bool = False) -> Pair:
    """The pair that a reduction with :func:`combine` compares, for an element and its place (int32)."""
    place, value = operators.convert(where), operators.convert(element)
    if value.dtype.code not in _FLOATS:
        return place, value
    nan = operators.equality(e.NE, value, value)
    limit = operators.const(float("-inf") if smallest else float("inf"), value.dtype)
    other = operators.add(place, operators.const(_SIGN, place.dtype))
    moved = (place, other) if last else (other, place)
    return intrin.select(nan, *moved), intrin.select(nan, limit, value)


def combine(a: Pair, b: Pair, *, smallest: bool = False, last: bool = False) -> Pair:
    """The more extreme one of two candidates; of equal ones that at the smaller place (the larger with ``last``)."""
    better = operators.compare(e.LT if smallest else e.GT, a[1], b[1])
    first = operators.compare(e.GE if last else e.LE, a[0], b[0])
    tie = operators.logical(e.And, operators.equality(e.EQ, a[1], b[1]), first)
    wins = operators.logical(e.Or, better, tie)
    return intrin.select(wins, a[0], b[0]), intrin.select(wins, a[1], b[1])


def nothing(place: str, value: str, *, smallest: bool = False, last: bool = False) -> Pair:
    """What every candidate wins against, or ties with at its place or before it: infinities are elements too."""
    start = operators.const(_SIGN, place) if last else intrin.max_value(place)
    if operators.DType(value).code in _FLOATS:
        return start, operators.const(float("inf") if smallest else float("-inf"), value)
    return start, intrin.max_value(value) if smallest else intrin.min_value(value)


def place_among(where: ExprLike, element: ExprLike, most: ExprLike) -> Expr:
    """What is least for the element that :func:`candidate` finds, once it is known which number is the most extreme.

    For places (int32) that do not all lie in one pass: ``te.min`` of it over all elements, then :func:`place_of`.
    """
    place, value = operators.convert(where), operators.convert(element)
    found = intrin.select(operators.equality(e.EQ, value, most), place, intrin.max_value(str(place.dtype)))
    if value.dtype.code not in _FLOATS:
        return found
    nan = operators.equality(e.NE, value, value)
    # No sum, which would be regrouped: both uses of the place are to stay one expression.
    less = operators.bitwise("bitwise_or", place, operators.const(_SIGN, place.dtype))
    return intrin.select(nan, less, found)


def place_of(found: ExprLike, dtype: str) -> Expr:
    """The place of the element that was found, among values of type ``dtype``."""
    place = operators.convert(found)
    if operators.DType(dtype).code not in _FLOATS:
        return place
    return operators.bitwise("bitwise_and", place, operators.const(~_SIGN, place.dtype))
