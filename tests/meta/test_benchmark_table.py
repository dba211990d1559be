"""The table of measurements in the README is what the recorded rows say."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any  # values of JSON rows

from tests.meta.source import ROOT, run_in_checkout

SCRIPT = str(ROOT / "ci" / "benchmark_table.py")
EMPTY = "# x\n\n<!-- measured: written by ci/benchmark_table.py -->\n\nold\n\n<!-- end of measured -->\n\nrest\n"


def row(**changes: Any) -> str:
    values = {
        "op": "matmul", "shape": [64, 32, 16], "dtype": "float32", "backend": "cuda", "device": "cuda:0",
        "device_name": "a GPU", "driver": "13.0", "seconds": 0.00125, "gflops": 31234.5, "gbps": 161.4,
        "vs_numpy": 12.25, "max_rel_err": 1.24e-6, "ok": True,
    }  # fmt: skip
    return json.dumps(values | changes)


def make(folder: Path, *lines: str, name: str = "2026-11-22-a.jsonl", check: bool = False) -> tuple[int, str, str]:
    """Exit status, document and messages after a run of the script."""
    document, rows = folder / "page.md", folder / "rows"
    rows.mkdir(exist_ok=True)
    if lines:
        (rows / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    if not document.exists():
        document.write_text(EMPTY, encoding="utf-8")
    options = ["--document", str(document), "--rows", str(rows), *(["--check"] if check else [])]
    done = run_in_checkout([sys.executable, SCRIPT, *options])
    return done.returncode, document.read_text(encoding="utf-8"), done.stderr


def test_the_pages_of_suites_show_what_is_recorded() -> None:
    done = run_in_checkout([sys.executable, str(ROOT / "ci" / "suite_table.py"), "--check"])
    assert done.returncode == 0, done.stderr


def test_the_readme_shows_what_is_recorded() -> None:
    done = run_in_checkout([sys.executable, SCRIPT, "--check"])
    assert done.returncode == 0, done.stderr or "run python ci/benchmark_table.py"


def test_a_row_becomes_a_line_of_the_table(tmp_path: Path) -> None:
    status, text, _ = make(tmp_path, row())
    assert status == 0
    cells = "matmul | 64 x 32 x 16 | float32 | cuda: a GPU (13.0) | 1.25 ms | 31,234 | 161 | 12x | 1.2e-06 | 2026-11-22"
    assert f"\n| {cells} |\n" in text
    assert text.startswith("# x\n")
    assert text.endswith("\n\nrest\n")


def test_the_latest_of_equal_rows_counts_and_gpus_come_first(tmp_path: Path) -> None:
    make(tmp_path, row(seconds=2.0), row(backend="llvm", device_name="a processor"))
    _, text, _ = make(tmp_path, row(seconds=3e-6), name="2026-12-01-b.jsonl")
    assert "| 2 s |" not in text
    assert text.index("| 3 us |") < text.index("a processor")


def test_check_tells_an_old_table_and_writes_nothing(tmp_path: Path) -> None:
    assert make(tmp_path, row(), check=True)[:2] == (1, EMPTY)
    assert make(tmp_path)[0] == 0
    assert make(tmp_path, check=True)[0] == 0


def test_a_wrong_result_is_refused(tmp_path: Path) -> None:
    status, text, message = make(tmp_path, row(ok=False))
    assert (status, text) == (1, EMPTY)
    assert "2026-11-22-a.jsonl:1: the result of matmul was wrong" in message


def test_without_rows_the_table_says_so(tmp_path: Path) -> None:
    assert "\n\nNo figures are recorded yet.\n\n" in make(tmp_path)[1]
