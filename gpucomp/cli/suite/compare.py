"""``gpucomp bench compare``: two results of ``bench suite`` side by side."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Final  # Any: values of JSON rows

from gpucomp.cli.console import json_line, say, seconds_text, table
from gpucomp.support.diagnostics import ArgumentError

Record = dict[str, Any]
Key = tuple[str, tuple[int, ...], str, str]


def run(before: str, after: str, as_json: bool) -> int:
    """The command; returns the exit status: 1 when a row is slower than both spreads explain."""
    old, new = _read(before), _read(after)
    both = [key for key in new if key in old]
    if not both:
        raise ArgumentError(
            f"{before} and {after} have no row in common", code="GC644", hint="write both with `bench suite --out`"
        )
    ratios = [old[key]["seconds"] / new[key]["seconds"] for key in both]
    words = [_word(old[key], new[key]) for key in both]
    if as_json:
        for key, ratio, word in zip(both, ratios, words, strict=True):
            json_line({
                "op": key[0], "shape": list(key[1]), "dtype": key[2], "device": key[3], "ratio": float(f"{ratio:.4g}"),
                "verdict": word,
            })  # fmt: skip
    else:
        lines = [
            [key[0], ",".join(str(n) for n in key[1]), key[2], seconds_text(old[key]["seconds"]),
             seconds_text(new[key]["seconds"]), f"{ratio:.3f}x", word]
            for key, ratio, word in zip(both, ratios, words, strict=True)
        ]  # fmt: skip
        table(["op", "shape", "dtype", "before", "after", "speed-up", ""], lines, numbers=(3, 4, 5))
        mean = math.exp(sum(math.log(r) for r in ratios) / len(ratios))
        say(f"geometric mean over {len(both)} rows: {mean:.3f}x")
    return 1 if "slower" in words else 0


def _word(old: Record, new: Record) -> str:
    """Faster or slower only where the middle four fifths of the repeats do not overlap."""
    if new["p90"] < old["p10"]:
        return "faster"
    return "slower" if new["p10"] > old["p90"] else ""


_NEEDED: Final = ("op", "shape", "dtype", "device", "seconds", "p10", "p90")


def _read(name: str) -> dict[Key, Record]:
    out: dict[Key, Record] = {}
    for number, line in enumerate(Path(name).read_text(encoding="utf-8").splitlines(keepends=True), 1):
        if not line.strip():
            continue
        try:
            record: Record = json.loads(line)
        except ValueError:
            if not line.endswith("\n"):  # the last one, of a run that was killed
                continue
            raise ArgumentError(f"{name}:{number} is no JSON", code="GC644") from None
        if all(field in record for field in _NEEDED):
            out[str(record["op"]), tuple(record["shape"]), str(record["dtype"]), str(record["device"])] = record
    if not out:
        raise ArgumentError(f"{name} has no measured row", code="GC644", hint="write it with `bench suite --out`")
    return out
