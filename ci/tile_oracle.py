"""How good the tiles are that the model chooses for fp32 matrix products: all legal ones, timed on the GPU.

    python ci/tile_oracle.py --list                                    what would be timed (no GPU is needed)
    python ci/tile_oracle.py --folder made --compile-only --jobs 14    lower and compile everything (no GPU is needed)
    python ci/tile_oracle.py --folder made --time-only --out tiles.jsonl
    python ci/tile_oracle.py --merge tiles*.jsonl --out docs/benchmarks/tiles/DATE-GPU.json

For each shape, every legal tile with every split of the sum over k that leaves no more than a few rounds of blocks is
timed by replaying a graph after the cache was emptied by reading, those first that the model thinks best; one that
takes half more than the best so far is given up after one repeat.  The fastest ones and the default are timed again, in
turns, and checked against float64.  A line of JSON is written when a shape is done, so that a run that is cut short
loses one shape.

Both phases at once: leave --compile-only and --time-only away.  A phase that has to fit in 140 seconds does every
third shape: --part 1/3, then 2/3 and 3/3.  --time-only --wait 120 waits for a compilation that still runs elsewhere.
--merge joins the lines of several runs and tells for how many shapes the default is at least 90% as fast as the best.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias  # Any: values of JSON

import numpy as np

from gpucomp.cli.suite.clock import EVICTED_BYTES, Clock
from gpucomp.driver.build import compile_function
from gpucomp.kernels import registry
from gpucomp.kernels.gemm import tiles
from gpucomp.kernels.gemm.schedule_simt import schedule_simt
from gpucomp.kernels.gemm.schedule_sliced import schedule_sliced
from gpucomp.kernels.gemm.tiles import MULTIPROCESSORS, USUAL_MULTIPROCESSORS, Choice, choose
from gpucomp.runtime import ndarray
from gpucomp.runtime.cuda_graph import CudaGraph
from gpucomp.runtime.cuda_units import compiled_units
from gpucomp.runtime.device import Device, default_device
from gpucomp.runtime.module import Module
from gpucomp.support.launch import FunctionData, Variant
from gpucomp.target import Target

Shape: TypeAlias = tuple[int, int, int]
Record: TypeAlias = dict[str, Any]

SHAPES: Final[tuple[Shape, ...]] = (
    *[(n, n, n) for n in (256, 512, 768, 1024, 1280, 1536, 2048, 3072, 4096)],
    (1000, 37, 513), (1000, 1000, 1000), (777, 1333, 555), (2047, 2049, 2051), (4095, 4097, 4099), (640, 3200, 640),
    (4096, 1000, 512), (32, 4096, 4096), (64, 4096, 4096), (128, 4096, 4096), (256, 256, 4096),
    (512, 512, 8192), (2048, 512, 1024), (100, 5000, 300), (5000, 100, 2000), (3000, 64, 3000),
    (1024, 4096, 256), (2000, 3000, 100), (16384, 256, 256), (12288, 128, 768), (1024, 1024, 16384),
)  # fmt: skip
ROUNDS: Final = 4  # of resident blocks: a product that has more is not split
FIRST, AGAIN, FINALISTS = 3, 11, 5
HOPELESS: Final = 1.5  # times the best so far: the first repeat is enough
ENOUGH: Final = 0.9
TARGET: Final = "cuda -arch=sm_90a"
DONE: Final = "compiled"
CHECKED: Final = 16
TOLERANCE: Final = 1e-4


def candidates(shape: Shape, target: Target) -> list[Choice]:
    """The default first, then every other legal tile and split."""
    count = MULTIPROCESSORS.get(target.arch, USUAL_MULTIPROCESSORS)
    default = choose(shape, target)
    found = {} if default is None else {(default.tile, default.parts): default}
    for choice in tiles.candidates(shape, target):
        blocks = -(-shape[0] // choice.tile.m) * -(-shape[1] // choice.tile.n)
        if choice.parts == 1 or blocks <= ROUNDS * count * choice.tile.resident:
            found.setdefault((choice.tile, choice.parts), choice)
    return list(found.values())


def _compile(job: tuple[Shape, int]) -> tuple[Shape, int, dict[str, object]]:
    """In a process of its own: fill the disk cache with the code of one candidate, and say how it is launched."""
    shape, index = job
    target = Target(TARGET)
    definition = registry.get("matmul").define(shape, "float32")
    choice = candidates(shape, target)[index]
    sliced = choice.tile.slices > 1
    schedule = schedule_sliced(definition, choice.tile) if sliced else schedule_simt(definition, choice)
    variant = compile_function(schedule, definition.args, target, "matmul").general
    image = variant.image
    compiled_units(image, image.arch or target.arch)
    return shape, index, variant.to_json()


def compile_all(shapes: Sequence[Shape], jobs: int, folder: Path) -> None:
    """Lower and compile all candidates of the shapes; a file for each shape, then one that says that all are there."""
    work = [(shape, i) for shape in shapes for i in range(len(candidates(shape, Target(TARGET))))]
    began = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for shape, index, made in pool.imap(_compile, work, chunksize=4):
            with _file_of(folder, shape).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"index": index, "variant": made}) + "\n")
    (folder / DONE).write_text("", encoding="utf-8")
    print(f"{len(work)} candidates compiled in {time.monotonic() - began:.0f} s", flush=True)


def _file_of(folder: Path, shape: Shape) -> Path:
    return folder / f"{'x'.join(map(str, shape))}.jsonl"


def _made(folder: Path, shape: Shape) -> dict[int, Variant]:
    lines = _file_of(folder, shape).read_text(encoding="utf-8").splitlines()
    return {line["index"]: Variant.from_json(line["variant"]) for line in map(json.loads, lines)}


class Timer:
    """Candidates of one shape on a device."""

    def __init__(self, shape: Shape, device: Device, clock: Clock, made: dict[int, Variant]) -> None:
        self.shape, self.device, self.clock, self.made = shape, device, clock, made
        rng = np.random.default_rng(0)
        inputs = registry.get("matmul").make_inputs(shape, "float32", rng)
        self.rows = np.unique(np.r_[0, shape[0] - 1, rng.integers(0, shape[0], CHECKED)])
        a, b = inputs
        self.wanted = a[self.rows].astype(np.float64) @ b.astype(np.float64)
        self.poison = np.full(shape[:2], np.nan, np.float32)
        self.arrays = [ndarray.array(x, device) for x in (*inputs, self.poison)]

    def graph(self, index: int) -> CudaGraph:
        """A candidate as a graph; it has run once."""
        module = Module({"matmul": FunctionData("matmul", (self.made[index],))}, self.device, "cuda")
        module(*self.arrays)
        self.device.sync()
        return CudaGraph(self.device, lambda: module(*self.arrays), self.clock.stream)

    def error(self, graph: CudaGraph) -> float:
        """The largest error of some rows, relative to the root mean square of all."""
        self.arrays[-1].copyfrom(self.poison)
        graph.launch()
        self.device.sync()
        got = self.arrays[-1].numpy()[self.rows].astype(np.float64)
        size = float(np.sqrt(np.square(self.wanted).mean()))
        return float(np.nan_to_num(np.abs(got - self.wanted) / size, nan=np.inf).max())

    def seconds(self, graph: CudaGraph) -> float:
        """One replay, with a cold cache."""
        return self.device.api.time_cold(self.device.index, graph.launch, self.clock.stream, EVICTED_BYTES)


def measure(timer: Timer, found: Sequence[Choice]) -> Record:
    """All candidates of a shape."""
    graphs: dict[int, CudaGraph] = {}
    times: dict[int, list[float]] = {}
    best = float("inf")
    for index in sorted(timer.made, key=lambda i: (i > 0, found[i].microseconds)):
        graphs[index] = timer.graph(index)
        times[index] = [timer.seconds(graphs[index])]
        if times[index][0] < HOPELESS * best:
            times[index] += [timer.seconds(graphs[index]) for _ in range(FIRST - 1)]
        best = min(best, *times[index])
    order = sorted(times, key=lambda i: statistics.median(times[i]))
    final = list(dict.fromkeys([0, *order[:FINALISTS]]))
    for i in final:
        error = timer.error(graphs[i])
        if not error <= TOLERANCE:
            raise SystemExit(f"{timer.shape}: {found[i].reason}: an error of {error}")
    again: dict[int, list[float]] = {i: [] for i in final}
    for _ in range(AGAIN):
        for i in final:
            again[i].append(timer.seconds(graphs[i]))
    for graph in graphs.values():
        graph.close()
    medians = {i: statistics.median(again.get(i, times[i])) for i in times}
    winner = min(final, key=lambda i: medians[i])
    return {
        "shape": list(timer.shape),
        "default": _record(found[0], medians[0]),
        "best": _record(found[winner], medians[winner]),
        "of_best": float(f"{medians[winner] / medians[0]:.4g}"),
        "all": [_record(found[i], medians[i]) for i in sorted(medians, key=lambda i: medians[i])],
    }


def _record(choice: Choice, seconds: float) -> Record:
    tile = choice.tile
    return {
        "tile": f"{tile.m}x{tile.n}x{tile.k}",
        "warps": f"{tile.warps_m}x{tile.warps_n}",
        "stages": tile.stages,
        "parts": choice.parts,
        "slices": tile.slices,
        "us": float(f"{seconds * 1e6:.5g}"),
        "model_us": float(f"{choice.microseconds:.4g}"),
    }


def run(shapes: Sequence[Shape], folder: Path, out: Path | None) -> list[Record]:
    """Time the shapes on the first CUDA device, and write a line for each."""
    device = default_device("cuda:0")
    target = Target(TARGET)
    clock = Clock(device)
    facts = {"device_name": device.device_name, "driver": device.api_version, "date": time.strftime("%Y-%m-%d")}
    records: list[Record] = []
    for shape in shapes:
        began = time.monotonic()
        found = candidates(shape, target)
        timer = Timer(shape, device, clock, _made(folder, shape))
        record: Record = {**measure(timer, found), **facts}
        records.append(record)
        if out is not None:
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        best, default = record["best"], record["default"]
        print(
            f"{'x'.join(map(str, shape))}: default {default['tile']} in {default['parts']}: {default['us']} us,"
            f" {record['of_best']:.1%} of {best['tile']} in {best['parts']}: {best['us']} us;"
            f" {len(found)} candidates, {time.monotonic() - began:.1f} s",
            flush=True,
        )
    clock.close()
    return records


def wait_for(folder: Path, seconds: float) -> None:
    """Until a compilation that runs elsewhere is done."""
    until = time.monotonic() + seconds
    while not (folder / DONE).exists():
        if time.monotonic() > until:
            raise SystemExit(f"{folder} has no compiled candidates (see --compile-only)")
        time.sleep(1)


def summary(records: Sequence[Record]) -> Record:
    """For how many shapes the default is fast enough, and how far it is from the best."""
    ratios = [record["of_best"] for record in records]
    good = sum(ratio >= ENOUGH for ratio in ratios)
    return {
        "shapes": len(ratios),
        f"at_least_{ENOUGH}": good,
        "fraction": float(f"{good / len(ratios):.4g}"),
        "geometric_mean": float(f"{statistics.geometric_mean(ratios):.4g}"),
        "least": min(ratios),
    }


def merge(paths: Sequence[Path], out: Path | None) -> None:
    """Join lines of several runs; the last one of a shape counts."""
    records: dict[tuple[int, ...], Record] = {}
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            record: Record = json.loads(line)
            records[tuple(record["shape"])] = record
    ordered = [records[shape] for shape in SHAPES if shape in records]
    ordered += [record for shape, record in records.items() if shape not in SHAPES]
    total = summary(ordered)
    print(json.dumps(total))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        lines = ",\n".join(json.dumps(record) for record in ordered)
        out.write_text(f'{{"summary": {json.dumps(total)},\n"shapes": [\n{lines}\n]}}\n', encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", default="1/1", metavar="I/N", help="every N-th shape from the I-th on")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes that compile")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where compiled candidates are kept")
    parser.add_argument("--compile-only", action="store_true", help="fill --folder")
    parser.add_argument("--time-only", action="store_true", help="take candidates from --folder")
    parser.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="for the compilation to be done")
    parser.add_argument("--out", type=Path, metavar="FILE", help="lines of JSON, appended; of --merge, the document")
    parser.add_argument("--list", action="store_true", help="count the candidates of each shape")
    parser.add_argument("--merge", nargs="+", type=Path, metavar="FILE", help="results of earlier runs")
    given = parser.parse_args()
    if given.merge:
        merge(given.merge, given.out)
        return 0
    first, _, count = given.part.partition("/")
    if not (first.isdigit() and count.isdigit() and 1 <= int(first) <= int(count)):
        parser.error(f"--part {given.part} is not like 1/4")
    shapes = SHAPES[int(first) - 1 :: int(count)]
    if given.list:
        for shape in shapes:
            found = candidates(shape, Target(TARGET))
            print(f"{'x'.join(map(str, shape))}: {len(found)} candidates; default: {found[0].reason}")
        return 0
    if (given.compile_only or given.time_only) and given.folder is None:
        parser.error("--compile-only and --time-only need a --folder")
    with tempfile.TemporaryDirectory() as spare:
        folder: Path = given.folder or Path(spare)
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["GPUCOMP_CACHE_DIR"] = str(folder / "cache")
        if not given.time_only:
            compile_all(shapes, given.jobs, folder)
        if not given.compile_only:
            wait_for(folder, given.wait)
            print(json.dumps(summary(run(shapes, folder, given.out))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
