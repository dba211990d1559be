"""What lowering costs, from tensor expressions to source text, in this process: a table in Markdown.

    python ci/lowering_cost.py            a few seconds; run it alone on the machine

Times are those of the processor for building the graph, scheduling it and writing the text, without the compile cache:
the least of several runs. Calls are Python function calls, which do not depend on the machine.
"""

from __future__ import annotations

import cProfile
import gc
import logging
import pstats
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import gpucomp
from gpucomp.driver.cache import compiled_functions
from tests.driver.blocks import Graph, chain, kernel_each, resnet_block, staged_tiles, untouched

RUNS = 7
SCHEDULES = {"default": untouched, "a kernel each": kernel_each, "tiles": staged_tiles}


def lower_once(make: Callable[[], Graph], schedule: Callable[[Graph], gpucomp.te.Schedule], target: str) -> float:
    """Milliseconds of processor time."""
    compiled_functions.clear()
    gc.collect()
    start = time.process_time()
    graph = make()
    gpucomp.source(schedule(graph), list(graph.args), target)
    return (time.process_time() - start) * 1e3


def main() -> None:
    """Print the table."""
    logging.getLogger("gpucomp").setLevel(logging.ERROR)
    columns = [("block", resnet_block), *[(str(n), lambda n=n: chain(n)) for n in (5, 10, 20, 40)]]
    heads = ["ResNet block, 23 stages", *[f"{n} stages" for n, _ in columns[1:]]]
    print(f"| schedule | target | {' | '.join(heads)} |")
    print(f"|---|---|{'---:|' * len(columns)}")
    for name, schedule in SCHEDULES.items():
        for target in ("cuda", "llvm"):
            cells: list[str] = []
            for _, make in columns:
                milliseconds = min([lower_once(make, schedule, target) for _ in range(RUNS)])
                profile = cProfile.Profile()
                profile.runcall(lower_once, make, schedule, target)
                calls = pstats.Stats(profile).total_calls  # pyright: ignore[reportAttributeAccessIssue]  # missing in the stubs
                cells.append(f"{milliseconds:.0f} ms, {calls / 1000:.0f} k calls")
            print(f"| {name} | {target} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
