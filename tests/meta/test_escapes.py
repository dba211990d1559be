"""Escapes from the type checker and the linter are counted, and each says why."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

from tests.meta.source import comments, parsed, place, python_files, text_of

FOLDERS = ("gpucomp", "kernels", "tests")
ESCAPE = re.compile(r"(?P<kind>pyright|type): ?ignore|(?P<noqa>\bnoqa\b)", re.IGNORECASE)
PYRIGHT_RULE = re.compile(r"pyright: ignore\[[A-Za-z]+(?:, ?[A-Za-z]+)*\]")
# What a comment holds besides the escape itself is its reason.
MARKUP = re.compile(
    r"#|pyright: ignore\[[^\]]*\]|type: ?ignore(?:\[[^\]]*\])?|noqa(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?"
)
REASON_AT_IMPORT = re.compile(r"^from typing import [^#\n]*\b(?:Any|cast)\b[^#\n]*# \S", re.MULTILINE)


def own_line_comments(path: Path) -> dict[int, str]:
    lines = text_of(path).splitlines()
    return {line: text for line, text in comments(path) if lines[line - 1].lstrip().startswith("#")}


def has_reason(comment: str, above: str | None) -> bool:
    return len(MARKUP.sub("", comment).strip(" -:,")) >= 8 or above is not None


def escapes(path: Path) -> list[tuple[int, str, bool]]:
    """Line, kind and whether a reason stands beside it or on the line above, of each escape in one file."""
    found: list[tuple[int, str, bool]] = []
    if not ESCAPE.search(text_of(path)):  # splitting a file into tokens takes long
        return found
    above = own_line_comments(path)
    for line, text in comments(path):
        if (hit := ESCAPE.search(text)) is not None:
            kind = "noqa" if hit.group("noqa") else f"{hit.group('kind').lower()}: ignore"
            found.append((line, kind, has_reason(text, above.get(line - 1))))
    return found


def typing_import(path: Path) -> tuple[int, set[str]]:
    """Line of ``from typing import``, and which of ``Any`` and ``cast`` it brings; line 0 for none."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.module == "typing":
            names = {alias.name for alias in node.names} & {"Any", "cast"}
            if names:
                return node.lineno, names
    return 0, set()


def loose_names(path: Path) -> list[tuple[int, str]]:
    """Line and name of each use of typing's ``Any`` and ``cast`` in one file."""
    if not re.search(r"\b(?:Any|cast)\b", text_of(path)):
        return []
    _, names = typing_import(path)
    return [
        (node.lineno, node.id) for node in ast.walk(parsed(path)) if isinstance(node, ast.Name) and node.id in names
    ]


def test_every_ignore_names_its_rule_and_its_reason() -> None:
    bare = [
        f"{place(path, line)}: {kind} without a reason"
        for path in python_files(*FOLDERS)
        for line, kind, reasoned in escapes(path)
        if not reasoned
    ]
    unnamed = [
        f"{place(path, line)}: {text}"
        for path in python_files(*FOLDERS)
        if "pyright: ignore" in text_of(path)
        for line, text in comments(path)
        if "pyright: ignore" in text and not PYRIGHT_RULE.search(text)
    ]
    assert not bare + unnamed, "\n".join(bare + unnamed)


def test_type_ignore_is_not_used_where_a_pyright_rule_can_be_named() -> None:
    found = [
        place(path, line)
        for path in python_files(*FOLDERS)
        for line, kind, _ in escapes(path)
        if kind == "type: ignore"
    ]
    assert not found, "\n".join(found)


def test_a_file_that_uses_any_or_cast_says_why() -> None:
    """A comment at one of the uses, or at the import for all of them; beside it or on the line above."""
    silent: list[str] = []
    for path in python_files(*FOLDERS):
        if REASON_AT_IMPORT.search(text_of(path)) or not (places := loose_names(path)):
            continue
        commented = {line for line, _ in comments(path)} | {line + 1 for line in own_line_comments(path)}
        if not commented & {typing_import(path)[0], *(line for line, _ in places)}:
            silent.append(f"{place(path, places[0][0])}: {len(places)} uses of Any or cast and no reason given")
    assert not silent, "\n".join(silent)


def test_the_counts_stay_within_what_was_agreed() -> None:
    """A ratchet: a change that needs more raises the number here, in view of whoever reads the change."""
    agreed = {"pyright: ignore": 18, "noqa": 8, "Any": 541, "cast": 4}
    counted: Counter[str] = Counter()
    for path in python_files("gpucomp", "kernels"):
        counted.update(kind for _, kind, _ in escapes(path))
        counted.update(name for _, name in loose_names(path))
    over = {kind: (counted[kind], limit) for kind, limit in agreed.items() if counted[kind] > limit}
    assert not over, f"more than agreed (count, agreed): {over}"
