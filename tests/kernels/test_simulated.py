"""Every streaming operator of the library in the simulator of OpenCL devices: no race, no stray or empty read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernels.run_streaming import STREAMING
from tests.meta.source import ROOT
from tests.requirements import require_tool


@pytest.mark.slow
@pytest.mark.parametrize("name", STREAMING)
def test_the_simulator_finds_nothing_in_an_operator(name: str, tmp_path: Path) -> None:
    """A process for each: the simulator's record of what is initialized errs about memory that it used before."""
    log = tmp_path / "oclgrind.log"
    command = [
        *(require_tool("oclgrind"), "--data-races", "--uninitialized", "--build-options", "-cl-opt-disable"),
        *("--local-mem-size", "65536", "--log", str(log)),
        *(sys.executable, "-m", "tests.kernels.run_streaming", name),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GPUCOMP_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    # The simulator's exit code is 0 even when it finds faults: the log tells.
    found = log.read_text(encoding="utf-8") if log.exists() else ""
    assert done.returncode == 0, done.stdout + done.stderr
    assert found == "", found[:4000]
    assert done.stdout.split() == ["ok", name]
