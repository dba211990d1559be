"""The scripts of ci/: they parse, say what they do, and pass on what they are given."""

from __future__ import annotations

import fnmatch
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.meta.source import ROOT, run_in_checkout

SCRIPTS = ("ci/compile_table", "ci/demo", "ci/fuzz", "ci/gpu", "ci/kernel_cases", "ci/setup.sh", "ci/test", ".ci/run")


def bash(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run_in_checkout(["bash", "-c", code], **environment)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_parses(script: str) -> None:
    done = bash(f"bash -n {script}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("script", [name for name in SCRIPTS if name != "ci/setup.sh"])
def test_a_script_can_be_started_directly(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)


@pytest.mark.parametrize(
    ("script", "word"),
    [
        ("ci/test", "--quick"),
        ("ci/gpu", "figures"),
        ("ci/demo", "numpy"),
        ("ci/fuzz", "--seed"),
        ("ci/kernel_cases", "cuda:0"),
        ("ci/compile_table", "--chips"),
    ],
)
def test_help_says_what_a_script_does_and_installs_nothing(script: str, word: str, tmp_path: Path) -> None:
    done = bash(f"{script} --help", GPUCOMP_VENV=str(tmp_path / "venv"))
    assert done.returncode == 0, done.stderr
    assert word in done.stdout
    assert not (tmp_path / "venv").exists()


def test_no_folder_of_tests_is_left_out_of_a_whole_run() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    assert options["testpaths"] == ["tests"]
    folders = {parent for path in (ROOT / "tests").rglob("test_*.py") for parent in path.relative_to(ROOT).parents}
    skipped = [
        f for f in folders for pattern in options["norecursedirs"] if fnmatch.fnmatch(f.name, pattern) and f.name
    ]
    assert not skipped, skipped


def test_an_unknown_part_of_ci_gpu_is_a_usage_error() -> None:
    done = bash("ci/gpu figuers")
    assert done.returncode == 2
    assert "figuers" in done.stderr


def test_the_variables_that_slow_numpy_down_are_gone_after_set_up() -> None:
    done = bash(
        'source ci/setup.sh; echo "[${OPENBLAS_CORETYPE-}${OPENBLAS_L2_SIZE-}]"',
        OPENBLAS_CORETYPE="Prescott",
        OPENBLAS_L2_SIZE="1",
    )
    assert done.stdout.strip() == "[]"


def test_a_stamped_environment_is_not_installed_again(tmp_path: Path) -> None:
    """A pip that fails stands in for the real one: with the right stamp it is never reached."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\n[ "$3" = install ] && exit 1\nexit 0\n', encoding="utf-8")
    python.chmod(0o755)
    code = 'source ci/setup.sh; wanted="$ROOT $(sha256sum <pyproject.toml | cut -d" " -f1)"; '
    stamped = bash(
        code + 'printf %s "$wanted" >"$VENV/.gpucomp-installed-dev-nvrtc"; ensure_venv dev,nvrtc; ensure_venv ""',
        GPUCOMP_VENV=str(tmp_path),
    )
    assert stamped.returncode == 0, stamped.stderr
    changed = bash(
        code + 'printf %s x >"$VENV/.gpucomp-installed-dev-nvrtc"; ensure_venv dev,nvrtc',
        GPUCOMP_VENV=str(tmp_path),
    )
    assert changed.returncode == 1
    assert "pip install failed" in changed.stderr


@pytest.mark.opencl
@pytest.mark.slow
def test_the_sample_for_the_sanitizers_is_right_on_opencl() -> None:
    """Of the library's kernels a few: tests/kernels/test_random_shapes.py runs them all there."""
    done = bash(f"{sys.executable} ci/sanitize_sample.py --target opencl --every 6")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("exact") == 6
    assert done.stdout.count("right") >= 8
    assert "WRONG" not in done.stdout
