"""ci/tile_oracle.py without a GPU: what it would time, and how results of several runs are joined."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.meta.source import ROOT, run_in_checkout

SCRIPT = str(ROOT / "ci" / "tile_oracle.py")


def test_every_shape_has_candidates_and_a_default() -> None:
    lines = run_in_checkout([sys.executable, SCRIPT, "--list"]).stdout.splitlines()
    assert len(lines) == 30
    assert all(int(line.split()[1]) > 1 and "default: " in line for line in lines)
    some = run_in_checkout([sys.executable, SCRIPT, "--list", "--part", "2/3"]).stdout.splitlines()
    assert some == lines[1::3]


def test_runs_are_joined_and_the_last_one_of_a_shape_counts(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(_line(256, 0.5) + _line(512, 0.95), encoding="utf-8")
    (tmp_path / "b").write_text(_line(256, 1.0) + _line(768, 0.8), encoding="utf-8")
    out = tmp_path / "all.json"
    names = [str(tmp_path / name) for name in "ab"]
    done = run_in_checkout([sys.executable, SCRIPT, "--merge", *names, "--out", str(out)])
    total = json.loads(done.stdout)
    assert (total["shapes"], total["at_least_0.9"], total["least"]) == (3, 2, 0.8)
    assert [record["of_best"] for record in json.loads(out.read_text(encoding="utf-8"))["shapes"]] == [1.0, 0.95, 0.8]


def test_a_phase_needs_its_folder() -> None:
    done = run_in_checkout([sys.executable, SCRIPT, "--time-only"])
    assert done.returncode == 2
    assert "--folder" in done.stderr


def _line(n: int, of_best: float) -> str:
    return json.dumps({"shape": [n, n, n], "of_best": of_best}) + "\n"
