"""Exact sets of integer points through isl (islpy, extra ``poly``): regions that are no boxes, unions, projections.

Slower than intervals by orders of magnitude, and exact: for checks and for tests of what compiles.

>>> from gpucomp import te
>>> from gpucomp.arith import poly
>>> from gpucomp.tir import Range
>>> i, j = te.var("i"), te.var("j")
>>> triangle = poly.integer_set([i, j], [i <= j], {i: Range(0, 8), j: Range(0, 8)})
>>> triangle.count(), triangle.project([j]).count(), triangle.contains({i: 3, j: 2})
(36, 8, False)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any  # objects of islpy

from gpucomp.arith.logic import strip_likely
from gpucomp.arith.state import Node
from gpucomp.arith.touched import Access, accesses
from gpucomp.support.diagnostics import LowerError, caller_span
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.buffer import Buffer
from gpucomp.tir.expr import Expr, ExprLike, IterVar, Range, Var
from gpucomp.tir.functor import ordered_vars
from gpucomp.tir.stmt import Stmt

_COMPARISONS: dict[type[Expr], str] = {
    e.LT: "lt_set",
    e.LE: "le_set",
    e.GT: "gt_set",
    e.GE: "ge_set",
    e.EQ: "eq_set",
    e.NE: "ne_set",
}
_OPERATIONS: dict[type[Expr], str] = {e.Add: "add", e.Sub: "sub", e.Min: "min", e.Max: "max"}


class NotAffine(LowerError):
    """An expression has no exact set: it multiplies variables, divides by one, or reads memory."""

    default_code = "GC358"


def integer_set(
    variables: Sequence[Var | IterVar],
    conditions: Sequence[ExprLike] = (),
    ranges: Mapping[Var, Range] | None = None,
) -> PolySet:
    """The integer points that satisfy conditions; other variables are parameters of the set.

    Args:
        variables: the dimensions, in order.
        conditions: quasi-affine ones: sums, multiples, quotients and remainders by constants, min, max, choices,
            joined by and, or, not.
        ranges: of dimensions and of parameters.

    Raises:
        NotAffine: a condition is none of these.
        LowerError: islpy is not installed.
    """
    plain = [v.var if isinstance(v, IterVar) else v for v in variables]
    nodes = [operators.convert(c) for c in conditions]
    for var, domain in (ranges or {}).items():
        nodes += _inside_range(var, domain)
    space = _Space(plain, [], nodes)
    return PolySet(tuple(plain), space.all_of(nodes), space.names)


def footprint(
    stmt: Stmt, buffer: Buffer, loads: bool = True, stores: bool = True, ranges: Mapping[Var, Range] | None = None
) -> PolySet:
    """The elements of a buffer that a statement accesses, exactly: strides, guards and triangles included.

    Args:
        stmt: any statement.
        buffer: a buffer; its dimensions are those of the set.
        loads: count what is read.
        stores: count what is written.
        ranges: of variables that the statement does not bind.

    Raises:
        NotAffine: an index or a guard has no exact set.
        LowerError: islpy is not installed.

    >>> from gpucomp import te
    >>> from gpucomp.arith import poly
    >>> a = te.placeholder((64,), name="A")
    >>> b = te.compute((8,), lambda i: a[i * 4], name="B")
    >>> func = te.create_prim_func([a, b])
    >>> poly.footprint(func.body, func.buffer_map[func.params[0]]).count()
    8
    """
    dims = tuple([Var(f"d{i}", d.dtype) for i, d in enumerate(buffer.shape)])
    total = integer_set(dims, [e.IntImm(operators.BOOL, 0)])
    for access in accesses(stmt, buffer, loads, stores):
        total = total | _image(dims, access, ranges or {})
    return total


def covers(stmt: Stmt, buffer: Buffer, box: Sequence[Range] | None = None) -> bool:
    """True if a statement writes every element of a box of a buffer, the whole buffer by default.

    Raises as :func:`footprint`.
    """
    written = footprint(stmt, buffer, loads=False)
    domain = box or [Range.from_min_extent(0, d) for d in buffer.shape]
    conditions = [c for v, r in zip(written.variables, domain, strict=True) for c in _inside_range(v, r)]
    return integer_set(written.variables, conditions) <= written


def _inside_range(var: Var, domain: Range) -> list[Expr]:
    low = operators.compare(e.GE, var, domain.min)
    return [low, operators.compare(e.LT, var, operators.add(domain.min, domain.extent))]


def _image(dims: tuple[Var, ...], access: Access, ranges: Mapping[Var, Range]) -> PolySet:
    """The elements of one access."""
    hidden: list[Var] = []
    conditions: list[Expr] = []
    for var, domain in ranges.items():
        conditions += _inside_range(var, domain)
    for var, bound in access.bindings:
        if not isinstance(bound, Expr):
            conditions += _inside_range(var, bound)
        elif bound.dtype.is_int:
            conditions.append(e.EQ(var, operators.cast(var.dtype, bound)))
        else:
            continue  # a name of data: an index that uses it is refused
        hidden.append(var)
    conditions += access.guards
    for dim, index in zip(dims, access.indices, strict=True):
        conditions += _element(dim, index, hidden)
    space = _Space(dims, hidden, conditions)
    return PolySet(dims, space.all_of(conditions), space.names)


def _element(dim: Var, index: Expr, hidden: list[Var]) -> list[Expr]:
    """dim is the index, or an element of a vector of indices."""
    if isinstance(index, e.Broadcast):
        index = index.value
    if not isinstance(index, e.Ramp):
        return [e.EQ(dim, operators.cast(dim.dtype, index))]
    lane = Var("lane", index.base.dtype)
    hidden.append(lane)
    value = operators.add(index.base, operators.multiply(index.stride, lane))
    return [e.EQ(dim, operators.cast(dim.dtype, value)), *_inside_range(lane, Range(0, index.lanes))]


class PolySet:
    """A set of integer points, one coordinate per variable; operators as of Python's sets.

    Attributes:
        variables: the dimensions.
        isl: the ``islpy.Set`` behind it.
    """

    __slots__ = ("isl", "names", "variables")

    def __init__(self, variables: tuple[Var, ...], isl: Any, names: dict[Var, str]) -> None:  # Any: islpy.Set
        self.variables = variables
        self.isl = isl
        self.names = names

    def _with(self, other: PolySet) -> tuple[Any, dict[Var, str]]:
        """The other set, its parameters named as here, and the names of both."""
        if len(other.variables) != len(self.variables):
            message = f"a set of {len(self.variables)} dimensions meets one of {len(other.variables)}"
            raise LowerError(message, code="GC359", where=caller_span(), hint="project one of them first")
        found, names = other.isl, dict(self.names)
        kind = _islpy().dim_type.param
        by_name = {x: v for v, x in other.names.items()}
        for i in range(found.dim(kind)):
            var = by_name[found.get_dim_name(kind, i)]
            names.setdefault(var, f"{_plain(var.name)}_{len(names)}")
        # In two steps, so that no name is given twice on the way.
        parameters = [by_name[found.get_dim_name(kind, i)] for i in range(found.dim(kind))]
        for prefix in ("fresh_", ""):
            for i, var in enumerate(parameters):
                found = found.set_dim_name(kind, i, prefix + names[var])
        return found, names

    def __or__(self, other: PolySet) -> PolySet:
        found, names = self._with(other)
        return PolySet(self.variables, self.isl.union(found).coalesce(), names)

    def __and__(self, other: PolySet) -> PolySet:
        found, names = self._with(other)
        return PolySet(self.variables, self.isl.intersect(found), names)

    def __sub__(self, other: PolySet) -> PolySet:
        found, names = self._with(other)
        return PolySet(self.variables, self.isl.subtract(found), names)

    def __le__(self, other: PolySet) -> bool:
        return bool(self.isl.is_subset(self._with(other)[0]))

    def same(self, other: PolySet) -> bool:
        """True if both have the same points, for all values of the parameters."""
        return bool(self.isl.is_equal(self._with(other)[0]))

    def is_empty(self) -> bool:
        """True if there is no point, whatever the parameters are."""
        return bool(self.isl.is_empty())

    def count(self) -> int:
        """Number of points.

        Raises:
            LowerError: it is infinite, or depends on parameters.
        """
        islpy = _islpy()
        parameters = self.isl.dim(islpy.dim_type.param)
        if parameters and self.isl.involves_dims(islpy.dim_type.param, 0, parameters):
            raise _uncountable("the number of points depends on parameters", "make them dimensions")
        if not self.isl.is_bounded():
            raise _uncountable("the set has infinitely many points", "give ranges")
        return self.isl.count_val().to_python()

    def project(self, variables: Sequence[Var]) -> PolySet:
        """The set of the values of some of the variables, in the order in which the set has them."""
        islpy = _islpy()
        found = self.isl
        for i in reversed(range(len(self.variables))):
            if not any([self.variables[i] is v for v in variables]):
                found = found.project_out(islpy.dim_type.set, i, 1)
        kept = tuple([v for v in self.variables if any([v is w for w in variables])])
        return PolySet(kept, found.coalesce(), self.names)

    def contains(self, point: Mapping[Var, int]) -> bool:
        """True if a point, given with the values of the parameters, lies in the set."""
        islpy = _islpy()
        found = self.isl
        by_name = {self.names[v]: x for v, x in point.items() if v in self.names}
        kind = islpy.dim_type.param
        for i in range(found.dim(kind)):
            found = found.fix_val(kind, i, islpy.Val(by_name[found.get_dim_name(kind, i)]))
        for i, var in enumerate(self.variables):
            found = found.fix_val(islpy.dim_type.set, i, islpy.Val(point[var]))
        return not found.is_empty()

    def box(self) -> list[tuple[int, int]] | None:
        """Least and greatest value of each coordinate; None if one is unbounded or depends on parameters."""
        found: list[tuple[int, int]] = []
        for i in range(len(self.variables)):
            low, high = self.isl.dim_min_val(i), self.isl.dim_max_val(i)
            if not (low.is_int() and high.is_int()):
                return None
            found.append((low.to_python(), high.to_python()))
        return found

    def __repr__(self) -> str:
        return f"PolySet({self.isl})"


class _Space:
    """Expressions as piecewise quasi-affine functions over named dimensions.

    Args:
        dims: visible dimensions.
        hidden: variables that are projected out.
        nodes: all expressions that will be asked about; their other variables are parameters.
    """

    def __init__(self, dims: Sequence[Var], hidden: Sequence[Var], nodes: Sequence[Expr]) -> None:
        islpy = self.islpy = _islpy()
        inner = [*dims, *hidden]
        outer = [v for v in ordered_vars(*nodes) if v.dtype.is_int and not any([v is w for w in inner])]
        self.names: dict[Var, str] = {}
        for v in [*inner, *outer]:
            self.names.setdefault(v, f"{_plain(v.name)}_{len(self.names)}")
        self.visible, self.count = len(dims), len(inner)
        names = [self.names[v] for v in inner]
        parameters = [self.names[v] for v in outer]
        self.space = islpy.Space.create_from_names(islpy.DEFAULT_CONTEXT, set=names, params=parameters)
        self.local = islpy.LocalSpace.from_space(self.space)
        self.places: dict[Var, tuple[Any, int]] = {v: (islpy.dim_type.set, i) for i, v in enumerate(inner)}
        self.places |= {v: (islpy.dim_type.param, i) for i, v in enumerate(outer)}
        self.memo: dict[Expr, Any] = {}

    def all_of(self, conditions: Sequence[Expr]) -> Any:
        """The set where all conditions hold, hidden dimensions projected out."""
        total = self.islpy.Set.universe(self.space)
        for condition in conditions:
            total = total.intersect(self.condition(condition))
        return total.project_out(self.islpy.dim_type.set, self.visible, self.count - self.visible).coalesce()

    def condition(self, node: Node) -> Any:
        """The set where a condition holds."""
        if isinstance(node, e.IntImm):
            return (self.islpy.Set.universe if node.value else self.islpy.Set.empty)(self.space)
        if isinstance(node, (e.And, e.Or)):
            a, b = self.condition(node.a), self.condition(node.b)
            return a.intersect(b) if isinstance(node, e.And) else a.union(b)
        if isinstance(node, e.Not):
            return self.condition(node.a).complement()
        node = strip_likely(node)
        build = _COMPARISONS.get(type(node))
        if build is None or not node.a.dtype.is_int:
            raise _refuse(node)
        return getattr(self.value(node.a), build)(self.value(node.b))

    def value(self, node: Expr) -> Any:
        """The function of an integer expression."""
        found = self.memo.get(node)
        if found is None:
            found = self.memo[node] = self._value(node)
        return found

    def _constant(self, value: int) -> Any:
        return self.islpy.PwAff.from_aff(self.islpy.Aff.val_on_domain(self.local, self.islpy.Val(value)))

    def _value(self, node: Node) -> Any:
        kind = type(node)
        if isinstance(node, Var):
            place = self.places.get(node)
            if place is None:
                raise _refuse(node)
            return self.islpy.PwAff.from_aff(self.islpy.Aff.var_on_domain(self.local, *place))
        if kind is e.IntImm:
            return self._constant(node.value)
        if kind is e.Cast and node.value.dtype.is_int and node.value.dtype.bits <= node.dtype.bits:
            return self.value(node.value)
        if kind is e.Select:
            yes, no = self.value(node.true_value), self.value(node.false_value)
            where = self.condition(node.condition)
            return yes.intersect_domain(where).union_max(no.intersect_domain(where.complement()))
        if kind is e.Mul:
            x, y = (node.a, node.b) if isinstance(node.b, e.IntImm) else (node.b, node.a)
            return self.value(x).scale_val(self.islpy.Val(_constant(y, node)))
        if kind in (e.FloorDiv, e.FloorMod, e.Div, e.Mod) and node.dtype.is_int:
            return self._divided(node)
        if kind in _OPERATIONS and node.dtype.is_int:
            return getattr(self.value(node.a), _OPERATIONS[kind])(self.value(node.b))
        raise _refuse(node)

    def _divided(self, node: Node) -> Any:
        c = _constant(node.b, node)
        if c <= 0:
            raise _refuse(node)
        a, divisor = self.value(node.a), self.islpy.Val(c)
        down = a.scale_down_val(divisor)
        if isinstance(node, e.FloorMod):
            return a.mod_val(divisor)
        if isinstance(node, e.FloorDiv):
            return down.floor()
        positive = a.ge_set(self._constant(0))
        quotient = (
            down.floor().intersect_domain(positive).union_max(down.ceil().intersect_domain(positive.complement()))
        )
        return quotient if isinstance(node, e.Div) else a.sub(quotient.scale_val(divisor))


def _plain(name: str) -> str:
    """A name that isl can read."""
    return "v" + "".join([c if c.isalnum() and c.isascii() else "_" for c in name])


def _constant(node: Expr, whole: Expr) -> int:
    """The value of a literal, which ``whole`` needs there."""
    if not isinstance(node, e.IntImm):
        raise _refuse(whole)
    return node.value


def _uncountable(message: str, hint: str) -> LowerError:
    return LowerError(message, code="GC360", where=caller_span(), hint=hint)


def _refuse(node: Expr) -> NotAffine:
    names = ", ".join([v.name for v in ordered_vars(node)])
    hint = "exact sets know sums, multiples by constants, quotients and remainders by positive constants, min, max"
    return NotAffine(f"`{node}` is not affine in {names or 'anything'}", where=caller_span(), hint=hint)


def _islpy() -> Any:  # Any: a module without stubs that is imported late
    try:
        import islpy
    except ImportError as error:
        message = "exact sets need islpy, which is not installed"
        raise LowerError(message, code="GC361", where=caller_span(), hint="pip install 'gpucomp[poly]'") from error
    return islpy
