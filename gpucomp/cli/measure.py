"""Build a workload for a device, check it against float64, and time it in turns with numpy."""

from __future__ import annotations

import math
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

import gpucomp
from gpucomp.cli.environment import package_versions
from gpucomp.cli.numpy_side import WAKING_SECONDS, NumpySide, removed_variables
from gpucomp.cli.workload import Workload
from gpucomp.driver import build
from gpucomp.kernels.arrays import Array
from gpucomp.runtime import ndarray
from gpucomp.runtime.device import Device
from gpucomp.runtime.module import Module
from gpucomp.runtime.timing import TimeSettings, measure
from gpucomp.target.target import Target

BACKENDS: Final = {"cuda": "cuda", "opencl": "opencl", "cpu": "llvm"}
ROUNDS: Final = 5
_WARM_SECONDS: Final = 0.2
_SHORTEST_REPEAT_MS: Final = 1.0
# A round longer than this is not repeated as often.
_LONG_ROUND_SECONDS: Final = 10.0
# After numpy's turn its threads spin before they sleep, and some systems keep ours on one core still longer.
_PAUSE_SECONDS: Final = 0.15


@dataclass(frozen=True, slots=True)
class Measurement:
    """One line of ``gpucomp bench``.

    Attributes:
        workload: what ran.
        device: where.
        seconds: median of one call.
        fastest, slowest: likewise.
        repeats: how many measurements the median is of.
        numpy_seconds: median of numpy's turns; None where there is no reference to time.
        max_rel_err: largest error against float64, relative to the element or to the root mean square of the
            output, whichever is larger; None where there is no reference.
        correct: the error is within the tolerance, and no element was left unwritten; None where there is no
            reference.
        build_seconds: from the schedule to loaded code.
        seed: of the inputs.
        numpy_facts: what the numpy process says about itself.
        source: the generated code.
    """

    workload: Workload
    device: Device
    seconds: float
    fastest: float
    slowest: float
    repeats: int
    numpy_seconds: float | None
    max_rel_err: float | None
    correct: bool | None
    build_seconds: float
    seed: int
    numpy_facts: dict[str, object]
    source: str

    @property
    def gflops(self) -> float | None:
        """1e9 operations a second."""
        return self.workload.flops / self.seconds / 1e9 if self.workload.flops is not None else None

    @property
    def gbps(self) -> float:
        """1e9 bytes a second, every input and output counted once."""
        return self.workload.bytes_moved / self.seconds / 1e9

    @property
    def vs_numpy(self) -> float | None:
        """How many times faster than numpy."""
        return self.numpy_seconds / self.seconds if self.numpy_seconds is not None else None

    def record(self) -> dict[str, object]:
        """The line of JSON."""
        numbers = {
            "seconds": self.seconds, "gflops": self.gflops, "gbps": self.gbps, "vs_numpy": self.vs_numpy,
            "max_rel_err": self.max_rel_err,
        }  # fmt: skip
        return {
            "op": self.workload.label,
            "shape": list(self.workload.shape),
            "dtype": self.workload.dtype,
            "backend": BACKENDS[self.device.kind],
            "device": f"{self.device.kind}:{self.device.index}",
            **{name: _six_digits(number) for name, number in numbers.items()},
            "ok": self.correct,
            "tolerance": self.workload.tolerance,
            "fastest": _six_digits(self.fastest),
            "slowest": _six_digits(self.slowest),
            "repeats": self.repeats,
            "numpy_seconds": _six_digits(self.numpy_seconds),
            "numpy": {**self.numpy_facts, "removed": removed_variables()},
            "build_seconds": _six_digits(self.build_seconds),
            "seed": self.seed,
            "device_name": self.device.device_name,
            "driver": self.device.api_version,
            "versions": {"gpucomp": gpucomp.__version__, "python": platform.python_version(), **package_versions()},
        }


def _six_digits(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}")


