"""Random expressions: what the analyzer says holds at random points."""

from __future__ import annotations

import random
from contextlib import nullcontext

from hypothesis import given, settings
from hypothesis import strategies as st

from gpucomp.arith import Analyzer, ConstIntBound, IntervalSet, ModularSet, eval_set
from gpucomp.arith.bounds import type_range
from gpucomp.arith.int_set import is_infinite
from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import Expr, IntImm, Range, Var
from tests.arith.evaluate import Undefined, evaluate
from tests.arith.points import Points
from tests.arith.strategies import VARIABLES, Setting, X, Y, conditions, integers, settings_of_facts

_POINTS = 25
_RNG = st.randoms(use_true_random=False)


def _value(node: Expr, point: dict[Var, int]) -> int | None:
    try:
        return int(evaluate(node, point))
    except Undefined:
        return None


def _inside(value: int, bound: ConstIntBound, modular: ModularSet) -> bool:
    if not bound.min_value <= value <= bound.max_value:
        return False
    return (value - modular.base) % modular.coeff == 0 if modular.coeff else value == modular.base


def _check(setting: Setting, node: Expr, rng: random.Random, constraint: Expr | None = None) -> None:
    analyzer = setting.analyzer
    if constraint is not None and rng.random() < 0.5:
        analyzer.simplify(node)  # what is remembered outside must not be wrong inside
    with nullcontext() if constraint is None else analyzer.constraint_scope(constraint):
        simple = analyzer.simplify(node)
        assert analyzer.simplify(simple) is simple
        facts = [(analyzer.const_int_bound(x), analyzer.modular_set(x)) for x in (node, simple)]
    for point in setting.points(rng, _POINTS):
        value = _value(node, point)
        if value is None or (constraint is not None and not _value(constraint, point)):
            continue
        assert _value(simple, point) == value, (node, simple, point)
        for bound, modular in facts:
            assert _inside(value, bound, modular), (node, simple, bound, modular, point)


@settings(max_examples=80)
@given(settings_of_facts(), integers(), _RNG)
def test_integer_expressions_keep_their_value(setting: Setting, node: Expr, rng: random.Random) -> None:
    _check(setting, node, rng)


@settings(max_examples=80)
@given(settings_of_facts(), conditions(4), _RNG)
def test_conditions_keep_their_value(setting: Setting, node: Expr, rng: random.Random) -> None:
    _check(setting, node, rng)


@settings(max_examples=80)
@given(settings_of_facts(), st.one_of(integers(3), conditions(3)), conditions(2), _RNG)
def test_values_are_kept_where_a_constraint_holds(
    setting: Setting, node: Expr, constraint: Expr, rng: random.Random
) -> None:
    _check(setting, node, rng, constraint)
    _check(setting, node, rng)  # and nothing of the constraint stays behind


@settings(max_examples=80)
@given(integers(3), st.sampled_from([1, 4, 8]), st.sampled_from([2, 4, 7]), st.booleans(), _RNG)
def test_interval_sets_contain_every_value(
    node: Expr, first: int, second: int, shifted: bool, rng: random.Random
) -> None:
    parameter = VARIABLES[2]
    start = parameter * 4 if shifted else IntImm("int32", 0)
    doms = {X: Range.from_min_extent(start, first), Y: IntervalSet(start - 3, start + (second - 4))}
    found = eval_set(node, doms)
    for _ in range(_POINTS):
        point = {parameter: rng.randint(-6, 9)}
        base = evaluate(start, point)
        point |= {X: base + rng.randrange(first), Y: base - 3 + rng.randrange(second)}
        value = _value(node, point)
        if value is None:
            continue
        for end, sign in ((found.min_value, 1), (found.max_value, -1)):
            limit = None if is_infinite(end) else Points({v: [x] for v, x in point.items()}, 1).of(end)[0]
            assert limit is None or limit * sign <= value * sign, (node, found, point)


