"""Hostile expressions end within the budget of a question, with the right value; ordinary ones never meet it."""

from __future__ import annotations

import random
import time

import pytest

from gpucomp.arith import Analyzer, eval_set
from gpucomp.arith import state as analyzer_state
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, IntImm, Range, Var
from gpucomp.tir.functor import free_vars
from tests.arith.corpus import corpus
from tests.arith.hostile import HOSTILE, quantized
from tests.arith.points import Points

_SECONDS = 1.0  # ten times what python -m tests.arith.speed shows on an idle machine


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_expressions_end_and_keep_their_value(name: str) -> None:
    analyzer, node = HOSTILE[name]()
    began = time.process_time()
    simple = analyzer.simplify(node)
    if simple.dtype.is_bool:
        analyzer.can_prove(node)
    assert time.process_time() - began < _SECONDS
    rng = random.Random(name)
    leaves: dict[Expr, list[int]] = {}
    for v in sorted(free_vars(node), key=lambda v: v.name):
        low, high = analyzer._known.get(v, (0, 40))
        leaves[v] = [rng.randint(int(max(low, 0)), int(min(high, 40))) for _ in range(8)]
    points = Points(leaves, 8)
    wanted, got = points.of(node), points.of(simple)
    if name != "many facts":  # its variables would have to obey the facts
        assert [g for g, w in zip(got, wanted, strict=True) if w is not None] == [w for w in wanted if w is not None]


@pytest.mark.parametrize("name", ["nested extrema", "alternating selects"])
def test_a_proof_over_the_values_of_variables_has_one_budget(name: str) -> None:
    analyzer, node = HOSTILE[name]()
    began = time.process_time()
    assert not analyzer.can_prove(node if node.dtype.is_bool else node * 3 < 17, 2)
    assert time.process_time() - began < _SECONDS / 2


def test_without_steps_left_an_expression_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analyzer_state, "BUDGET", 3)
    monkeypatch.setattr(analyzer_state, "_BUDGET_PER_LEVEL", 1)
    analyzer, x = Analyzer(), Var("x")
    node = (x + 3) // 2 * 8 + e.Min(x * 4 + 1, x * 4 + 5)
    assert analyzer.simplify(node) is node
    assert not analyzer.can_prove(node * 2 + 1 > node + x)
    assert eval_set(node, {x: Range(0, 9)}, analyzer).is_everything()
    with analyzer.constraint_scope(node < 4):
        assert analyzer.can_prove(node < 4)
    assert analyzer.linear_parts(node * 3, {x: None}) is None


def test_a_question_that_was_too_long_leaves_the_analyzer_usable() -> None:
    analyzer, node = quantized()
    assert analyzer.simplify(node) is node
    (x,) = free_vars(node)
    assert str(analyzer.simplify((x * 8 + 3) // 4)) == "v0 * 2"
    bound = analyzer.const_int_bound(node)
    assert (bound.min_value, bound.max_value) == (-128, 127)


def test_no_expression_of_the_golden_kernels_meets_the_budget() -> None:
    for item in corpus():
        analyzer = item.analyzer()
        analyzer._allow(item.node)
        analyzer._simp(item.node)
        assert analyzer._budget > analyzer_state.BUDGET // 2, item.node


def test_a_chain_of_clamped_roundings_simplifies_while_it_is_short() -> None:
    x = Var("x")
    analyzer = Analyzer()
    analyzer.bind(x, Range(0, 256))
    node: Expr = x
    for _ in range(3):
        node = e.Min(e.Max((node * 4 + 2) // 4, IntImm("int32", -128)), IntImm("int32", 255))
    assert analyzer.simplify(node) is x
