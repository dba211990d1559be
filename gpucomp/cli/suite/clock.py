"""One clock for all sides of a comparison.

On CUDA, each side's call is recorded as a graph and replayed between two events, so that no side pays for its launches;
between measurements a quarter of a gigabyte is *read*, which empties the cache of the operands and leaves no dirty
lines that the timed kernel would have to write back.  That memory stays allocated: after memory is given back, the
device looks up anew where pages are, and a kernel that moves half a gigabyte takes a sixth longer.  Elsewhere the
device's own events are used.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final  # Any: a stream is whatever the device's library has

from gpucomp.runtime.cuda_graph import CudaGraph
from gpucomp.runtime.device import Device

EVICTED_BYTES: Final = 256 << 20
REPEATS: Final = 30
DISTURBED: Final = 2.0  # times the low tenth, where the high one lies if something else ran meanwhile
AGAIN: Final = 2  # how often such a series is repeated


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

    def time(self, call: Callable[[], object], repeats: int = REPEATS) -> Times:
        """Time a call that queues work on ``stream``; it is warmed up first."""
        for _ in range(3):
            call()
        self.device.sync()
        if self.device.kind != "cuda":
            return self.time_launch(call, repeats, graph=False)
        graph = CudaGraph(self.device, call, self.stream)
        try:
            return self.time_launch(graph.launch, repeats, graph=True)
        finally:
            graph.close()

    def time_launch(self, launch: Callable[[], object], repeats: int = REPEATS, *, graph: bool) -> Times:
        """Time something that is recorded already, or cannot be; again where other work disturbed it."""
        best = self._series(launch, repeats, graph)
        for _ in range(AGAIN):
            if best.high <= DISTURBED * best.low:
                break
            best = min(best, self._series(launch, repeats, graph), key=lambda times: times.high / times.low)
        return best

    def _series(self, launch: Callable[[], object], repeats: int, graph: bool) -> Times:
        api, index = self.device.api, self.device.index
        seconds: list[float] = []
        for _ in range(repeats):
            seconds.append(api.time_cold(index, launch, self.stream, EVICTED_BYTES))
        tenths = statistics.quantiles(seconds, n=10)
        return Times(statistics.median(seconds), tenths[0], tenths[-1], repeats, graph)
