"""pytest plugin: the fixture ``gpucomp_device``, the option ``--gpucomp-device``, and PoCL caches that are private.

A test that takes ``gpucomp_device`` runs once for each device that works::

    def test_add(gpucomp_device):
        check(build_add(target=gpucomp_device), args, reference, device=gpucomp_device)

Nothing of the compiler is imported, and no driver is asked, before a test asks for the fixture.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gpucomp.runtime.device import Device

FIXTURE = "gpucomp_device"
OPTION = "--gpucomp-device"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option."""
    parser.getgroup("gpucomp").addoption(
        OPTION,
        action="append",
        dest="gpucomp_devices",
        metavar="NAME",
        default=None,
        help=f"device for the fixture {FIXTURE}: cpu, opencl:1, cuda:0...; repeatable; default: each one that works",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Give this process a PoCL cache of its own, before anything can ask for an OpenCL platform.

    Processes that share one see spurious build failures (pocl#1480). A folder that the user names is kept:
    each worker of pytest-xdist then uses a subfolder of it.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    folder = os.environ.get("POCL_CACHE_DIR")
    if folder is None:
        folder = tempfile.mkdtemp(prefix="gpucomp-pocl-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["POCL_CACHE_DIR"] = folder
    if worker is not None:
        private = os.path.join(folder, worker)
        os.makedirs(private, exist_ok=True)
        os.environ["POCL_CACHE_DIR"] = private


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes the fixture once for each device."""
    if FIXTURE not in metafunc.fixturenames or _parametrised_by_hand(metafunc):
        return
    devices = _devices(metafunc.config)
    ids = [f"{device.kind}:{device.index}" for device in devices]
    metafunc.parametrize(FIXTURE, devices, ids=ids, indirect=True)


@pytest.fixture
def gpucomp_device(request: pytest.FixtureRequest) -> Device:
    """One device that works; the test runs once for each of them, or for those named by ``--gpucomp-device``."""
    return request.param


def _parametrised_by_hand(metafunc: pytest.Metafunc) -> bool:
    return any(FIXTURE in str(mark.args[:1]) for mark in metafunc.definition.iter_markers("parametrize"))


def _devices(config: pytest.Config) -> Sequence[Device]:
    from gpucomp.support.diagnostics import GpucompError
    from gpucomp.testing.devices import all_devices, named_devices

    names: list[str] | None = config.getoption("gpucomp_devices")
    try:
        return named_devices(names) if names else all_devices()
    except GpucompError as error:
        error.where = None  # pytest called this, no line of the user's
        raise pytest.UsageError(f"{OPTION}: {error}") from error
