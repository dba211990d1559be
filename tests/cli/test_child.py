"""Child processes: what they say, how they end, what they inherit."""

from __future__ import annotations

import os
import sys

import pytest

from gpucomp.cli import child

PYTHON = [sys.executable, "-c"]


def test_lines_of_json_are_collected_and_other_lines_left_out() -> None:
    outcome = child.run([*PYTHON, 'print(\'{"a": 1}\\nhello\\n[2]\\n{"b": 2}\')'], child.environment(), 30)
    assert outcome.records == [{"a": 1}, {"b": 2}]
    assert outcome.failure == ""


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("raise SystemExit(3)", "the process ended with exit status 3"),
        ("import os; os.abort()", "the process was killed by SIGABRT"),
    ],
)
def test_a_bad_end_is_said_in_words(code: str, failure: str) -> None:
    assert child.run([*PYTHON, code], child.environment(), 30).failure == failure


def test_a_child_that_takes_too_long_is_killed_with_its_own_children() -> None:
    code = "import subprocess, sys; print('{}', flush=True); subprocess.run([sys.executable, '-c', 'input()'])"
    outcome = child.run([*PYTHON, f"{code}; import time; time.sleep(60)"], child.environment(), 1.0)
    assert outcome.failure == "no answer within 1 s"
    assert outcome.records == [{}]


def test_a_child_finds_this_gpucomp_from_any_folder(tmp_path: os.PathLike[str]) -> None:
    code = "import gpucomp, json; print(json.dumps({'file': gpucomp.__file__}))"
    env = child.environment({"PYTHONPATH": None}) | {"PYTHONPATH": child.environment()["PYTHONPATH"]}
    outcome = child.run(["env", "-C", str(tmp_path), *PYTHON, code], env, 30)
    assert outcome.records == [{"file": sys.modules["gpucomp"].__file__}]


def test_variables_can_be_set_and_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    made = child.environment({**dict.fromkeys(child.BLAS_VARIABLES), "X": "1"})
    assert made["X"] == "1"
    assert "OPENBLAS_CORETYPE" not in made
    assert os.environ["OPENBLAS_CORETYPE"] == "Prescott"