def measure_workload(
    workload: Workload, device: Device, numpy: NumpySide, *, seed: int, repeat: int | None = None
) -> Measurement:
    """Check and time.

    Args:
        workload: for the target of ``device``.
        device: where; its arrays stay on it while the clock runs.
        numpy: the peer's process, started.
        seed: of the inputs.
        repeat: how many measurements; None: 25 on a GPU and 15 elsewhere, fewer where one takes seconds.

    Raises:
        GpucompError: it cannot be built or run.
    """
    inputs, outputs = workload.make_inputs(seed), workload.make_outputs()
    if workload.has_reference:
        numpy.load(_question(workload, seed))
    began = time.perf_counter()
    module = build(workload.schedule, workload.args, Target.from_device(device), name=_c_name(workload.label))
    arrays = [ndarray.array(array, device) for array in (*inputs, *outputs)]
    module.entry_func.prepare(*arrays)
    built = time.perf_counter() - began
    module(*arrays)
    device.sync()
    error, correct = _check(workload, inputs, [array.numpy() for array in arrays[len(inputs) :]])
    ours, theirs = _take_turns(module, arrays, device, numpy if workload.has_reference else None, repeat)
    return Measurement(
        workload=workload,
        device=device,
        seconds=statistics.median(ours),
        fastest=min(ours),
        slowest=max(ours),
        repeats=len(ours),
        numpy_seconds=statistics.median(theirs) if theirs else None,
        max_rel_err=error,
        correct=correct,
        build_seconds=built,
        seed=seed,
        numpy_facts=dict(numpy.facts) if theirs else {},
        source=module.get_source(),
    )


def _question(workload: Workload, seed: int) -> dict[str, object]:
    inputs = [[list(shape), dtype] for shape, dtype in workload.inputs]
    # The numbers of a user's function are those of its own parameters, so none when it has none.
    return {
        "op": workload.name,
        "file": workload.function,
        "shape": workload.given_shape,
        "inputs": inputs,
        "seed": seed,
    }


def _c_name(label: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in label.rpartition(":")[2]) or "kernel"


def _check(workload: Workload, inputs: Sequence[Array], outputs: Sequence[Array]) -> tuple[float | None, bool | None]:
    if not workload.has_reference:
        return None, None
    worst = 0.0
    for got, want in zip(outputs, workload.reference(inputs), strict=True):
        worst = max(worst, relative_error(got, want))
    return worst, worst <= workload.tolerance


def relative_error(got: Array, want: Array, least: float = 0.0) -> float:
    """Largest error of an element, relative to it, to the root mean square of all or to ``least``: to the largest.

    Infinite where a value is NaN or infinite and the reference is not, or where the shapes differ.
    """
    if got.shape != want.shape:
        return math.inf
    if got.size == 0:
        return 0.0
    wide, exact = got.astype(np.float64), want.astype(np.float64)
    size = float(np.sqrt(np.mean(np.square(exact))))
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.abs(wide - exact) / np.maximum(np.abs(exact), max(size, least))
    error[wide == exact] = 0.0
    return float(np.nan_to_num(error, nan=np.inf, posinf=np.inf).max())


def _take_turns(
    module: Module,
    arrays: Sequence[object],
    device: Device,
    numpy: NumpySide | None,
    repeat: int | None,
) -> tuple[list[float], list[float]]:
    """Our times and numpy's, in turns, so that both see the same weather."""
    function = module.entry_func

    def call() -> None:
        function(*arrays)

    _warm_up(call, device)
    wanted = repeat or (15 if device.attributes.is_cpu or device.kind == "cpu" else 25)
    rounds = min(ROUNDS, wanted)
    ours: list[float] = []
    theirs: list[float] = []
    while len(ours) < wanted:
        began = time.perf_counter()
        settings = TimeSettings(number=1, repeat=-(-wanted // rounds), min_repeat_ms=_SHORTEST_REPEAT_MS)
        ours += measure(call, device, settings).results
        if numpy is not None:
            theirs.append(numpy.seconds())
            time.sleep(_PAUSE_SECONDS)
            if ours[-1] < WAKING_SECONDS and device.kind == "cpu":
                _warm_up(call, device, WAKING_SECONDS)
        if repeat is None and time.perf_counter() - began > _LONG_ROUND_SECONDS:
            break
    return ours, theirs


def _warm_up(call: Callable[[], None], device: Device, seconds: float = _WARM_SECONDS) -> None:
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        call()
        device.sync()
