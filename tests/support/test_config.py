from __future__ import annotations

import threading
from pathlib import Path

import pytest

from gpucomp.support.config import Config, config
from gpucomp.support.diagnostics import ArgumentError


def test_a_setting_comes_from_override_then_environment_then_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPUCOMP_VERIFY", raising=False)
    assert (config.verify, Config.verify.resolve()[1]) == (0, "default")
    monkeypatch.setenv("GPUCOMP_VERIFY", "1")
    assert (config.verify, Config.verify.resolve()[1]) == (1, "environment")
    with config.override(verify=2):
        assert (config.verify, Config.verify.resolve()[1]) == (2, "override")
        with config.override(verify=3, cuda_compiler="nvcc"):
            assert (config.verify, config.cuda_compiler) == (3, "nvcc")
        assert (config.verify, config.cuda_compiler) == (2, "auto")
    assert config.verify == 1


def test_an_override_ends_when_the_block_raises() -> None:
    def fail() -> None:
        with config.override(verify=2):
            raise KeyError("x")

    with pytest.raises(KeyError):
        fail()
    assert Config.verify.resolve()[1] != "override"


def test_an_override_is_not_seen_by_other_threads() -> None:
    seen: list[int] = []
    with config.override(verify=3):
        thread = threading.Thread(target=lambda: seen.append(config.verify))
        thread.start()
        thread.join()
    assert seen == [config.verify]


@pytest.mark.parametrize(("text", "value"), [("1", True), ("off", False), ("TRUE", True), ("no", False)])
def test_switches_accept_common_words(monkeypatch: pytest.MonkeyPatch, text: str, value: bool) -> None:
    monkeypatch.setenv("GPUCOMP_CACHE", text)
    assert config.cache is value


def test_an_empty_variable_counts_as_unset_for_numbers_and_switches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUCOMP_CACHE", "")
    monkeypatch.setenv("GPUCOMP_VERIFY", "")
    assert config.cache is True
    assert config.verify == 0


def test_a_path_is_accepted_where_a_string_is_expected(tmp_path: Path) -> None:
    with config.override(cache_dir=tmp_path):
        assert config.cache_dir == str(tmp_path)


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("GPUCOMP_VERIFY", "much", "GPUCOMP_VERIFY: 'much' is not an integer"),
        ("GPUCOMP_VERIFY", "9", "GPUCOMP_VERIFY: '9' is not between 0 and 3"),
        ("GPUCOMP_CACHE", "maybe", "GPUCOMP_CACHE: 'maybe' is not 1, 0, true, false, on or off"),
        ("GPUCOMP_CUDA_COMPILER", "clang", "GPUCOMP_CUDA_COMPILER: 'clang' is not one of auto, nvrtc, nvcc"),
    ],
)
def test_a_bad_environment_value_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, message: str
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(ArgumentError) as caught:
        config.describe()
    assert caught.value.message == message


def test_a_bad_override_is_refused_at_once() -> None:
    with pytest.raises(ArgumentError, match="did you mean 'verify'"), config.override(verfy=1):
        pass
    with pytest.raises(ArgumentError, match=r"config\.override\(verify=\.\.\.\): True is not an integer"):
        config.override(verify=True).__enter__()


def test_every_setting_is_described_with_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUCOMP_DEVICE", "opencl:1")
    rows = {row.name: row for row in config.describe()}
    assert len(rows) <= 15
    assert (rows["device"].env, rows["device"].value) == ("GPUCOMP_DEVICE", "opencl:1")
    assert rows["device"].source == "environment"
    assert rows["verify"].type == "int"
    assert all(row.doc and not row.doc.endswith(".") for row in rows.values())
