"""The roofline of a run, as SVG: rates of our kernels and of the best peer under what the device can move."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any  # Any: values of JSON rows, and matplotlib's objects

from gpucomp.support.diagnostics import ArgumentError

Record = dict[str, Any]


def draw(records: Sequence[Record], path: Path) -> None:
    """Write the picture: bytes moved across, 1e9 bytes a second up; Williams et al. 2009, for one level of memory.

    Raises:
        ArgumentError: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise ArgumentError(
            "--plot needs matplotlib, which is not installed", code="GC644", hint="pip install 'gpucomp[report]'"
        ) from None
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "gpucomp"  # the same picture for the same numbers
    import matplotlib.pyplot as pyplot

    shown = [record for record in records if "seconds" in record]
    figure: Any
    axes: Any
    figure, axes = pyplot.subplots(figsize=(9, 5.5))
    for kind, mark in (("copy", "-"), ("read", "--")):
        points = sorted(
            (record["bytes"], record["bytes"] / record["roof"]["seconds"] / 1e9)
            for record in shown
            if record.get("roof") and record["roof"]["kind"] == kind
        )
        if points:
            axes.plot(*zip(*points, strict=True), mark, color="0.4", label=f"{kind} of the same bytes")
    for number, op in enumerate(dict.fromkeys(record["op"] for record in shown)):
        mine = [record for record in shown if record["op"] == op]
        colour = f"C{number % 10}"
        axes.plot([r["bytes"] for r in mine], [r["gbps"] for r in mine], "o", color=colour, label=op)
        theirs = [(r["bytes"], r["gbps"] / r["vs_best_peer"]) for r in mine if r.get("vs_best_peer")]
        if theirs:
            axes.plot(*zip(*theirs, strict=True), "x", color=colour, alpha=0.6)
    axes.set_xscale("log")
    axes.set_xlabel("bytes moved")
    axes.set_ylabel("GB/s   (o ours, x best peer)")
    device = str(shown[0]["device_name"]) if shown else ""
    axes.set_title(f"{device}, {shown[0]['date']}" if shown else "no rows")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, ncol=2)
    figure.savefig(path, format="svg", metadata={"Date": None})
    pyplot.close(figure)
