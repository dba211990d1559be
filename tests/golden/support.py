"""Running a golden case: arrays, references, comparison."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpucomp.ir import structural_hash
from gpucomp.kernels.arrays import poisoned, random_array
from gpucomp.te import Schedule, create_schedule, lower_schedule
from gpucomp.tir.expr import IntImm, Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import substitute
from gpucomp.tir.interp import interpret

Array = np.ndarray[Any, Any]
_KNOWN: dict[tuple[int, tuple[bytes, ...]], list[Array]] = {}


def outputs_of(schedule: Schedule) -> list[Any]:  # Any: te.Tensor
    """The tensors that a schedule computes for its caller."""
    return [tensor for op in schedule.trace.outputs for tensor in op.outputs]


def make_arrays(
    schedule: Schedule, args: list[Any], shapes: dict[str, int], seed: int, *, whole: bool = True
) -> list[Array]:
    """Fresh random inputs and poisoned outputs, in the order of ``args``."""
    rng = np.random.default_rng(seed)
    outputs = outputs_of(schedule)
    values = {d: IntImm(d.dtype, shapes[d.name]) for a in args for d in a.shape if isinstance(d, Var)}
    made: list[Array] = []
    for arg in args:
        shape = tuple([int(substitute(d, values)) for d in arg.shape])
        made.append(poisoned(shape, arg.dtype) if arg in outputs else random_array(shape, arg.dtype, rng, whole=whole))
    return made


def reference(schedule: Schedule, args: list[Any], arrays: list[Array]) -> list[Array]:
    """What the operators mean: the untouched schedule of the same tensors, interpreted; once for the same arrays."""
    func = lower_schedule(create_schedule(list(schedule.trace.outputs)), args, "reference")
    key = structural_hash(func), tuple([a.tobytes() for a in arrays])
    if key not in _KNOWN:
        _KNOWN[key] = [a.copy() for a in arrays]
        interpret(func, _KNOWN[key])
    return [a.copy() for a in _KNOWN[key]]


def run_interpreted(func: PrimFunc, arrays: list[Array]) -> list[Array]:
    """The arrays after a function ran, with every check of the interpreter on."""
    copies = [a.copy() for a in arrays]
    interpret(func, copies)
    return copies


def assert_same(got: list[Array], want: list[Array], args: list[Any], rtol: float) -> None:
    """Equal to the bit where ``rtol`` is 0, else within ``rtol``; says where the first difference is."""
    for arg, x, y in zip(args, got, want, strict=True):
        a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
        same = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= rtol * np.maximum(1.0, np.abs(b)))
        if not same.all():
            at = tuple(int(i) for i in np.argwhere(~same)[0])
            raise AssertionError(f"{arg.name}{list(at)} is {a[at]!r}, expected {b[at]!r}; {int((~same).sum())} differ")
