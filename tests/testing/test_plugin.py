"""The pytest plugin, in test runs of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

FIXTURE_TEST = """
from pathlib import Path

def test_runs(gpucomp_device):
    assert gpucomp_device.exist
    Path("seen-" + str(gpucomp_device)).touch()

def test_needs_no_device():
    pass
"""
CACHE_TEST = """
import os
from pathlib import Path
import pytest

@pytest.mark.parametrize("n", range(4))
def test_cache(n):
    folder = Path(os.environ["POCL_CACHE_DIR"])
    assert folder.is_dir()
    Path(f"cache-{os.getpid()}").write_text(str(folder))
"""


def run_pytest(folder: Path, text: str, *arguments: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
    """pytest in a process of its own, with the plugin as it comes with the package."""
    (folder / "test_it.py").write_text(text, encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])} | {
        name: value for name, value in environment.items() if value is not None
    }
    for name in [name for name, value in environment.items() if value is None]:
        env.pop(name, None)
    for name in [name for name in env if name.startswith("PYTEST_")]:
        del env[name]
    installed = [point.value for point in entry_points(group="pytest11")]
    plugin = [] if "gpucomp.testing.plugin" in installed else ["-p", "gpucomp.testing.plugin"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plugin, *arguments, str(folder)]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=120)


def seen(folder: Path) -> set[str]:
    return {path.name.removeprefix("seen-") for path in folder.glob("seen-*")}


def test_the_fixture_gives_each_device_that_works(tmp_path: Path) -> None:
    from gpucomp.testing import all_devices

    done = run_pytest(tmp_path, FIXTURE_TEST, "-v")
    assert done.returncode == 0, done.stdout
    assert seen(tmp_path) == {str(device) for device in all_devices()}
    assert "test_runs[cpu:0]" in done.stdout


def test_devices_can_be_named_and_named_twice_run_once(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, FIXTURE_TEST, "--gpucomp-device", "cpu", "--gpucomp-device=cpu:0")
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
    assert seen(tmp_path) == {"cpu(0)"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cpu:7", "cpu(7) is not there"),
        pytest.param("gpuu", "no device kind 'gpuu'", marks=pytest.mark.slow),
    ],
)
def test_a_device_that_is_not_there_is_a_usage_error(tmp_path: Path, name: str, words: str) -> None:
    done = run_pytest(tmp_path, FIXTURE_TEST, "--gpucomp-device", name)
    assert done.returncode != 0
    assert words in done.stdout + done.stderr
    assert "-->" not in done.stdout + done.stderr
    assert seen(tmp_path) == set()


def test_a_test_may_choose_its_devices_by_hand(tmp_path: Path) -> None:
    by_hand = """
import pytest, gpucomp

@pytest.mark.parametrize("gpucomp_device", [gpucomp.cpu()], indirect=True)
def test_it(gpucomp_device):
    assert str(gpucomp_device) == "cpu(0)"
"""
    done = run_pytest(tmp_path, by_hand)
    assert "1 passed" in done.stdout, done.stdout


def caches(folder: Path) -> list[Path]:
    return [Path(path.read_text(encoding="utf-8")) for path in folder.glob("cache-*")]


@pytest.mark.slow
def test_workers_that_run_at_the_same_time_have_a_cache_each(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, CACHE_TEST, "-n", "2", POCL_CACHE_DIR=None)
    assert "4 passed" in done.stdout, done.stdout
    found = caches(tmp_path)
    assert len(found) == len(set(found)) == 2
    assert not any(folder.exists() for folder in found), "temporary folders are gone afterwards"


@pytest.mark.slow
def test_a_cache_folder_of_the_users_choice_is_kept(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    run_pytest(tmp_path, CACHE_TEST, POCL_CACHE_DIR=str(mine))
    assert caches(tmp_path) == [mine]
    run_pytest(tmp_path, CACHE_TEST, "-n", "2", POCL_CACHE_DIR=str(mine))
    assert set(caches(tmp_path)) == {mine, mine / "gw0", mine / "gw1"}


def test_a_run_without_the_fixture_loads_neither_the_compiler_nor_numpy(tmp_path: Path) -> None:
    text = """
import sys

def test_it():
    assert not {"numpy", "pyopencl", "gpucomp.runtime", "gpucomp.te"} & set(sys.modules)
"""
    done = run_pytest(tmp_path, text, "-p", "no:hypothesispytest")
    assert "1 passed" in done.stdout, done.stdout
