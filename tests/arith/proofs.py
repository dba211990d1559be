"""A proof for every rule and every step: ``python -m tests.arith.proofs --write`` makes docs/arith-rules.md.

For each equation, the first that succeeds: z3 over all integers, literals included (10 s); z3 over all integers for
each choice of the literals from a stated range; all values of a stated range.
"""

from __future__ import annotations

import ast
import functools
import itertools
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple  # Any: names of a rule stand for expressions, numbers and truth values

import click

from gpucomp.arith import smt
from gpucomp.arith.rules import RULES, Rule
from gpucomp.arith.steps import STEPS
from gpucomp.support.diagnostics import TypeMismatchError
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IntImm, Var
from gpucomp.tir.intrin import Op

TABLE = Path(__file__).parents[2] / "docs" / "arith-rules.md"
BUDGET = 10.0
_SURE = 2.0  # a search that takes the solver longer does not come to its end each time
_LITERALS = range(-9, 10)
_SMALL = range(-8, 9)
_SMALLER = range(-4, 5)
_SHIFTS = range(31)
_WIDTHS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64")
SYMBOLIC, LITERALS, EXHAUSTIVE, BITS = "z3", "z3, literals in", "all values in", "z3, bit-vectors"


class Done(NamedTuple):
    """How a rule was proven; an empty method is no proof."""

    rule: Rule
    method: str
    seconds: float = 0.0


def obligations() -> dict[str, Rule]:
    """Every equation that has to hold, by id."""
    found = {rule.id: rule for rules in RULES.values() for rule in rules}
    found.update({lemma.id: lemma for lemmas in STEPS.values() for lemma in lemmas})
    return found


def _names(rule: Rule) -> list[str]:
    return sorted(set(re.findall(r"\b(?:[xyzwpq]|c\d?)\b", " ".join(rule[1:]))))


class _Conditions(ast.NodeTransformer):
    """``and`` and ``or``, which Python does not overload, as functions."""

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        name = "both" if isinstance(node.op, ast.And) else "either"
        return functools.reduce(lambda a, b: ast.Call(ast.Name(name, ast.Load()), [a, b], []), node.values)


@functools.cache
def _code(text: str) -> Any:
    tree = _Conditions().visit(ast.parse(text or "True", mode="eval"))
    return compile(ast.fix_missing_locations(tree), text, "eval")


def _expression(value: Any) -> Expr:
    return operators.convert(value)


def _call(name: str) -> Callable[..., Expr]:
    op = Op.get(f"tir.{name}")

    def build(*args: Any) -> Expr:
        made = [_expression(a) for a in args]
        return e.Call(made[-1].dtype, op, tuple(made))

    return build


def _binary(cls: type[e.BinaryOp]) -> Callable[[Any, Any], Expr]:
    return lambda a, b: cls(_expression(a), _expression(b))


_SYMBOLS: dict[str, Any] = {
    "min": _binary(e.Min),
    "max": _binary(e.Max),
    "Div": _binary(e.Div),
    "Mod": _binary(e.Mod),
    "both": lambda a, b: operators.logical(e.And, _expression(a), _expression(b)),
    "either": lambda a, b: operators.logical(e.Or, _expression(a), _expression(b)),
    "Not": lambda a: e.Not(_expression(a)),
    "Select": lambda p, x, y: e.Select(_expression(p), _expression(x), _expression(y)),
    "if_then_else": _call("if_then_else"),
    "shift_left": _call("shift_left"),
    "shift_right": _call("shift_right"),
    "bitwise_and": _call("bitwise_and"),
    "bitwise_or": _call("bitwise_or"),
    "bitwise_xor": _call("bitwise_xor"),
    "positive": lambda a: a > 0,
    "nonnegative": lambda a: a >= 0,
    "nonzero": lambda a: a != 0,
    "total": lambda a: True,
    "fits": lambda a: -(2**31) <= a < 2**31 if isinstance(a, int) else (a >= -(2**31)) & (a < 2**31),
}


def _trunc(a: int, b: int) -> int:
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


