"""The quick tier is chosen by measured time, and keeps something of every file and of most functions."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from tests.meta.source import ROOT, run_in_checkout

LIST = ROOT / "tests" / "not_quick.txt"
LOG = """
1.50s call     tests/te/test_a.py::test_dear[x]
0.50s setup    tests/te/test_a.py::test_dear[x]
0.40s call     tests/te/test_a.py::test_dear[a b]
0.30s call     tests/te/test_a.py::test_cheap
9.00s call     tests/te/test_b.py::test_alone
0.20s teardown tests/te/test_c.py::test_of_a_class[1]
0.10s call     tests/te/test_c.py::test_of_a_class[2]
0.60s call     tests/te/test_c.py::test_other
"""


def chosen(folder: Path, log: str, seconds: float) -> tuple[int, list[str], str]:
    (folder / "log").write_text(log, encoding="utf-8")
    options = [str(folder / "log"), "--seconds", str(seconds), "--list", str(folder / "list")]
    done = run_in_checkout([sys.executable, str(ROOT / "ci" / "quick_list.py"), *options])
    made = folder / "list"
    return done.returncode, made.read_text(encoding="utf-8").splitlines() if made.exists() else [], done.stderr


def test_one_case_of_each_function_comes_first_and_each_file_keeps_a_test(tmp_path: Path) -> None:
    status, out, _ = chosen(tmp_path, LOG, 1.45)
    assert status == 0
    # 0.1, 0.3, 0.4 and 0.6 are the cheapest of their functions and fit; 0.2 does not any more.
    assert out == ["tests/te/test_a.py::test_dear[x]", "tests/te/test_c.py::test_of_a_class[1]"]
    _, out, _ = chosen(tmp_path, LOG, 0.0)
    assert [name.partition("::")[2] for name in out] == [
        "test_dear[a b]",
        "test_dear[x]",
        "test_of_a_class[1]",
        "test_other",
    ]


def test_a_log_without_times_is_refused(tmp_path: Path) -> None:
    status, out, message = chosen(tmp_path, "5 passed in 1.00s\n", 10.0)
    assert (status, out) == (1, [])
    assert "--durations=0" in message


def test_what_is_left_out_exists() -> None:
    names = LIST.read_text(encoding="utf-8").splitlines()
    assert names == sorted(set(names))
    functions: dict[str, set[str]] = {}
    for name in names:
        file, _, function = name.partition("[")[0].partition("::")
        if file not in functions:
            tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
            functions[file] = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert function in functions[file], (
            f"{name} is no test any more: run ci/quick_list.py, or take it out of the list"
        )
