"""What the documents say can be done: their code runs and prints what they show, their commands exist."""

from __future__ import annotations

import doctest
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from gpucomp.cli.main import cli
from tests.meta.documents import DOCUMENTS, blocks, commands, run, sessions, write_files
from tests.meta.source import ROOT, python_files, run_in_checkout
from tests.tiers import tiered

VARYING = ("bench", "devices", "doctor", "demo")  # verbs whose output depends on the machine


def in_folder(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the checkout's package in another folder."""
    path = os.pathsep.join([str(ROOT), str(folder), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def check_gpucomp_command(words: list[str]) -> None:
    """A `gpucomp VERB ...` line: the verb is there, and each option is one of its own."""
    assert isinstance(cli, click.Group)
    verb = cli.commands.get(words[0])
    assert verb is not None, f"gpucomp has no verb {words[0]!r}"
    if isinstance(verb, click.Group):  # `bench softmax` is `bench op softmax`
        named = words[1] if len(words) > 1 else "op"
        verb = verb.commands.get(named, verb.commands["op"])
    known = {option for parameter in verb.params for option in parameter.opts} | {"--help"}
    unknown = [word for word in words[1:] if word.startswith("--") and word.split("=")[0] not in known]
    assert not unknown, f"gpucomp {words[0]} has no {unknown}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_in_a_document_exist(document: str) -> None:
    for words in commands(document):
        if words[0] == "bash" or words[0].startswith("ci/"):
            script = ROOT / (words[1] if words[0] == "bash" else words[0])
            assert script.is_file(), f"{document}: {words}"
        program = Path(words[0]).name
        if program == "gpucomp" and len(words) > 1:
            check_gpucomp_command(words[1:])
        if words[:3] == ["python", "-m", "gpucomp"]:
            check_gpucomp_command(words[3:])


def test_the_readme_begins_with_its_two_commands() -> None:
    lines = [" ".join(words) for words in commands("README.md")]
    assert lines.index("bash ci/demo") < lines.index("bash ci/test")


WITH_PYTHON = [
    name
    for name in DOCUMENTS
    if any(b.language == "python" for b in blocks(name)) and not name.startswith("docs/primitives/")
]  # the pages of primitives are many and small: test_primitive_pages.py runs them without a process for each


@pytest.mark.parametrize("document", tiered(WITH_PYTHON, ("README.md", "docs/tutorials/dynamic-shapes.md")))
def test_python_code_in_a_document_runs_and_prints_what_is_shown(document: str, tmp_path: Path) -> None:
    done = in_folder(tmp_path, "-m", "tests.meta.documents", document)
    assert done.returncode == 0, done.stderr


def test_the_readme_shows_the_same_kernel_in_both_languages() -> None:
    languages = [block.language for block in blocks("README.md")]
    assert [name for name in languages if name in ("cuda", "opencl")] == ["cuda", "opencl"]


def test_output_that_differs_from_a_document_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.meta.documents.ROOT", tmp_path)
    text = "```python\ncuda = 'x'\nprint(1 + 1)\n```\n\n```text\n3\n```\n\n```cuda\ny\n```\n"
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    assert len(run("page.md")) == 2


@pytest.mark.parametrize("document", DOCUMENTS)
def test_console_sessions_show_what_is_printed(document: str) -> None:
    for command, shown in sessions(document):
        program, verb, *rest = command.split()
        assert program == "gpucomp"
        done = run_in_checkout([sys.executable, "-m", "gpucomp", verb, *rest])
        assert done.returncode == 0, done.stderr
        if verb not in VARYING:
            parts = [re.escape(part) for part in (shown.rstrip() + "\n").split("\n...\n")]  # dots stand for lines
            assert re.fullmatch("\n(?:.*\n)+?".join(parts), done.stdout.rstrip() + "\n"), f"{command}\n{done.stdout}"
        else:
            assert done.stdout.split("\n")[0].split() == shown.split("\n")[0].split(), command


def test_the_matrix_product_of_getting_started_is_right_under_bench(tmp_path: Path) -> None:
    write_files("docs/getting-started.md", tmp_path)
    shape = ("--shape", "96,80,64", "--device", "cpu", "--repeat", "1", "--json")
    done = in_folder(tmp_path, "-m", "gpucomp", "bench", "matmul.py:tiled", *shape)
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert row["max_rel_err"] < 1e-5


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_to_files_of_the_checkout_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    targets: list[str] = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
    broken = [target for target in targets if not ((ROOT / document).parent / target).exists()]
    assert not broken


WITH_EXAMPLES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in python_files("gpucomp")
    if ">>> " in path.read_text(encoding="utf-8") and path.parent.name != "te"
]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_in_docstrings_hold(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0
