"""What the fuzzer's worker processes run (a ``__main__`` cannot be imported by them)."""

from __future__ import annotations

import os
import tempfile

from tests.fuzz.runner import FuzzCase, Outcome, draw_case, opencl_cpu, run_case


def start() -> None:
    """Set a process up: processes that share one PoCL cache see spurious build failures."""
    os.environ["POCL_CACHE_DIR"] = tempfile.mkdtemp(prefix="gpucomp-fuzz-")


def one(job: tuple[int, int]) -> tuple[int, FuzzCase, Outcome]:
    """Draw and run the case of a seed and an index."""
    seed, index = job
    case = draw_case(seed, index)
    return index, case, run_case(case, opencl_cpu())
