"""One fuzz case: draw, lower, run on every backend, compare; and shrink what fails."""

from __future__ import annotations

import random
import traceback
from collections import Counter
from dataclasses import dataclass, field
from typing import Any  # Any: arguments are tensors, variables and buffers

import gpucomp
from gpucomp.driver.build import compile_function, lower_primfunc
from gpucomp.runtime.module import Module
from gpucomp.support.diagnostics import GpucompError, LowerError, ScheduleError
from gpucomp.target import Target
from gpucomp.te import Schedule, create_schedule, lower_schedule
from tests.fuzz.draw import Move, draw_moves, results_of, schedule_for_cpu, schedule_for_gpu
from tests.fuzz.workloads import WORKLOADS
from tests.golden.support import assert_same, make_arrays, reference, run_interpreted

CPU, GPU = Target("llvm"), Target("opencl")
_ILLEGAL = (ScheduleError, LowerError)


@dataclass(frozen=True)
class FuzzCase:
    """Everything that determines a case; printed, it reproduces it."""

    workload: str
    seed: int
    gpu: bool
    head: Move
    moves: tuple[Move, ...]


@dataclass
class Outcome:
    """What became of a case.

    Attributes:
        status: "equal", "illegal" or "wrong".
        detail: cause of an illegal case, or the text of a failure.
        primitives: how often each was used.
        ran: backends that computed the case.
    """

    status: str
    detail: str = ""
    primitives: Counter[str] = field(default_factory=Counter[str])
    ran: tuple[str, ...] = ()
    script: str = ""


def draw_case(seed: int, index: int) -> FuzzCase:
    """The case of a seed and an index; the same on every machine."""
    rng = random.Random(f"{seed}:{index}")
    head: Move = (rng.randrange(64), rng.randrange(64), rng.randrange(64), rng.randrange(64))
    moves = tuple(draw_moves(rng, rng.randint(0, 6)))
    return FuzzCase(rng.choice(sorted(WORKLOADS)), rng.randrange(1 << 30), rng.random() < 0.5, head, moves)


def run_case(case: FuzzCase, device: gpucomp.Device | None) -> Outcome:
    """Run one case on the interpreter and a backend (``device``: an OpenCL device; None leaves OpenCL out)."""
    args = WORKLOADS[case.workload](random.Random(case.seed))
    schedule = create_schedule(results_of(args))
    target = GPU if case.gpu else CPU
    try:
        if case.gpu:
            schedule_for_gpu(schedule, list(case.moves), case.head)
        else:
            schedule_for_cpu(schedule, list(case.moves))
        func = lower_schedule(schedule, args, "fuzz")
        lowered = lower_primfunc(func, target)
    except _ILLEGAL as error:
        return Outcome(
            "illegal", f"{error.code}: {_general(error.message)}", _count(schedule), script=str(schedule.trace)
        )
    except Exception:
        return Outcome("wrong", traceback.format_exc(), _count(schedule), script=str(schedule.trace))
    return _compare(case, schedule, args, lowered, target, device)


def _compare(
    case: FuzzCase, schedule: Schedule, args: list[Any], lowered: Any, target: Target, device: gpucomp.Device | None
) -> Outcome:
    ran: list[str] = []
    try:
        arrays = make_arrays(schedule, args, {}, case.seed)
        want = reference(schedule, args, arrays)
        assert_same(run_interpreted(lowered, arrays), want, args, 0.0)
        ran.append("interp")
        for name, kind, where in (("cpu", CPU, gpucomp.cpu(0)), ("opencl", GPU, device)):
            if where is None or (name == "opencl" and not case.gpu):
                continue
            module = Module({"fuzz": compile_function(schedule, args, kind, "fuzz")}, where, kind.kind)
            there = [gpucomp.nd.array(a, where) for a in arrays]
            module(*there)
            assert_same([a.numpy() for a in there], want, args, 0.0)
            ran.append(name)
    except Exception as error:
        text = str(error) if isinstance(error, (AssertionError, GpucompError)) else traceback.format_exc()
        return Outcome(
            "wrong", f"after {', '.join(ran) or 'nothing'}: {text}", _count(schedule), tuple(ran), str(schedule.trace)
        )
    return Outcome("equal", "", _count(schedule), tuple(ran))


def _count(schedule: Schedule) -> Counter[str]:
    return Counter([step.primitive for step in schedule.trace.steps])


def _general(message: str) -> str:
    """A message without its names and numbers, so that equal causes count together."""
    words = ["N" if any([c.isdigit() for c in w]) else "'x'" if "'" in w else w for w in message.split()]
    return " ".join(words)[:110]


def shrink(case: FuzzCase, device: gpucomp.Device | None) -> FuzzCase:
    """Leave out moves as long as the case still fails."""
    smaller = True
    while smaller:
        smaller = False
        for i in range(len(case.moves)):
            fewer = FuzzCase(case.workload, case.seed, case.gpu, case.head, case.moves[:i] + case.moves[i + 1 :])
            if run_case(fewer, device).status == "wrong":
                case, smaller = fewer, True
                break
    return case


def opencl_cpu() -> gpucomp.Device | None:
    """The first OpenCL device that is no simulator."""
    for index in range(gpucomp.opencl(0).api.count()):
        if not gpucomp.opencl(index).attributes.is_simulator:
            return gpucomp.opencl(index)
    return None
