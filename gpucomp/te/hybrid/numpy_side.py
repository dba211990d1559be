"""What the words of hybrid scripts mean in plain Python, on numpy arrays."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, Final  # Any: scalars and arrays of any type

import numpy as np


def _half_away(x: float) -> float:
    """As te.round does, and C: numpy's own goes to the even neighbour."""
    whole = np.trunc(x)
    return whole + np.copysign(abs(x - whole) >= 0.5, x)


_SPECIAL: Final[Mapping[str, Callable[..., Any]]] = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "erf": lambda x: type(x)(math.erf(x)),
    "popcount": lambda x: int(x).bit_count(),
    "power": np.power,
    "likely": lambda x: x,
    "if_then_else": lambda c, x, y: x if c else y,
    "round": _half_away,
    "abs": np.abs,
}
_NUMPY: Final = (
    "exp", "exp2", "log", "log2", "log10", "log1p", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin",
    "arccos", "arctan", "floor", "ceil", "trunc", "isnan", "isinf", "isfinite",
)  # fmt: skip
_RENAMED: Final = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}
DTYPES: Final = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"
)  # fmt: skip
LOOPS: Final = {"range": "", "serial": "", "parallel": "parallel", "vectorize": "vectorize", "unroll": "unroll"}


def _array(shape: Any, dtype: str = "float32", scope: str = "global") -> Any:
    return np.zeros(shape, dtype)


def _words() -> dict[str, Any]:
    words: dict[str, Any] = {name: getattr(np, name) for name in _NUMPY}
    words |= {name: getattr(np, there) for name, there in _RENAMED.items()}
    words |= _SPECIAL
    words |= {name: np.dtype(name).type for name in DTYPES if name != "bool"}
    words |= dict.fromkeys((*LOOPS, "const_range"), range)
    words |= {"allocate": _array, "output_tensor": _array, "bind": lambda tag, extent: range(extent)}
    words["grid"] = lambda *extents: itertools.product(*[range(n) for n in extents])
    return words


WORDS: Final = _words()
# Functions of Python and numpy, by the name of the intrinsic that they stand for in a script.
KNOWN_FUNCTIONS: Final[dict[Any, str]] = {
    **{getattr(np, name): name for name in _NUMPY if not name.startswith("arc")},
    **{getattr(np, there): name for name, there in _RENAMED.items()},
    **{getattr(math, name): name for name in ("exp", "log", "sqrt", "sin", "cos", "tan", "tanh", "erf")},
    math.floor: "floor",
    math.ceil: "ceil",
    np.maximum: "max", np.minimum: "min", max: "max", min: "min", abs: "abs", np.abs: "abs", pow: "power",
    np.power: "power", round: "round", len: "len", np.float32: "float32", np.float64: "float64", np.float16: "float16",
    np.int32: "int32", np.int64: "int64", np.int8: "int8", np.uint8: "uint8", int: "int32", float: "float32",
}  # fmt: skip


def python_function(function: FunctionType) -> FunctionType:
    """The same function with the words of scripts defined, where its module defines none of these names."""
    names = {**WORDS, **function.__globals__}
    made = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    made.__kwdefaults__ = function.__kwdefaults__
    return made
