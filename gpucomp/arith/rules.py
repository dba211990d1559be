"""Rewrite rules as data, by the class of the root node: what the normal form of sums does not reach.

Each rule is (id, pattern, result, condition) in Python syntax.  Names ``x y z w`` stand for any expression and
``p q`` for conditions, names that begin with ``c`` for integer literals; the operators build the nodes of their
name (``//`` and ``%`` are floor division and remainder; ``Div`` and ``Mod`` truncate).  Conditions are written
over the literals and the predicates ``positive(x)``, ``nonnegative(x)``, ``nonzero(x)`` and ``fits(value)``,
and ``total(x)``: x has a value whatever its variables are, so it may move out of the branch that guards it.
Commutative operators match in either order.  Rules hold over the integers; they are applied to integer and bool
nodes only, never to floats, to simplified operands, and their results are simplified in turn, so each rule must
make something smaller or more regular.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Rule(NamedTuple):
    """One rewrite: ``pattern`` becomes ``result`` where ``when`` holds (always if empty)."""

    id: str
    pattern: str
    result: str
    when: str = ""


RULES: Final[dict[str, tuple[Rule, ...]]] = {
    "Min": (
        Rule("min-of-quotients", "min(x // c1, y // c1)", "min(x, y) // c1", "c1 > 0"),
        Rule("min-of-quotients-same-divisor", "min(x // z, y // z)", "min(x, y) // z", "positive(z)"),
        Rule("min-of-multiples", "min(x * c1, y * c1)", "min(x, y) * c1", "c1 > 0"),
        Rule("min-of-negative-multiples", "min(x * c1, y * c1)", "max(x, y) * c1", "c1 < 0"),
        Rule("min-of-products", "min(x * z, y * z)", "min(x, y) * z", "nonnegative(z)"),
        Rule("min-of-multiple", "min(x * c1, c2)", "min(x, c2 // c1) * c1", "c1 > 1 and c2 % c1 == 0"),
        Rule("min-of-maxes", "min(max(x, y), max(x, z))", "max(x, min(y, z))"),
        Rule("min-max-absorbs", "min(x, max(x, y))", "x"),
        Rule("min-of-selects", "min(Select(p, x, y), Select(p, z, w))", "Select(p, min(x, z), min(y, w))"),
    ),
    "Max": (
        Rule("max-of-quotients", "max(x // c1, y // c1)", "max(x, y) // c1", "c1 > 0"),
        Rule("max-of-quotients-same-divisor", "max(x // z, y // z)", "max(x, y) // z", "positive(z)"),
        Rule("max-of-multiples", "max(x * c1, y * c1)", "max(x, y) * c1", "c1 > 0"),
        Rule("max-of-negative-multiples", "max(x * c1, y * c1)", "min(x, y) * c1", "c1 < 0"),
        Rule("max-of-products", "max(x * z, y * z)", "max(x, y) * z", "nonnegative(z)"),
        Rule("max-of-multiple", "max(x * c1, c2)", "max(x, c2 // c1) * c1", "c1 > 1 and c2 % c1 == 0"),
        Rule("max-of-mins", "max(min(x, y), min(x, z))", "min(x, max(y, z))"),
        Rule("max-min-absorbs", "max(x, min(x, y))", "x"),
        Rule("max-of-selects", "max(Select(p, x, y), Select(p, z, w))", "Select(p, max(x, z), max(y, w))"),
    ),
    "FloorDiv": (
        Rule("quotient-of-itself", "x // x", "1", "nonzero(x)"),
        Rule("quotient-of-product", "(x * y) // y", "x", "nonzero(y)"),
        Rule("quotient-of-multiple", "(x * c1) // x", "c1", "nonzero(x)"),
        Rule("nested-quotient", "(x // y) // z", "x // (y * z)", "positive(y) and positive(z)"),
        Rule("upper-digit", "(x % (y * z)) // z", "(x // z) % y", "positive(y) and positive(z)"),
        Rule("upper-digit-literal", "(x % (y * c1)) // c1", "(x // c1) % y", "positive(y) and c1 > 0"),
    ),
    "FloorMod": (
        Rule("remainder-of-itself", "x % x", "0", "nonzero(x)"),
        Rule("remainder-of-product", "(x * y) % y", "0", "nonzero(y)"),
        Rule("remainder-of-multiple", "(x * c1) % x", "0", "nonzero(x)"),
        Rule("nested-remainder", "(x % y) % y", "x % y", "nonzero(y)"),
        Rule("lower-digit", "(x % (y * z)) % z", "x % z", "positive(y) and positive(z)"),
        Rule("lower-digit-literal", "(x % (y * c1)) % c1", "x % c1", "positive(y) and c1 > 0"),
        Rule("lower-digit-multiple", "(x % (y * c1)) % y", "x % y", "positive(y) and c1 > 0"),
    ),
    "Div": (
        Rule("trunc-quotient-of-itself", "Div(x, x)", "1", "nonzero(x)"),
        Rule("trunc-quotient-of-product", "Div(x * y, y)", "x", "nonzero(y)"),
        Rule("trunc-nested", "Div(Div(x, c1), c2)", "Div(x, c1 * c2)", "c1 > 0 and c2 > 0 and fits(c1 * c2)"),
        Rule("trunc-negative-divisor", "Div(x, c1)", "0 - Div(x, 0 - c1)", "c1 < -1"),
    ),
    "Mod": (
        Rule("trunc-remainder-of-itself", "Mod(x, x)", "0", "nonzero(x)"),
        Rule("trunc-remainder-of-product", "Mod(x * y, y)", "0", "nonzero(y)"),
        Rule("trunc-remainder-negative-divisor", "Mod(x, c1)", "Mod(x, 0 - c1)", "c1 < -1"),
        Rule("trunc-nested-remainder", "Mod(Mod(x, c1), c2)", "Mod(x, c2)", "c1 > 0 and c2 > 0 and c1 % c2 == 0"),
    ),
    "Select": (
        Rule("select-then-same", "Select(p, Select(p, x, y), z)", "Select(p, x, z)"),
        Rule("select-else-same", "Select(p, x, Select(p, y, z))", "Select(p, x, z)"),
        Rule("select-both-then", "Select(p, x, Select(q, x, y))", "Select(p or q, x, y)"),
        Rule("select-both-else", "Select(p, Select(q, x, y), y)", "Select(p and q, x, y)"),
    ),
    "Call": (
        Rule("guard-then-same", "if_then_else(p, if_then_else(p, x, y), z)", "if_then_else(p, x, z)"),
        Rule("guard-else-same", "if_then_else(p, x, if_then_else(p, y, z))", "if_then_else(p, x, z)"),
        Rule(
            "guard-both-else",
            "if_then_else(p, if_then_else(q, x, y), y)",
            "if_then_else(p and q, x, y)",
            "total(q)",
        ),
        Rule("shift-left", "shift_left(x, c1)", "x * 2**c1", "0 <= c1 and fits(2**c1)"),
        Rule("shift-right", "shift_right(x, c1)", "x // 2**c1", "0 <= c1 and fits(2**c1)"),
        Rule("and-of-itself", "bitwise_and(x, x)", "x"),
        Rule("and-with-zero", "bitwise_and(x, 0)", "0"),
        Rule("or-of-itself", "bitwise_or(x, x)", "x"),
        Rule("or-with-zero", "bitwise_or(x, 0)", "x"),
        Rule("or-absorbs", "bitwise_or(x, bitwise_and(x, y))", "x"),
        Rule("and-absorbs", "bitwise_and(x, bitwise_or(x, y))", "x"),
        Rule("xor-of-itself", "bitwise_xor(x, x)", "0"),
        Rule("xor-with-zero", "bitwise_xor(x, 0)", "x"),
        Rule("xor-twice", "bitwise_xor(x, bitwise_xor(x, y))", "y"),
        Rule("low-bits", "bitwise_and(x, c1)", "x % (c1 + 1)", "c1 > 0 and fits(c1 + 1) and c1 & (c1 + 1) == 0"),
    ),
}
