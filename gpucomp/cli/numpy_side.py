"""numpy as the peer of a benchmark, in a child process whose BLAS is not slowed down by the environment.

The parent holds a :class:`NumpySide`; the child runs :func:`main`, reading one JSON object a line from stdin and
answering each with one on stdout.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self, TextIO
from typing import cast as type_cast

from gpucomp.cli import child
from gpucomp.cli.failures import UserCodeError, user_code, without_library_lines
from gpucomp.support.diagnostics import GpucompError, Span

# Shorter turns would measure the clock and the call.
_SHORTEST_TURN: Final = 0.005
# Threads that slept may share a core for some milliseconds: calls before a turn wake them.
WAKING_SECONDS: Final = 0.02


class NumpySide:
    """The parent's handle; a context manager.

    Attributes:
        facts: numpy's version, its BLAS, and which variables were removed.
    """

    def __init__(self) -> None:
        self.facts: dict[str, object] = {}
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        env = child.environment(dict.fromkeys(child.BLAS_VARIABLES))
        self._child = subprocess.Popen(
            child.command("gpucomp.cli.numpy_side"), env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._child is not None
        if self._child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._child.stdin.close()
        try:
            self._child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def load(self, workload: Mapping[str, object]) -> None:
        """Prepare a workload, and run it until it is warm.

        Args:
            workload: "op" or "file" (as :func:`gpucomp.cli.workload.make_workload` takes it), "shape", "inputs"
                (pairs of shape and element type), "seed".
        """
        self.facts = self._ask({"load": dict(workload)})

    def seconds(self) -> float:
        """The time of one call, measured now."""
        return float(type_cast("float", self._ask({"time": True})["seconds"]))

    def _ask(self, question: Mapping[str, object]) -> dict[str, object]:
        assert self._child is not None
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # reading the answer then tells that it died
            self._child.stdin.write(json.dumps(question) + "\n")
            self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            raise GpucompError(
                f"the process that times numpy ended with status {self._child.wait()}",
                code="GC647",
                hint="its message is above; is there enough memory?",
            )
        answer: dict[str, Any] = json.loads(line)  # Any: JSON
        if "failed" in answer:
            raise _error_from(answer["failed"])
        return answer


def removed_variables() -> dict[str, str]:
    """The BLAS variables that are set here, and that numpy's process does not get."""
    return {name: os.environ[name] for name in child.BLAS_VARIABLES if name in os.environ}


def main(questions: TextIO, answers: TextIO) -> None:
    """Answer questions until there are no more."""
    peer: Callable[[], object] = _nothing
    number, waking = 1, 0
    for line in questions:
        question: dict[str, Any] = json.loads(line)  # Any: JSON
        try:
            if "load" in question:
                peer = _peer(question["load"])
                number, waking = _warm_up(peer)
                answer: dict[str, object] = _facts()
            else:
                _measure(peer, waking)
                answer = {"seconds": _measure(peer, number)}
        except GpucompError as error:
            answer = {"failed": _fields(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _fields(error: GpucompError) -> dict[str, object]:
    place = without_library_lines(error).where
    return {
        "message": error.message,
        "code": error.code,
        "where": [place.file, place.line] if place is not None else None,
        "context": error.context,
        "hint": error.hint,
    }


def _error_from(fields: Mapping[str, Any]) -> GpucompError:
    where = Span(*fields["where"]) if fields["where"] else None
    kind = UserCodeError if fields["code"] == UserCodeError.default_code else GpucompError
    return kind(fields["message"], code=fields["code"], where=where, context=fields["context"], hint=fields["hint"])


def _nothing() -> None:
    raise RuntimeError("no workload is loaded")


def _peer(workload: Mapping[str, Any]) -> Callable[[], object]:
    from gpucomp.cli.workload import call_function, random_inputs
    from gpucomp.kernels import registry

    shape = tuple(workload["shape"]) if workload["shape"] is not None else None
    specs = [(tuple(extents), str(dtype)) for extents, dtype in workload["inputs"]]
    inputs = random_inputs(specs, workload["seed"])
    if workload["file"]:
        reference = call_function(workload["file"], shape)[2]
        assert reference is not None

        def peer() -> object:
            with user_code(f"the reference of {workload['file']}"):
                return reference(*inputs)

        return peer
    assert shape is not None
    return registry.get(workload["op"]).numpy_peer(inputs, shape)


def _warm_up(peer: Callable[[], object]) -> tuple[int, int]:
    """Call it twice, and return how many calls make a turn that is long enough, and how many come before it."""
    _measure(peer, 1)
    each = max(_measure(peer, 1), 1e-9)
    return max(1, math.ceil(_SHORTEST_TURN / each)), math.floor(WAKING_SECONDS / each)


def _measure(peer: Callable[[], object], number: int) -> float:
    began = time.perf_counter()
    for _ in range(number):
        peer()
    return (time.perf_counter() - began) / max(1, number)


def _facts() -> dict[str, object]:
    import numpy as np

    blas: dict[str, Any] = {}
    config: Any = np.show_config(mode="dicts")  # Any: numpy gives it no type
    if isinstance(config, dict):
        blas = config.get("Build Dependencies", {}).get("blas", {})
    return {"version": np.__version__, "blas": f"{blas.get('name', '?')} {blas.get('version', '')}".strip()}


if __name__ == "__main__":
    # What a user's file prints goes to stderr: stdout is for answers.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as _answers:
        os.dup2(2, 1)
        main(sys.stdin, _answers)
