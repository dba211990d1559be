"""What ``gpucomp doctor`` says: every line that is not ok ends in the command that mends it."""

from __future__ import annotations

import dataclasses
import itertools
import json

import pytest

from gpucomp.cli import doctor
from gpucomp.cli.doctor import Diagnosis, device_title, fix_for
from gpucomp.cli.environment import Environment
from gpucomp.cli.survey import DeviceReport, KindReport

ENVIRONMENT = Environment(
    gpucomp="0.1.0", python="3.11.7", system="Linux x86_64", cores=2, packages={"numpy": "2.0"},
    extras={"cuda": False, "nvrtc": True, "sanitize": False}, cache_folder="/var/cache/gpucomp",
    cache_bytes=12_000_000, cache_file_system="ext4", nvrtc="13.0", nvcc="", nvcc_path="", nvcc_is_wrapper=False,
    driver_cuda="", variables={},
)  # fmt: skip
POCL = DeviceReport(
    "opencl", 0, "pthread-znver4", "Portable Computing Language", "OpenCL 3.0 PoCL 3.1+debian  Linux, LLVM 15.0.6",
    is_cpu=True, build_seconds=0.08, run_seconds=0.01,
)  # fmt: skip
OLD_POCL = dataclasses.replace(
    POCL, index=2, version="OpenCL 2.0 pocl 3.0, LLVM 14.0.6", problem="build failed: unknown target CPU 'generic'"
)
OCLGRIND = DeviceReport(
    "opencl", 1, "Oclgrind Simulator", "Oclgrind", "OpenCL 1.2 (Oclgrind 21.10)", is_simulator=True, build_seconds=0.1
)
CPU = DeviceReport("cpu", 0, "AMD EPYC", "CPU", "LLVM 22.1.0", arch="znver4", is_cpu=True, build_seconds=0.012)
NO_CUDA = KindReport("cuda", (), "no NVIDIA driver (libcuda.so.1 not found)", "install NVIDIA's driver")

WANTED = """\
gpucomp 0.1.0  Python 3.11.7  Linux x86_64  2 cores   cache /var/cache/gpucomp 12.0 MB
 * cpu:0     AMD EPYC znver4 (LLVM 22.1.0)   build ok 12.0 ms   run ok   default here
   opencl:0  PoCL 3.1+debian                 build ok 80.0 ms   run ok   for correctness
   opencl:1  Oclgrind 21.10                  build ok 100 ms    run ok   simulator: for checks, never chosen by itself
 x opencl:2  pocl 3.0                        build FAILED: unknown target CPU 'generic'
             fix: pip uninstall pocl-binary-distribution    (PoCL 3.1+debian above already serves you)
 - cuda      no NVIDIA driver (libcuda.so.1 not found). Compiling still works: NVRTC 13.0
             fix: install NVIDIA's driver
             try: gpucomp inspect matmul --target cuda:sm_90 --source
             for a GPU machine: pip install "gpucomp[cuda,nvrtc]"    (builds pycuda; needs nvcc and cuda.h)
 ! 2 PoCLs answer to one platform name: PoCL 3.1+debian (opencl:0) and pocl 3.0 (opencl:2)
             fix: pip uninstall pocl-binary-distribution
 extras: cuda no, nvrtc yes, sanitize no      pytest -n: POCL_CACHE_DIR is set per worker
"""


def diagnosis(*kinds: KindReport, default: str = "cpu:0", environment: Environment = ENVIRONMENT) -> Diagnosis:
    return Diagnosis(environment, kinds, default, tuple(doctor._warnings(environment, kinds)))


SEEN = diagnosis(NO_CUDA, KindReport("opencl", (POCL, OCLGRIND, OLD_POCL)), KindReport("cpu", (CPU,)))


def test_the_report_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    doctor.render(SEEN)
    assert capsys.readouterr().out == WANTED


