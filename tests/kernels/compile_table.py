"""Every operator of the library through the compilers of GPUs that are not here: what each kernel takes of the chip.

AMD's code comes from clang and libclc, NVIDIA's from NVRTC; neither is run. ``ci/compile_table`` prints the table.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Final

import click

import gpucomp
from gpucomp.kernels import registry
from gpucomp.target import Target
from tests import amd
from tests.requirements import require_nvrtc

LOCAL_BYTES: Final = 64 * 1024  # of a work-group on AMD's chips
MOST_THREADS: Final = 1024
NVRTC_SECONDS: Final = {"gemm": 0.5, "convolution": 0.5, "depthwise": 0.5}
STREAMING_SECONDS: Final = 0.3
OPENCL_FP64: Final = Target("opencl").with_options(features=["fp64"])
AMD: Final = ("gfx90a", "gfx942", "gfx1100")
CUDA: Final = ("sm_80", "sm_90a")
CHIPS: Final = (*AMD, *CUDA)

# Sizes that no tile and no vector divides, by the names of the extents; whole tiles are the operators' default shapes.
ODD: Final = {
    "N": (100_001,),
    "M,N": (33, 1001),
    "B,M,N": (3, 33, 65),
    "M,N,K": (333, 129, 517),
    "B,M,N,K": (3, 77, 65, 131),
    "N,C,H,O,k,stride": (3, 19, 23, 37, 3, 2),
    "N,C,H,O,k,stride,groups": (3, 21, 23, 39, 3, 2, 3),
    "N,C,H,O,k,stride,dilation": (3, 19, 23, 37, 3, 1, 2),
    "N,C,L,O,k,stride": (3, 19, 101, 37, 5, 2),
    "N,C,D,O,k,stride": (1, 5, 11, 13, 3, 2),
    "N,C,H,W,k,stride,dil,M": (2, 19, 23, 29, 5, 2, 1, 3),
}
# Kernels of another kind, which these sizes lead to.
KINDS: Final = (
    ("matmul", (8, 4096, 4096)),  # few rows
    ("matmul_nt", (3, 1000, 1003)),
    ("matmul", (256, 128, 4096)),  # the sum in slices or parts
    ("matmul", (64, 64, 64)),
    ("matmul", (9, 9, 9)),
    ("batch_matmul", (7, 5, 6, 7)),
    ("conv2d", (1, 512, 7, 512, 3, 1)),
    ("conv2d", (1, 64, 56, 64, 3, 1)),  # Winograd's filtering
    ("conv2d", (1, 64, 56, 128, 1, 2)),
    ("conv2d", (1, 3, 224, 64, 7, 2)),
    ("conv2d", (1, 3, 11, 4, 3, 1)),
    ("conv2d_nhwc", (32, 256, 14, 256, 3, 1)),
    ("conv2d_nhwc", (1, 64, 56, 128, 1, 1)),
    ("conv2d_transpose", (2, 5, 4, 7, 4, 2)),
    ("depthwise_conv2d_nchw", (1, 64, 112, 112, 3, 2, 1, 1)),
    ("depthwise_conv2d_nhwc", (1, 512, 14, 14, 5, 1, 2, 1)),
    ("softmax", (256, 262144)),  # rows of clusters
    ("rms_norm", (64, 65536)),
    ("cumulative_sum", (300, 70008)),  # chunks
    ("transpose", (4956, 8221)),  # whole vectors of rows that start anywhere
)


@dataclass(frozen=True)
class Case:
    """An operator at one shape, in one element type."""

    op: str
    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.op}-{'x'.join(map(str, self.shape))}-{self.dtype}"

    def source(self, target: Target) -> str:
        """The text of its kernels as the library schedules them for a target."""
        operator = registry.get(self.op)
        definition = operator.define(self.shape, self.dtype, target)
        return gpucomp.source(operator.schedule(definition, target), definition.args, target, name=self.op)


@dataclass(frozen=True)
class Taken:
    """What the kernels of a case take of a chip: the most of any of them, but for the seconds of the compiler.

    Attributes:
        spills: registers (AMD) or bytes (NVIDIA) that are kept in memory for lack of registers.
        private: bytes a thread of memory for what is no register: spills, and arrays with indices known only at run
            time.
        local: bytes of shared memory that a block declares.
        calls: functions are called, or a stack grows as the kernel runs.
        seconds: of processor time.
    """

    case: Case
    chip: str
    registers: int
    spills: int
    private: int
    local: int
    threads: int
    calls: bool
    seconds: float

    def faults(self, busy: float = 1.0) -> list[str]:
        """What must not be, in words; the compiler may take ``busy`` times as long as on a quiet machine."""
        found: list[str] = []
        if self.calls:
            found.append("calls a function")
        if self.spills:
            found.append(f"{self.spills} spilled")
        if self.private:
            found.append(f"{self.private} bytes a thread in memory")
        if self.chip in AMD and self.local > LOCAL_BYTES:
            found.append(f"{self.local} bytes of shared memory")
        if self.threads > MOST_THREADS:
            found.append(f"{self.threads} threads")
        if self.chip in CUDA and self.seconds > busy * allowed_seconds(self.case):
            found.append(f"NVRTC takes {self.seconds:.2f} s")
        return found


def allowed_seconds(case: Case) -> float:
    """How long NVRTC may take for the kernels of this family."""
    return NVRTC_SECONDS.get(registry.get(case.op).family, STREAMING_SECONDS)


def all_cases(dtypes: Sequence[str] = ("float32", "float16")) -> list[Case]:
    """Every operator at its default and at odd sizes, and those of ``KINDS``."""
    shapes: list[tuple[registry.Operator, tuple[int, ...]]] = []
    for operator in registry.all_operators():
        odd = ODD[",".join(operator.shape_names)]
        shapes += [(operator, operator.default_shapes["gpu"]), (operator, odd)]
    shapes += [(registry.get(name), shape) for name, shape in KINDS]
    return [
        Case(operator.name, shape, dtype)
        for operator, shape in shapes
        for dtype in (*dtypes, "int8")
        if dtype in operator.dtypes and (dtype != "int8" or operator.name == "matmul_int8")
    ]


def compile_case(case: Case, chips: Iterable[str]) -> Iterator[Taken]:
    """Compile the kernels of a case for each chip."""
    opencl: str | None = None
    for chip in chips:
        if chip in AMD:
            opencl = opencl or case.source(OPENCL_FP64 if case.dtype == "float64" else Target("opencl"))
            yield compile_for_amd(case, opencl, chip)
        else:
            yield compile_for_nvidia(case, case.source(Target(f"cuda -arch={chip}")), chip)


def compile_for_amd(case: Case, source: str, chip: str) -> Taken:
    """OpenCL C to AMD's code, with clang."""
    began = os.times()
    code = amd.compile_for(chip, source)
    ended = os.times()

    def most(what: str) -> int:
        numbers = re.findall(rf"remark: .*?{what}(?: \[[\w/]+\])?: (\d+) \[", code.remarks)
        assert numbers, f"{case} {chip}: clang says nothing of {what}: {code.remarks[:2000]}"
        return max(map(int, numbers))

    return Taken(
        case,
        chip,
        registers=most("VGPRs"),
        spills=most("VGPRs Spill") + most("SGPRs Spill"),
        private=most("ScratchSize"),
        local=most("LDS Size"),
        threads=_threads(source, r"reqd_work_group_size\((\d+), (\d+), (\d+)\)"),
        calls="s_swappc" in code.assembly or "Dynamic Stack: True" in code.remarks,
        seconds=ended.children_user - began.children_user,
    )


