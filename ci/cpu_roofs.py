"""Kernels on the processor beside numpy and beside the roof of the memory: a copy, or a read, of the same bytes.

    python ci/cpu_roofs.py --rounds 9 softmax:4096,4096 add:16777216 sum_all:16777216

Roofs, each in as many threads as our kernels use, on arrays that are there already:

* copy: ``memcpy`` of the C library through ctypes; it reads half of the bytes that the kernel moves and writes half;
* read: ``memchr`` of the C library for a byte that does not occur; it reads all of the bytes that the kernel reads.
* copyto: ``numpy.copyto``, the same bytes as copy.

Operators whose results are much smaller than their inputs are set against read, the others against copy.  Ours, numpy
(in a process of its own, BLAS variables removed) and the roofs take turns; of each, medians are reported, and medians
of the ratios within a round, because the machine's weather changes between rounds.  ``--processor-time`` counts the
time that the threads of this process have run, without numpy, which has a process of its own.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

import gpucomp
from gpucomp.cli.measure import relative_error
from gpucomp.cli.numpy_side import NumpySide
from gpucomp.cli.workload import Workload, make_workload, parse_shape
from gpucomp.driver.build import build
from gpucomp.runtime.device import default_device
from gpucomp.runtime.threads import available_threads
from gpucomp.target.target import Target

ROWS: Final = (
    "softmax:4096,4096", "log_softmax:4096,4096", "layer_norm:4096,4096", "rms_norm:4096,4096", "gelu:16777216",
    "add:16777216", "copy:16777216", "row_sum:4096,4096", "sum_all:16777216", "column_sum:4096,4096",
    "transpose:4096,4096",
)  # fmt: skip
ABSENT: Final = 255


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", default=list(ROWS), help="operator:extents")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--no-numpy", action="store_true")
    parser.add_argument("--processor-time", action="store_true", help="of all threads; other work disturbs it less")
    given = parser.parse_args(arguments)
    for row in given.rows:
        op, _, shape = row.partition(":")
        device = default_device(given.device)
        workload = make_workload(op, parse_shape(shape), given.dtype, Target.from_device(device))
        clock = time.process_time if given.processor_time else time.perf_counter
        with_numpy = not (given.no_numpy or given.processor_time)
        print(json.dumps(measure(workload, device, given.rounds, with_numpy, clock)), flush=True)


def measure(
    workload: Workload, device: gpucomp.Device, rounds: int, with_numpy: bool, clock: Callable[[], float]
) -> dict[str, object]:
    """One line of the report; times in milliseconds."""
    inputs, outputs = workload.make_inputs(0), workload.make_outputs()
    module = build(workload.schedule, workload.args, Target.from_device(device), name=workload.name)
    arrays = [gpucomp.nd.array(array, device) for array in (*inputs, *outputs)]
    function = module.entry_func

    def ours() -> None:
        function(*arrays)
        device.sync()

    read, written = sum([a.nbytes for a in inputs]), sum([a.nbytes for a in outputs])
    sides: dict[str, Callable[[], object]] = {"ours": ours}
    with ThreadPoolExecutor(available_threads()) as pool:
        if written * 4 < read:
            sides["roof"] = read_roof(pool, read)
        else:
            sides["roof"], sides["copyto"] = copy_roofs(pool, (read + written) // 2)
        times: dict[str, list[float]] = {name: [] for name in sides}
        for side in sides.values():
            side()
        peer = NumpySide() if with_numpy else None
        if peer is not None:
            peer.__enter__()
            shapes = [[list(shape), dtype] for shape, dtype in workload.inputs]
            peer.load({"op": workload.name, "file": None, "shape": workload.shape, "inputs": shapes, "seed": 0})
            times["numpy"] = []
        for _ in range(rounds):
            for name, side in sides.items():
                times[name].append(min(seconds(side, clock) for _ in range(3)))
            if peer is not None:
                times["numpy"].append(peer.seconds())
        if peer is not None:
            peer.__exit__(None, None, None)
    got = [array.numpy() for array in arrays[len(inputs) :]]
    error = max([relative_error(*pair) for pair in zip(got, workload.reference(inputs), strict=True)])
    out: dict[str, object] = {"op": workload.name, "shape": list(workload.shape), "dtype": workload.dtype}
    out |= {name: round(statistics.median(taken) * 1e3, 3) for name, taken in times.items()}
    for name in times.keys() - {"ours"}:
        ratios = [theirs / mine for theirs, mine in zip(times[name], times["ours"], strict=True)]
        out["vs_" + name] = round(statistics.median(ratios), 3)
    out["gbps"] = round((read + written) / statistics.median(times["ours"]) / 1e9, 1)
    return out | {"error": f"{error:.1e}", "ok": error <= workload.tolerance, "load": round(os.getloadavg()[0], 1)}


def seconds(call: Callable[[], object], clock: Callable[[], float]) -> float:
    """The time of one call."""
    began = clock()
    call()
    return clock() - began


def copy_roofs(pool: ThreadPoolExecutor, nbytes: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """``memcpy`` and ``numpy.copyto`` of ``nbytes`` bytes."""
    source, target = np.ones(nbytes, np.uint8), np.zeros(nbytes, np.uint8)
    memcpy = ctypes.CDLL(None).memcpy
    memcpy.argtypes, memcpy.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t], ctypes.c_void_p
    pieces = shares(nbytes)

    def copy(piece: slice) -> None:
        memcpy(target[piece].ctypes.data, source[piece].ctypes.data, piece.stop - piece.start)

    def copyto(piece: slice) -> None:
        np.copyto(target[piece], source[piece])

    return lambda: list(pool.map(copy, pieces)), lambda: list(pool.map(copyto, pieces))


def read_roof(pool: ThreadPoolExecutor, nbytes: int) -> Callable[[], object]:
    """``memchr`` over ``nbytes`` bytes, for a byte that does not occur."""
    source = np.ones(nbytes, np.uint8)
    memchr = ctypes.CDLL(None).memchr
    memchr.argtypes, memchr.restype = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t], ctypes.c_void_p
    pieces = shares(nbytes)

    def read(piece: slice) -> None:
        assert memchr(source[piece].ctypes.data, ABSENT, piece.stop - piece.start) is None

    return lambda: list(pool.map(read, pieces))


def shares(nbytes: int) -> list[slice]:
    """Equal parts, one for each thread."""
    threads = available_threads()
    bounds = [nbytes * i // threads for i in range(threads + 1)]
    return [slice(low, high) for low, high in itertools.pairwise(bounds)]


if __name__ == "__main__":
    main()
