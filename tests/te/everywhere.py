"""Run one schedule in the interpreter, on the processor and on PoCL, and compare each result with a reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any  # Any: arguments of a kernel: tensors, variables and buffers

import numpy as np

import gpucomp
from gpucomp import te
from gpucomp.te.lower import lower_schedule
from gpucomp.tir.interp import interpret
from tests.requirements import require_pocl
from tests.te.helpers import poisoned


def everywhere(
    sch: te.Schedule,
    args: Sequence[Any],
    inputs: Sequence[Any],
    wanted: Sequence[Any],
    *,
    gpu: bool = False,
    cpu: bool = True,
    rtol: float = 0.0,
    binds: Any = None,
) -> None:
    """``args`` are the parameters, inputs first; ``wanted`` the float64 references of the outputs.

    ``gpu``: the program has threads, so PoCL runs it too.
    """

    def compare(outputs: list[Any], where: str) -> None:
        for k, (out, want) in enumerate(zip(outputs, wanted, strict=True)):
            got = np.asarray(out, np.float64)
            np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol, err_msg=f"output {k} on {where}")

    def fresh() -> list[Any]:
        tensors = args[len(inputs) :]
        return [poisoned(np.shape(w), str(t.dtype)) for t, w in zip(tensors, wanted, strict=True)]

    outputs = fresh()
    interpret(lower_schedule(sch, args, "main", binds), [*inputs, *outputs], races=False)
    compare(outputs, "interp")
    if cpu:
        outputs = fresh()
        gpucomp.build(sch, args, "llvm", binds=binds)(*inputs, *outputs)
        compare(outputs, "cpu")
    if gpu:
        require_pocl()
        outputs = fresh()
        gpucomp.build(sch, args, "opencl", binds=binds)(*inputs, *outputs)
        compare(outputs, "pocl")
