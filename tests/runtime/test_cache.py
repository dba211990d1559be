from __future__ import annotations

import logging
import multiprocessing
from pathlib import Path

import pytest

from gpucomp.runtime.cache import (
    DiskCache,
    cache_folder,
    cache_size,
    clear_cache,
    disk_cache,
    save_source,
    write_atomically,
)
from gpucomp.support.config import config
from gpucomp.support.hashing import digest

KEY = digest("a kernel")


def test_an_entry_comes_back_as_it_was_put(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    assert cache.get(KEY, ".cubin") is None
    path = cache.put(KEY, ".cubin", b"\0code\n")
    assert path == tmp_path / KEY[:2] / f"{KEY}.cubin"
    assert cache.get(KEY, ".cubin") == b"\0code\n"
    assert cache.get(KEY, ".log") is None
    assert cache.get(digest("another"), ".cubin") is None


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 40])
def test_a_damaged_file_counts_as_absent_and_is_replaced(tmp_path: Path, damage: bytes) -> None:
    cache = DiskCache(tmp_path)
    path = cache.put(KEY, ".cubin", b"code")
    assert path is not None
    path.write_bytes(damage)
    assert cache.get(KEY, ".cubin") is None
    cache.put(KEY, ".cubin", b"code")
    assert cache.get(KEY, ".cubin") == b"code"


def test_a_truncated_file_counts_as_absent(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    path = cache.put(KEY, ".cubin", b"0123456789" * 10)
    assert path is not None
    path.write_bytes(path.read_bytes()[:-1])
    assert cache.get(KEY, ".cubin") is None


def test_no_temporary_file_stays_behind(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    for number in range(5):
        cache.put(KEY, ".cubin", bytes([number]))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{KEY}.cubin"]
    with pytest.raises(TypeError):
        write_atomically(tmp_path / "x", "no bytes")  # pyright: ignore[reportArgumentType]  # what is tested
    assert not any(path.name.startswith(".") for path in tmp_path.rglob("*"))


def test_a_folder_that_cannot_be_written_costs_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    cache = DiskCache(blocked)
    with caplog.at_level(logging.WARNING, logger="gpucomp"):
        assert cache.put(KEY, ".cubin", b"code") is None
        assert cache.put(KEY, ".cubin", b"code") is None
    assert cache.get(KEY, ".cubin") is None
    assert len(caplog.records) == 1
    assert "cannot be written" in caplog.records[0].getMessage()


def test_size_and_clear_count_the_files(tmp_path: Path) -> None:
    with config.override(cache_dir=tmp_path):
        cache = disk_cache()
        assert cache is not None
        cache.put(KEY, ".cubin", b"12345")
        save_source("int main;", ".cu")
        size = cache_size()
        assert size.files == 2
        assert size.nbytes == 5 + 16 + len("int main;")
        assert clear_cache() == size
        assert cache_size().files == 0
        assert cache.get(KEY, ".cubin") is None


def test_the_cache_can_be_switched_off_and_moved(tmp_path: Path) -> None:
    with config.override(cache=False):
        assert disk_cache() is None
    with config.override(cache_dir=tmp_path / "deep" / "er"):
        assert cache_folder() == tmp_path / "deep" / "er"
        assert save_source("text", ".cl").parent.parent == tmp_path / "deep" / "er"


def _write_many(folder: str, value: int) -> bool:
    cache = DiskCache(Path(folder))
    whole = True
    for _ in range(60):
        cache.put(KEY, ".cubin", bytes([value]) * 20000)
        found = cache.get(KEY, ".cubin")
        whole = whole and found is not None and len(set(found)) == 1
    return whole


def test_processes_that_write_one_entry_read_whole_entries(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        assert all(pool.starmap(_write_many, [(str(tmp_path), 1), (str(tmp_path), 2)]))
