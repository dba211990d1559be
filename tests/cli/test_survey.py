"""Devices are asked in child processes: one that crashes or hangs is at fault, and the others are still found."""

from __future__ import annotations

import sys

import pytest

from gpucomp.cli import child, survey
from gpucomp.cli.survey import DeviceReport, KindReport, default_title
from gpucomp.runtime.device import choose_device

# Stands in for the child of a kind with three devices; %s is what happens at device 1.
FAKE = """
import json, os, sys, time
start = int(sys.argv[2])
say = lambda **record: print(json.dumps(record), flush=True)
say(event="count", count=3, reason="", remedy="")
print("a driver that chats on stdout")
for index in range(start, 3):
    say(event="asking", index=index)
    say(event="device", index=index, name=f"device {index}", version="OpenCL 1.2 fake")
    if index == 1:
        %s
    say(event="probed", index=index, problem="", detail="", build_seconds=0.25, run_seconds=0.5)
"""


@pytest.fixture
def fake_child(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list into which a test puts the code of the child."""
    code: list[str] = []

    def command(module: str, *arguments: str) -> list[str]:
        assert module == "gpucomp.cli.survey"
        return [sys.executable, "-c", code[-1], *arguments]

    monkeypatch.setattr(child, "command", command)
    return code


def problems(report: KindReport) -> list[str]:
    return [device.problem for device in report.devices]


def test_a_driver_that_aborts_costs_its_own_device_only(fake_child: list[str]) -> None:
    fake_child.append(FAKE % "os.abort()")
    (report,) = survey.survey(["opencl"])
    assert problems(report) == ["", "probe failed: the process was killed by SIGABRT", ""]
    assert [device.name for device in report.devices] == ["device 0", "device 1", "device 2"]
    assert report.devices[0].build_seconds == 0.25


def test_a_driver_that_hangs_is_given_up(fake_child: list[str]) -> None:
    fake_child.append(FAKE % "time.sleep(60)")
    (report,) = survey.survey(["opencl"], timeout=1.0)
    assert problems(report) == ["", "probe failed: no answer within 1 s", ""]


def test_a_probe_that_fails_is_reported_as_it_is(fake_child: list[str]) -> None:
    fake_child.append(
        FAKE % "say(event='probed', index=1, problem='build failed', detail='help: x'); continue",
    )
    (report,) = survey.survey(["opencl"])
    assert problems(report) == ["", "build failed", ""]
    assert report.devices[1].detail == "help: x"


def test_a_kind_that_cannot_even_be_listed_says_why_and_what_to_do(fake_child: list[str]) -> None:
    fake_child.append("raise SystemError('the loader is broken')")
    (report,) = survey.survey(["opencl"])
    assert report.devices == ()
    assert "exit status 1" in report.reason
    assert "the loader is broken" in report.reason
    assert report.remedy == "pip install --force-reinstall pyopencl"


@pytest.mark.slow
def test_the_real_children_find_what_this_process_finds() -> None:
    reports = survey.survey()
    assert [report.kind for report in reports] == ["cuda", "opencl", "cpu"]
    cpu = reports[2].devices
    assert [device.title for device in cpu] == ["cpu:0"]
    assert cpu[0].works
    chosen = choose_device().device
    assert default_title(reports) == f"{chosen.kind}:{chosen.index}"


@pytest.mark.opencl
def test_pocl_compiles_and_runs_the_probe() -> None:
    (report,) = survey.survey(["opencl"])
    pocl = [device for device in report.devices if "PoCL" in device.version]
    assert pocl[0].works
    assert pocl[0].build_seconds > 0
    assert pocl[0].is_cpu


def kind(name: str, *devices: DeviceReport) -> KindReport:
    return KindReport(name, devices)


@pytest.mark.parametrize(
    ("devices", "wanted"),
    [
        ([DeviceReport("cpu", 0), DeviceReport("opencl", 0, is_cpu=True)], "cpu:0"),
        ([DeviceReport("cpu", 0), DeviceReport("opencl", 1)], "opencl:1"),
        ([DeviceReport("cuda", 1), DeviceReport("opencl", 0)], "cuda:1"),
        ([DeviceReport("cuda", 0, problem="broken"), DeviceReport("cpu", 0)], "cpu:0"),
        ([DeviceReport("cpu", 0, problem="broken"), DeviceReport("opencl", 2, is_cpu=True)], "opencl:2"),
        ([DeviceReport("opencl", 0, is_simulator=True)], ""),
    ],
)
def test_the_default_is_cuda_then_an_opencl_gpu_then_the_cpu(
    devices: list[DeviceReport], wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GPUCOMP_DEVICE", raising=False)
    assert default_title([kind(device.kind, device) for device in devices]) == wanted


def test_the_default_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUCOMP_DEVICE", "opencl:1")
    assert default_title([kind("cpu", DeviceReport("cpu", 0))]) == "opencl:1"
