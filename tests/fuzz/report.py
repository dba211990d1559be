"""What a run of the fuzzer leaves behind: a line of JSON for each case, and a summary."""

from __future__ import annotations

import datetime
import hashlib
import itertools
import json
import platform
import subprocess
from collections import Counter
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TextIO  # Any: JSON

import gpucomp
from tests.fuzz.runner import FuzzCase, Outcome, opencl_cpu

ROOT = Path(__file__).resolve().parents[2]


class Report:
    """Counts of one run.

    Args:
        seed: of the run.
        folder: where ``cases.jsonl`` and ``summary.json`` go; None keeps nothing.
    """

    def __init__(self, seed: int, folder: Path | None) -> None:
        self.seed, self.folder = seed, folder
        self.status: Counter[str] = Counter()
        self.causes: Counter[str] = Counter()
        self.primitives: Counter[str] = Counter()
        self.in_legal: Counter[str] = Counter()
        self.backends: Counter[str] = Counter()
        self.workloads: dict[str, Counter[str]] = {}
        self.pairs: Counter[tuple[str, str]] = Counter()
        self.notes: Counter[str] = Counter()
        self.failures: list[tuple[int, FuzzCase, Outcome]] = []
        self.seconds = 0.0
        self.lines: TextIO | None = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self.lines = (folder / "cases.jsonl").open("w", encoding="utf-8")

    def add(self, index: int, case: FuzzCase, outcome: Outcome) -> None:
        """Count one case."""
        self.status[outcome.status] += 1
        self.workloads.setdefault(case.workload, Counter())[outcome.status] += 1
        self.primitives.update(outcome.used)
        self.backends.update(outcome.ran)
        self.notes.update(outcome.notes)
        self.seconds += outcome.seconds
        if outcome.status == "equal":
            self.in_legal.update(outcome.used)
            self.pairs.update(set(itertools.combinations(outcome.used, 2)))  # in order of use
        if outcome.status == "illegal":
            self.causes[outcome.detail] += 1
        if outcome.status == "wrong":
            self.failures.append((index, case, outcome))
        if self.lines is not None:
            self.lines.write(json.dumps({"index": index, **asdict(case), **asdict(outcome)}) + "\n")
            self.lines.flush()

    @property
    def cases(self) -> int:
        """How many cases ran."""
        return sum(self.status.values())

    @property
    def legal(self) -> float:
        """Share of the schedules that were not refused."""
        return 1 - self.status["illegal"] / max(1, self.cases)

    def summary(self) -> dict[str, Any]:
        """Everything that was counted."""
        names = sorted(self.primitives)
        pairs = {a: {b: self.pairs[a, b] for b in names} for a in names}
        return {
            "seed": self.seed,
            "cases": self.cases,
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "commit": commit(),
            "versions": versions(),
            "status": dict(self.status),
            "legal": round(self.legal, 4),
            "computed_on": dict(self.backends),
            "primitives": dict(self.primitives.most_common()),
            "primitives_in_legal": dict(self.in_legal.most_common()),
            "workloads": {k: dict(self.workloads[k]) for k in sorted(self.workloads)},
            "rejects": dict(self.causes.most_common()),
            "pairs_covered": sum([n > 0 for row in pairs.values() for n in row.values()]),
            "pairs_possible": len(names) ** 2,
            "pairs": pairs,
            "notes": dict(self.notes),
            "cpu_seconds": round(self.seconds, 1),
            "failures": [
                {"index": i, "workload": c.workload, "detail": o.detail, "script": o.script}
                for i, c, o in sorted(self.failures, key=lambda x: x[0])
            ],
        }

    def close(self, extra: dict[str, Any]) -> None:
        """Write the summary."""
        if self.folder is None or self.lines is None:
            return
        self.lines.close()
        text = json.dumps({**self.summary(), **extra}, indent=1)
        (self.folder / "summary.json").write_text(text + "\n", encoding="utf-8")

    def text(self) -> str:
        """The summary for a terminal."""
        covered, possible = self.summary()["pairs_covered"], len(self.primitives) ** 2
        lines = [
            f"seed {self.seed}: {self.cases} cases: {dict(self.status)}; {self.legal:.1%} legal",
            f"computed on {dict(self.backends)}",
            f"{len(self.workloads)} workloads; primitives {dict(self.primitives.most_common())}",
            f"{covered} of {possible} ordered pairs of primitives met in a legal schedule",
        ]
        lines += [f"  illegal {count:5d}  {cause}" for cause, count in self.causes.most_common()]
        return "\n".join(lines)


def versions() -> dict[str, str]:
    """What ran: the interpreter, packages, and the OpenCL platform."""
    found = {"python": platform.python_version(), "machine": platform.platform()}
    for name in ("numpy", "llvmlite", "pyopencl", "ml_dtypes"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    device = opencl_cpu()
    found["opencl"] = "none" if device is None else _described(device)
    return found


def _described(device: gpucomp.Device) -> str:
    known = device.attributes
    return f"{known.platform} {known.version} on {known.name}"


def commit(root: Path = ROOT) -> str:
    """The commit of this tree, "(changed)" where files differ from it; of a copy without history, which sources.

    A copy inside of another repository's working tree is none of its commits.
    """
    if _git(root, "rev-parse", "--show-toplevel") == str(root.resolve()):
        changed = " (changed)" if _git(root, "status", "--porcelain") else ""
        return (_git(root, "rev-parse", "HEAD") or "no commit yet") + changed
    digest = hashlib.sha256()
    for path in sorted([*(root / "gpucomp").rglob("*.py"), *(root / "tests" / "fuzz").glob("*.py")]):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return f"no repository; sources sha256 {digest.hexdigest()}"


def _git(root: Path, *words: str) -> str:
    """What git says about a tree; nothing where it says no."""
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
