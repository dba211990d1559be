"""How the result of a reduction depends on each of the values that it combines.

The derivative of ``reduce over k of g(k)`` with respect to ``g(k0)`` is a weight: 1 for a sum; for a maximum 1 at one
place and 0 elsewhere; for a product the product of the others.  For a sum nothing has to be computed; for a maximum
and a product one more reduction per element of the result; for any other reducer one per value that it combines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gpucomp.support.diagnostics import Span, TensorError
from gpucomp.te.operation import ComputeOp
from gpucomp.te.partials import Term, conjuncts, partials, times
from gpucomp.te.tensor import Tensor
from gpucomp.tir import expr as e
from gpucomp.tir import intrin, operators
from gpucomp.tir.expr import CommReducer, Expr, FloatImm, IntImm, IterVar, ProducerLoad, Range, Reduce, Var
from gpucomp.tir.functor import expr_post_order, substitute


class Weight(NamedTuple):
    """``factor`` (None: 1) where the conditions hold, else 0."""

    conditions: tuple[Expr, ...]
    factor: Expr | None


def reduction_weights(op: ComputeOp, body: Reduce, span: Span | None) -> Iterator[tuple[Expr, Weight]]:
    """Each value that a reduction combines, with its weight in the result ``body.value_index``.

    Raises:
        TensorError: GC217 a reduction other than a sum starts from values of a tensor.
    """
    base = () if e.is_const_int(body.condition, 1) else tuple(conjuncts(body.condition))
    combiner, kind = body.combiner, _kind(body.combiner)
    if kind == "sum":
        yield body.source[0], Weight(base, None)
        return
    if any([isinstance(n, ProducerLoad) for n in expr_post_order(*body.init)]) or (body.init and kind != "general"):
        raise TensorError(
            f"te.gradient: the reduction of {op.name!r} has an init and is no sum",
            code="GC217",
            where=op.span or span,
            hint="combine the initial value with the result in a te.compute of its own",
        )
    if kind in ("max", "min"):
        first = _first_place(op, body, e.GT if kind == "max" else e.LT)
        here = operators.compare(e.EQ, first(*[a.var for a in op.axis]), _place(body.axis))
        yield body.source[0], Weight((*base, here), None)
    elif kind == "prod":
        yield body.source[0], Weight(base, _others(op, body))
    else:
        for m, source in enumerate(body.source):
            if source.dtype.is_float:
                table = _sensitivity(op, body, m, combiner)
                at = [operators.subtract(a.var, _dom(a).min) for a in body.axis]
                yield source, Weight(base, table(*[a.var for a in op.axis], *at))


def _kind(combiner: CommReducer) -> str:
    result, *others = combiner.result
    if others:
        return "general"
    identity = combiner.identity_element[0]
    sides = {combiner.lhs[0], combiner.rhs[0]}
    if not isinstance(result, e.BinaryOp) or {result.a, result.b} != sides:
        return "general"
    value = identity.value if isinstance(identity, (IntImm, FloatImm)) else None
    if isinstance(result, e.Add) and value == 0:
        return "sum"
    if isinstance(result, e.Mul) and value == 1:
        return "prod"
    return "max" if isinstance(result, e.Max) else "min" if isinstance(result, e.Min) else "general"


def _dom(axis: IterVar) -> Range:
    assert axis.dom is not None  # axes of operations have domains
    return axis.dom


def _place(axes: tuple[IterVar, ...]) -> Expr:
    """The position of an element among those that are reduced, in order."""
    total: Expr = operators.const(0, axes[0].var.dtype)
    for axis in axes:
        step = operators.subtract(axis.var, _dom(axis).min)
        total = operators.add(operators.multiply(total, _dom(axis).extent), step)
    return total


class _Copy:
    """An operation's axes made anew, for a further operation over the same elements."""

    def __init__(self, op: ComputeOp, body: Reduce, extra: tuple[IterVar, ...] = ()) -> None:
        self.data = [_again(a, IterVar.DataPar) for a in op.axis]
        self.inner = tuple([_again(a, IterVar.CommReduce) for a in body.axis])
        self.extra = [_from_zero(a) for a in extra]
        old = (*op.axis, *body.axis)
        new = (*self.data, *self.inner)
        self.rename: dict[Var, Expr] = {a.var: b.var for a, b in zip(old, new, strict=True)}
        self.condition: Expr = substitute(body.condition, self.rename)

    def reduce(
        self, op: ComputeOp, suffix: str, combiner: CommReducer, source: tuple[Expr, ...], wanted: int
    ) -> Tensor:
        """The result ``wanted`` of a reduction of tuples."""
        items = tuple([substitute(x, self.rename) for x in source])
        body = tuple([Reduce(combiner, items, self.inner, self.condition, i) for i in range(len(items))])
        name = f"{op.name}.{suffix}"
        return ComputeOp(name, "", None, (*self.data, *self.extra), body, op.span).output(wanted)


