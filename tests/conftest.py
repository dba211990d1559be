"""Set-up of every test process: private caches, markers that ask for devices, the summary of ``ci/test``.

The caches are set at import, before anything asks for an OpenCL platform: processes that share one PoCL cache
see spurious build failures, and a kernel cache left by another version of the compiler would hide a fault.
"""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests import requirements
from tests.requirements import require_cuda, require_libclc, require_nvrtc, require_pocl, require_tool

if TYPE_CHECKING:
    import pyopencl

__all__ = ["require_cuda", "require_libclc", "require_nvrtc", "require_pocl", "require_tool"]

if "numpy" not in sys.modules:
    for _name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        os.environ.pop(_name, None)

NOT_QUICK = Path(__file__).parent / "not_quick.txt"
_SCRATCH = Path(tempfile.mkdtemp(prefix="gpucomp-test-"))
atexit.register(shutil.rmtree, _SCRATCH, ignore_errors=True)
for _variable, _folder in (("POCL_CACHE_DIR", "pocl"), ("GPUCOMP_CACHE_DIR", "kernels")):
    (_SCRATCH / _folder).mkdir()
    os.environ[_variable] = str(_SCRATCH / _folder)

# A process of many tests holds millions of interned nodes: walks over all of them take a tenth of its time.  Those of
# earlier files are put aside below.
gc.set_threshold(10_000, 20, 500)

# Wall-clock deadlines flake beside other processes; in CI the draws are the same on every run.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("local"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update-golden`` rewrites recorded texts instead of comparing with them."""
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be rewritten."""
    return bool(request.config.getoption("--update-golden"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What ``ci/quick_list.py`` found too long for the quick tier is slow, before tiers are chosen by their marks."""
    left_out = frozenset(NOT_QUICK.read_text(encoding="utf-8").splitlines())
    for item in items:
        if item.nodeid in left_out:
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """What is there before the first test stays: no collection has to look at it again."""
    _put_aside()


def pytest_runtest_teardown(nextitem: pytest.Item | None, item: pytest.Item) -> None:
    """Interned nodes stay for good: each collection would walk over those of all files before."""
    if nextitem is not None and nextitem.path != item.path:
        _put_aside()


def _put_aside() -> None:
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test marked ``cuda`` or ``opencl`` gets its device or does not start."""
    if item.get_closest_marker("cuda") is not None:
        require_cuda()
    if item.get_closest_marker("opencl") is not None and item.get_closest_marker("cuda") is None:
        require_pocl()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What no single test says: golden sources that no GPU has verified yet, and the steps of ``ci/test``."""
    _golden_summary(terminalreporter)
    _steps_summary(terminalreporter)


def _golden_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [r for group in terminalreporter.stats.values() for r in group]
    if not any(str(getattr(r, "nodeid", "")).startswith("tests/golden/test_manifest") for r in reports):
        return
    from tests.golden import manifest

    terminalreporter.section("golden CUDA sources")
    for line in manifest.report(manifest.read()):
        terminalreporter.write_line(line)


def _steps_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The other steps of ``ci/test``, so that pytest's closing line can be the last one."""
    steps = os.environ.get("GPUCOMP_CI_STEPS", "")
    if not steps or not Path(steps).exists():
        return
    rows = _steps(Path(steps), wait_for_types=bool(os.environ.get("GPUCOMP_CI_TYPES")))
    terminalreporter.section("other steps")
    for name, seconds, result in rows:
        terminalreporter.write_line(f"{name:10} {float(seconds):7.1f} s  {result}")
    failed = [name for name, _, result in rows if result != "ok"]
    if failed:
        terminalreporter.write_line(f"FAILED beside the tests: {', '.join(failed)}", red=True)


def _steps(file: Path, *, wait_for_types: bool, patience: float = 300.0) -> list[list[str]]:
    """Name, seconds and result of each step; the type checker may still be at work when the tests are done."""
    deadline = time.monotonic() + patience
    while True:
        rows = [line.split() for line in file.read_text(encoding="utf-8").splitlines()]
        if not wait_for_types or any(row[0] == "types" for row in rows) or time.monotonic() > deadline:
            return rows
        time.sleep(0.2)


@pytest.fixture(name="require_tool")
def _require_tool() -> Callable[[str], str]:
    return requirements.require_tool


@pytest.fixture(name="require_libclc")
def _require_libclc() -> Callable[[str], Path]:
    return requirements.require_libclc


@pytest.fixture(name="require_pocl")
def _require_pocl() -> Callable[[], pyopencl.Device]:
    return requirements.require_pocl


@pytest.fixture(name="require_nvrtc")
def _require_nvrtc() -> Callable[[], tuple[int, int]]:
    return requirements.require_nvrtc
