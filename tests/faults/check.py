"""What a planted fault must not survive: the interpreter's checks, and comparison with the untouched schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any  # Any: arguments are tensors, variables and buffers

from gpucomp.driver.build import lower_primfunc
from gpucomp.support.diagnostics import VerifyError
from gpucomp.target import Target
from gpucomp.te import Schedule, lower_schedule
from tests.golden.support import Array, assert_same, make_arrays, reference, run_interpreted


@dataclass(frozen=True)
class Case:
    """A kernel with inputs and what it must compute, worked out before anything is planted."""

    schedule: Schedule
    args: list[Any]
    arrays: list[Array]
    want: list[Array]

    @staticmethod
    def of(made: tuple[Schedule, list[Any]]) -> Case:
        """Inputs and results of a kernel."""
        schedule, args = made
        arrays = make_arrays(schedule, args, {}, seed=5)
        return Case(schedule, args, arrays, reference(schedule, args, arrays))

    def compile_and_run(self, target: str = "cuda -arch=sm_90") -> str:
        """Lower and interpret: "" when all is well, the code of the interpreter's error, or "differs"."""
        lowered = lower_primfunc(lower_schedule(self.schedule, self.args, "main"), Target(target))
        try:
            got = run_interpreted(lowered, self.arrays)
        except VerifyError as error:
            return error.code
        try:
            assert_same(got, self.want, self.args, 1e-6)
        except AssertionError:
            return "differs"
        return ""
