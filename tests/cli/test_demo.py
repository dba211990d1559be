"""``gpucomp demo``: every device, every operator, sources in a folder that it names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gpucomp.cli import demo
from gpucomp.cli.main import cli
from gpucomp.cli.survey import survey
from gpucomp.support.diagnostics import GpucompError

OPERATORS = ["add", "matmul", "softmax", "conv2d"]


@pytest.fixture
def one_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is timed nine times in turns with numpy for people is timed once."""
    monkeypatch.setattr(demo, "_REPEATS", 1)


@pytest.mark.slow
@pytest.mark.usefixtures("one_turn")
def test_every_device_is_checked_and_sources_are_kept(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["demo", "--out", str(tmp_path / "demo")])
    assert result.exit_code == 0, result.output
    titles = [d.title for kind in survey() for d in kind.devices if d.works and not d.is_simulator]
    for title in titles:
        assert title in result.stdout
    assert result.stdout.count(" ok\n") == len(OPERATORS) * len(titles)
    assert str(tmp_path / "demo") in result.stdout
    kept = {path.relative_to(tmp_path / "demo").as_posix() for path in (tmp_path / "demo").rglob("*.*")}
    assert {f"cpu-0/{name}.ll" for name in OPERATORS} <= kept
    if "cuda:0" not in titles:
        assert {f"cuda-sm_90/{name}.cu" for name in OPERATORS} <= kept
    last = result.stdout.rstrip().splitlines()[-4:]
    assert last[0] == "next:"
    assert [line.split(" ", 3)[-1].split()[-1] for line in last[1:]] != []
    assert "inspect matmul --target cuda --source" in last[2]


@pytest.mark.slow
@pytest.mark.usefixtures("one_turn")
def test_the_json_form_is_one_record_for_each_device_and_operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor = [kind for kind in survey() if any([device.kind == "cpu" for device in kind.devices])]
    monkeypatch.setattr(demo, "survey", lambda: processor)
    result = CliRunner().invoke(cli, ["demo", "--json", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(record["device"], record["op"]) for record in records] == [("cpu:0", name) for name in OPERATORS]
    assert all(record["ok"] for record in records)


def test_the_next_commands_name_the_device_that_was_found() -> None:
    commands = demo.next_commands("cpu:0")
    assert len(commands) == 3
    assert commands[2].endswith("bench softmax --shape 1024,1024 --device cpu:0")


def test_commands_are_said_as_they_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "gpucomp"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin")
    assert demo._shortest(str(program)) == "bin/gpucomp"
    monkeypatch.chdir("/")
    monkeypatch.setenv("PATH", str(program.parent))
    assert demo._shortest(str(program)) == "gpucomp"
    monkeypatch.chdir(program.parent)
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir("/usr")
    assert demo._shortest(str(program)) == str(program)


def test_a_folder_that_cannot_be_written_is_said_when_it_was_asked_for(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(GpucompError, match="cannot write to"):
        demo._writable(blocked / "demo", asked=True)
    elsewhere = demo._writable(blocked / "demo", asked=False)
    assert elsewhere.is_dir()
    elsewhere.rmdir()
