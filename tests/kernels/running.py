"""Operators of the library run wherever they can, beside numpy in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

import gpucomp
from gpucomp import te
from gpucomp.cli.measure import relative_error
from gpucomp.driver.build import lower_primfunc
from gpucomp.kernels import registry
from gpucomp.kernels.arrays import Array, poisoned, random_array
from gpucomp.kernels.registry import Definition
from gpucomp.runtime.device import Device
from gpucomp.target import Target
from gpucomp.te import Schedule, lower_schedule
from gpucomp.tir.interp import interpret

CPU: Final = Target("llvm")
H100: Final = Target("cuda -arch=sm_90a")


def whole_inputs(defn: Definition, seed: int = 3) -> list[Array]:
    """Small whole numbers: every sum is exact, so that any order of adding gives the same."""
    rng = np.random.default_rng(seed)
    return [random_array(extents(tensor), str(tensor.dtype), rng, whole=True) for tensor in defn.inputs]


def extents(tensor: te.Tensor) -> tuple[int, ...]:
    """Those of a tensor, all of them numbers."""
    return tuple([int(str(size)) for size in tensor.shape])


def wide(array: Array) -> npt.NDArray[np.float64]:
    """In float64."""
    return array.astype(np.float64)


def run(
    schedule: Schedule, defn: Definition, inputs: Sequence[Array], how: str | Device, target: Target | None = None
) -> Array:
    """The only output of a definition whose extents are numbers; see :func:`run_into`."""
    (out,) = defn.outputs
    return run_into(schedule, defn, inputs, [poisoned(extents(out), str(out.dtype))], how, target)[0]


def error_on_a_gpu(name: str, shape: tuple[int, ...]) -> float:
    """The largest error of an fp32 operator of the library on an NVIDIA GPU, relative to the root mean square."""
    operator = registry.get(name)
    defn = operator.define(shape)
    inputs = operator.make_inputs(shape, "float32", np.random.default_rng(1))
    got = run(operator.schedule(defn, Target.from_device("cuda:0")), defn, inputs, "cuda")
    want = wide(operator.reference(inputs, shape)[0])
    return float(np.abs(wide(got) - want).max() / np.sqrt(np.square(want).mean()))


def run_into(
    schedule: Schedule,
    defn: Definition,
    inputs: Sequence[Array],
    outputs: Sequence[Array],
    how: str | Device,
    target: Target | None = None,
) -> list[Array]:
    """Run a schedule, and return what became of the outputs.

    Args:
        how: "interp", which runs what the passes of a target made; "llvm"; or a device that is here, or its kind.
        target: None: an H100 for the interpreter, this processor, or the device as it is found.
    """
    if how == "interp":
        lowered = lower_primfunc(lower_schedule(schedule, defn.args, "kernel"), target or H100)
        interpret(lowered, [*inputs, *outputs])
        return list(outputs)
    if how == "llvm":
        on = target if target is not None and target.kind == "llvm" else CPU
        gpucomp.build(schedule, defn.args, on)(*inputs, *outputs)
        return list(outputs)
    device = gpucomp.device(how, 0) if isinstance(how, str) else how
    arrays = [gpucomp.nd.array(array, device) for array in (*inputs, *outputs)]
    gpucomp.build(schedule, defn.args, target or Target.from_device(device))(*arrays)
    return [array.numpy() for array in arrays[len(inputs) :]]


def compare(
    name: str,
    shape: tuple[int, ...],
    dtype: str = "float32",
    target: Target = CPU,
    *,
    how: Sequence[str] = ("llvm",),
    symbolic: tuple[str, ...] = (),
    schedule: Callable[[Definition], Schedule] | None = None,
    seed: int = 1,
) -> None:
    """An operator of the library, on random numbers, is as near to numpy in float64 as its tolerance says.

    Args:
        name: of the operator.
        shape: as the operator takes it.
        dtype: of its inputs.
        target: whose schedule it is.
        how: where to run it, one after the other; see :func:`run_into`.
        symbolic: names of the extents that are variables, "" for those that are numbers.
        schedule: in place of the library's.
        seed: of the inputs.
    """
    operator = registry.get(name)
    given = [te.var(x) if x else n for x, n in zip(symbolic, shape, strict=True)] if symbolic else shape
    defn = operator.define(given, dtype)
    made = operator.schedule(defn, target) if schedule is None else schedule(defn)
    inputs = operator.make_inputs(shape, dtype, np.random.default_rng(seed))
    wanted = operator.reference(inputs, shape)
    for place in how:
        results = run_into(made, defn, inputs, operator.make_outputs(shape, dtype), place, target)
        for got, want in zip(results, wanted, strict=True):
            assert relative_error(got, want) <= operator.tolerance(dtype), (place, name, shape, dtype)
