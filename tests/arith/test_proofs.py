"""Every rule and every equation that a step of the code rests on is proven, in the way the document says."""

from __future__ import annotations

import pytest

from gpucomp.arith.rules import RULES, Rule
from gpucomp.arith.steps import STEP_OF_CLASS, STEPS
from tests.arith.proofs import (
    SYMBOLIC,
    TABLE,
    Done,
    exhaustive,
    obligations,
    prove,
    prove_again,
    recorded,
    render,
    symbolic,
)

_METHODS = recorded()
_BY_ONE_QUESTION = [name for name in obligations() if _METHODS.get(name) == SYMBOLIC]
_BY_MANY = [name for name in obligations() if _METHODS.get(name) != SYMBOLIC]


def test_the_table_of_proofs_is_current_and_no_rule_is_without_one() -> None:
    rules = obligations()
    assert _METHODS.keys() >= rules.keys(), "run python -m tests.arith.proofs --write"
    assert all([_METHODS[name] for name in rules])
    assert render([Done(rule, _METHODS[name]) for name, rule in rules.items()]) == TABLE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", _BY_ONE_QUESTION)
def test_the_proof_of_a_rule_succeeds_again(name: str) -> None:
    assert prove_again(obligations()[name], _METHODS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", _BY_MANY)
def test_the_proof_of_a_rule_by_its_literals_or_values_succeeds_again(name: str) -> None:
    assert prove_again(obligations()[name], _METHODS[name])


@pytest.mark.parametrize("name", [name for name in _BY_MANY if not name.startswith("conversion/")])
def test_a_rule_that_takes_many_questions_holds_at_small_values(name: str) -> None:
    assert exhaustive(obligations()[name])


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
