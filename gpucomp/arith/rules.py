"""Rewrite rules as data: what the normal form of sums does not reach.

Each rule is (id, pattern, result, condition) in Python syntax.  Names ``x y z w`` stand for any expression and
``p q`` for conditions, names that begin with ``c`` for integer literals; the operators build the nodes of their
name (``//`` and ``%`` are floor division and remainder; ``Div`` and ``Mod`` truncate).  Conditions are written
over the literals and the predicates ``positive(x)``, ``nonnegative(x)``, ``nonzero(x)`` and ``fits(value)``.
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


RULES: Final[tuple[Rule, ...]] = tuple(
    [
        Rule(*row)
        for row in (
            # Extrema: distribute outward what the operands share.
            ("min-of-quotients", "min(x // c1, y // c1)", "min(x, y) // c1", "c1 > 0"),
            ("max-of-quotients", "max(x // c1, y // c1)", "max(x, y) // c1", "c1 > 0"),
            ("min-of-quotients-same-divisor", "min(x // z, y // z)", "min(x, y) // z", "positive(z)"),
            ("max-of-quotients-same-divisor", "max(x // z, y // z)", "max(x, y) // z", "positive(z)"),
            ("min-of-multiples", "min(x * c1, y * c1)", "min(x, y) * c1", "c1 > 0"),
            ("max-of-multiples", "max(x * c1, y * c1)", "max(x, y) * c1", "c1 > 0"),
            ("min-of-negative-multiples", "min(x * c1, y * c1)", "max(x, y) * c1", "c1 < 0"),
            ("max-of-negative-multiples", "max(x * c1, y * c1)", "min(x, y) * c1", "c1 < 0"),
            ("min-of-products", "min(x * z, y * z)", "min(x, y) * z", "nonnegative(z)"),
            ("max-of-products", "max(x * z, y * z)", "max(x, y) * z", "nonnegative(z)"),
            (
                "min-multiple-and-literal",
                "min(x * c1, c2)",
                "min(x, c2 // c1) * c1",
                "c1 > 1 and c2 % c1 == 0",
            ),
            (
                "max-multiple-and-literal",
                "max(x * c1, c2)",
                "max(x, c2 // c1) * c1",
                "c1 > 1 and c2 % c1 == 0",
            ),
            ("max-of-mins", "max(min(x, y), min(x, z))", "min(x, max(y, z))"),
            ("min-of-maxes", "min(max(x, y), max(x, z))", "max(x, min(y, z))"),
            ("min-max-absorbs", "min(x, max(x, y))", "x"),
            ("max-min-absorbs", "max(x, min(x, y))", "x"),
            ("min-of-selects", "min(Select(p, x, y), Select(p, z, w))", "Select(p, min(x, z), min(y, w))"),
            ("max-of-selects", "max(Select(p, x, y), Select(p, z, w))", "Select(p, max(x, z), max(y, w))"),
            # Division by something that is no literal.
            ("quotient-of-itself", "x // x", "1", "nonzero(x)"),
            ("remainder-of-itself", "x % x", "0", "nonzero(x)"),
            ("quotient-of-product", "(x * y) // y", "x", "nonzero(y)"),
            ("remainder-of-product", "(x * y) % y", "0", "nonzero(y)"),
            ("quotient-of-multiple", "(x * c1) // x", "c1", "nonzero(x)"),
            ("remainder-of-multiple", "(x * c1) % x", "0", "nonzero(x)"),
            ("nested-quotient", "(x // y) // z", "x // (y * z)", "positive(y) and positive(z)"),
            ("nested-remainder", "(x % y) % y", "x % y", "nonzero(y)"),
            ("upper-digit", "(x % (y * z)) // z", "(x // z) % y", "positive(y) and positive(z)"),
            ("lower-digit", "(x % (y * z)) % z", "x % z", "positive(y) and positive(z)"),
            ("upper-digit-literal", "(x % (y * c1)) // c1", "(x // c1) % y", "positive(y) and c1 > 0"),
            ("lower-digit-literal", "(x % (y * c1)) % c1", "x % c1", "positive(y) and c1 > 0"),
            ("lower-digit-multiple", "(x % (y * c1)) % y", "x % y", "positive(y) and c1 > 0"),
            # Truncating division where the signs are not known.
            ("trunc-quotient-of-itself", "Div(x, x)", "1", "nonzero(x)"),
            ("trunc-remainder-of-itself", "Mod(x, x)", "0", "nonzero(x)"),
            ("trunc-quotient-of-product", "Div(x * y, y)", "x", "nonzero(y)"),
            ("trunc-remainder-of-product", "Mod(x * y, y)", "0", "nonzero(y)"),
            ("trunc-nested", "Div(Div(x, c1), c2)", "Div(x, c1 * c2)", "c1 > 0 and c2 > 0 and fits(c1 * c2)"),
            ("trunc-negative-divisor", "Div(x, c1)", "0 - Div(x, 0 - c1)", "c1 < -1"),
            ("trunc-remainder-negative-divisor", "Mod(x, c1)", "Mod(x, 0 - c1)", "c1 < -1"),
            (
                "trunc-nested-remainder",
                "Mod(Mod(x, c1), c2)",
                "Mod(x, c2)",
                "c1 > 0 and c2 > 0 and c1 % c2 == 0",
            ),
            # Choices.
            ("select-then-same", "Select(p, Select(p, x, y), z)", "Select(p, x, z)"),
            ("select-else-same", "Select(p, x, Select(p, y, z))", "Select(p, x, z)"),
            ("select-both-then", "Select(p, x, Select(q, x, y))", "Select(p or q, x, y)"),
            ("select-both-else", "Select(p, Select(q, x, y), y)", "Select(p and q, x, y)"),
            ("guard-then-same", "if_then_else(p, if_then_else(p, x, y), z)", "if_then_else(p, x, z)"),
            ("guard-else-same", "if_then_else(p, x, if_then_else(p, y, z))", "if_then_else(p, x, z)"),
            ("guard-both-else", "if_then_else(p, if_then_else(q, x, y), y)", "if_then_else(p and q, x, y)"),
            # Bits of index arithmetic.
            ("shift-left", "shift_left(x, c1)", "x * 2**c1", "0 <= c1 and fits(2**c1)"),
            ("shift-right", "shift_right(x, c1)", "x // 2**c1", "0 <= c1 and fits(2**c1)"),
            (
                "low-bits",
                "bitwise_and(x, c1)",
                "x % (c1 + 1)",
                "c1 > 0 and fits(c1 + 1) and c1 & (c1 + 1) == 0",
            ),
        )
    ]
)
