"""What ``import gpucomp`` costs, in modules (exactly) and in time (with room for a busy machine)."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

# Loaded when first used: each of them costs tens of milliseconds, or fails where there is no driver.
LATE = (
    "pyopencl",
    "pycuda",
    "llvmlite",
    "jinja2",
    "cuda",
    "rich",
    "click",
    "pytest",
    "ml_dtypes",
    "sqlite3",
    "asyncio",
)
BUDGET_SECONDS = 0.150

PROBE = """
import json, sys, time
began = time.process_time()
import gpucomp
seconds = time.process_time() - began
print(json.dumps({"seconds": seconds, "modules": sorted({name.split(".")[0] for name in sys.modules})}))
"""


def probe() -> tuple[float, list[str]]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OPENBLAS_", "COV_"))}
    # As an installed package is: with its byte code written on the first import.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["OPENBLAS_NUM_THREADS"] = "1"
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, env=environment)
    answer = json.loads(done.stdout)
    return float(answer["seconds"]), list(answer["modules"])


def test_importing_the_package_loads_no_backend_and_no_front_end() -> None:
    _, modules = probe()
    assert "gpucomp" in modules
    assert set(modules) & set(LATE) == set()


@pytest.mark.slow
def test_importing_the_package_takes_at_most_150_milliseconds_of_processor_time() -> None:
    best = min(probe()[0] for _ in range(6))
    assert best <= BUDGET_SECONDS