_VALUES: dict[str, Any] = {
    "Div": _trunc,
    "Mod": lambda a, b: a - b * _trunc(a, b),
    "both": lambda a, b: a and b,
    "either": lambda a, b: a or b,
    "Not": lambda a: not a,
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


def _evaluated(text: str, env: dict[str, Any], table: dict[str, Any]) -> Any:
    return eval(_code(text), {**table, **env})  # noqa: S307  # text of the rule table


def _leaves(rule: Rule) -> dict[str, Any]:
    return {n: Var(n, "bool" if n in "pq" else "int32") for n in _names(rule)}


def _ask(rule: Rule, env: dict[str, Any], seconds: float) -> bool:
    """One question to the solver; True if both sides agree wherever the condition holds."""
    try:
        when = _evaluated(rule.when, env, _SYMBOLS)
        if when is False or (isinstance(when, IntImm) and not when.value):
            return True
        left, right = (_expression(_evaluated(text, env, _SYMBOLS)) for text in (rule.pattern, rule.result))
    except (ZeroDivisionError, TypeMismatchError):
        return True  # a literal is zero: an earlier part of the condition is false, or the left side has no meaning
    if left is right:
        return True
    if right.dtype is not left.dtype:
        right = operators.cast(left.dtype, right)
    assume = [] if when is True else [_expression(when)]
    answer = smt.prove_equal(left, right, assume=assume, timeout=seconds, unbounded=True)
    if isinstance(answer, smt.Counterexample):
        raise AssertionError(f"{rule} is wrong: {answer.values} {env}")
    return answer.holds


def _has_powers(rule: Rule) -> bool:
    text = " ".join(rule[1:])
    return "**" in text or "&" in text


def symbolic(rule: Rule, seconds: float) -> bool:
    """Proven with the literals as unknowns too."""
    return not _has_powers(rule) and _ask(rule, _leaves(rule), seconds)


def with_literals(rule: Rule, seconds: float) -> bool:
    """Proven for each choice of the literals; everything else takes all integers."""
    names = [n for n in _names(rule) if n.startswith("c")]
    deadline = time.monotonic() + seconds
    if not names:
        return False
    for values in itertools.product(literals(rule), repeat=len(names)):
        left = deadline - time.monotonic()
        if left <= 0 or not _ask(rule, {**_leaves(rule), **dict(zip(names, values, strict=True))}, left):
            return False
    return True


def literals(rule: Rule) -> range | list[int]:
    """The literals that are tried."""
    if "**" in rule.result:
        return _SHIFTS
    if "&" in rule.when:
        return [2**k - 1 for k in range(1, 31)]
    return _LITERALS if len([n for n in _names(rule) if n.startswith("c")]) < 3 else range(-3, 5)


def _assignments(names: list[str], small: range) -> Iterator[dict[str, Any]]:
    domains = [(False, True) if n in "pq" else small for n in names]
    for values in itertools.product(*domains):
        yield dict(zip(names, values, strict=True))


def values_of(rule: Rule) -> range:
    """The range that is gone through where the solver does not decide."""
    return _SMALL if len(_names(rule)) <= 3 else _SMALLER


def exhaustive(rule: Rule) -> bool:
    """Both sides agree at every point of a small range where the condition holds."""
    checked = 0
    for env in _assignments(_names(rule), values_of(rule)):
        try:
            if not _evaluated(rule.when, env, _VALUES):
                continue
            expected = _evaluated(rule.pattern, env, _VALUES)
        except ZeroDivisionError:
            continue  # undefined before, so anything is allowed after
        if _evaluated(rule.result, env, _VALUES) != expected:
            raise AssertionError(f"{rule} is wrong: {env}")
        checked += 1
    return checked >= 5


def conversions() -> bool:
    """A conversion by way of a type that keeps the value may be left out, for each three types."""
    for first, through, last in itertools.product(_WIDTHS, repeat=3):
        x = Var("x", first)
        kept = e.EQ(e.Cast(first, e.Cast(through, x)), x)
        same_sign = e.EQ(e.LT(x, IntImm(first, 0)), e.LT(e.Cast(through, x), IntImm(through, 0)))
        nested, direct = e.Cast(last, e.Cast(through, x)), e.Cast(last, x)
        if not smt.prove_equal(nested, direct, assume=[kept, same_sign], timeout=BUDGET).holds:
            return False
    return True


def prove(rule: Rule, seconds: float = BUDGET) -> Done:
    """Prove a rule by the strongest method that decides."""
    began = time.monotonic()
    if rule.id.startswith("conversion/"):
        method = BITS if conversions() else ""
    elif symbolic(rule, seconds) and time.monotonic() - began < _SURE:
        method = SYMBOLIC
    elif with_literals(rule, seconds):
        chosen = literals(rule)
        method = f"{LITERALS} {'2^k - 1' if isinstance(chosen, list) else f'[{chosen[0]}, {chosen[-1]}]'}"
    else:
        small = values_of(rule)
        method = f"{EXHAUSTIVE} [{small[0]}, {small[-1]}]" if exhaustive(rule) else ""
    return Done(rule, method, time.monotonic() - began)


def prove_again(rule: Rule, method: str) -> bool:
    """Prove a rule by the method that the table names."""
    patience = 6 * BUDGET  # a loaded machine is slower than the one that made the table
    if method == SYMBOLIC:
        return symbolic(rule, patience)
    if method == BITS:
        return conversions()
    if method.startswith(LITERALS):
        return with_literals(rule, patience)
    return method.startswith(EXHAUSTIVE) and exhaustive(rule)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def render(proofs: list[Done]) -> str:
    """The document."""
    counts: dict[str, int] = {}
    for done in proofs:
        kind = re.split(r" \[| 2\^k", done.method)[0]
        counts[kind] = counts.get(kind, 0) + 1
    lines = [
        "# Rules of the analyzer, and their proofs",
        "",
        "Made by `python -m tests.arith.proofs --write`; a test checks that it is current and proves each line again.",
        "Names `x y z w` stand for any integers, `p q` for conditions, `c1 c2...` for literals. A line holds wherever",
        "its left side has a meaning (no division by zero) and its condition holds.",
        "",
        "* `z3`: over all integers, the literals as unknowns too.",
        "* `z3, literals in`: over all integers, for each choice of the literals from the range named.",
        "* `all values in`: z3 gave no answer in 10 s (or not each time); every point of the range named was computed.",
        "* `z3, bit-vectors`: for each three of the types of 8 to 64 bits.",
        "",
        f"{len(proofs)} equations: " + ", ".join([f"{n} by `{kind}`" for kind, n in counts.items()]) + ".",
        "",
    ]
    head = ["| id | becomes | where | proof |", "|---|---|---|---|"]
    for title, rules in (("Rules", False), ("Steps of the code", True)):
        lines += [f"## {title}", "", *head]
        for done in proofs:
            if ("/" in done.rule.id) == rules:
                change = _escaped(f"`{done.rule.pattern}` → `{done.rule.result}`")
                where = _escaped(f"`{done.rule.when}`") if done.rule.when else ""
                lines.append(f"| {done.rule.id} | {change} | {where} | {done.method} |")
        lines.append("")
    return "\n".join(lines)


def recorded() -> dict[str, str]:
    """Rule -> method, as the document says."""
    rows = [line.split(" | ") for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return {row[0][2:]: row[-1].removesuffix(" |") for row in rows}


@click.command()
@click.option("--write", is_flag=True, help="Write docs/arith-rules.md.")
@click.option("--fresh", is_flag=True, help="Try stronger methods than those that the document names, too.")
@click.option("--seconds", default=BUDGET, show_default=True, help="For each question to the solver.")
def main(write: bool, fresh: bool, seconds: float) -> None:
    """Prove everything."""
    known = {} if fresh or not TABLE.exists() else recorded()
    proofs: list[Done] = []
    for rule in obligations().values():
        method = known.get(rule.id, "")
        done = Done(rule, method) if method and prove_again(rule, method) else prove(rule, seconds)
        proofs.append(done)
        print(f"{rule.id}: {done.method or 'NO PROOF'} ({done.seconds:.1f} s)", flush=True)
    if write:
        TABLE.write_text(render(proofs), encoding="utf-8")


if __name__ == "__main__":
    main()
