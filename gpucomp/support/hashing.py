"""Stable content hashes: the same on every machine, Python version and run (unlike ``hash``).

Used for cache file names and cache keys.  Values are hashed with their types, so that ``1``, ``True``,
``1.0`` and ``"1"`` differ, and containers with their lengths, so that ``("ab", "c")`` and ``("a", "bc")``
differ.
"""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from collections.abc import Iterable
from typing import Final, Protocol

DIGEST_BYTES: Final = 20
_SHORT: Final = 12


class _Sink(Protocol):
    def update(self, data: bytes, /) -> None: ...


def digest(*values: object) -> str:
    """The hash of ``values`` as 40 hexadecimal digits (blake2b).

    Accepts None, bool, int, float (by bits: -0.0 differs from 0.0), str, bytes, and lists, tuples, sets,
    dictionaries (any order) and dataclass instances of them.

    Raises:
        TypeError: a value of another type.
    """
    sink = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for value in values:
        _feed(sink, value)
    return sink.hexdigest()


def bounded(name: str, most: int) -> str:
    """A name of at most ``most`` characters: as it is, or its start and 12 digits of the hash of all of it."""
    return name if len(name) <= most else f"{name[: most - _SHORT - 1]}_{digest(name)[:_SHORT]}"


def _feed(sink: _Sink, value: object) -> None:
    if isinstance(value, str):
        _framed(sink, b"s", value.encode("utf-8", "surrogatepass"))
    elif value is None or isinstance(value, bool):
        sink.update(b"N" if value is None else b"T" if value else b"F")
    elif isinstance(value, int):
        _framed(sink, b"i", str(int(value)).encode())
    elif isinstance(value, float):
        sink.update(b"f" + struct.pack("<d", value))
    elif isinstance(value, (bytes, bytearray)):
        _framed(sink, b"b", bytes(value))
    elif isinstance(value, (list, tuple)):
        _sequence(sink, b"l", value)
    elif isinstance(value, (set, frozenset)):
        _sequence(sink, b"u", sorted(digest(item) for item in value))
    elif isinstance(value, dict):
        items = value.items()
        _sequence(sink, b"d", sorted(digest(key, item) for key, item in items))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [getattr(value, item.name) for item in dataclasses.fields(value)]
        _sequence(sink, b"r", [type(value).__name__, *fields])
    else:
        raise TypeError(f"no stable hash for {type(value).__name__}: {value!r}")


def _framed(sink: _Sink, tag: bytes, data: bytes) -> None:
    sink.update(tag + struct.pack("<Q", len(data)))
    sink.update(data)


def _sequence(sink: _Sink, tag: bytes, items: Iterable[object]) -> None:
    items = list(items)
    sink.update(tag + struct.pack("<Q", len(items)))
    for item in items:
        _feed(sink, item)
