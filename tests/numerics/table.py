"""The measured tables of docs/numerics.md.

    python -m tests.numerics.table --device cuda:0 --json >> docs/numerics.jsonl    measure one device
    python -m tests.numerics.table --render                                         put the rows into the document

A device is "interp", "cpu:0", "opencl:N" or "cuda:N".  Rows of a backend replace earlier ones of the same backend.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final  # Any: values of JSON rows

import numpy as np

import gpucomp as gc
from tests.numerics.accuracy import FUNCTIONS, measure
from tests.numerics.backends import device_of
from tests.numerics.behaviour import QUESTIONS

Row = dict[str, Any]
ROOT: Final = Path(__file__).resolve().parents[2]
ROWS: Final = ROOT / "docs" / "numerics.jsonl"
DOCUMENT: Final = ROOT / "docs" / "numerics.md"


def describe(backend: str) -> Row:
    """What identifies a column."""
    device = device_of(backend)
    if device is None:
        return {"backend": "interp", "device": "numpy", "driver": f"numpy {np.__version__}"}
    return {"backend": device.kind, "device": device.device_name, "driver": str(device.api_version)}


def rows(backend: str, samples: int) -> Iterator[Row]:
    """Measure a backend."""
    here = describe(backend)
    for found in measure(backend, list(FUNCTIONS), samples):
        yield {
            "kind": "accuracy", "name": found.function, **here, "ulp": round(found.worst, 3), "at": found.at,
            "nearest": round(found.exact, 4), "samples": found.samples, "gpucomp": gc.__version__,
        }  # fmt: skip
    for key, (_, answer) in QUESTIONS.items():
        yield {"kind": "behaviour", "name": key, **here, "answer": answer(backend), "gpucomp": gc.__version__}


def latest(lines: Sequence[str]) -> dict[tuple[str, str], dict[str, Row]]:
    """Rows by column (backend, device) and "kind name"; the last of each counts."""
    columns: dict[tuple[str, str], dict[str, Row]] = {}
    for line in lines:
        row: Row = json.loads(line)
        column = columns.setdefault((row["backend"], row["device"]), {})
        column[f"{row['kind']} {row['name']}"] = row
    order = {"interp": 0, "cpu": 1, "opencl": 2, "cuda": 3}
    return dict(sorted(columns.items(), key=lambda item: (order[item[0][0]], item[0][1])))


def tables(lines: Sequence[str]) -> dict[str, str]:
    """The two tables in Markdown, by the name of their markers."""
    columns = latest(lines)
    heads = [_head(key, rows) for key, rows in columns.items()]
    accuracy = [["function", "arguments", "at most", *heads]]
    for name, function in FUNCTIONS.items():
        found = [_ulp(rows.get(f"accuracy {name}")) for rows in columns.values()]
        accuracy.append([name, function.domain, f"{function.limit:g}", *found])
    behaviour = [["case", *heads]]
    for key, (question, _) in QUESTIONS.items():
        behaviour.append([question, *[_said(found.get(f"behaviour {key}")) for found in columns.values()]])
    return {"accuracy": _markdown(accuracy), "behaviour": _markdown(behaviour)}


def _head(key: tuple[str, str], found: dict[str, Row]) -> str:
    backend, device = key
    driver = str(next(iter(found.values()))["driver"])
    if backend == "opencl":
        pocl = re.search(r"PoCL [\d.]+", driver)
        return f"opencl ({pocl[0] if pocl else device})"
    return f"{backend} ({device if backend == 'cuda' else driver})"


def _ulp(row: Row | None) -> str:
    return "" if row is None else f"{row['ulp']:.2f}"


def _said(row: Row | None) -> str:
    return "" if row is None else str(row["answer"])


def _markdown(cells: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    return "\n".join([lines[0], "|" + "---|" * len(cells[0]), *lines[1:]])


def rendered(document: str, lines: Sequence[str]) -> str:
    """The document with its tables replaced."""
    for name, text in tables(lines).items():
        start, end = f"<!-- {name} -->\n\n", f"\n\n<!-- end of {name} -->"
        before, _, rest = document.partition(start)
        _, found, after = rest.partition(end)
        if not found:
            raise SystemExit(f"{DOCUMENT.name} has no markers {start.strip()} and {end.strip()}")
        document = before + start + text + end + after
    return document


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.numerics.table", description="Accuracy and open cases.")
    parser.add_argument("--device", help="interp, cpu:0, opencl:N or cuda:N: measure it")
    parser.add_argument("--samples", type=int, default=1 << 16, help="arguments for each function (65536)")
    parser.add_argument("--json", action="store_true", help="JSON Lines instead of a table")
    parser.add_argument("--render", action="store_true", help=f"put {ROWS.name} into {DOCUMENT.name}")
    chosen = parser.parse_args(arguments)
    if chosen.device:
        lines: list[str] = []
        for row in rows(chosen.device, chosen.samples):
            lines.append(json.dumps(row))
            if chosen.json:
                print(lines[-1], flush=True)
        if not chosen.json:
            print("\n\n".join(tables(lines).values()))
    if chosen.render:
        text = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(rendered(text, ROWS.read_text(encoding="utf-8").splitlines()), encoding="utf-8")
    if not (chosen.device or chosen.render):
        parser.print_usage(sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
