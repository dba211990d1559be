"""The wheel and the sdist: what is in them, and that the wheel alone can compile and run."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import TypedDict, cast  # cast: tomllib's tables have no type

import pytest

from tests import requirements
from tests.meta.source import ROOT

Project = TypedDict(
    "Project",
    {
        "dependencies": list[str],
        "optional-dependencies": dict[str, list[str]],
        "scripts": dict[str, str],
        "entry-points": dict[str, dict[str, str]],
    },
)


def project() -> Project:
    return cast(Project, tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"])


def run(command: list[str | Path], cwd: Path, timeout: int = 240) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=timeout
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel built from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT], cwd=folder)
    (sdist,) = folder.glob("*.tar.gz")
    (wheel,) = folder.glob("*.whl")
    return sdist, wheel


def tracked(*folders: str) -> set[str]:
    return set(run(["git", "ls-files", *folders], cwd=ROOT).split())


def test_entry_points_name_things_that_exist() -> None:
    table = project()
    for module, _, name in (target.partition(":") for target in table["scripts"].values()):
        assert callable(getattr(importlib.import_module(module), name))
    assert table["entry-points"]["pytest11"] == {"gpucomp": "gpucomp.testing.plugin"}
    assert importlib.import_module("gpucomp.testing.plugin")


def test_every_dependency_is_explained_in_the_docs() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    table = project()
    wanted = [
        *table["dependencies"],
        *(name for extra in table["optional-dependencies"].values() for name in extra),
    ]
    names = {requirement.split("[")[0].split(">")[0].split("=")[0].strip().lower() for requirement in wanted}
    assert {name for name in names if name not in text} == set()
    assert {extra for extra in table["optional-dependencies"] if f"`{extra}`" not in text} == set()


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="an unpacked sdist has no list of tracked files")
def test_the_wheel_holds_the_package_its_templates_and_its_kernels_and_nothing_else(
    distributions: tuple[Path, Path],
) -> None:
    _, wheel = distributions
    assert wheel.name == "gpucomp-0.1.0-py3-none-any.whl"
    names = set(zipfile.ZipFile(wheel).namelist())
    links = {"gpucomp/kernels", "gpucomp/templates"}
    package = {name for name in tracked("gpucomp") if name not in links}
    linked = {f"gpucomp/{name}" for name in tracked("kernels", "templates")}
    assert {name for name in names if ".dist-info/" not in name} == package | linked
    assert {"gpucomp/py.typed", "gpucomp-0.1.0.dist-info/licenses/LICENSE"} <= names
    assert sum(info.compress_size for info in zipfile.ZipFile(wheel).infolist()) < 2_000_000


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="an unpacked sdist has no list of tracked files")
def test_the_sdist_holds_the_tests_and_no_leftovers(distributions: tuple[Path, Path]) -> None:
    sdist, _ = distributions
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert tracked("tests", "ci/test", "pyproject.toml") <= names
    assert not [name for name in names if name.startswith((".venv", "gpu-results", ".git/"))]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_empty_environment_with_only_the_wheel_finds_a_device_and_runs(
    distributions: tuple[Path, Path], tmp_path: Path
) -> None:
    """First with the core alone, then with every extra that comes as wheels; away from the checkout."""
    _, wheel = distributions
    venv.create(tmp_path / "env")
    python = tmp_path / "env" / "bin" / "python"
    # Our own pip installs there: one of its own, and byte code of every module of numpy, take longer than all the rest.
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python, "install", "--no-compile"]
    pip += ["-q", "--disable-pip-version-check"]
    reach = subprocess.run([*pip, "click"], capture_output=True, text=True, check=False, timeout=240)
    if reach.returncode != 0:
        requirements.missing("a package index", reach.stderr.strip().splitlines()[-1])
    run([*pip, wheel], cwd=tmp_path)
    assert run([python, "-c", "import gpucomp; print(gpucomp.__file__)"], cwd=Path("/")).startswith(str(tmp_path))
    # The demo with one turn of each operator in place of nine.
    demo = "import sys; from gpucomp.cli import demo; demo._REPEATS = 1; sys.exit(demo.run(sys.argv[1], 0, False))"
    run([python, "-c", demo, tmp_path / "demo"], cwd=Path("/"))
    assert any((tmp_path / "demo").iterdir())
    run([*pip, f"{wheel}[nvrtc,sanitize]"], cwd=tmp_path)
    report = json.loads(run([tmp_path / "env" / "bin" / "gpucomp", "doctor", "--json"], cwd=Path("/")))
    assert "cpu" in json.dumps(report)
