"""The pages docs/benchmarks/suite/*.md, from the rows of ``gpucomp bench suite --out`` beside them.

python ci/suite_table.py            write a page for each *.jsonl
python ci/suite_table.py --check    exit with 1 when a page is not what the rows say
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any, Final  # Any: values of JSON rows

Row = dict[str, Any]
COMPUTE: Final = ("gemm", "conv", "ansor")
# Our own kernels as peers.
OWN: Final = ("opencl", "opencl-plain")
HALVES: Final = ("float16", "bfloat16")
COMPILED: Final = "torch.compile"
OWN_METHOD: Final = (
    "`opencl` and `opencl-plain` are our own kernels through the driver's OpenCL, with shuffles in inline PTX and"
    " without\n(`GPUCOMP_OPENCL_PTX=0`): medians of the time from the end of the kernel that empties the cache to the"
    " end of the\n"
    "last kernel, by the events of the device, whose clock ticks in microseconds."
)
SERIES: Final = 30  # replays of a side before another has its turn
FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "suite"


def page(rows: list[Row], name: str) -> str:
    """One page: where and how it was measured, and a line for each row."""
    first = rows[0]
    peers = list(dict.fromkeys(peer for row in rows for peer in row["peers"]))
    compute = first.get("family") in COMPUTE
    titles = [f"{peer}, us" for peer in peers]
    versions = ", ".join(f"{package} {version}" for package, version in first["versions"].items())
    lines = [
        f"# {name}",
        "",
        f"{first['device_name']}, driver {first['driver']}, {first['date']}; {versions}.",
        "",
        _method(first),
        _roofs(compute, any(row["dtype"] in HALVES for row in rows)),
        "`vs best`: the fastest peer over ours. Drawn shapes (seed " + str(first["seed"]) + ") have a star.",
        *([f"An empty launch takes {first['empty_seconds'] * 1e6:.2f} us."] if first["empty_seconds"] else []),
        "",
        " | ".join(["| op", "shape", "type", "us", "TF/s" if compute else "GB/s", "of roof", *titles, "vs best |"]),
        "|" + "---|" * (7 + len(peers)),
    ]
    for row in rows:
        shape = " x ".join(f"{extent:,}" for extent in row["shape"]) + (" *" if row["drawn"] else "")
        theirs = [_microseconds(row["peers"].get(peer)) for peer in peers]
        versus = f"{row['vs_best_peer']:.2f}" if row["vs_best_peer"] else ""
        rate = f"{row['tflops']:.4g}" if compute else f"{row['gbps']:,.0f}"
        ours = [f"{row['seconds'] * 1e6:.2f}", rate, f"{row['of_roof']:.3f}"]
        op = f"{row['op']} ({row['label']})" if row.get("label") else row["op"]
        cells = [op, shape, row["dtype"], *ours, *theirs, versus]
        lines.append("| " + " | ".join(cells) + " |")
    own = [peer for peer in peers if peer in OWN]
    lines += ["", *([] if own else _means(rows)), *_slower(rows), *_notes(rows)]
    if own:
        lines += [OWN_METHOD, ""]
    for peer in own:
        found = [
            row["seconds"] / row["peers"][peer]["seconds"] for row in rows if _microseconds(row["peers"].get(peer))
        ]
        words = f"geometric mean {_mean(found):.3f} over {len(found)} rows, least {min(found):.3f}"
        lines.append(f"* Time of our {first['backend']} form over that of {peer}: {words}.")
    return "\n".join([*lines, ""])


def _method(row: Row) -> str:
    turns = f", in turns: {row['repeats'] // SERIES} times {SERIES} replays each" if row["repeats"] > SERIES else ""
    start = "Medians of graphs, replayed after the cache was emptied by reading"
    return f"{start}; all sides in one run, checked first{turns}."


def _mean(ratios: list[float]) -> float:
    return math.exp(sum(math.log(ratio) for ratio in ratios) / len(ratios))


def _roofs(compute: bool, halves: bool) -> str:
    if compute:
        tensor = "; of 16-bit products at that of `mma.sync`, which tensor cores of Hopper exceed by `wgmma`"
        return (
            f"`of roof`: the time of the arithmetic at the rate that the device reaches without tensor cores"
            f"{tensor if halves else ''}, or that of a copy or read of the same bytes where it is longer, over ours."
        )
    return "`of roof`: the time of a copy, or of a read, of the same number of bytes in the same run, over ours."


def _means(rows: list[Row]) -> list[str]:
    """Geometric means against the best peer: of all rows, and of each group."""
    lines: list[str] = []
    groups = dict.fromkeys(row.get("group", "") for row in rows)
    for group in ("", *[g for g in groups if g]):
        ratios = [row["vs_best_peer"] for row in rows if row["vs_best_peer"] and group in ("", row.get("group", ""))]
        if not ratios:
            continue
        of = f", {group}" if group else ""
        least = f", least {min(ratios):.2f}" if group else ""
        words = f"Geometric mean against the best peer over {len(ratios)} rows{of}: {_mean(ratios):.2f}{least}."
        lines.append(f"* {words}" if group else words)
        lines += [] if group or len(groups) < 2 else [""]
    return lines


def _name(row: Row) -> str:
    return f"{row['op']} {' x '.join(f'{extent:,}' for extent in row['shape'])} {row['dtype']}"


def _slower(rows: list[Row]) -> list[str]:
    """The rows at which a peer is faster, the slowest first, where torch.compile is a peer."""
    slower = [row for row in rows if row["vs_best_peer"] and row["vs_best_peer"] < 1]
    if not slower or not any(peer.startswith(COMPILED) for row in rows for peer in row["peers"]):
        return []
    slower.sort(key=lambda row: row["vs_best_peer"])
    lines = [f"* {row['vs_best_peer']:.3f}: {_name(row)}, {row['best_peer']}" for row in slower]
    return ["", f"Below 1 are {len(slower)} rows:", "", *lines]


def _notes(rows: list[Row]) -> list[str]:
    """Where a peer failed, or computed something else."""
    lines: list[str] = []
    for row in rows:
        for peer, found in row["peers"].items():
            if isinstance(found, dict) and "error" in found:
                lines.append(f"* {peer} on {_name(row)}: `{found['error']}`")
            elif isinstance(found, dict) and "differs" in found:
                lines.append(f"* {peer} on {_name(row)}: its result differs from ours by {found['differs']:.2g}")
    return ["", "Not timed, or another result:", "", *lines] if lines else []


def _microseconds(found: Any) -> str:
    return f"{found['seconds'] * 1e6:.2f}" if isinstance(found, dict) and "seconds" in found else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    stale: list[str] = []
    for path in sorted(FOLDER.glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        if any(not row["ok"] for row in rows):
            print(f"{path.name}: a result was wrong", file=sys.stderr)
            return 1
        target = path.with_suffix(".md")
        text = page(rows, path.stem)
        if check and (not target.exists() or target.read_text(encoding="utf-8") != text):
            stale.append(target.name)
        elif not check:
            target.write_text(text, encoding="utf-8")
    if stale:
        print(f"not what the rows say: {', '.join(stale)} (run python ci/suite_table.py)", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
