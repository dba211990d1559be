"""The roofline of a run, as SVG: rates of our kernels and of the best peer under what the device can move."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias  # Any: values of JSON rows, and matplotlib's objects

from gpucomp.support.diagnostics import ArgumentError

Record = dict[str, Any]
Axes: TypeAlias = Any
_MARKS: Final = (("o", "x"), ("s", "+"), ("^", "1"))  # ours and the best peer's: there are ten colours


def needs_matplotlib() -> None:
    """Refuse to draw before anything is measured.

    Raises:
        ArgumentError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ArgumentError(
            "--plot needs matplotlib, which is not installed", code="GC644", hint="pip install 'gpucomp[report]'"
        )


def draw(records: Sequence[Record], path: Path) -> None:
    """Write the picture: the roofline of Williams et al. 2009, for one level of memory.

    Where arithmetic bounds a row, operations a byte go across and operations a second up; else bytes moved go across,
    and bytes a second up.

    Raises:
        ArgumentError: matplotlib is not installed.
    """
    needs_matplotlib()
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "gpucomp"  # the same picture for the same numbers
    import matplotlib.pyplot as pyplot

    shown = [record for record in records if "seconds" in record]
    figure: Any
    axes: Axes
    figure, axes = pyplot.subplots(figsize=(9, 5.5))
    if any(record["roof"]["kind"] == "arithmetic" for record in shown):
        _draw_arithmetic(axes, shown)
    else:
        _draw_moves(axes, shown)
    axes.set_xscale("log")
    device = str(shown[0]["device_name"]) if shown else ""
    axes.set_title(f"{device}, {shown[0]['date']}" if shown else "no rows")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, ncol=2)
    figure.savefig(path, format="svg", metadata={"Date": None})
    pyplot.close(figure)


def _draw_moves(axes: Axes, shown: Sequence[Record]) -> None:
    """Bytes moved across, bytes a second up, and the roofs that were measured for these bytes."""
    for kind, mark in (("copy", "-"), ("read", "--")):
        points = sorted(
            (record["bytes"], record["bytes"] / record["roof"]["seconds"] / 1e9)
            for record in shown
            if record.get("roof") and record["roof"]["kind"] == kind
        )
        if points:
            axes.plot(*zip(*points, strict=True), mark, color="0.4", label=f"{kind} of the same bytes")
    _draw_points(axes, shown, lambda record: record["bytes"], "gbps")
    axes.set_xlabel("bytes moved")
    axes.set_ylabel("GB/s   (filled: ours, crosses: best peer)")


def _draw_arithmetic(axes: Axes, shown: Sequence[Record]) -> None:
    """Operations a byte across, operations a second up, under the device's arithmetic and its memory."""
    bound = [record for record in shown if record["roof"]["kind"] == "arithmetic"]
    peak = max(record["flops"] / record["roof"]["seconds"] for record in bound) / 1e12
    moves = [r["bytes"] / r["roof"]["seconds"] for r in shown if r["roof"]["kind"] != "arithmetic"]
    intensities = [record["flops"] / record["bytes"] for record in shown]
    low, high = min(intensities) / 2, max(intensities) * 2
    axes.plot([low, high], [peak, peak], "-", color="0.4", label="arithmetic without tensor cores")
    if moves:
        slope = max(moves) / 1e12
        ends = [low, min(high, peak / slope)]
        axes.plot(ends, [x * slope for x in ends], "--", color="0.4", label="memory, the fastest of these rows' roofs")
    _draw_points(axes, shown, lambda record: record["flops"] / record["bytes"], "tflops")
    axes.set_yscale("log")
    axes.set_xlabel("operations for each byte of the operands and results")
    axes.set_ylabel("TFLOP/s   (filled: ours, crosses: best peer)")


def _draw_points(axes: Axes, shown: Sequence[Record], across: Callable[[Record], float], rate: str) -> None:
    for number, op in enumerate(dict.fromkeys(record["op"] for record in shown)):
        mine = [record for record in shown if record["op"] == op]
        colour, (mark, other) = f"C{number % 10}", _MARKS[number // 10 % len(_MARKS)]
        axes.plot([across(r) for r in mine], [r[rate] for r in mine], mark, color=colour, label=op)
        theirs = [(across(r), r[rate] / r["vs_best_peer"]) for r in mine if r.get("vs_best_peer")]
        if theirs:
            axes.plot(*zip(*theirs, strict=True), other, color=colour, alpha=0.6)
