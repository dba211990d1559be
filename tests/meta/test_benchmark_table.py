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
        "family": "gemm", "op": "matmul", "group": "plain", "dtype": "float32", "device_name": "a GPU", "ok": True,
        "date": "2026-11-22", "seconds": 2e-3, "of_roof": 0.5,
        "peers": {"torch": {"seconds": 2e-3}}, "vs_best_peer": 1.0,
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


def test_a_group_becomes_a_line_with_its_geometric_mean_its_least_and_a_link(tmp_path: Path) -> None:
    status, text, _ = make(tmp_path, row(vs_best_peer=0.5, of_roof=0.25), row(vs_best_peer=2.0, of_roof=1.0))
    assert status == 0
    cells = "[products, plain](rows/2026-11-22-a.md) | float32 | 2 | torch | 1.00 | 0.50 | 0.50 | a GPU | 2026-11-22"
    assert f"\n| {cells} |\n" in text
    assert text.startswith("# x\n")
    assert text.endswith("\n\nrest\n")


def test_rows_without_a_group_have_a_line_for_each_operator(tmp_path: Path) -> None:
    softmax = {"family": "rows", "group": None, "op": "softmax"}
    lines = [row(**softmax), row(**softmax, dtype="float16", vs_best_peer=None, peers={"torch": None})]
    _, text, _ = make(tmp_path, *lines, row(family="rows", group=None, op="row_sum"))
    assert "| [softmax](rows/2026-11-22-a.md) | float32, float16 | 1 | torch | 1.00 |" in text
    assert "| [row_sum](" in text


def test_our_opencl_is_set_beside_our_cuda_and_not_beside_the_fastest_form(tmp_path: Path) -> None:
    peers = {"opencl": {"seconds": 4e-3}, "opencl-plain": {"seconds": 1e-3}}
    _, text, _ = make(tmp_path, row(family="rows", group=None, peers=peers, vs_best_peer=0.5))
    assert "our OpenCL beside our CUDA](rows/2026-11-22-a.md) | float32 | 1 | CUDA | 0.50 | 0.50 |" in text


def test_check_tells_an_old_table_and_writes_nothing(tmp_path: Path) -> None:
    assert make(tmp_path, row(), check=True)[:2] == (1, EMPTY)
    assert make(tmp_path)[0] == 0
    assert make(tmp_path, check=True)[0] == 0


def test_a_wrong_result_is_refused(tmp_path: Path) -> None:
    status, text, message = make(tmp_path, row(ok=False))
    assert (status, text) == (1, EMPTY)
    assert "2026-11-22-a.jsonl:1: the result of matmul was wrong" in message


def test_a_row_of_another_form_is_refused(tmp_path: Path) -> None:
    status, text, message = make(tmp_path, '{"op": "matmul"}')
    assert (status, text) == (1, EMPTY)
    assert "2026-11-22-a.jsonl:1: the row has no dtype, seconds" in message


def test_without_rows_the_table_says_so(tmp_path: Path) -> None:
    assert "\n\nNo figures are recorded yet.\n\n" in make(tmp_path)[1]
