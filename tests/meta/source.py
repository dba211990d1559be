"""Reading the tree's own Python for the tests of this folder: each file once, by its real path."""

from __future__ import annotations

import ast
import io
import os
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def python_files(*folders: str) -> tuple[Path, ...]:
    """All Python files below the named folders of the checkout, sorted; symlinked folders are not entered."""
    found: list[Path] = []
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not any(parent.is_symlink() for parent in (path, *path.parents) if parent != ROOT):
                found.append(path)
    return tuple(found)


def run_in_checkout(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command that imports this checkout's package, installed or not."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def place(path: Path, line: int) -> str:
    """``folder/file.py:12``, as the messages of these tests name a line."""
    return f"{path.relative_to(ROOT)}:{line}"


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of one file."""
    return ast.parse(text_of(path), filename=str(path))


@cache
def comments(path: Path) -> tuple[tuple[int, str], ...]:
    """Line and text of every comment."""
    tokens = tokenize.generate_tokens(io.StringIO(text_of(path)).readline)
    return tuple([(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT])


def imported_names(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of every absolute import, at whatever depth it stands."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def string_constants(path: Path) -> Iterator[tuple[int, str]]:
    """Line and value of every string constant that is no docstring, the fixed parts of f-strings included."""
    tree = parsed(path)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value
