"""Explanations: which rules and steps were taken, and that each of them keeps the value."""

from __future__ import annotations

import pytest

from gpucomp import tir
from gpucomp.arith import Analyzer
from gpucomp.arith.rules import RULES
from gpucomp.arith.steps import STEPS
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, Range, Var
from gpucomp.tir.functor import expr_children
from tests.arith.corpus import corpus
from tests.arith.points import Points
from tests.arith.random_cases import Draw

X, Y, Z = Var("x"), Var("y"), Var("z")
_KNOWN = {*STEPS, *[rule.id for rules in RULES.values() for rule in rules]}


def _analyzer() -> Analyzer:
    made = Analyzer()
    made.bind(X, Range(0, 8))
    made.bind(Y, Range(0, 4))
    return made


def test_steps_come_in_order_inner_ones_first() -> None:
    explained = _analyzer().explain((X * 4 + Y) // 4 * 8 + (X * 4 + Y) % 4)
    assert [s.id for s in explained.steps] == [
        "quotient-cut",
        "quotient-in-range",
        "floor-division",
        "remainder-cut",
        "remainder-in-range",
        "floor-division",
        "sum",
    ]
    assert str(explained).splitlines()[:2] == [
        "quotient-cut: (x * 4 + y) // 4  ->  x + y // 4",
        "quotient-in-range: y // 4  ->  0",
    ]
    assert str(explained).endswith("result: (x * 4 + y) // 4 * 8 + (x * 4 + y) % 4  ->  x * 8 + y")


def test_rules_of_the_table_are_named() -> None:
    explained = Analyzer().explain(e.Min(e.Max(X, Y), e.Max(X, Z)))
    assert [s.id for s in explained.steps] == ["min-of-maxes", "extremum"]


def test_an_explanation_neither_uses_nor_changes_what_was_remembered() -> None:
    analyzer = _analyzer()
    node = (X * 4 + Y) // 4
    simple = analyzer.simplify(node)
    first, second = analyzer.explain(node), analyzer.explain(node)
    assert first == second
    assert first.steps
    assert first.after is simple is analyzer.simplify(node)


def test_a_block_collects_what_several_questions_did() -> None:
    analyzer = _analyzer()
    with analyzer.explaining() as steps:
        analyzer.simplify(X // 8)
        analyzer.simplify(Y // 4)
    analyzer.simplify((X + Y) // 32)
    assert [str(s) for s in steps] == [
        "quotient-in-range: x // 8  ->  0",
        "floor-division: x // 8  ->  0",
        "quotient-in-range: y // 4  ->  0",
        "floor-division: y // 4  ->  0",
    ]


def test_a_constraint_holds_in_an_explanation() -> None:
    analyzer = Analyzer()
    with analyzer.constraint_scope(X < Y):
        assert analyzer.explain(e.Min(X, Y)).after is X
        assert str(analyzer.explain(X < Y).after) == "True"


def _chooses(node: Expr) -> bool:
    stack = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, (e.Select, e.Call)):
            return True
        stack += expr_children(item)
    return False


@pytest.mark.parametrize("kind", ["index", "condition", "symbolic", "vector"])
def test_each_step_keeps_the_value_at_random_points(kind: str) -> None:
    seen: set[str] = set()
    for i in range(120):
        made = Draw(f"explain/{kind}/{i}").case(kind)
        if _chooses(made.node):
            continue  # what is done inside a branch holds in that branch only
        analyzer = Analyzer()
        made.tell(analyzer)
        points = Points(made.leaves, 16)
        for step in analyzer.explain(made.node).steps:
            assert step.id in _KNOWN, step
            seen.add(step.id)
            before, after = points.of(step.before), points.of(step.after)
            for x, y in zip(before, after, strict=True):
                assert x is None or x == y, step
    assert len(seen) > 8


def test_explaining_changes_no_result() -> None:
    for item in corpus()[::20]:
        plain, told = item.analyzer(), item.analyzer()
        assert str(told.explain(item.node).after) == str(plain.simplify(item.node))


def test_the_example_of_the_documentation() -> None:
    x, y = tir.Var("x", "int32"), tir.Var("y", "int32")
    analyzer = Analyzer()
    analyzer.bind(y, tir.Range(0, 4))
    assert str(analyzer.explain((x * 4 + y) // 4)).splitlines()[-1] == "result: (x * 4 + y) // 4  ->  x"
