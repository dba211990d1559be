"""``gpucomp doctor``: what works here, what does not, and the command that mends it."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gpucomp.cli.console import bytes_text, json_line, say, seconds_text
from gpucomp.cli.environment import Environment, gather, is_network, is_toolkit
from gpucomp.cli.survey import DeviceReport, KindReport, default_title, survey

_OPENCL_NAME: Final = re.compile(r"\b(PoCL|Oclgrind)\s+v?([^\s),]+)", re.IGNORECASE)
_HELP: Final = re.compile(r"^\s*help: (.+)$", re.MULTILINE)
_LABEL: Final = 10
_INDENT: Final = " " * (_LABEL + 3)


@dataclass(frozen=True, slots=True)
class Caution:
    """Something that works but will not for long, or not well.

    Attributes:
        text: what.
        fix: the command that mends it.
    """

    text: str
    fix: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that ``gpucomp doctor`` found.

    Attributes:
        environment: versions and folders.
        kinds: devices, by kind.
        default: the device used when none is named, or "".
        warnings: see :class:`Caution`.
    """

    environment: Environment
    kinds: tuple[KindReport, ...]
    default: str
    warnings: tuple[Caution, ...]

    @property
    def devices(self) -> list[DeviceReport]:
        """All devices: the working ones first, the default one before all."""
        found = [device for kind in self.kinds for device in kind.devices]
        return sorted(found, key=lambda device: (not device.works, device.title != self.default))

    @property
    def healthy(self) -> bool:
        """Whether any device works (simulators do not count)."""
        return any(device.works and not device.is_simulator for device in self.devices)


def diagnose() -> Diagnosis:
    """Ask everything; takes a few seconds."""
    kinds = tuple(survey())
    environment = gather()
    return Diagnosis(environment, kinds, default_title(kinds), tuple(_warnings(environment, kinds)))


def run(as_json: bool) -> int:
    """The command; returns the exit status: 0 when any device works, else 1."""
    diagnosis = diagnose()
    if as_json:
        json_line(as_record(diagnosis))
    else:
        render(diagnosis)
    return 0 if diagnosis.healthy else 1


def device_title(device: DeviceReport) -> str:
    """A name that tells devices apart: two platforms may both be called "Portable Computing Language"."""
    named = _OPENCL_NAME.search(device.version)
    if device.kind == "opencl":
        return f"{named[1]} {named[2]}" if named else f"{device.name} ({device.platform})"
    return f"{device.name} {device.arch} ({device.version})" if device.arch else f"{device.name} ({device.version})"


def fix_for(device: DeviceReport, others: Sequence[DeviceReport]) -> str:
    """The command that mends a device on which no kernel runs."""
    served = next((d for d in others if d.works and d.kind == device.kind), None)
    aside = f"    ({device_title(served)} above already serves you)" if served else ""
    if "unknown target CPU" in device.problem + device.detail and "pocl" in device.version.lower():
        return f"pip uninstall pocl-binary-distribution{aside}"
    hint = _HELP.search(device.detail)
    if hint is not None:
        return hint[1] + aside
    if device.kind == "cpu":
        return "pip install --force-reinstall llvmlite"
    if device.kind == "cuda":
        return "nvidia-smi    (it should list the GPU; if not, reinstall the driver and restart)"
    if "pocl" in device.version.lower():
        return f"apt-get install --reinstall pocl-opencl-icd{aside}"
    return f"ls /etc/OpenCL/vendors    (update the driver of {device.platform}, or move its .icd file away){aside}"


