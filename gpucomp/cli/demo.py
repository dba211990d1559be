"""``gpucomp demo``: every device that works, checked and timed against numpy, with the sources that were generated."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from gpucomp.cli.bench import COLUMNS, numpy_note, row
from gpucomp.cli.console import json_line, log, say, table
from gpucomp.cli.doctor import device_title
from gpucomp.cli.failures import without_library_lines
from gpucomp.cli.measure import Measurement, measure_workload
from gpucomp.cli.numpy_side import NumpySide
from gpucomp.cli.survey import DeviceReport, default_title, survey
from gpucomp.cli.workload import make_workload
from gpucomp.driver import source
from gpucomp.kernels.arrays import Shape
from gpucomp.kernels.registry import Operator, get
from gpucomp.runtime.cache import cache_folder, write_atomically
from gpucomp.runtime.device import device as parse_device
from gpucomp.support.diagnostics import GpucompError
from gpucomp.target.target import Target

_SUFFIXES: Final = {"cuda": ".cu", "opencl": ".cl", "llvm": ".ll"}
_REPEATS: Final = 9
SHOWN: Final = ("add", "matmul", "softmax", "conv2d")


def run(out: str | None, seed: int, as_json: bool) -> int:
    """The command; returns the exit status: 1 when anything failed, or when no device works."""
    folder = _writable(Path(out) if out else cache_folder() / "demo", asked=out is not None)
    kinds = survey()
    default = default_title(kinds)
    devices = [device for kind in kinds for device in kind.devices if not device.is_simulator]
    say_to = _quiet if as_json else say
    log(numpy_note())
    results: dict[str, list[Measurement | GpucompError]] = {}
    with NumpySide() as numpy:
        for device in devices:
            results[device.title] = _demonstrate(device, default, numpy, folder, seed, as_json)
    if not any(device.kind == "cuda" for device in devices):
        cuda_folder = folder / "cuda-sm_90"
        _write_cuda_sources(cuda_folder)
        say_to(f"  cuda      no device here; its sources are generated all the same, in {cuda_folder}")
    say_to()
    say_to(f"generated sources: {folder}")
    if default in results:
        say_to(f"used when no device is named: {default}; against numpy: {_speeds(results[default])}")
    say_to("next:")
    for command in next_commands(default):
        say_to(f"  {command}")
    right = [isinstance(result, Measurement) and result.correct is True for kept in results.values() for result in kept]
    return 0 if right and all(right) and all(results.values()) else 1


def _speeds(results: Iterable[Measurement | GpucompError]) -> str:
    measured = [result for result in results if isinstance(result, Measurement)]
    return ", ".join(f"{result.workload.label} {result.vs_numpy:.2f}x" for result in measured if result.vs_numpy)


def next_commands(default: str) -> tuple[str, ...]:
    """Three commands to paste, with the program as it was started."""
    program = _program()
    return (
        f"{program} doctor",
        f"{program} inspect matmul --target cuda --source",
        f"{program} bench softmax --shape 1024,1024{f' --device {default}' if default else ''}",
    )


def _program() -> str:
    """The command as the user can type it here."""
    if Path(sys.argv[0]).name == "__main__.py":
        return f"{_shortest(sys.executable)} -m gpucomp"
    return _shortest(sys.argv[0])


def _shortest(program: str) -> str:
    """The name where it is found by it, else the path from this folder where that is below, else the whole path."""
    name = os.path.basename(program)
    if shutil.which(name) == os.path.abspath(program):
        return name
    path = os.path.relpath(program)
    return program if path.startswith(os.pardir) else path


def _quiet(text: str = "") -> None:
    del text


def _writable(folder: Path, *, asked: bool) -> Path:
    """The folder, made; where the default one cannot be written, one for temporary files."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if asked:
            raise GpucompError(f"cannot write to {folder}: {error.strerror}", code="GC646", hint="--out DIR") from error
        return Path(tempfile.mkdtemp(prefix="gpucomp-demo-"))
    return folder


def _demonstrate(
    found: DeviceReport, default: str, numpy: NumpySide, folder: Path, seed: int, as_json: bool
) -> list[Measurement | GpucompError]:
    """All operators on one device; nothing where it does not work."""
    star = "*" if found.title == default else " "
    if not as_json:
        purpose = ", for correctness" if found.kind == "opencl" and found.is_cpu else ""
        say(f"{star} {found.title:10}{device_title(found)}{purpose}", bold=True)
    if not found.works:
        log(f"{found.title} does not work: {found.problem} (gpucomp doctor says more)")
        return []
    results = [
        result if isinstance(result, GpucompError) else _kept(result, folder / found.title.replace(":", "-"))
        for result in _measurements(found, numpy, seed)
    ]
    rows: list[list[str]] = []
    for operator, result in zip(shown_operators(), results, strict=True):
        if isinstance(result, GpucompError):
            log(f"{operator.name} on {found.title}:\n{without_library_lines(result).render()}")
            rows.append([operator.name, *[""] * (len(COLUMNS) - 2), "FAILED"])
        elif as_json:
            json_line(result.record())
        else:
            rows.append(row(result))
    if rows and not as_json:
        table(COLUMNS, rows, numbers=range(3, len(COLUMNS) - 1))
    return results


def shown_operators() -> list[Operator]:
    """One of each kind: the library has many more, and a first look should take seconds."""
    return [get(name) for name in SHOWN]


def _measurements(found: DeviceReport, numpy: NumpySide, seed: int) -> Iterator[Measurement | GpucompError]:
    device = parse_device(found.title)
    target = Target.from_device(device)
    for operator in shown_operators():
        try:
            workload = make_workload(operator.name, _demo_shape(operator, target), None, target)
            yield measure_workload(workload, device, numpy, seed=seed, repeat=_REPEATS)
        except GpucompError as error:  # one operator that fails does not hide the others
            yield error


def _demo_shape(operator: Operator, target: Target) -> Shape:
    """Small on processors; on a GPU what would be usual there, so that the launch is not all that is measured."""
    return operator.default_shapes["cpu"] if "gpu" in target.keys else operator.small_shape


def _kept(result: Measurement, folder: Path) -> Measurement:
    suffix = _SUFFIXES[Target.from_device(result.device).kind]
    write_atomically(folder / f"{result.workload.label}{suffix}", result.source.encode("utf-8"))
    return result


def _write_cuda_sources(folder: Path) -> None:
    target = Target("cuda -arch=sm_90")
    for operator in shown_operators():
        workload = make_workload(operator.name, _demo_shape(operator, target), None, target)
        text = source(workload.schedule, workload.args, target, operator.name)
        write_atomically(folder / f"{operator.name}.cu", text.encode("utf-8"))
