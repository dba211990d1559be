"""What a workload is: tensors, and what they mean in numpy."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, overload  # Any: tensors of any operation; arrays of any type

import numpy as np

from gpucomp import te
from gpucomp.kernels.arrays import poisoned, random_array
from gpucomp.te import Tensor
from gpucomp.tir.expr import IntImm, Var
from gpucomp.tir.functor import substitute

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Problem:
    """One instance of a workload.

    Attributes:
        args: tensors in call order: inputs, then results.
        reference: the results in numpy, from the inputs: floats as float64, integers as int64, bools as they are.
        extents: values of the symbolic extents by name.
        rtol: relative difference that is allowed; 0 for values that every backend computes exactly.
    """

    args: list[Tensor]
    reference: Callable[..., Any]
    extents: dict[str, int] = field(default_factory=dict[str, int])
    rtol: float = 0.0

    @property
    def inputs(self) -> list[Tensor]:
        """The arguments that the caller fills."""
        return [a for a in self.args if isinstance(a.op, te.PlaceholderOp)]

    @property
    def outputs(self) -> list[Tensor]:
        """The arguments that are computed."""
        return [a for a in self.args if not isinstance(a.op, te.PlaceholderOp)]

    @property
    def sizes(self) -> dict[Var, int]:
        """Values of the symbolic extents."""
        return {d: self.extents[d.name] for a in self.args for d in a.shape if isinstance(d, Var)}

    def arrays(self, seed: int) -> list[Array]:
        """Random inputs (whole numbers, so that sums are exact) and poisoned results, in the order of ``args``."""
        rng = np.random.default_rng(seed)
        values = {v: IntImm(v.dtype, x) for v, x in self.sizes.items()}
        made: list[Array] = []
        for arg in self.args:
            shape = tuple([int(substitute(d, values)) for d in arg.shape])
            computed = not isinstance(arg.op, te.PlaceholderOp)
            made.append(poisoned(shape, arg.dtype) if computed else random_array(shape, arg.dtype, rng, whole=True))
        return made

    def expected(self, arrays: list[Array]) -> list[Array]:
        """The arrays of a correct call: inputs unchanged, results as numpy computes them."""
        given = [x for x, a in zip(arrays, self.args, strict=True) if isinstance(a.op, te.PlaceholderOp)]
        results = self.reference(*[_wide(x) for x in given])
        results = list(results) if isinstance(results, tuple) else [results]
        want: list[Array] = []
        for x, a in zip(arrays, self.args, strict=True):
            want.append(x if isinstance(a.op, te.PlaceholderOp) else _fits(results.pop(0), x))
        return want


def _wide(array: Array) -> Array:
    if array.dtype == np.bool_:
        return array
    return array.astype(np.int64 if np.issubdtype(array.dtype, np.integer) else np.float64)


def _fits(result: Any, like: Array) -> Array:
    values = np.asarray(result)
    assert values.shape == like.shape, f"the reference has shape {values.shape}, the tensor {like.shape}"
    return values.astype(like.dtype)


Workload = Callable[[random.Random], Problem]
WORKLOADS: dict[str, Workload] = {}
ONLY_ON: dict[str, str] = {}


@overload
def workload(make: Workload) -> Workload: ...
@overload
def workload(*, on: str) -> Callable[[Workload], Workload]: ...
def workload(make: Workload | None = None, *, on: str = "") -> Any:
    """Register a workload under its function's name.

    Args:
        make: makes an instance from random numbers.
        on: "cpu" or "gpu" for one that has only schedules of that kind.
    """

    def register(made: Workload) -> Workload:
        WORKLOADS[made.__name__] = made
        if on:
            ONLY_ON[made.__name__] = on
        return made

    return register if make is None else register(make)


def size(rng: random.Random, low: int = 1, high: int = 20) -> int:
    """An extent: any in a range, or one that schedules like."""
    return rng.choice([rng.randint(low, high), rng.choice([x for x in (4, 8, 16, 17) if low <= x <= high] or [low])])


def maybe_symbolic(rng: random.Random, name: str, value: int, extents: dict[str, int]) -> Any:
    """The extent itself, or once in four times a variable that has this value in the call."""
    symbolic, made = rng.random() < 0.25, te.size_var(name) if rng.random() < 0.5 else te.var(name)
    if not symbolic:
        return value
    extents[name] = value
    return made


def assert_close(got: list[Array], want: list[Array], args: list[Any], rtol: float) -> None:
    """Equal to the bit where ``rtol`` is 0, else within ``rtol``; says where the first difference is."""
    for arg, x, y in zip(args, got, want, strict=True):
        a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
        same = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= rtol * np.maximum(1.0, np.abs(b)))
        if not same.all():
            at = tuple([int(i) for i in np.argwhere(~same)[0]])
            raise AssertionError(f"{arg.name}{list(at)} is {a[at]!r}, expected {b[at]!r}; {int((~same).sum())} differ")
