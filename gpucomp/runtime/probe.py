"""Does a device really work?  Listing is not enough: some drivers list a device and then fail every build."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np

from gpucomp.runtime.base import DeviceAPI
from gpucomp.support.diagnostics import GpucompError

PROBE_KERNEL = "gpucomp_probe"
_COUNT = 1000
_BLOCK = 64


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What happened when a small kernel was compiled and run.

    Attributes:
        problem: None when all went well, else one line.
        build_seconds: time to compile and load.
        run_seconds: time to copy in, run and copy out.
        detail: the full text of the error.
    """

    problem: str | None
    build_seconds: float = 0.0
    run_seconds: float = 0.0
    detail: str = ""


_results: dict[tuple[str, int], ProbeResult] = {}
_lock = threading.Lock()


def probe(api: DeviceAPI, index: int, *, again: bool = False) -> ProbeResult:
    """Compile and run ``x[i] = 2 x[i] + 1`` on a device, once per process unless ``again``."""
    key = (api.kind, index)
    with _lock:
        if again or key not in _results:
            _results[key] = _run(api, index)
        return _results[key]


def _run(api: DeviceAPI, index: int) -> ProbeResult:
    image = api.probe_image(index)
    if image is None:
        return ProbeResult(None)
    start = time.perf_counter()
    built = start
    try:
        loaded = api.load(index, image)
        built = time.perf_counter()
        data = np.arange(_COUNT, dtype=np.float32)
        memory = api.alloc(index, data.nbytes)
        api.copy_from_host(index, memory, data)
        grid = (-(-_COUNT // _BLOCK), 1, 1)
        api.launch(loaded, PROBE_KERNEL, grid, (_BLOCK, 1, 1), (memory.handle, _COUNT))
        result = np.empty_like(data)
        api.copy_to_host(index, result, memory)
        api.free(index, memory)
    except GpucompError as error:
        stage = "build" if built == start else "run"
        return ProbeResult(f"{stage} failed: {_first_line(error.message)}", built - start, 0.0, str(error))
    except Exception as error:  # whatever a broken driver throws is what the probe is after
        stage = "build" if built == start else "run"
        return ProbeResult(f"{stage} failed: {_first_line(str(error))}", built - start, 0.0, repr(error))
    seconds = time.perf_counter() - built
    if not np.array_equal(result, 2 * data + 1):
        return ProbeResult("the probe kernel computed a wrong result", built - start, seconds)
    return ProbeResult(None, built - start, seconds)


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "unknown error"
