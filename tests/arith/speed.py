"""How fast the analyzer is: ``python -m tests.arith.speed`` (processor time of one core).

Over the corpus of the golden kernels: microseconds of a fresh analyzer and of one that was asked before.  All of the
analyzer in the lowering of a tiled matrix product.  How time grows with the size of large expressions, and how long
hostile ones take.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable
from typing import Any

import click

from gpucomp.arith import Analyzer
from gpucomp.driver.build import lower_primfunc
from gpucomp.kernels import registry
from gpucomp.target import Target
from gpucomp.te import lower_schedule
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, Range, Var
from gpucomp.tir.functor import free_vars
from tests.arith.corpus import Question, corpus
from tests.arith.hostile import HOSTILE

_ROUNDS = 5


def _best(fn: Callable[[], object], rounds: int = _ROUNDS) -> float:
    """Seconds of the fastest of a few runs."""
    times: list[float] = []
    for _ in range(rounds):
        began = time.process_time()
        fn()
        times.append(time.process_time() - began)
    return min(times)


def cold_and_warm(items: tuple[Question, ...]) -> tuple[list[float], list[float]]:
    """Microseconds for each question: binding the ranges and simplifying, and simplifying once more."""
    cold: list[float] = []
    warm: list[float] = []
    for item in items:
        cold.append(1e6 * _best(lambda item=item: item.analyzer().simplify(item.node)))
        analyzer = item.analyzer()
        analyzer.simplify(item.node)
        warm.append(1e6 * _best(lambda a=analyzer, n=item.node: [a.simplify(n) for _ in range(20)]) / 20)
    return cold, warm


class Clock:
    """Time spent inside the analyzer's public methods, calls of one by another counted once."""

    NAMES = (
        "simplify", "const_int_bound", "modular_set", "int_set", "can_prove", "can_prove_equal", "bind", "update",
        "can_prove_less", "can_prove_greater_equal", "enter_constraint", "exit_constraint", "linear_parts",
    )  # fmt: skip

    def __init__(self) -> None:
        self.seconds = 0.0
        self.calls = 0
        self._inside = False
        self._real: dict[str, Any] = {}  # Any: methods of different types

    def __enter__(self) -> Clock:
        for name in self.NAMES:
            self._real[name] = getattr(Analyzer, name)
            setattr(Analyzer, name, self._timed(self._real[name]))
        return self

    def __exit__(self, *_: object) -> None:
        for name, method in self._real.items():
            setattr(Analyzer, name, method)

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def timed(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return method(*args, **kwargs)
            self._inside = True
            self.calls += 1
            began = time.process_time()
            try:
                return method(*args, **kwargs)
            finally:
                self.seconds += time.process_time() - began
                self._inside = False

        return timed


def matmul_milliseconds(shape: tuple[int, int, int], dtype: str) -> tuple[float, float, int]:
    """Milliseconds of the analyzer in lowering a tiled matmul for CUDA, those of all the lowering, and calls."""
    target = Target("cuda -arch=sm_90")
    operator = registry.get("matmul")
    best = (float("inf"), float("inf"), 0)
    for _ in range(_ROUNDS):
        definition = operator.define(shape, dtype)
        schedule = operator.schedule(definition, target)
        began = time.process_time()
        with Clock() as clock:
            lower_primfunc(lower_schedule(schedule, definition.args, "matmul"), target)
        best = min(best, (1e3 * clock.seconds, 1e3 * (time.process_time() - began), clock.calls))
    return best


def long_sum(count: int) -> tuple[Analyzer, Expr]:
    """A sum of that many products, some of which cancel."""
    node: Expr = Var("v0")
    for i in range(1, count):
        v = Var(f"v{i}")
        node = node + v * (i % 7) - (v if i % 5 else v % 4)
    return Analyzer(), node


def select_chain(depth: int) -> tuple[Analyzer, Expr]:
    """Nested choices over one variable."""
    analyzer, x, y = Analyzer(), Var("x"), Var("y")
    analyzer.bind(x, Range(0, 10_000))
    node: Expr = y
    for i in range(depth):
        node = e.Select(x < 3 * i + 1, y + i, node)
    return analyzer, node


def division_nest(depth: int) -> tuple[Analyzer, Expr]:
    """Quotients and remainders of quotients and remainders."""
    analyzer, x, y = Analyzer(), Var("x"), Var("y")
    analyzer.bind(x, Range(0, 1 << 20))
    analyzer.bind(y, Range(0, 7))
    node: Expr = x
    for i in range(depth):
        node = (node + y) // 3 if i % 2 else node * 5 % 77 + x
    return analyzer, node


GROWTH: dict[str, tuple[Callable[[int], tuple[Analyzer, Expr]], int]] = {
    "sum, terms": (long_sum, 2500),
    "chain of selects, depth": (select_chain, 100),
    "nest of // and %, depth": (division_nest, 32),
}


def milliseconds(make: Callable[[], tuple[Analyzer, Expr]]) -> float:
    """One cold simplification, the best of three."""
    made = [make() for _ in range(3)]
    return 1e3 * min([_best(lambda a=a, n=n: a.simplify(n), 1) for a, n in made])


def _condition(node: Expr) -> Expr:
    return node if node.dtype.is_bool else node * 3 < 17


def _domains(node: Expr) -> dict[Var, Range]:
    return {v: Range(0, 8) for v in free_vars(node)}


QUESTIONS: dict[str, Callable[[Analyzer, Expr], object]] = {
    "const_int_bound": lambda a, n: a.const_int_bound(n),
    "modular_set": lambda a, n: a.modular_set(n),
    "int_set": lambda a, n: a.int_set(n, _domains(n)),
    "can_prove": lambda a, n: a.can_prove(_condition(n)),
    "can_prove, strength 2": lambda a, n: a.can_prove(_condition(n), 2),
    "enter_constraint": lambda a, n: a.enter_constraint(_condition(n)),
}


def asked_milliseconds(make: Callable[[], tuple[Analyzer, Expr]], ask: Callable[[Analyzer, Expr], object]) -> float:
    """One cold question, the best of two."""
    made = [make() for _ in range(2)]
    return 1e3 * min([_best(lambda a=a, n=n: ask(a, n), 1) for a, n in made])


@click.command()
def main() -> None:
    """Print all figures."""
    items = corpus()
    cold, warm = cold_and_warm(items)
    print(f"corpus: {len(items)} expressions")
    deciles = statistics.quantiles(cold, n=10)
    print(f"cold: median {statistics.median(cold):.0f} us, 90% {deciles[8]:.0f} us, most {max(cold):.0f} us")
    print(f"asked before: median {statistics.median(warm):.2f} us, most {max(warm):.2f} us")
    for shape, dtype in (((1024, 1024, 1024), "float32"), ((1000, 1000, 1000), "float32")):
        spent, total, calls = matmul_milliseconds(shape, dtype)
        print(f"lowering matmul {shape} {dtype} for CUDA: analyzer {spent:.1f} ms of {total:.1f} ms, {calls} calls")
    print("growth: milliseconds at n, 2n, 4n")
    for name, (make, n) in GROWTH.items():
        figures = [milliseconds(functools.partial(make, n * k)) for k in (1, 2, 4)]
        print(f"  {name} {n}: " + ", ".join([f"{x:.1f}" for x in figures]))
    print("hostile: milliseconds of simplify, and of the longest other question")
    for name, make in HOSTILE.items():
        others = {what: asked_milliseconds(make, ask) for what, ask in QUESTIONS.items()}
        longest = max(others, key=lambda what: others[what])
        print(f"  {name}: {milliseconds(make):.1f}, {longest} {others[longest]:.1f}")


if __name__ == "__main__":
    main()
