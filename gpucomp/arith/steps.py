"""What the analyzer's code does to expressions, by name, and the equations that each of these steps rests on.

The rules of ``rules.py`` are patterns that are matched; sums, quotients and comparisons are worked on as maps from
terms to coefficients, which no pattern describes.  Such a step still is an instance of a few equations, written
here in the syntax of the rules (conditions may also compare the names with each other), and every one of them is
proven like a rule: ``docs/arith-rules.md`` says how.
"""

from __future__ import annotations

from typing import Final

from gpucomp.arith.rules import Rule
from gpucomp.tir import expr as e


def _lemmas(*lines: tuple[str, str] | tuple[str, str, str]) -> tuple[tuple[str, str, str], ...]:
    return tuple([(line[0], line[1], line[2] if len(line) == 3 else "") for line in lines])


_TABLE: Final[dict[str, tuple[tuple[str, str, str], ...]]] = {
    "sum": _lemmas(
        ("(x + y) + z", "x + (y + z)"),
        ("x + y", "y + x"),
        ("x - y", "x + y * (0 - 1)"),
        ("x * c1 + x * c2", "x * (c1 + c2)"),
        ("(x + y) * z", "x * z + y * z"),
        ("(x * y) * z", "y * (x * z)"),
        ("(x * c1) * (y * c2)", "(x * y) * (c1 * c2)"),
        ("x * 0", "0"),
    ),
    "quotient-cut": _lemmas(
        ("(x * c1 + y) // c1", "x + y // c1", "c1 > 0"),
        ("(x * (c1 * c2 + c3) + y) // c1", "x * c2 + (x * c3 + y) // c1", "c1 > 0"),
    ),
    "quotient-in-range": _lemmas(
        ("x // c1", "c2", "c1 > 0 and c2 * c1 <= x and x < c2 * c1 + c1"),
    ),
    "quotient-small-part": _lemmas(
        ("(x * c1 + y) // (c1 * c2)", "(x + c3) // c2", "c1 > 0 and c2 > 0 and c3 * c1 <= y and y < c3 * c1 + c1"),
    ),
    "quotient-of-quotient": _lemmas(
        ("(x // c1 + c2) // c3", "(x + c2 * c1) // (c1 * c3)", "c1 > 0 and c3 > 0"),
        ("(x // c1 + y) // c3", "(x + y * c1) // (c1 * c3)", "c1 > 0 and c3 > 0"),
    ),
    "quotient-of-remainder": _lemmas(("(x % (c1 * c2)) // c1", "(x // c1) % c2", "c1 > 0 and c2 > 0")),
    "remainder-cut": _lemmas(
        ("(x * c1 + y) % c1", "y % c1", "c1 > 0"),
        ("(x * (c1 * c2 + c3) + y) % c1", "(x * c3 + y) % c1", "c1 > 0"),
    ),
    "remainder-in-range": _lemmas(
        ("x % c1", "x - c2 * c1", "c1 > 0 and c2 * c1 <= x and x < c2 * c1 + c1"),
    ),
    "remainder-congruent": _lemmas(("(x * (c1 * c2) + c3) % c1", "c3 % c1", "c1 > 0")),
    "remainder-small-part": _lemmas(
        (
            "(x * c1 + y) % (c1 * c2)",
            "((x + c3) % c2) * c1 + (y - c3 * c1)",
            "c1 > 0 and c2 > 0 and c3 * c1 <= y and y < c3 * c1 + c1",
        ),
    ),
    "remainder-open": _lemmas(
        ("((x % c1) * c2 + y) % c3", "(x * c2 + y) % c3", "c1 > 0 and c3 > 0 and (c1 * c2) % c3 == 0")
    ),
    "digits-merge": _lemmas(
        ("x % c1 + (x // c1) * c1", "x", "c1 > 0"),
        ("x % c1 + (x // c1 + y) * c1", "x + y * c1", "c1 > 0"),
        ("x % c1 + ((x // c1 + y) % c2) * c1", "(x + y * c1) % (c1 * c2)", "c1 > 0 and c2 > 0"),
        ("x % c1 - x", "(x // c1) * (0 - c1)", "c1 > 0"),
    ),
    "remainder-from-quotient": _lemmas(
        ("x - (x // c1) * c1", "x % c1", "c1 > 0"),
    ),
    "product-merge": _lemmas(
        ("(x // y) * y + x % y", "x", "positive(y)"),
        ("x - (x // y) * y", "x % y", "positive(y)"),
        ("(x // (y * z)) * y + (x // z) % y", "x // z", "positive(y) and positive(z)"),
    ),
    "extremum-absorb": _lemmas(
        ("min(x + z, y) - z", "min(x, y - z)"),
        ("max(x + z, y) - z", "max(x, y - z)"),
        ("min(x, y) * c1 + z * c1", "min(x + z, y + z) * c1"),
        ("max(x, y) * c1 + z * c1", "max(x + z, y + z) * c1"),
    ),
    "extremum-decided": _lemmas(
        ("min(x, y)", "x", "x <= y"),
        ("min(x, y)", "y", "y <= x"),
        ("max(x, y)", "x", "y <= x"),
        ("max(x, y)", "y", "x <= y"),
    ),
    "extremum-pull": _lemmas(
        ("min(x + z, y + z)", "z + min(x, y)"),
        ("max(x + z, y + z)", "z + max(x, y)"),
    ),
    "extremum": _lemmas(
        ("min(min(x, y), z)", "min(x, min(y, z))"),
        ("max(max(x, y), z)", "max(x, max(y, z))"),
        ("min(x, y)", "min(y, x)"),
        ("max(x, y)", "max(y, x)"),
        ("min(x, x)", "x"),
        ("max(x, x)", "x"),
    ),
    "floor-division": _lemmas(
        ("x // c1", "(0 - x) // (0 - c1)", "c1 < 0"),
        ("x % c1", "0 - (0 - x) % (0 - c1)", "c1 < 0"),
        ("(x * y + z) // y", "x + z // y", "positive(y)"),
        ("(x * y + z) % y", "z % y", "positive(y)"),
        ("x // y", "0", "x >= 0 and x < y"),
        ("x % y", "x", "x >= 0 and x < y"),
        ("x // y", "0 - 1", "positive(y) and 0 - y <= x and x < 0"),
        ("x % y", "x + y", "positive(y) and 0 - y <= x and x < 0"),
        ("x // 1", "x"),
        ("x % 1", "0"),
    ),
    "trunc-division": _lemmas(
        ("Div(x, y)", "x // y", "nonnegative(x) and positive(y)"),
        ("Mod(x, y)", "x % y", "nonnegative(x) and positive(y)"),
        ("Div(x * c1, c1)", "x", "nonzero(c1)"),
        ("Mod(x * c1, c1)", "0", "nonzero(c1)"),
    ),
    "comparison": _lemmas(
        ("x < y", "x - y < 0"),
        ("x <= y", "x - y - 1 < 0"),
        ("x > y", "y - x < 0"),
        ("x >= y", "y - x - 1 < 0"),
        ("x < y + 1", "x <= y"),
        ("x == y", "x - y == 0"),
        ("x != y", "x - y != 0"),
        ("x == y", "y == x"),
        ("x * c1 == c2 * c1", "x == c2", "nonzero(c1)"),
        ("x * c1 != c2 * c1", "x != c2", "nonzero(c1)"),
        ("x * c1 + c2 == 0", "1 < 0", "c1 > 0 and c2 % c1 != 0"),
        ("min(x, y) < z", "x < z or y < z"),
        ("max(x, y) < z", "x < z and y < z"),
        ("x < y", "0 < 1", "x - y < 0"),
        ("x < y", "1 < 0", "x - y >= 0"),
        ("x == y", "1 < 0", "x - y != 0"),
        ("x == y", "0 < 1", "x - y >= 0 and y - x >= 0"),
    ),
    "comparison-scaled": _lemmas(
        ("x * c1 + c2 < 0", "x + c2 // c1 < 0", "c1 > 0"),
        ("x * c1 + y < 0", "x + c2 < 0", "c1 > 0 and c2 * c1 <= y and y < c2 * c1 + c1"),
    ),
    "negation": _lemmas(
        ("Not(x < y)", "x >= y"),
        ("Not(x <= y)", "x > y"),
        ("Not(x > y)", "x <= y"),
        ("Not(x >= y)", "x < y"),
        ("Not(x == y)", "x != y"),
        ("Not(x != y)", "x == y"),
        ("Not(Not(p))", "p"),
        ("Not(p and q)", "Not(p) or Not(q)"),
        ("Not(p or q)", "Not(p) and Not(q)"),
    ),
    "conjunction": _lemmas(
        ("p and p", "p"),
        ("p and Not(p)", "1 < 0"),
        ("p and (p or q)", "p"),
        ("x < c1 and x < c2", "x < c1", "c1 <= c2"),
        ("x < c1 and 0 - x < c2", "1 < 0", "c1 + c2 <= 1"),
        ("x < c1 and 0 - x < 2 - c1", "x == c1 - 1"),
        ("x == c1 and x < c2", "x == c1", "c1 < c2"),
        ("x == c1 and x < c2", "1 < 0", "c1 >= c2"),
        ("x != c1 and x < c2", "x < c2", "c1 >= c2"),
    ),
    "disjunction": _lemmas(
        ("p or p", "p"),
        ("p or Not(p)", "0 < 1"),
        ("p or (p and q)", "p"),
        ("x < c1 or x < c2", "x < c2", "c1 <= c2"),
        ("x < c1 or 0 - x < c2", "0 < 1", "c1 + c2 > 1"),
        ("x < c1 or 0 - x < 0 - c1", "x != c1"),
        ("x == c1 or x < c2", "x < c2", "c1 < c2"),
        ("x != c1 or x < c2", "0 < 1", "c1 < c2"),
        ("x != c1 or x < c2", "x != c1", "c1 >= c2"),
        ("p or (q and x < y)", "(p or q) and (p or x < y)"),
    ),
    "proof": _lemmas(
        ("(x // c1) * c1 <= x", "0 < 1", "c1 > 0"),
        ("x - c1 < (x // c1) * c1", "0 < 1", "c1 > 0"),
        ("(x // y) * y <= x", "0 < 1", "positive(y)"),
        ("x - y < (x // y) * y", "0 < 1", "positive(y)"),
        ("0 <= x % y", "0 < 1", "positive(y)"),
        ("x % y < y", "0 < 1", "positive(y)"),
        ("x % y <= x", "0 < 1", "nonnegative(x) and positive(y)"),
        ("x * y >= z * y + w * x - z * w", "0 < 1", "x >= z and y >= w"),
        ("x * y >= z * y + w * x - z * w", "0 < 1", "x <= z and y <= w"),
        ("x * y <= z * y + w * x - z * w", "0 < 1", "x <= z and y >= w"),
        ("x + y >= 0", "0 < 1", "x >= 0 and y >= 0"),
    ),
    "choice": _lemmas(
        ("Select(p, x, y)", "x", "p"),
        ("Select(p, x, y)", "y", "Not(p)"),
        ("Select(p, x, x)", "x"),
        ("Select(Not(p), x, y)", "Select(p, y, x)"),
        ("Select(x < y, x, y)", "min(x, y)"),
        ("Select(x <= y, x, y)", "min(x, y)"),
        ("Select(x < y, y, x)", "max(x, y)"),
        ("Select(x <= y, y, x)", "max(x, y)"),
        ("Select(p, 0 < 1, 1 < 0)", "p"),
        ("Select(p, 1 < 0, 0 < 1)", "Not(p)"),
    ),
    "lanes": _lemmas(
        ("(x + c1 * c3) + (y + c2 * c3)", "(x + y) + (c1 + c2) * c3"),
        ("(x + c1 * c3) - (y + c2 * c3)", "(x - y) + (c1 - c2) * c3"),
        ("(x + c1 * c3) * y", "x * y + (c1 * y) * c3"),
        ("(x + (c1 * c2) * c3) // c1", "x // c1 + c2 * c3", "c1 > 0"),
        ("(x + (c1 * c2) * c3) % c1", "x % c1", "c1 > 0"),
        ("(x + c2 * c3) // c1", "x // c1", "c1 > 0 and x % c1 + c2 * c3 >= 0 and x % c1 + c2 * c3 < c1"),
        ("(x + c2 * c3) % c1", "x % c1 + c2 * c3", "c1 > 0 and x % c1 + c2 * c3 >= 0 and x % c1 + c2 * c3 < c1"),
        ("x + c1 * c3 < y + c1 * c3", "x < y"),
    ),
    "known-value": _lemmas(("x", "c1", "x == c1"), ("x", "y", "x == y")),
    "conversion": _lemmas(("x", "x")),  # of widths and signs: proven over bit-vectors for each pair of types
}

STEPS: Final[dict[str, tuple[Rule, ...]]] = {
    step: tuple([Rule(f"{step}/{i}", *lemma) for i, lemma in enumerate(lemmas, 1)]) for step, lemmas in _TABLE.items()
}
"""Name of a step -> the equations it rests on."""

STEP_OF_CLASS: Final[dict[type, str]] = {
    e.Add: "sum",
    e.Sub: "sum",
    e.Mul: "sum",
    e.FloorDiv: "floor-division",
    e.FloorMod: "floor-division",
    e.Div: "trunc-division",
    e.Mod: "trunc-division",
    e.Min: "extremum",
    e.Max: "extremum",
    e.EQ: "comparison",
    e.NE: "comparison",
    e.LT: "comparison",
    e.LE: "comparison",
    e.GT: "comparison",
    e.GE: "comparison",
    e.Not: "negation",
    e.And: "conjunction",
    e.Or: "disjunction",
    e.Select: "choice",
    e.Call: "choice",
    e.Ramp: "lanes",
    e.Broadcast: "lanes",
    e.Var: "known-value",
    e.SizeVar: "known-value",
    e.Cast: "conversion",
    e.Let: "known-value",
}
"""Class of a node -> the step that its simplification as a whole is reported as."""
