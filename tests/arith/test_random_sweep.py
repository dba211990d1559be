"""A slice of the random sweep, and that the sweep notices an analyzer that errs."""

from __future__ import annotations

import pytest

from gpucomp.arith import Analyzer
from gpucomp.arith.infer import Infer
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, IntImm
from tests.arith.random_sweep import run

_SLICE = 2000
_PARTS = 4


@pytest.mark.parametrize("part", range(_PARTS))
def test_nothing_that_the_analyzer_says_about_random_expressions_is_wrong(part: int) -> None:
    count = _SLICE // _PARTS
    checked = run(2024, part * count, count)
    assert checked.done.total() == count
    assert checked.failures == []
    assert checked.rewritten <= 2


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
