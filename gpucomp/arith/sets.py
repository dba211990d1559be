"""Evaluation of expressions over intervals with symbolic ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gpucomp.arith.int_set import NEG_INF, POS_INF, IntervalSet, IntSet, is_infinite
from gpucomp.arith.state import Form, Node, Terms, TooLarge
from gpucomp.arith.vectors import Vectors
from gpucomp.support.dtype import DType
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IntImm, IterVar, Range, Var
from gpucomp.tir.functor import free_vars

Ends = tuple[Form | None, Form | None]
"""Lower and upper end as sums; None is infinite."""
Domains = Mapping[Var, IntSet | Range] | Mapping[IterVar, IntSet | Range] | Mapping[Var | IterVar, IntSet | Range]

_NO_ENDS: Ends = (None, None)


class Sets(Vectors):
    """Adds interval evaluation.  Affine expressions are exact: repeated variables cancel first."""

    def _set_of(self, node: Expr, domains: Domains) -> IntervalSet:
        doms: dict[Var, Ends] = {}
        for key, value in domains.items():
            var = key.var if isinstance(key, IterVar) else key
            doms[var] = self._ends_of(value)
        return _Evaluation(self, doms).run(node)

    def _ends_of(self, value: IntSet | Range) -> Ends:
        if isinstance(value, Range):
            low = self._simp(value.min)
            start = self._form(low)
            size = self._form(self._simp(value.extent))
            return start, self._settled(self._plus(size[0], size[1] - 1, start, 1), low.dtype)
        low, high = value.min_value, value.max_value
        return (
            None if is_infinite(low) else self._form(self._simp(low)),
            None if is_infinite(high) else self._form(self._simp(high)),
        )

    def _settled(self, form: Form, dtype: DType) -> Form:
        return self._settle(form[0], form[1], dtype) if len(form[0]) > 1 or form[1] else form

    def _interval(self, ends: Ends, dtype: DType) -> IntervalSet:
        return IntervalSet(self._end(ends[0], NEG_INF, dtype), self._end(ends[1], POS_INF, dtype))

    def _end(self, form: Form | None, infinite: Expr, dtype: DType) -> Expr:
        if form is None:
            return infinite
        try:
            return self._build(*form, dtype)
        except TooLarge:
            return infinite

    def _hull(self, x: Ends, y: Ends, dtype: DType) -> Ends:
        low = None if x[0] is None or y[0] is None else self._extremum(e.Min, x[0], y[0], dtype)
        high = None if x[1] is None or y[1] is None else self._extremum(e.Max, x[1], y[1], dtype)
        return low, high

    def union(self, sets: Iterable[IntSet]) -> IntervalSet:
        """The smallest interval that contains all the sets."""
        total: Ends | None = None
        dtype: DType | None = None
        for item in sets:
            if item.is_nothing():
                continue
            ends = self._ends_of(item)
            dtype = dtype or _end_type(item)
            total = ends if total is None else self._hull(total, ends, dtype or operators.INT32)
        if total is None:
            return IntSet.nothing()
        return self._interval(total, dtype or operators.INT32)

    def intersect(self, sets: Iterable[IntSet]) -> IntervalSet:
        """The values that lie in all the sets."""
        low: Form | None = None
        high: Form | None = None
        dtype: DType | None = None
        for item in sets:
            if item.is_nothing():
                return IntSet.nothing()
            dtype = dtype or _end_type(item)
            kind = dtype or operators.INT32
            first, last = self._ends_of(item)
            low = first if low is None else low if first is None else self._extremum(e.Max, low, first, kind)
            high = last if high is None else high if last is None else self._extremum(e.Min, high, last, kind)
        if low is not None and high is not None:
            gap, gap_const = self._difference(high, low)
            if self._sum_bound(gap, gap_const)[1] < 0:
                return IntSet.nothing()
        return self._interval((low, high), dtype or operators.INT32)


def _end_type(item: IntSet) -> DType | None:
    for end in (item.min_value, item.max_value):
        if not is_infinite(end):
            return end.dtype
    return None


class _Evaluation:
    """One evaluation: fixed domains, each atom once."""

    def __init__(self, owner: Sets, doms: dict[Var, Ends]) -> None:
        self.owner = owner
        self.doms = doms
        self.keys = doms.keys()
        self.memo: dict[Expr, Ends] = {}

    def run(self, node: Expr) -> IntervalSet:
        owner = self.owner
        if node.dtype.lanes > 1:
            lanes = IntSet.vector(owner._simp(node))
            return owner.union([self.run(x) for x in (lanes.min_value, lanes.max_value)]) if _finite(lanes) else lanes
        simple = owner._simp(node)
        if free_vars(simple).isdisjoint(self.keys):
            return IntervalSet(simple, simple)
        if not node.dtype.is_int:
            return self.condition(simple)
        try:
            return owner._interval(self.of_form(owner._form(simple), node.dtype), node.dtype)
        except TooLarge:
            return IntSet.everything()

    def condition(self, simple: Expr) -> IntervalSet:
        """A bool that depends on the variables: 0 or 1."""
        if not simple.dtype.is_bool:
            return IntSet.everything()
        return IntervalSet(IntImm(simple.dtype, 0), IntImm(simple.dtype, 1))

    def of_form(self, form: Form, dtype: DType) -> Ends:
        owner = self.owner
        fixed: Terms = {}
        low: Form | None = ({}, 0)
        high: Form | None = ({}, 0)
        for atom, k in form[0].items():
            if free_vars(atom).isdisjoint(self.keys):
                fixed[atom] = k
                continue
            first, last = self.of_atom(atom)
            if k < 0:
                first, last = last, first
            low = None if low is None or first is None else owner._plus(*low, first, k)
            high = None if high is None or last is None else owner._plus(*high, last, k)
        rest = (fixed, form[1])
        return (
            None if low is None else owner._settled(owner._plus(*rest, low, 1), dtype),
            None if high is None else owner._settled(owner._plus(*rest, high, 1), dtype),
        )

    def of_atom(self, atom: Expr) -> Ends:
        found = self.memo.get(atom)
        if found is None:
            found = self.memo[atom] = self.compute(atom)
        return found

    def of_expr(self, node: Expr) -> Ends:
        return self.of_form(self.owner._form(node), node.dtype)

    def compute(self, atom: Node) -> Ends:
        if isinstance(atom, Var):
            return self.doms.get(atom, _NO_ENDS)
        kind = type(atom)
        owner = self.owner
        if kind is e.FloorDiv:
            return self.quotient(atom)
        if kind is e.FloorMod:
            return self.remainder(atom)
        if kind is e.Div:
            return self.truncated(atom)
        if kind is e.Mul:
            return self.product(atom)
        if kind is e.Min or kind is e.Max:
            x, y = self.of_expr(atom.a), self.of_expr(atom.b)
            return self.extremum(kind, x, y, atom.dtype)
        if kind is e.Select:
            x, y = self.of_expr(atom.true_value), self.of_expr(atom.false_value)
            return owner._hull(x, y, atom.dtype)
        if kind is e.Call and atom.op.name == "tir.if_then_else":
            x, y = self.of_expr(atom.args[1]), self.of_expr(atom.args[2])
            return owner._hull(x, y, atom.dtype)
        if kind is e.Cast:
            return self.cast(atom)
        return self.constant(atom)

    def constant(self, atom: Expr) -> Ends:
        """Constant bounds that hold whatever the variables are."""
        if any([v in self.owner._known for v in free_vars(atom)]):
            return _NO_ENDS  # these bounds may come from a narrower domain than the one asked about
        low, high = self.owner._bound(atom)
        limits = self.owner._type_limits(atom.dtype)
        return (
            ({}, int(low)) if low > limits[0] or low == 0 else None,
            ({}, int(high)) if high < limits[1] else None,
        )

    def extremum(self, kind: type[e.BinaryOp], x: Ends, y: Ends, dtype: DType) -> Ends:
        """The minimum has an upper end where either operand has one; the maximum a lower end."""
        ends: list[Form | None] = []
        for place in (0, 1):
            p, q = x[place], y[place]
            if p is not None and q is not None:
                ends.append(self.owner._extremum(kind, p, q, dtype))
            elif (kind is e.Min) == (place == 1):
                ends.append(q if p is None else p)
            else:
                ends.append(None)
        return ends[0], ends[1]

    def quotient(self, atom: Node) -> Ends:
        """Floor division by something positive that the variables do not touch is monotone."""
        owner = self.owner
        n, d = atom.a, atom.b
        low, high = self.of_expr(n)
        c = owner._positive_divisor(atom)
        if c is not None:
            return (
                None if low is None else owner._quotient(*low, c, atom.dtype),
                None if high is None else owner._quotient(*high, c, atom.dtype),
            )
        if not free_vars(d).isdisjoint(self.keys) or owner._bound(d)[0] < 1:
            return self.constant(atom)
        return self.divided(low, d, atom.dtype), self.divided(high, d, atom.dtype)

    def truncated(self, atom: Node) -> Ends:
        """Division towards zero by a positive literal is monotone too."""
        owner = self.owner
        if owner._positive_divisor(atom) is None:
            return self.constant(atom)
        low, high = self.of_expr(atom.a)
        return self.cut(low, atom), self.cut(high, atom)

    def cut(self, end: Form | None, atom: Node) -> Form | None:
        if end is None:
            return None
        owner = self.owner
        return owner._form(owner._simp(e.Div(owner._build(*end, atom.dtype), atom.b)))

    def divided(self, end: Form | None, divisor: Expr, dtype: DType) -> Form | None:
        if end is None:
            return None
        owner = self.owner
        return owner._form(owner._floor_of(e.FloorDiv, owner._build(*end, dtype), divisor, dtype))

    def remainder(self, atom: Node) -> Ends:
        owner = self.owner
        d: Expr = atom.b
        c = owner._positive_divisor(atom)
        if c is None:
            if not free_vars(d).isdisjoint(self.keys) or owner._bound(d)[0] < 1:
                return self.constant(atom)
            size = owner._form(d)
            return ({}, 0), (size[0], size[1] - 1)
        low, high = self.of_expr(atom.a)
        if low is not None and high is not None:
            first, last = owner._quotient(*low, c, atom.dtype), owner._quotient(*high, c, atom.dtype)
            if first == last:
                return owner._remainder(*low, c, atom.dtype), owner._remainder(*high, c, atom.dtype)
        return ({}, 0), ({}, c - 1)

    def product(self, atom: Expr) -> Ends:
        owner = self.owner
        factors = owner._factors.get(atom)
        if factors is None:
            return self.constant(atom)
        fixed = [f for f in factors if free_vars(f).isdisjoint(self.keys)]
        moving = [f for f in factors if not free_vars(f).isdisjoint(self.keys)]
        ends = self.of_atom(moving[0])
        for f in moving[1:]:
            other = self.of_atom(f)
            if not (self.nonnegative(ends[0]) and self.nonnegative(other[0])):
                return self.constant(atom)
            ends = self.scaled(ends[0], other[0], atom.dtype), self.scaled(ends[1], other[1], atom.dtype)
        for f in fixed:
            ends = self.times_point(ends, f, atom.dtype)
        return ends

    def times_point(self, ends: Ends, factor: Expr, dtype: DType) -> Ends:
        """Scale an interval by a value of known or unknown sign."""
        low, high = self.owner._bound(factor)
        point: Form = ({factor: 1}, 0)
        first, last = self.scaled(ends[0], point, dtype), self.scaled(ends[1], point, dtype)
        if low >= 0:
            return first, last
        if high <= 0:
            return last, first
        if first is None or last is None:
            return _NO_ENDS
        return self.owner._extremum(e.Min, first, last, dtype), self.owner._extremum(e.Max, first, last, dtype)

    def scaled(self, x: Form | None, y: Form | None, dtype: DType) -> Form | None:
        return None if x is None or y is None else self.owner._times(x, y, dtype)

    def nonnegative(self, end: Form | None) -> bool:
        return end is not None and self.owner._sum_bound(*end)[0] >= 0

    def cast(self, atom: Node) -> Ends:
        """An index keeps its value when it is widened."""
        value: Expr = atom.value
        dtype = atom.dtype
        if not (value.dtype.code == "int" and dtype.code == "int" and value.dtype.bits <= dtype.bits):
            return self.constant(atom)
        owner = self.owner
        ends: list[Form | None] = []
        for end in self.of_expr(value):
            if end is None:
                ends.append(None)
                continue
            ends.append(owner._form(owner._simp(operators.cast(dtype, owner._build(*end, value.dtype)))))
        return ends[0], ends[1]


def _finite(item: IntSet) -> bool:
    return item.has_lower_bound() and item.has_upper_bound()
