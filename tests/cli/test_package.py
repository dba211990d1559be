"""The package's face: lazy names, and a checkout without symlinks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gpucomp
from gpucomp.kernels.registry import all_operators

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", gpucomp.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(gpucomp, name) is not None
    assert name in dir(gpucomp)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(gpucomp, "no_such_name")
    with pytest.raises(AttributeError, match="module 'gpucomp' has no attribute 'bild'"):
        _ = gpucomp.bild  # pyright: ignore[reportAttributeAccessIssue]  # that is the point


def test_names_that_migrating_programs_use_are_where_they_expect_them() -> None:
    assert gpucomp.nd.array([1.0]).device is gpucomp.cpu()
    assert gpucomp.device("opencl", 1) is gpucomp.opencl(1)
    assert gpucomp.target.Target("llvm").kind == "llvm"
    assert gpucomp.transform.PassContext().opt_level == 2

    @gpucomp.register_func("tests.package.f")
    def function() -> int:
        return 3

    assert gpucomp.get_global_func("tests.package.f")() == function() == 3


def test_a_checkout_without_symlinks_finds_kernels_and_templates(tmp_path: Path) -> None:
    """As on systems where git writes a text file in place of a symlink."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(
        ROOT / "gpucomp", tmp_path / "gpucomp", ignore=shutil.ignore_patterns("__pycache__", "kernels", "templates")
    )
    for name in ("kernels", "templates"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignore)
        (tmp_path / "gpucomp" / name).write_text(f"../{name}", encoding="utf-8")
    code = (
        "import gpucomp, gpucomp.kernels.registry as r; from importlib.resources import files; "
        "assert [p.name for p in files('gpucomp.templates').iterdir() if p.is_dir()]; "
        "print(r.__file__, len(r.all_operators()))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "kernels" / "registry.py"), str(len(all_operators()))]
