"""Checks between passes, as ``GPUCOMP_VERIFY`` asks: 1 at the end, 2 after each pass, 3 also by running the IR.

Level 3 also runs the interpreter on small random inputs after each pass and names the first pass that changed what
the function writes, or brought in a race, a stray access or a read of unwritten memory.  Of a function with one
kernel and large arrays, the first, the last and one more block run.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final  # Any: element types of arrays

import numpy as np

from gpucomp.analysis import kernel_uses, verify_well_formed
from gpucomp.ir.transform import Pass, PassContext
from gpucomp.support.config import config
from gpucomp.support.diagnostics import VerifyError
from gpucomp.support.log import logger
from gpucomp.tir.expr import BufferLoad, Call, Div, IntImm
from gpucomp.tir.function import PrimFunc
from gpucomp.tir.functor import expr_post_order, post_order
from gpucomp.tir.interp import interpret
from gpucomp.tir.intrin import Op
from gpucomp.tir.stmt import BufferStore

_SMALL: Final = 1 << 16  # elements of an array up to which all blocks run
_LARGEST: Final = 1 << 24
_SAMPLED_BLOCKS: Final = 3
_HINT: Final = "compare the IR before and after: gpucomp inspect --tir, or PassContext(disabled_pass=[...])"
_NO_MEANING: Final = "GC408"
_SLACK: Final = {2: 2e-2, 4: 1e-5}  # by bytes of an element
_EXACT_CALLS: Final = frozenset({"tir.if_then_else", "tir.likely", "tir.fma", "tir.fabs"})
_Array = np.ndarray[Any, Any]


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

    Raises:
        VerifyError: level 3, and the function is at fault before any pass: the lowering of its schedule is.
    """

    def __init__(self, func: PrimFunc, level: int) -> None:
        self._level = level
        self._last = func
        # Shared memory has no barriers before thread_sync: until then lockstep stands in for them.
        self._synced = False
        self._trial = _Trial.of(func) if level >= 3 else None

    def run_before_pass(self, unit: object, info: Pass[Any]) -> None:
        """Nothing: a pass is judged by its result."""

    def run_after_pass(self, unit: object, info: Pass[Any]) -> None:
        """Check the result of one pass."""
        sync = "synced" in info.gives
        if not isinstance(unit, PrimFunc) or (unit is self._last and not sync):
            return
        self._last = unit
        self._synced |= sync
        if self._level >= 2:
            _well_formed(unit, info.name)
        if self._trial is not None:
            self._trial.compare(unit, info.name, races=self._synced)

    def finish(self) -> None:
        """Check the last result."""
        _well_formed(self._last, "the last pass")


def _well_formed(func: PrimFunc, name: str) -> None:
    try:
        verify_well_formed(func)
    except VerifyError as error:
        raise _renamed(error, f"after {name}", error.hint) from error


def _renamed(error: VerifyError, what: str, hint: str | None) -> VerifyError:
    message = f"{what}: {error.message}"
    return VerifyError(message, code=error.code, where=error.where, context=error.context, hint=hint)


@dataclass(frozen=True)
class _Trial:
    """Inputs of a function, and what it wrote before the first pass."""

    inputs: list[_Array]
    expected: list[_Array]
    whole: bool
    exact: bool

    @staticmethod
    def of(func: PrimFunc) -> _Trial | None:
        """None where the function cannot be run: extents are not known, it is too large, or indices are data."""
        inputs = _random_inputs(func)
        if inputs is None:
            return None
        whole = all([a.size <= _SMALL for a in inputs])
        if not whole and len(kernel_uses(func)) != 1:
            return None  # what the second kernel reads, the blocks of the first that do not run would have written
        try:
            expected = _run(func, inputs, whole=whole, races=False)
        except VerifyError as error:
            if not _indexed_by_data(func) and error.code != _NO_MEANING:
                hint = "the lowering of the schedule is at fault, or the schedule's own accesses are"
                raise _renamed(error, "before the first pass", hint) from error
            logger.info("%s is not run between passes: %s", func.name, error.message)
            return None
        return _Trial(inputs, expected, whole, _is_exact(func))

    def compare(self, func: PrimFunc, name: str, *, races: bool) -> None:
        """Run what a pass made."""
        try:
            results = _run(func, self.inputs, whole=self.whole, races=races)
        except VerifyError as error:
            raise _renamed(error, f"pass {name!r} broke {func.name!r}", _HINT) from error
        for buffer, want, got in zip(func.buffer_map.values(), self.expected, results, strict=True):
            different = _differs(want, got, exact=self.exact)
            if different.any():
                bad = [int(x) for x in np.argwhere(different)[0]]
                raise VerifyError(
                    f"pass {name!r} changed what {func.name!r} writes to {buffer.name} at {bad}: "
                    f"{got[tuple(bad)]} instead of {want[tuple(bad)]}",
                    code="GC490",
                    hint=_HINT,
                )


def _differs(want: _Array, got: _Array, *, exact: bool) -> _Array:
    """Where results differ: in any bit, or by more than the rounding that another order of a reduction brings."""
    different: _Array = np.asarray(want != got)
    if not np.issubdtype(want.dtype, np.integer) and want.dtype != np.bool_:
        different &= ~((want != want) & (got != got))  # two NaNs are the same result
        if not exact:
            x, y = want.astype(np.float64), got.astype(np.float64)
            slack = _SLACK.get(want.dtype.itemsize, 1e-12) * np.maximum(1.0, np.abs(x))
            different &= ~(np.abs(x - y) <= slack)
    return different


def _is_exact(func: PrimFunc) -> bool:
    """True when small whole numbers stay whole: no division and no mathematical function of floats."""
    for node in post_order(func.body):
        if not isinstance(node, (Div, Call)) or not node.dtype.is_float:
            continue
        if isinstance(node, Div) or not (isinstance(node.op, Op) and node.op.name in _EXACT_CALLS):
            return False
    return True


def _indexed_by_data(func: PrimFunc) -> bool:
    """True when an index comes from memory: random numbers may lie outside of what it indexes."""
    for node in post_order(func.body):
        if not isinstance(node, (BufferLoad, BufferStore)):
            continue
        if any([isinstance(x, BufferLoad) for x in expr_post_order(*node.indices)]):
            return True
    return False


def _random_inputs(func: PrimFunc) -> list[_Array] | None:
    """Small integers for every buffer; None when an extent is not known or the function is too big to run."""
    rng = np.random.default_rng(0)
    out: list[_Array] = []
    for param in func.params:
        buffer = func.buffer_map.get(param)
        if buffer is None or buffer.strides or not all([isinstance(x, IntImm) for x in buffer.shape]):
            return None
        shape = tuple([int(x) for x in buffer.shape if isinstance(x, IntImm)])
        if int(np.prod(shape)) > _LARGEST:
            return None
        out.append(rng.integers(-3, 4, shape).astype(buffer.dtype.numpy))
    return out


def _run(func: PrimFunc, inputs: list[_Array], *, whole: bool, races: bool) -> list[_Array]:
    arrays = [a.copy() for a in inputs]
    interpret(func, arrays, races=races, blocks="all" if whole else _SAMPLED_BLOCKS)
    return arrays
