"""Operators of the library at drawn shapes, layouts, strides, padding, dilation, groups and epilogues.

``python -m tests.kernels.random_cases --cases 2000 --seed 1 --jobs 16``, or ``bash ci/kernel_cases``.  Inputs are whole
numbers, so that sums are exact and a wrong element is far outside of the tolerance; outputs are poisoned.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NamedTuple, TypeAlias

import click
import numpy as np

import gpucomp
from gpucomp import te
from gpucomp.cli.measure import relative_error
from gpucomp.kernels import registry
from gpucomp.kernels.arrays import Array, Shape, in_float64, random_array
from gpucomp.kernels.convolution import compute as convolution_compute
from gpucomp.kernels.convolution.problem import Convolution
from gpucomp.kernels.convolution.reference import convolution
from gpucomp.kernels.gemm import compute as gemm_compute
from gpucomp.kernels.registry import Definition, Operator, sum_dtype
from gpucomp.runtime.device import Device
from gpucomp.support.diagnostics import ArgumentError
from gpucomp.target import Target
from gpucomp.te import Schedule
from gpucomp.tir.expr import Expr, Var
from gpucomp.tir.operators import const, maximum
from tests.fuzz import jobs as fuzz_jobs
from tests.kernels.convolutions import draw as draw_convolution
from tests.kernels.running import run

FAMILIES = ("gemm", "convolution", "depthwise")
SIZES = (1, 2, 3, 5, 7, 8, 16, 17, 31, 32, 33, 40, 64, 65, 100, 129)
EPILOGUES = ("bias", "residual", "relu", "scale")
# Of a free convolution: sums are in float32 but for float64; what follows one is rounded to the inputs' type.
CONVOLUTION_TOLERANCES = {"float32": 1e-4, "float16": 1e-3, "bfloat16": 8e-3, "float64": 1e-12}
LONGEST_SUM = 4096

Scheduler: TypeAlias = Callable[[Definition, Target], Schedule]


@dataclass(frozen=True, eq=False)
class KernelCase:
    """An operator, or something made of its parts, at one shape.

    Attributes:
        name: what is counted: the operator, or the kind of problem.
        text: all that was drawn, to be read.
        dtype: of the inputs.
        define: makes the definition.
        find: the schedule for the keys of a target.
        inputs: whole numbers.
        reference: the result in float64.
        tolerance: the largest error relative to an element, or to the root mean square of all.
    """

    name: str
    text: str
    dtype: str
    define: Callable[[], Definition]
    find: Callable[[Sequence[str]], Scheduler]
    inputs: Sequence[Array]
    reference: Callable[[], Array]
    tolerance: float


class Outcome(NamedTuple):
    """What became of a case: where it ran, and what was wrong ("" where nothing was)."""

    number: int
    name: str
    text: str
    ran: tuple[str, ...]
    wrong: str


# -- drawing -----------------------------------------------------------------------------------------------------------


def draw_case(seed: int, index: int) -> KernelCase:
    """The case of a seed and an index."""
    rng = random.Random(f"{seed}/{index}")
    kind = rng.choices(("operator", "epilogue", "convolution"), (55, 15, 30))[0]
    if kind == "operator":
        return _operator_case(rng)
    return _epilogue_case(rng) if kind == "epilogue" else _convolution_case(rng)


def operators() -> list[Operator]:
    """Those that cases are drawn from."""
    return [operator for operator in registry.all_operators() if operator.family in FAMILIES]


def _operator_case(rng: random.Random) -> KernelCase:
    operator = rng.choice(operators())
    dtype = _dtype(rng, operator.dtypes)
    while True:
        shape = draw_shape(operator, rng)
        try:
            operator.define(shape, dtype)
            break
        except ArgumentError:  # windows larger than the image
            continue
    inputs = _whole(operator.input_shapes(shape), dtype, rng)
    return KernelCase(
        operator.name, f"{operator.name} {shape} {dtype}", dtype, lambda: operator.define(shape, dtype),
        operator.find_schedule, inputs, lambda: operator.reference(inputs, shape)[0], operator.tolerance(dtype),
    )  # fmt: skip


def draw_shape(operator: Operator, rng: random.Random) -> Shape:
    """Extents by their names: sizes of products are odd or larger than a tile, images small."""
    if operator.family == "gemm":
        large = rng.random() < 0.15
        made = [rng.randint(100, 320) if large else rng.choice(SIZES) for _ in operator.shape_names]
        if operator.shape_names[0] == "B":
            made[0] = rng.choice([1, 2, 3, 5])
        return tuple(made)
    if rng.random() < 0.2 and operator.shape_names == ("N", "C", "H", "O", "k", "stride"):  # whole tiles of a GPU
        channels, filters = rng.choice([32, 48, 64]), rng.choice([32, 64, 96])
        return (rng.choice([1, 2]), channels, rng.choice([16, 28, 30, 56]), filters, rng.choice([1, 3, 3]), 1)
    groups = rng.choice([1, 2, 3, 4]) if "groups" in operator.shape_names else 1
    drawn = {
        "N": rng.choice([1, 1, 2, 3]),
        "C": groups * rng.choice([1, 2, 3, 4, 8, 17, 32]),
        "O": groups * rng.choice([1, 2, 3, 4, 8, 17, 33, 64]),
        "H": rng.choice([1, 4, 7, 8, 13, 14, 20]),
        "W": rng.choice([1, 4, 7, 8, 13, 14, 21]),
        "L": rng.choice([1, 5, 16, 33, 100]),
        "D": rng.choice([3, 5, 6, 8]),
        "k": rng.choice([1, 2, 3, 3, 3, 4, 5, 7]),
        "stride": rng.choice([1, 1, 2, 3]),
        "dilation": rng.choice([1, 2, 3]),
        "groups": groups,
        "dil": rng.choice([1, 1, 2, 3]),
        "M": rng.choice([1, 1, 2, 3]),
    }
    return tuple([drawn[name] for name in operator.shape_names])


def _epilogue_case(rng: random.Random) -> KernelCase:
    """A product, and up to three elementwise steps after it, in the schedule of matmul."""
    shape = m, n, k = tuple([rng.choice(SIZES) for _ in range(3)])
    dtype = _dtype(rng, ("float32", "float16", "bfloat16", "float64"))
    steps = [rng.choice(EPILOGUES) for _ in range(rng.randint(1, 3))]
    wide = sum_dtype(dtype)

    def define() -> Definition:
        plain = gemm_compute.matmul(shape, dtype)
        value, inputs, between = plain.outputs[0], list(plain.inputs), [plain.outputs[0]]
        for number, step in enumerate(steps):
            more, value = _step(step, number, value, (m, n), dtype, wide)
            inputs += more
            between.append(value)
        out = te.compute((m, n), lambda i, j: value[i, j].astype(dtype), name="out")
        return Definition(tuple(inputs), (out,), tuple(between))

    shapes: list[Shape] = [(m, k), (k, n)]
    shapes += [(n,) if step == "bias" else (m, n) for step in steps if step in ("bias", "residual")]
    inputs = _whole(shapes, dtype, rng)

    def reference() -> Array:
        a, b, *more = [in_float64(x) for x in inputs]
        value = a @ b
        for step in steps:
            value = value + more.pop(0) if step in ("bias", "residual") else value * 0.5 if step == "scale" else value
            value = np.maximum(value, 0) if step == "relu" else value
        return value

    tolerance = registry.get("matmul_bias_gelu").tolerance(dtype)
    text = f"matmul then {', '.join(steps)} {shape} {dtype}"
    find = registry.get("matmul").find_schedule
    return KernelCase("matmul with an epilogue", text, dtype, define, find, inputs, reference, tolerance)


def _step(
    step: str, number: int, value: te.Tensor, shape: Shape, dtype: str, wide: str
) -> tuple[list[te.Tensor], te.Tensor]:
    """An elementwise step, and the placeholder that it takes, if any."""
    more: list[te.Tensor] = []
    if step in ("bias", "residual"):
        more = [te.placeholder(shape[1:] if step == "bias" else shape, dtype, f"{step}{number}")]

    def element(i: Var, j: Var) -> Expr:
        x = value[i, j]
        if step == "bias":
            return x + more[0][j].astype(wide)
        if step == "residual":
            return x + more[0][i, j].astype(wide)
        return maximum(x, const(0, wide)) if step == "relu" else x * const(0.5, wide)

    return more, te.compute(shape, element, name=f"step{number}")


def _convolution_case(rng: random.Random) -> KernelCase:
    """Any convolution that the class describes, in the schedules for all of them."""
    conv: Convolution = draw_convolution(rng)
    dtype = _dtype(rng, ("float32", "float16", "bfloat16", "float64"))
    inputs = _whole(conv.input_shapes(), dtype, rng)
    find = registry.get("conv2d_nhwc").find_schedule
    layout = "channels last" if conv.channels_last else "transposed" if conv.transposed else "channels first"
    return KernelCase(
        f"convolution, {conv.ndim}-dimensional, {layout}", f"{conv} {dtype}", dtype,
        lambda: convolution_compute.define(conv, dtype), find, inputs, lambda: convolution(inputs, conv)[0],
        CONVOLUTION_TOLERANCES[dtype],
    )  # fmt: skip


def _dtype(rng: random.Random, known: Sequence[str]) -> str:
    if "float32" not in known:
        return rng.choice(list(known))
    return "float32" if rng.random() < 0.7 else rng.choice(list(known))


def _whole(shapes: Sequence[Shape], dtype: str, rng: random.Random) -> list[Array]:
    numbers_of = np.random.default_rng(rng.randrange(1 << 30))
    return [random_array(shape, dtype, numbers_of, whole=True) for shape in shapes]


# -- running -----------------------------------------------------------------------------------------------------------


def ways(device: Device, index: int, dtype: str) -> list[tuple[str, Target, Target]]:
    """How a case is run on a device: what it is called, the target of the schedule, and that of the code."""
    if device.kind == "cpu":
        here = Target("llvm")
        return [
            ("llvm", here, here),
            *([("gpu schedule, llvm", Target("cuda -arch=sm_90a"), here)] if index % 3 == 0 else []),
        ]
    if device.kind == "opencl" and device.attributes.is_cpu:
        if dtype == "float64":
            return []
        here = Target("opencl") if index % 2 else Target("opencl").with_options(features=["cpu"])
        return [("gpu schedule, pocl" if index % 2 else "pocl", here, here)]
    here = Target.from_device(device)
    return [(device.kind, here, here)]


def run_case(case: KernelCase, index: int, devices: Sequence[Device]) -> Outcome:
    """Run a case wherever it can, and compare with float64."""
    ran: list[str] = []
    want = case.reference()
    for device in devices:
        for what, scheduled, target in ways(device, index, case.dtype):
            try:
                error = _error(case, device, scheduled, target, want)
            except Exception as problem:  # a shape that the library cannot compile is as wrong as a wrong result
                return Outcome(index, case.name, case.text, tuple(ran), f"{what}: {type(problem).__name__}: {problem}")
            if not error <= case.tolerance:
                return Outcome(index, case.name, case.text, tuple(ran), f"{what}: an error of {error:.3g}")
            ran.append(what)
    return Outcome(index, case.name, case.text, tuple(ran), "")


def _error(case: KernelCase, device: Device, scheduled: Target, target: Target, want: Array) -> float:
    definition = case.define()
    schedule = case.find(scheduled.keys)(definition, scheduled)
    got = run(schedule, definition, case.inputs, device, target)
    return relative_error(got, want, least=1.0)  # the unit of whole numbers: all of them may be 0


def run_index(seed: int, index: int, devices: Sequence[str]) -> Outcome:
    """Draw and run."""
    return run_case(draw_case(seed, index), index, [gpucomp.device(*_parsed(name)) for name in devices])


def _parsed(name: str) -> tuple[str, int]:
    kind, _, number = name.partition(":")
    return kind, int(number or 0)


def serve(seed: int, pipe: Connection) -> None:
    """What a worker's process does; the devices are in its environment."""
    folder = fuzz_jobs.start()
    devices = os.environ["KERNEL_CASES_DEVICES"].split(",")
    for index in iter(pipe.recv, None):
        pipe.send(run_index(seed, index, devices))
    shutil.rmtree(folder, ignore_errors=True)


