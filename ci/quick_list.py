"""The tests that ``ci/test --quick`` leaves out, chosen by measured time: tests/not_quick.txt.

    GPUCOMP_TEST_TIMES=times python -m pytest -n 2 -p tests.cpu_times     measure processors' time
    python ci/quick_list.py times/gw*.txt                                 choose, and write the list

What ``pytest --durations=0`` prints will do too, where nothing else ran.  Of each test function the cheapest case comes
first, and those that take next to nothing, cheap ones before dear ones; then other cases, cheap ones first, until the
seconds are used up.  Each file keeps one test at least.  What is not named is new: it stays.  Tests marked ``slow`` by
hand are left out anyway.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
LIST: Final = ROOT / "tests" / "not_quick.txt"
SECONDS: Final = 60.0  # with what each file keeps two minutes on two cores, the types beside
TINY: Final = 0.02
_LINE: Final = re.compile(r"\s*(\d+\.\d+)s (?:call|setup|teardown)\s+(tests/\S+?\.py::.*\S)\s*$")


def times(lines: Sequence[str]) -> dict[str, float]:
    """Seconds of each test, set-up and teardown included, from what ``pytest --durations`` prints."""
    found: dict[str, float] = defaultdict(float)
    for line in lines:
        if hit := _LINE.match(line):
            found[hit[2]] += float(hit[1])
    return dict(found)


def left_out(seconds: Mapping[str, float], budget: float) -> list[str]:
    """The tests that have no place in the budget, sorted."""
    cheapest: dict[str, float] = {}
    for name, took in seconds.items():
        function = name.partition("[")[0]
        cheapest[function] = min(took, cheapest.get(function, took))
    spare: dict[str, float] = {}
    for name, took in seconds.items():
        file = name.partition("::")[0]
        spare[file] = min(took, spare.get(file, took))

    def waits(name: str) -> bool:
        """Until there is one case of each function, unless it costs no more than naming it."""
        return seconds[name] > max(TINY, cheapest[name.partition("[")[0]])

    order = sorted(seconds, key=lambda name: (waits(name), seconds[name], name))
    out: list[str] = []
    used = 0.0
    for name in order:
        if seconds[name] <= spare[name.partition("::")[0]] or used + seconds[name] <= budget:
            used += seconds[name]
        else:
            out.append(name)
    return sorted(out)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", type=Path, nargs="+", help="what pytest printed")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="what the measured tests of the quick tier may take"
    )
    parser.add_argument("--list", type=Path, default=LIST, help="the file to write")
    chosen = parser.parse_args(arguments)
    measured = times([line for log in chosen.logs for line in log.read_text(encoding="utf-8").splitlines()])
    if not measured:
        print("quick_list: no durations in what was given: run pytest with --durations=0", file=sys.stderr)
        return 1
    out = left_out(measured, chosen.seconds)
    chosen.list.write_text("".join([f"{name}\n" for name in out]), encoding="utf-8")
    kept = sum(measured.values()) - sum([measured[name] for name in out])
    print(f"{len(out)} of {len(measured)} measured tests left out: {sum(measured.values()):.0f} s become {kept:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
