"""Random expressions with facts about their variables, by a seed: what the sweep checks the analyzer on."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from gpucomp.arith import Analyzer, ModularSet
from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir.buffer import decl_buffer
from gpucomp.tir.expr import Expr, IntImm, Range, SizeVar, Var
from gpucomp.tir.intrin import Op
from tests.arith.points import Column

KINDS = ("index", "condition", "scoped", "symbolic", "wrapping", "loaded", "vector", "bits")

_ARITHMETIC = (e.Add, e.Add, e.Sub, e.Mul, e.FloorDiv, e.FloorMod, e.FloorDiv, e.FloorMod, e.Min, e.Max, e.Div, e.Mod)
_COMPARISONS = (e.LT, e.LE, e.GT, e.GE, e.EQ, e.NE)
_DIVISIONS = (e.FloorDiv, e.FloorMod, e.Div, e.Mod)
_DIVISORS = (1, 2, 2, 3, 4, 4, 5, 6, 8, 8, 12, 16, 32, -2, -3, -4)
_FACTORS = (-4, -1, 0, 1, 2, 3, 4, 4, 6, 8, 8, 16, 32)
_POINTS = 16


@dataclass
class Case:
    """One expression, what is known, and the points at which it is looked at.

    Attributes:
        node: the expression.
        tell: says what is known to a fresh analyzer.
        leaves: variable or load -> its values, one a point; all facts hold at each point.
        constraint: a condition under which the analyzer is asked; points where it is false do not count.
        wraps: 32-bit results wrap (loaded data).
    """

    kind: str
    node: Expr
    tell: Callable[[Analyzer], None]
    leaves: dict[Expr, Column]
    domains: dict[Var, Range] = field(default_factory=dict[Var, Range])
    constraint: Expr | None = None
    wraps: bool = False


class Draw:
    """Draws cases from one stream of random numbers."""

    def __init__(self, seed: int | str) -> None:
        self.rng = random.Random(seed)
        self.leaves: list[Expr] = []
        self.dtype = DType("int32")

    def case(self, kind: str) -> Case:
        """A case of one kind."""
        return getattr(self, f"_{kind}")()

    # -- expressions ------------------------------------------------------------------------------------------

    def literal(self, value: int) -> IntImm:
        return IntImm(self.dtype, value)

    def integer(self, depth: int) -> Expr:
        """An expression of the type drawn for the case."""
        rng = self.rng
        if depth <= 0 or rng.random() < 0.1:
            if rng.random() < 0.8:
                return rng.choice(self.leaves)
            low = -9 if self.dtype.code == "int" else 0
            return self.literal(rng.randint(low, 17))
        pick = rng.random()
        if pick < 0.06:
            x, y = self.integer(depth - 1), self.integer(depth - 1)
            if rng.random() < 0.5:
                return e.Select(self.condition(depth - 1), x, y)
            return e.Call(self.dtype, Op.get("tir.if_then_else"), (self.condition(depth - 1), x, y))
        cls = rng.choice(_ARITHMETIC)
        a = self.integer(depth - 1)
        if cls in _DIVISIONS and rng.random() < 0.85:
            divisor = rng.choice(_DIVISORS)
            return cls(a, self.literal(divisor if self.dtype.code == "int" else abs(divisor)))
        if cls is e.Mul and rng.random() < 0.85:
            factor = rng.choice(_FACTORS)
            return cls(a, self.literal(factor if self.dtype.code == "int" else abs(factor)))
        return cls(a, self.integer(depth - 1))

    def condition(self, depth: int) -> Expr:
        rng = self.rng
        pick = rng.random()
        if depth > 1 and pick < 0.3:
            if pick < 0.12:
                return e.And(self.condition(depth - 1), self.condition(depth - 1))
            if pick < 0.24:
                return e.Or(self.condition(depth - 1), self.condition(depth - 1))
            if pick < 0.28:
                return e.Not(self.condition(depth - 1))
            return e.Call(DType("bool"), Op.get("tir.likely"), (self.condition(depth - 1),))
        return rng.choice(_COMPARISONS)(self.integer(depth - 1), self.integer(depth - rng.choice((1, 2, 9))))

    def bitwise(self, depth: int) -> Expr:
        """Shifts, masks and counts of bits among the other operations."""
        rng = self.rng
        if depth <= 0:
            return self.integer(0)
        pick = rng.random()
        a = self.bitwise(depth - 1)
        if pick < 0.25:
            name = rng.choice(("shift_left", "shift_right", "shift_right"))
            by = self.literal(rng.randint(0, 5)) if rng.random() < 0.8 else self.bitwise(depth - 1)
            return e.Call(self.dtype, Op.get(f"tir.{name}"), (a, by))
        if pick < 0.6:
            name = rng.choice(("bitwise_and", "bitwise_and", "bitwise_or", "bitwise_xor"))
            mask = self.literal(rng.choice((1, 3, 7, 15, 31, 4, 6, 12, 0))) if rng.random() < 0.7 else None
            return e.Call(self.dtype, Op.get(f"tir.{name}"), (a, mask or self.bitwise(depth - 1)))
        if pick < 0.65:
            return e.Call(self.dtype, Op.get("tir.bitwise_not"), (a,))
        if pick < 0.7:
            return e.Cast(self.dtype, e.Call(DType("int32"), Op.get("tir.clz"), (a,)))
        if pick < 0.75:
            return e.Call(self.dtype, Op.get("tir.popcount"), (a,))
        cls = rng.choice((e.Add, e.Sub, e.Mul, e.FloorDiv, e.FloorMod, e.Min, e.Max))
        if cls in _DIVISIONS:
            return cls(a, self.literal(rng.choice((2, 4, 8, 3))))
        return cls(a, self.bitwise(depth - 1))

    def widths(self, depth: int) -> Expr:
        """Arithmetic with conversions to other widths and back."""
        rng = self.rng
        if depth <= 0:
            return self.integer(0)
        if rng.random() < 0.25:
            through = DType(rng.choice(("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64")))
            return e.Cast(self.dtype, e.Cast(through, self.widths(depth - 1)))
        cls = rng.choice(_ARITHMETIC)
        a = self.widths(depth - 1)
        if cls in _DIVISIONS:
            return cls(a, self.literal(rng.choice((1, 2, 3, 4, 16))))
        return cls(a, self.widths(depth - 1))

    # -- facts ------------------------------------------------------------------------------------------------

    def _facts(self, kind: str, names: str = "xyz") -> Case:
        """Variables with ranges, congruences or nothing; the expression is filled in later."""
        rng = self.rng
        self.dtype = DType("int64") if rng.random() < 0.15 else DType("int32")
        told: list[Callable[[Analyzer], None]] = []
        leaves: dict[Expr, Column] = {}
        domains: dict[Var, Range] = {}
        for name in names:
            v = Var(name, self.dtype)
            pick = rng.random()
            if pick < 0.2:
                values = range(-20, 21)
            elif pick < 0.3:
                coeff, base = rng.choice((2, 3, 4, 8)), rng.randint(0, 3)
                m = ModularSet(coeff, base)
                told.append(lambda a, v=v, m=m: a.update(v, m))
                values = range(base - 5 * coeff, base + 6 * coeff, coeff)
            else:
                low, extent = rng.choice((-9, -4, 0, 0, 0, 1)), rng.choice((1, 2, 3, 4, 5, 8, 16, 32))
                r = Range.from_min_extent(self.literal(low), self.literal(extent))
                told.append(lambda a, v=v, r=r: a.bind(v, r))
                values = range(low, low + extent)
                domains[v] = r
            leaves[v] = [rng.choice(values) for _ in range(_POINTS)]
        self.leaves = list(leaves)

        def tell(analyzer: Analyzer) -> None:
            for fact in told:
                fact(analyzer)

        return Case(kind, self.literal(0), tell, leaves, domains)

    def _index(self) -> Case:
        made = self._facts("index")
        made.node = self.integer(self.rng.randint(2, 5))
        return made

    def _condition(self) -> Case:
        made = self._facts("condition")
        made.node = self.condition(self.rng.randint(2, 5))
        return made

    def _scoped(self) -> Case:
        made = self._facts("scoped")
        made.constraint = self.condition(self.rng.randint(1, 3))
        made.node = self.integer(3) if self.rng.random() < 0.6 else self.condition(3)
        return made

    def _bits(self) -> Case:
        made = self._facts("bits")
        made.node = self.bitwise(3) if self.rng.random() < 0.7 else self.widths(3)
        return made

    def _symbolic(self) -> Case:
        """Axes over extents that are variables themselves."""
        rng = self.rng
        self.dtype = DType("int32")
        sizes = [SizeVar("n", self.dtype), SizeVar("m", self.dtype)]
        leaves: dict[Expr, Column] = {s: [rng.randint(1, 9) for _ in range(_POINTS)] for s in sizes}
        told: list[tuple[Var, Range]] = [(s, Range.from_min_extent(1, 9)) for s in sizes if rng.random() < 0.7]
        domains: dict[Var, Range] = {}
        for name, size in zip("ijk", (sizes[0], sizes[1], None), strict=True):
            v = Var(name, self.dtype)
            extent = 4 if size is None else size
            domains[v] = Range.from_min_extent(0, extent)
            told.append((v, domains[v]))
            tops = [4] * _POINTS if size is None else leaves[size]
            leaves[v] = [rng.randrange(top) for top in tops]
        self.leaves = [*leaves, domains_product(leaves), sizes[0] * 4]
        node = self.integer(rng.randint(2, 4)) if rng.random() < 0.6 else self.condition(4)

        def tell(analyzer: Analyzer) -> None:
            for v, r in told:
                analyzer.bind(v, r)

        return Case("symbolic", node, tell, leaves, domains)

    def _wrapping(self) -> Case:
        """Unsigned and narrow variables."""
        rng = self.rng
        self.dtype = DType(rng.choice(("uint8", "int8", "uint16", "int16", "uint32")))
        leaves: dict[Expr, Column] = {}
        told: list[tuple[Var, Range]] = []
        for name in "xy":
            v = Var(name, self.dtype)
            leaves[v] = [rng.choice(self._edges()) for _ in range(_POINTS)]
            if rng.random() < 0.5:
                told.append((v, Range.from_min_extent(self.literal(1), self.literal(8))))
                leaves[v] = [rng.randint(1, 8) for _ in range(_POINTS)]
        self.leaves = list(leaves)

        def tell(analyzer: Analyzer) -> None:
            for v, r in told:
                analyzer.bind(v, r)

        pick = rng.random()
        node = self.widths(3) if pick < 0.4 else self.bitwise(2) if pick < 0.6 else self.integer(3)
        if rng.random() < 0.3:
            node = rng.choice(_COMPARISONS)(node, self.integer(1))
        return Case("wrapping", node, tell, leaves)

    def _edges(self) -> list[int]:
        half = 1 << (self.dtype.bits - 1)
        low, high = (0, 2 * half - 1) if self.dtype.code == "uint" else (-half, half - 1)
        return [low, high, 0, 1, low + 3, high - 5, high // 2, 7]

    def _loaded(self) -> Case:
        """Values that come from memory: they wrap."""
        rng = self.rng
        self.dtype = DType(rng.choice(("int32", "int64", "int8", "uint8")))
        zero = IntImm("int32", 0)
        leaves: dict[Expr, Column] = {}
        for name in "ab":
            load = e.BufferLoad(decl_buffer((4,), self.dtype, name), (zero,))
            leaves[load] = [rng.choice(self._edges()) for _ in range(_POINTS)]
        leaves[zero] = [0] * _POINTS
        self.leaves = [x for x in leaves if x is not zero]
        node = self.widths(3) if rng.random() < 0.5 else self.integer(3)
        if rng.random() < 0.3:
            node = rng.choice(_COMPARISONS)(node, self.integer(1))
        return Case("loaded", node, lambda _: None, leaves, wraps=True)

    def _vector(self) -> Case:
        made = self._facts("vector")
        lanes = self.rng.choice((2, 4, 8))
        made.node = self._lanes(lanes, self.rng.randint(1, 3))
        if self.rng.random() < 0.3:
            made.node = self.rng.choice(_COMPARISONS)(made.node, self._lanes(lanes, 1))
        return made

    def _lanes(self, lanes: int, depth: int) -> Expr:
        rng = self.rng
        if depth <= 0:
            base = self.integer(rng.randint(0, 2))
            if rng.random() < 0.5:
                return e.Broadcast(base, lanes)
            return e.Ramp(base, self.literal(rng.choice((1, 1, 1, 2, 4, -1, 0))), lanes)
        if rng.random() < 0.06:
            x, y = self._lanes(lanes, depth - 1), self._lanes(lanes, 0)
            return e.Select(rng.choice(_COMPARISONS)(self._lanes(lanes, 0), self._lanes(lanes, 0)), x, y)
        cls = rng.choice(_ARITHMETIC)
        a = self._lanes(lanes, depth - 1)
        if cls in _DIVISIONS:
            return cls(a, e.Broadcast(self.literal(rng.choice((1, 2, 4, 8, 3))), lanes))
        if cls is e.Mul:
            return cls(a, e.Broadcast(self.integer(0), lanes))
        return cls(a, self._lanes(lanes, 0))


def domains_product(leaves: dict[Expr, Column]) -> Expr:
    """The flattened index of the two symbolic axes."""
    names = {v.name: v for v in leaves if isinstance(v, Var)}
    return names["i"] * names["m"] + names["j"]
