"""Data types that go through JSON unchanged: the base of what a compiled kernel is made of."""

from __future__ import annotations

import dataclasses
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self  # Any: JSON values

from gpucomp.support.hostexpr import freeze


class Later(ABC):
    """A value that is made when it is first asked for; its JSON form is that of the value."""

    @abstractmethod
    def get(self) -> Record:
        """The value."""


class Record:
    """Base of the data types here: a JSON form with the class name under ``"type"``."""

    __slots__ = ()
    classes: ClassVar[dict[str, type[Record]]] = {}

    def __init_subclass__(cls) -> None:
        Record.classes[cls.__name__] = cls

    def to_json(self) -> dict[str, object]:
        """A dictionary of JSON types."""
        data: dict[str, object] = {"type": type(self).__name__}
        for item in _field_names(self):
            data[item] = _encode(getattr(self, item))
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Self:
        """The inverse of :meth:`to_json`.

        Raises:
            ValueError: the data describe another type.
        """
        decoded = _decode(data)
        if not isinstance(decoded, cls):
            raise ValueError(f"expected the JSON form of a {cls.__name__}, got {data.get('type')!r}")
        return decoded

    def dumps(self) -> str:
        """The JSON form as text; equal values give equal text."""
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))

    @classmethod
    def loads(cls, text: str) -> Self:
        """The inverse of :meth:`dumps`."""
        return cls.from_json(json.loads(text))


def _field_names(record: Record) -> tuple[str, ...]:
    return tuple(item.name for item in dataclasses.fields(type(record)))  # pyright: ignore[reportArgumentType]  # every record is a dataclass


def _encode(value: object) -> object:
    if isinstance(value, Later):
        value = value.get()
    if isinstance(value, Record):
        return value.to_json()
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _decode(value: object) -> Any:
    if isinstance(value, list):
        return tuple(_decode(item) for item in value)
    if not isinstance(value, dict):
        return value
    data: dict[str, Any] = value
    return Record.classes[str(data["type"])](**{key: _decode(data[key]) for key in data if key != "type"})


def freeze_fields(record: Record, *names: str) -> None:
    """Make host expressions that came as lists, from JSON or from the user, hashable."""
    for name in names:
        object.__setattr__(record, name, freeze(getattr(record, name)))


def freeze_tuples(record: Record, *names: str) -> None:
    """The same for fields that hold several, or None."""
    for name in names:
        values = getattr(record, name)
        object.__setattr__(record, name, None if values is None else tuple(freeze(value) for value in values))
