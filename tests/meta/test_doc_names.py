"""What the documents name exists: files of the checkout, modules and their members, scripts."""

from __future__ import annotations

import importlib
import re
from typing import Final

import pytest

from tests.meta.documents import DOCUMENTS
from tests.meta.source import ROOT, text_of

CODE: Final = re.compile(r"`([^`\n]+)`")
PATH: Final = re.compile(r"[\w.{},*-]+(?:/[\w.{},*-]+)+\.(?:py|md|j2|cuh|toml|jsonl?|svg|sh)")
DOTTED: Final = re.compile(r"(?<![\w./-])gpucomp(?:\.[A-Za-z_]\w*)+")
SCRIPT: Final = re.compile(r"(?:bash|python) ((?:ci|tests)/[\w./-]+)")
MODULE: Final = re.compile(r"python -m ((?:tests|kernels|gpucomp)(?:\.\w+)*)")
# Paths are written from the checkout or from the package; those of the operator library from its folder.
BASES: Final = (ROOT, ROOT / "gpucomp", ROOT / "kernels")
WRITTEN: Final = frozenset({"gpucomp.log"})  # files that commands write, which look like names


def alternatives(path: str) -> list[str]:
    """``a/{b,c}.py`` as two paths."""
    found = re.search(r"\{([^{}]*)\}", path)
    if found is None:
        return [path]
    parts = [path[: found.start()] + x + path[found.end() :] for x in found.group(1).split(",")]
    return [whole for part in parts for whole in alternatives(part)]


def is_there(path: str) -> bool:
    return all([any([any(base.glob(one)) for base in BASES]) for one in alternatives(path)])


def resolves(name: str) -> bool:
    """A module, or members of one, one inside the other."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for member in parts[count:]:
            if not hasattr(found, member):
                return False
            found = getattr(found, member)
        return True
    return False


def missing(text: str) -> list[str]:
    """What a text names that is not there."""
    paths = {path for code in CODE.findall(text) for path in PATH.findall(code)}
    names = {name for name in DOTTED.findall(text) if name not in WRITTEN}
    return [
        *sorted([path for path in paths if not is_there(path)]),
        *sorted([name for name in names | set(MODULE.findall(text)) if not resolves(name)]),
        *sorted([path for path in set(SCRIPT.findall(text)) if not (ROOT / path).is_file()]),
    ]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_names_exists(document: str) -> None:
    assert missing(text_of(ROOT / document)) == []


def test_names_that_are_not_there_are_found() -> None:
    text = (
        "`te/gone.py`, `te/{api,tensor}.py`, `gpucomp.te.gone`, gpucomp.te.compute, `bash ci/gone`, `gpucomp/te/ap*.py`"
    )
    assert missing(text) == ["te/gone.py", "gpucomp.te.gone", "ci/gone"]


def test_the_map_of_the_code_names_every_folder_of_the_package() -> None:
    rows = [line.split("|")[1] for line in text_of(ROOT / "docs/architecture.md").splitlines() if line.startswith("|")]
    listed = {name for row in rows for name in CODE.findall(row)}
    folders = {path.parent.name for path in (ROOT / "gpucomp").glob("*/__init__.py")}
    assert folders <= listed
