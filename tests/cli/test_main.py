"""The command as it is started: exit status, what goes to stdout and what to stderr."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gpucomp import __version__
from gpucomp.cli.main import cli

ROOT = Path(__file__).parents[2]
ADD = ["--shape", "1000", "--device", "cpu", "--repeat", "2"]


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def start(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gpucomp", *arguments],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=120,
        cwd=ROOT,
    )  # fmt: skip


def test_help_names_every_verb_and_the_version_is_that_of_the_package() -> None:
    help_text = invoke("--help").output
    for verb in ("doctor", "demo", "list", "devices", "bench", "inspect"):
        assert f"\n  {verb} " in help_text
    assert __version__ in invoke("--version").output


def test_the_version_is_the_one_in_pyproject() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'\nversion = "{__version__}"\n' in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bnech"], "No such command 'bnech'"),
        (["bench"], "Missing argument 'OP'"),
        (["bench", "matmull"], "did you mean 'matmul'?"),
        (["bench", "add", "--shape", "4,4"], "add takes 1 extents (N), got 2"),
        (["bench", "add", "--shape", "many"], "--shape 'many' is no list of integers"),
        (["bench", "add", "--dtype", "floot32"], "did you mean 'float32'?"),
        (["bench", "add", "--device", "gpuu"], "no device kind 'gpuu'"),
        (["bench", "add", "--repeat", "0"], "Invalid value for '--repeat'"),
        (["bench", "nowhere.py:f"], "there is no file nowhere.py"),
        (["inspect", "ad"], "did you mean 'add'?"),
        (["inspect", "add", "--target", "cuda13"], "unknown target kind 'cuda13'"),
    ],
)
def test_a_command_line_that_makes_no_sense_ends_with_2(arguments: list[str], words: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.output


def test_a_device_that_is_not_there_ends_with_1_and_never_falls_back() -> None:
    result = invoke("bench", "add", "--device", "cpu:7")
    assert result.exit_code == 1
    assert "cpu(7) is not there" in result.stderr
    assert "help: " in result.stderr
    assert result.stdout == ""


def test_the_list_has_a_line_for_each_operator() -> None:
    lines = invoke("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["op", "add", "matmul", "softmax", "conv2d"]
    records = [json.loads(line) for line in invoke("list", "--json").stdout.splitlines()]
    assert [record["op"] for record in records] == ["add", "matmul", "softmax", "conv2d"]
    assert records[1]["shape"] == ["M", "N", "K"]


def test_one_device_has_a_star() -> None:
    result = invoke("devices", "--json")
    assert result.exit_code == 0
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert "cpu:0" in [record["device"] for record in records]
    assert [record["default"] for record in records].count(True) == 1
    lines = invoke("devices").stdout.splitlines()
    assert sum(line.startswith("*") for line in lines) == 1


def test_bench_writes_one_line_of_json_and_its_log_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    done = start("bench", "add", *ADD, "--json")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    record = json.loads(line)
    assert record["op"] == "add"
    assert record["max_rel_err"] < 1e-6
    assert record["vs_numpy"] > 0
    assert record["numpy"]["removed"] == {"OPENBLAS_CORETYPE": "Prescott"} | {
        name: os.environ[name] for name in ("OPENBLAS_L2_SIZE",) if name in os.environ
    }
    assert "defaults: --dtype float32" in done.stderr
    assert "OPENBLAS_CORETYPE=Prescott" in done.stderr


def test_bench_for_people_has_no_colours_in_a_pipe() -> None:
    result = invoke("bench", "add", *ADD)
    assert result.exit_code == 0, result.stderr
    assert "\x1b" not in result.output
    header, row = result.stdout.splitlines()
    assert header.split()[:3] == ["op", "shape", "dtype"]
    assert row.split()[:3] == ["add", "1000", "float32"]
    assert row.endswith("ok")


def test_bench_runs_a_function_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from gpucomp import te\n"
        "def negate(n):\n"
        "    A = te.placeholder((n,), name='A')\n"
        "    B = te.compute((n,), lambda i: -A[i], name='B')\n"
        "    return te.create_schedule(B.op), [A, B], lambda a: -a\n"
        "def wrong(n):\n"
        "    s, args, _ = negate(n)\n"
        "    return s, args, lambda a: a\n",
        encoding="utf-8",
    )
    result = invoke("bench", f"{path}:negate", *ADD, "--json")
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout)
    assert record["op"] == "mine.py:negate"
    assert record["shape"] == [1000]
    assert record["gflops"] is None
    assert record["max_rel_err"] == 0
    wrong = invoke("bench", f"{path}:wrong", *ADD, "--json")
    assert wrong.exit_code == 1
    assert json.loads(wrong.stdout)["ok"] is False
    assert "WRONG RESULT" in wrong.stderr


WORDS = {"cuda": "blockIdx", "opencl": "get_group_id", "llvm": "define "}


@pytest.mark.parametrize("target", list(WORDS))
@pytest.mark.parametrize("operator", ["add", "matmul", "softmax", "conv2d"])
def test_inspect_shows_source_for_every_target_without_a_device(target: str, operator: str) -> None:
    result = invoke("inspect", operator, "--target", target, "--source")
    assert result.exit_code == 0, result.stderr
    assert WORDS[target] in result.stdout
    assert "--shape" in result.stderr


def test_inspect_says_what_it_assumed() -> None:
    result = invoke("inspect", "add")
    assert "defaults: --target cuda:sm_90, --shape 67108864, --dtype float32" in result.stderr
    quiet = invoke("inspect", "add", "--target", "cuda:sm_80", "--shape", "64", "--dtype", "float16")
    assert quiet.stderr == ""


def test_inspect_shows_the_intermediate_form() -> None:
    result = invoke("inspect", "add", "--target", "llvm", "--shape", "64", "--tir")
    assert result.exit_code == 0, result.stderr
    assert "for " in result.stdout
    record = json.loads(invoke("inspect", "add", "--target", "llvm", "--shape", "64", "--tir", "--json").stdout)
    assert record["form"] == "tir"
    assert record["text"] == result.stdout.rstrip("\n")


def test_doctor_finds_the_cpu_and_ends_with_0() -> None:
    done = start("doctor", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert "cpu:0" in [device["device"] for device in report["devices"] if device["works"]]


@pytest.mark.slow
def test_no_colour_is_honoured_on_a_terminal() -> None:
    """`script` gives the command a terminal."""
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    environment.pop("NO_COLOR", None)
    coloured = on_a_terminal("list", environment)
    plain = on_a_terminal("list", {**environment, "NO_COLOR": "1"})
    assert "\x1b[" in coloured
    assert "\x1b[" not in plain
    assert "matmul" in plain


def on_a_terminal(arguments: str, environment: dict[str, str]) -> str:
    command = ["script", "-qec", f"{sys.executable} -m gpucomp {arguments}", os.devnull]
    return subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout
