"""The pages of primitives: one for each, true to the docstrings, and their programs run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ci import primitive_pages
from tests.meta.documents import run
from tests.meta.source import ROOT, run_in_checkout

SCRIPT = str(ROOT / "ci" / "primitive_pages.py")
PAGES = primitive_pages.pages()


def test_every_primitive_of_stages_and_schedules_is_told_on_a_page() -> None:
    missing = set(primitive_pages.primitives()) - set(PAGES) - set(primitive_pages.TOLD_ON)
    assert not missing, f"list them in FAMILIES of {SCRIPT}, and write docs/primitives/NAME.md"
    for name, page in primitive_pages.TOLD_ON.items():
        assert f"{name}(" in (primitive_pages.FOLDER / f"{page}.md").read_text(encoding="utf-8")


def test_the_primitives_are_found_by_themselves() -> None:
    found = primitive_pages.primitives()
    assert {"split", "transform_layout", "rolling_buffer", "tensorize", "cache_read", "create_group"} <= set(found)


def test_there_is_a_page_for_each_line_of_the_contents_and_no_other() -> None:
    assert sorted(path.stem for path in primitive_pages.FOLDER.glob("*.md")) == sorted([*PAGES, "README"])


def test_the_pages_say_what_the_docstrings_say() -> None:
    done = run_in_checkout([sys.executable, SCRIPT, "--check"])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", PAGES)
def test_the_programs_of_a_page_run_and_print_what_is_shown(name: str) -> None:
    problems = run(f"docs/primitives/{name}.md")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_a_program_and_says_when_to_use_it(name: str) -> None:
    text = (primitive_pages.FOLDER / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {name}\n\n")
    assert "```python\n" in text
    assert "\n## When\n" in text or name in ("create_schedule", "SpecializedCondition")


def test_a_page_that_differs_from_its_docstring_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for path in primitive_pages.FOLDER.glob("*.md"):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(primitive_pages, "FOLDER", tmp_path)
    assert primitive_pages.main(["--check"]) == 0
    page = tmp_path / "split.md"
    page.write_text(page.read_text(encoding="utf-8").replace("a leaf axis", "an axis"), encoding="utf-8")
    assert primitive_pages.main(["--check"]) == 1
    assert primitive_pages.main([]) == 0
    assert primitive_pages.main(["--check"]) == 0
    (tmp_path / "tile.md").write_text("# tile\n", encoding="utf-8")
    assert primitive_pages.main(["--check"]) == 1
