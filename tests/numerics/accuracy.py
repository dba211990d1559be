"""How far the mathematical functions of a backend are from the exact values, in units in the last place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final  # Any: arrays of any element type, expressions

import numpy as np
from numpy.typing import NDArray

from gpucomp.tir import intrin
from gpucomp.tir import operators as op
from tests.numerics.backends import apply

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Inputs = tuple[Floats, ...]
_CHUNK: Final = 5  # functions in one kernel: compilers take long for all of them


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What was found for one function.

    Attributes:
        function: its name.
        worst: largest error in units in the last place of the exact value.
        at: the arguments there.
        exact: share of results that are the float32 nearest to the exact value.
        samples: how many were drawn.
    """

    function: str
    worst: float
    at: tuple[float, ...]
    exact: float
    samples: int


@dataclass(frozen=True, slots=True)
class Function:
    """A function under test.

    Attributes:
        exact: its value in float64.
        draw: random arguments, chosen such that results are normal numbers.
        limit: the error that every backend stays below: what OpenCL 1.2 allows (table 7.1; for division and square
            roots too), or what follows from it for functions that it lacks.
        domain: the arguments in words.
        apply: makes the expression; None: the intrinsic of this name.
    """

    exact: Callable[..., Any]
    draw: Callable[[np.random.Generator, int], Inputs]
    limit: float
    domain: str
    apply: Callable[..., Any] | None = None


def _uniform(low: float, high: float) -> Callable[[np.random.Generator, int], Inputs]:
    return lambda rng, count: (rng.uniform(low, high, count).astype("f4"),)


