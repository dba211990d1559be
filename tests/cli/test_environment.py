"""Facts about the installation."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gpucomp.cli import environment


def test_an_nvcc_without_cuda_h_beside_it_is_no_toolkit(tmp_path: Path) -> None:
    nvcc = tmp_path / "toolkit" / "bin" / "nvcc"
    nvcc.parent.mkdir(parents=True)
    nvcc.touch()
    assert not environment.is_toolkit(nvcc)
    (tmp_path / "toolkit" / "include").mkdir()
    (tmp_path / "toolkit" / "include" / "cuda.h").touch()
    assert environment.is_toolkit(nvcc)
    link = tmp_path / "bin" / "nvcc"
    link.parent.mkdir()
    link.symlink_to(nvcc)
    assert environment.is_toolkit(link)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/mounts")
def test_the_file_system_of_a_folder_is_that_of_its_nearest_mount(tmp_path: Path) -> None:
    assert environment.file_system(Path("/proc/self")) == "proc"
    assert environment.file_system(tmp_path / "not" / "there" / "yet") == environment.file_system(tmp_path) != ""


@pytest.mark.parametrize(("kind", "network"), [("nfs4", True), ("lustre", True), ("ext4", False), ("", False)])
def test_network_file_systems_are_known(kind: str, network: bool) -> None:
    assert environment.is_network(kind) is network


def test_what_is_gathered_here_is_plausible() -> None:
    found = environment.gather()
    assert found.python == ".".join(str(part) for part in sys.version_info[:3])
    assert found.cores >= 1
    assert found.packages["numpy"]
    assert set(found.extras) == {"cuda", "nvrtc", "sanitize"}
    assert Path(found.cache_folder).is_absolute()
