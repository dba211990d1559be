"""The page about random schedules says what the summary of the recorded run says."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any  # values of JSON

import pytest

from tests.fuzz.report import Report
from tests.fuzz.runner import Outcome, draw_case
from tests.meta.source import ROOT, run_in_checkout

SCRIPT = str(ROOT / "ci" / "fuzz_table.py")
END = "<!-- end of what ci/fuzz_table.py writes -->\n"
EMPTY = (
    f"# x\n\n<!-- run: written by ci/fuzz_table.py -->\n\nold\n\n{END}\nby hand\n\n"
    f"<!-- tables: written by ci/fuzz_table.py -->\n\nold\n\n{END}\nrest\n"
)


def outcome(status: str, detail: str, *used: str) -> Outcome:
    ran = ("interp", "cpu") if status == "equal" else ()
    return Outcome(status=status, detail=detail, script="", used=used, ran=ran, seconds=0.5)


@pytest.fixture
def summary(tmp_path: Path) -> Path:
    """What the fuzzer itself writes after four cases."""
    report = Report(7, tmp_path / "run")
    equal, refused = replace(draw_case(7, 0), workload="softmax"), replace(draw_case(7, 1), workload="argmax")
    report.add(0, equal, outcome("equal", "", "split", "bind"))
    report.add(1, equal, outcome("equal", "", "split"))
    report.add(2, refused, outcome("illegal", "GC102: split axis 'x' | of stage x is gone", "split"))
    report.add(3, refused, outcome("illegal", ("GC105: " + "some words " * 8)[:87], "split"))
    report.close({"wall_seconds": 3.6, "jobs": 2, "command": "--cases 4 --seed 7 --out somewhere --jobs 2"})
    return tmp_path / "run" / "summary.json"


def make(folder: Path, *options: str, page: str = EMPTY) -> tuple[int, str, str]:
    """Exit status, page and messages after a run of the script."""
    document = folder / "page.md"
    if not document.exists():
        document.write_text(page, encoding="utf-8")
    command = [sys.executable, SCRIPT, "--page", str(document), "--kept", str(folder / "kept.json"), *options]
    done = run_in_checkout(command)
    return done.returncode, document.read_text(encoding="utf-8"), done.stderr


def changed(path: Path, **changes: Any) -> Path:
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")
    return path


def test_the_page_shows_the_recorded_run() -> None:
    done = run_in_checkout([sys.executable, SCRIPT, "--check"])
    assert done.returncode == 0, done.stderr or "run python ci/fuzz_table.py"


def test_a_run_becomes_a_paragraph_and_three_tables(summary: Path, tmp_path: Path) -> None:
    status, text, message = make(tmp_path, "--record", str(summary))
    assert (status, message) == (0, "")
    assert "`bash ci/fuzz --cases 4 --seed 7 --jobs 2` drew 4 schedules of 2 workloads, 50.0% of them legal" in text
    assert "on the interpreter and the CPU with numpy: 2 are equal" in text
    assert "**0 are wrong, crashed or hung**" in text
    assert "| GC102 | 1 | split axis 'x' \\| of stage x is gone |\n" in text
    assert f"| GC105 | 1 | {'some words ' * 7}... |\n" in text
    assert "\n| split | 4 | 2 |\n| bind | 1 | 1 |\n" in text
    assert "\n| bind | bind, split |\n| split | split |\n" in text
    assert text.startswith("# x\n")
    assert "\nby hand\n" in text
    assert text.endswith("\nrest\n")
    assert "old" not in text
    kept = (tmp_path / "kept.json").read_text(encoding="utf-8")
    assert json.loads(kept)["cases"] == 4
    assert "somewhere" not in kept


def test_check_tells_an_old_page_and_writes_nothing(summary: Path, tmp_path: Path) -> None:
    assert make(tmp_path, "--record", str(summary))[0] == 0
    assert make(tmp_path, "--check")[0] == 0
    changed(tmp_path / "kept.json", wall_seconds=99.0)
    before = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert make(tmp_path, "--check")[:2] == (1, before)


def test_a_run_with_failures_is_refused(summary: Path, tmp_path: Path) -> None:
    failed = changed(summary, failures=[{"index": 3, "workload": "argmax"}])
    status, text, message = make(tmp_path, "--record", str(failed))
    assert (status, text) == (1, EMPTY)
    assert "1 cases failed, the first is {'index': 3" in message


def test_a_summary_of_another_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"seed": 1}', encoding="utf-8")
    status, text, message = make(tmp_path, "--record", str(tmp_path / "other.json"))
    assert (status, text) == (1, EMPTY)
    assert "the summary has no cases, date" in message


def test_a_page_without_markers_is_refused(summary: Path, tmp_path: Path) -> None:
    status, text, message = make(tmp_path, "--record", str(summary), page="# x\n")
    assert (status, text) == (1, "# x\n")
    assert "no markers for its run" in message
    assert not (tmp_path / "kept.json").exists()
