"""The figures of docs/benchmarks/fuzz.md, from the summary of a run of ``ci/fuzz --out``.

    python ci/fuzz_table.py --record fuzz-results/summary.json    keep that summary, and write the page from it
    python ci/fuzz_table.py                                       write the page from the summary that is kept
    python ci/fuzz_table.py --check                               exit with 1 when the page says something else

What stands outside of the markers is written by hand.  A run with failures is refused: they are mended first.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final  # Any: values of JSON

Summary = dict[str, Any]
ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "benchmarks" / "fuzz.md"
KEPT: Final = ROOT / "docs" / "benchmarks" / "fuzz" / "summary.json"
END: Final = "\n\n<!-- end of what ci/fuzz_table.py writes -->"
_NEEDED: Final = (
    "seed", "cases", "date", "status", "workloads", "versions", "computed_on", "rejects", "primitives",
    "primitives_in_legal", "pairs", "pairs_covered", "pairs_possible", "failures", "wall_seconds", "jobs", "command",
)  # fmt: skip
# tests/fuzz/runner.py keeps 80 characters of a cause; one that ends there may have a space last.
_CUT: Final = 79
_BACKENDS: Final = {"interp": "the interpreter", "cpu": "the CPU", "opencl": "OpenCL"}


class BadSummary(Exception):
    """A summary that must not be shown, or a page without a place for it."""


def read(path: Path) -> Summary:
    """A summary.

    Raises:
        BadSummary: it is no summary of a whole run, or the run failed.
    """
    found = json.loads(path.read_text(encoding="utf-8"))
    missing = [name for name in _NEEDED if not isinstance(found, dict) or name not in found]
    if missing:
        raise BadSummary(f"{path.name}: the summary has no {', '.join(missing)}")
    if found["failures"]:
        raise BadSummary(f"{path.name}: {len(found['failures'])} cases failed, the first is {found['failures'][0]}")
    return found


def kept(summary: Summary) -> str:
    """The summary as text, a line for each entry, without the folder that one machine wrote to."""
    words = str(summary["command"]).split()
    if "--out" in words:
        at = words.index("--out")
        del words[at : at + 2]
    entries = {**summary, "command": " ".join(words)}
    return "{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in entries.items()) + "\n}\n"


def run(summary: Summary) -> str:
    """One paragraph: how it was run, and what came of it."""
    cases, status = summary["cases"], summary["status"]
    legal, refused = cases - status.get("illegal", 0), status.get("illegal", 0)
    computed = [
        f"{_BACKENDS.get(name, name)}" + ("" if count == legal else f" ({count:,} of them)")
        for name, count in summary["computed_on"].items()
    ]
    versions = ", ".join(f"{name} {version}" for name, version in summary["versions"].items() if name != "machine")
    backends = ", ".join(computed[:-1]) + f" and {computed[-1]}"
    return "\n".join(
        [
            f"`bash ci/fuzz {summary['command']}` drew {cases:,} schedules of {len(summary['workloads'])} workloads, "
            f"{legal / cases:.1%} of them legal,",
            f"and compared what each computes on {backends} with numpy: {status.get('equal', 0):,} are equal,",
            f"{refused:,} are refused with an explanation, **{status.get('wrong', 0)} are wrong, crashed or hung** "
            f"({summary['date'][:10]}; {summary['wall_seconds']:.0f} s",
            f"with {summary['jobs']} processes). {summary['pairs_covered']} of {summary['pairs_possible']} ordered "
            "pairs of primitives met in a legal schedule.",
            "",
            f"Ran with {versions}.",
        ]
    )


def tables(summary: Summary) -> str:
    """Why schedules were refused, how often each primitive was drawn, and which pairs never met."""
    codes: Counter[str] = Counter()
    texts: dict[str, str] = {}
    for cause, count in summary["rejects"].items():  # the most frequent first
        code, _, text = cause.partition(": ")
        codes[code] += count
        texts.setdefault(code, _whole_words(text.strip()).replace("|", "\\|"))
    lines = ["## Why schedules were refused", "", "| code | schedules | most often |", "|---|---|---|"]
    lines += [f"| {code} | {count:,} | {texts[code]} |" for code, count in codes.most_common()]
    lines += ["", "## How often each primitive was drawn", ""]
    lines += ["| primitive | applied | in legal schedules |", "|---|---|---|"]
    in_legal = summary["primitives_in_legal"]
    lines += [f"| {name} | {count:,} | {in_legal.get(name, 0):,} |" for name, count in summary["primitives"].items()]
    lines += ["", "## Pairs that met in no legal schedule", "", "| first | then |", "|---|---|"]
    never = {a: [b for b, count in row.items() if not count] for a, row in summary["pairs"].items()}
    alike: dict[tuple[str, ...], list[str]] = {}
    for first, then in never.items():
        alike.setdefault(tuple(then), []).append(first)
    lines += [f"| {', '.join(firsts)} | {', '.join(then)} |" for then, firsts in alike.items() if then]
    return "\n".join(lines)


def _whole_words(text: str) -> str:
    """A cause without the piece of a word that the fuzzer's limit of its length left at the end."""
    return text if len(text) < _CUT else f"{text.rpartition(' ')[0]} ..."


def rendered(page: str, summary: Summary) -> str:
    """The page with what stands between its markers replaced.

    Raises:
        BadSummary: a marker is missing.
    """
    for name, text in (("run", run(summary)), ("tables", tables(summary))):
        start = f"<!-- {name}: written by ci/fuzz_table.py -->\n\n"
        before, found, rest = page.partition(start)
        _, end, after = rest.partition(END)
        if not (found and end):
            raise BadSummary(f"the page has no markers for its {name}")
        page = before + start + text + END + after
    return page


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when the page is old")
    parser.add_argument("--record", type=Path, metavar="SUMMARY", help="keep this summary")
    parser.add_argument("--page", type=Path, default=PAGE, help="fuzz.md")
    parser.add_argument("--kept", type=Path, default=KEPT, help="where the summary is kept")
    chosen = parser.parse_args(arguments)
    page = chosen.page.read_text(encoding="utf-8")
    try:
        summary = read(chosen.record or chosen.kept)
        if chosen.record is not None:
            summary = json.loads(kept(summary))
        wanted = rendered(page, summary)
    except (BadSummary, OSError, json.JSONDecodeError) as error:
        print(f"fuzz_table: {error}", file=sys.stderr)
        return 1
    if chosen.check:
        return int(wanted != page)
    if chosen.record is not None:
        chosen.kept.write_text(kept(summary), encoding="utf-8")
    chosen.page.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
