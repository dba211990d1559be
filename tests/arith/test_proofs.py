"""Every rule and every equation that a step of the code rests on is proven, in the way the document says."""

from __future__ import annotations

import pytest

from gpucomp.arith.rules import RULES, Rule
from gpucomp.arith.steps import STEP_OF_CLASS, STEPS
from tests.arith.proofs import TABLE, Done, obligations, prove, prove_again, recorded, render, symbolic

_METHODS = recorded()


def test_the_table_of_proofs_is_current_and_no_rule_is_without_one() -> None:
    rules = obligations()
    assert _METHODS.keys() >= rules.keys(), "run python -m tests.arith.proofs --write"
    assert all([_METHODS[name] for name in rules])
    assert render([Done(rule, _METHODS[name]) for name, rule in rules.items()]) == TABLE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", obligations())
def test_the_proof_of_a_rule_succeeds_again(name: str) -> None:
    assert prove_again(obligations()[name], _METHODS[name])


def test_a_wrong_rule_is_refused_with_its_counterexample() -> None:
    with pytest.raises(AssertionError, match="is wrong"):
        symbolic(Rule("wrong", "(x + y) // c1", "x // c1 + y // c1", "c1 > 0"), 5.0)
    with pytest.raises(AssertionError, match="is wrong"):
        prove(Rule("wrong-for-negatives", "Div(x, c1)", "x // c1", "c1 > 0"), 2.0)


def test_a_rule_that_divides_where_nothing_was_divided_is_refused() -> None:
    with pytest.raises(AssertionError, match="is wrong"):
        symbolic(Rule("divides", "x", "x * y // y"), 5.0)


def test_ids_are_unique_across_rules_and_steps() -> None:
    assert len(obligations()) == sum(map(len, RULES.values())) + sum(map(len, STEPS.values()))


def test_every_class_of_expressions_reports_a_step_that_is_proven() -> None:
    assert set(STEP_OF_CLASS.values()) <= set(STEPS)
