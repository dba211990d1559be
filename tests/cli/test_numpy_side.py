"""The process in which numpy is timed."""

from __future__ import annotations

import json
import subprocess
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from gpucomp.cli import child, numpy_side
from gpucomp.cli.numpy_side import NumpySide, removed_variables
from gpucomp.support.diagnostics import GpucompError

ADD = {"op": "add", "file": "", "shape": [1000], "inputs": [[[1000], "float32"]] * 2, "seed": 0}


def test_numpy_is_timed_in_turns() -> None:
    with NumpySide() as numpy:
        numpy.load(ADD)
        times = [numpy.seconds() for _ in range(3)]
        numpy.load({**ADD, "shape": [2_000_000], "inputs": [[[2_000_000], "float32"]] * 2})
        longer = min(numpy.seconds() for _ in range(3))
    assert all(seconds > 0 for seconds in times)
    assert longer > min(times)
    assert numpy.facts["version"] == np.__version__


def test_the_variables_that_slow_numpy_down_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    seen: list[dict[str, str]] = []

    class Fake(subprocess.Popen[str]):
        def __init__(self, *args: object, env: dict[str, str], **options: object) -> None:
            seen.append(env)
            super().__init__(["true"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    monkeypatch.setattr(numpy_side.subprocess, "Popen", Fake)
    with NumpySide():
        pass
    assert "OPENBLAS_CORETYPE" not in seen[0]
    assert removed_variables() == {"OPENBLAS_CORETYPE": "Prescott"}


def test_a_process_that_dies_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "command", lambda module: ["sh", "-c", "exit 9"])
    with NumpySide() as numpy, pytest.raises(GpucompError, match="ended with status 9"):
        numpy.load(ADD)


def test_a_users_reference_is_the_peer_of_a_users_function(tmp_path: Path) -> None:
    path = tmp_path / "user.py"
    path.write_text(
        "import numpy as np\n"
        "from gpucomp import te\n"
        "def op(n):\n"
        "    print('chatting')\n"
        "    A = te.placeholder((n,), name='A')\n"
        "    B = te.compute((n,), lambda i: A[i] + 1.0, name='B')\n"
        "    def reference(a):\n"
        "        print('called')\n"
        "        assert a.dtype == np.float32 and a.shape == (n,)\n"
        "        return a + 1\n"
        "    return te.create_schedule(B.op), [A, B], reference\n",
        encoding="utf-8",
    )
    question = {"op": "x", "file": f"{path}:op", "shape": [16], "inputs": [[[16], "float32"]], "seed": 0}
    with NumpySide() as numpy:
        numpy.load(question)
        assert numpy.seconds() > 0


def test_the_protocol_is_one_answer_for_each_question() -> None:
    answers = StringIO()
    questions = [json.dumps({"load": ADD}), json.dumps({"time": True})]
    numpy_side.main(StringIO("\n".join(questions)), answers)
    loaded, timed = [json.loads(line) for line in answers.getvalue().splitlines()]
    assert "blas" in loaded
    assert timed["seconds"] > 0
