"""What a backend does where the numerics contract leaves the result open, and whether it keeps denormals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final  # Any: arrays of any element type, expressions

import numpy as np

from gpucomp.support.dtype import DType
from gpucomp.tir import intrin
from gpucomp.tir import operators as op
from tests.numerics.backends import apply

Array = np.ndarray[Any, Any]
INF, NAN = float("inf"), float("nan")


def _ask(backend: str, function: Callable[..., Any], *values: Any, dtype: str = "float32") -> list[Array]:
    """Results for a few arguments; values are sequences of equal length."""
    size = -(-len(values[0]) // 4) * 4
    inputs = [np.resize(np.array(v, DType(dtype).numpy), size) for v in values]
    return [got[: len(values[0])] for got in apply(backend, function, *inputs)]


def _text(values: Array) -> str:
    return ", ".join([_number(float(v)) if values.dtype.kind == "f" else str(int(v)) for v in values])


def _number(value: float) -> str:
    return f"{value:.7g}"


def _kept(backend: str, dtype: str) -> str:
    info = np.finfo(dtype)
    tiny, least = float(info.smallest_normal) / 8, float(info.smallest_normal)
    x, y = [tiny, -tiny, least, least], [1.0, 1.0, 0.5, -0.25]
    [product, quotient, total] = _ask(backend, lambda a, b: [a * b, a / (1 / b), a + a * b], x, y, dtype=dtype)
    exact = np.array(x, dtype) * np.array(y, dtype)
    fine = (product == exact).all() and (quotient == exact).all() and (total == np.array(x, dtype) + exact).all()
    return "kept" if fine else "flushed" if (product == 0).all() else "partly kept"


def _functions_kept(backend: str) -> str:
    [e, power, s] = _ask(
        backend, lambda a: [intrin.exp(a), intrin.exp2(a), intrin.sigmoid(a)], [-95.0, -100.0, -88.5, -103.0]
    )
    said = ["kept" if (x > 0).all() else "flushed" if (x == 0).all() else "partly kept" for x in (e, power, s)]
    return f"exp {said[0]}, exp2 {said[1]}, sigmoid {said[2]}"


def _narrow_kept(backend: str) -> str:
    [got] = _ask(backend, lambda a: a * op.const(0.5, "float16"), [2.0**-24, 2.0**-20, -(2.0**-15)], dtype="float16")
    exact = np.array([2.0**-24, 2.0**-20, -(2.0**-15)], "f2") * np.float16(0.5)
    return "kept" if (got == exact).all() else "flushed" if (got == 0).all() else "partly kept"


def _fused(backend: str) -> str:
    rng = np.random.default_rng(0)
    a, b = (1 + rng.random((2, 64))).astype("f4")
    c = -(a * b)
    [got] = apply(backend, lambda x, y, z: x * y + z, a, b, c)
    once = (a.astype("f8") * b + c).astype("f4")
    return "one rounding" if (got == once).all() else "two roundings" if (got == 0).all() else "either"


def _cast(target: str, *values: float, source: str = "float32") -> Callable[[str], str]:
    return lambda backend: _text(_ask(backend, lambda x: op.cast(target, x), values, dtype=source)[0])


def _shifts(backend: str) -> str:
    [left, right] = _ask(backend, lambda a, n: [a << n, a >> n], [1, 1, -8, -8], [32, 33, 32, -1], dtype="int32")
    return f"{_text(left)}; {_text(right)}"


def _zeros(backend: str) -> str:
    [low, high] = _ask(
        backend, lambda a, b: [op.minimum(a, b), op.maximum(a, b)], [0.0, -0.0, 0.0, -0.0], [-0.0, 0.0, 0.0, -0.0]
    )
    return f"{_text(low[:2])}; {_text(high[:2])}"


def _no_divisor(backend: str) -> str:
    if backend == "interp":
        return "an error"
    divisions = [op.truncdiv, op.truncmod]
    [quotient, rest] = _ask(backend, lambda a, b: [f(a, b) for f in divisions], [7, -7], [0, 0], dtype="int32")
    return f"{_text(quotient)}; {_text(rest)}"


def _large_angles(backend: str) -> str:
    x = np.array([1e4, 1e6, 1e9, 3e38], "f4")
    [got] = _ask(backend, intrin.sin, x)
    error = np.abs(got.astype("f8") - np.sin(x.astype("f8")))
    return "right" if error.max() < 1e-6 else f"off by up to {error.max():.1g}"


QUESTIONS: Final[dict[str, tuple[str, Callable[[str], str]]]] = {
    "denormals32": ("float32 denormals in arithmetic", lambda b: _kept(b, "float32")),
    "denormals64": ("float64 denormals in arithmetic", lambda b: _kept(b, "float64")),
    "denormals16": ("float16 denormals in arithmetic", _narrow_kept),
    "denormals-functions": ("float32 functions whose result is denormal", _functions_kept),
    "contraction": ("`a * b + c` of float32", _fused),
    "zeros": ("min; max of (0, -0) and (-0, 0)", _zeros),
    "int32": ("float32 3e9, -3e9, inf, NaN to int32", _cast("int32", 3e9, -3e9, INF, NAN)),
    "int8": ("float32 300, -300, inf, NaN to int8", _cast("int8", 300.0, -300.0, INF, NAN)),
    "uint8": ("float32 -1, 256, inf, NaN to uint8", _cast("uint8", -1.0, 256.0, INF, NAN)),
    "uint32": ("float32 -1, 5e9, NaN to uint32", _cast("uint32", -1.0, 5e9, NAN)),
    "int64": ("float32 1e19, -1e19, NaN to int64", _cast("int64", 1e19, -1e19, NAN)),
    "shift": ("int32 1, 1, -8, -8 shifted by 32, 33, 32, -1: left; right", _shifts),
    "divisor": ("int32 7, -7 over 0: quotient; remainder", _no_divisor),
    "angles": ("float32 sin of 1e4, 1e6, 1e9, 3e38", _large_angles),
}
"""By key: the question in words, and what answers it for a backend."""
