"""What arithmetic and intrinsics mean, in numpy: the definition that every backend is tested against.

Functions take numpy arrays or scalars of one element type and give that type.  16-bit and 8-bit floats are
computed in float32 and rounded once, as devices do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from gpucomp.tir.interp.broadcast import broadcast

Array = Any  # an ndarray or a scalar of any element type: numpy's own types cannot say "either, of equal dtype"

_erf: Final = np.frompyfunc(math.erf, 1, 1)


def trunc_div(a: Array, b: Array) -> Array:
    """Integer quotient rounded toward zero."""
    if isinstance(a, int) and isinstance(b, int):
        q = abs(a) // abs(b)
        return q if (a < 0) == (b < 0) else -q
    q = np.floor_divide(a, b)
    inexact = np.multiply(q, b) != a
    return q + (inexact & ((np.asarray(a) < 0) != (np.asarray(b) < 0)))


def trunc_mod(a: Array, b: Array) -> Array:
    """Remainder of :func:`trunc_div`."""
    if isinstance(a, int) and isinstance(b, int):
        return a - b * trunc_div(a, b)
    return np.fmod(a, b)


def floor_mod_float(a: Array, b: Array) -> Array:
    """a - b * floor(a / b), exactly."""
    return np.mod(a, b)


def reinterpret(value: Array, source: np.dtype[Any], target: np.dtype[Any], lanes: tuple[int, int]) -> Array:
    """The bits of ``value`` as another type; ``lanes`` are the vector lanes before and after."""
    raw = np.asarray(value).astype(source, copy=False)
    before, after = lanes
    if before == after == 1:
        out = raw.reshape(raw.shape or (1,)).view(target)
        return out if raw.shape else out[0]
    rows = raw.reshape(-1, before) if raw.ndim == 2 or before == 1 else broadcast(raw, (1, before))
    out = np.ascontiguousarray(broadcast(rows, (rows.shape[0], before))).view(target)
    if after > 1:
        return out
    return out[:, 0] if raw.ndim else out[0, 0]


def popcount(x: Array, bits: int) -> Array:
    """Number of set bits of the two's complement form."""
    if isinstance(x, int):
        return (x & ((1 << bits) - 1)).bit_count()
    raw = np.asarray(x)
    octets = np.ascontiguousarray(raw).view(np.uint8).reshape(*raw.shape, raw.dtype.itemsize)
    return np.unpackbits(octets, axis=-1).sum(axis=-1).astype(raw.dtype)


def clz(x: Array, bits: int) -> Array:
    """Number of leading zero bits; ``bits`` for 0."""
    if isinstance(x, int):
        return bits - (x & ((1 << bits) - 1)).bit_length()
    raw = np.asarray(x).view(f"u{np.asarray(x).dtype.itemsize}")
    out = np.full(raw.shape, bits, np.int64)
    for k in range(bits):
        out[raw >> np.array(k, raw.dtype) != 0] = bits - 1 - k
    return out


def shift_left(a: Array, b: Array) -> Array:
    """a << b; shift counts outside [0, bits) are undefined and give 0 here."""
    return np.left_shift(a, b)


def shift_right(a: Array, b: Array) -> Array:
    """a >> b, arithmetic for signed types."""
    return np.right_shift(a, b)


def fma(a: Array, b: Array, c: Array) -> Array:
    """a * b + c, rounded once (for float64: twice)."""
    kind = np.asarray(a).dtype
    if kind.itemsize >= 8:
        return a * b + c
    wide = np.float64
    return (np.asarray(a, wide) * np.asarray(b, wide) + np.asarray(c, wide)).astype(kind)[()]


def nearbyint(x: Array) -> Array:
    """Round to nearest, ties to even."""
    return np.rint(x)


def round_away(x: Array) -> Array:
    """Round to nearest, ties away from zero, as C's round."""
    whole = np.trunc(x)
    return np.where(np.abs(x - whole) >= 0.5, whole + np.sign(x), whole).astype(np.asarray(x).dtype)[()]


def erf(x: Array) -> Array:
    """The error function, by libm in float64."""
    raw = np.asarray(x)
    return np.asarray(_erf(raw.astype(np.float64)), np.float64).astype(raw.dtype)[()]


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x))"""
    one = np.asarray(x).dtype.type(1)
    return one / (one + np.exp(-x))


def rsqrt(x: Array) -> Array:
    """1 / sqrt(x)"""
    return np.asarray(x).dtype.type(1) / np.sqrt(x)


def exp10(x: Array) -> Array:
    """10 ** x"""
    return np.power(np.asarray(x).dtype.type(10), x)


def ldexp(x: Array, n: Array) -> Array:
    """x * 2**n"""
    return np.ldexp(x, np.asarray(n).astype(np.int32)).astype(np.asarray(x).dtype)[()]


MATH: Final[dict[str, Callable[..., Array]]] = {
    "exp": np.exp,
    "exp2": np.exp2,
    "exp2_flushed": np.exp2,
    "exp10": exp10,
    "expm1": np.expm1,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "rsqrt": rsqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "erf": erf,
    "sigmoid": sigmoid,
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "round": round_away,
    "nearbyint": nearbyint,
    "fabs": np.abs,
    "pow": np.power,
    "atan2": np.arctan2,
    "hypot": np.hypot,
    "fmod": np.fmod,
    "copysign": np.copysign,
    "ldexp": ldexp,
    "nextafter": np.nextafter,
    "isnan": np.isnan,
    "isinf": np.isinf,
    "isfinite": np.isfinite,
}
"""Intrinsics ``tir.<name>`` of floats whose meaning is a plain function."""
