"""One elementwise function or schedule on every backend: the interpreter, the CPU, PoCL and, where there is one, a GPU.

A test of the numerics contract takes a parameter ``backend`` (one of :data:`BACKENDS`) and a ``form``: "scalar" gives
each thread an element, "vector" four of them as a vector (on the CPU: a loop of vectors).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final  # Any: arrays of any element type, tensors, expressions

import numpy as np
import pytest

import gpucomp as gc
from gpucomp import te
from gpucomp.driver.default_schedule import with_default_schedule
from gpucomp.runtime.device import Device
from gpucomp.support.dtype import DType
from gpucomp.target import Target
from gpucomp.tir.interp import interpret
from tests.requirements import pocl_device

Array = np.ndarray[Any, Any]
BACKENDS: Final = (
    "interp",
    "cpu",
    pytest.param("opencl", marks=pytest.mark.opencl),
    pytest.param("cuda", marks=pytest.mark.cuda),
)
FORMS: Final = ("scalar", pytest.param("vector", marks=pytest.mark.slow))
LANES: Final = 4
_THREADS: Final = 32


def device_of(backend: str) -> Device | None:
    """The device behind a backend's name; None for the interpreter.  "opencl:1", "cuda:0" name one of several."""
    if backend == "interp":
        return None
    return _pocl() if backend == "opencl" else gc.device(backend)


def _pocl() -> Device:
    wanted = pocl_device()
    assert wanted is not None
    for index in range(16):
        found = gc.opencl(index)
        if wanted.name in found.device_name and "oclgrind" not in found.device_name.lower():
            return found
    raise AssertionError(f"no gpucomp device is {wanted.name}")


def call(backend: str, schedule: te.Schedule, tensors: Sequence[Any], *arrays: Array) -> None:
    """Build a schedule for a backend and call it with all its buffers; outputs are written in place."""
    device = device_of(backend)
    if device is None:
        [func] = gc.lower(schedule, tensors, simple_mode=True).functions.values()
        interpret(func, list(arrays), max_lanes=256, races=False)
        return
    module = gc.build(schedule, tensors, target=Target.from_device(device))
    if device.kind == "cpu":
        module(*arrays)
        return
    placed = [gc.nd.array(a, device) for a in arrays]
    module(*placed)
    for array, buffer in zip(arrays, placed, strict=True):
        array[...] = buffer.numpy()


def apply(backend: str, function: Callable[..., Any], *inputs: Array, form: str = "scalar") -> list[Array]:
    """A function of elements on arrays of one shape; one array for each expression that it returns.

    Args:
        backend: where to run.
        function: takes one expression for each input and returns an expression or a list of them.
        inputs: one-dimensional arrays of equal length.
        form: "scalar" or "vector".
    """
    size = inputs[0].size
    tensors = [te.placeholder((size,), DType(a.dtype.name), f"in{k}") for k, a in enumerate(inputs)]
    result: list[Any] = []

    def compute(i: Any) -> Any:
        made = function(*[t[i] for t in tensors])
        result.extend(made if isinstance(made, (list, tuple)) else [made])
        return tuple(result) if len(result) > 1 else result[0]

    made = te.compute((size,), compute, "out")
    outputs: list[Any] = list(made) if isinstance(made, (list, tuple)) else [made]
    schedule = spread(outputs[0], backend, form)
    arrays = [np.zeros(size, DType(t.dtype).numpy) for t in outputs]
    call(backend, schedule, [*tensors, *outputs], *[a.copy() for a in inputs], *arrays)
    return arrays


def spread(output: Any, backend: str, form: str = "scalar") -> te.Schedule:
    """One element (or vector) of an elementwise stage for each thread; loops on the CPU."""
    schedule = te.create_schedule(output.op)
    stage = schedule[output]
    [axis] = output.op.axis
    if form == "vector":
        axis, lanes = stage.split(axis, factor=LANES)
        stage.vectorize(lanes)
    if not backend.startswith("cpu"):
        outer, inner = stage.split(axis, factor=_THREADS)
        stage.bind(outer, te.thread_axis("blockIdx.x"))
        stage.bind(inner, te.thread_axis("threadIdx.x"))
    return schedule


def by_default(backend: str, output: Any) -> te.Schedule:
    """The default schedule for a backend; the interpreter runs the one of a GPU."""
    device = device_of(backend)
    target = Target("cuda -arch=sm_90") if device is None else Target.from_device(device)
    return with_default_schedule(te.create_schedule(output.op), target)


def bits(array: Array) -> Array:
    """The bits of floats as unsigned integers."""
    return array.view(np.dtype(f"u{array.dtype.itemsize}"))
