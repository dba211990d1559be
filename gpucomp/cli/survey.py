"""The devices of each kind and whether a kernel really runs on them, asked in child processes.

A broken driver may abort or hang the process that asks it, so one child process asks each kind; when it dies
at a device, that device is at fault, and another child goes on behind it. This module is also what the child runs.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from gpucomp.cli import child

KINDS: Final = ("cuda", "opencl", "cpu")
TIMEOUT_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """One device.

    Attributes:
        kind, index: "opencl", 0.
        name, platform, version, vendor, location, arch: as :class:`gpucomp.runtime.base.DeviceAttributes` has them.
        is_simulator, is_cpu: likewise.
        problem: why no kernel runs on it, or the empty string.
        build_seconds, run_seconds: of a small kernel.
        detail: the whole text of the error.
    """

    kind: str
    index: int
    name: str = ""
    platform: str = ""
    version: str = ""
    vendor: str = ""
    location: str = ""
    arch: str = ""
    is_simulator: bool = False
    is_cpu: bool = False
    problem: str = ""
    build_seconds: float = 0.0
    run_seconds: float = 0.0
    detail: str = ""

    @property
    def title(self) -> str:
        """``opencl:0``, as devices are named on the command line."""
        return f"{self.kind}:{self.index}"

    @property
    def works(self) -> bool:
        """True when a kernel compiled, ran and gave the right numbers."""
        return not self.problem


@dataclass(frozen=True, slots=True)
class KindReport:
    """All devices of one kind.

    Attributes:
        kind: "cuda", "opencl" or "cpu".
        devices: what was found.
        reason: why there is none, or why they could not be listed.
        remedy: what mends that.
    """

    kind: str
    devices: tuple[DeviceReport, ...] = ()
    reason: str = ""
    remedy: str = ""


def survey(kinds: Iterable[str] = KINDS, *, timeout: float = TIMEOUT_SECONDS) -> list[KindReport]:
    """Ask every kind at the same time.

    Args:
        kinds: of devices.
        timeout: seconds that one child process may take.
    """
    with tempfile.TemporaryDirectory(prefix="gpucomp-probe-", ignore_cleanup_errors=True) as scratch:
        # Without caches, so that the compilers are really run.
        env = child.environment({"GPUCOMP_CACHE": "0", "POCL_CACHE_DIR": scratch, "PYTHONUNBUFFERED": "1"})
        with ThreadPoolExecutor(len(KINDS)) as pool:
            return list(pool.map(lambda kind: _survey_kind(kind, env, timeout), kinds))


def _survey_kind(kind: str, env: Mapping[str, str], timeout: float) -> KindReport:
    devices: dict[int, DeviceReport] = {}
    start = 0
    while True:
        outcome = child.run(child.command("gpucomp.cli.survey", kind, str(start)), env, timeout)
        asked = _read(kind, outcome, devices)
        head = next((record for record in outcome.records if record.get("event") == "count"), None)
        if head is None:
            words = outcome.stderr.strip().splitlines()
            reason = f"asking for {kind} devices failed: {outcome.failure or 'no answer'}"
            return KindReport(kind, (), f"{reason} ({words[-1]})" if words else reason, _remedy_for_listing(kind))
        if not outcome.failure:
            return KindReport(
                kind, tuple(devices[i] for i in sorted(devices)), str(head["reason"]), str(head["remedy"])
            )
        if asked is None:  # it died before or after the devices, not at one of them
            return KindReport(
                kind, tuple(devices[i] for i in sorted(devices)), outcome.failure, _remedy_for_listing(kind)
            )
        known = devices.get(asked, DeviceReport(kind, asked))
        devices[asked] = dataclasses.replace(known, problem=f"probe failed: {outcome.failure}", detail=outcome.stderr)
        start = asked + 1


def _read(kind: str, outcome: child.Outcome, devices: dict[int, DeviceReport]) -> int | None:
    """Take over what a child found; the device that it was asking when it ended, if any."""
    asked: int | None = None
    for record in outcome.records:
        event = record.pop("event", None)
        if event == "count":
            record["event"] = event
            continue
        index = record["index"]
        if event == "asking":
            asked = index
        elif event == "device":
            devices[index] = DeviceReport(kind, **record)
        elif event == "probed":
            devices[index] = dataclasses.replace(devices[index], **record)
            asked = None
    return asked


def _remedy_for_listing(kind: str) -> str:
    return {"cuda": "nvidia-smi", "opencl": "pip install --force-reinstall pyopencl"}.get(
        kind, "pip install --force-reinstall llvmlite"
    )


def default_title(reports: Iterable[KindReport]) -> str:
    """The device used when none is named ("cpu:0"), or "": see :func:`gpucomp.runtime.device.choose_device`."""
    from gpucomp.runtime.device import device
    from gpucomp.support.config import config

    if config.device:
        wanted = device(config.device)
        return f"{wanted.kind}:{wanted.index}"
    usable = [d for report in reports for d in report.devices if d.works and not d.is_simulator]

    def rank(found: DeviceReport) -> tuple[int, int]:
        slow = found.kind == "opencl" and found.is_cpu
        return (len(KINDS) if slow else KINDS.index(found.kind), found.index)

    return min(usable, key=rank).title if usable else ""


def _emit(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


def main(kind: str, start: int) -> None:
    """Ask for the devices of ``kind`` from number ``start`` on, and probe each; one line of JSON a step."""
    from gpucomp.runtime.base import get_api
    from gpucomp.runtime.probe import probe

    api = get_api(kind)
    missing = api.why_missing()
    count = api.count()
    _emit("count", count=count, reason=missing.reason if missing else "", remedy=missing.remedy if missing else "")
    for index in range(start, count):
        _emit("asking", index=index)
        attributes = dataclasses.asdict(api.attributes(index))
        wanted = {field.name for field in dataclasses.fields(DeviceReport)}
        _emit("device", index=index, **{name: attributes[name] for name in attributes if name in wanted})
        result = probe(api, index)
        _emit(
            "probed", index=index, problem=result.problem or "", detail=result.detail,
            build_seconds=result.build_seconds, run_seconds=result.run_seconds,
        )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
