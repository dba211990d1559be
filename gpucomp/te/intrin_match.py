"""Is a loop nest what a tensor intrinsic declares?  If so: where do the intrinsic's tensors lie?

The box that the nest computes is laid over the declared axes, from the innermost outwards; axes of extent 1 may be
left over on either side.  Then both expressions are walked together: operands of commutative operations may come in
either order, index arithmetic is compared in linear form, and each declared input finds the tensor, and the offset
within it, that stands for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gpucomp.te.affine import Forms, Linear
from gpucomp.te.errors import schedule_error
from gpucomp.te.operation import ComputeOp
from gpucomp.te.stage import Stage
from gpucomp.te.tensor import Tensor
from gpucomp.te.tensor_intrin import TensorIntrin, declared_scalars, value_of_extent
from gpucomp.tir import expr as e
from gpucomp.tir import operators
from gpucomp.tir.expr import Expr, IterVar, ProducerLoad, Reduce, Var
from gpucomp.tir.functor import expr_children, expr_post_order, free_vars, substitute
from gpucomp.tir.intrin import Op

_COMMUTATIVE = frozenset({e.Add, e.Mul, e.Min, e.Max, e.EQ, e.NE, e.And, e.Or})


class AxisBox(NamedTuple):
    """One axis of the box that a nest computes."""

    low: Expr
    extent: Expr


@dataclass(slots=True)
class Place:
    """Where a declared tensor lies.

    Attributes:
        tensor: the tensor that stands for it.
        mins: first element of the region.
        dims: for each declared dimension the dimension of ``tensor``; None for one of extent 1 that has none.
    """

    tensor: Tensor
    mins: tuple[Expr, ...]
    dims: tuple[int | None, ...]


@dataclass(slots=True)
class Match:
    """How an intrinsic fits a nest: the places of its inputs, then of its outputs, and the values of its variables."""

    places: list[Place] = field(default_factory=list)
    scalars: dict[Var, Expr] = field(default_factory=dict)


def match_intrin(
    intrin: TensorIntrin,
    stage: Stage,
    op: ComputeOp,
    box: Mapping[IterVar, AxisBox],
    forms: Forms,
    axis: IterVar,
    idle: bool = False,
) -> Match:
    """Match the box of a stage with a declaration.

    Args:
        box: the part of each root axis that one run of the intrinsic computes.
        forms: what is known about the variables.
        axis: the tensorized axis, for messages.
        idle: the condition of the stage's reduction leaves out nothing but zeros.

    Raises:
        ScheduleError: GC153 the shapes differ; GC154 the expressions differ.
    """
    return _Matcher(intrin, stage, op, box, forms, axis, idle).run()


class _Matcher:
    def __init__(
        self,
        intrin: TensorIntrin,
        stage: Stage,
        op: ComputeOp,
        box: Mapping[IterVar, AxisBox],
        forms: Forms,
        axis: IterVar,
        idle: bool,
    ) -> None:
        self.idle = idle
        self.intrin, self.stage, self.op, self.box, self.forms = intrin, stage, op, box, forms
        self.where = stage.attr(axis).kind_span
        self.free = dict.fromkeys(declared_scalars(intrin))
        self.scalars: dict[Var, Expr] = {}
        self.inputs: dict[Tensor, Place] = {}
        self.axes: dict[Var, None] = {}
        self.ours: dict[Var, Expr] = {}
        self.theirs: dict[Var, Expr] = {}
        self.depth = 0
        self.failure: tuple[int, Expr | str, Expr | str] | None = None

    def run(self) -> Match:
        declared = self.intrin.op
        dims = self._axes(self.op.axis, declared.axis, "data")
        self._axes(self.op.reduce_axis, declared.reduce_axis, "reduction")
        if len(self.op.body) != len(declared.body):
            raise self._differ(f"{len(self.op.body)} outputs", f"{len(declared.body)} outputs")
        for body, theirs in zip(self.op.body, declared.body, strict=True):
            mine = _unconditional(body) if self.idle and isinstance(body, Reduce) else body
            ours: Expr = substitute(mine, self.ours) if not isinstance(mine, Reduce) else mine
            other: Expr = substitute(theirs, self.theirs) if not isinstance(theirs, Reduce) else theirs
            if not self._body(ours, other):
                assert self.failure is not None
                raise self._differ(*self.failure[1:], whole=(ours, other))
        if any([_is_guard(n) for n in expr_post_order(*declared.body)]):
            self._check_inside()
        lows = tuple([self.box[a].low for a in self.op.axis])
        places = [self.inputs[t] for t in self.intrin.inputs]
        places += [Place(t, lows, dims) for t in self.op.outputs]
        return Match(places, self.scalars)

    def _check_inside(self) -> None:
        """Where a condition guards what the stage reads, the statements, which may read all of it, must stay inside."""
        for declared, place in self.inputs.items():
            ends = list(place.mins)
            for extent, dim in zip(declared.shape, place.dims, strict=True):
                if dim is not None:
                    ends[dim] = operators.add(ends[dim], operators.subtract(self._given(extent), 1))
            for low, end, size in zip(place.mins, ends, place.tensor.shape, strict=True):
                rest = self.forms.of(size).shifted(-1).plus(self.forms.of(end), -1)
                if self.forms.at_least(self.forms.of(low), 0) and self.forms.at_least(rest, 0):
                    continue
                raise schedule_error(
                    "GC152",
                    f"tensorize: {self.intrin.name} may read {place.tensor.name} from {low} to {end}, where stage "
                    f"{self.stage.name} has a condition that keeps it within {size}",
                    stage=self.stage,
                    where=self.where,
                    hint="pad the tensor in a stage of its own, and tensorize the next one",
                )

    # -- axes -----------------------------------------------------------------------------------------------------

    def _axes(self, ours: Sequence[IterVar], theirs: Sequence[IterVar], kind: str) -> tuple[int | None, ...]:
        """Lay axes over each other, innermost first; returns our axis for each of theirs."""
        i, j = len(ours) - 1, len(theirs) - 1
        dims: list[int | None] = [None] * len(theirs)
        while i >= 0 or j >= 0:
            mine = self.box[ours[i]] if i >= 0 else None
            other = theirs[j] if j >= 0 else None
            if mine is not None and other is not None and self._same_extent(mine.extent, other):
                dims[j] = i
                self._pair(ours[i], mine, other)
                i, j = i - 1, j - 1
            elif mine is not None and self._is_one(mine.extent):
                self.ours[ours[i].var] = mine.low
                i -= 1
            elif other is not None and other.dom is not None and self._is_one(self._given(other.dom.extent)):
                self.theirs[other.var] = other.dom.min
                j -= 1
            else:
                raise self._shapes(ours, theirs, kind)
        return tuple(dims)

    def _given(self, x: Expr) -> Expr:
        return substitute(x, self.scalars)

    def _is_one(self, extent: Expr) -> bool:
        return self.forms.of(extent).value() == 1

    def _same_extent(self, extent: Expr, axis: IterVar) -> bool:
        assert axis.dom is not None
        declared = axis.dom.extent
        if isinstance(declared, Var) and declared in self.free and declared not in self.scalars:
            value = value_of_extent(declared, extent)
            if value is None:
                return False
            self.scalars[declared] = value
        return self.forms.of(extent).same(self.forms.of(self._given(declared)))

    def _pair(self, mine: IterVar, part: AxisBox, other: IterVar) -> None:
        assert other.dom is not None
        low = self._given(other.dom.min)
        if self._is_one(part.extent):
            self.ours[mine.var], self.theirs[other.var] = part.low, low
            return
        var = Var(other.name, mine.var.dtype)
        self.forms.declare(var, low, part.extent)
        self.axes[var] = None
        self.theirs[other.var] = var
        self.ours[mine.var] = operators.add(part.low, operators.subtract(var, low))

    def _shapes(self, ours: Sequence[IterVar], theirs: Sequence[IterVar], kind: str) -> Exception:
        def text(pairs: list[tuple[str, Expr]]) -> str:
            shown = [f"{name}({extent})" if plain else f"{name}({extent}: {extent.dtype})" for name, extent in pairs]
            return " x ".join(shown) or "none"

        plain = len({str(a.var.dtype) for a in (*ours, *theirs)}) < 2

        mine = text([(a.name, self.box[a].extent) for a in ours])
        declared = text([(a.name, a.dom.extent) for a in theirs if a.dom is not None])
        return schedule_error(
            "GC153",
            f"tensorize: {self.intrin.name} declares the {kind} axes {declared}, but the loops of stage "
            f"{self.stage.name} from the tensorized one inwards compute {mine}",
            stage=self.stage,
            where=self.where,
            hint="split the loops by the declared extents, and move the inner parts inside of the tensorized loop",
        )

    # -- expressions ----------------------------------------------------------------------------------------------

    def _differ(self, ours: Expr | str, theirs: Expr | str, whole: tuple[Expr, Expr] | None = None) -> Exception:
        sides = "" if whole is None or whole[0] is ours else f"\n  stage:     {whole[0]}\n  intrinsic: {whole[1]}"
        return schedule_error(
            "GC154",
            f"tensorize: stage {self.stage.name} does not compute what {self.intrin.name} declares: {ours} in the "
            f"stage is {theirs} in the intrinsic{sides}",
            stage=self.stage,
            where=self.where,
            hint="declare the intrinsic with the expression of the stage, its casts included",
        )

    def _fail(self, ours: Expr | str, theirs: Expr | str) -> bool:
        if self.failure is None or self.depth > self.failure[0]:
            self.failure = (self.depth, ours, theirs)
        return False

    def _body(self, ours: Expr, theirs: Expr) -> bool:
        if not isinstance(ours, Reduce) or not isinstance(theirs, Reduce):
            if isinstance(ours, Reduce) or isinstance(theirs, Reduce):
                return self._fail(*[_kind(x) for x in (ours, theirs)])
            return self._same(ours, theirs)
        if not self._combiner(ours, theirs):
            return False
        parts = [*ours.source, ours.condition, *ours.init], [*theirs.source, theirs.condition, *theirs.init]
        if len(parts[0]) != len(parts[1]):
            return self._fail(*["a reduction with init" if x.init else "one without" for x in (ours, theirs)])
        mine: list[Expr] = [substitute(x, self.ours) for x in parts[0]]
        other: list[Expr] = [substitute(x, self.theirs) for x in parts[1]]
        return all([self._same(x, y) for x, y in zip(mine, other, strict=True)])

    def _combiner(self, ours: Reduce, theirs: Reduce) -> bool:
        mine, other = ours.combiner, theirs.combiner
        if [v.dtype for v in mine.lhs] != [v.dtype for v in other.lhs]:
            return self._fail(*[f"a reduction of {', '.join([str(v.dtype) for v in c.lhs])}" for c in (mine, other)])
        combined = other(tuple(mine.lhs), tuple(mine.rhs))
        same = all([self._same(x, y) for x, y in zip(mine.result, combined, strict=True)])
        ends = zip(mine.identity_element, other.identity_element, strict=True)
        return same and all([x is y or self._fail(x, y) for x, y in ends])

    def _same(self, ours: Expr, theirs: Expr) -> bool:
        self.depth += 1
        done = self._compare(ours, theirs)
        self.depth -= 1
        return done

    def _compare(self, ours: Expr, theirs: Expr) -> bool:
        if isinstance(theirs, Var) and theirs in self.free:
            return self._scalar(ours, theirs)
        if ours.dtype is not theirs.dtype and not (ours.dtype.is_int and theirs.dtype.is_int):
            return self._fail(f"{ours} of type {ours.dtype}", f"{theirs} of type {theirs.dtype}")
        if isinstance(ours, ProducerLoad) and isinstance(theirs, ProducerLoad):
            return self._load(ours, theirs) or self._fail(ours, theirs)
        if ours.dtype.is_int and self._is_index(ours) and self._is_index(theirs):
            return self._equal(ours, theirs) or self._fail(ours, theirs)
        if type(ours) is not type(theirs) or ours.dtype is not theirs.dtype:
            return self._fail(ours, theirs)
        mine, other = expr_children(ours), expr_children(theirs)
        if not mine or len(mine) != len(other) or isinstance(ours, e.Let) or not _same_head(ours, theirs):
            return ours is theirs or self._fail(ours, theirs)
        before = dict(self.inputs), dict(self.scalars)
        if all([self._same(x, y) for x, y in zip(mine, other, strict=True)]):
            return True
        if type(ours) not in _COMMUTATIVE:
            return False
        self.inputs, self.scalars = before
        return all([self._same(x, y) for x, y in zip(mine, reversed(other), strict=True)])

    def _is_index(self, x: Expr) -> bool:
        return not any([isinstance(n, (ProducerLoad, e.Call)) or n in self.free for n in expr_post_order(x)])

    def _equal(self, ours: Expr, theirs: Expr) -> bool:
        if self.forms.of(ours).same(self.forms.of(theirs)):
            return True
        return bool(self.forms.analyzer.can_prove_equal(ours, operators.cast(ours.dtype, theirs)))

    def _scalar(self, ours: Expr, theirs: Var) -> bool:
        """A variable of the declaration stands for what does not change within the box."""
        known = self.scalars.get(theirs)
        if known is not None:
            return known is ours or (ours.dtype.is_int and self._equal(ours, known)) or self._fail(ours, known)
        steady = not any([isinstance(n, ProducerLoad) or n in self.axes for n in expr_post_order(ours)])
        if ours.dtype is not theirs.dtype or not steady:
            return self._fail(ours, theirs)
        self.scalars[theirs] = ours
        return True

    # -- accesses -------------------------------------------------------------------------------------------------

    def _load(self, ours: ProducerLoad, theirs: ProducerLoad) -> bool:
        tensor: Tensor = ours.producer
        declared: Tensor = theirs.producer
        if tensor.dtype is not declared.dtype:
            return False
        mine = [self.forms.of(i) for i in ours.indices]
        other = [self.forms.of(self._given(i)) for i in theirs.indices]
        known = self.inputs.get(declared)
        found = self._place(tensor, declared, mine, other) if known is None else known
        if found is None or found.tensor is not tensor:
            return False
        if known is None:
            self.inputs[declared] = found
            return True
        rest = list(mine)
        for position, dim in enumerate(known.dims):
            if dim is not None:
                rest[dim] = rest[dim].plus(other[position], -1)
        return all([r.same(self.forms.of(low)) for r, low in zip(rest, known.mins, strict=True)])

    def _place(self, tensor: Tensor, declared: Tensor, ours: list[Linear], theirs: list[Linear]) -> Place | None:
        """Lay dimensions over each other, innermost first."""
        d, q = len(ours) - 1, len(theirs) - 1
        mins: list[Linear] = list(ours)
        dims: list[int | None] = [None] * len(theirs)
        while d >= 0 or q >= 0:
            rest = ours[d].plus(theirs[q], -1) if d >= 0 and q >= 0 else None
            if rest is not None and self._steady(rest):
                dims[q], mins[d] = d, rest
                d, q = d - 1, q - 1
            elif d >= 0 and self._steady(ours[d]):
                d -= 1
            elif q >= 0 and theirs[q].value() == 0 and self._is_one(declared.shape[q]):
                q -= 1
            else:
                return None
        lows = [self.forms.expr(low, s.dtype) for low, s in zip(mins, tensor.shape, strict=True)]
        return Place(tensor, tuple(lows), tuple(dims))

    def _steady(self, form: Linear) -> bool:
        return not any([v in self.axes for term in form.terms for v in free_vars(term)])


def _unconditional(node: Reduce) -> Reduce:
    return Reduce(
        node.combiner, node.source, node.axis, operators.const(1, node.condition.dtype), node.value_index, node.init
    )


def _is_guard(x: Expr) -> bool:
    """True for what may leave loads out."""
    if isinstance(x, Reduce):
        return not e.is_const_int(x.condition, 1)
    return isinstance(x, e.Call) and isinstance(x.op, Op) and x.op.name == "tir.if_then_else"


def _kind(x: Expr) -> str:
    return "a reduction" if isinstance(x, Reduce) else f"{x}, no reduction"


def _same_head(ours: Expr, theirs: Expr) -> bool:
    """Equal in what is no operand: the operation called, lanes."""
    for name, kind in ours._kinds.items():
        mine, other = getattr(ours, name), getattr(theirs, name)
        if kind == "other" and mine is not other and bool(mine != other):
            return False
    return True
