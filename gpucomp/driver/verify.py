"""Checks between passes, as ``GPUCOMP_VERIFY`` asks: 1 at the end, 2 after each pass, 3 also by running the IR.

Level 3 runs the interpreter on small random inputs after each pass and names the first pass that changed what
the function writes.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np

from gpucomp.analysis import verify_well_formed
from gpucomp.ir.transform import Pass, PassContext
from gpucomp.support.config import config
from gpucomp.support.diagnostics import VerifyError
from gpucomp.tir.expr import IntImm
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.interp import interpret


@contextmanager
def verified(func: PrimFunc) -> Generator[None]:
    """Run passes under the checks of the present verify level."""
    level = int(config.verify)
    if level == 0:
        yield
        return
    checker = PassChecker(func, level)
    outer = PassContext.current()
    context = PassContext(
        outer.opt_level,
        list(outer.required_pass),
        list(outer.disabled_pass),
        [*outer.instruments, checker],
        outer.config,
    )
    with context:
        yield
    checker.finish()


class PassChecker:
    """An instrument that verifies what each pass makes.

    Args:
        func: what enters the first pass.
        level: 1 checks the last result, 2 every result, 3 also runs it.
    """

    def __init__(self, func: PrimFunc, level: int) -> None:
        self._level = level
        self._last = func
        # Shared memory has no barriers before thread_sync: until then lockstep stands in for them.
        self._synced = not getattr(func.attrs.get("target"), "is_gpu", False)
        self._inputs = _random_inputs(func) if level >= 3 else None
        self._expected = _run(func, self._inputs, races=self._synced) if self._inputs is not None else None

    def run_before_pass(self, unit: object, info: Pass[Any]) -> None:
        """Nothing: a pass is judged by its result."""

    def run_after_pass(self, unit: object, info: Pass[Any]) -> None:
        """Check the result of one pass."""
        if not isinstance(unit, PrimFunc) or unit is self._last:
            return
        self._last = unit
        self._synced |= info.name == "thread_sync"
        if self._level >= 2:
            _well_formed(unit, info.name)
        if self._inputs is not None and self._expected is not None:
            self._same_meaning(unit, info.name)

    def finish(self) -> None:
        """Check the last result."""
        _well_formed(self._last, "the last pass")

    def _same_meaning(self, func: PrimFunc, name: str) -> None:
        assert self._inputs is not None
        assert self._expected is not None
        results = _run(func, self._inputs, races=self._synced)
        for buffer, want, got in zip(func.buffer_map.values(), self._expected, results, strict=True):
            if not np.array_equal(want, got, equal_nan=True):
                bad = np.argwhere(want != got)[0] if want.shape == got.shape else []
                raise VerifyError(
                    f"pass {name!r} changed what {func.name!r} writes to {buffer.name} at {list(map(int, bad))}",
                    code="GC490",
                    hint="compare the IR before and after: gpucomp inspect --tir, or PassContext(disabled_pass=[...])",
                )


def _well_formed(func: PrimFunc, name: str) -> None:
    try:
        verify_well_formed(func)
    except VerifyError as error:
        raise VerifyError(f"after {name}: {error.message}", code=error.code, hint=error.hint) from error


def _random_inputs(func: PrimFunc) -> list[np.ndarray[Any, Any]] | None:
    """Small integers for every buffer; None when an extent is not known or the function is too big to run."""
    rng = np.random.default_rng(0)
    out: list[np.ndarray[Any, Any]] = []
    for param in func.params:
        buffer = func.buffer_map.get(param)
        if buffer is None or not all([isinstance(x, IntImm) for x in buffer.shape]):
            return None
        shape = tuple([int(x) for x in buffer.shape])  # type: ignore[call-overload]
        if int(np.prod(shape)) > 1 << 16:
            return None
        out.append(rng.integers(-3, 4, shape).astype(buffer.dtype.numpy))
    return out


def _run(func: PrimFunc, inputs: list[np.ndarray[Any, Any]], *, races: bool) -> list[np.ndarray[Any, Any]]:
    arrays = [a.copy() for a in inputs]
    interpret(func, arrays, races=races)
    return arrays