def test_every_line_that_is_not_ok_is_followed_by_what_mends_it(capsys: pytest.CaptureFixture[str]) -> None:
    doctor.render(SEEN)
    lines = capsys.readouterr().out.splitlines()
    for line, following in itertools.pairwise(lines):
        if line[:3] in (" x ", " - ", " ! "):
            assert following.strip().startswith("fix: ")


def test_the_json_report_says_the_same(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "diagnose", lambda: SEEN)
    assert doctor.run(as_json=True) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    assert report["default"] == "cpu:0"
    assert [(d["device"], d["works"], d["default"]) for d in report["devices"]] == [
        ("cpu:0", True, True), ("opencl:0", True, False), ("opencl:1", True, False), ("opencl:2", False, False),
    ]  # fmt: skip
    assert report["devices"][3]["fix"].startswith("pip uninstall pocl-binary-distribution")
    assert report["missing"] == [{"kind": "cuda", "reason": NO_CUDA.reason, "fix": NO_CUDA.remedy}]
    assert report["environment"]["nvrtc"] == "13.0"


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        ([KindReport("cpu", (CPU,))], 0),
        ([KindReport("opencl", (POCL,))], 0),
        ([KindReport("opencl", (OCLGRIND,))], 1),
        ([KindReport("cpu", (dataclasses.replace(CPU, problem="build failed: x"),))], 1),
        ([NO_CUDA], 1),
    ],
)
def test_the_exit_status_is_0_when_any_device_works(
    kinds: list[KindReport], status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "diagnose", lambda: diagnosis(*kinds, default=""))
    assert doctor.run(as_json=False) == status
    assert ("no device works" in capsys.readouterr().out) is bool(status)


def warnings(**changes: object) -> list[str]:
    environment = dataclasses.replace(ENVIRONMENT, **changes)
    return [f"{w.text} => {w.fix}" for w in doctor._warnings(environment, [])]


def test_an_nvrtc_newer_than_the_driver_is_warned_of() -> None:
    assert warnings(nvrtc="13.5", driver_cuda="13.0") == [
        'NVRTC 13.5 is newer than the driver (CUDA 13.0) => pip install "nvidia-cuda-nvrtc==13.0.*"'
    ]
    assert warnings(nvrtc="13.0", driver_cuda="13.0") == []
    assert warnings(nvrtc="13.0", driver_cuda="") == []


def test_a_cache_on_a_network_file_system_is_warned_of() -> None:
    assert "nfs4 => export GPUCOMP_CACHE_DIR=/tmp/gpucomp" in warnings(cache_file_system="nfs4")[0]


def test_variables_that_slow_numpy_down_are_warned_of() -> None:
    (warning,) = warnings(variables={"OPENBLAS_CORETYPE": "Haswell", "GPUCOMP_CACHE": "1"})
    assert warning.endswith("=> unset OPENBLAS_CORETYPE")


def test_an_nvcc_that_is_a_wrapper_is_warned_of_where_pycuda_is_yet_to_be_built() -> None:
    (warning,) = warnings(nvcc_path="/no/such/bin/nvcc", nvcc_is_wrapper=True)
    assert "/no/such/bin/nvcc is a wrapper" in warning
    assert warnings(nvcc_path="/no/such/bin/nvcc", nvcc_is_wrapper=True, extras={"cuda": True}) == []


def test_the_fix_is_the_hint_of_the_error_where_it_has_one() -> None:
    cuda = DeviceReport("cuda", 0, "H100", problem="build failed: no compiler", detail="...\n  help: pip install x\n")
    assert fix_for(cuda, [cuda]) == "pip install x"
    assert fix_for(dataclasses.replace(cuda, detail=""), [cuda]).startswith("nvidia-smi")


def test_devices_are_told_apart_by_version() -> None:
    assert device_title(POCL) == "PoCL 3.1+debian"
    assert device_title(OLD_POCL) == "pocl 3.0"
    nvidia = DeviceReport("opencl", 0, "NVIDIA H100", "NVIDIA CUDA", "OpenCL 3.0 CUDA 13.0.97")
    assert device_title(nvidia) == "NVIDIA H100 (NVIDIA CUDA)"
