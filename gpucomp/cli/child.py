"""Child processes of the command line: what may crash, hang or needs another environment runs in one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import gpucomp

# numpy's BLAS reads them when it is loaded; either makes it several times slower on some machines.
BLAS_VARIABLES: Final = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a child left behind.

    Attributes:
        records: JSON objects, one for each line that it wrote; a line that is none is left out.
        failure: why it did not end well, or the empty string.
        stderr: what it said besides.
    """

    records: list[dict[str, Any]]  # Any: JSON
    failure: str
    stderr: str


def command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of this package."""
    return [sys.executable, "-m", module, *arguments]


def environment(changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """This process's environment, in which a child finds the same gpucomp; None removes a variable."""
    made = dict(os.environ)
    home = str(Path(gpucomp.__file__).resolve().parents[1])
    made["PYTHONPATH"] = os.pathsep.join([home, *filter(None, [made.get("PYTHONPATH")])])
    for name, value in (changes or {}).items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = value
    return made


def run(arguments: Sequence[str], env: Mapping[str, str], timeout: float) -> Outcome:
    """Run a child to its end and collect its JSON Lines.

    Args:
        arguments: the command.
        env: its environment.
        timeout: seconds after which it is killed, with its own children.
    """
    child = subprocess.Popen(
        arguments, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        out, err = child.communicate(timeout=timeout)
        failure = _exit_text(child.returncode)
    except subprocess.TimeoutExpired:
        _kill(child)
        out, err = child.communicate()
        failure = f"no answer within {timeout:.0f} s"
    return Outcome(_records(out.decode("utf-8", "replace")), failure, err.decode("utf-8", "replace"))


def _kill(child: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        child.kill()
        return
    # The child leads a session of its own, so this reaches the compilers that it started too.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _exit_text(code: int) -> str:
    if code == 0:
        return ""
    if code > 0:
        return f"the process ended with exit status {code}"
    try:
        return f"the process was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"the process was killed by signal {-code}"


def _records(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            record = json.loads(line)
            if isinstance(record, dict):
                found.append(record)
    return found
