"""One clock for all sides of a comparison.

On CUDA, each side's call is recorded as a graph and replayed between two events, so that no side pays for its launches;
between measurements a quarter of a gigabyte is *read*, which empties the cache of the operands and leaves no dirty
lines that the timed kernel would have to write back.  That memory stays allocated: after memory is given back, the
device looks up anew where pages are, and a kernel that moves half a gigabyte takes a sixth longer.  Elsewhere the
device's own events are used.

Sides of a comparison are all made ready first, and then take turns, so that what changes meanwhile (clocks of the
device, memory that is looked up anew) is the same for all.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final  # Any: a stream is whatever the device's library has

from gpucomp.runtime.cuda_graph import CudaGraph
from gpucomp.runtime.device import Device

EVICTED_BYTES: Final = 256 << 20
REPEATS: Final = 30
DISTURBED: Final = 2.0  # times the low tenth, where the high one lies if something else ran meanwhile
AGAIN: Final = 2  # how often such a series is repeated
TURNS: Final = 3  # of each side, where there are several


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of one call.

    Attributes:
        median: of all repeats.
        low, high: the tenth and the ninetieth percentile.
        repeats: how many.
        graph: whether a graph was replayed.
    """

    median: float
    low: float
    high: float
    repeats: int
    graph: bool

    def record(self) -> dict[str, object]:
        """For JSON."""
        return {
            "seconds": float(f"{self.median:.5g}"),
            "p10": float(f"{self.low:.5g}"),
            "p90": float(f"{self.high:.5g}"),
            "repeats": self.repeats,
            "graph": self.graph,
        }


def _nothing() -> None: ...


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison, ready to be timed.

    Attributes:
        series: the seconds of so many calls, one after the other.
        graph: whether they replay a graph.
        close: gives back what was made ready.
        kept: what must stay alive until then: a graph does not own the memory that it writes to.
    """

    series: Callable[[int], list[float]]
    graph: bool
    close: Callable[[], None] = _nothing
    kept: object = None

    def undisturbed(self, repeats: int) -> list[float]:
        """A series; again where other work disturbed it."""
        best = self.series(repeats)
        for _ in range(AGAIN):
            if _spread(best) <= DISTURBED:
                break
            best = min(best, self.series(repeats), key=_spread)
        return best


def _tenths(seconds: Sequence[float]) -> tuple[float, float]:
    tenths = statistics.quantiles(seconds, n=10)
    return tenths[0], tenths[-1]


def _spread(seconds: Sequence[float]) -> float:
    low, high = _tenths(seconds)
    return high / low


def in_turns(sides: Sequence[Side], repeats: int | None = None, turns: int | None = None) -> list[Times | Exception]:
    """The times of sides that take turns, forwards and backwards; of one that fails, why."""
    repeats = REPEATS if repeats is None else repeats
    turns = turns or (TURNS if len(sides) > 1 else 1)
    seconds: list[list[float]] = [[] for _ in sides]
    problems: dict[int, Exception] = {}
    for turn in range(turns):
        for number in range(len(sides))[:: -1 if turn % 2 else 1]:
            if number in problems:
                continue
            try:
                seconds[number] += sides[number].undisturbed(repeats)
            except Exception as problem:  # another library's failure is that side's result
                problems[number] = problem
    return [
        problems[number] if number in problems else _times(mine, sides[number].graph)
        for number, mine in enumerate(seconds)
    ]


def _times(seconds: Sequence[float], graph: bool) -> Times:
    return Times(statistics.median(seconds), *_tenths(seconds), len(seconds), graph)


class Clock:
    """Times calls on a device, all of them on ``stream``."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.stream: Any = device.create_raw_stream()
        device.set_raw_stream(self.stream)

    def close(self) -> None:
        """Give the stream back."""
        self.device.set_raw_stream(None)
        self.device.free_raw_stream(self.stream)

    def time(self, call: Callable[[], object], repeats: int | None = None) -> Times:
        """Time a call that queues work on ``stream``; it is warmed up first."""
        side = self.side(call)
        try:
            return _times(side.undisturbed(REPEATS if repeats is None else repeats), side.graph)
        finally:
            side.close()

    def side(self, call: Callable[[], object]) -> Side:
        """Make a call that queues work on ``stream`` ready: warmed up, and on CUDA recorded."""
        for _ in range(3):
            call()
        self.device.sync()
        if self.device.kind != "cuda":
            return Side(lambda repeats: self.series(call, repeats), graph=False)
        graph = CudaGraph(self.device, call, self.stream)
        return Side(lambda repeats: self.series(graph.launch, repeats), graph=True, close=graph.close, kept=call)

    def series(self, launch: Callable[[], object], repeats: int) -> list[float]:
        """The seconds of something that is recorded already, or cannot be."""
        api, index = self.device.api, self.device.index
        return [api.time_cold(index, launch, self.stream, EVICTED_BYTES) for _ in range(repeats)]
