"""The manifest of golden CUDA sources: up to date, and honest about what a GPU has verified."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden import manifest as m
from tests.golden.cases import CASES

RUN = m.Run("NVIDIA H100", "580.1", "2026-01-31", "13.0")


def test_every_case_has_the_hash_of_its_present_source(update_golden: bool) -> None:
    hashes = m.present_hashes()
    if update_golden:
        m.write(m.updated(m.read(), hashes))
    manifest = m.read()
    assert m.changed(manifest, hashes) == [], "run: python -m tests.golden.manifest --update"
    assert set(manifest) == set(CASES)


def test_the_hash_covers_every_variant() -> None:
    data = m.compiled("vector_add_symbolic")
    assert len(data.variants) == 2
    only_first = type(data)(data.name, data.variants[:1])
    assert len(m.by_width(data)) == 2
    assert m.digest(only_first) != m.digest(data)


def test_a_changed_source_is_unverified_again_and_others_stay_verified() -> None:
    before = {"a": m.Entry("1", RUN), "b": m.Entry("2", RUN), "gone": m.Entry("3", RUN)}
    hashes = {"a": "1", "b": "changed", "new": "4"}
    assert m.changed(before, hashes) == ["b", "gone", "new"]
    after = m.updated(before, hashes)
    assert after == {"a": m.Entry("1", RUN), "b": m.Entry("changed"), "new": m.Entry("4")}
    assert m.unverified(after) == ["b", "new"]


def test_a_run_counts_only_for_the_source_that_it_ran() -> None:
    known = {"a": m.Entry("1"), "b": m.Entry("2"), "c": m.Entry("3")}
    run = {"a": m.Entry("1", RUN), "b": m.Entry("old", RUN), "stranger": m.Entry("9", RUN)}
    assert m.merged(known, run) == {"a": m.Entry("1", RUN), "b": m.Entry("2"), "c": m.Entry("3")}


def test_a_manifest_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    assert m.read(path) == {}
    manifest = {"b": m.Entry("2"), "a": m.Entry("1", RUN)}
    m.write(manifest, path)
    assert m.read(path) == manifest
    assert list(m.read(path)) == ["a", "b"]


def test_the_commands_report_update_and_merge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, results = tmp_path / "manifest.json", tmp_path / "gpu.json"
    monkeypatch.setattr(m, "present_hashes", lambda: {"a": "1", "b": "2"})
    monkeypatch.setattr(m, "read", lambda file=path, real=m.read: real(file))
    monkeypatch.setattr(m, "write", lambda manifest, file=path, real=m.write: real(manifest, file))
    assert m.main(["--check"]) == 1
    assert "changed: a" in capsys.readouterr().out
    assert m.main(["--update"]) == 0
    assert capsys.readouterr().out.startswith("2 kernels changed")
    assert m.main(["--update"]) == 0
    assert capsys.readouterr().out.startswith("0 kernels changed")
    m.write({"a": m.Entry("1", RUN), "b": m.Entry("old", RUN)}, results)
    assert m.main(["--merge", str(results)]) == 0
    out = capsys.readouterr().out
    assert "1 of 2 golden CUDA sources are verified on a GPU" in out
    assert "unverified: b" in out
    assert "of another source, left out: b" in out
    assert m.main(["--check"]) == 0
    with pytest.raises(SystemExit):
        m.main(["--verify"])


@pytest.mark.cuda
def test_the_gpu_computes_what_the_manifest_will_say(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    assert m.main(["--verify", "--out", str(out), "vector_add_symbolic", "two_kernels"]) == 0
    entries = m.read(out)
    assert set(entries) == {"vector_add_symbolic", "two_kernels"}
    assert m.unverified(entries) == []
