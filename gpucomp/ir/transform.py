"""Passes, the context they run in, and pipelines that refuse a wrong order when they are defined."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar  # Any: units of any kind; options are checked

from gpucomp.support.diagnostics import LowerError, caller_span, did_you_mean
from gpucomp.support.expect import expect, expect_each

_T = TypeVar("_T")


class PassInstrument(Protocol):
    """Hooks around passes."""

    def run_before_pass(self, unit: object, info: Pass[Any]) -> None:
        """Called before a pass with what it will get."""

    def run_after_pass(self, unit: object, info: Pass[Any]) -> None:
        """Called after a pass with what it made."""


@dataclass(frozen=True, slots=True)
class Pass(Generic[_T]):
    """A named step of a pipeline.

    Args:
        name: unique in its pipeline; ``PassContext(disabled_pass=[...])`` refers to it.
        fn: the transformation; it returns the same object when nothing changes.
        needs: facts that must hold before (given by earlier passes).
        gives: facts that hold afterwards.
        drops: facts that no longer hold afterwards.
        opt_level: the pass runs when the context's level is at least this.
        optional: a pass that may be disabled without making the pipeline illegal.
    """

    name: str
    fn: Callable[[_T], _T]
    needs: frozenset[str] = frozenset()
    gives: frozenset[str] = frozenset()
    drops: frozenset[str] = frozenset()
    opt_level: int = 0
    optional: bool = False

    def __call__(self, unit: _T) -> _T:
        """Run the pass on ``unit`` under the current context's instruments."""
        instruments = PassContext.current().instruments
        for instrument in instruments:
            instrument.run_before_pass(unit, self)
        result = self.fn(unit)
        for instrument in instruments:
            instrument.run_after_pass(result, self)
        return result


class PassContext:
    """Settings of a compilation, as a context manager.

    Args:
        opt_level: 0 to 3; optimising passes name the level from which they run.
        required_pass: names of passes that run at any level.
        disabled_pass: names of optional passes that do not run.
        instruments: hooks called around every pass.
        config: options by key, such as ``{"tir.disable_vectorize": True}``.

    Raises:
        LowerError: an unknown config key.
        TypeMismatchError: GC252 something of another kind.
    """

    KEYS: Mapping[str, str] = {
        "tir.disable_vectorize": "lower vectorized loops as serial ones",
        "tir.noalias": "assume that buffer arguments do not overlap, and refuse calls where outputs do (default True)",
        "tir.instrument_bound_checkers": "check every access at run time (CPU)",
        "tir.add_lower_pass": "list of (phase, function) run on the PrimFunc at the end of phase 0 to 3",
        "tir.UnrollLoop": "mapping with auto_max_step, auto_max_depth, auto_max_extent, explicit_unroll",
        "tir.InjectDoubleBuffer": "mapping with split_loop: iterations to write out, an even number",
        "tir.disable_cse_tir": "keep repeated index expressions",
        "tir.disable_storage_rewrite": "keep every allocation apart",
    }
    _local = threading.local()

    def __init__(
        self,
        opt_level: int = 2,
        required_pass: Sequence[str] | None = None,
        disabled_pass: Sequence[str] | None = None,
        instruments: Iterable[PassInstrument] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        hint = (
            "transform.PassContext(opt_level=2, disabled_pass=['tir.Simplify'], config={'tir.disable_vectorize': True})"
        )
        expect(opt_level, int, "PassContext: opt_level", hint)
        expect(config or {}, Mapping, "PassContext: config", hint)
        for names in (required_pass, disabled_pass):
            expect_each(names or (), str, "PassContext: required_pass and disabled_pass", hint)
        expect_each(instruments or (), object, "PassContext: instruments", hint)
        self.opt_level = opt_level
        self.required_pass = frozenset(required_pass or ())
        self.disabled_pass = frozenset(disabled_pass or ())
        self.instruments = tuple(instruments or ())
        self.config = dict(config or {})
        for key in self.config:
            if key not in self.KEYS:
                raise LowerError(
                    f"unknown pass config key {key!r}",
                    code="GC308",
                    where=caller_span(),
                    hint=did_you_mean(key, self.KEYS) or f"known: {', '.join(self.KEYS)}",
                )

    @staticmethod
    def current() -> PassContext:
        """The innermost active context of this thread, or the default one."""
        stack: list[PassContext] = getattr(PassContext._local, "stack", [])
        return stack[-1] if stack else _DEFAULT

    def __enter__(self) -> Self:
        if not hasattr(PassContext._local, "stack"):
            PassContext._local.stack = []
        PassContext._local.stack.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        PassContext._local.stack.pop()

    def runs(self, step: Pass[Any]) -> bool:
        """Whether a pass runs under this context."""
        if step.name in self.required_pass or not step.optional:
            return True
        return step.name not in self.disabled_pass and self.opt_level >= step.opt_level


_DEFAULT = PassContext()


class Sequential(Generic[_T]):
    """A pipeline: passes in an order that is checked here, not in a comment.

    Args:
        passes: in order.
        name: for messages.
        given: facts that hold for what enters.

    Raises:
        LowerError: a pass needs a fact that nothing before it gives.
    """

    def __init__(self, passes: Sequence[Pass[_T]], name: str = "pipeline", given: Iterable[str] = ()) -> None:
        expect_each(passes, Pass, name, "pass [tir.transform.Simplify(), ...]")
        facts = set(given)
        for step in passes:
            missing = sorted(step.needs - facts)
            if missing:
                givers = [p.name for p in passes if missing[0] in p.gives]
                raise LowerError(
                    f"{name}: pass {step.name!r} needs {missing[0]!r}, which no earlier pass gives",
                    code="GC309",
                    where=caller_span(),
                    hint=f"put {givers[0]!r} before it" if givers else "add a pass that gives it",
                )
            facts = (facts - step.drops) | step.gives
        self.passes = tuple(passes)
        self.name = name
        self.gives = frozenset(facts)

    def __call__(self, unit: _T) -> _T:
        """Run the passes that the current context asks for."""
        context = PassContext.current()
        for step in self.passes:
            if context.runs(step):
                unit = step(unit)
        return unit


class PassTimingInstrument:
    """Collects the seconds that each pass takes."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._started = 0.0

    def run_before_pass(self, unit: object, info: Pass[Any]) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def run_after_pass(self, unit: object, info: Pass[Any]) -> None:
        """Add the time since the start to the pass's total."""
        self.seconds[info.name] = self.seconds.get(info.name, 0.0) + time.perf_counter() - self._started

    def render(self) -> str:
        """A table, slowest first, in milliseconds."""
        rows = sorted(self.seconds.items(), key=lambda kv: -kv[1])
        return "\n".join([f"{name:32s} {seconds * 1e3:8.3f} ms" for name, seconds in rows])
