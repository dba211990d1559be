"""Random expressions against their values: ``python -m tests.arith.random_sweep --cases 200000 --seed 1 --jobs 16``.

For each case: the simplified expression has the value of the original at random points; what is said about its
bounds and its congruence holds there; the interval set contains the values; and simplifying the result once more,
with nothing remembered of the first time, finds nothing left to do.  The last line is a summary in JSON.  It also
counts the results that an analyzer which never saw the original writes differently: products and groups of terms
stand in the order in which an analyzer met them first.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from contextlib import nullcontext
from typing import Any, NamedTuple  # Any: a value, or a tuple of them for vectors

import click

from gpucomp.arith import Analyzer, ConstIntBound, Extension, ModularSet, eval_set
from gpucomp.arith.int_set import is_infinite
from gpucomp.ir.node import sweep
from gpucomp.tir.expr import Expr
from tests.arith.points import Column, Points
from tests.arith.random_cases import KINDS, Case, Draw

_BATCH = 250
_EXTENSIONS = ~Extension.NoExtensions


class Failure(NamedTuple):
    """What disagreed."""

    number: int
    kind: str
    what: str
    detail: str


class Checked(NamedTuple):
    """What was found about some cases.

    Attributes:
        done: cases by kind.
        failures: disagreements.
        rewritten: results that another analyzer writes differently.
    """

    done: Counter[str]
    failures: list[Failure]
    rewritten: int


def fresh(made: Case, index: int) -> Analyzer:
    """An analyzer that knows the facts of a case, for some of them with all extensions."""
    analyzer = Analyzer()
    if index // len(KINDS) % 4 == 3:
        analyzer.enabled_extensions = _EXTENSIONS
    made.tell(analyzer)
    return analyzer


def _scope(made: Case, analyzer: Analyzer) -> Any:
    return nullcontext() if made.constraint is None else analyzer.constraint_scope(made.constraint)


def simplified(made: Case, node: Expr, index: int) -> Expr:
    """What an analyzer that knows the facts of a case, and nothing else, makes of an expression."""
    analyzer = fresh(made, index)
    with _scope(made, analyzer):
        return analyzer.simplify(node)


def check_case(made: Case, index: int = 0) -> Failure | None:
    """The first thing that the analyzer says wrongly about a case, if any."""
    analyzer = fresh(made, index)
    node, constraint = made.node, made.constraint
    if constraint is not None and index % 2:
        analyzer.simplify(node)  # what is remembered outside must not be wrong inside
    with _scope(made, analyzer):
        simple = analyzer.simplify(node)
        facts = [(x, analyzer.const_int_bound(x), analyzer.modular_set(x)) for x in (node, simple)]

    def failure(what: str, *details: object) -> Failure:
        where = "" if constraint is None else f" where {constraint}"
        return Failure(index, made.kind, what, f"{node}  ->  {simple}{where}: " + ", ".join(map(str, details)))

    if simple.dtype is not node.dtype:
        return failure("type", simple.dtype, node.dtype)
    points = Points(made.leaves, len(next(iter(made.leaves.values()))), made.wraps)
    holds = [True] * points.count if constraint is None else points.of(constraint)
    # Terms in another order may overflow on the way, which does no harm where the result is that of the machine.
    want, got = points.of(node), Points(made.leaves, points.count, wraps=True).of(simple)
    for i in range(points.count):
        value = want[i]
        if value is None or not holds[i]:
            continue
        at = {str(v): column[i] for v, column in made.leaves.items()}
        if got[i] is None or _numbers(got[i]) != _numbers(value):
            return failure("value", f"{got[i]} for {value}", at)
        for expr, bound, modular in facts:
            if not all([_inside(x, bound, modular) for x in _numbers(value)]):
                return failure("fact", expr, bound, modular, value, at)
    wrong = _wrong_set(made, points, [x if h else None for x, h in zip(want, holds, strict=True)])
    if wrong is not None:
        return failure("set", wrong)
    analyzer._forget()  # or the answer would come from memory
    with _scope(made, analyzer):
        twice = analyzer.simplify(simple)
    return None if twice is simple else failure("twice", twice)


def _numbers(value: Any) -> list[int]:
    return [int(x) for x in value] if isinstance(value, tuple) else [int(value)]


def _inside(value: int, bound: ConstIntBound, modular: ModularSet) -> bool:
    low = bound.min_value if bound.min_value > ConstIntBound.NEG_INF else value  # the ends stand for "no bound"
    high = bound.max_value if bound.max_value < ConstIntBound.POS_INF else value
    if not low <= value <= high:
        return False
    return (value - modular.base) % modular.coeff == 0 if modular.coeff else value == modular.base


def _wrong_set(made: Case, points: Points, want: Column) -> str | None:
    """What is wrong with the interval of the values over the domains of the variables."""
    if not made.domains or made.node.dtype.is_bool:
        return None
    # A variable with a range is relaxed over it; the others are parameters of the ends.
    analyzer = Analyzer()
    if made.constraint is not None:
        made.tell(analyzer)
    with _scope(made, analyzer):
        found = eval_set(made.node, made.domains, analyzer)
    for end, sign in ((found.min_value, 1), (found.max_value, -1)):
        if is_infinite(end):
            continue
        for value, limit in zip(want, points.of(end), strict=True):
            if value is not None and limit is not None and any([limit * sign > x * sign for x in _numbers(value)]):
                return f"{found} for {value}"
    return None


def run(seed: int, first: int, count: int) -> Checked:
    """Check ``count`` cases of a seed, from the index ``first`` on."""
    done: Counter[str] = Counter()
    failures: list[Failure] = []
    rewritten = 0
    for index in range(first, first + count):
        kind = KINDS[index % len(KINDS)]
        try:
            made = Draw(f"{seed}/{index}").case(kind)
            found = check_case(made, index)
            simple = simplified(made, made.node, index)
            rewritten += simplified(made, simple, index) is not simple
        except Exception as error:  # a crash is a finding like any other
            found = Failure(index, kind, "error", f"{type(error).__name__}: {error}")
        done[kind] += 1
        if found is not None:
            failures.append(found)
    sweep()
    return Checked(done, failures, rewritten)


def _batch(job: tuple[int, int, int]) -> Checked:
    return run(*job)


@click.command()
@click.option("--cases", default=20_000, show_default=True, help="How many expressions.")
@click.option("--seed", default=0, show_default=True, help="Which expressions.")
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, help="Processes.")
@click.option("--only", type=int, help="Check one case by its index.")
@click.option("--show", default=20, show_default=True, help="How many disagreements to print.")
def main(cases: int, seed: int, jobs: int, only: int | None, show: int) -> None:
    """Draw, simplify, compare, report."""
    if only is not None:
        found = check_case(Draw(f"{seed}/{only}").case(KINDS[only % len(KINDS)]), only)
        print(found or "agrees")
        sys.exit(found is not None)
    began = time.monotonic()
    done: Counter[str] = Counter()
    failures: list[Failure] = []
    rewritten = 0
    batches = [(seed, first, min(_BATCH, cases - first)) for first in range(0, cases, _BATCH)]
    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, maxtasksperchild=40) as pool:
        for part in pool.imap_unordered(_batch, batches):
            done += part.done
            failures += part.failures
            rewritten += part.rewritten
    failures.sort()
    for item in failures[:show]:
        print(f"case {item.number} ({item.kind}, {item.what}): {item.detail}")
    summary = {
        "seed": seed,
        "expressions": done.total(),
        "kinds": dict(sorted(done.items())),
        "disagreements": len(failures),
        "disagreements_by_kind": dict(sorted(Counter([f"{f.kind} {f.what}" for f in failures]).items())),
        "rewritten_by_a_fresh_analyzer": rewritten,
        "seconds": round(time.monotonic() - began),
        "jobs": jobs,
    }
    print(json.dumps(summary))
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
