"""A seeded sample of the fuzzer's cases in every CI run; ``ci/fuzz`` runs as many as one likes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from gpucomp import te
from gpucomp.te import create_schedule, lower_schedule
from gpucomp.tir.interp import interpret
from tests.fuzz import jobs
from tests.fuzz.one_thread import one_thread
from tests.fuzz.problem import assert_close
from tests.fuzz.report import Report, commit
from tests.fuzz.runner import FuzzCase, Outcome, draw_case, opencl_cpu, run_case
from tests.fuzz.workloads import WORKLOADS
from tests.tiers import slow

PARTS, EACH, FEW = 15, 20, 3


@pytest.mark.opencl
@pytest.mark.parametrize(
    "indices",
    [range(FEW), *slow(range(FEW, EACH), *[range(part * EACH, (part + 1) * EACH) for part in range(1, PARTS)])],
    ids=lambda indices: f"{indices.start}-{indices.stop - 1}",
)
def test_random_schedules_compute_what_the_operators_mean(indices: range, monkeypatch: pytest.MonkeyPatch) -> None:
    if indices.start // EACH % 2:  # half of them without PoCL's optimizer, which is not ours, and takes its time
        monkeypatch.setenv("PYOPENCL_BUILD_OPTIONS", "-cl-opt-disable")
    device = opencl_cpu()
    statuses: Counter[str] = Counter()
    for index in indices:
        case = draw_case(2026, index)
        outcome = run_case(case, device)
        statuses[outcome.status] += 1
        assert outcome.status != "wrong", f"case {index} of seed 2026: {outcome.detail}\n{case}\n{outcome.script}"
    assert statuses["equal"] >= len(indices) // 3


def test_a_case_is_the_same_every_time_it_is_drawn() -> None:
    assert draw_case(7, 3) == draw_case(7, 3)
    assert len({draw_case(7, i) for i in range(50)}) == 50


@pytest.mark.parametrize("name", sorted(WORKLOADS))
def test_a_workload_untouched_computes_its_reference(name: str) -> None:
    for seed in range(3):
        problem = WORKLOADS[name](random.Random(seed))
        arrays = problem.arrays(seed)
        want = problem.expected(arrays)
        func = lower_schedule(create_schedule(list(dict.fromkeys([t.op for t in problem.outputs]))), problem.args)
        got = [a.copy() for a in arrays]
        interpret(func, got)
        assert_close(got, want, problem.args, problem.rtol)


def test_the_zoo_has_every_kind_of_workload() -> None:
    assert len(WORKLOADS) >= 25
    named = "chain stencil matmul conv1d conv2d conv3d depthwise grouped transposed dilated max_pooling argmax softmax "
    named += "layer_norm batch_matmul gather padding concatenation strided_slice"
    assert set(named.split()) <= set(WORKLOADS)


def test_a_nest_without_threads_becomes_kernels_of_one_thread() -> None:
    a = te.placeholder((6,), name="A")
    b = te.compute((6,), lambda i: a[i] * 2.0, name="B")
    c = te.compute((6,), lambda i: b[i] + 1.0, name="C")
    d = te.compute((6,), lambda i: c[i] - 3.0, name="D")
    s = create_schedule(d.op)
    s[c].compute_at(s[d], d.op.axis[0])
    text = one_thread(lower_schedule(s, [a, d], "f")).script()
    assert text.count('T.launch_thread("threadIdx.x", 1)') == 2  # B at root, C and D in one nest
    assert 'C[i_1:i_1 + 1], "float32", "local"' in text
    assert 'B[0:6], "float32", "global"' in text


def _dies(case: FuzzCase, _: object) -> Outcome:
    if case == draw_case(5, 2):
        os.kill(os.getpid(), signal.SIGKILL)
    return Outcome("equal", used=("split", "bind"))


def _serve_badly(seed: int, pipe: jobs.Connection) -> None:
    jobs.run_case = _dies
    jobs.serve(seed, pipe)


def test_a_worker_that_dies_costs_its_case_and_not_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jobs.Workers, "serve", staticmethod(_serve_badly))
    report = Report(5, tmp_path)
    for index, case, outcome in jobs.Workers(5, list(range(5)), 2).run():
        report.add(index, case, outcome)
    report.close({})
    assert report.status == {"equal": 4, "wrong": 1}
    assert report.failures[0][0] == 2
    assert "exit code -9" in report.failures[0][2].detail
    assert len((tmp_path / "cases.jsonl").read_text().splitlines()) == 5


def test_a_report_names_the_commit_of_its_own_tree_only(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        names = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        done = subprocess.run(["git", "-C", str(tmp_path), *names, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    inner = tmp_path / "copy"
    for tree in (tmp_path, inner):
        (tree / "gpucomp").mkdir(parents=True)
        (tree / "gpucomp" / "a.py").write_text("x = 1\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    assert commit(tmp_path) == git("rev-parse", "HEAD")
    assert commit(inner).startswith("no repository; sources sha256 ")
    before = commit(inner)
    (inner / "gpucomp" / "a.py").write_text("x = 2\n")
    assert commit(inner) != before
    assert commit(tmp_path) == git("rev-parse", "HEAD") + " (changed)"
