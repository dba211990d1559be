"""Words and tables on the terminal: results on stdout, everything else on stderr.

Colours and rich's tables are for terminals only, and NO_COLOR is honoured; what goes to a file or a pipe is plain.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence

import click


def wants_colour() -> bool:
    """Whether stdout is a terminal whose user did not ask for no colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def say(text: str = "", *, colour: str | None = None, bold: bool = False) -> None:
    """A line on stdout."""
    styled = click.style(text, fg=colour, bold=bold or None) if wants_colour() else text
    click.echo(styled, color=wants_colour())


def log(text: str) -> None:
    """A line on stderr."""
    click.echo(f"gpucomp: {text}", err=True, color=False)


def announce_defaults(**chosen: object) -> None:
    """Say on stderr what was not given on the command line."""
    if chosen:
        log("defaults: " + ", ".join(f"--{name} {value}" for name, value in chosen.items()))


def json_line(record: Mapping[str, object]) -> None:
    """One record of JSON Lines on stdout, flushed, so that a reader sees it at once."""
    click.echo(json.dumps(record, allow_nan=False), color=False)
    sys.stdout.flush()


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = ()) -> None:
    """A table on stdout.

    Args:
        headers: of the columns.
        rows: of cells.
        numbers: positions of the columns that are aligned to the right.
    """
    if wants_colour():
        _rich_table(headers, rows, numbers)
        return
    widths = [max(len(row[i]) for row in (headers, *rows)) for i in range(len(headers))]
    for row in (headers, *rows):
        cells = [
            cell.rjust(width) if i in numbers else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip(), color=False)


def _rich_table(headers: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold")
    for i, header in enumerate(headers):
        made.add_column(header, justify="right" if i in numbers else "left", no_wrap=i in numbers)
    for row in rows:
        made.add_row(*(Text(cell, style=_cell_style(cell)) for cell in row))
    Console(highlight=False).print(made)


def _cell_style(cell: str) -> str:
    return {"ok": "green", "WRONG": "bold red", "FAILED": "bold red"}.get(cell, "")


def code(text: str, language: str) -> None:
    """Source text on stdout, highlighted on a terminal.

    Args:
        text: the source.
        language: of it, as Pygments calls it.
    """
    if not wants_colour():
        click.echo(text, color=False)
        return
    from rich.console import Console
    from rich.syntax import Syntax

    Console().print(Syntax(text, language, background_color="default", word_wrap=False), soft_wrap=True)


def seconds_text(seconds: float) -> str:
    """``1.84 ms``: three digits and a fitting unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{_three_digits(seconds / 1e-9)} ns"


def rate_text(per_second: float, unit: str) -> str:
    """``52.1 TFLOP/s`` from a number of units per second."""
    for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6)):
        if per_second >= size:
            return f"{_three_digits(per_second / size)} {prefix}{unit}"
    return f"{_three_digits(per_second)} {unit}"


def bytes_text(count: int) -> str:
    """``12 MB``."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{_three_digits(count / size)} {unit}"
    return f"{count} B"


def _three_digits(value: float) -> str:
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
