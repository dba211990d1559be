"""Every rule of the table alone: both sides agree wherever its condition holds, and its matcher fires."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any  # a rule's names stand for numbers and truth values

import pytest

from gpucomp.arith import Analyzer
from gpucomp.arith.match import Pattern, compile_root, parse
from gpucomp.arith.matchers import MATCHERS
from gpucomp.arith.rules import RULES, Rule
from gpucomp.tir import expr as e
from gpucomp.tir import intrin
from gpucomp.tir.expr import Expr, IntImm, Range, Var
from tests.arith.evaluate import Undefined, evaluate

_ALL = [(root, rule) for root, rules in RULES.items() for rule in rules]
_SMALL = range(-8, 9)
_SMALLER = range(-4, 5)


def _names(rule: Rule) -> list[str]:
    return sorted(set(re.findall(r"\b(?:[xyzwpq]|c\d?)\b", rule.pattern)))


def _trunc(a: int, b: int) -> int:
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


_MEANING: dict[str, Callable[..., Any]] = {
    "Div": _trunc,
    "Mod": lambda a, b: a - b * _trunc(a, b),
    "Select": lambda p, a, b: a if p else b,
    "if_then_else": lambda p, a, b: a if p else b,
    "shift_left": lambda a, b: a << b if b >= 0 else 1 // 0,
    "shift_right": lambda a, b: a >> b if b >= 0 else 1 // 0,
    "bitwise_and": lambda a, b: a & b,
    "bitwise_or": lambda a, b: a | b,
    "bitwise_xor": lambda a, b: a ^ b,
    "positive": lambda a: a > 0,
    "nonnegative": lambda a: a >= 0,
    "nonzero": lambda a: a != 0,
    "total": lambda a: True,
    "fits": lambda a: abs(a) < 2**31,
}


def _assignments(names: list[str], small: range) -> Iterator[dict[str, Any]]:
    domains = [(False, True) if n in "pq" else small for n in names]
    for values in itertools.product(*domains):
        yield dict(zip(names, values, strict=True))


def _value(code: CodeType, env: dict[str, Any]) -> Any:
    return eval(code, {**_MEANING, **env})  # noqa: S307  # text of the rule table


@pytest.mark.parametrize("rule", [rule for _, rule in _ALL], ids=lambda r: r.id)
def test_both_sides_of_a_rule_agree_on_small_integers(rule: Rule) -> None:
    names = _names(rule)
    small = _SMALL if len(names) <= 3 else _SMALLER
    left, right = compile(rule.pattern, "pattern", "eval"), compile(rule.result, "result", "eval")
    when = compile(rule.when or "True", "when", "eval")
    checked = 0
    for env in _assignments(names, small):
        if not _value(when, env):
            continue
        try:
            expected = _value(left, env)
        except ZeroDivisionError:
            continue  # undefined before, so anything is allowed after
        assert _value(right, env) == expected, (rule, env)
        checked += 1
    assert checked >= 5


def _literals(rule: Rule) -> dict[str, int]:
    """Literals for which the rule's condition can hold."""
    names = [n for n in _names(rule) if n.startswith("c")]
    when = compile(rule.when or "True", "when", "eval")
    for values in itertools.product((4, 2, -2, 8, 3), repeat=len(names)):
        env = {"x": 3, "y": 3, "z": 3, "w": 3, "p": True, "q": True, **dict(zip(names, values, strict=True))}
        if _value(when, env):
            return {n: env[n] for n in names}
    raise AssertionError(f"no literals satisfy {rule}")


def _build(pattern: Pattern, leaves: dict[str, Expr]) -> Expr:
    if pattern.op == "name":
        return leaves[pattern.name]
    if pattern.op == "number":
        return IntImm("int32", int(pattern.text))
    args = [_build(a, leaves) for a in pattern.args]
    cls = getattr(e, pattern.op, None)
    if cls is not None:
        return cls(*args)
    return e.Call(args[-1].dtype, intrin.Op.get(f"tir.{pattern.op}"), tuple(args))


@pytest.mark.parametrize(("root", "rule"), _ALL, ids=[rule.id for _, rule in _ALL])
def test_the_matcher_of_a_rule_fires_and_keeps_the_value(root: str, rule: Rule) -> None:
    literals = _literals(rule)
    analyzer = Analyzer()
    leaves: dict[str, Expr] = {n: IntImm("int32", v) for n, v in literals.items()}
    variables: dict[str, Var] = {}
    for name in _names(rule):
        if name in literals:
            continue
        variables[name] = Var(name, "bool" if name in "pq" else "int32")
        leaves[name] = variables[name]
        if f"({name})" in rule.when and name not in "pq":
            analyzer.bind(variables[name], Range(2, 7))
    node = _build(parse(rule.pattern), leaves)
    assert type(node).__name__ == root
    matcher = compile_root(root, [rule])
    result = matcher(analyzer, node)
    assert result is not None
    simple = analyzer.simplify(node)
    tried = 0
    for env in itertools.islice(_assignments(list(variables), range(2, 7)), 400):
        values = {variables[n]: v for n, v in env.items()}
        try:
            expected = evaluate(node, values)
        except Undefined:
            continue
        assert evaluate(result, values) == expected
        assert evaluate(simple, values) == expected
        tried += 1
    assert tried > 3


def test_a_rule_whose_condition_fails_does_not_match() -> None:
    x, y = Var("x"), Var("y")
    assert Analyzer().simplify((x * y) // y) is (x * y) // y  # y may be zero
    assert MATCHERS[e.FloorDiv] is not None


def test_rule_ids_are_unique() -> None:
    ids = [rule.id for _, rule in _ALL]
    assert len(ids) == len(set(ids))


def test_commutative_operators_match_in_either_order() -> None:
    analyzer = Analyzer()
    x, y, z = Var("x"), Var("y"), Var("z")
    for left, right in ((e.Min(x, y), e.Min(z, x)), (e.Min(y, x), e.Min(x, z))):
        assert str(analyzer.simplify(e.Max(left, right))) == "T.min(x, T.max(y, z))"


def test_rules_about_integers_leave_data_that_may_wrap_alone() -> None:
    x, y = Var("x", "int8"), Var("y", "int8")
    node = e.Min(e.Mul(x, IntImm("int8", 4)), e.Mul(y, IntImm("int8", 4)))
    assert Analyzer().simplify(node) is node
