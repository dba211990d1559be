"""The helpers that turn a missing tool into a skip or, in CI, into a failure."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import requirements


def test_a_missing_tool_is_a_skip_on_a_developers_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install no-such-tool"):
        requirements.require_tool("no-such-tool")


def test_a_missing_tool_is_a_failure_where_ci_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="apt-get install no-such-tool"):
        requirements.require_tool("no-such-tool")


def test_a_missing_gpu_is_a_skip_even_in_ci_but_not_under_ci_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "cuda_device_count", lambda: 0)
    monkeypatch.setenv("CI", "1")
    monkeypatch.delenv("GPUCOMP_REQUIRE_CUDA", raising=False)
    with pytest.raises(pytest.skip.Exception, match="ci/gpu"):
        requirements.require_cuda()
    monkeypatch.setenv("GPUCOMP_REQUIRE_CUDA", "1")
    with pytest.raises(pytest.fail.Exception, match="ci/gpu"):
        requirements.require_cuda()


def test_every_test_process_has_caches_of_its_own() -> None:
    folders = [Path(os.environ[name]) for name in ("POCL_CACHE_DIR", "GPUCOMP_CACHE_DIR")]
    assert all(folder.is_dir() for folder in folders)
    assert folders[0].parent == folders[1].parent
    assert folders[0].parent.name.startswith("gpucomp-test-")


@pytest.mark.opencl
def test_pocl_is_found_by_its_full_name() -> None:
    assert requirements.require_pocl().platform.name == "Portable Computing Language"


def test_nvrtc_says_its_version() -> None:
    assert requirements.require_nvrtc() >= (13, 0)
