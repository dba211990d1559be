"""What the documents say can be done: README's code runs, its commands exist, examples in docstrings hold."""

from __future__ import annotations

import doctest
import importlib
import re
import shlex
import sys
from pathlib import Path

import click
import pytest

from gpucomp.cli.main import cli
from tests.meta.source import ROOT, python_files, run_in_checkout

DOCUMENTS = ("README.md", *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").glob("*.md"))))


def blocks(document: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    text = (ROOT / document).read_text(encoding="utf-8")
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return found


def commands(document: str) -> list[list[str]]:
    """The words of every line of the shell blocks, comments left out."""
    lines = [line for block in blocks(document, "sh") for line in block.splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def check_gpucomp_command(words: list[str]) -> None:
    """A `gpucomp VERB ...` line: the verb is there, and each option is one of its own."""
    assert isinstance(cli, click.Group)
    verb = cli.commands.get(words[0])
    assert verb is not None, f"gpucomp has no verb {words[0]!r}"
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


@pytest.mark.parametrize("document", DOCUMENTS)
def test_python_code_in_a_document_runs(document: str, tmp_path: Path) -> None:
    for number, code in enumerate(blocks(document, "python")):
        script = tmp_path / f"block{number}.py"
        script.write_text(code, encoding="utf-8")
        done = run_in_checkout([sys.executable, str(script)])
        assert done.returncode == 0, f"{document}, block {number}:\n{code}\n{done.stderr}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_to_files_of_the_checkout_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    targets: list[str] = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
    broken = [target for target in targets if not ((ROOT / document).parent / target).exists()]
    assert not broken


# Those of te share one set of tensors and schedules, and are run by tests/te/test_docstrings.py.
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
