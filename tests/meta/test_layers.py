"""The import contract: that it covers every layer, that it bites, and who may import which library."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.meta.source import ROOT, imported_names, place, python_files, text_of

# Importing the package must stay light, and pycuda fails to import where there is no driver.
OWNERS = {
    "pycuda": ("gpucomp/runtime/cuda.py",),
    "cuda": ("gpucomp/runtime/",),
    "pyopencl": ("gpucomp/runtime/opencl.py", "gpucomp/runtime/opencl_attributes.py"),
    "llvmlite": ("gpucomp/codegen/", "gpucomp/runtime/cpu_jit.py", "gpucomp/runtime/cpu_link.py"),
    "jinja2": ("gpucomp/codegen/",),
    "click": ("gpucomp/cli/",),
    "rich": ("gpucomp/cli/", "gpucomp/te/show.py"),
    "pytest": ("gpucomp/testing/",),
}
NAMED = re.compile(rf"\b(?:import|from)\b.*\b(?:{'|'.join(OWNERS)})\b")


def contract() -> tuple[str, ...]:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    layers: list[str] = tomllib.loads(text)["tool"]["importlinter"]["contracts"][0]["layers"]
    return tuple(layer.strip("()") for layer in layers)


def test_every_folder_of_the_package_is_a_layer_of_the_contract() -> None:
    folders = {path.name for path in (ROOT / "gpucomp").iterdir() if path.is_dir()}
    assert folders - {"templates", "__pycache__"} <= set(contract())


@pytest.mark.parametrize(("module", "imported", "kept"), [("te", "tir", True), ("tir", "te", False)])
def test_an_import_that_points_up_breaks_the_contract(tmp_path: Path, module: str, imported: str, kept: bool) -> None:
    package = tmp_path / "gpucomp"
    for layer in ("support", "tir", "te"):
        (package / layer).mkdir(parents=True)
        (package / layer / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / module / "__init__.py").write_text(f"import gpucomp.{imported}\n", encoding="utf-8")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is kept, done.stdout + done.stderr
    assert ("1 broken" in done.stdout) is not kept


def test_each_library_is_imported_only_where_it_belongs() -> None:
    strays = [
        f"{place(path, line)} imports {name}"
        for path in python_files("gpucomp", "kernels")
        if NAMED.search(text_of(path))  # parsing every file takes long
        for line, name in imported_names(path)
        if (owners := OWNERS.get(name.split(".")[0])) is not None
        if not path.relative_to(ROOT).as_posix().startswith(owners)
    ]
    assert not strays, "\n".join(strays)
