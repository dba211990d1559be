"""Timing of compiled functions."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gpucomp.runtime.device import Device
from gpucomp.support.diagnostics import ArgumentError, caller_span
from gpucomp.support.registry import get_global_func

_GOLDEN_RATIO: Final = 1.618


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """Seconds per call, one item in ``results`` for each repeat."""

    results: tuple[float, ...]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.results)

    @property
    def median(self) -> float:
        return statistics.median(self.results)

    @property
    def min(self) -> float:
        return min(self.results)

    @property
    def max(self) -> float:
        return max(self.results)

    @property
    def std(self) -> float:
        """Standard deviation of the repeats (0 for a single one)."""
        return statistics.pstdev(self.results)

    def __str__(self) -> str:
        names = ("mean", "median", "max", "min", "std")
        values = (self.mean, self.median, self.max, self.min, self.std)
        head = " ".join(f"{name + ' (ms)':>12}" for name in names)
        return f"{head}\n" + " ".join(f"{value * 1e3:12.4f}" for value in values)


@dataclass(frozen=True, slots=True)
class TimeSettings:
    """How to measure.

    Attributes:
        number: calls per repeat.
        repeat: repeats.
        min_repeat_ms: raise ``number`` until a repeat takes at least this many milliseconds.
        limit_zero_time_iterations: give up raising it after so many repeats that took no measurable time.
        cooldown_interval_ms: pause ...
        repeats_to_cooldown: ... after this many repeats.
        cache_flush_bytes: move so many bytes through the caches before each repeat.
        f_preproc: name of a global function that is called with the arguments before each repeat.
    """

    number: int = 10
    repeat: int = 1
    min_repeat_ms: float = 0
    limit_zero_time_iterations: int = 100
    cooldown_interval_ms: float = 0
    repeats_to_cooldown: int = 1
    cache_flush_bytes: int = 0
    f_preproc: str = ""

    def check(self) -> None:
        """Refuse numbers of calls with which nothing is measured, and times that are none.

        Raises:
            ArgumentError: GC635.
        """
        counts = {"number": self.number, "repeat": self.repeat, "repeats_to_cooldown": self.repeats_to_cooldown}
        for name, given in counts.items():
            if not _is_whole(given) or given < 1:
                raise _refused(f"{name} is {given!r:.40}, and must be a whole number >= 1")
        times = {"min_repeat_ms": self.min_repeat_ms, "cooldown_interval_ms": self.cooldown_interval_ms}
        for name, given in times.items():
            if not _is_number(given):
                raise _refused(f"{name} is {given!r:.40}, and must be a number of milliseconds")


def _refused(what: str) -> ArgumentError:
    hint = "module.time_evaluator(module.entry_name, device, number=10, repeat=3)"
    return ArgumentError(f"time_evaluator: {what}", code="GC635", where=caller_span(), hint=hint)


def _is_whole(given: object) -> bool:
    return isinstance(given, (int, np.integer))


def _is_number(given: object) -> bool:
    return isinstance(given, (float, np.floating)) or _is_whole(given)


def measure(
    call: Callable[[], object],
    device: Device,
    settings: TimeSettings,
    args: Sequence[object] = (),
    stream: object | None = None,
) -> BenchmarkResult:
    """Time ``call`` on ``device``, after one call that is not counted.

    Args:
        call: queues the work once.
        device: whose clock is used: device events on CUDA and OpenCL, the host's clock on the CPU.
        settings: how often and how long.
        args: handed to ``f_preproc``.
        stream: on which ``call`` queues its work.
    """
    api, index = device.api, device.index
    prepare = get_global_func(settings.f_preproc) if settings.f_preproc else None
    call()
    api.sync(index, stream)
    number = max(1, settings.number)
    seconds: list[float] = []
    for repeat in range(max(1, settings.repeat)):
        if prepare is not None:
            prepare(*args)
        if settings.cooldown_interval_ms > 0 and repeat and repeat % settings.repeats_to_cooldown == 0:
            time.sleep(settings.cooldown_interval_ms / 1e3)
        elapsed, zeros = 0.0, 0
        while True:
            if settings.cache_flush_bytes > 0:
                api.evict_caches(index, settings.cache_flush_bytes)
            elapsed = api.time(index, _calls(call, number), stream)
            zeros += elapsed <= 0
            if elapsed * 1e3 >= settings.min_repeat_ms or zeros > settings.limit_zero_time_iterations:
                break
            wanted = settings.min_repeat_ms / (elapsed * 1e3 / number) + 1 if elapsed > 0 else 0
            number = int(max(wanted, number * _GOLDEN_RATIO)) + 1
        seconds.append(elapsed / number)
    return BenchmarkResult(tuple(seconds))


def _calls(call: Callable[[], object], number: int) -> Callable[[], None]:
    def run() -> None:
        for _ in range(number):
            call()

    return run
