"""The table "Measured" of the README, from the rows of ``gpucomp bench --json`` in docs/benchmarks/*.json.

    python ci/benchmark_table.py            write the table into README.md
    python ci/benchmark_table.py --check    exit with 1 when it is not what the rows say

Each file holds JSON Lines.  Of rows for the same operator, shape, element type, backend and device the latest counts:
by their "date", or by a date at the start of the file's name.  Rows whose result was wrong are refused.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final  # Any: values of JSON rows

Row = dict[str, Any]
ROOT: Final = Path(__file__).resolve().parents[1]
START: Final = "<!-- measured: written by ci/benchmark_table.py -->\n\n"
END: Final = "\n\n<!-- end of measured -->"
NOTHING: Final = "No figures are recorded yet."
_HEAD: Final = (
    "operator", "shape", "type", "on", "time", "GFLOP/s", "GB/s", "against numpy there", "largest error", "date",
)  # fmt: skip
_BACKENDS: Final = {"cuda": 0, "opencl": 1, "llvm": 2}


class BadRow(Exception):
    """A row that must not be shown."""


def read(folder: Path) -> list[Row]:
    """The rows of all files of a folder, each with its date.

    Raises:
        BadRow: a row lacks what the table needs, or its result was wrong.
    """
    rows: list[Row] = []
    for path in sorted(folder.glob("*.json*")):
        dated = re.match(r"\d{4}-\d{2}-\d{2}", path.name)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                row: Row = {"date": dated[0] if dated else "", **json.loads(line)}
                _check(row, f"{path.name}:{number}")
                rows.append(row)
    return rows


def _check(row: Row, where: str) -> None:
    missing = [name for name in ("op", "shape", "dtype", "backend", "seconds", "max_rel_err") if name not in row]
    if missing:
        raise BadRow(f"{where}: the row has no {', '.join(missing)}")
    if row.get("ok") is False:
        raise BadRow(f"{where}: the result of {row['op']} was wrong")


def table(rows: Iterable[Row]) -> str:
    """The table in Markdown."""
    latest: dict[tuple[object, ...], Row] = {}
    for row in sorted(rows, key=lambda row: str(row["date"])):
        latest[(row["op"], tuple(row["shape"]), row["dtype"], row["backend"], _device(row))] = row
    if not latest:
        return NOTHING
    shown = sorted(latest.values(), key=_place)
    lines = ["| " + " | ".join(_HEAD) + " |", "|" + "---|" * len(_HEAD)]
    return "\n".join([*lines, *["| " + " | ".join(_cells(row)) + " |" for row in shown]])


def _place(row: Row) -> tuple[object, ...]:
    return (_BACKENDS.get(str(row["backend"]), 9), _device(row), str(row["op"]), str(row["dtype"]), list(row["shape"]))


def _device(row: Row) -> str:
    return str(row.get("device_name") or row.get("device", ""))


def _cells(row: Row) -> list[str]:
    driver = str(row.get("driver", "")).split("  ")[0]
    where = f"{row['backend']}: {_device(row)}" + (f" ({driver})" if driver else "")
    return [
        str(row["op"]), " x ".join(str(extent) for extent in row["shape"]), str(row["dtype"]), where,
        _seconds(float(row["seconds"])), _number(row.get("gflops")), _number(row.get("gbps")),
        _number(row.get("vs_numpy"), "x"), _error(row["max_rel_err"]), str(row["date"])[:10],
    ]  # fmt: skip


def _seconds(value: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e6:.3g} us"


def _number(value: float | None, unit: str = "") -> str:
    return "" if value is None else f"{value:,.0f}{unit}" if value >= 100 else f"{value:.2g}{unit}"


def _error(value: float | None) -> str:
    return "not checked" if value is None else f"{value:.1e}"


def rendered(document: str, rows: Iterable[Row]) -> str:
    """The document with its table replaced.

    Raises:
        BadRow: the document has no markers.
    """
    before, start, rest = document.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise BadRow("the document has no markers for the table")
    return before + START + table(rows) + END + after


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="The table of measurements in README.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when the table is old")
    parser.add_argument("--document", type=Path, default=ROOT / "README.md", help="README.md")
    parser.add_argument("--rows", type=Path, default=ROOT / "docs" / "benchmarks", help="the folder with the rows")
    chosen = parser.parse_args(arguments)
    text = chosen.document.read_text(encoding="utf-8")
    try:
        wanted = rendered(text, read(chosen.rows))
    except BadRow as error:
        print(f"benchmark_table: {error}", file=sys.stderr)
        return 1
    if chosen.check:
        return int(wanted != text)
    chosen.document.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
