"""A slice of the random sweep, and that the sweep notices an analyzer that errs."""

from __future__ import annotations

import pytest

from gpucomp import tir
from gpucomp.arith import Analyzer
from gpucomp.arith.infer import Infer
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, IntImm
from tests.arith.random_cases import Draw
from tests.arith.random_sweep import check_case, run

_SLICE = 2000
_PARTS = 4


@pytest.mark.parametrize("part", range(_PARTS))
def test_nothing_that_the_analyzer_says_about_random_expressions_is_wrong(part: int) -> None:
    count = _SLICE // _PARTS
    checked = run(2024, part * count, count)
    assert checked.done.total() == count
    assert checked.failures == []
    assert checked.rewritten <= 2


def _choices(draw: Draw, depth: int) -> Expr:
    """Choices inside both branches of choices."""
    if depth == 0:
        return draw.integer(1)
    choose = draw.rng.choice((e.Select, tir.if_then_else))
    then = draw.integer(1) if draw.rng.random() < 0.3 else _choices(draw, depth - 1)
    return choose(draw.condition(1), then, _choices(draw, depth - 1) + draw.integer(0))


def test_choices_that_learn_from_those_around_them_are_right() -> None:
    for index in range(150):
        draw = Draw(f"choices/{index}")
        made = draw.case("index")
        made.node = _choices(draw, 1 + index % 5)
        assert check_case(made, index) is None


def _kinds(what: str) -> bool:
    return any([f.what == what for f in run(7, 0, 200).failures])


def test_a_wrong_simplification_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Analyzer.simplify

    def off_by_one(self: Analyzer, expr: Expr, steps: int = 2) -> Expr:
        simple = real(self, expr, steps)
        return e.Add(simple, IntImm(simple.dtype, 1)) if type(simple) is e.FloorDiv else simple

    monkeypatch.setattr(Analyzer, "simplify", off_by_one)
    assert _kinds("value")


def test_a_wrong_bound_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Infer._sum_bound
    monkeypatch.setattr(Infer, "_sum_bound", lambda self, terms, const: (real(self, terms, const)[0] + 1, 10**6))
    assert _kinds("value") or _kinds("fact")


def test_a_result_that_can_be_simplified_again_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Analyzer.simplify

    def grows(self: Analyzer, expr: Expr, steps: int = 2) -> Expr:
        simple = real(self, expr, steps)
        return e.Min(simple, simple) if simple.dtype.is_int else simple

    monkeypatch.setattr(Analyzer, "simplify", grows)
    assert _kinds("twice")
