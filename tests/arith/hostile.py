"""Expressions made to be slow: what a size budget has to end."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from gpucomp.arith import Analyzer
from gpucomp.tir import expr as e
from gpucomp.tir.expr import Expr, Range, Var

Made = tuple[Analyzer, Expr]


def _variables(count: int, extent: int = 0) -> tuple[Analyzer, list[Var]]:
    analyzer = Analyzer()
    made = [Var(f"v{i}") for i in range(count)]
    for v in made:
        if extent:
            analyzer.bind(v, Range(0, extent))
    return analyzer, made


def product_of_sums() -> Made:
    """(a + b)(c + d)(e + f)...: 2^20 terms if it were expanded."""
    analyzer, made = _variables(40)
    node: Expr = made[0] + made[1]
    for x, y in zip(made[2::2], made[3::2], strict=True):
        node = node * (x + y)
    return analyzer, node


def nested_extrema() -> Made:
    """Minima of maxima of shifted variables: every proof could split each of them."""
    analyzer, made = _variables(24, 100)
    node: Expr = made[0]
    for i, v in enumerate(made[1:]):
        kind = e.Min if i % 2 else e.Max
        node = kind(node + i, v * (i % 5 + 1) - node)
    return analyzer, node < made[0]


def wide_extremum() -> Made:
    """A minimum of two hundred sums, each against each."""
    analyzer, made = _variables(200, 50)
    node: Expr = made[0]
    for i, v in enumerate(made[1:]):
        node = e.Min(node, v * 3 + made[i] // 4 + i)
    return analyzer, node


def many_conditions() -> Made:
    """A conjunction of two hundred comparisons that share variables."""
    analyzer, made = _variables(20, 64)
    node: Expr = made[0] < made[1]
    for i in range(200):
        x, y, z = made[i % 20], made[(i * 7 + 3) % 20], made[(i * 3 + 1) % 20]
        node = e.And(node, x * 3 + y // 4 < z + i % 17 + 9)
    return analyzer, node


def many_facts() -> Made:
    """A question under forty facts that chain into each other."""
    analyzer, made = _variables(40)
    for x, y in itertools.pairwise(made):
        analyzer.enter_constraint(x + y // 3 < y + made[0])
        analyzer.enter_constraint(x < y)
    return analyzer, made[0] * 2 + made[7] < made[39] + made[20] + made[3] % 7


def quantized() -> Made:
    """Chains of roundings as quantization makes them: multiply, add, divide, clamp."""
    analyzer, made = _variables(1, 256)
    node: Expr = made[0]
    for i in range(40):
        node = e.Min(e.Max((node * (1237 + i) + 512) // 1024 - 3, e.IntImm("int32", -128)), e.IntImm("int32", 127))
    return analyzer, node


def digits() -> Made:
    """A fused index taken apart and put together thirty times."""
    analyzer, made = _variables(4, 30)
    node: Expr = ((made[0] * 30 + made[1]) * 30 + made[2]) * 30 + made[3]
    for i in range(30):
        a, b = 2 + i % 5, 7 + i % 3
        node = (node // a % b) * 31 + node % (a * b) + node // (a * b)
    return analyzer, node


def symbolic_digits() -> Made:
    """The same with extents that are variables."""
    analyzer, made = _variables(6)
    sizes = [e.SizeVar(f"n{i}", "int32") for i in range(4)]
    for s in sizes:
        analyzer.bind(s, Range(1, 1000))
    for v, s in zip(made, sizes, strict=False):
        analyzer.bind(v, Range.from_min_extent(0, s))
    node: Expr = ((made[0] * sizes[1] + made[1]) * sizes[2] + made[2]) * sizes[3] + made[3]
    for i in range(12):
        n = sizes[i % 4]
        node = node // n * (n + 1) + node % n + made[i % 6]
    return analyzer, node


def polynomial() -> Made:
    """Squares of squares of a sum."""
    analyzer, made = _variables(3)
    node: Expr = made[0] + made[1] * 3 + made[2] + 1
    for _ in range(8):
        node = node * node + made[0]
    return analyzer, node


def alternating_selects() -> Made:
    """Choices whose branches share: a tree of 2^60 paths."""
    analyzer, made = _variables(60, 10)
    node: Expr = made[0]
    for i, v in enumerate(made):
        node = e.Select(v < i % 9, node + v, node * 2 - v)
    return analyzer, node


HOSTILE: dict[str, Callable[[], Made]] = {
    fn.__name__.replace("_", " "): fn
    for fn in (
        product_of_sums, nested_extrema, wide_extremum, many_conditions, many_facts, quantized, digits,
        symbolic_digits, polynomial, alternating_selects,
    )
}  # fmt: skip
