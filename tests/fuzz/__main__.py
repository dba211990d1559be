"""Random schedules and shapes, equal on the interpreter, the CPU and OpenCL: ``ci/fuzz --cases N --seed S``."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click

from tests.fuzz.jobs import Workers, one, start
from tests.fuzz.report import Report
from tests.fuzz.runner import opencl_cpu, run_case, shrink


@click.command()
@click.option("--cases", default=300, show_default=True, help="How many cases.")
@click.option("--first", default=0, show_default=True, help="Index of the first case.")
@click.option("--seed", default=0, show_default=True, help="Which cases.")
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, help="Processes.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for cases.jsonl and summary.json.")
@click.option("--only", type=int, help="Run one case by its index, with its script.")
def main(cases: int, first: int, seed: int, jobs: int, out: Path | None, only: int | None) -> None:
    """Draw, run, compare, report."""
    if only is not None:
        start()
        _, case, outcome = one(seed, only)
        print(case, outcome.script, outcome.status, outcome.detail, sep="\n")
        sys.exit(outcome.status == "wrong")
    began = time.monotonic()
    report = Report(seed, out)
    for index, case, outcome in Workers(seed, list(range(first, first + cases)), jobs).run():
        report.add(index, case, outcome)
        if outcome.status == "wrong":
            print(f"WRONG case {index}: {outcome.detail}\n{outcome.script}", flush=True)
        if report.cases % 500 == 0:
            print(f"{report.cases} cases, {time.monotonic() - began:.0f} s, {dict(report.status)}", flush=True)
    took = time.monotonic() - began
    start()
    report.close({"wall_seconds": round(took, 1), "jobs": jobs, "command": " ".join(sys.argv[1:])})
    print(report.text(), f"{took:.0f} s with {jobs} processes", sep="\n")
    for index, case, outcome in report.failures[:3]:
        if outcome.detail.startswith(("crash", "timeout")):
            continue
        small = shrink(case, opencl_cpu())
        print(f"case {index}, shrunk: {small}\n{run_case(small, opencl_cpu()).script}")
        print(f"again: bash ci/fuzz --seed {seed} --only {index}")
    sys.exit(bool(report.failures))


if __name__ == "__main__":
    main()
