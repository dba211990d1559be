"""IRModule: the functions of one compilation unit, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from gpucomp.ir.node import Node


class IRModule(Node):
    """An immutable mapping from name to function, with module attributes.

    Functions keep their insertion order, so printing and lowering are deterministic.
    """

    functions: Mapping[str, Any]  # Any: PrimFunc of a layer above, or a graph function
    attrs: Mapping[str, Any] | None = None

    __hash__ = object.__hash__

    @staticmethod
    def _prepare(functions: Any, attrs: Any) -> Any:
        named = {getattr(k, "name_hint", k): v for k, v in dict(functions).items()}
        for name, function in named.items():
            if not isinstance(name, str) or not hasattr(function, "script"):
                raise TypeError(f"{name!r:.40} is a {type(function).__name__}, no function of IR")
        return MappingProxyType(named), MappingProxyType(dict(attrs or {}))

    def __reduce__(self) -> tuple[Any, ...]:
        return (IRModule, (dict(self.functions), dict(self.attrs or {})))

    def __getitem__(self, name: object) -> Any:
        return self.functions[str(getattr(name, "name_hint", name))]

    def __contains__(self, name: object) -> bool:
        return getattr(name, "name_hint", name) in self.functions

    def __iter__(self) -> Iterator[str]:
        return iter(self.functions)

    def script(self) -> str:
        """All functions as text."""
        return "\n\n".join([f.script() for f in self.functions.values()])

    def __repr__(self) -> str:
        return self.script()

    __str__ = __repr__
