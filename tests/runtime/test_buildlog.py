from __future__ import annotations

from pathlib import Path

import pytest

from gpucomp.runtime.buildlog import build_error
from gpucomp.support.config import config
from gpucomp.support.diagnostics import BuildError

SOURCE = "".join(f"line {number};\n" for number in range(1, 12))


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path) -> object:
    with config.override(cache_dir=tmp_path):
        yield


LOGS = {
    "NVRTC": 'gpucomp.cu(6): error: identifier "x" is undefined\n    line 6;\n      ^\n\n1 error detected.',
    "nvcc": "/tmp/a/gpucomp.cu(6): warning #1: unused\n/tmp/a/gpucomp.cu(6): error: expected a ';'",
    "clang": "<kernel>:3:1: warning: unused\n<kernel>:6:4: error: use of undeclared identifier 'x'\n",
    "PoCL 3": "error: /tmp/p/tempfile.cl:6:4: use of undeclared identifier 'x'\nDevice cpu failed",
}


@pytest.mark.parametrize("compiler", LOGS)
def test_the_line_of_the_first_error_is_found_in_the_log_of(compiler: str) -> None:
    error = build_error(compiler, "device", SOURCE, ".cl", LOGS[compiler])
    assert isinstance(error, BuildError)
    assert error.context is not None
    shown = error.context.splitlines()
    assert shown[0].endswith(".cl:6")
    numbers = [int(line.split("|")[0].strip(" >")) for line in shown[1:] if line.split("|")[0].strip(" >")]
    assert numbers == [4, 5, 6, 7, 8]
    assert [line for line in shown if line.strip().startswith(">")] == ["    > 6 | line 6;"]


def test_the_column_is_marked_where_the_compiler_tells_it() -> None:
    for compiler in ("clang", "PoCL 3"):
        context = str(build_error(compiler, "device", SOURCE, ".cl", LOGS[compiler]).context).splitlines()
        marked = next(position for position, line in enumerate(context) if line.strip().startswith(">"))
        assert context[marked].index("e 6") == context[marked + 1].index("^")
    context = str(build_error("NVRTC", "device", SOURCE, ".cu", LOGS["NVRTC"]).context)
    assert "      | " + " " * 4 + "^" in context.replace("        | ", "      | ")


def test_the_source_is_saved_where_the_error_says(tmp_path: Path) -> None:
    error = build_error("clang", "device", SOURCE, ".cl", LOGS["clang"])
    path = Path(str(error.context).splitlines()[0].rpartition(":")[0])
    assert path.is_relative_to(tmp_path)
    assert path.read_text() == SOURCE


def test_an_error_without_a_line_shows_the_start_of_the_log() -> None:
    log = (
        "ptxas fatal   : Unresolved extern function 'f'\nptxas error   : Entry function 'k' uses too much shared data\n"
    )
    error = build_error("NVRTC 13.0", "sm_90a", SOURCE, ".cu", log)
    assert error.message == "NVRTC 13.0 cannot compile for sm_90a: Entry function 'k' uses too much shared data"
    assert str(error.context).startswith("source: ")
    assert "Unresolved extern" in str(error.hint)


def test_an_empty_log_is_said_to_be_empty() -> None:
    assert build_error("nvcc", "sm_80", SOURCE, ".cu", "").message == "nvcc cannot compile for sm_80: it gave no reason"
