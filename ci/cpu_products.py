"""Products and convolutions on this processor beside numpy, our own sgemm and each other, as ratios.

    python ci/cpu_products.py [--threads N] [--seconds S] [--only WORD] [--out docs/benchmarks/cpu/products.jsonl]
    python ci/cpu_products.py --page docs/benchmarks/cpu/products.jsonl > docs/benchmarks/cpu/products.md

What is compared runs in turns in one process, in bursts, and the best time of each counts.  Threads of OpenBLAS spin
for some 30 ms after a call before they sleep, on the cores that ours need (and ours for 20 us): so a pause comes before
each burst, and a burst goes on for as long again.  Arrays are warm; copies and packing are part of every call;
compiling is not.  A line of JSON for each row, with the load of the machine: ratios above 1 are in our favour.  With
one thread there is a ratio of processor time too, which other work on the machine disturbs less; of several threads
the system tells it only when one of them is interrupted, which is too seldom for one call.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final  # Any: rows of JSON

# numpy reads these when it is imported.
for _name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(_name, None)

Shape = tuple[int, ...]
Run = Callable[[], object]

SGEMM: Final = (
    (1024, 1024, 1024), (2048, 2048, 2048), (1000, 37, 513), (1187, 903, 1411), (16, 4096, 4096), (4, 4096, 4096),
    (1, 4096, 4096),
)  # fmt: skip
LAYOUTS: Final = (("matmul_nt", (1024,) * 3), ("matmul_tn", (1024,) * 3), ("matmul_tt", (1024,) * 3))
BATCHES: Final = (("batch_matmul", (16, 256, 256, 256)), ("batch_matmul", (64, 64, 64, 64)))
NARROW: Final = (("matmul", "bfloat16"), ("matmul_nt", "bfloat16"), ("matmul_int8", "int8"))
# The layers of ResNet-18: channels, height, filters, window, stride.
LAYERS: Final[Mapping[str, Shape]] = {
    "C1": (3, 224, 64, 7, 2), "C2": (64, 56, 64, 3, 1), "C3": (64, 56, 64, 1, 1), "C4": (64, 56, 128, 3, 2),
    "C5": (64, 56, 128, 1, 2), "C6": (128, 28, 128, 3, 1), "C7": (128, 28, 256, 3, 2), "C8": (128, 28, 256, 1, 2),
    "C9": (256, 14, 256, 3, 1), "C10": (256, 14, 512, 3, 2), "C11": (256, 14, 512, 1, 2), "C12": (512, 7, 512, 3, 1),
}  # fmt: skip
KINDS: Final = (
    ("conv2d_nhwc", (4, 64, 56, 64, 3, 1)), ("conv2d_nhwc", (1, 64, 56, 128, 1, 2)),
    ("conv2d_nhwc", (1, 512, 7, 512, 3, 1)), ("conv1d", (4, 64, 1024, 64, 3, 1)), ("conv1d", (4, 64, 1024, 64, 3, 2)),
    ("conv3d", (1, 16, 28, 16, 3, 1)), ("group_conv2d", (4, 64, 56, 64, 3, 1, 4)),
    ("dilated_conv2d", (4, 64, 56, 64, 3, 1, 2)), ("conv2d_transpose", (1, 128, 8, 64, 4, 2)),
)  # fmt: skip
POCL: Final = (
    ("conv2d", (4, 64, 56, 64, 3, 1)), ("conv2d_nhwc", (4, 64, 56, 64, 3, 1)), ("conv1d", (4, 64, 1024, 64, 3, 1)),
)  # fmt: skip
CUBE: Final = (1024,) * 3
BURST, PAUSE = 0.1, 0.1  # seconds


def best(runs: Sequence[Run], seconds: float) -> list[tuple[float, float]]:
    """The shortest time of each, by the clock and of the processor; bursts in turn, for ``seconds`` in all."""
    found = [(float("inf"), float("inf"))] * len(runs)
    turns = max(2, math.ceil(seconds / len(runs) / BURST))
    for _ in range(turns):
        for i, run in enumerate(runs):
            time.sleep(PAUSE)
            run()
            end = time.perf_counter() + BURST
            while time.perf_counter() < end:
                cpu, start = time.process_time(), time.perf_counter()
                run()
                passed, used = time.perf_counter() - start, time.process_time() - cpu
                found[i] = min(found[i][0], passed), min(found[i][1], used)
    return found


def ready(name: str, shape: Shape, dtype: str = "float32", target: str = "llvm") -> tuple[Run, Run, float]:
    """One of our kernels, numpy's way, and how much work it is.

    Raises:
        SystemExit: the kernel is wrong.
    """
    import numpy as np

    import gpucomp
    from gpucomp.kernels import registry
    from gpucomp.target import Target

    operator = registry.get(name)
    chosen = Target.from_device(gpucomp.device("opencl", 0)) if target == "opencl" else Target(target)
    defn = operator.define(shape, dtype)
    module = gpucomp.build(operator.schedule(defn, chosen), defn.args, chosen)
    inputs = operator.make_inputs(shape, dtype, np.random.default_rng(0))
    device = gpucomp.device("opencl" if target == "opencl" else "cpu", 0)
    arrays = [gpucomp.nd.array(x, device) for x in (*inputs, *operator.make_outputs(shape, dtype))]
    module(*arrays)
    got = arrays[-1].numpy().astype(np.float64)
    (want,) = operator.reference(inputs, shape)
    scale = np.maximum(np.abs(want), np.sqrt(np.mean(np.square(want))))
    if not float(np.max(np.abs(np.subtract(got, want)) / scale)) <= operator.tolerance(dtype):
        raise SystemExit(f"{name} {shape} {dtype} on {target} is wrong")

    def run() -> None:
        module(*arrays)
        if target == "opencl":
            device.sync()

    return run, operator.numpy_peer(inputs, shape), float(operator.flops(shape))


def rows(seconds: float, only: str, threads: int) -> Iterator[dict[str, Any]]:
    """Measure; rows whose title has ``only`` in it."""
    sgemm, _, work = ready("matmul", CUBE)

    def row(title: str, than: str, ours: Run, other: Run, share: float = 1.0) -> Iterator[dict[str, Any]]:
        (wall, cpu), (other_wall, other_cpu) = best([ours, other], seconds)
        yield {
            "row": title,
            "than": than,
            "clock": round(other_wall / wall * share, 3),
            "processor": round(other_cpu / cpu * share, 3) if threads == 1 else None,
            "load": round(os.getloadavg()[0], 1),
        }

    for name, shape in (*[("matmul", x) for x in SGEMM], *LAYOUTS, *BATCHES):
        title = f"{name} {'x'.join(map(str, shape))}"
        if only in title:
            ours, numpy, _ = ready(name, shape)
            yield from row(title, "numpy", ours, numpy)
    for name, dtype in NARROW:
        if only in f"{name} {dtype}":
            ours, _, _ = ready(name, CUBE, dtype)
            yield from row(f"{name} 1024 {dtype}", "our sgemm", ours, sgemm)
    for batch in (1, 8):
        for layer, shape in LAYERS.items():
            if only in f"conv2d {layer}":
                ours, _, flops = ready("conv2d", (batch, *shape))
                yield from row(f"conv2d {layer} batch {batch}", "our sgemm's rate", ours, sgemm, flops / work)
    for name, shape in KINDS:
        title = f"{name} {'x'.join(map(str, shape))}"
        if only in title:
            ours, _, flops = ready(name, shape)
            yield from row(title, "our sgemm's rate", ours, sgemm, flops / work)
    if only in "pocl matmul":
        ours, _, _ = ready("matmul", CUBE, target="opencl")
        yield from row("pocl matmul 1024", "our sgemm", ours, sgemm)
    for name, shape in POCL:
        title = f"pocl {name} {'x'.join(map(str, shape))}"
        if only in title:
            ours, _, flops = ready(name, shape, target="opencl")
            yield from row(title, "our sgemm's rate", ours, sgemm, flops / work)


def page(path: Path) -> str:
    """The table of what was measured."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    threads = sorted({line["threads"] for line in lines})
    columns = [(n, key) for n in threads for key in ("clock", "processor", "load") if key != "processor" or n == 1]
    head = " | ".join([f"{key}, {n} thread{'s' * (n > 1)}" for n, key in columns])
    out = ["| row | ratio to | " + head + " |", "|---" * (2 + len(columns)) + "|"]
    by_row: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    for line in lines:
        by_row.setdefault((line["row"], line["than"]), {})[line["threads"]] = line
    for (title, than), found in by_row.items():
        cells = [str(found[n][key]) if n in found else "" for n, key in columns]
        out.append(f"| {title} | {than} | " + " | ".join(cells) + " |")
    return "\n".join(out)


def main() -> None:
    """See the top of the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=1.0, help="of bursts, for each row")
    parser.add_argument("--only", default="", help="rows with this in their title")
    parser.add_argument("--out", type=Path, help="append to this file")
    parser.add_argument("--page", type=Path, help="print the table of such a file")
    options = parser.parse_args()
    if options.page:
        print(page(options.page))
        return
    for name in ("OPENBLAS_NUM_THREADS", "GPUCOMP_NUM_THREADS", "POCL_MAX_PTHREAD_COUNT"):
        os.environ[name] = str(options.threads)
    for found in rows(options.seconds, options.only, options.threads):
        text = json.dumps({**found, "threads": options.threads})
        print(text, flush=True)
        if options.out:
            with options.out.open("a", encoding="utf-8") as file:
                file.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