def _again(axis: IterVar, kind: int) -> IterVar:
    return IterVar(_dom(axis), Var(axis.name, axis.var.dtype), kind)


def _from_zero(axis: IterVar) -> IterVar:
    dom = Range.from_min_extent(0, _dom(axis).extent)
    return IterVar(dom, Var(f"{axis.name}.at", axis.var.dtype), IterVar.DataPar)


def _first_place(op: ComputeOp, body: Reduce, better: type[e.CmpOp]) -> Tensor:
    """Position of the first element that equals the extreme value."""
    value = body.source[0]
    place = _place(body.axis)
    kinds = (place.dtype, value.dtype)
    lhs = tuple([Var(f"x{i}", k) for i, k in enumerate(kinds)])
    rhs = tuple([Var(f"y{i}", k) for i, k in enumerate(kinds)])
    earlier = operators.logical(
        e.And, operators.equality(e.EQ, lhs[1], rhs[1]), operators.compare(e.LT, lhs[0], rhs[0])
    )
    left = operators.logical(e.Or, operators.compare(better, lhs[1], rhs[1]), earlier)
    result = tuple([e.Select(left, a, b) for a, b in zip(lhs, rhs, strict=True)])
    identity = (intrin.max_value(kinds[0]), body.combiner.identity_element[0])
    combiner = CommReducer(lhs, rhs, result, identity)
    return _Copy(op, body).reduce(op, "place", combiner, (place, value), 0)


def _others(op: ComputeOp, body: Reduce) -> Expr:
    """The product of all values but the one at the present place: right with zeros among them."""
    value = body.source[0]
    kind = value.dtype
    lhs, rhs = (Var("x0", kind), Var("x1", "int32")), (Var("y0", kind), Var("y1", "int32"))
    combiner = CommReducer(
        lhs, rhs, (lhs[0] * rhs[0], lhs[1] + rhs[1]), (operators.const(1, kind), operators.const(0, "int32"))
    )
    zero, one = operators.const(0, kind), operators.const(1, kind)
    is_zero = operators.equality(e.EQ, value, zero)
    factor = e.Select(is_zero, one, value)
    source = (factor, e.Select(is_zero, operators.const(1, "int32"), operators.const(0, "int32")))
    product = _Copy(op, body).reduce(op, "nonzero", combiner, source, 0)
    at = [a.var for a in op.axis]
    rest, zeros = product(*at), product.op.output(1)(*at)
    none, single = operators.equality(e.EQ, zeros, 0), operators.equality(e.EQ, zeros, 1)
    alone = e.Select(operators.logical(e.And, single, is_zero), rest, zero)
    return e.Select(none, operators.divide(rest, factor), alone)


def _sensitivity(op: ComputeOp, body: Reduce, m: int, combiner: CommReducer) -> Tensor:
    """Derivative of the result with respect to value ``m`` at each place, by carrying it through the reduction."""
    count = len(combiner.result)
    smooth = [i for i in range(count) if combiner.result[i].dtype.is_float]
    left = tuple([Var(f"dx{i}", combiner.result[i].dtype) for i in smooth])
    right = tuple([Var(f"dy{i}", combiner.result[i].dtype) for i in smooth])
    leaves: dict[Expr, Expr] = {}
    for n, i in enumerate(smooth):
        leaves[combiner.lhs[i]], leaves[combiner.rhs[i]] = left[n], right[n]
    moved: list[Expr] = []
    for i in smooth:
        total: Expr = operators.const(0, combiner.result[i].dtype)
        for leaf, terms in partials(combiner.result[i], dict.fromkeys(leaves), op.span).items():
            for term in terms:
                total = operators.add(total, operators.cast(total.dtype, _product(term, leaves[leaf])))
        moved.append(total)
    zeros = [operators.const(0, combiner.result[i].dtype) for i in smooth]
    carried = CommReducer(
        (*combiner.lhs, *left), (*combiner.rhs, *right), (*combiner.result, *moved),
        (*combiner.identity_element, *zeros),
    )  # fmt: skip
    copy = _Copy(op, body, body.axis)
    here: Expr = operators.const(1, "bool")
    for axis, at in zip(body.axis, copy.extra, strict=True):
        here = operators.logical(e.And, here, operators.equality(e.EQ, axis.var, at.var + _dom(axis).min))
    starts = [
        e.Select(here, operators.const(1, z.dtype), z) if i == m else z for i, z in zip(smooth, zeros, strict=True)
    ]
    return copy.reduce(op, "carried", carried, (*body.source, *starts), count + smooth.index(body.value_index))


def _product(term: Term, direction: Expr) -> Expr:
    value = times(operators.cast(direction.dtype, term.factor), direction)
    for condition in term.conditions:
        value = e.Select(condition, value, operators.const(0, value.dtype))
    return value
