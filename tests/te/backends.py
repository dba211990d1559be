"""Run one schedule everywhere: as lowered, on the processor and on PoCL."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

import gpucomp
from gpucomp import te
from tests.requirements import require_pocl
from tests.te.helpers import Array, check, poisoned

Program = Callable[[], tuple[te.Schedule, Sequence[te.Tensor]]]


def everywhere(
    program: Program, inputs: Sequence[Array], *expected: Array, opencl: bool = False, interp: bool = True
) -> None:
    """The interpreter, LLVM and (for schedules with threads) PoCL give what is expected; so does the printed trace."""
    s, args = program()
    if interp:
        check(s, args, inputs, *expected)
    targets = ["llvm", "opencl"] if opencl else ["llvm"]
    if opencl:
        require_pocl()
    for target in targets:
        s, args = program()
        outputs = [poisoned(x.shape, str(x.dtype)) for x in expected]
        gpucomp.build(s, list(args), target)(*inputs, *outputs)
        for got, want in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(got, want, err_msg=target)
    rebuilt(*program())


def rebuilt(s: te.Schedule, args: Sequence[te.Tensor]) -> None:
    """The trace, run as Python on the same tensors, gives the same code."""
    outputs = {t.name.replace(".", "_"): t for op in s.trace.outputs for t in op.outputs}
    names: dict[str, object] = {"te": te, **outputs}
    exec(str(s.trace), names)  # noqa: S102  # the property under test
    again = names["s"]
    assert isinstance(again, te.Schedule)
    assert te.lower_schedule(again, args).script() == te.lower_schedule(s, args).script()
    assert str(again.trace) == str(s.trace)
