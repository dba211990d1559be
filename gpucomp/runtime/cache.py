"""Compiled kernels on disk, safe under many processes and on network file systems.

One file an entry, named by the content hash of everything that went into it.  Files appear by ``os.replace`` and so
are whole or absent; each ends in a checksum, so that a damaged one counts as absent.  A cache that cannot be written
(read-only home, full disk) costs time, never correctness.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gpucomp.support.config import config
from gpucomp.support.hashing import digest
from gpucomp.support.log import logger

_CHECKSUM_BYTES: Final = 16
_READ_ATTEMPTS: Final = 2
_FAILED: Final = "failed"


@dataclass(frozen=True, slots=True)
class CacheSize:
    """What is on disk: number of files and their bytes."""

    files: int
    nbytes: int


class DiskCache:
    """Files by key below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._complained = False

    def path(self, key: str, suffix: str) -> Path:
        """Where an entry lives; ``key`` is a hash, ``suffix`` such as ``".cubin"``."""
        return self.folder / key[:2] / f"{key}{suffix}"

    def get(self, key: str, suffix: str) -> bytes | None:
        """The entry, or None when it is absent, unreadable or damaged."""
        path = self.path(key, suffix)
        # On a network file system a file that was just replaced can fail once with a stale handle.
        for _ in range(_READ_ATTEMPTS):
            try:
                blob = path.read_bytes()
            except FileNotFoundError:
                return None
            except OSError:
                continue
            data, checksum = blob[:-_CHECKSUM_BYTES], blob[-_CHECKSUM_BYTES:]
            if len(blob) >= _CHECKSUM_BYTES and _checksum(data) == checksum:
                return data
        return None

    def put(self, key: str, suffix: str, data: bytes) -> Path | None:
        """Write an entry; returns its path, or None when the folder cannot be written."""
        path = self.path(key, suffix)
        try:
            write_atomically(path, data + _checksum(data))
        except OSError as error:
            if not self._complained:
                self._complained = True
                logger.warning("kernels are not kept on disk: %s cannot be written (%s)", self.folder, error)
            return None
        return path

    def size(self) -> CacheSize:
        """Count files and bytes."""
        sizes = [size for _, size in self._files()]
        return CacheSize(len(sizes), sum(sizes))

    def clear(self) -> CacheSize:
        """Delete all entries; returns what was deleted."""
        files = nbytes = 0
        for path, size in self._files():
            with contextlib.suppress(OSError):
                path.unlink()
                files, nbytes = files + 1, nbytes + size
        return CacheSize(files, nbytes)

    def _files(self) -> Iterator[tuple[Path, int]]:
        for path in sorted(self.folder.rglob("*")):
            with contextlib.suppress(OSError):
                if path.is_file():
                    yield path, path.stat().st_size


def _checksum(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_CHECKSUM_BYTES).digest()


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that readers see all of it or none.

    Raises:
        OSError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:24]}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def cache_folder() -> Path:
    """GPUCOMP_CACHE_DIR, else the user's cache folder for gpucomp."""
    if config.cache_dir:
        return Path(config.cache_dir).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("gpucomp", appauthor=False))


_caches: dict[Path, DiskCache] = {}


def disk_cache() -> DiskCache | None:
    """The cache for compiled kernels; None when GPUCOMP_CACHE is off."""
    if not config.cache:
        return None
    folder = cache_folder() / "kernels"
    return _caches.setdefault(folder, DiskCache(folder))


def cache_size() -> CacheSize:
    """What gpucomp keeps on disk."""
    return DiskCache(cache_folder()).size()


def clear_cache() -> CacheSize:
    """Delete what gpucomp keeps on disk; returns what was deleted."""
    return DiskCache(cache_folder()).clear()


def save_source(source: str, suffix: str) -> Path:
    """Keep the text that a device compiler refused, for the error message; returns its path."""
    name = f"{digest(source)[:16]}{suffix}"
    folders = [cache_folder() / _FAILED, Path(tempfile.gettempdir()) / "gpucomp-failed"]
    for folder in folders:
        with contextlib.suppress(OSError):
            write_atomically(folder / name, source.encode("utf-8"))
            return folder / name
    return Path(name)
