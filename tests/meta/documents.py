"""The documents as programs: their Python blocks run in order, and what they print is the block that follows.

    python -m tests.meta.documents README.md     run one document; the exit status tells

In a ``text`` block right after a ``python`` block, ``...`` stands for anything, and numbers of a document's lines are
free.  A Python block whose first line is a comment with a file's name (``# matmul.py``) is written to that file in the
working folder instead of being run.  A ``cuda`` or ``opencl`` block is what the variable of this name holds.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.meta.source import ROOT

DOCUMENTS: Final = ("README.md", *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))))
_FLAGS: Final = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_FILE: Final = re.compile(r"# (\w+\.py)\n")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, and the line where the text starts."""

    language: str
    text: str
    line: int


def blocks(document: str) -> list[Block]:
    """The fenced blocks of a document, in order."""
    text = (ROOT / document).read_text(encoding="utf-8")
    found: list[Block] = []
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        found.append(Block(match[1], match[2], text.count("\n", 0, match.start(2)) + 1))
    return found


def commands(document: str) -> list[list[str]]:
    """The words of every line of the shell blocks, and of the lines after a prompt in console blocks."""
    lines = [line for block in blocks(document) if block.language == "sh" for line in block.text.splitlines()]
    lines += [command for command, _ in sessions(document)]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def sessions(document: str) -> list[tuple[str, str]]:
    """The commands of the console blocks, each with what it is shown to print."""
    found: list[tuple[str, str]] = []
    for block in blocks(document):
        if block.language != "console":
            continue
        for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def same_output(want: str, got: str) -> bool:
    """Whether a text is what a document shows; lines of documents may have moved."""
    want, got = (re.sub(r"\.md:\d+", ".md:0", text) for text in (want, got))
    return doctest.OutputChecker().check_output(want, got, _FLAGS)


def write_files(document: str, folder: Path) -> None:
    """The files that a document shows."""
    for block in blocks(document):
        named = _FILE.match(block.text) if block.language == "python" else None
        if named is not None:
            (folder / named[1]).write_text(block.text, encoding="utf-8")


def run(document: str) -> list[str]:
    """Run the Python blocks; returns what went wrong."""
    names: dict[str, object] = {"__name__": "__main__"}
    problems: list[str] = []
    found = blocks(document)
    for block, following in zip(found, [*found[1:], None], strict=True):
        if block.language in ("cuda", "opencl") and str(names.get(block.language)).strip() != block.text.strip():
            problems.append(f"{document}:{block.line}: the text is not what {block.language!r} holds")
        if block.language != "python" or _FILE.match(block.text):
            continue
        printed = io.StringIO()
        code = compile("\n" * (block.line - 1) + block.text, str(ROOT / document), "exec")
        with contextlib.redirect_stdout(printed):
            exec(code, names)  # noqa: S102  # the checkout's own documents
        got = printed.getvalue()
        shown = following.text if following is not None and following.language == "text" else None
        if shown is not None and not same_output(shown, got):
            problems.append(f"{document}:{block.line}: shown\n{shown}\nprinted\n{got}")
    return problems


def main(arguments: Sequence[str]) -> int:
    """Run the documents that are named."""
    write_files(arguments[0], Path.cwd())
    problems = [problem for document in arguments for problem in run(document)]
    print("\n".join(problems), file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
