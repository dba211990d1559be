"""The index expressions and conditions that lowering the golden kernels asks the analyzer about, with their ranges.

``python -m tests.arith.corpus`` prints them.
"""

from __future__ import annotations

import functools
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from gpucomp.arith import Analyzer
from gpucomp.arith.bounds import type_range
from gpucomp.driver.build import lower_primfunc
from gpucomp.target import Target
from gpucomp.te import lower_schedule
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, ExprLike, Range, Var
from gpucomp.tir.functor import free_vars
from tests.golden.cases import CASES

_TARGETS = ("cuda -arch=sm_90", "opencl", "llvm")


@dataclass(frozen=True)
class Question:
    """An expression that was to be simplified, and what was known.

    Attributes:
        case: the golden kernel that asked first.
        node: the expression.
        ranges: of its variables, and of those in the ends of ranges; inner ones last.
    """

    case: str
    node: Expr
    ranges: dict[Var, Range]

    def analyzer(self) -> Analyzer:
        """A fresh analyzer that knows the ranges."""
        made = Analyzer()
        for v, r in self.ranges.items():
            made.bind(v, r)
        return made


def _ranges(analyzer: Analyzer, node: Expr) -> dict[Var, Range]:
    """What was bound, for the variables that matter."""
    wanted = list(free_vars(node))
    for v in wanted:
        bound = analyzer._bound_to.get(v)
        for end in bound or ():
            if isinstance(end, Expr):
                wanted += [x for x in free_vars(end) if x not in wanted]
    out: dict[Var, Range] = {}
    for v, bound in analyzer._bound_to.items():  # in the order in which they were bound: outer loops first
        if v not in wanted or len(bound) != 2:
            continue
        low, second = bound
        if isinstance(low, Expr) and isinstance(second, Expr):
            out[v] = Range.from_min_extent(low, second)
        elif isinstance(low, int) and isinstance(second, int) and second - low < type_range(v.dtype)[1]:
            out[v] = Range.from_min_extent(e.IntImm(v.dtype, low), e.IntImm(v.dtype, second - low + 1))
    return out


def _matters(node: Expr) -> bool:
    return not isinstance(node, (Var, e.ConstExpr)) and node.dtype.is_integral and bool(free_vars(node))


@contextmanager
def _recorded(case: str, found: dict[Expr, Question]) -> Generator[None]:
    real = Analyzer.simplify

    def record(self: Analyzer, expr: ExprLike, steps: int = 2) -> Expr:
        if isinstance(expr, Expr) and expr not in found and _matters(expr):
            found[expr] = Question(case, expr, _ranges(self, expr))
        return real(self, expr, steps)

    Analyzer.simplify = record
    try:
        yield
    finally:
        Analyzer.simplify = real


@functools.cache
def corpus() -> tuple[Question, ...]:
    """The distinct expressions, in the order in which they are asked about."""
    found: dict[Expr, Question] = {}
    for name, case in CASES.items():
        with _recorded(name, found):
            for target in map(Target, _TARGETS):
                schedule, args = case.make(target)
                lower_primfunc(lower_schedule(schedule, args, name), target)
    return tuple(found.values())


def main() -> None:
    """Print the corpus."""
    for item in corpus():
        where = ", ".join([f"{v.name} in [{r.min}, {r.min + r.extent})" for v, r in item.ranges.items()])
        print(f"{item.case}: {item.node}    {where}")
    print(len(corpus()), "expressions")


if __name__ == "__main__":
    main()
