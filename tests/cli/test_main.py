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
from gpucomp.kernels.registry import all_operators

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
    assert [line.split()[0] for line in lines] == ["op", *[operator.name for operator in all_operators()]]
    records = [json.loads(line) for line in invoke("list", "--json").stdout.splitlines()]
    assert [record["op"] for record in records] == [operator.name for operator in all_operators()]
    assert next(r for r in records if r["op"] == "matmul")["shape"] == ["M", "N", "K"]


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


USER_FILE = """
from gpucomp import te

def boom(n=4):
    return inner()

def inner():
    raise ValueError("no luck")

def vector(n):
    A = te.placeholder((n,), name="A")
    B = te.compute((n,), lambda i: A[i] + 1.0, name="B")
    return te.create_schedule(B.op), [A, B]

def unchecked(n=100):
    return vector(n)

def symbolic():
    return vector(te.var("n"))

def bad_reference(n=100):
    return *vector(n), lambda a: a + {}

def short_reference(n=100):
    return *vector(n), lambda: 1

def own_fault(n=4):
    s, (A, B) = vector(n)
    s[B].split(B.op.axis[0], factor=-1)
"""


@pytest.fixture
def user_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(USER_FILE, encoding="utf-8")
    return path


@pytest.mark.parametrize("verb", ["bench", "inspect"])
def test_what_a_users_function_raises_is_shown_with_the_users_lines_only(verb: str, user_file: Path) -> None:
    done = start(verb, f"{user_file}:boom")
    assert done.returncode == 1
    assert "boom raised ValueError: no luck" in done.stderr
    assert '--> mine.py:8   raise ValueError("no luck")\n      called from mine.py:5   return inner()' in done.stderr
    assert "Traceback" not in done.stderr
    assert "workload.py" not in done.stderr
    assert done.stdout == ""


def test_a_file_that_cannot_be_loaded_says_where(tmp_path: Path) -> None:
    broken, missing = tmp_path / "broken.py", tmp_path / "missing.py"
    broken.write_text("x = 1\ndef f(:\n", encoding="utf-8")
    missing.write_text("\nimport no_such_module_at_all\n", encoding="utf-8")
    for path, words in ((broken, "broken.py:2   def f(:"), (missing, "missing.py:2   import no_such")):
        for _ in range(2):  # the second time no half of it is left
            result = invoke("inspect", f"{path}:f")
            assert result.exit_code == 1
            assert f"--> {words}" in result.stderr
            assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("function", "words"), [("bad_reference", "--> mine.py:22"), ("short_reference", "TypeError")])
def test_what_a_reference_raises_is_one_clear_error(function: str, words: str, user_file: Path) -> None:
    done = start("bench", f"{user_file}:{function}", "--device", "cpu")
    assert done.returncode == 1
    assert f"the reference of {user_file}:{function} raised TypeError" in done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_errors_name_no_lines_of_the_command_line_library_but_those_of_the_user(user_file: Path) -> None:
    assert "-->" not in start("bench", "add", "--device", "cpu:7").stderr
    own = invoke("inspect", f"{user_file}:own_fault")
    assert own.exit_code == 1
    assert "--> mine.py:29   s[B].split" in own.stderr


def test_bench_without_a_reference_says_that_nothing_was_checked(user_file: Path) -> None:
    arguments = ("bench", f"{user_file}:unchecked", "--device", "cpu", "--repeat", "1")
    text = invoke(*arguments)
    assert text.exit_code == 0, text.stderr
    assert text.stdout.rstrip().endswith("  not checked")
    assert text.stdout.count("not checked") == 1
    record = json.loads(invoke(*arguments, "--json").stdout)
    assert record["ok"] is None
    assert record["max_rel_err"] is None


@pytest.mark.parametrize("target", ["cuda", "opencl", "llvm"])
def test_inspect_shows_functions_with_symbolic_extents(target: str, user_file: Path) -> None:
    result = invoke("inspect", f"{user_file}:symbolic", "--target", target, "--json")
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout)
    assert record["shape"] == ["n"]
    assert WORDS[target] in record["text"]
    assert "--shape" not in result.stderr
    assert invoke("bench", f"{user_file}:symbolic", "--device", "cpu").exit_code == 2


def test_inspect_shows_one_form_at_a_time() -> None:
    result = invoke("inspect", "add", "--source", "--tir")
    assert result.exit_code == 2
    assert "--source and --tir exclude each other" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["softmax", "--shape", "4096,8192"], "rows stay in registers"),
        (["softmax", "--shape", "256,262144", "--dtype", "bfloat16"], "shared memory"),
        (["transpose", "--shape", "301,207", "--dtype", "float16"], "whole vectors"),
        (["matmul", "--shape", "512,512,512"], "blocks"),
        (["add"], "a vector of 16 bytes for each thread"),
        (["add", "--target", "llvm"], "gives no reason"),
    ],
)
def test_inspect_says_why_a_tile_was_chosen(arguments: list[str], words: str) -> None:
    result = invoke("inspect", *arguments, "--why")
    assert result.exit_code == 0, result.stderr
    assert words in result.stdout


def test_a_schedule_of_the_users_gives_no_reasons(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from gpucomp import te\n"
        "def touched():\n"
        "    A = te.placeholder((64,), name='A')\n"
        "    B = te.compute((64,), lambda i: A[i] + 1.0, name='B')\n"
        "    s = te.create_schedule(B.op)\n"
        "    s[B].bind(B.op.axis[0], te.thread_axis('threadIdx.x'))\n"
        "    return s, [A, B]\n"
    )
    result = invoke("inspect", f"{file}:touched", "--why")
    assert result.exit_code == 2
    assert "which gives no reasons" in result.stderr


@pytest.mark.parametrize("form", ["--why", "--schedule"])
def test_inspect_says_what_a_default_schedule_chose(user_file: Path, form: str) -> None:
    result = invoke("inspect", f"{user_file}:symbolic", form)
    assert result.exit_code == 0, result.stderr
    assert "by default, for nobody scheduled it:\n  B: each thread a vector of 4 elements" in result.stdout


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
    assert "defaults: --shape 4194304, --dtype float32" in invoke("inspect", "add", "--target", "llvm").stderr
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


def test_inspect_draws_the_schedule() -> None:
    result = invoke("inspect", "softmax", "--shape", "8,300", "--schedule")
    assert result.exit_code == 0
    assert "   kernel: grid 1, block 32 x 8" in result.stdout
    assert "row_max  float32[1]  local 4 B  <- X" in result.stdout
    record = json.loads(invoke("inspect", "add", "--schedule", "--json").stdout)
    assert record["form"] == "schedule"
    assert "blockIdx.x" in record["text"]
