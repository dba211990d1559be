"""Arrays for tests and benchmarks: random ones, and ones that no kernel computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from gpucomp.support.dtype import DType

Array: TypeAlias = npt.NDArray[np.generic]
Floats: TypeAlias = npt.NDArray[np.floating]
Shape: TypeAlias = tuple[int, ...]

# Element types whose sums are kept in float32.
HALVES: Final = ("float16", "bfloat16")


def random_array(shape: Shape, dtype: str, rng: np.random.Generator, *, whole: bool = False) -> Array:
    """Random values: floats uniform in [-1, 1), integers in [-100, 100], bools.

    Args:
        shape: extents.
        dtype: element type, as numpy names it (bfloat16 and float8 included).
        rng: where the numbers come from.
        whole: floats are whole numbers in [-4, 4], whose sums and products are exact as long as they are small.
    """
    kind = DType(dtype)
    if kind.is_bool:
        return rng.integers(0, 2, shape).astype(np.bool_)
    if whole:
        return rng.integers(-4 if kind.is_float or kind.is_signed else 0, 5, shape).astype(kind.numpy)
    if kind.is_float:
        # In float32: twice as fast as float64, and no narrower type needs more.
        values = rng.random(shape, np.float64 if kind.bits == 64 else np.float32)
        return (values * 2 - 1).astype(kind.numpy)
    low, high = (-100, 100) if kind.is_signed else (0, 200)
    return rng.integers(max(low, -(2 ** (kind.bits - 1))), min(high, 2 ** (kind.bits - 1) - 1) + 1, shape).astype(
        kind.numpy
    )


def poisoned(shape: Shape, dtype: str) -> Array:
    """An array of NaN, or of the largest number for integers: what a kernel leaves unwritten shows."""
    kind = DType(dtype)
    made = np.empty(shape, kind.numpy)
    if kind.is_bool:
        made.view(np.uint8).fill(0x7F)  # no bool that a kernel writes
    elif kind.is_float:
        made.fill(np.nan)
    else:
        made.fill(np.iinfo(str(kind)).max)
    return made


def in_float64(array: Array) -> npt.NDArray[np.float64]:
    """The same values in float64."""
    return array.astype(np.float64)


def in_float64_by(formula: Callable[..., Array]) -> Callable[[Sequence[Array], Shape], list[Array]]:
    """A reference: the result of a numpy formula in float64."""

    def compute(inputs: Sequence[Array], shape: Shape) -> list[Array]:
        return [np.asarray(formula(*[in_float64(x) for x in inputs])).astype(np.float64)]

    return compute


def as_a_user_runs(formula: Callable[..., Array]) -> Callable[[Sequence[Array], Shape], Callable[[], object]]:
    """A peer: the formula on arrays of their own type.

    16-bit inputs are widened, since numpy's half arithmetic is many times slower.
    """

    def prepare(inputs: Sequence[Array], shape: Shape) -> Callable[[], object]:
        kind = inputs[0].dtype
        if kind.name in HALVES:
            return lambda: np.asarray(formula(*[x.astype(np.float32) for x in inputs])).astype(kind)
        return lambda: formula(*inputs)

    return prepare
