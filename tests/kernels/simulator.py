"""Programs in the simulator of OpenCL devices, each in a process of its own, forked from one that has imported all.

A process for each: the simulator's record of what is initialized errs about memory that it used before.  Forked: to
start Python and to import the library takes as long as most of what is simulated.

``oclgrind ... python -m tests.kernels.simulator`` reads a line ``MODULE NAME LOG`` for each program, calls the module's
``main([NAME])``, and answers with a line of JSON: the exit status, and what was printed.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Final

from tests.meta.source import ROOT
from tests.requirements import require_tool

PROGRAMS: Final = ("tests.kernels.run_streaming", "tests.kernels.run_matrix")
FLAGS: Final = ("--data-races", "--uninitialized", "--build-options", "-cl-opt-disable", "--local-mem-size", "65536")


class Simulator:
    """The process that forks, seen from a test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        command = [require_tool("oclgrind"), *FLAGS, sys.executable, "-m", "tests.kernels.simulator"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "GPUCOMP_CACHE_DIR": str(folder / "cache")}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True)

    def run(self, module: str, name: str) -> tuple[int, str, str]:
        """The exit status of a program, what it printed, and what the simulator found: its own status is always 0."""
        log = self._folder / f"{name}.log"
        reader, writer = self._process.stdout, self._process.stdin
        assert reader is not None
        assert writer is not None
        print(module, name, log, file=writer, flush=True)
        status, printed = json.loads(reader.readline())
        return status, printed, log.read_text(encoding="utf-8") if log.exists() else ""

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)


def serve() -> None:
    """Answer line by line until the end of the input."""
    import gpucomp
    from gpucomp.kernels import registry
    from tests.kernels.run_matrix import CASES, OPENCL

    for module in (*PROGRAMS, "pyopencl"):
        importlib.import_module(module)
    for case in (CASES["nt"], CASES["implicit"]):  # what is imported when it is needed; no device is asked for
        defn = case.define()
        gpucomp.source(registry.get(case.op).schedule(defn, case.scheduled), defn.args, OPENCL)
    for line in sys.stdin:
        module, name, log = line.split()
        print(json.dumps(_forked(module, name, log)), flush=True)


def _forked(module: str, name: str, log: str) -> tuple[int, str]:
    with tempfile.TemporaryFile() as printed:
        child = os.fork()
        if child == 0:
            _run(module, name, log, printed.fileno())
        _, status = os.waitpid(child, 0)
        printed.seek(0)
        return os.waitstatus_to_exitcode(status), printed.read().decode("utf-8", "replace")


def _run(module: str, name: str, log: str, printed: int) -> None:
    """What the child does; it never comes back."""
    os.environ["OCLGRIND_LOG"] = log
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    status = 1
    try:
        importlib.import_module(module).main([name])
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    serve()