@st.composite
def _wrapping(draw: st.DrawFn, leaves: tuple[Expr, ...], dtype: str, depth: int) -> Expr:
    """Arithmetic of a type that wraps."""
    if depth <= 0:
        return draw(st.sampled_from(leaves)) if draw(st.integers(0, 3)) else IntImm(dtype, draw(st.integers(0, 9)))
    cls = draw(st.sampled_from((e.Add, e.Sub, e.Mul, e.FloorDiv, e.FloorMod, e.Min, e.Max, e.Div, e.Mod, e.Cast)))
    a = draw(_wrapping(leaves, dtype, depth - 1))
    if cls is e.Cast:
        return e.Cast(dtype, e.Cast(draw(st.sampled_from(["int8", "uint8", "int32", "uint32", "int64"])), a))
    if cls in (e.FloorDiv, e.FloorMod, e.Div, e.Mod):
        return cls(a, IntImm(dtype, draw(st.sampled_from([1, 2, 3, 4, 16]))))
    return cls(a, draw(_wrapping(leaves, dtype, depth - 1)))


@settings(max_examples=80)
@given(st.sampled_from(["uint8", "int8", "uint32", "load int32", "load int8"]), st.data(), _RNG)
def test_unsigned_narrow_and_loaded_integers_wrap(kind: str, data: st.DataObject, rng: random.Random) -> None:
    dtype = kind.split()[-1]
    low, high = type_range(DType(dtype))
    analyzer = Analyzer()
    leaves: list[Expr] = []
    domains: dict[Expr, list[int]] = {}
    edges = [int(x) for x in (low, high, 0, 1, low + 3, high - 5, high // 2, 7)]
    for name in "ab":
        if kind.startswith("load"):
            leaf: Expr = e.BufferLoad(decl_buffer((4,), dtype, name), (IntImm("int32", 0),))
            domains[leaf] = edges
        else:
            leaf = Var(name, dtype)
            domains[leaf] = edges
            if data.draw(st.booleans()):
                analyzer.bind(leaf, Range.from_min_extent(IntImm(dtype, 1), IntImm(dtype, 8)))
                domains[leaf] = list(range(1, 9))
        leaves.append(leaf)
    node = data.draw(_wrapping(tuple(leaves), dtype, 3))
    if data.draw(st.booleans()):
        node = data.draw(st.sampled_from((e.LT, e.LE, e.EQ)))(node, data.draw(_wrapping(tuple(leaves), dtype, 2)))
    simple = analyzer.simplify(node)
    bound, modular = analyzer.const_int_bound(node), analyzer.modular_set(node)
    for _ in range(_POINTS):
        point = {leaf: rng.choice(domains[leaf]) for leaf in leaves}
        try:
            value = int(evaluate(node, point))
        except Undefined:
            continue
        assert int(evaluate(simple, point)) == value, (node, simple, point)
        assert _inside(value, bound, modular), (node, bound, modular, point)


@st.composite
def _vectors(draw: st.DrawFn, lanes: int, depth: int) -> Expr:
    if depth <= 0:
        base = draw(integers(1))
        if draw(st.booleans()):
            return e.Broadcast(base, lanes)
        return e.Ramp(base, IntImm("int32", draw(st.sampled_from([1, 1, 2, 4, -1, 0]))), lanes)
    cls = draw(st.sampled_from((e.Add, e.Sub, e.Mul, e.FloorDiv, e.FloorMod, e.Min, e.Max, e.Div, e.Mod)))
    a = draw(_vectors(lanes, depth - 1))
    if cls in (e.FloorDiv, e.FloorMod, e.Div, e.Mod):
        return cls(a, e.Broadcast(IntImm("int32", draw(st.sampled_from([1, 2, 4, 8, 3]))), lanes))
    return cls(a, e.Broadcast(draw(integers(0)), lanes)) if cls is e.Mul else cls(a, draw(_vectors(lanes, 0)))


@settings(max_examples=80)
@given(settings_of_facts(), st.sampled_from([2, 4]), st.data(), _RNG)
def test_vectors_keep_every_lane(setting: Setting, lanes: int, data: st.DataObject, rng: random.Random) -> None:
    node = data.draw(_vectors(lanes, 2))
    if data.draw(st.integers(0, 2)) == 0:
        node = data.draw(st.sampled_from((e.LT, e.LE, e.EQ, e.NE)))(node, data.draw(_vectors(lanes, 1)))
    analyzer = setting.analyzer
    simple = analyzer.simplify(node)
    bound, modular = analyzer.const_int_bound(node), analyzer.modular_set(node)
    for point in setting.points(rng, _POINTS):
        try:
            value = evaluate(node, point)
        except Undefined:
            continue
        assert [int(x) for x in evaluate(simple, point)] == [int(x) for x in value], (node, simple, point)
        assert all(_inside(int(x), bound, modular) for x in value), (node, bound, modular)