class Workers(fuzz_jobs.Pool[Outcome]):
    """Processes that run cases."""

    serve = staticmethod(serve)

    def lost(self, index: int, why: str) -> Outcome:
        """A case that took its process with it."""
        case = draw_case(self.seed, index)
        return Outcome(index, case.name, case.text, (), why)


@click.command()
@click.option("--cases", default=200, show_default=True, help="How many cases.")
@click.option("--first", default=0, show_default=True, help="Index of the first case.")
@click.option("--seed", default=0, show_default=True, help="Which cases.")
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, help="Processes.")
@click.option("--device", default="cpu,opencl", show_default=True, help="Where, with commas: cpu, opencl:0, cuda:0.")
@click.option("--only", type=int, help="Run one case by its index.")
def main(cases: int, first: int, seed: int, jobs: int, device: str, only: int | None) -> None:
    """Draw, run, compare, report; the last line is a summary in JSON."""
    if only is not None:
        fuzz_jobs.start()
        found = run_index(seed, only, device.split(","))
        print(found.text, found.wrong or f"right on {', '.join(found.ran)}", sep="\n")
        sys.exit(bool(found.wrong))
    os.environ["KERNEL_CASES_DEVICES"] = device
    began = time.monotonic()
    names: Counter[str] = Counter()
    ran: Counter[str] = Counter()
    wrong: list[Outcome] = []
    for done in Workers(seed, list(range(first, first + cases)), jobs).run():
        names[done.name] += 1
        ran.update(done.ran)
        if done.wrong:
            wrong.append(done)
            print(f"WRONG case {done.number}: {done.text}\n  {done.wrong}", flush=True)
        if names.total() % 250 == 0:
            print(f"{names.total()} cases, {time.monotonic() - began:.0f} s, {len(wrong)} wrong", flush=True)
    summary = {
        "seed": seed,
        "cases": names.total(),
        "wrong": len(wrong),
        "ran": dict(sorted(ran.items())),
        "problems": dict(sorted(names.items())),
        "seconds": round(time.monotonic() - began),
        "jobs": jobs,
    }
    print(json.dumps(summary))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
