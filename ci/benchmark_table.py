"""The table "Measured" of the README, from the rows of ``gpucomp bench suite --out`` in docs/benchmarks/suite.

    python ci/benchmark_table.py            write the table into README.md
    python ci/benchmark_table.py --check    exit with 1 when it is not what the rows say

A line for each group of rows (of rows without one: for each operator) of each file, which holds JSON Lines and has a
page of its name beside it.  Rows whose result was wrong are refused.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final  # Any: values of JSON rows

Row = dict[str, Any]
ROOT: Final = Path(__file__).resolve().parents[1]
START: Final = "<!-- measured: written by ci/benchmark_table.py -->\n\n"
END: Final = "\n\n<!-- end of measured -->"
NOTHING: Final = "No figures are recorded yet."
# Our own kernels as peers: what counts is how fast they are, not how fast the fastest of them is.
OWN: Final = "opencl"
_NEEDED: Final = ("op", "dtype", "seconds", "of_roof", "peers", "vs_best_peer", "device_name", "date", "ok")
_HEAD: Final = ("what", "type", "rows", "against", "geometric mean", "least", "of roof", "on", "date")


class BadRow(Exception):
    """A row that must not be shown."""


def read(folder: Path) -> dict[str, list[Row]]:
    """The rows of all files of a folder, by the file's name without its ending.

    Raises:
        BadRow: a row lacks what the table needs, or its result was wrong.
    """
    found: dict[str, list[Row]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        rows = found[path.stem] = []
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                row: Row = json.loads(line)
                _check(row, f"{path.name}:{number}")
                rows.append(row)
    return found


def _check(row: Row, where: str) -> None:
    missing = [name for name in _NEEDED if name not in row]
    if missing:
        raise BadRow(f"{where}: the row has no {', '.join(missing)}")
    if not row["ok"]:
        raise BadRow(f"{where}: the result of {row['op']} was wrong")


def table(files: dict[str, list[Row]], pages: str) -> str:
    """The table in Markdown; ``pages`` is the folder to which its links go."""
    lines = [
        _line(what, rows, f"{pages}/{name}.md") for name, all_rows in files.items() for what, rows in _parts(all_rows)
    ]
    if not lines:
        return NOTHING
    return "\n".join(["| " + " | ".join(_HEAD) + " |", "|" + "---|" * len(_HEAD), *lines])


def _parts(rows: list[Row]) -> list[tuple[str, list[Row]]]:
    if any(OWN in row["peers"] for row in rows):
        return [("our OpenCL beside our CUDA", rows)]
    parts: dict[str, list[Row]] = {}
    for row in rows:
        parts.setdefault(_title(row), []).append(row)
    return list(parts.items())


def _title(row: Row) -> str:
    family, group = str(row.get("family")), str(row.get("group") or "")
    if not group:
        return str(row["op"])
    if family == "ansor":  # ten groups for each batch: "C2D, batch 16"
        return f"single operators, {group.rpartition(', ')[2]}"
    return {"gemm": "products, ", "conv": "convolutions, "}.get(family, "") + group


def _line(what: str, rows: list[Row], page: str) -> str:
    own = any(OWN in row["peers"] for row in rows)
    ratios = [_ratio(row, own) for row in rows]
    compared = [ratio for ratio in ratios if ratio]
    peers = dict.fromkeys(peer for row in rows for peer, found in row["peers"].items() if _seconds(found))
    cells = [
        f"[{what}]({page})", ", ".join(dict.fromkeys(str(row["dtype"]) for row in rows)), str(len(compared)),
        "CUDA" if own else ", ".join(peers), f"{_mean(compared):.2f}" if compared else "",
        f"{min(compared):.2f}" if compared else "", "" if own else f"{_mean([row['of_roof'] for row in rows]):.2f}",
        str(rows[0]["device_name"]), str(rows[0]["date"])[:10],
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _ratio(row: Row, own: bool) -> float | None:
    """How many times as fast as the fastest peer; of our own OpenCL: as our CUDA."""
    if not own:
        return row["vs_best_peer"]
    peer = _seconds(row["peers"].get(OWN))
    return row["seconds"] / peer if peer else None


def _seconds(found: Any) -> float | None:
    """The time of a peer; of one that was not measured, nothing or the reason is recorded."""
    return found.get("seconds") if isinstance(found, dict) else None


def _mean(ratios: list[float]) -> float:
    return math.exp(sum(math.log(ratio) for ratio in ratios) / len(ratios))


def rendered(document: str, files: dict[str, list[Row]], pages: str) -> str:
    """The document with its table replaced.

    Raises:
        BadRow: the document has no markers.
    """
    before, start, rest = document.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise BadRow("the document has no markers for the table")
    return before + START + table(files, pages) + END + after


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="The table of measurements in README.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when the table is old")
    parser.add_argument("--document", type=Path, default=ROOT / "README.md", help="README.md")
    parser.add_argument("--rows", type=Path, default=ROOT / "docs" / "benchmarks" / "suite", help="the folder of rows")
    chosen = parser.parse_args(arguments)
    text = chosen.document.read_text(encoding="utf-8")
    try:
        pages = chosen.rows.resolve().relative_to(chosen.document.resolve().parent).as_posix()
        wanted = rendered(text, read(chosen.rows), pages)
    except BadRow as error:
        print(f"benchmark_table: {error}", file=sys.stderr)
        return 1
    if chosen.check:
        return int(wanted != text)
    chosen.document.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
