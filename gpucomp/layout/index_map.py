"""Maps of indices that have an inverse: digits of indices, and indices made of digits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import NamedTuple, Self

from gpucomp import arith
from gpucomp.tir import operators
from gpucomp.tir.expr import GE, LT, Add, And, Expr, FloorDiv, FloorMod, IntImm, Mul, Range, Var
from gpucomp.tir.functor import free_vars, substitute


class NotInvertible(Exception):
    """Not every element has one place, as far as can be told; the text says of which index."""


class _Digit(NamedTuple):
    """``(of // weight) % size``; without a size, all that is left above ``weight``."""

    of: Var
    weight: int
    size: int | None
    position: int


@dataclass(frozen=True, slots=True, eq=False)
class IndexMap:
    """A map from indices to indices.

    Attributes:
        initial_indices: the variables of the map.
        final_indices: expressions of them.
    """

    initial_indices: tuple[Var, ...]
    final_indices: tuple[Expr, ...]

    @classmethod
    def from_func(cls, mapping_function: Callable[..., Sequence[object]], ndim: int, dtype: str = "int32") -> Self:
        """The map of a Python function of ``ndim`` indices, such as ``lambda i, j: [i // 4, j, i % 4]``."""
        parameters = [p for p in signature(mapping_function).parameters.values() if p.kind is not p.KEYWORD_ONLY]
        names = [p.name for p in parameters if p.kind is not Parameter.VAR_POSITIONAL]
        names += [f"i{n}" for n in range(len(names), ndim)]
        variables = tuple([Var(name, dtype) for name in names[:ndim]])
        final = mapping_function(*variables)
        return cls(variables, tuple([operators.convert(x) for x in final]))

    def map_indices(self, indices: Sequence[Expr]) -> tuple[Expr, ...]:
        """Where the element at ``indices`` goes."""
        mapping = dict(zip(self.initial_indices, indices, strict=True))
        return tuple([substitute(x, mapping) for x in self.final_indices])

    def map_shape(self, shape: Sequence[Expr]) -> tuple[Expr, ...]:
        """The extents of the smallest box that holds every element of a box from zero.

        Raises:
            NotInvertible: an index has no largest value.
        """
        analyzer = self._analyzer(shape)
        domains = {
            v: arith.IntervalSet(operators.const(0, v.dtype), operators.subtract(n, 1))
            for v, n in zip(self.initial_indices, shape, strict=True)
        }
        out: list[Expr] = []
        known = {v: isinstance(n, IntImm) for v, n in zip(self.initial_indices, shape, strict=True)}
        for x in self.final_indices:
            # The bound of a variable extent is that of its type, no extent.
            if all([known.get(v, False) for v in free_vars(x)]):
                out.append(operators.const(analyzer.const_int_bound(x).max_value + 1, x.dtype))
                continue
            found = arith.eval_set(x, domains)
            if not found.has_upper_bound():
                raise NotInvertible(f"index {x} has no largest value")
            out.append(analyzer.simplify(operators.add(found.max_value, 1)))
        return tuple(out)

    def inverse(self, shape: Sequence[Expr]) -> tuple[IndexMap, Expr]:
        """The map back, and the condition under which a place holds an element (places in between are padding).

        Args:
            shape: extents of the box of elements.

        Raises:
            NotInvertible: the map is not made of digits ``(i // a) % b`` of single indices that are complete, nor of
                sums ``i * b + j`` of indices below their factors.
        """
        shift = _shift(self.final_indices, self.initial_indices)
        if shift is not None:
            return self._inverse_of_shifted(shape, *shift)
        places = tuple([Var(f"y{n}", x.dtype) for n, x in enumerate(self.final_indices)])
        digits: dict[Var, list[_Digit]] = {v: [] for v in self.initial_indices}
        values: dict[Var, Expr] = {}
        for position, x in enumerate(self.final_indices):
            digit = _digit(x, position)
            if isinstance(x, IntImm):
                continue  # a dimension of one place
            if digit is not None:
                digits[digit.of].append(digit)
            else:
                values |= self._fused(x, places[position], shape)
        conditions: list[Expr] = []
        analyzer = arith.Analyzer()
        for place, extent in zip(places, self.map_shape(shape), strict=True):
            analyzer.bind(place, Range.from_min_extent(0, extent))
        for v, extent in zip(self.initial_indices, shape, strict=True):
            if v not in values:
                values[v] = _from_digits(v, digits[v], places, extent)
            if not analyzer.can_prove(operators.compare(LT, values[v], extent)):
                conditions.append(operators.compare(LT, values[v], extent))
        condition: Expr = operators.const(1, "bool")
        for c in conditions:
            condition = c if isinstance(condition, IntImm) else operators.logical(And, condition, c)
        return IndexMap(places, tuple([values[v] for v in self.initial_indices])), condition

    def _inverse_of_shifted(self, shape: Sequence[Expr], moved: Var, by: Expr) -> tuple[IndexMap, Expr]:
        """The inverse where digits are taken of ``moved + by``, and ``by`` follows from indices that stay in place."""
        most = self._analyzer(shape).const_int_bound(by)
        if most.min_value < 0 or most.max_value >= most.POS_INF:
            raise NotInvertible(f"index {moved.name!r} is shifted by {by}, which may be negative or without an end")
        total = Var(moved.name, moved.dtype)
        plain = [_of_sum(x, moved, total) for x in self.final_indices]
        names = tuple([total if v is moved else v for v in self.initial_indices])
        wide = [
            operators.add(n, most.max_value) if v is moved else n
            for v, n in zip(self.initial_indices, shape, strict=True)
        ]
        back, inside = IndexMap(names, tuple(plain)).inverse(wide)
        values = dict(zip(names, back.final_indices, strict=True))
        if any([not isinstance(values[v], Var) for v in free_vars(by)]):
            raise NotInvertible(f"index {moved.name!r} is shifted by {by}, whose indices do not stay as they are")
        value = operators.subtract(values[total], substitute(by, values))
        extent = next(n for v, n in zip(self.initial_indices, shape, strict=True) if v is moved)
        condition = operators.logical(And, operators.compare(GE, value, 0), operators.compare(LT, value, extent))
        for check in _conjuncts(inside):
            if not (isinstance(check, LT) and check.a is values[total]):  # that one follows
                condition = operators.logical(And, condition, check)
        return IndexMap(back.initial_indices, tuple([value if v is total else values[v] for v in names])), condition

    def _fused(self, x: Expr, place: Var, shape: Sequence[Expr]) -> dict[Var, Expr]:
        """The indices that a sum ``i * b + j`` is made of, from its value."""
        extents = dict(zip(self.initial_indices, shape, strict=True))
        terms = sorted(_terms(x), key=lambda term: term[1])
        values: dict[Var, Expr] = {}
        weight = 1
        for number, (v, factor) in enumerate(terms):
            extent = extents.get(v)
            if factor != weight or extent is None or v in values:
                raise NotInvertible(f"index {x} does not tell the values of its parts")
            value = place if weight == 1 else operators.floordiv(place, weight)
            last = number == len(terms) - 1
            if not last:
                if not isinstance(extent, IntImm):
                    raise NotInvertible(f"index {x}: the extent of {v.name!r} is no constant")
                weight *= extent.value
                value = operators.floormod(value, extent)
            values[v] = value
        return values

    def _analyzer(self, shape: Sequence[Expr]) -> arith.Analyzer:
        analyzer = arith.Analyzer()
        for v, extent in zip(self.initial_indices, shape, strict=True):
            analyzer.bind(v, Range.from_min_extent(0, extent))
        return analyzer

    def __str__(self) -> str:
        names = ", ".join([v.name for v in self.initial_indices])
        return f"lambda {names}: [{', '.join([str(x) for x in self.final_indices])}]"

    __repr__ = __str__


def _core(x: Expr) -> Expr:
    """What a digit is taken of."""
    while isinstance(x, (FloorDiv, FloorMod)) and isinstance(x.b, IntImm):
        x = x.a
    return x


def _shift(final: Sequence[Expr], indices: Sequence[Var]) -> tuple[Var, Expr] | None:
    """The index ``v``, and ``by``, where all that is taken of ``v`` are digits of ``v + by``; None for other maps."""
    sums = [c for c in map(_core, final) if isinstance(c, Add) and isinstance(c.a, Var) and not isinstance(c.b, Var)]
    for v in indices:
        own = [c for c in map(_core, final) if v in free_vars(c)]
        if own and all([c is own[0] for c in own]) and own[0] in sums:
            core = own[0]
            assert isinstance(core, Add)
            used = free_vars(core.b)
            if core.a is v and v not in used and used and all([any([x is u for x in final]) for u in used]):
                return v, core.b
    return None


def _of_sum(x: Expr, moved: Var, total: Var) -> Expr:
    """A digit of ``moved + by`` as a digit of ``total``."""
    if isinstance(x, (FloorDiv, FloorMod)) and isinstance(x.b, IntImm):
        return type(x)(_of_sum(x.a, moved, total), x.b)
    return total if moved in free_vars(x) else x


def _conjuncts(x: Expr) -> list[Expr]:
    if isinstance(x, And):
        return [*_conjuncts(x.a), *_conjuncts(x.b)]
    return [] if isinstance(x, IntImm) else [x]


def _digit(x: Expr, position: int) -> _Digit | None:
    size: int | None = None
    if isinstance(x, FloorMod) and isinstance(x.b, IntImm):
        x, size = x.a, x.b.value
    weight = 1
    while isinstance(x, FloorDiv) and isinstance(x.b, IntImm):
        x, weight = x.a, weight * x.b.value
    return _Digit(x, weight, size, position) if isinstance(x, Var) else None


def _terms(x: Expr) -> list[tuple[Var, int]]:
    if isinstance(x, Add):
        return [*_terms(x.a), *_terms(x.b)]
    if isinstance(x, Var):
        return [(x, 1)]
    if isinstance(x, Mul) and isinstance(x.a, Var) and isinstance(x.b, IntImm):
        return [(x.a, x.b.value)]
    raise NotInvertible(f"index {x} is neither a digit of an index nor a sum of indices")


def _from_digits(v: Var, digits: list[_Digit], places: Sequence[Var], extent: Expr) -> Expr:
    value: Expr = operators.const(0, v.dtype)
    weight: int | None = 1
    for digit in sorted(digits, key=lambda d: d.weight):
        if weight is None or digit.weight != weight:
            break
        value = operators.add(value, operators.multiply(places[digit.position], digit.weight))
        weight = None if digit.size is None else weight * digit.size
    used = len(digits)
    whole = weight is None or (isinstance(extent, IntImm) and weight >= extent.value)
    if not used or not whole or len({d.weight for d in digits}) != used:
        raise NotInvertible(f"the map does not tell the value of index {v.name!r}: its digits are not all there")
    return value
