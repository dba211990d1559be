"""No division or remainder is left in the final code of the golden kernels that its ranges make needless.

The judge is isl, not the analyzer that did the simplification.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import pytest

from gpucomp.arith import poly
from gpucomp.arith.touched import Bindings, walk_places
from gpucomp.driver.build import lower_primfunc
from gpucomp.target import Target
from gpucomp.te import lower_schedule
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir import stmt as s
from gpucomp.tir.expr import Expr, IntImm, Range, Var
from gpucomp.tir.functor import expr_post_order, free_vars
from gpucomp.tir.stmt import Stmt
from tests.golden.cases import CASES

TARGETS = ("cuda -arch=sm_90", "opencl")
_IF_THEN_ELSE = intrin.Op.get("tir.if_then_else")
_DIVISIONS = (e.FloorDiv, e.FloorMod, e.Div, e.Mod)


@dataclass(frozen=True)
class Index:
    """An index of an access, with what stands around it."""

    node: Expr
    bindings: Bindings
    guards: tuple[Expr, ...]


def indices_of(root: Stmt) -> list[Index]:
    """All index expressions of loads and stores, conditions, and values of integer names."""
    found: list[Index] = []

    def visit(node: Stmt | Expr, bindings: Bindings, guards: tuple[Expr, ...]) -> None:
        if isinstance(node, (s.BufferStore, e.BufferLoad)):
            found.extend([Index(x, bindings, guards) for x in node.indices])
        if isinstance(node, s.IfThenElse) or (isinstance(node, e.Call) and node.op is _IF_THEN_ELSE):
            found.append(Index(node.condition if isinstance(node, s.IfThenElse) else node.args[0], bindings, guards))
        if isinstance(node, (s.LetStmt, e.Let)) and node.value.dtype.is_int:
            found.append(Index(node.value, bindings, guards))

    walk_places(root, visit)
    return found


@functools.cache
def final_indices(name: str, target: str) -> list[Index]:
    """The indices in the form that code is emitted from."""
    schedule, args = CASES[name].make(Target(target))
    return indices_of(lower_primfunc(lower_schedule(schedule, args, name), Target(target)).body)


def context(index: Index, unknown: list[Var]) -> list[Expr]:
    """What is known where an index stands, as far as it is affine; less knowledge only lets more divisions pass."""
    known: list[Expr] = []
    for var, bound in index.bindings:
        if isinstance(bound, Expr):
            if bound.dtype.is_int:
                known.append(e.EQ(var, bound))
        else:
            end = operators.add(bound.min, bound.extent)
            known += [operators.compare(e.GE, var, bound.min), operators.compare(e.LT, var, end)]
        unknown.append(var)
    known += [operators.compare(e.GE, v, 1) for v in _sizes(index)]
    return [c for c in [*known, *index.guards] if affine(c)]


def _sizes(index: Index) -> list[Var]:
    """Symbolic extents: at least 1 where an access happens."""
    bound = [v for v, _ in index.bindings]
    found = dict.fromkeys([v for _, r in index.bindings if isinstance(r, Range) for v in free_vars(r.extent)])
    return [v for v in found if not any([v is b for b in bound])]


def affine(condition: Expr) -> bool:
    """True if isl can tell what a condition means."""
    try:
        poly.integer_set([], [condition])
    except poly.NotAffine:
        return False
    return True


def needless(index: Index) -> list[str]:
    """Divisions and remainders of an index that the ranges around it decide."""
    found: list[str] = []
    for node in expr_post_order(index.node):
        if not isinstance(node, _DIVISIONS) or not node.dtype.is_int or not isinstance(node.b, IntImm):
            continue
        c, unknown = node.b.value, list[Var]()
        known = context(index, unknown)
        outside: Expr = e.Or(operators.compare(e.LT, node.a, 0), operators.compare(e.GE, node.a, c))
        uneven: Expr = e.NE(operators.floormod(node.a, c), IntImm(node.dtype, 0))
        # A guard that says x % c == 0 does not spare x // c; what x is made of may.
        bare = Index(index.node, index.bindings, ())
        even = known if isinstance(node, (e.FloorMod, e.Mod)) else context(bare, list[Var]())
        for question, premises, word in ((outside, known, "in range"), (uneven, even, "divisible")):
            if affine(question) and poly.integer_set([*dict.fromkeys(unknown)], [*premises, question]).is_empty():
                found.append(f"{node} is {word}")
    return found


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", CASES)
def test_no_division_is_left_that_its_ranges_decide(name: str, target: str) -> None:
    left = [x for index in final_indices(name, target) for x in needless(index)]
    assert left == []


def test_the_goldens_have_hundreds_of_indices_and_some_divide() -> None:
    indices = [index for name in CASES for target in TARGETS for index in final_indices(name, target)]
    assert len(indices) >= 500, len(indices)
    divided = [i for i in indices if any([isinstance(x, _DIVISIONS) for x in expr_post_order(i.node)])]
    assert len(divided) >= 50, len(divided)


def test_needless_divisions_are_seen() -> None:
    x, y, n = Var("x"), Var("y"), Var("n")

    def judge(node: Expr, *guards: Expr) -> list[str]:
        bindings: Bindings = [(x, Range(0, 8)), (y, Range(0, n))]
        return needless(Index(node, bindings, guards))

    assert judge(x // 8)
    assert judge((x * 4 + 2) // 2)
    assert judge((x + 8) % 64)
    assert judge(y // 4, y < 4)
    assert judge(y % 16, e.And(n <= 8, x < n))
    assert judge(e.Ramp(x // 8, 1, 4))
    assert not judge(x // 4 + x % 4)
    assert not judge(y // 4)
    assert not judge((x * 4 + y) // 2)
