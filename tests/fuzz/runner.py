"""One fuzz case: draw, lower, run on every backend, compare; and shrink what fails."""

from __future__ import annotations

import random
import re
import time
import traceback
from dataclasses import dataclass, replace
from typing import Any  # Any: arguments are tensors, variables and buffers

import gpucomp
from gpucomp import te, tir
from gpucomp.driver.build import compile_function, lower_primfunc
from gpucomp.runtime.module import Module
from gpucomp.support.diagnostics import GpucompError, LowerError, ScheduleError
from gpucomp.target import Target
from gpucomp.te import Schedule, Tensor, create_schedule, lower_schedule
from gpucomp.te.trace import replay
from gpucomp.tir.expr import Var
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.interp import interpret
from tests.fuzz.assume import condition
from tests.fuzz.draw_cpu import schedule_for_cpu
from tests.fuzz.draw_gpu import schedule_for_gpu
from tests.fuzz.layouts import Layouts
from tests.fuzz.moves import Move, draw_moves, inline_first
from tests.fuzz.one_thread import one_thread
from tests.fuzz.problem import ONLY_ON, Problem, assert_close
from tests.fuzz.workloads import WORKLOADS

CPU, GPU = Target("llvm"), Target("opencl")
_ILLEGAL = (ScheduleError, LowerError)
MOST_MOVES = 10


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
        used: primitives in order of use.
        ran: backends that computed the case.
        script: a program that makes the schedule.
        seconds: time that it took.
        notes: what else was done.
    """

    status: str
    detail: str = ""
    used: tuple[str, ...] = ()
    ran: tuple[str, ...] = ()
    script: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


def draw_case(seed: int, index: int) -> FuzzCase:
    """The case of a seed and an index; the same on every machine."""
    rng = random.Random(f"{seed}:{index}")
    head: Move = (rng.randrange(1 << 16), rng.randrange(64), rng.randrange(64), rng.randrange(64))
    moves = tuple(draw_moves(rng, rng.randint(1, MOST_MOVES)))
    name, number, gpu = rng.choice(sorted(WORKLOADS)), rng.randrange(1 << 30), rng.random() < 0.5
    return FuzzCase(name, number, ONLY_ON.get(name, "gpu" if gpu else "cpu") == "gpu", head, moves)


def make_problem(case: FuzzCase) -> Problem:
    """The tensors of a case, made afresh."""
    return WORKLOADS[case.workload](random.Random(case.seed))


def make_schedule(case: FuzzCase, problem: Problem) -> Schedule:
    """An untouched schedule for the results of a problem."""
    return create_schedule(list(dict.fromkeys([t.op for t in problem.outputs])))


def apply_moves(case: FuzzCase, problem: Problem, schedule: Schedule) -> list[tuple[Var, int]]:
    """Schedule as the case says; gives the variables that the kernel takes besides tensors, with their values."""
    inline_first(schedule, case.head[3])
    moves = list(case.moves)
    with condition(problem, case.head[2]):
        plan = schedule_for_gpu(schedule, moves, case.head) if case.gpu else schedule_for_cpu(schedule, moves)
    return plan.scalars


def run_case(case: FuzzCase, device: gpucomp.Device | None) -> Outcome:
    """Run one case on the interpreter, the CPU and OpenCL (``device``; None leaves OpenCL out)."""
    began = time.perf_counter()
    problem = make_problem(case)
    schedule = make_schedule(case, problem)
    try:
        outcome = _run(case, problem, schedule, device)
    except _Illegal as illegal:
        error = illegal.error
        outcome = Outcome("illegal", f"{error.code}: {_general(error.message, schedule)}")
    except _Failed as failed:
        outcome = Outcome("wrong", failed.text, ran=failed.ran)
    outcome.used = tuple([_label(step) for step in schedule.trace.steps])
    outcome.seconds = time.perf_counter() - began
    if outcome.status != "equal":
        outcome.script = script(case, schedule)
    return outcome


class _Illegal(Exception):
    """A refusal with an explanation."""

    def __init__(self, error: ScheduleError | LowerError) -> None:
        super().__init__(str(error))
        self.error = error


class _Failed(Exception):
    """A wrong answer or an internal error."""

    def __init__(self, text: str, ran: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.text, self.ran = text, ran


def _run(case: FuzzCase, problem: Problem, schedule: Schedule, device: gpucomp.Device | None) -> Outcome:
    target = GPU if case.gpu else CPU
    try:
        scalars = apply_moves(case, problem, schedule)
        func = lower_schedule(schedule, [*problem.args, *[v for v, _ in scalars]], "fuzz")
        lowered = lower_primfunc(func.with_attr("target", target), target)
    except _ILLEGAL as error:
        raise _Illegal(error) from error
    except Exception as error:
        raise _Failed(traceback.format_exc()) from error
    ran: list[str] = []
    notes: list[str] = [name for name, has in _traits(case, problem, schedule).items() if has]
    try:
        if case.head[1] % 4 == 0:
            _replayed(case, schedule, func, [v for v, _ in scalars])
            notes.append("replayed")
        arrays = problem.arrays(case.seed)
        want = problem.expected(arrays)
        sizes = {**problem.sizes, **dict(scalars)}
        check = _Check(problem, Layouts(problem, schedule), want, [x for _, x in scalars], sizes)
        arrays = check.layouts.moved(arrays)
        copies = [a.copy() for a in arrays]
        interpret(lowered, [*copies, *check.scalars])
        check(copies)
        ran.append("interp")
        data = compile_function(func, None, CPU, "fuzz")
        check.call(arrays, Module({"fuzz": data}, gpucomp.cpu(0), "llvm"), gpucomp.cpu(0))
        ran.append("cpu")
        if device is not None:
            notes += _opencl(case, func, arrays, check, device)
            ran.append("opencl")
    except Exception as error:
        plain = isinstance(error, (AssertionError, GpucompError))
        text = f"after {', '.join(ran) or 'nothing'}: {error if plain and str(error) else traceback.format_exc()}"
        raise _Failed(text, tuple(ran)) from error
    return Outcome("equal", ran=tuple(ran), notes=tuple(notes))


def _traits(case: FuzzCase, problem: Problem, schedule: Schedule) -> dict[str, bool]:
    """What is special about a schedule that its primitives do not tell."""
    steps = schedule.trace.steps
    specialized = isinstance(condition(problem, case.head[2]), te.SpecializedCondition)
    return {
        "under a SpecializedCondition": specialized,
        "and used it": specialized and any([bool(step.kwargs.get("disable_predication")) for step in steps]),
        "memory of warps": any([stage.scope == "warp" for stage in schedule.stages]),
    }


@dataclass(frozen=True)
class _Check:
    """Compares what a schedule computes with what is expected.

    Attributes:
        problem, layouts: what is computed, and how the arguments lie.
        want: the results.
        scalars: values of the parameters besides tensors.
        sizes: values of all variables: of those, and of the extents.
    """

    problem: Problem
    layouts: Layouts
    want: list[Any]
    scalars: list[int]
    sizes: dict[Var, int]

    def __call__(self, got: list[Any]) -> None:
        assert_close(self.layouts.back(got), self.want, self.problem.args, self.problem.rtol)

    def call(self, arrays: list[Any], module: Module, device: gpucomp.Device) -> None:
        """Run a module and compare."""
        there = [gpucomp.nd.array(a, device) for a in arrays]
        module(*there, *self.scalars)
        self([a.numpy() for a in there])


def _opencl(case: FuzzCase, func: PrimFunc, arrays: list[Any], check: _Check, device: gpucomp.Device) -> list[str]:
    """Run on OpenCL: a kernel as it is, a nest without threads on one work-item."""
    note: list[str] = []
    if not case.gpu:
        func = one_thread(func)
    try:
        data = compile_function(func, None, GPU, "fuzz")
    except LowerError as error:
        if case.gpu or "no constant bound" not in error.message:
            raise
        # Memory of one work-item has a size that is known when it is compiled: the same schedule for these extents.
        data = compile_function(func.specialize(check.sizes), None, GPU, "fuzz")
        note.append("known extents for OpenCL")
        check = replace(check, scalars=[])
    check.call(arrays, Module({"fuzz": data}, device, "opencl"), device)
    return note


def _replayed(case: FuzzCase, schedule: Schedule, func: PrimFunc, scalars: list[Var]) -> None:
    """The trace, applied to the same tensors made again or printed and executed, gives the same function."""
    again = make_problem(case)
    outputs = list(dict.fromkeys([t.op for t in again.outputs]))
    unnamed = bool(scalars) or any([step.primitive == "tensorize" for step in schedule.trace.steps])
    if case.head[1] % 8 or unnamed:  # what a text cannot name
        other = replay(schedule.trace, outputs)
    else:
        names: dict[str, Any] = {"te": te, "tir": tir, **{_name(t): t for op in outputs for t in op.outputs}}
        exec(str(schedule.trace), names)  # noqa: S102  # the property under test
        other = names["s"]
    text = lower_schedule(other, [*again.args, *scalars], "fuzz").script()
    assert text == func.script(), f"the replayed trace gives another function:\n{text}\ninstead of\n{func.script()}"


def _name(tensor: Tensor) -> str:
    """What a printed trace calls a result."""
    return tensor.name.replace(".", "_")


def _label(step: Any) -> str:
    if step.primitive == "fuse" and not step.args:
        return "fuse of none"
    return "split nparts" if step.primitive == "split" and "nparts" in step.kwargs else step.primitive


def _general(message: str, schedule: Schedule) -> str:
    """A message without its names and numbers, so that equal causes count together."""
    names = {n for stage in schedule.stages for n in (stage.name, *[t.name for t in stage.op.outputs])}
    words = re.sub(r"'[^']*'|`[^`]*`", "'x'", message).split()
    plain = [w.strip(",.:;()") for w in words]
    words = ["N" if any([c.isdigit() for c in w]) else "x" if w in names else w for w in plain]
    return " ".join(words)[:80]


def script(case: FuzzCase, schedule: Schedule) -> str:
    """A program that makes the schedule."""
    names = ", ".join([_name(t) for t in make_problem(case).outputs])
    head = [
        "import random",
        "from gpucomp import te, tir",
        "from tests.fuzz.workloads import WORKLOADS",
        f"problem = WORKLOADS[{case.workload!r}](random.Random({case.seed}))",
        f"[{names}] = problem.outputs",
    ]
    return "\n".join([*head, str(schedule.trace)])


def shrink(case: FuzzCase, device: gpucomp.Device | None) -> FuzzCase:
    """Leave out moves, and simplify the head, as long as the case still fails."""
    smaller = True
    while smaller:
        smaller = False
        for fewer in _smaller(case):
            if run_case(fewer, device).status == "wrong":
                case, smaller = fewer, True
                break
    return case


def _smaller(case: FuzzCase) -> list[FuzzCase]:
    fewer = [replace(case, moves=case.moves[:i] + case.moves[i + 1 :]) for i in range(len(case.moves))]
    plain: Move = (0, 0, 1, 7)  # one thread for each element, no vectors, no virtual threads
    return fewer + ([replace(case, head=plain)] if case.gpu and case.head != plain else [])


def opencl_cpu() -> gpucomp.Device | None:
    """The first OpenCL device that is a processor and no simulator."""
    for index in range(gpucomp.opencl(0).api.count()):
        found = gpucomp.opencl(index).attributes
        if found.is_cpu and not found.is_simulator:
            return gpucomp.opencl(index)
    return None
