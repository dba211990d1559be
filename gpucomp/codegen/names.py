"""C identifiers for the names of the IR, which may be anything that a user wrote.

A name keeps its letters, digits and underscores; everything else becomes ``_``.  Words that a C dialect reserves,
identifiers that start with an underscore or a digit, and the prefix of our helper functions are avoided in *all*
dialects, so that a kernel reads the same in each.
"""

from __future__ import annotations

import functools
from typing import Final

from gpucomp.codegen.dialect import FILES
from gpucomp.support.resources import template_text

_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LEGAL: Final = _LETTERS | frozenset("0123456789_")
_HELPER_PREFIX: Final = "gc_"


@functools.cache
def reserved_words() -> frozenset[str]:
    """Words that no generated identifier may be, from ``templates/*/reserved.txt``."""
    lines = [line for folder in ("base", *FILES) for line in template_text(f"{folder}/reserved.txt").splitlines()]
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


@functools.cache
def identifier(name: str) -> str:
    """A legal identifier as close to ``name`` as possible; a legal name is returned as it is."""
    text = "".join([c if c in _LEGAL else "_" for c in name])
    if not text.strip("_"):
        return "v" + text
    if text[0] not in _LETTERS:
        text = "v" + text
    if text in reserved_words() or text.startswith(_HELPER_PREFIX):
        text += "_"
    return text


class Names:
    """Distinct identifiers within one scope."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._next: dict[str, int] = {}

    def fresh(self, name: str) -> str:
        """An identifier that was not given before: that of ``name``, with a number where it is taken."""
        base = identifier(name)
        if base not in self._used:
            self._used.add(base)
            return base
        count = self._next.get(base, 1)
        while f"{base}_{count}" in self._used:
            count += 1
        self._next[base] = count + 1
        text = f"{base}_{count}"
        self._used.add(text)
        return text
