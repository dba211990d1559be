"""Random schedules and shapes, equal on the interpreter, the CPU and OpenCL: ``ci/fuzz --cases N --seed S``."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections import Counter

import click

from tests.fuzz.jobs import one, start
from tests.fuzz.runner import FuzzCase, Outcome, opencl_cpu, run_case, shrink


@click.command()
@click.option("--cases", default=300, show_default=True, help="How many cases.")
@click.option("--seed", default=0, show_default=True, help="Which cases.")
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, help="Processes.")
@click.option("--only", type=int, help="Run one case by its index, with its script.")
def main(cases: int, seed: int, jobs: int, only: int | None) -> None:
    """Draw, run, compare, report."""
    if only is not None:
        start()
        index, case, outcome = one((seed, only))
        print(case, outcome.script, outcome.status, outcome.detail, sep="\n")
        sys.exit(outcome.status == "wrong")
    began = time.monotonic()
    status: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    primitives: Counter[str] = Counter()
    backends: Counter[str] = Counter()
    pairs: set[tuple[str, str]] = set()
    failures: list[tuple[int, FuzzCase, Outcome]] = []
    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, initializer=start, maxtasksperchild=200) as pool:
        for index, case, outcome in pool.imap_unordered(one, [(seed, i) for i in range(cases)], chunksize=5):
            status[outcome.status] += 1
            primitives += outcome.primitives
            backends.update(outcome.ran)
            names = sorted(outcome.primitives)
            pairs.update([(a, b) for a in names for b in names])
            if outcome.status == "illegal":
                causes[outcome.detail] += 1
            if outcome.status == "wrong":
                failures.append((index, case, outcome))
                print(f"WRONG case {index}: {outcome.detail}\n{outcome.script}", flush=True)
    legal = status["equal"] + status["wrong"]
    print(f"seed {seed}: {cases} cases in {time.monotonic() - began:.0f} s: {dict(status)}; {legal / cases:.0%} legal")
    print("computed on", dict(backends))
    print("primitives", dict(primitives.most_common()))
    print(f"{len(pairs)} of {len(primitives) ** 2} ordered pairs of primitives met in a case")
    for cause, count in causes.most_common():
        print(f"  illegal {count:5d}  {cause}")
    if failures:
        start()
        index, case, _ = failures[0]
        small = shrink(case, opencl_cpu())
        print(f"case {index}, shrunk: {small}\n{run_case(small, opencl_cpu()).script}")
        print(f"again: bash ci/fuzz --seed {seed} --only {index}")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