def compile_for_nvidia(case: Case, source: str, arch: str) -> Taken:
    """CUDA C to a cubin, with NVRTC; a time above what is allowed is taken again, for other processes may run here."""
    require_nvrtc()
    from cuda.bindings import nvrtc

    options = [f"-arch={arch}".encode(), b"--ptxas-options=-v"]
    allowed = allowed_seconds(case)
    seconds: list[float] = []
    log = ""
    while len(seconds) < 4 and min(seconds, default=allowed + 1) > allowed:
        _, program = nvrtc.nvrtcCreateProgram(source.encode(), b"unit.cu", 0, [], [])
        began = time.process_time()
        (status,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
        seconds.append(time.process_time() - began)
        _, size = nvrtc.nvrtcGetProgramLogSize(program)
        text = b" " * size
        nvrtc.nvrtcGetProgramLog(program, text)
        log = text.decode(errors="replace")
        assert int(status) == 0, f"{case} {arch}: {log}"

    def most(pattern: str) -> int:
        return max(map(int, re.findall(pattern, log)), default=0)

    registers = most(r"Used (\d+) registers")
    assert registers, f"{case} {arch}: {log}"
    return Taken(
        case,
        arch,
        registers=registers,
        spills=most(r"(\d+) bytes spill"),
        private=most(r"(\d+) bytes stack frame"),
        local=most(r"(\d+) bytes smem"),
        threads=_threads(source, r"__launch_bounds__\((\d+)"),
        calls=".func" in log,
        seconds=min(seconds),
    )


def _threads(source: str, pattern: str) -> int:
    """The most threads of a block of any kernel in a source."""
    counts = [match.groups() for match in re.finditer(pattern, source)]
    assert counts, source[:2000]
    most = 0
    for extents in counts:
        product = 1
        for extent in extents:
            product *= int(extent)
        most = max(most, product)
    return most


def _compile_all(case: Case, chips: tuple[str, ...]) -> list[Taken]:
    return list(compile_case(case, chips))


@click.command()
@click.option("--chips", default=",".join(CHIPS), show_default=True, help="For which, with commas.")
@click.option("--op", "ops", multiple=True, help="Only these operators.")
@click.option("--dtypes", default="float32,float16", show_default=True, help="Element types of the inputs.")
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, help="Processes.")
@click.option("--json", "as_json", is_flag=True, help="A record a line, and no table.")
def main(chips: str, ops: tuple[str, ...], dtypes: str, jobs: int, as_json: bool) -> None:
    """Compile every operator of the library for chips that are not here; the status is 1 where something is amiss."""
    wanted = tuple(chips.split(","))
    cases = [case for case in all_cases(dtypes.split(",")) if not ops or case.op in ops]
    amiss = 0
    worst: dict[str, list[Taken]] = {}
    with ProcessPoolExecutor(jobs) as pool:
        for rows in pool.map(_compile_all, cases, [wanted] * len(cases)):
            for row in rows:
                worst.setdefault(f"{row.case.op} {row.chip}", []).append(row)
                amiss += bool(row.faults())
                if as_json:
                    print(json.dumps({**_record(row), "faults": row.faults()}), flush=True)
                elif row.faults():
                    print(f"AMISS {row.case} {row.chip}: {', '.join(row.faults())}", flush=True)
    if not as_json:
        print("\n".join(_table(worst)))
    print(f"{sum(map(len, worst.values()))} compiled, {amiss} amiss", file=sys.stderr)
    sys.exit(bool(amiss))


def _record(row: Taken) -> dict[str, object]:
    return {
        "op": row.case.op,
        "shape": row.case.shape,
        "dtype": row.case.dtype,
        "chip": row.chip,
        "registers": row.registers,
        "spills": row.spills,
        "private": row.private,
        "local": row.local,
        "threads": row.threads,
        "calls": row.calls,
        "seconds": round(row.seconds, 3),
    }


def _table(worst: dict[str, list[Taken]]) -> Iterator[str]:
    """The most that any shape and type of an operator takes of a chip."""
    yield f"{'op':22} {'chip':8} {'kernels':>7} {'registers':>9} {'spills':>6} {'private':>7} {'shared':>7} {'s':>6}"
    for rows in worst.values():
        registers, spills = max(r.registers for r in rows), max(r.spills for r in rows)
        private, local = max(r.private for r in rows), max(r.local for r in rows)
        yield (
            f"{rows[0].case.op:22} {rows[0].chip:8} {len(rows):7} {registers:9} {spills:6} {private:7} {local:7} "
            f"{max(r.seconds for r in rows):6.2f}"
        )


if __name__ == "__main__":
    main()