def _warnings(environment: Environment, kinds: Iterable[KindReport]) -> Iterator[Caution]:
    driver, nvrtc = _version(environment.driver_cuda), _version(environment.nvrtc)
    if driver and nvrtc > driver:
        yield Caution(
            f"NVRTC {environment.nvrtc} is newer than the driver (CUDA {environment.driver_cuda})",
            f'pip install "nvidia-cuda-nvrtc=={environment.driver_cuda}.*"',
        )
    if environment.nvcc_is_wrapper and not environment.extras["cuda"]:
        yield Caution(
            f"{environment.nvcc_path} is a wrapper without cuda.h beside it: building pycuda needs the toolkit",
            _toolkit_fix(environment.nvcc_path),
        )
    pocls = [d for kind in kinds for d in kind.devices if "pocl" in d.version.lower()]
    if len(pocls) > 1:
        titles = " and ".join(f"{device_title(d)} ({d.title})" for d in pocls)
        yield Caution(
            f"{len(pocls)} PoCLs answer to one platform name: {titles}", "pip uninstall pocl-binary-distribution"
        )
    if is_network(environment.cache_file_system):
        yield Caution(
            f"the cache folder {environment.cache_folder} is on {environment.cache_file_system}",
            "export GPUCOMP_CACHE_DIR=/tmp/gpucomp",
        )
    slow = [name for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE") if name in environment.variables]
    if slow:
        yield Caution(f"{' and '.join(slow)} set: numpy may run at half its speed", f"unset {' '.join(slow)}")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")) if text else ()


def _toolkit_fix(nvcc: str) -> str:
    """Ask nvcc where its toolkit is."""
    try:
        done = subprocess.run(
            [nvcc, "--dryrun", "-c", "-x", "cu", os.devnull], capture_output=True, text=True, check=False, timeout=20
        )
        said = re.search(r"^#\$ TOP=(.+)$", done.stderr, re.MULTILINE)
    except (OSError, subprocess.TimeoutExpired):
        said = None
    homes = [*([said[1].strip()] if said else []), "/usr/local/cuda", "/opt/cuda"]
    home = next((home for home in homes if is_toolkit(Path(home) / "bin" / "nvcc")), None)
    return f"export CUDA_ROOT={os.path.normpath(home)}" if home else "apt-get install nvidia-cuda-toolkit"


def as_record(diagnosis: Diagnosis) -> dict[str, object]:
    """The diagnosis as JSON types, for bug reports."""
    devices = diagnosis.devices
    return {
        "ok": diagnosis.healthy,
        "default": diagnosis.default,
        "devices": [
            {
                "device": device.title,
                "title": device_title(device),
                "works": device.works,
                "default": device.title == diagnosis.default,
                "fix": "" if device.works else fix_for(device, devices),
                **dataclasses.asdict(device),
            }
            for device in devices
        ],
        "missing": [
            {"kind": kind.kind, "reason": kind.reason, "fix": kind.remedy} for kind in diagnosis.kinds if kind.reason
        ],
        "warnings": [dataclasses.asdict(warning) for warning in diagnosis.warnings],
        "environment": dataclasses.asdict(diagnosis.environment),
    }


def render(diagnosis: Diagnosis) -> None:
    """The diagnosis for people."""
    environment, devices = diagnosis.environment, diagnosis.devices
    cache = environment.cache_folder.replace(os.path.expanduser("~"), "~", 1)
    say(
        f"gpucomp {environment.gpucomp}  Python {environment.python}  {environment.system}  {environment.cores} cores"
        f"   cache {cache} {bytes_text(environment.cache_bytes)}",
        bold=True,
    )
    width = max((len(device_title(device)) for device in devices), default=0)
    for device in devices:
        _render_device(device, devices, diagnosis.default, width)
    for kind in diagnosis.kinds:
        if kind.reason:
            _render_missing(kind, environment)
    for warning in diagnosis.warnings:
        say(f" ! {warning.text}", colour="yellow")
        say(f"{_INDENT}fix: {warning.fix}")
    extras = ", ".join(f"{name} {'yes' if there else 'no'}" for name, there in environment.extras.items())
    say(f" extras: {extras}      pytest -n: POCL_CACHE_DIR is set per worker")
    if not diagnosis.healthy:
        say(" no device works", colour="red", bold=True)
        say(f"{_INDENT}fix: pip install --force-reinstall gpucomp")


def _render_device(device: DeviceReport, all_devices: Sequence[DeviceReport], default: str, width: int) -> None:
    label = f"{device.title:{_LABEL}}{device_title(device):{width}}"
    if not device.works:
        problem = device.problem.replace(" failed", " FAILED", 1)
        say(f" x {label}   {problem}", colour="red")
        say(f"{_INDENT}fix: {fix_for(device, all_devices)}")
        return
    star = "*" if device.title == default else " "
    build = f"build ok {seconds_text(device.build_seconds)}"
    say(
        f" {star} {label}   {build:18} run ok   {_remark(device, default)}".rstrip(),
        colour="green" if star == "*" else None,
    )


def _remark(device: DeviceReport, default: str) -> str:
    if device.title == default:
        return "default here"
    if device.is_simulator:
        return "simulator: for checks, never chosen by itself"
    if device.kind == "opencl" and device.is_cpu:
        return "for correctness"
    return "fallback" if device.kind == "cpu" else ""


def _render_missing(kind: KindReport, environment: Environment) -> None:
    compilers = [
        f"{name} {version}" for name, version in (("NVRTC", environment.nvrtc), ("nvcc", environment.nvcc)) if version
    ]
    still = ""
    if kind.kind == "cuda":
        still = f". Compiling still works: {', '.join(compilers)}" if compilers else ". Generating CUDA C still works"
    say(f" - {kind.kind:{_LABEL}}{kind.reason}{still}", colour="yellow")
    say(f"{_INDENT}fix: {kind.remedy}")
    if kind.kind != "cuda":
        return
    say(f"{_INDENT}try: gpucomp inspect matmul --target cuda:sm_90 --source")
    if not environment.extras["cuda"]:
        say(f'{_INDENT}for a GPU machine: pip install "gpucomp[cuda,nvrtc]"    (builds pycuda; needs nvcc and cuda.h)')
