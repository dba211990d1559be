"""Facts about integers as values: constant intervals and congruences, and the arithmetic on them.

Inside the analyzer an interval is a pair ``(low, high)`` of Python integers or infinities and a congruence is a
pair ``(coeff, base)``; the two classes below are what callers see.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Final

from gpucomp.support.dtype import DType

Number = int | float
"""An integer or an infinity."""
Interval = tuple[Number, Number]
Congruence = tuple[int, int]

INF: Final = math.inf
EVERYTHING: Final[Interval] = (-INF, INF)
ANY_INTEGER: Final[Congruence] = (1, 0)
_HUGE: Final = 1 << 70  # no index type reaches this: what is beyond counts as infinite


@dataclass(frozen=True, slots=True)
class ConstIntBound:
    """The value lies in [min_value, max_value]; POS_INF and NEG_INF stand for "no bound known"."""

    min_value: int
    max_value: int

    POS_INF: ClassVar[int] = (1 << 63) - 1
    NEG_INF: ClassVar[int] = -((1 << 63) - 1)

    @staticmethod
    def from_interval(interval: Interval) -> ConstIntBound:
        """The public form of an internal interval; values beyond 64 bits count as unbounded."""
        low, high = interval
        top, bottom = ConstIntBound.POS_INF, ConstIntBound.NEG_INF
        return ConstIntBound(
            bottom if low <= bottom else int(min(low, top)), top if high >= top else int(max(high, bottom))
        )

    def interval(self) -> Interval:
        """The internal form."""
        low = -INF if self.min_value <= self.NEG_INF else self.min_value
        return low, (INF if self.max_value >= self.POS_INF else self.max_value)


@dataclass(frozen=True, slots=True)
class ModularSet:
    """The value is coeff * k + base for some integer k; coeff 0 means that it equals base."""

    coeff: int
    base: int


_TYPE_RANGES: Final[dict[DType, Interval]] = {}


def type_range(dtype: DType) -> Interval:
    """Values that an element of an integer or bool type can hold; everything for other types."""
    found = _TYPE_RANGES.get(dtype)
    if found is None:
        found = _TYPE_RANGES[dtype] = _type_range(dtype)
    return found


def _type_range(dtype: DType) -> Interval:
    if dtype.is_bool:
        return 0, 1
    if not dtype.is_int:
        return EVERYTHING
    if dtype.code == "uint":
        return 0, (1 << dtype.bits) - 1
    half = 1 << (dtype.bits - 1)
    return -half, half - 1


def times(a: Number, b: Number) -> Number:
    """Product with 0 * inf = 0; huge values become infinite."""
    if a == 0 or b == 0:
        return 0
    value = a * b
    return value if -_HUGE < value < _HUGE else (INF if value > 0 else -INF)


def multiply(x: Interval, y: Interval) -> Interval:
    """Interval of the products."""
    a, b = x
    c, d = y
    p, q, r, s = times(a, c), times(a, d), times(b, c), times(b, d)
    return min(p, q, r, s), max(p, q, r, s)


def floor_quotient(a: Number, b: Number) -> Number:
    """a // b for b != 0, also for infinities."""
    if a in (INF, -INF):
        if b in (INF, -INF):
            return 0 if (a > 0) == (b > 0) else -1  # never tighter than what a finite b gives
        return a if b > 0 else -a
    if b in (INF, -INF):
        return 0 if a == 0 or (a > 0) == (b > 0) else -1
    return a // b


def floordiv(x: Interval, y: Interval) -> Interval:
    """Interval of floor quotients; everything when the divisor may be zero."""
    a, b = x
    c, d = y
    if c == d and c > 0 and c != INF:
        return floor_quotient(a, c), floor_quotient(b, c)
    if c <= 0 <= d:
        return EVERYTHING
    ends = [floor_quotient(p, q) for p in (a, b) for q in (c, d)]
    return min(ends), max(ends)


def floormod(x: Interval, y: Interval) -> Interval:
    """Interval of floor remainders; everything when the divisor may be zero."""
    a, b = x
    c, d = y
    if c <= 0:
        return (c + 1, 0) if d < 0 else EVERYTHING
    if a >= 0 and b < c:
        return x
    if c == d and c != INF and -INF < a and b < INF and a // c == b // c:
        return a % c, b % c
    high = d - 1
    return 0, (min(high, b) if a >= 0 else high)


def _trunc(a: Number, b: Number) -> Number:
    if a in (INF, -INF):
        return a if b > 0 else -a
    if b in (INF, -INF):
        return 0
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def truncdiv(x: Interval, y: Interval) -> Interval:
    """Interval of truncated quotients; everything when the divisor may be zero."""
    c, d = y
    if c <= 0 <= d:
        return EVERYTHING
    ends = [_trunc(p, q) for p in x for q in y]
    return min(ends), max(ends)


def truncmod(x: Interval, y: Interval) -> Interval:
    """Interval of truncated remainders: the sign follows the dividend."""
    a, b = x
    c, d = y
    if c <= 0 <= d:
        return EVERYTHING
    limit = max(abs(c), abs(d)) - 1
    if limit >= b and a >= 0 and b < min(abs(c), abs(d)):
        return x
    return (0 if a >= 0 else max(-limit, a)), (0 if b <= 0 else min(limit, b))


def union_congruence(x: Congruence, y: Congruence) -> Congruence:
    """Smallest congruence that holds for values of either."""
    coeff = math.gcd(x[0], y[0], x[1] - y[1])
    return (coeff, x[1] % coeff) if coeff else x


def add_congruence(x: Congruence, y: Congruence) -> Congruence:
    """Congruence of a sum."""
    coeff, base = math.gcd(x[0], y[0]), x[1] + y[1]
    return (coeff, base % coeff) if coeff else (0, base)


def scale_congruence(x: Congruence, factor: int) -> Congruence:
    """Congruence of a multiple."""
    coeff, base = abs(x[0] * factor), x[1] * factor
    return (coeff, base % coeff) if coeff else (0, base)


def multiply_congruence(x: Congruence, y: Congruence) -> Congruence:
    """Congruence of a product: (p k + a)(q l + b) = pq kl + pb k + qa l + ab."""
    (p, a), (q, b) = x, y
    coeff = math.gcd(p * q, p * b, q * a)
    return (coeff, a * b % coeff) if coeff else (0, a * b)


def intersect_congruence(x: Congruence, y: Congruence) -> Congruence:
    """A congruence that both imply (both hold for one value); the stronger where they do not combine."""
    (p, a), (q, b) = x, y
    if p == 0 or (q and p % q == 0):
        return x
    if q == 0 or q % p == 0:
        return y
    common = math.gcd(p, q)
    if (a - b) % common:
        return x  # contradictory facts: nothing has such a value, any answer is right
    lcm = p // common * q
    step = pow(p // common, -1, q // common) * ((b - a) // common) % (q // common)
    return lcm, (a + p * step) % lcm