def _spread(top: float, signs: bool = True) -> Callable[[np.random.Generator, int], Inputs]:
    """Half of the numbers uniform, half of all magnitudes from 2**-40 on."""

    def draw(rng: np.random.Generator, count: int) -> Inputs:
        small = np.exp2(rng.uniform(-40, math.log2(top), count - count // 2))
        x = np.concatenate([rng.uniform(0, top, count // 2), small])
        return ((x * rng.choice([-1, 1], count) if signs else x).astype("f4"),)

    return draw


def _positive(rng: np.random.Generator, count: int) -> Inputs:
    """Normal numbers of all magnitudes, half of them between 1/2 and 2."""
    x = np.concatenate([rng.uniform(0.5, 2, count // 2), np.exp2(rng.uniform(-126, 127.9, count - count // 2))])
    return (x.astype("f4"),)


def _two(first: tuple[float, float], second: tuple[float, float]) -> Callable[[np.random.Generator, int], Inputs]:
    return lambda rng, count: (
        rng.uniform(*first, count).astype("f4"),
        rng.uniform(*second, count).astype("f4"),
    )


def _sigmoid(x: Doubles) -> Doubles:
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1.0) / (1.0 + e)


_erf: Final = np.vectorize(math.erf, otypes=[np.float64])

FUNCTIONS: Final[dict[str, Function]] = {
    "division": Function(np.divide, _two((-1e6, 1e6), (0.001, 1e6)), 2.5, "a / b", op.divide),
    "sqrt": Function(np.sqrt, _positive, 3, "x > 0"),
    "rsqrt": Function(lambda x: 1 / np.sqrt(x), _positive, 2, "x > 0"),
    "exp": Function(np.exp, _uniform(-87, 88), 3, "-87 .. 88"),
    "exp2": Function(np.exp2, _uniform(-126, 127.9), 3, "-126 .. 127.9"),
    "exp10": Function(lambda x: np.power(10.0, x), _uniform(-37, 38), 3, "-37 .. 38"),
    "expm1": Function(np.expm1, _spread(88), 3, "\\|x\\| < 88"),
    "log": Function(np.log, _positive, 3, "x > 0"),
    "log2": Function(np.log2, _positive, 3, "x > 0"),
    "log10": Function(np.log10, _positive, 3, "x > 0"),
    "log1p": Function(np.log1p, _spread(100, signs=False), 2, "0 .. 100"),
    "pow": Function(np.power, _two((0.1, 10), (-20, 20)), 16, "0.1 .. 10, \\|y\\| < 20", op.power),
    "sin": Function(np.sin, _spread(100), 4, "\\|x\\| < 100"),
    "cos": Function(np.cos, _spread(100), 4, "\\|x\\| < 100"),
    "tan": Function(np.tan, _spread(100), 5, "\\|x\\| < 100"),
    "asin": Function(np.arcsin, _spread(1), 4, "\\|x\\| < 1"),
    "acos": Function(np.arccos, _spread(1), 4, "\\|x\\| < 1"),
    "atan": Function(np.arctan, _spread(1000), 5, "\\|x\\| < 1000"),
    "atan2": Function(np.arctan2, _two((-10, 10), (-10, 10)), 6, "\\|x\\|, \\|y\\| < 10", intrin.atan2),
    "sinh": Function(np.sinh, _spread(88), 4, "\\|x\\| < 88"),
    "cosh": Function(np.cosh, _spread(88), 4, "\\|x\\| < 88"),
    "tanh": Function(np.tanh, _spread(10), 5, "\\|x\\| < 10"),
    "asinh": Function(np.arcsinh, _spread(1e6), 4, "\\|x\\| < 1e6"),
    "acosh": Function(np.arccosh, _uniform(1, 1000), 4, "1 .. 1000"),
    "atanh": Function(np.arctanh, _spread(0.999), 5, "\\|x\\| < 0.999"),
    "erf": Function(_erf, _spread(4), 16, "\\|x\\| < 4"),
    "sigmoid": Function(_sigmoid, _uniform(-80, 80), 8, "-80 .. 80"),
    "hypot": Function(np.hypot, _two((-1e3, 1e3), (-1e3, 1e3)), 4, "\\|x\\|, \\|y\\| < 1000", intrin.hypot),
}


def measure(backend: str, names: list[str], samples: int = 1 << 16, seed: int = 0) -> Iterator[Accuracy]:
    """Run functions on a backend and compare with float64.

    Args:
        backend: as for :func:`tests.numerics.backends.apply`.
        names: of :data:`FUNCTIONS`.
        samples: random arguments for each function.
        seed: of the arguments.
    """
    for start in range(0, len(names), _CHUNK):
        chunk = names[start : start + _CHUNK]
        inputs = [FUNCTIONS[name].draw(np.random.default_rng(seed), samples) for name in chunk]
        ends = np.cumsum([0, *[len(args) for args in inputs]])

        def expressions(*values: Any, chunk: list[str] = chunk, ends: NDArray[np.int64] = ends) -> list[Any]:
            return [_expression(name, values[low:high]) for name, low, high in zip(chunk, ends, ends[1:], strict=False)]

        results = apply(backend, expressions, *[x for args in inputs for x in args])
        for name, args, got in zip(chunk, inputs, results, strict=True):
            yield _compare(name, args, got)


def _expression(name: str, values: tuple[Any, ...]) -> Any:
    made = FUNCTIONS[name].apply
    return op.unary(name, values[0]) if made is None else made(*values)


def _compare(name: str, args: Inputs, got: Floats) -> Accuracy:
    with np.errstate(all="ignore"):
        exact = np.asarray(FUNCTIONS[name].exact(*[x.astype("f8") for x in args]), "f8")
        nearest = exact.astype("f4")
        error = np.abs(got.astype("f8") - exact) / np.spacing(np.abs(nearest)).astype("f8")
    used = np.isfinite(nearest) & (np.abs(exact) >= np.finfo("f4").smallest_normal)
    error = np.where(used, np.where(np.isnan(error), np.inf, error), 0.0)
    worst = int(error.argmax())
    share = float((got == nearest)[used].mean())
    return Accuracy(name, float(error[worst]), tuple(float(x[worst]) for x in args), share, int(used.sum()))
