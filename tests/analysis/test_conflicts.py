"""Conflict analysis never says no where threads do meet, and says no where kernels rely on it."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from typing import Any  # Any: fields of Access, whatever they are

import pytest

from gpucomp.analysis.affine import AffineForms
from gpucomp.analysis.conflicts import Access, Carried, Conflicts
from gpucomp.ir.types import PointerType, PrimType
from gpucomp.support.dtype import FLOAT32
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IntImm, Var
from gpucomp.tir.functor import substitute

DATA = Var("S", PointerType(PrimType(FLOAT32), "shared"))
X, Y, F, G, K = Var("x"), Var("y"), Var("f"), Var("g"), Var("k")
EXTENTS = {X: 4, Y: 2, F: 3, G: 2, K: 5}


def access(index: Expr, kind: str = "write", inner: tuple[Var, ...] = (), **more: Any) -> Access:
    used = frozenset(inner)
    return Access(DATA, kind, index, 4, used, **more)


def conflicts() -> Conflicts:
    found = Conflicts({X: EXTENTS[X], Y: EXTENTS[Y]})
    for var in (F, G, K):
        found.bind(var, 0, EXTENTS[var] - 1)
    return found


def value(index: Expr, at: Mapping[Var, int]) -> int:
    done = substitute(index, dict(at))
    assert isinstance(done, IntImm)
    return done.value


def meet(a: Expr, b: Expr, inner_a: tuple[Var, ...], inner_b: tuple[Var, ...], gaps: range | None) -> bool:
    """Whether two threads do meet, by trying everything."""
    for k in range(EXTENTS[K]):
        for later in [k] if gaps is None else [k + g for g in gaps if k + g < EXTENTS[K]]:
            first: dict[int, set[tuple[int, int]]] = {}
            for x, y, *rest in itertools.product(range(4), range(2), *[range(EXTENTS[v]) for v in inner_a]):
                at = {X: x, Y: y, K: k, **dict(zip(inner_a, rest, strict=True))}
                first.setdefault(value(a, at), set()).add((x, y))
            for x, y, *rest in itertools.product(range(4), range(2), *[range(EXTENTS[v]) for v in inner_b]):
                at = {X: x, Y: y, K: later, **dict(zip(inner_b, rest, strict=True))}
                if first.get(value(b, at), set()) - {(x, y)}:
                    return True
    return False


def random_index(rng: random.Random, inner: tuple[Var, ...]) -> Expr:
    pool = [X, Y, K, *inner]
    total: Expr = IntImm("int32", rng.randrange(4))
    for var in rng.sample(pool, rng.randrange(1, len(pool) + 1)):
        total = total + var * rng.choice([1, 1, 2, 3, 4, 8, 12, 16])
    d = IntImm("int32", rng.choice([2, 3, 4, 8, 16]))
    shape = rng.randrange(5)
    if shape == 1:
        return total % d
    if shape == 2:
        return total // d * rng.choice([5, 8, 9]) + total % d
    if shape == 3:
        return total + K % 2 * 32
    if shape == 4:
        return (total + K * 4) % (d * 2) + operators.floordiv(K, 2) * 3
    return total


@pytest.mark.parametrize("seed", range(12))
def test_the_answer_no_is_always_right(seed: int) -> None:
    rng = random.Random(seed)
    no = 0
    for _ in range(25):
        inner_a, inner_b = rng.choice([(), (F,), (F, G)]), rng.choice([(), (F,)])
        a = random_index(rng, inner_a)
        b = a if rng.random() < 0.5 and inner_a == inner_b else random_index(rng, inner_b)
        carried = rng.choice([None, Carried(K, 1), Carried(K, EXTENTS[K] - 1)])
        answer = conflicts().between(access(a, inner=inner_a), access(b, "read", inner_b), carried)
        if not answer:
            no += 1
            gaps = None if carried is None else range(1, carried.most + 1)
            assert not meet(a, b, inner_a, inner_b, gaps), f"{a} and {b}, {carried}"
    assert no > 0


THREAD = Y * 4 + X
PADDED = Y * 132 + X // 2 * 64 + X % 2 * 4 + K * 8 + F
APART: list[tuple[Expr, Expr, Carried | None]] = [
    (THREAD, THREAD, None),
    (THREAD * 3 + F, THREAD * 3 + F, None),
    (F * 8 + THREAD, F * 8 + THREAD, None),
    ((THREAD * 3 + F) // 4 * 5 + (THREAD * 3 + F) % 4, (THREAD * 3 + F) // 4 * 5 + (THREAD * 3 + F) % 4, None),
    (K % 2 * 8 + THREAD, (K + 1) % 2 * 8 + 7 - THREAD, None),
    (K % 2 * 8 + THREAD, K % 2 * 8 + 7 - THREAD, Carried(K, 1)),
    (K * 8 + THREAD, K * 8 + 7 - THREAD, Carried(K, 4)),
    (THREAD * 2, THREAD * 2 + 1, None),
    (X * 4 + 1, X * 2, None),
    # Y and X // 2 must agree; what is left, of X % 2, F and the later iteration, is never zero.
    (PADDED, PADDED, Carried(K, 4)),
]
MEETING: list[tuple[Expr, Expr, Carried | None]] = [
    (THREAD, 7 - THREAD, None),
    (THREAD, THREAD + 1, None),
    (X, X, None),
    (THREAD * 2 + F, THREAD * 2 + F, None),
    (K % 2 * 8 + THREAD, K % 2 * 8 + 7 - THREAD, Carried(K, 2)),
    (THREAD, X * 2 + Y, None),
    (PADDED + X % 2 * 4, PADDED + X % 2 * 4, Carried(K, 4)),
]


@pytest.mark.parametrize(("a", "b", "carried"), APART)
def test_accesses_that_stay_apart_are_told_apart(a: Expr, b: Expr, carried: Carried | None) -> None:
    assert not conflicts().between(access(a, inner=(F,)), access(b, "read", (F,)), carried)


@pytest.mark.parametrize(("a", "b", "carried"), MEETING)
def test_accesses_that_meet_are_found(a: Expr, b: Expr, carried: Carried | None) -> None:
    assert conflicts().between(access(a, inner=(F,)), access(b, "read", (F,)), carried)


def test_reads_do_not_conflict_and_other_memory_does_not_either() -> None:
    c = conflicts()
    assert not c.between(access(X, "read"), access(X, "read"))
    assert not c.between(access(X, "atomic"), access(X, "atomic"))
    assert c.between(access(X, "atomic"), access(X, "read"))
    other = Access(Var("U", PointerType(PrimType(FLOAT32), "shared")), "write", X, 4)
    assert not c.between(access(X), other)


def test_an_unknown_index_may_be_anywhere() -> None:
    assert conflicts().between(Access(DATA, "write", None, 4), access(THREAD, "read"))


def test_conditions_on_threads_narrow_them() -> None:
    c = conflicts()
    one = ((X, (0, 0)), (Y, (0, 0)))
    assert not c.between(access(X * 0, limits=one), access(X * 0, "read", limits=one))
    assert c.between(access(X * 0, limits=one), access(X * 0, "read"))
    assert not c.between(access(X, limits=((X, (0, 1)),)), access(X, "read", limits=((X, (2, 3)),)))


def test_element_types_of_different_width_are_compared_by_bytes() -> None:
    c = conflicts()
    half = Access(DATA, "read", THREAD * 2 + 1, 2)
    assert not c.between(access(THREAD), half)
    assert c.between(access(THREAD), Access(DATA, "read", THREAD + 1, 2))


def test_a_variable_that_two_loops_share_has_the_range_of_both() -> None:
    c = conflicts()
    assert not c.between(access(THREAD * 3 + F, inner=(F,)), access(THREAD * 3 + F, "read", (F,)))
    c.bind(F, 0, 3)
    assert c.between(access(THREAD * 3 + F, inner=(F,)), access(THREAD * 3 + F, "read", (F,)))


def test_affine_forms_simplify_quotients_and_remainders() -> None:
    forms = AffineForms({X: (0, 3), F: (0, 2), K: (0, 9)})

    def text(node: Expr) -> str:
        return str(forms.expression(forms.form(node)))

    assert text((X * 8 + F) // 8) == "x"
    assert text((X * 8 + F) % 8) == "f"
    assert text(F + X * 8) == text(X * 8 + F)
    assert text((K * 4 + 1) % 16) == "k % 4 * 4 + 1"
    assert text((K * 4 + 1) // 16) == "k // 4"
    assert text((X * 8 + 3) // 4) == "x * 2"
    assert forms.interval(forms.form(K % 4 * 4 + X)) == (0, 15)
